/**
 * /proc/net/nf_conntrack, /proc/net/nf_conntrack_expect, /proc/net/stat/nf_conntrack.
 * Linux 6.1 net/netfilter/nf_conntrack_standalone.c: ct_seq_show(), print_tuple(), ct_cpu_seq_show(); nf_conntrack_expect.c.
 */
import type { Host, KernelImage } from '#kernel/core'
import { HZ } from '#kernel/net'
import { IPPROTO_ICMP } from '#wire/inet'
import { type Conn, type InetAddr, IPS_ASSURED, IPS_SEEN_REPLY, type Tuple } from './conn.ts'
import { listExpectations } from './expect.ts'
import { type ConntrackState, conntrackState, expiresJiffies } from './state.ts'
import { TCP_STATES } from './tcp-state.ts'
import { formatAddr, protocolName } from './text.ts'
import { hasPorts, IPPROTO_GRE, IPPROTO_ICMPV6 } from './tuple.ts'

/** What tells a tuple's connections apart. */
function keys(tuple: Tuple): string {
  const { protocol, srcPort, dstPort } = tuple
  if (protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6) {
    return `type=${dstPort >>> 8} code=${dstPort & 255} id=${srcPort} `
  }
  if (protocol === IPPROTO_GRE) return 'srckey=0x0 dstkey=0x0 '
  return hasPorts(protocol) ? `sport=${srcPort} dport=${dstPort} ` : ''
}

/** IPv6 addresses are written in full here: %pI6. */
function whole(address: InetAddr): string {
  if (typeof address === 'number') return formatAddr(address)
  const words = [address.w0, address.w1, address.w2, address.w3].map((word) => word.toString(16).padStart(8, '0'))
  return words.map((word) => `${word.slice(0, 4)}:${word.slice(4)}`).join(':')
}

function tupleText(tuple: Tuple): string {
  return `src=${whole(tuple.src)} dst=${whole(tuple.dst)} ${keys(tuple)}`
}

function counters(conn: Conn, direction: 0 | 1): string {
  const { accounting } = conn
  return accounting ? `packets=${accounting.packets[direction]} bytes=${accounting.bytes[direction]} ` : ''
}

function line(state: ConntrackState, conn: Conn): string {
  const v4 = typeof conn.original.src === 'number'
  const { protocol } = conn
  let text = `${(v4 ? 'ipv4' : 'ipv6').padEnd(8)} ${v4 ? 2 : 10} ${protocolName(protocol).padEnd(8)} ${protocol} `
  text += `${Math.floor(expiresJiffies(state, conn) / HZ)} `
  if (conn.tcp) text += `${TCP_STATES[conn.tcp.state]} `
  text += tupleText(conn.original) + counters(conn, 0)
  if (!(conn.status & IPS_SEEN_REPLY)) text += '[UNREPLIED] '
  text += tupleText(conn.reply) + counters(conn, 1)
  if (conn.status & IPS_ASSURED) text += '[ASSURED] '
  text += `mark=${conn.mark} zone=${conn.zone} `
  if (conn.startNs >= 0) text += `delta-time=${Math.floor((state.host.sim.nowNs - conn.startNs) / 1e9)} `
  return `${text}use=${2 + conn.children}\n`
}

function table(host: Host): string {
  const state = conntrackState.peek(host)
  if (!state) return ''
  return state
    .list()
    .map((conn) => line(state, conn))
    .join('')
}

const COLUMNS =
  'entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart\n'

function statistics(host: Host): string {
  const state = conntrackState.peek(host)
  const c = state?.counters
  const hex = (value: number | undefined) => (value ?? 0).toString(16).padStart(8, '0')
  const row = [c?.clashResolve, c?.found, 0, c?.invalid, 0, 0, c?.chainTooLong, c?.insert, c?.insertFailed, c?.drop]
  const left = `${hex(state?.count)}  ${row.map(hex).join(' ')} ${hex(c?.earlyDrop)} ${hex(c?.error)}`
  return `${COLUMNS}${left}  ${hex(c?.expectNew)} ${hex(c?.expectCreate)} ${hex(c?.expectDelete)} ${hex(c?.searchRestart)}\n`
}

function expectations(host: Host): string {
  const state = conntrackState.peek(host)
  if (!state) return ''
  return listExpectations(state)
    .map((one) => {
      const left = Math.max(0, Math.floor((one.timeout - state.jiffies) / HZ))
      const src = one.src === undefined ? '0.0.0.0' : whole(one.src)
      return `${left} l3proto = 2 proto=${one.protocol} src=${src} dst=${whole(one.dst)} sport=${one.srcPort} dport=${one.dstPort} ${one.helper}\n`
    })
    .join('')
}

/** Installs them. */
export function installConntrackProc(image: KernelImage): void {
  image.proc('/proc/net/nf_conntrack', { read: table, mode: 0o440 })
  image.proc('/proc/net/nf_conntrack_expect', { read: expectations, mode: 0o440 })
  image.proc('/proc/net/stat/nf_conntrack', { read: statistics })
}
