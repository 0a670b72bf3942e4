/** The match `icmp`: type and code. Linux 6.1 net/ipv4/netfilter/ip_tables.c: icmp_match(); iptables extensions/libxt_icmp.h. */
import { IP_OFFSET, IPPROTO_ICMP, RAW_NONE } from '#wire/inet'
import { XtError, type XtMatch } from './extension.ts'
import { number } from './words.ts'

interface IcmpInfo {
  type: number
  code: [number, number]
  inverted: boolean
}

/** Names of types, and of codes below them. */
export const ICMP_NAMES: [name: string, type: number, from: number, to: number][] = [
  ['any', 0xff, 0, 0xff],
  ['echo-reply', 0, 0, 0xff],
  ['pong', 0, 0, 0xff],
  ['destination-unreachable', 3, 0, 0xff],
  ['network-unreachable', 3, 0, 0],
  ['host-unreachable', 3, 1, 1],
  ['protocol-unreachable', 3, 2, 2],
  ['port-unreachable', 3, 3, 3],
  ['fragmentation-needed', 3, 4, 4],
  ['source-route-failed', 3, 5, 5],
  ['network-unknown', 3, 6, 6],
  ['host-unknown', 3, 7, 7],
  ['network-prohibited', 3, 9, 9],
  ['host-prohibited', 3, 10, 10],
  ['TOS-network-unreachable', 3, 11, 11],
  ['TOS-host-unreachable', 3, 12, 12],
  ['communication-prohibited', 3, 13, 13],
  ['host-precedence-violation', 3, 14, 14],
  ['precedence-cutoff', 3, 15, 15],
  ['source-quench', 4, 0, 0xff],
  ['redirect', 5, 0, 0xff],
  ['network-redirect', 5, 0, 0],
  ['host-redirect', 5, 1, 1],
  ['TOS-network-redirect', 5, 2, 2],
  ['TOS-host-redirect', 5, 3, 3],
  ['echo-request', 8, 0, 0xff],
  ['ping', 8, 0, 0xff],
  ['router-advertisement', 9, 0, 0xff],
  ['router-solicitation', 10, 0, 0xff],
  ['time-exceeded', 11, 0, 0xff],
  ['ttl-exceeded', 11, 0, 0xff],
  ['ttl-zero-during-transit', 11, 0, 0],
  ['ttl-zero-during-reassembly', 11, 1, 1],
  ['parameter-problem', 12, 0, 0xff],
  ['ip-header-bad', 12, 0, 0],
  ['required-option-missing', 12, 1, 1],
  ['timestamp-request', 13, 0, 0xff],
  ['timestamp-reply', 14, 0, 0xff],
  ['address-mask-request', 17, 0, 0xff],
  ['address-mask-reply', 18, 0, 0xff],
]

function parseType(text: string): [number, number, number] {
  const lower = text.toLowerCase()
  const named = ICMP_NAMES.filter(([name]) => name.toLowerCase().startsWith(lower))
  const exact = named.find(([name]) => name.toLowerCase() === lower)
  const found = exact ?? named[0]
  if (found && (exact || named.length === 1)) return [found[1], found[2], found[3]]
  if (named.length > 1) throw new XtError(`Ambiguous icmp type \`${text}': \`${named[0]![0]}' or \`${named[1]![0]}'?`)
  const slash = text.indexOf('/')
  const type = number(slash < 0 ? text : text.slice(0, slash), 255)
  if (type === undefined) throw new XtError(`Invalid icmp type \`${text}'\n`)
  if (slash < 0) return [type, 0, 0xff]
  const code = number(text.slice(slash + 1), 255)
  if (code === undefined) throw new XtError(`Invalid icmp code \`${text.slice(slash + 1)}'\n`)
  return [type, code, code]
}

export const icmp: XtMatch<IcmpInfo> = {
  kind: 'match',
  name: 'icmp',
  revision: 0,
  protocol: IPPROTO_ICMP,
  families: ['ip', 'inet'],
  help: `icmp match options:
[!] --icmp-type typename	match icmp type
[!] --icmp-type type[/code]	(or numeric type or type/code)
Valid ICMP Types:
${ICMP_NAMES.map(([name]) => name).join('\n')}
`,
  options: [{ name: 'icmp-type', value: 'required', invert: true, mandatory: true }],
  init: () => ({ type: 0xff, code: [0, 0xff], inverted: false }),
  parse(state, _option, value, inverted) {
    const [type, from, to] = parseType(value)
    state.type = type
    state.code = [from, to]
    state.inverted = inverted
  },
  finish: (state) => state as unknown as Record<string, unknown>,
  print(info, with_) {
    const { type, code, inverted } = info as unknown as IcmpInfo
    if (!with_.numeric) {
      const named = ICMP_NAMES.find(([, t, from, to]) => t === type && from === code[0] && to === code[1])
      if (named) return ` icmp ${inverted ? '!' : ''}${named[0]}`
    }
    const codes =
      code[0] === 0 && code[1] === 0xff ? '' : code[0] === code[1] ? ` code ${code[0]}` : ` codes ${code[0]}-${code[1]}`
    return ` icmp${inverted ? ' !' : ''}type ${type}${codes}`.replace(' !type', ' !type')
  },
  save(info) {
    const { type, code, inverted } = info as unknown as IcmpInfo
    const not = inverted ? ' !' : ''
    if (type === 0xff) return `${not} --icmp-type any`
    return `${not} --icmp-type ${type}${code[0] === 0 && code[1] === 0xff ? '' : `/${code[0]}`}`
  },
  translate(info) {
    const { type, code, inverted } = info as unknown as IcmpInfo
    if (type === 0xff) return ''
    const not = inverted ? '!= ' : ''
    const named = NFT_TYPES[type]
    if (code[0] === 0 && code[1] === 0xff) return `icmp type ${not}${named ?? type}`
    return `icmp type ${not}${named ?? type} icmp code ${not}${code[0] === code[1] ? code[0] : `${code[0]}-${code[1]}`}`
  },
  run(info) {
    const { type, code, inverted } = info as unknown as IcmpInfo
    return ({ packet }) => {
      if (packet.fragment & IP_OFFSET) return false
      if (packet.raw !== RAW_NONE) return 'drop'
      const fits =
        type === 0xff || (packet.icmpType === type && packet.icmpCode >= code[0] && packet.icmpCode <= code[1])
      return fits !== inverted
    }
  },
}

const NFT_TYPES: Record<number, string> = {
  0: 'echo-reply',
  3: 'destination-unreachable',
  4: 'source-quench',
  5: 'redirect',
  8: 'echo-request',
  9: 'router-advertisement',
  10: 'router-solicitation',
  11: 'time-exceeded',
  12: 'parameter-problem',
  13: 'timestamp-request',
  14: 'timestamp-reply',
  17: 'address-mask-request',
  18: 'address-mask-reply',
}
