/**
 * IP Virtual Server: one address, served by many hosts.
 *
 *     const vip = { af: AF_INET, protocol: IPPROTO_TCP, addr: parseIpv4('10.0.0.100')!, port: 80 } as const
 *     ipvsRequest(director, { type: 'IPVS_CMD_NEW_SERVICE', service: vip, schedName: 'rr', flags: 0, flagsMask: 0xffffffff,
 *       timeout: 0, netmask: 0xffffffff })
 *     ipvsRequest(director, { type: 'IPVS_CMD_NEW_DEST', service: vip, dest: { addr: parseIpv4('10.0.1.2')!, port: 80 },
 *       fwdMethod: IP_VS_CONN_F_MASQ, weight: 1, uThresh: 0, lThresh: 0 })
 */
export type { Conn } from './conn.ts'
export * from './control.ts'
export type { Dest } from './dest.ts'
export type { IpHeader } from './header.ts'
export { hasIpvs, loadIpvs } from './module.ts'
export { stateName } from './proto.ts'
export { ipvs } from './room.ts'
export type { Scheduler } from './scheduler.ts'
export type { Service } from './service.ts'
export { type Ipvs, ipvsState } from './state.ts'
export type { StatsMessage } from './stats.ts'
export * from './uapi.ts'
