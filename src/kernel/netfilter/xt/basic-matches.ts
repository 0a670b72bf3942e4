/** The matches that most rules have: comment, mark, connmark, limit, multiport. Linux 6.1 net/netfilter/xt_*.c, iptables extensions/libxt_*.c. */
import { IP_OFFSET, IPPROTO_TCP, IPPROTO_UDP, RAW_NONE } from '#wire/inet'
import { ctOf, needConntrack } from '../ct.ts'
import type { Expression, LimitSpec, Load } from '../expressions.ts'
import { XtError, type XtMatch } from './extension.ts'
import { hex, marked, markText, numberOption, port, portText, saveString } from './words.ts'

export const comment: XtMatch<{ comment: string }> = {
  kind: 'match',
  name: 'comment',
  revision: 0,
  help: `comment match options:
--comment COMMENT             Attach a comment to a rule
`,
  options: [{ name: 'comment', value: 'required', mandatory: true }],
  init: () => ({ comment: '' }),
  parse(state, _option, value) {
    if (value.length > 255) throw new XtError(`comment: COMMENT must be shorter than 256 characters\n`)
    state.comment = value
  },
  finish: (state) => state,
  print: (info) => ` /* ${info['comment']} */`,
  save: (info) => ` --comment ${saveString(info['comment'] as string)}`,
  // nft keeps it elsewhere: what is left between two blanks is nothing.
  translate: () => '',
  run: () => () => true,
}

interface MarkInfo {
  mark: number
  mask: number
  inverted: boolean
}

export const mark: XtMatch<MarkInfo> = {
  kind: 'match',
  name: 'mark',
  revision: 1,
  help: `mark match options:
[!] --mark value[/mask]    Match nfmark value with optional mask
`,
  options: [{ name: 'mark', value: 'required', invert: true, mandatory: true }],
  init: () => ({ mark: 0, mask: 0, inverted: false }),
  parse(state, option, value, inverted) {
    ;[state.mark, state.mask] = marked('mark', option, value)
    state.inverted = inverted
  },
  finish: (state) => state as unknown as Record<string, unknown>,
  print: (info) =>
    ` mark match${info['inverted'] ? ' !' : ''} ${markText(info['mark'] as number, info['mask'] as number)}`,
  save: (info) => `${info['inverted'] ? ' !' : ''} --mark ${markText(info['mark'] as number, info['mask'] as number)}`,
  native(info) {
    const one = info as unknown as MarkInfo
    const load: Load = { load: 'meta', key: 'mark' }
    return [
      {
        expr: 'cmp',
        load: one.mask === 0xffffffff ? load : { load: 'bitwise', of: load, mask: one.mask, xor: 0 },
        op: one.inverted ? 'neq' : 'eq',
        value: one.mark,
      },
    ]
  },
  run(info) {
    const one = info as unknown as MarkInfo
    return ({ packet }) => ((packet.mark & one.mask) >>> 0 === one.mark) !== one.inverted
  },
}

export const connmark: XtMatch<MarkInfo> = {
  ...mark,
  name: 'connmark',
  help: `connmark match options:
[!] --mark value[/mask]    Match ctmark value with optional mask
`,
  parse(state, option, value, inverted) {
    ;[state.mark, state.mask] = marked('connmark', option, value)
    state.inverted = inverted
  },
  print: (info) =>
    ` connmark match ${info['inverted'] ? '!' : ''}${info['inverted'] ? ' ' : ' '}${markText(info['mark'] as number, info['mask'] as number)}`.replace(
      'match  ',
      'match  ',
    ),
  native: () => undefined,
  translate(info) {
    const one = info as unknown as MarkInfo
    const not = one.inverted ? '!= ' : ''
    if (one.mask === 0xffffffff) return `ct mark ${not}${hex(one.mark)}`
    if (one.mark === 0) return `ct mark and ${hex(one.mask)} ${one.inverted ? '!=' : '=='} ${hex(one.mark)}`
    return `ct mark and ${hex(one.mask)} ${one.inverted ? '!=' : '=='} ${hex(one.mark)}`
  },
  check(_info, { host }) {
    needConntrack(host)
    return undefined
  },
  run(info) {
    const one = info as unknown as MarkInfo
    return ({ packet }) => {
      const ct = ctOf(packet)
      return ct !== undefined && ((ct.mark & one.mask) >>> 0 === one.mark) !== one.inverted
    }
  },
}

/** Rates as iptables says them: in units of a hundredth of a microsecond a packet. */
export const UNITS: [string, number][] = [
  ['day', 86400],
  ['hour', 3600],
  ['min', 60],
  ['sec', 1],
]
/** XT_LIMIT_SCALE. */
export const LIMIT_SCALE = 10_000

/** `5/min` as how long a packet costs; undefined if it makes no sense. libxt_limit.c: parse_rate(). */
export function parseRate(text: string): number | undefined {
  const slash = text.indexOf('/')
  let unit = 1
  if (slash >= 0) {
    const word = text.slice(slash + 1).toLowerCase()
    if (word === '') return undefined
    const found = ['second', 'minute', 'hour', 'day'].findIndex((name) => name.startsWith(word))
    if (found < 0) return undefined
    unit = [1, 60, 3600, 86400][found]!
  }
  const digits = /^\d+/.exec(text)?.[0]
  const rate = Number(digits ?? 0)
  if (rate === 0) return undefined
  const cost = Math.floor((LIMIT_SCALE * unit) / rate)
  if (cost === 0) throw new XtError(`Rate too fast "${text}"`)
  return cost
}

/** How iptables says a cost again. print_rate(). */
export function rateText(cost: number): string {
  let at = 0
  const rates: [string, number][] = [
    ['day', LIMIT_SCALE * 86400],
    ['hour', LIMIT_SCALE * 3600],
    ['min', LIMIT_SCALE * 60],
    ['sec', LIMIT_SCALE],
  ]
  for (at = 1; at < 4; at++) {
    if (cost > rates[at]![1] || rates[at]![1] % cost > Math.floor(rates[at]![1] / cost)) break
  }
  const [name, scale] = rates[at - 1]!
  return `${Math.floor(scale / cost)}/${name}`
}

/** iptables-nft's limit expression: the unit in which the rate is a whole number. */
export function limitExpression(cost: number, burst: number): LimitSpec {
  const word = rateText(cost)
  const [rate = '1', name = 'day'] = word.split('/')
  const unit = UNITS.find(([one]) => one === name)?.[1]
  if (unit !== undefined) return { rate: Number(rate), per: unit, burst, bytes: false, invert: false }
  return { rate: 1, per: 86400, burst, bytes: false, invert: false }
}

export const limit: XtMatch<{ cost: number; burst: number }> = {
  kind: 'match',
  name: 'limit',
  revision: 0,
  help: `limit match options:
--limit avg			max average match rate: default 3/hour
                                [Packets per second unless followed by 
                                /sec /minute /hour /day postfixes]
--limit-burst number		number to match in a burst, default 5
`,
  options: [
    { name: 'limit', value: 'required' },
    { name: 'limit-burst', value: 'required' },
  ],
  init: () => ({ cost: Math.floor((LIMIT_SCALE * 3600) / 3), burst: 5 }),
  parse(state, option, value) {
    if (option === 'limit') {
      const cost = parseRate(value)
      if (cost === undefined) throw new XtError(`bad rate "${value}"'`)
      state.cost = cost
    } else state.burst = numberOption('limit', option, value, 10000)
  },
  finish: (state) => state,
  print: (info) => ` limit: avg ${rateText(info['cost'] as number)} burst ${info['burst']}`,
  save: (info) =>
    ` --limit ${rateText(info['cost'] as number)}${info['burst'] === 5 ? '' : ` --limit-burst ${info['burst']}`}`,
  native: (info): Expression[] => [
    { expr: 'limit', ...limitExpression(info['cost'] as number, info['burst'] as number) },
  ],
  run: () => () => true,
}

interface MultiportInfo {
  which: 'sports' | 'dports' | 'ports'
  ports: [number, number][]
  inverted: boolean
}

export const multiport: XtMatch<MultiportInfo> = {
  kind: 'match',
  name: 'multiport',
  revision: 1,
  help: `multiport match options:
[!] --source-ports port[,port:port,port...]
 --sports ...
				match source port(s)
[!] --destination-ports port[,port:port,port...]
 --dports ...
				match destination port(s)
[!] --ports port[,port:port,port]
				match both source and destination port(s)
`,
  options: [
    { name: 'source-ports', value: 'required', invert: true },
    { name: 'sports', value: 'required', invert: true },
    { name: 'destination-ports', value: 'required', invert: true },
    { name: 'dports', value: 'required', invert: true },
    { name: 'ports', value: 'required', invert: true },
  ],
  init: () => ({ which: 'dports', ports: [], inverted: false }),
  parse(state, option, value, inverted, with_) {
    const { basics } = with_
    const names: Record<number, string> = { 6: 'tcp', 17: 'udp', 33: 'dccp', 132: 'sctp', 136: 'udplite' }
    const protocol = names[basics.protocol]
    if (protocol === undefined || basics.protocolInverted) {
      throw new XtError("multiport needs `-p tcp', `-p udp', `-p udplite', `-p sctp' or `-p dccp'")
    }
    state.which = option.startsWith('s') ? 'sports' : option.startsWith('d') ? 'dports' : 'ports'
    state.inverted = inverted
    let slots = 0
    for (const word of value.split(',')) {
      const [from = '', to] = word.split(':')
      slots += to === undefined ? 1 : 2
      if (slots > 15) throw new XtError('too many ports specified')
      const low = port(from, protocol, with_)
      const high = to === undefined ? low : port(to, protocol, with_)
      if (to !== undefined && low >= high) throw new XtError('invalid portrange specified')
      state.ports.push([low, high])
    }
  },
  finish(state, seen) {
    if (seen.size === 0) throw new XtError('multiport expection an option')
    return state as unknown as Record<string, unknown>
  },
  print(info, with_) {
    const one = info as unknown as MultiportInfo
    const protocol = { 6: 'tcp', 17: 'udp' }[with_.basics.protocol] ?? 'tcp'
    const list = one.ports.map(([from, to]) =>
      from === to
        ? portText(from, protocol, with_)
        : `${portText(from, protocol, with_)}:${portText(to, protocol, with_)}`,
    )
    return ` multiport ${one.which} ${one.inverted ? ' !' : ''}${list.join(',')}`
  },
  save(info) {
    const one = info as unknown as MultiportInfo
    const list = one.ports.map(([from, to]) => (from === to ? `${from}` : `${from}:${to}`))
    return `${one.inverted ? ' !' : ''} --${one.which} ${list.join(',')}`
  },
  translate(info, with_) {
    const one = info as unknown as MultiportInfo
    if (one.which === 'ports') {
      // Either may be one of them: every port in both places.
      const pairs = one.ports
        .flatMap(([from, to]) => (from === to ? [from] : [from, to]))
        .map((each) => `0-65535 . ${each}, ${each} . 0-65535`)
      const name = { 6: 'tcp', 17: 'udp' }[with_.basics.protocol] ?? 'tcp'
      return `${name} sport . ${name} dport ${one.inverted ? '!= ' : ''}{ ${pairs.join(', ')} }`
    }
    const protocol = { 6: 'tcp', 17: 'udp', 33: 'dccp', 132: 'sctp', 136: 'udplite' }[with_.basics.protocol]
    const list = one.ports.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`))
    const many = list.length > 1
    return `${protocol} ${one.which === 'sports' ? 'sport' : 'dport'} ${one.inverted ? '!= ' : ''}${many ? '{ ' : ''}${list.join(', ')}${many ? ' }' : ''}`
  },
  check: (_info, { basics }) =>
    [6, 17, 33, 132, 136].includes(basics.protocol) && !basics.protocolInverted ? undefined : 'EINVAL',
  run(info) {
    const { which, ports, inverted } = info as unknown as MultiportInfo
    const within = (value: number) => {
      for (let i = 0; i < ports.length; i++) if (value >= ports[i]![0] && value <= ports[i]![1]) return true
      return false
    }
    return ({ packet }) => {
      if (packet.fragment & IP_OFFSET) return false
      if (packet.raw !== RAW_NONE || (packet.protocol !== IPPROTO_TCP && packet.protocol !== IPPROTO_UDP)) return 'drop'
      const fits = (which !== 'dports' && within(packet.srcPort)) || (which !== 'sports' && within(packet.dstPort))
      return fits !== inverted
    }
  },
}
