/**
 * The match `ipvs`: whether a packet was forwarded here, and for which service.
 * Linux 6.1 net/netfilter/xt_ipvs.c; iptables extensions/libxt_ipvs.c.
 */
import { IP_CT_IS_REPLY } from '#kernel/conntrack'
import type { Host } from '#kernel/core'
import type { HookContext } from '#kernel/net'
import { XtError, type XtMatch, type XtParse } from '#kernel/netfilter'
import { formatIpv4, type Packet, parseIpv4 } from '#wire/inet'
import type { Conn } from './conn.ts'
import { headerOf } from './header.ts'
import { hasProperty } from './property.ts'
import { ipvsState } from './state.ts'
import { IP_VS_CONN_F_DROUTE, IP_VS_CONN_F_MASQ, IP_VS_CONN_F_TUNNEL } from './uapi.ts'

type Option = 'ipvs' | 'vproto' | 'vaddr' | 'vport' | 'vdir' | 'vmethod' | 'vportctl'

interface Said {
  option: Option
  /** A number; an address; 0 or 1 for the direction. */
  value: number
  mask: number
  inverted: boolean
}

interface IpvsInfo {
  said: Said[]
}

/** As options are printed. */
const ORDER: Option[] = ['ipvs', 'vproto', 'vaddr', 'vport', 'vdir', 'vmethod', 'vportctl']
const METHODS: Record<string, number> = {
  GATE: IP_VS_CONN_F_DROUTE,
  IPIP: IP_VS_CONN_F_TUNNEL,
  MASQ: IP_VS_CONN_F_MASQ,
}
const PROTOCOLS: Record<string, number> = { tcp: 6, udp: 17, sctp: 132, ah: 51, esp: 50 }

function protocolOf(text: string): number {
  const found = PROTOCOLS[text.toLowerCase()] ?? (/^\d+$/.test(text) ? Number(text) : 256)
  if (found > 255) throw new XtError(`unknown protocol "${text}" specified`)
  return found
}

function portOf(text: string, with_: XtParse): number {
  const found = /^\d+$/.test(text) ? Number(text) : with_.service(text, undefined)
  if (found === undefined) throw new XtError(`Port "${text}" does not resolve to anything.\n`)
  return found & 0xffff
}

function addressOf(text: string): { value: number; mask: number } {
  const [address = '', length] = text.split('/')
  const value = parseIpv4(address)
  if (value === undefined) throw new XtError(`host/network \`${address}' not found`)
  if (length === undefined) return { value, mask: 0xffffffff }
  const quad = parseIpv4(length)
  const bits = /^\d+$/.test(length) ? Number(length) : -1
  const mask = length.includes('.')
    ? quad
    : bits >= 0 && bits <= 32
      ? (bits === 0 ? 0 : -1 << (32 - bits)) >>> 0
      : undefined
  if (mask === undefined) throw new XtError(`invalid mask \`${length}' specified`)
  return { value: (value & mask) >>> 0, mask }
}

function read(option: Option, text: string, with_: XtParse): { value: number; mask: number } {
  const plain = (value: number) => ({ value, mask: 0 })
  switch (option) {
    case 'ipvs':
      return plain(0)
    case 'vproto':
      return plain(protocolOf(text))
    case 'vaddr':
      return addressOf(text)
    case 'vport':
    case 'vportctl':
      return plain(portOf(text, with_))
    case 'vdir':
      if (!/^(original|reply)$/i.test(text)) {
        throw new XtError(`ipvs: Bad value for "--vdir" option: "${text}"`)
      }
      return plain(/^reply$/i.test(text) ? 1 : 0)
    case 'vmethod': {
      const method = METHODS[text.toUpperCase()]
      if (method === undefined) throw new XtError(`ipvs: Bad value for "--vmethod" option: "${text}"`)
      return plain(method)
    }
  }
}

/** A mask as libxtables prints it: nothing for a whole address. */
function maskText(mask: number): string {
  if (mask === 0xffffffff) return ''
  const bits = mask.toString(2).padStart(32, '0').indexOf('0')
  const prefix = bits < 0 ? 32 : bits
  const plain = prefix === 0 ? 0 : (-1 << (32 - prefix)) >>> 0
  return plain === mask ? `/${prefix}` : `/${formatIpv4(mask)}`
}

function text(info: IpvsInfo, prefix: string): string {
  const words = (one: Said): string => {
    if (one.option === 'ipvs') return `${prefix}ipvs`
    if (one.option === 'vproto') return `${prefix}vproto ${one.value}`
    if (one.option === 'vaddr') return `${prefix}vaddr ${formatIpv4(one.value)}${maskText(one.mask)}`
    if (one.option === 'vdir') return `${prefix}vdir ${one.value === 0 ? 'ORIGINAL' : 'REPLY'}`
    if (one.option !== 'vmethod') return `${prefix}${one.option} ${one.value}`
    return `${prefix}vmethod ${Object.keys(METHODS).find((name) => METHODS[name] === one.value)}`
  }
  // That it belongs to IPVS goes without saying where more is said.
  const all = ORDER.flatMap((option) => info.said.filter((one) => one.option === option))
  const said = all.length > 1 ? all.filter(({ option }) => option !== 'ipvs') : all
  return said.map((one) => `${one.inverted && one.option !== 'vdir' ? ' !' : ''} ${words(one)}`).join('')
}

/** The connection, found by the server's side whichever way the packet goes. */
function connOf(host: Host, packet: Packet): Conn | undefined {
  const ipvs = ipvsState.peek(host)
  const protocol = ipvs?.protocol(packet.protocol)?.protocol
  if (ipvs === undefined || protocol === undefined) return undefined
  const iph = headerOf(packet)
  iph.inverse = true
  return protocol.outGet(ipvs, iph)
}

function holds(one: Said, cp: Conn, packet: Packet): boolean {
  switch (one.option) {
    case 'ipvs':
      return true
    case 'vproto':
      return packet.protocol === one.value
    case 'vaddr':
      return typeof cp.vaddr === 'number' && (cp.vaddr & one.mask) >>> 0 === one.value
    case 'vport':
      return cp.vport === one.value
    case 'vportctl':
      return cp.control?.vport === one.value
    case 'vmethod':
      return cp.method === one.value
    case 'vdir':
      return packet.ct !== undefined && packet.ctInfo >= IP_CT_IS_REPLY === (one.value === 1)
  }
}

function matches({ said }: IpvsInfo, { host, packet }: HookContext): boolean {
  const property = hasProperty(packet)
  if (said.every(({ option }) => option === 'ipvs')) return property !== said[0]!.inverted
  if (!property) return false
  const cp = connOf(host, packet)
  if (cp === undefined) return false
  return said.every((one) => {
    if (one.option === 'ipvs') return true
    if (one.option === 'vdir') return holds(one, cp, packet)
    return holds(one, cp, packet) !== one.inverted
  })
}

export const ipvsMatch: XtMatch<IpvsInfo> = {
  kind: 'match',
  name: 'ipvs',
  revision: 0,
  help: `IPVS match options:
[!] --ipvs                      packet belongs to an IPVS connection

Any of the following options implies --ipvs (even negated)
[!] --vproto protocol           VIP protocol to match; by number or name,
                                e.g. "tcp"
[!] --vaddr address[/mask]      VIP address to match
[!] --vport port                VIP port to match; by number or name,
                                e.g. "http"
    --vdir {ORIGINAL|REPLY}     flow direction of packet
[!] --vmethod {GATE|IPIP|MASQ}  IPVS forwarding method used
[!] --vportctl port             VIP port of the controlling connection to
                                match, e.g. 21 for FTP
`,
  options: [
    { name: 'ipvs', value: 'none', invert: true },
    { name: 'vproto', value: 'required', invert: true },
    { name: 'vaddr', value: 'required', invert: true },
    { name: 'vport', value: 'required', invert: true },
    { name: 'vdir', value: 'required' },
    { name: 'vmethod', value: 'required', invert: true },
    { name: 'vportctl', value: 'required', invert: true },
  ],
  families: ['ip'],
  init: () => ({ said: [] }),
  parse(state, option, value, inverted, with_) {
    state.said.push({ option: option as Option, ...read(option as Option, value, with_), inverted })
  },
  finish(state) {
    if (state.said.length === 0) throw new XtError('IPVS: At least one option is required')
    return state as unknown as Record<string, unknown>
  },
  print: (info) => text(info as unknown as IpvsInfo, ''),
  save: (info) => text(info as unknown as IpvsInfo, '--'),
  run(info) {
    const one = info as unknown as IpvsInfo
    return (context) => matches(one, context)
  },
}
