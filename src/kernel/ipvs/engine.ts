/**
 * Persistence engines: templates that go by something that a packet says, not only by its client's address. There is one,
 * for SIP: what belongs to one Call-ID goes to one server. (`ipvsadm --pe sip`.)
 *
 * RFC 3261 section 20.8; Linux 6.1 net/netfilter/ipvs/ip_vs_pe_sip.c; net/netfilter/nf_conntrack_sip.c: ct_sip_get_header().
 */
import { IPPROTO_UDP, type Packet, RAW_NONE } from '#wire/inet'
import type { IpHeader } from './header.ts'

export interface Engine {
  readonly name: string
  /** What the template goes by; undefined: the packet doesn't say it, and is dropped. */
  read(packet: Packet, iph: IpHeader): Uint8Array | undefined
}

/** IP_VS_PEDATA_MAXLEN. */
const MOST = 255
const WORD = '[\\w!"%(-+:<>?\\[-\\]`{}~\\-./\']'
const BLANKS = '(?:[ \\t]|\\r?\\n[ \\t])*'
/** The header by its long or its short name, at a line's beginning but the first's. */
const CALL_ID = new RegExp(`[\\r\\n](?:Call-Id|i(?![a-z]))${BLANKS}:${BLANKS}(${WORD}+(?:@${WORD}*)?)`, 'gi')

export const sip: Engine = {
  name: 'sip',
  read(packet, iph) {
    if (iph.protocol !== IPPROTO_UDP || packet.raw !== RAW_NONE || packet.length === 0) return undefined
    let text = ''
    for (let i = 0; i < packet.length; i++) text += String.fromCharCode(packet.buffer[packet.offset + i]!)
    for (const match of text.matchAll(CALL_ID)) {
      const value = match[1]!
      if (value.endsWith('@')) continue
      const end = match.index + match[0].length
      if (value.length > MOST || (text[end] !== '\r' && text[end] !== '\n')) return undefined
      return Uint8Array.from(value, (char) => char.charCodeAt(0))
    }
    return undefined
  },
}

/** ip_vs_pe_getbyname(). */
export function findEngine(name: string): Engine | undefined {
  return name === sip.name ? sip : undefined
}

/** Whether two connections go by the same. */
export function sameData(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one !== undefined && one.length === other.length && one.every((byte, i) => byte === other[i])
}
