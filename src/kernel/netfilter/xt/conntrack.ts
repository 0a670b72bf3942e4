/** The matches `conntrack` and `state`. Linux 6.1 net/netfilter/xt_conntrack.c; iptables extensions/libxt_conntrack.c. */
import type { Host } from '#kernel/core'
import { formatIpv4, maskOf, type Packet, parseIpv4 } from '#wire/inet'
import { ctOf, ctStateBit, isReply, needConntrack, remainingSeconds } from '../ct.ts'
import { type XtCheck, XtError, type XtMatch, type XtOption, type XtPrint } from './extension.ts'
import { maskText, number, portRange } from './words.ts'

/** XT_CONNTRACK_STATE_*: INVALID 1, then 1 << (ctinfo + 1), SNAT, DNAT, UNTRACKED above them. */
const STATES: [string, number][] = [
  ['INVALID', 1],
  ['NEW', 8],
  ['RELATED', 4],
  ['ESTABLISHED', 2],
  ['UNTRACKED', 0x40],
  ['SNAT', 0x80],
  ['DNAT', 0x100],
]
const STATUSES: [string, number][] = [
  ['NONE', 0],
  ['EXPECTED', 1],
  ['SEEN_REPLY', 2],
  ['ASSURED', 4],
  ['CONFIRMED', 8],
]
const IPS_SRC_NAT = 0x10
const IPS_DST_NAT = 0x20

interface Address {
  address: number
  mask: number
  inverted: boolean
}

interface ConntrackInfo {
  /** Written `state` and not `conntrack`. */
  alias: boolean
  states?: { mask: number; inverted: boolean }
  statuses?: { mask: number; inverted: boolean }
  protocol?: { number: number; inverted: boolean }
  addresses: Partial<Record<'ctorigsrc' | 'ctorigdst' | 'ctreplsrc' | 'ctrepldst', Address>>
  ports: Partial<
    Record<
      'ctorigsrcport' | 'ctorigdstport' | 'ctreplsrcport' | 'ctrepldstport',
      { range: [number, number]; inverted: boolean }
    >
  >
  expire?: { range: [number, number]; inverted: boolean }
  direction?: 'ORIGINAL' | 'REPLY'
}

function parseList(text: string, names: [string, number][], what: string): number {
  let mask = 0
  for (const word of text.split(',')) {
    const found = names.find(([name]) => name === word.toUpperCase())
    if (!found || word === '') throw new XtError(`Bad ct${what} "${word}"`)
    mask |= found[1]
  }
  return mask
}

/** In the order in which they are printed. */
function listText(mask: number, names: [string, number][], order: string[]): string {
  return order.filter((name) => mask & names.find(([one]) => one === name)![1]).join(',')
}

const STATE_ORDER = ['INVALID', 'NEW', 'RELATED', 'ESTABLISHED', 'UNTRACKED', 'SNAT', 'DNAT']
const STATUS_ORDER = ['EXPECTED', 'SEEN_REPLY', 'ASSURED', 'CONFIRMED']

const OPTIONS: XtOption[] = [
  ...['ctstate', 'ctproto', 'ctorigsrc', 'ctorigdst', 'ctreplsrc', 'ctrepldst', 'ctstatus', 'ctexpire'].map((name) => ({
    name,
    value: 'required' as const,
    invert: true,
  })),
  ...['ctorigsrcport', 'ctorigdstport', 'ctreplsrcport', 'ctrepldstport'].map((name) => ({
    name,
    value: 'required' as const,
    invert: true,
  })),
  { name: 'ctdir', value: 'required' },
]

function parseAddress(text: string, inverted: boolean): Address {
  const [host = '', bits] = text.split('/')
  const address = parseIpv4(host)
  if (address === undefined) throw new XtError(`host/network \`${host}' not found`)
  const prefix = bits === undefined ? 32 : number(bits, 32)
  const mask = prefix === undefined ? parseIpv4(bits!) : maskOf(prefix)
  if (mask === undefined) throw new XtError(`invalid mask \`${bits}' specified`)
  return { address: (address & mask) >>> 0, mask, inverted }
}

function write(info: ConntrackInfo, option: (name: string) => string, with_: XtPrint): string {
  let text = ''
  const put = (name: string, inverted: boolean, value: string) => {
    text += `${inverted ? ' !' : ''} ${option(name)} ${value}`
  }
  if (info.protocol) put('ctproto', info.protocol.inverted, String(info.protocol.number))
  if (info.states) put('ctstate', info.states.inverted, listText(info.states.mask, STATES, STATE_ORDER))
  for (const name of ['ctorigsrc', 'ctorigdst', 'ctreplsrc', 'ctrepldst'] as const) {
    const one = info.addresses[name]
    if (one) put(name, one.inverted, formatIpv4(one.address) + maskText(one.mask))
  }
  for (const name of ['ctorigsrcport', 'ctorigdstport', 'ctreplsrcport', 'ctrepldstport'] as const) {
    const one = info.ports[name]
    if (one) put(name, one.inverted, one.range[0] === one.range[1] ? `${one.range[0]}` : one.range.join(':'))
  }
  if (info.statuses) {
    put('ctstatus', info.statuses.inverted, listText(info.statuses.mask, STATUSES, STATUS_ORDER) || 'NONE')
  }
  if (info.expire) {
    const [from, to] = info.expire.range
    put('ctexpire', info.expire.inverted, from === to ? `${from}` : `${from}:${to}`)
  }
  if (info.direction) put('ctdir', false, info.direction)
  void with_
  return text
}

function fits(info: ConntrackInfo, packet: Packet, host: Host): boolean {
  const ct = ctOf(packet)
  if (info.states) {
    let bits = ctStateBit(packet)
    if (ct) {
      if (ct.status & IPS_SRC_NAT) bits |= 0x80
      if (ct.status & IPS_DST_NAT) bits |= 0x100
    }
    if (((bits & info.states.mask) !== 0) === info.states.inverted) return false
  }
  if (!ct) return !(info.protocol || info.statuses || info.expire || info.direction || hasTuple(info))
  if (info.direction && (info.direction === 'REPLY') !== isReply(packet)) return false
  if (info.protocol && (ct.original.protocol === info.protocol.number) === info.protocol.inverted) return false
  const { addresses, ports } = info
  const address = (one: Address | undefined, value: unknown) =>
    !one || (((value as number) & one.mask) >>> 0 === one.address) !== one.inverted
  if (!address(addresses.ctorigsrc, ct.original.src) || !address(addresses.ctorigdst, ct.original.dst)) return false
  if (!address(addresses.ctreplsrc, ct.reply.src) || !address(addresses.ctrepldst, ct.reply.dst)) return false
  const port = (one: { range: [number, number]; inverted: boolean } | undefined, value: number) =>
    !one || (value >= one.range[0] && value <= one.range[1]) !== one.inverted
  if (!port(ports.ctorigsrcport, ct.original.srcPort) || !port(ports.ctorigdstport, ct.original.dstPort)) return false
  if (!port(ports.ctreplsrcport, ct.reply.srcPort) || !port(ports.ctrepldstport, ct.reply.dstPort)) return false
  if (info.statuses) {
    const some = info.statuses.mask === 0 ? (ct.status & 15) === 0 : (ct.status & info.statuses.mask) !== 0
    if (some === info.statuses.inverted) return false
  }
  if (info.expire) {
    const left = remainingSeconds(packet, host)
    if ((left >= info.expire.range[0] && left <= info.expire.range[1]) === info.expire.inverted) return false
  }
  return true
}

function hasTuple(info: ConntrackInfo): boolean {
  return Object.keys(info.addresses).length + Object.keys(info.ports).length > 0
}

function check(_info: unknown, { host }: XtCheck): undefined {
  needConntrack(host)
}

export const conntrack: XtMatch<ConntrackInfo> = {
  kind: 'match',
  name: 'conntrack',
  revision: 3,
  help: `conntrack match options:
[!] --ctstate {INVALID|ESTABLISHED|NEW|RELATED|UNTRACKED|SNAT|DNAT}[,...]
                               State(s) to match
[!] --ctproto proto            Protocol to match; by number or name
[!] --ctorigsrc address[/mask]
[!] --ctorigdst address[/mask]
[!] --ctreplsrc address[/mask]
[!] --ctrepldst address[/mask]
                               Original/Reply source/destination address
[!] --ctorigsrcport port
[!] --ctorigdstport port
[!] --ctreplsrcport port
[!] --ctrepldstport port
                               TCP/UDP/SCTP orig./reply source/destination port
[!] --ctstatus {NONE|EXPECTED|SEEN_REPLY|ASSURED|CONFIRMED}[,...]
                               Status(es) to match
[!] --ctexpire time[:time]     Match remaining lifetime in seconds against
                               value or range of values (inclusive)
    --ctdir {ORIGINAL|REPLY}   Flow direction of packet
`,
  options: OPTIONS,
  init: () => ({ alias: false, addresses: {}, ports: {} }),
  parse(state, option, value, inverted, with_) {
    switch (option) {
      case 'ctstate':
        state.states = { mask: parseList(value, STATES, 'state'), inverted }
        return
      case 'ctstatus':
        state.statuses = { mask: parseList(value, STATUSES, 'status'), inverted }
        return
      case 'ctproto': {
        const protocol = number(value, 255) ?? { tcp: 6, udp: 17, icmp: 1 }[value.toLowerCase()]
        if (protocol === undefined) throw new XtError(`unknown protocol "${value}" specified`)
        state.protocol = { number: protocol, inverted }
        return
      }
      case 'ctexpire': {
        const [from = '', to] = value.split(':')
        const low = number(from)
        const high = to === undefined ? low : number(to)
        if (low === undefined || high === undefined)
          throw new XtError(`conntrack: bad value for option "--ctexpire", or out of range (0-4294967295).\n`)
        state.expire = { range: [low, high], inverted }
        return
      }
      case 'ctdir':
        if (value.toUpperCase() !== 'ORIGINAL' && value.toUpperCase() !== 'REPLY') {
          throw new XtError(`conntrack: Bad value for "--ctdir" option: "${value}"`)
        }
        state.direction = value.toUpperCase() as 'ORIGINAL'
        return
      case 'ctorigsrc':
      case 'ctorigdst':
      case 'ctreplsrc':
      case 'ctrepldst':
        state.addresses[option] = parseAddress(value, inverted)
        return
      default:
        state.ports[option as 'ctorigsrcport'] = { range: portRange(value, undefined, with_), inverted }
    }
  },
  finish(state, seen) {
    if (seen.size === 0) throw new XtError('conntrack: At least one option is required')
    return state as unknown as Record<string, unknown>
  },
  print(info, with_) {
    const one = info as unknown as ConntrackInfo
    if (one.alias) {
      return `${one.states!.inverted ? ' !' : ''} state ${listText(one.states!.mask, STATES, STATE_ORDER)}`
    }
    return write(one, (name) => name, with_)
  },
  save(info, with_) {
    const one = info as unknown as ConntrackInfo
    if (one.alias) {
      return `${one.states!.inverted ? ' !' : ''} --state ${listText(one.states!.mask, STATES, STATE_ORDER)}`
    }
    return write(one, (name) => `--${name}`, with_)
  },
  translate(info) {
    const one = info as unknown as ConntrackInfo
    const words: string[] = []
    const not = (inverted: boolean) => (inverted ? '!= ' : '')
    if (one.direction) words.push(`ct direction ${one.direction.toLowerCase()}`)
    if (one.protocol) words.push(`ct ${'original'} protocol ${not(one.protocol.inverted)}${one.protocol.number}`)
    if (one.states) {
      const plain = one.states.mask & ~0x180
      if (plain || one.states.mask === 0) {
        const names = ['invalid', 'new', 'related', 'established', 'untracked']
        const list = listText(plain, STATES, STATE_ORDER).toLowerCase().split(',')
        words.push(
          one.states.inverted && list.length > 1
            ? `ct state ! ${names.filter((name) => list.includes(name)).join(',')}`
            : `ct state ${not(one.states.inverted)}${list.join(',')}`,
        )
      }
      const nat = one.states.mask & 0x180
      if (nat) {
        const names = [nat & 0x80 ? 'snat' : '', nat & 0x100 ? 'dnat' : ''].filter((name) => name)
        words.push(`ct status ${one.states.inverted ? '! ' : ''}${names.join(',')}`)
      }
    }
    if (one.statuses) {
      const names: Record<string, string> = {
        EXPECTED: 'expected',
        SEEN_REPLY: 'seen-reply',
        ASSURED: 'assured',
        CONFIRMED: 'confirmed',
      }
      const list = STATUS_ORDER.filter((name) => one.statuses!.mask & STATUSES.find(([n]) => n === name)![1])
      words.push(`ct status ${not(one.statuses.inverted)}${list.map((name) => names[name]).join(',')}`)
    }
    const tuple = (dir: string, key: string, a: Address | undefined) => {
      if (a) words.push(`ct ${dir} ${key} ${not(a.inverted)}${formatIpv4(a.address)}${maskText(a.mask)}`)
    }
    tuple('original', 'saddr', one.addresses.ctorigsrc)
    tuple('original', 'daddr', one.addresses.ctorigdst)
    tuple('reply', 'saddr', one.addresses.ctreplsrc)
    tuple('reply', 'daddr', one.addresses.ctrepldst)
    const ports = (dir: string, key: string, p: { range: [number, number]; inverted: boolean } | undefined) => {
      if (p)
        words.push(`ct ${dir} ${key} ${not(p.inverted)}${p.range[0] === p.range[1] ? p.range[0] : p.range.join('-')}`)
    }
    ports('original', 'proto-src', one.ports.ctorigsrcport)
    ports('original', 'proto-dst', one.ports.ctorigdstport)
    ports('reply', 'proto-src', one.ports.ctreplsrcport)
    ports('reply', 'proto-dst', one.ports.ctrepldstport)
    if (one.expire) {
      const [from, to] = one.expire.range
      words.push(`ct expiration ${not(one.expire.inverted)}${from === to ? from : `${from}-${to}`}`)
    }
    return words.join(' ')
  },
  check,
  run(info, host) {
    const one = info as unknown as ConntrackInfo
    const { states } = one
    // By far the most common: states alone, without SNAT and DNAT.
    if (
      states &&
      !(states.mask & 0x180) &&
      !one.protocol &&
      !one.statuses &&
      !one.expire &&
      !one.direction &&
      !hasTuple(one)
    ) {
      const { mask, inverted } = states
      return ({ packet }) => ((ctStateBit(packet) & mask) !== 0) !== inverted
    }
    return ({ packet }) => fits(one, packet, host)
  },
}

/** `-m state --state`: the conntrack match by its old name. */
export const state: XtMatch<ConntrackInfo> = {
  ...conntrack,
  name: 'state',
  help: `state match options:
 [!] --state [INVALID|ESTABLISHED|NEW|RELATED|UNTRACKED][,...]
				State(s) to match
`,
  options: [{ name: 'state', value: 'required', invert: true, mandatory: true }],
  init: () => ({ alias: true, addresses: {}, ports: {} }),
  parse(one, _option, value, inverted) {
    one.states = { mask: 0, inverted }
    for (const word of value.split(',')) {
      const found = STATES.slice(0, 5).find(([name]) => name === word.toUpperCase())
      if (!found || word === '') throw new XtError(`Bad state "${word}"`)
      one.states.mask |= found[1]
    }
  },
  finish: (one) => one as unknown as Record<string, unknown>,
}
