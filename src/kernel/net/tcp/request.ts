/** A connection that was asked for and isn't made yet (TCP_NEW_SYN_RECV). Linux 6.1 include/net/request_sock.h, include/linux/tcp.h. */
import type { AddressFamily, Path } from './address-family.ts'
import { TCP_NEW_SYN_RECV, TIMEOUT_INIT } from './constants.ts'
import type { Waiting } from './deadlines.ts'
import { Endpoint } from './endpoint.ts'
import type { Address, TcpSock } from './sock.ts'

export class Request extends Endpoint implements Waiting {
  readonly listener: TcpSock
  af: AddressFamily
  /** The numbers that SYN and SYN-ACK began with. */
  rcvIsn = 0
  sntIsn = 0
  rcvNxt = 0
  /** The peer's MSS; for a cookie, what the cookie can say of it. */
  mss = 536
  tsRecent = 0
  tstampOk = false
  sackOk = false
  wscaleOk = false
  ecnOk = false
  sndWscale = 0
  rcvWscale = 0
  rcvWnd = 0
  windowClamp = 0
  tsOffset = 0
  /** When the first SYN-ACK was sent, in microseconds. */
  synAckUs = 0
  /** SYN-ACKs sent again, and the timer's rounds. */
  retransmitted = 0
  timeouts = 0
  /** In jiffies. */
  timeout = TIMEOUT_INIT
  /** An acknowledgement came, but there was no room, or data are waited for. */
  acked = false
  cookie = false
  lastOowAck = 0
  /** When its timer is due, in ticks. */
  expires = 0
  mark = 0
  tos = 0
  synTos = 0
  path: Path | undefined = undefined
  ipOptions: TcpSock['ipOptions'] = undefined
  /** Where IPv6 keeps what is its own. */
  family: unknown = undefined
  // Waiting for its timer.
  deadlineNs = 0
  earlier: Waiting | undefined = undefined
  later: Waiting | undefined = undefined
  waiting = false

  constructor(
    listener: TcpSock,
    local: Address,
    localPort: number,
    remote: Address,
    remotePort: number,
    device: number,
  ) {
    super(TCP_NEW_SYN_RECV, local, localPort, remote, remotePort, device)
    this.listener = listener
    this.af = listener.af
  }
}
