/** What scripts call things, and the kernel's numbers for them on x86_64. */
import { ERRNO, type Errno } from '#kernel/core'

/** Socket options: level, number, and what getsockopt takes by name in the simulator. */
export interface OptionName {
  level: number
  number: number
  levelName: string
}

const SOL_SOCKET = { level: 1, levelName: 'SOL_SOCKET' }
const IPPROTO_TCP = { level: 6, levelName: 'IPPROTO_TCP' }
const IPPROTO_IP = { level: 0, levelName: 'IPPROTO_IP' }

/** Linux 6.1 include/uapi/asm-generic/socket.h, include/uapi/linux/tcp.h, include/uapi/linux/in.h. */
export const OPTIONS: Record<string, OptionName> = {
  SO_REUSEADDR: { ...SOL_SOCKET, number: 2 },
  SO_ERROR: { ...SOL_SOCKET, number: 4 },
  SO_SNDBUF: { ...SOL_SOCKET, number: 7 },
  SO_RCVBUF: { ...SOL_SOCKET, number: 8 },
  SO_KEEPALIVE: { ...SOL_SOCKET, number: 9 },
  SO_OOBINLINE: { ...SOL_SOCKET, number: 10 },
  SO_LINGER: { ...SOL_SOCKET, number: 13 },
  SO_REUSEPORT: { ...SOL_SOCKET, number: 15 },
  SO_RCVLOWAT: { ...SOL_SOCKET, number: 18 },
  SO_ACCEPTCONN: { ...SOL_SOCKET, number: 30 },
  TCP_NODELAY: { ...IPPROTO_TCP, number: 1 },
  TCP_MAXSEG: { ...IPPROTO_TCP, number: 2 },
  TCP_CORK: { ...IPPROTO_TCP, number: 3 },
  TCP_KEEPIDLE: { ...IPPROTO_TCP, number: 4 },
  TCP_KEEPINTVL: { ...IPPROTO_TCP, number: 5 },
  TCP_KEEPCNT: { ...IPPROTO_TCP, number: 6 },
  TCP_SYNCNT: { ...IPPROTO_TCP, number: 7 },
  TCP_LINGER2: { ...IPPROTO_TCP, number: 8 },
  TCP_DEFER_ACCEPT: { ...IPPROTO_TCP, number: 9 },
  TCP_WINDOW_CLAMP: { ...IPPROTO_TCP, number: 10 },
  TCP_INFO: { ...IPPROTO_TCP, number: 11 },
  TCP_QUICKACK: { ...IPPROTO_TCP, number: 12 },
  TCP_CONGESTION: { ...IPPROTO_TCP, number: 13 },
  TCP_USER_TIMEOUT: { ...IPPROTO_TCP, number: 18 },
  TCP_NOTSENT_LOWAT: { ...IPPROTO_TCP, number: 25 },
  IP_TOS: { ...IPPROTO_IP, number: 1 },
  IP_TTL: { ...IPPROTO_IP, number: 2 },
  IP_MTU_DISCOVER: { ...IPPROTO_IP, number: 10 },
  IP_RECVERR: { ...IPPROTO_IP, number: 11 },
}

/** Options whose value is text. */
export const TEXT_OPTIONS = new Set(['TCP_CONGESTION'])

export const MESSAGE_FLAGS: Record<string, number> = {
  MSG_OOB: 1,
  MSG_PEEK: 2,
  MSG_TRUNC: 0x20,
  MSG_WAITALL: 0x100,
  MSG_MORE: 0x8000,
}

export const SHUTDOWN = { rd: 0, wr: 1, rdwr: 2 } as const

const POLL_NAMES: [name: string, bit: number][] = [
  ['in', 1],
  ['pri', 2],
  ['out', 4],
  ['err', 8],
  ['hup', 16],
  ['rdhup', 0x2000],
]

/** poll(2)'s answer as words. */
export function pollText(revents: number): string {
  const names = POLL_NAMES.filter(([, bit]) => (revents & bit) !== 0).map(([name]) => name)
  return names.join(' ') || 'nothing'
}

const ERRNO_NAMES = new Map<number, Errno>(Object.entries(ERRNO).map(([name, [number]]) => [number, name as Errno]))

/** An errno's name by its number. */
export function errnoName(number: number): string {
  return ERRNO_NAMES.get(number) ?? `errno ${number}`
}

export const TCP_STATES = [
  '?',
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT1',
  'FIN_WAIT2',
  'TIME_WAIT',
  'CLOSE',
].concat(['CLOSE_WAIT', 'LAST_ACK', 'LISTEN', 'CLOSING'])
export const CA_STATES = ['Open', 'Disorder', 'CWR', 'Recovery', 'Loss']

/** Fields of struct tcp_info that scripts may ask for: where, how wide, and whether it is a time in us. Linux 6.1 include/uapi/linux/tcp.h. */
export const INFO_FIELDS: Record<string, [at: number, bytes: 1 | 4 | 8, us?: boolean]> = {
  state: [0, 1],
  ca_state: [1, 1],
  retransmits: [2, 1],
  probes: [3, 1],
  backoff: [4, 1],
  options: [5, 1],
  wscale: [6, 1],
  rto: [8, 4, true],
  ato: [12, 4, true],
  snd_mss: [16, 4],
  rcv_mss: [20, 4],
  unacked: [24, 4],
  sacked: [28, 4],
  lost: [32, 4],
  retrans: [36, 4],
  pmtu: [60, 4],
  rcv_ssthresh: [64, 4],
  rtt: [68, 4, true],
  rttvar: [72, 4, true],
  ssthresh: [76, 4],
  cwnd: [80, 4],
  advmss: [84, 4],
  reordering: [88, 4],
  rcv_space: [96, 4],
  total_retrans: [100, 4],
  bytes_acked: [120, 8],
  bytes_received: [128, 8],
  segs_out: [136, 4],
  segs_in: [140, 4],
  notsent_bytes: [144, 4],
  min_rtt: [148, 4, true],
  data_segs_in: [152, 4],
  data_segs_out: [156, 4],
  delivered: [192, 4],
  delivered_ce: [196, 4],
  bytes_sent: [200, 8],
  bytes_retrans: [208, 8],
  dsack_dups: [216, 4],
  reord_seen: [220, 4],
  rcv_ooopack: [224, 4],
  snd_wnd: [228, 4],
}

/** One field of TCP_INFO as a script shows it; times in whole ms. */
export function infoText(name: string, value: number): string {
  if (name === 'state') return TCP_STATES[value] ?? String(value)
  if (name === 'ca_state') return CA_STATES[value] ?? String(value)
  if (INFO_FIELDS[name]![2]) return value === 0xffff_ffff ? 'none' : `${Math.floor(value / 1000)}ms`
  if (name === 'ssthresh' && value >= 0x7fff_ffff) return 'none'
  return String(value)
}
