/** The targets SNAT, DNAT, MASQUERADE, REDIRECT, NETMAP. Linux 6.1 net/netfilter/xt_nat.c, xt_MASQUERADE.c, xt_REDIRECT.c, xt_NETMAP.c. */
import { type Conn, conntrackState, masquerade, type NatRange, natSetup, netmap, redirect } from '#kernel/conntrack'
import type { Host } from '#kernel/core'
import { NF_ACCEPT } from '#kernel/net'
import { formatIpv4, maskOf, parseIpv4, prefixOf } from '#wire/inet'
import { needConntrack } from '../ct.ts'
import { type XtCheck, XtError, type XtOption, type XtParse, type XtTarget } from './extension.ts'
import { number } from './words.ts'

interface NatInfo {
  min?: number
  max?: number
  minPort?: number
  maxPort?: number
  basePort?: number
  random?: boolean
  randomFully?: boolean
  persistent?: boolean
}

const RANDOM: XtOption[] = [
  { name: 'random', value: 'none' },
  { name: 'random-fully', value: 'none' },
]
const WITH_PORTS = [6, 17, 33, 132, 136, 1]

function hasPorts({ basics }: XtParse): boolean {
  return WITH_PORTS.includes(basics.protocol) && !basics.protocolInverted
}

function address(text: string): number {
  const value = parseIpv4(text)
  if (value === undefined) throw new XtError(`Bad IP address "${text}"`)
  return value
}

/** `1000`, `1000-2000`, and for DNAT `1000-2000/3000`. */
function parsePorts(info: NatInfo, text: string, with_: XtParse, shifted: boolean): void {
  if (!hasPorts(with_)) throw new XtError('Need TCP, UDP, SCTP or DCCP with port specification')
  const [range = '', base] = shifted ? text.split('/') : [text]
  const [from = '', to] = range.split('-')
  const one = (word: string) => {
    const value = number(word, 65535) ?? with_.service(word, undefined)
    if (value === undefined) throw new XtError(`Port \`${word}' not valid\n`)
    return value
  }
  info.minPort = one(from)
  info.maxPort = to === undefined ? info.minPort : one(to)
  if (info.minPort > info.maxPort) throw new XtError(`Port range \`${text}' funky\n`)
  if (base !== undefined) info.basePort = one(base)
}

/** `10.0.0.1`, `10.0.0.1-10.0.0.5`, `10.0.0.1:80-90`, `:80`. */
function parseTo(info: NatInfo, text: string, with_: XtParse, shifted: boolean): void {
  const colon = text.indexOf(':')
  if (colon >= 0) parsePorts(info, text.slice(colon + 1), with_, shifted)
  const addresses = colon < 0 ? text : text.slice(0, colon)
  if (addresses === '') return
  const [from = '', to] = addresses.split('-')
  info.min = address(from)
  info.max = to === undefined ? info.min : address(to)
}

function toText(info: NatInfo): string {
  let text = ''
  if (info.min !== undefined) {
    text += formatIpv4(info.min)
    if (info.max !== info.min) text += `-${formatIpv4(info.max!)}`
  }
  if (info.minPort !== undefined) {
    text += `:${info.minPort}`
    if (info.maxPort !== info.minPort) text += `-${info.maxPort}`
    if (info.basePort !== undefined) text += `/${info.basePort}`
  }
  return text
}

function flagWords(info: NatInfo, dashes: string): string {
  let text = ''
  if (info.random) text += ` ${dashes}random`
  if (info.randomFully) text += ` ${dashes}random-fully`
  if (info.persistent) text += ` ${dashes}persistent`
  return text
}

function nftFlags(info: NatInfo): string {
  const words: string[] = []
  if (info.random) words.push('random')
  if (info.randomFully) words.push('fully-random')
  if (info.persistent) words.push('persistent')
  return words.length > 0 ? ` ${words.join(',')}` : ''
}

function check(_info: unknown, { host }: XtCheck): undefined {
  needConntrack(host)
}

function parseFlag(info: NatInfo, option: string): boolean {
  if (option === 'random') info.random = true
  else if (option === 'random-fully') info.randomFully = true
  else if (option === 'persistent') info.persistent = true
  else return false
  return true
}

function natRun(manip: 'SRC' | 'DST') {
  return (info: Readonly<Record<string, unknown>>, host: Host) => {
    const state = conntrackState.of(host)
    const range = info as NatRange
    return ({ packet }: { packet: { ct: unknown } }) =>
      packet.ct === undefined ? NF_ACCEPT : natSetup(state, packet.ct as Conn, range, manip)
  }
}

function addressTarget(name: 'SNAT' | 'DNAT', option: string, manip: 'SRC' | 'DST', help: string): XtTarget<NatInfo> {
  return {
    kind: 'target',
    name,
    revision: name === 'DNAT' ? 2 : 0,
    help,
    options: [
      { name: option, value: 'required', mandatory: true },
      ...RANDOM.slice(0, name === 'DNAT' ? 1 : 2),
      { name: 'persistent', value: 'none' },
    ],
    init: () => ({}),
    parse(info, given, value, _inverted, with_) {
      if (!parseFlag(info, given)) parseTo(info, value, with_, name === 'DNAT')
    },
    finish: (info) => info as unknown as Record<string, unknown>,
    print: (info) => ` to:${toText(info as NatInfo)}${flagWords(info as NatInfo, '')}`,
    save: (info) => ` --${option} ${toText(info as NatInfo)}${flagWords(info as NatInfo, '--')}`,
    translate: (info) =>
      info['basePort'] !== undefined
        ? undefined
        : `${name.toLowerCase()} to ${toText(info as NatInfo)}${nftFlags(info as NatInfo)}`,
    check,
    run: natRun(manip) as XtTarget['run'],
  }
}

export const SNAT = addressTarget(
  'SNAT',
  'to-source',
  'SRC',
  `SNAT target options:
 --to-source [<ipaddr>[-<ipaddr>]][:port[-port]]
				Address to map source to.
[--random] [--random-fully] [--persistent]
`,
)
export const DNAT = addressTarget(
  'DNAT',
  'to-destination',
  'DST',
  `DNAT target options:
 --to-destination [<ipaddr>[-<ipaddr>]][:port[-port[/port]]]
				Address to map destination to.
[--random] [--persistent]
`,
)

export const MASQUERADE: XtTarget<NatInfo> = {
  kind: 'target',
  name: 'MASQUERADE',
  revision: 0,
  help: `MASQUERADE target options:
 --to-ports <port>[-<port>]
				Port (range) to map to.
 --random
				Randomize source port.
 --random-fully
				Fully randomize source port.
`,
  options: [{ name: 'to-ports', value: 'required' }, ...RANDOM],
  init: () => ({}),
  parse(info, option, value, _inverted, with_) {
    if (!parseFlag(info, option)) parsePorts(info, value, with_, false)
  },
  finish: (info) => info as unknown as Record<string, unknown>,
  print(info) {
    const one = info as NatInfo
    const ports = one.minPort === undefined ? '' : ` masq ports: ${portsText(one)}`
    return ports + flagWords(one, '')
  },
  save(info) {
    const one = info as NatInfo
    return (one.minPort === undefined ? '' : ` --to-ports ${portsText(one)}`) + flagWords(one, '--')
  },
  translate(info) {
    const one = info as NatInfo
    return `masquerade${one.minPort === undefined ? '' : ` to :${portsText(one)}`}${nftFlags(one)}`
  },
  check,
  run(info, host) {
    const state = conntrackState.of(host)
    return (context) => (context.packet.ct === undefined ? NF_ACCEPT : masquerade(state, context, info as NatRange))
  },
}

function portsText(info: NatInfo): string {
  return info.minPort === info.maxPort ? `${info.minPort}` : `${info.minPort}-${info.maxPort}`
}

export const REDIRECT: XtTarget<NatInfo> = {
  kind: 'target',
  name: 'REDIRECT',
  revision: 0,
  help: `REDIRECT target options:
 --to-ports <port>[-<port>]
				Port (range) to map to.
 [--random]
`,
  options: [{ name: 'to-ports', value: 'required' }, RANDOM[0]!],
  init: () => ({}),
  parse(info, option, value, _inverted, with_) {
    if (!parseFlag(info, option)) parsePorts(info, value, with_, false)
  },
  finish: (info) => info as unknown as Record<string, unknown>,
  print(info) {
    const one = info as NatInfo
    return (one.minPort === undefined ? '' : ` redir ports ${portsText(one)}`) + flagWords(one, '')
  },
  save(info) {
    const one = info as NatInfo
    return (one.minPort === undefined ? '' : ` --to-ports ${portsText(one)}`) + flagWords(one, '--')
  },
  translate(info) {
    const one = info as NatInfo
    return `redirect${one.minPort === undefined ? '' : ` to :${portsText(one)}`}${nftFlags(one)}`
  },
  check,
  run(info, host) {
    const state = conntrackState.of(host)
    return (context) => (context.packet.ct === undefined ? NF_ACCEPT : redirect(state, context, info as NatRange))
  },
}

export const NETMAP: XtTarget<{ network: number; mask: number }> = {
  kind: 'target',
  name: 'NETMAP',
  revision: 0,
  help: `NETMAP target options:
  --to address[/mask]
				Network address to map to.
`,
  options: [{ name: 'to', value: 'required', mandatory: true }],
  init: () => ({ network: 0, mask: 0xffffffff }),
  parse(info, _option, value) {
    const [host = '', bits] = value.split('/')
    const network = address(host)
    const prefix = bits === undefined ? 32 : number(bits, 32)
    const mask = prefix === undefined ? parseIpv4(bits!) : maskOf(prefix)
    if (mask === undefined) throw new XtError(`Bad network mask "${bits}"\n`)
    info.mask = mask
    info.network = (network & mask) >>> 0
  },
  finish: (info) => info,
  print: (info) => ` to:${netText(info)}`,
  save: (info) => ` --to ${netText(info)}`,
  check,
  run(info, host) {
    const state = conntrackState.of(host)
    const { network, mask } = info as { network: number; mask: number }
    return (context) => (context.packet.ct === undefined ? NF_ACCEPT : netmap(state, context, network, mask))
  },
}

function netText(info: Readonly<Record<string, unknown>>): string {
  const mask = info['mask'] as number
  const prefix = prefixOf(mask)
  const text = formatIpv4(info['network'] as number)
  return `${text}/${prefix ?? formatIpv4(mask)}`
}
