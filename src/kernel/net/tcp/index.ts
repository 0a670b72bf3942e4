/** TCP: what the rest of the room needs of it. */

export type { AddressFamily, Path, Reply } from './address-family.ts'
export { type TcpHost, tcpState } from './host.ts'
export { type QuotedSegment, tcpError, tcpErrorTo } from './icmp.ts'
export type { TcpInfo } from './info.ts'
export { ipv4 } from './ipv4.ts'
export { formatProcTcp6 } from './proc.ts'
export { receiveSegment, tcpReceive } from './receive.ts'
export type { Address, TcpSock } from './sock.ts'
export { createTcpSocket, TcpFile, TcpSocket } from './socket.ts'
export { installTcpSysctls } from './sysctl.ts'
