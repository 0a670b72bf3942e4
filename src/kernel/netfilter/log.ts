/**
 * Packets in the kernel's log. Linux 6.1 net/netfilter/nf_log_syslog.c: nf_log_ip_packet(), dump_ipv4_packet(). In a network
 * namespace that isn't the first nothing is logged unless net.netfilter.nf_log_all_netns says so: each host of a lab counts
 * as a machine of its own, so that its first namespace logs.
 */
import type { Host } from '#kernel/core'
import type { HookContext } from '#kernel/net'
import { emitIp, formatIpv4, type Packet } from '#wire/inet'
import { type Expression, LOG_IP_OPTIONS, LOG_MAC, LOG_TCP_OPTIONS, LOG_TCP_SEQUENCE, LOG_UID } from './expressions.ts'
import { GO_ON, type Operation } from './run.ts'

const IPPROTO_ICMP = 1
const IPPROTO_TCP = 6
const IPPROTO_UDP = 17
const IPPROTO_ESP = 50
const IPPROTO_AH = 51
const IPPROTO_UDPLITE = 136

/** How long an ICMP message of a type must be at least to be described. dump_ipv4_packet(): required_len[]. */
const ICMP_NEEDS: Record<number, number> = {
  0: 4,
  3: 28,
  4: 28,
  5: 28,
  8: 4,
  11: 28,
  12: 28,
  13: 20,
  14: 20,
  17: 12,
  18: 12,
}

export interface LogSettings {
  level: number
  flags: number
  prefix: string
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}

function hexBytes(bytes: Uint8Array): string {
  return [...bytes].map((byte) => hex(byte, 2).toUpperCase()).join('')
}

function macText(mac: number): string {
  return hex(mac, 12).replace(/..(?=.)/g, '$&:')
}

/** The line about a packet. */
export function logLine(settings: LogSettings, { packet, in: device, out }: HookContext): string {
  let text = `${settings.prefix}IN=${device?.name ?? ''} OUT=${out?.name ?? ''} `
  if (device) text += macHeader(settings.flags, packet, device.looks.linkType === 'ether')
  return text + describeIp(settings.flags, emitIp(packet), packet.mark, packet.socket !== undefined, true)
}

function macHeader(flags: number, packet: Packet, ether: boolean): string {
  const type = hex(packet.etherType, 4)
  if (flags & LOG_MAC && ether) {
    return `MACSRC=${macText(packet.macSrc)} MACDST=${macText(packet.macDst)} MACPROTO=${type} `
  }
  return `MAC=${macText(packet.macDst)}:${macText(packet.macSrc)}:${type.slice(0, 2)}:${type.slice(2)} `
}

/** The rest of the line, from the IP header on. */
export function describeIp(
  flags: number,
  bytes: Uint8Array,
  mark: number,
  fromSocket: boolean,
  outer: boolean,
): string {
  if (bytes.length < 20) return 'TRUNCATED'
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const tos = bytes[1]!
  const fragment = view.getUint16(6)
  let text = `SRC=${formatIpv4(view.getUint32(12))} DST=${formatIpv4(view.getUint32(16))} `
  text += `LEN=${view.getUint16(2)} TOS=0x${hex(tos & 0x1e, 2).toUpperCase()} PREC=0x${hex(tos & 0xe0, 2).toUpperCase()} `
  text += `TTL=${bytes[8]} ID=${view.getUint16(4)} `
  if (fragment & 0x8000) text += 'CE '
  if (fragment & 0x4000) text += 'DF '
  if (fragment & 0x2000) text += 'MF '
  if (fragment & 0x1fff) text += `FRAG:${fragment & 0x1fff} `
  const header = (bytes[0]! & 15) * 4
  if (flags & LOG_IP_OPTIONS && header > 20) text += `OPT (${hexBytes(bytes.subarray(20, header))}) `
  const inner = bytes.subarray(header)
  const later = (fragment & 0x1fff) !== 0
  switch (bytes[9]) {
    case IPPROTO_TCP: {
      const [described, whole] = describeTcp(flags, inner, later)
      text += described
      if (!whole) return text
      break
    }
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
      text += bytes[9] === IPPROTO_UDP ? 'PROTO=UDP ' : 'PROTO=UDPLITE '
      if (later) break
      if (inner.length < 8) return `${text}INCOMPLETE [${inner.length} bytes] `
      text += `SPT=${word(inner, 0)} DPT=${word(inner, 2)} LEN=${word(inner, 4)} `
      break
    case IPPROTO_ICMP:
      text += describeIcmp(flags, inner, later, outer)
      break
    case IPPROTO_AH:
    case IPPROTO_ESP: {
      const at = bytes[9] === IPPROTO_AH ? 4 : 0
      text += bytes[9] === IPPROTO_AH ? 'PROTO=AH ' : 'PROTO=ESP '
      if (later) break
      if (inner.length < (at === 4 ? 12 : 8)) text += `INCOMPLETE [${inner.length} bytes] `
      else text += `SPI=0x${(word(inner, at) * 65536 + word(inner, at + 2)).toString(16)} `
      break
    }
    default:
      text += `PROTO=${bytes[9]} `
  }
  if (flags & LOG_UID && outer && fromSocket) text += 'UID=0 GID=0 '
  if (outer && mark) text += `MARK=0x${mark.toString(16)} `
  return text
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 256 + bytes[at + 1]!
}

/** What is said, and whether the header was whole. nf_log_dump_tcp_header(). */
function describeTcp(flags: number, bytes: Uint8Array, later: boolean): [string, boolean] {
  let text = 'PROTO=TCP '
  if (later) return [text, true]
  if (bytes.length < 20) return [`${text}INCOMPLETE [${bytes.length} bytes] `, false]
  text += `SPT=${word(bytes, 0)} DPT=${word(bytes, 2)} `
  if (flags & LOG_TCP_SEQUENCE) {
    text += `SEQ=${word(bytes, 4) * 65536 + word(bytes, 6)} ACK=${word(bytes, 8) * 65536 + word(bytes, 10)} `
  }
  text += `WINDOW=${word(bytes, 14)} RES=0x${hex((bytes[12]! & 15) << 2, 2)} `
  const bits = bytes[13]!
  for (const [bit, name] of TCP_FLAGS) if (bits & bit) text += `${name} `
  text += `URGP=${word(bytes, 18)} `
  const length = (bytes[12]! >>> 4) * 4
  if (flags & LOG_TCP_OPTIONS && length > 20) {
    if (bytes.length < length) return [`${text}OPT (TRUNCATED)`, false]
    text += `OPT (${hexBytes(bytes.subarray(20, length))}) `
  }
  return [text, true]
}

const TCP_FLAGS: [number, string][] = [
  [0x80, 'CWR'],
  [0x40, 'ECE'],
  [0x20, 'URG'],
  [0x10, 'ACK'],
  [0x08, 'PSH'],
  [0x04, 'RST'],
  [0x02, 'SYN'],
  [0x01, 'FIN'],
]

function describeIcmp(flags: number, bytes: Uint8Array, later: boolean, outer: boolean): string {
  let text = 'PROTO=ICMP '
  if (later) return text
  if (bytes.length < 8) return `${text}INCOMPLETE [${bytes.length} bytes] `
  const [type, code] = bytes as unknown as [number, number]
  text += `TYPE=${type} CODE=${code} `
  if (bytes.length < (ICMP_NEEDS[type] ?? 0)) return `${text}INCOMPLETE [${bytes.length} bytes] `
  if (type === 0 || type === 8) text += `ID=${word(bytes, 4)} SEQ=${word(bytes, 6)} `
  else if (type === 12) text += `PARAMETER=${bytes[4]} `
  else if (type === 3 || type === 4 || type === 5 || type === 11) {
    if (type === 5) text += `GATEWAY=${bytes.subarray(4, 8).join('.')} `
    if (outer) text += `[${describeIp(flags, bytes.subarray(8), 0, false, false)}] `
    if (type === 3 && code === 4) text += `MTU=${word(bytes, 6)} `
  }
  return text
}

/** The `log` expression, and the LOG target. */
export function compileLog(expression: Expression & { expr: 'log' }, host: Host): Operation {
  // To a group of nfnetlink_log nobody listens: what is sent to one is lost.
  if (expression.group !== undefined) return () => GO_ON
  const settings = { level: expression.level ?? 4, flags: expression.flags ?? 0, prefix: expression.prefix ?? '' }
  return (context) => {
    writeLog(settings, context, host)
    return GO_ON
  }
}

/** Writes a packet into the log. */
export function writeLog(settings: LogSettings, context: HookContext, host: Host): void {
  host.log(settings.level, logLine(settings, context))
}
