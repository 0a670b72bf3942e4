/**
 * Frames and lines without what may differ between two real runs: ports that nobody chose, ICMP identifiers, TCP initial
 * sequence numbers and timestamps, IP identification, DNS queries' numbers, MAC addresses that nobody chose, process ids, measured times. What
 * has an identity is named by order of appearance, so that a mix-up still shows; the rest is masked. All else counts,
 * checksums included: a checksum over masked fields counts as right or wrong.
 */
import { foldSum, formatHex, sumWords, viewOf } from '#base/bytes'
import {
  ETH_P_8021Q,
  ETH_P_ARP,
  ETH_P_IP,
  ETH_P_IPV6,
  IP_MF,
  IP_OFFSET,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  isIcmpError,
  TCP_ACK,
  TCP_FIN,
  TCP_RST,
  TCP_SYN,
} from '#wire/inet'
import { formatMac, isGroupMac, readMac } from '#wire/link'

/**
 * Where ports come from that nobody chose: Linux's ip_local_port_range, and the whole range above the privileged ports when NAT
 * needs another than the connection's own. Linux 6.1 net/netfilter/nf_nat_core.c: nf_nat_l4proto_unique_tuple().
 */
const EPHEMERAL = [1024, 65535] as const
/** ping puts a struct timeval at the begin of its data. iputils ping/ping.c. */
const TIMEVAL = 16
const TCP_OPTION_TIMESTAMPS = 8
// What is inside other packets. Linux 6.1 include/uapi/linux/in.h, if_ether.h.
const IPPROTO_IPIP = 4
const IPPROTO_IPV6 = 41
const IPPROTO_GRE = 47
const ETH_P_TEB = 0x6558
/** IANA's, and the one that Linux had before. */
const VXLAN_PORTS = new Set([4789, 8472])
const DNS_PORT = 53

/** Gives volatile values names, by order of appearance within one run. */
export class Names {
  readonly #chosen: (word: string) => boolean
  readonly #names = new Map<string, string>()
  readonly #counts = new Map<string, number>()
  readonly #ended = new Set<string>()
  readonly #firstSequence = new Map<string, number>()

  /** @param chosen whether the lab or the article wrote this word: a port, a MAC address */
  constructor(chosen: (word: string) => boolean) {
    this.#chosen = chosen
  }

  name(kind: string, value: string | number): string {
    const key = `${kind} ${value}`
    let name = this.#names.get(key)
    if (!name) {
      const count = (this.#counts.get(kind) ?? 0) + 1
      this.#counts.set(kind, count)
      name = `<${kind} ${count}>`
      this.#names.set(key, name)
    }
    return name
  }

  /** @param owner whose port it is: two hosts may come upon the same number */
  port(port: number, owner: string): string {
    const ephemeral = port >= EPHEMERAL[0] && port <= EPHEMERAL[1]
    return ephemeral && !this.#chosen(String(port)) ? this.name('port', `${owner} ${port}`) : String(port)
  }

  mac(mac: number): string {
    const text = formatMac(mac)
    return mac === 0 || isGroupMac(mac) || this.#chosen(text) ? text : this.name('mac', text)
  }

  /** A sequence number counted from the first that this direction of this flow had. */
  sequence(flow: string, value: number): string {
    const first = this.#firstSequence.get(flow) ?? value
    this.#firstSequence.set(flow, first)
    return `+${(value - first) >>> 0}`
  }

  /** The connection of these two flows has come to an end: a SYN with the same ports begins another, and counts anew. */
  connectionEnds(flow: string, back: string): void {
    this.#ended.add(flow).add(back)
  }

  connectionBegins(flow: string): void {
    if (this.#ended.delete(flow)) this.#firstSequence.delete(flow)
  }
}

/** A frame as text, without what may differ; two frames are equal if their texts are. */
export function canonicalFrame(frame: Uint8Array, names: Names): string {
  // A copy of a plain kind: what is masked is masked there, and a Node buffer's slices would be the frame's own bytes.
  const bytes = new Uint8Array(frame)
  if (bytes.length < 14) return `short ${formatHex(bytes)}`
  const view = viewOf(bytes)
  let type = view.getUint16(12)
  let at = 14
  let text = `${names.mac(readMac(bytes, 6))} > ${names.mac(readMac(bytes, 0))}`
  if (type === ETH_P_8021Q && bytes.length >= 18) {
    text += ` vlan ${view.getUint16(14)}`
    type = view.getUint16(16)
    at = 18
  }
  text += ` type ${type.toString(16)} `
  if (type === ETH_P_ARP && bytes.length >= at + 28) {
    const hex = (from: number, to: number) => formatHex(bytes.subarray(at + from, at + to))
    const sender = names.mac(readMac(bytes, at + 8))
    const target = names.mac(readMac(bytes, at + 18))
    return `${text}${hex(0, 8)} ${sender} ${hex(14, 18)} ${target} ${hex(24, bytes.length - at)}`
  }
  if (type === ETH_P_IP) return text + canonicalIp(bytes, at, bytes.length, names, false)
  if (type === ETH_P_IPV6) return text + canonicalIpv6(bytes, at, bytes.length, names, false)
  return text + formatHex(bytes.subarray(at))
}

/** As IPv4's. Flow labels and fragments' identifications are of chance, and so is the nonce of a duplicate address's search. */
function canonicalIpv6(bytes: Uint8Array, at: number, end: number, names: Names, quoted: boolean): string {
  if (end - at < 40 || bytes[at]! >> 4 !== 6) return formatHex(bytes.subarray(at, end))
  const view = viewOf(bytes)
  const header = bytes.slice(at, at + 40)
  const addresses = formatHex(header.subarray(8, 40))
  const label = view.getUint32(at) & 0xfffff
  header[1]! &= 0xf0
  header.fill(0, 2, 4)
  const source = formatHex(header.subarray(8, 24))
  const target = formatHex(header.subarray(24, 40))
  let text = `ip6 ${formatHex(header)}${label === 0 ? '' : names.name('flow label', `${addresses} ${label}`)} `
  const total = view.getUint16(at + 4)
  const to = Math.min(end, at + 40 + total)
  const trailer = to < end ? ` trailer ${formatHex(bytes.subarray(to, end))}` : ''
  let protocol = bytes[at + 6]!
  let from = at + 40
  let middle = false
  let fragmented = false
  while ([0, 43, 44, 60].includes(protocol) && from + 8 <= to && !middle) {
    const length = protocol === 44 ? 8 : (bytes[from + 1]! + 1) * 8
    if (from + length > to) break
    if (protocol === 44) {
      const id = names.name('ip6 id', `${source} ${view.getUint32(from + 4)}`)
      text += `fragment ${formatHex(bytes.subarray(from, from + 4))} ${id} `
      fragmented = (view.getUint16(from + 2) & 0xfff9) !== 0
      middle = (view.getUint16(from + 2) & 0xfff8) !== 0
    } else text += `${protocol} ${formatHex(bytes.subarray(from, from + length))} `
    protocol = bytes[from]!
    from += length
  }
  if (middle) return text + formatHex(bytes.subarray(from, to)) + trailer
  const whole = at + 40 + total <= end && !fragmented
  const sum = (): string => {
    if (!whole) return quoted || fragmented ? '' : ' cut'
    const length = to - from
    return foldSum(sumWords(bytes, from, length, sumWords(bytes, at + 8, 32, protocol + length))) === 0xffff
      ? ' good'
      : ' bad'
  }
  if (protocol !== IPPROTO_ICMPV6 || to - from < 8)
    return text + canonicalTransport(bytes, from, to, protocol, `${source} ${target}`, names, sum) + trailer
  const type = bytes[from]!
  const icmp = `icmp6 ${type} ${bytes[from + 1]}${sum()} `
  const hex = (a: number, b = to) => formatHex(bytes.subarray(Math.min(a, to), b))
  if (type < 128) {
    return `${text}${icmp}${hex(from + 4, from + 8)} quotes ${canonicalIpv6(bytes, from + 8, to, names, true)}${trailer}`
  }
  if (type === 128 || type === 129) {
    const id = names.name('icmp id', `${type === 128 ? source : target} ${view.getUint16(from + 4)}`)
    const data = to - from - 8
    const masked = data >= TIMEVAL ? `<time>${hex(from + 8 + TIMEVAL)}` : hex(from + 8)
    return `${text}${icmp}${id} seq ${view.getUint16(from + 6)} ${data} ${masked}${trailer}`
  }
  // A neighbour solicitation that looks for a duplicate ends in a nonce: type 14, one unit of eight bytes.
  if (type === 135 && to - from === 32 && bytes[from + 24] === 14)
    return `${text}${icmp}${hex(from + 4, from + 24)} <nonce>${trailer}`
  // A redirect quotes what it is about.
  if (type === 137) {
    for (let option = from + 40; option + 8 <= to && bytes[option + 1] !== 0; option += bytes[option + 1]! * 8) {
      if (bytes[option] !== 4) continue
      return `${text}${icmp}${hex(from + 4, option + 8)} quotes ${canonicalIpv6(bytes, option + 8, to, names, true)}${trailer}`
    }
  }
  return `${text}${icmp}${hex(from + 4)}${trailer}`
}

/** @param quoted an ICMP error's copy, which may be cut short: its checksum can't always be computed */
function canonicalIp(bytes: Uint8Array, at: number, end: number, names: Names, quoted: boolean): string {
  const headerLength = (bytes[at]! & 15) * 4
  if (end - at < 20 || bytes[at]! >> 4 !== 4 || headerLength < 20 || at + headerLength > end) {
    return formatHex(bytes.subarray(at, end))
  }
  const view = viewOf(bytes)
  const header = bytes.slice(at, at + headerLength)
  const good = foldSum(sumWords(bytes, at, headerLength)) === 0xffff
  const fragment = view.getUint16(at + 6)
  const isFragment = (fragment & (IP_MF | IP_OFFSET)) !== 0
  const id = isFragment ? names.name('ip id', `${view.getUint32(at + 12)} ${view.getUint16(at + 4)}`) : ''
  header.fill(0, 4, 6)
  header.fill(0, 10, 12)
  const source = formatHex(header.subarray(12, 16))
  const target = formatHex(header.subarray(16, 20))
  const text = `ip ${formatHex(header)}${id} checksum ${good ? 'good' : 'bad'} `
  const from = at + headerLength
  const total = view.getUint16(at + 2)
  const to = Math.min(end, at + total)
  const whole = at + total <= end && !isFragment
  const protocol = bytes[at + 9]!
  const trailer = to < end ? ` trailer ${formatHex(bytes.subarray(to, end))}` : ''
  if ((fragment & IP_OFFSET) !== 0) return text + formatHex(bytes.subarray(from, to)) + trailer
  const sum = (): string => {
    if (!whole) return quoted || isFragment ? '' : ' cut'
    const length = to - from
    const pseudo = protocol === IPPROTO_ICMP ? 0 : sumWords(bytes, at + 12, 8) + protocol + length
    return foldSum(sumWords(bytes, from, length, pseudo)) === 0xffff ? ' good' : ' bad'
  }
  return text + canonicalTransport(bytes, from, to, protocol, `${source} ${target}`, names, sum) + trailer
}

/** A query's number is of chance, and so is the cookie that it ends in (RFC 7873: option 10, eight bytes). */
function canonicalDns(bytes: Uint8Array, from: number, to: number, names: Names): string {
  const view = viewOf(bytes)
  const id = names.name('dns id', view.getUint16(from))
  const hasCookie = to - from >= 12 + 12 && view.getUint32(to - 12) === 0x000a0008
  const rest = formatHex(bytes.subarray(from + 2, hasCookie ? to - 8 : to))
  return `dns ${id} ${rest}${hasCookie ? ' <cookie>' : ''}`
}

function canonicalTransport(
  bytes: Uint8Array,
  from: number,
  to: number,
  protocol: number,
  pair: string,
  names: Names,
  sum: () => string,
): string {
  const view = viewOf(bytes)
  const length = to - from
  const hex = (a: number, b = to) => formatHex(bytes.subarray(Math.min(a, to), b))
  if (protocol === IPPROTO_ICMP && length >= 8) {
    const type = bytes[from]!
    const head = `icmp ${type} ${bytes[from + 1]}${sum()} `
    if (isIcmpError(type))
      return `${head}${hex(from + 4, from + 8)} quotes ${canonicalIp(bytes, from + 8, to, names, true)}`
    if (type !== 0 && type !== 8) return head + hex(from + 4)
    // The identifier is the asker's.
    const id = names.name('icmp id', `${pair.split(' ')[type === 8 ? 0 : 1]} ${view.getUint16(from + 4)}`)
    const data = length - 8
    const masked = data >= TIMEVAL ? `<time>${hex(from + 8 + TIMEVAL)}` : hex(from + 8)
    return `${head}${id} seq ${view.getUint16(from + 6)} ${data} ${masked}`
  }
  if (protocol === IPPROTO_UDP && length >= 8) {
    const [a, b] = pair.split(' ') as [string, string]
    const ports = `${names.port(view.getUint16(from), a)} > ${names.port(view.getUint16(from + 2), b)}`
    const checksum = view.getUint16(from + 6) === 0 ? ' none' : sum()
    const head = `udp ${ports} length ${view.getUint16(from + 4)}${checksum}`
    // A frame in VXLAN: flags, 24 reserved bits, a number, eight more.
    if (VXLAN_PORTS.has(view.getUint16(from + 2)) && length >= 8 + 8 + 14) {
      return `${head} vxlan ${hex(from + 8, from + 16)} ${canonicalFrame(bytes.subarray(from + 16, to), names)}`
    }
    if ((view.getUint16(from) === DNS_PORT || view.getUint16(from + 2) === DNS_PORT) && length >= 8 + 12) {
      return `${head} ${canonicalDns(bytes, from + 8, to, names)}`
    }
    return `${head} ${hex(from + 8)}`
  }
  if (protocol === IPPROTO_TCP && length >= 8) {
    const [source, target] = [view.getUint16(from), view.getUint16(from + 2)]
    const [a, b] = pair.split(' ') as [string, string]
    const [flow, back] = [`${a}:${source} ${b}:${target}`, `${b}:${target} ${a}:${source}`]
    if (length >= 14) {
      if (bytes[from + 13]! & TCP_SYN) names.connectionBegins(flow)
      if (bytes[from + 13]! & (TCP_FIN | TCP_RST)) names.connectionEnds(flow, back)
    }
    const sequence = names.sequence(flow, view.getUint32(from + 4))
    let text = `tcp ${names.port(source, a)} > ${names.port(target, b)} seq ${sequence}`
    if (length < 20) return text
    const flags = view.getUint16(from + 12) & 0xfff
    if (flags & TCP_ACK) text += ` ack ${names.sequence(back, view.getUint32(from + 8))}`
    const headerLength = Math.min((bytes[from + 12]! >> 4) * 4, length)
    const options = maskTimestamps(bytes.slice(from + 20, Math.max(from + 20, from + headerLength)))
    const words = `flags ${flags.toString(16)} win ${view.getUint16(from + 14)} urg ${view.getUint16(from + 18)}`
    const data = from + Math.max(20, headerLength)
    const isDns = (source === DNS_PORT || target === DNS_PORT) && to - data >= 2 + 12
    // Over TCP a message has its length in front: RFC 1035 section 4.2.2.
    const payload = isDns ? `${hex(data, data + 2)} ${canonicalDns(bytes, data + 2, to, names)}` : maskDate(hex(data))
    return `${text} ${words}${sum()} options ${formatHex(options)} ${payload}`
  }
  if (protocol === IPPROTO_IPIP) return `in ip: ${canonicalIp(bytes, from, to, names, false)}`
  if (protocol === IPPROTO_IPV6) return `in ip: ${canonicalIpv6(bytes, from, to, names, false)}`
  if (protocol === IPPROTO_GRE && length >= 4) return canonicalGre(bytes, from, to, names)
  return hex(from)
}

/** CR, LF, `Date: `, and the 29 bytes of an HTTP date in hexadecimal: the second in which an answer was made. RFC 9110 section 5.6.7. */
const HTTP_DATE = /(0d0a446174653a20)[0-9a-f]{58}(?=0d0a)/g

function maskDate(payload: string): string {
  return payload.replace(HTTP_DATE, '$1date')
}

/** The header as it is but for its checksum, and what is inside. RFC 2784, RFC 2890. */
function canonicalGre(bytes: Uint8Array, from: number, to: number, names: Names): string {
  const view = viewOf(bytes)
  const flags = view.getUint16(from)
  const length = 4 + [0x8000, 0x2000, 0x1000].filter((flag) => (flags & flag) !== 0).length * 4
  if (from + length > to) return formatHex(bytes.subarray(from, to))
  const header = bytes.slice(from, from + length)
  let text = 'gre '
  if ((flags & 0x8000) !== 0) {
    text += foldSum(sumWords(bytes, from, to - from)) === 0xffff ? 'good ' : 'bad '
    header.fill(0, 4, 6)
  }
  text += `${formatHex(header)} `
  const type = view.getUint16(from + 2)
  if (type === ETH_P_TEB) return text + canonicalFrame(bytes.subarray(from + length, to), names)
  if (type === ETH_P_IP) return text + canonicalIp(bytes, from + length, to, names, false)
  if (type === ETH_P_IPV6) return text + canonicalIpv6(bytes, from + length, to, names, false)
  return text + formatHex(bytes.subarray(from + length, to))
}

function maskTimestamps(options: Uint8Array): Uint8Array {
  for (let i = 0; i < options.length; ) {
    const kind = options[i]!
    if (kind === 0) break
    const length = kind === 1 ? 1 : (options[i + 1] ?? 0)
    if (length < 1 || (kind !== 1 && length < 2)) break
    if (kind === TCP_OPTION_TIMESTAMPS) options.fill(0, i + 2, i + length)
    i += length
  }
  return options
}
