/** The targets TCPMSS, TEE, NOTRACK, CT, TTL, TOS, DSCP, CLASSIFY. Linux 6.1 net/netfilter/xt_*.c, iptables extensions/. */
import { createTemplate, findHelper } from '#kernel/conntrack'
import { NF_ACCEPT, type Route } from '#kernel/net'
import {
  formatIpv4,
  IP_OFFSET,
  IPPROTO_TCP,
  type Packet,
  parseIpv4,
  RAW_NONE,
  setTcpOptions,
  TCP_SYN,
  tcpOptionBytes,
} from '#wire/inet'
import { copyUntracked, needConntrack } from '../ct.ts'
import { GO_ON } from '../run.ts'
import { duplicate, duplicating, lowerMss } from '../writes.ts'
import { XtError, type XtTarget } from './extension.ts'
import { parseDscp, parseTos, TOS_NAMES } from './packet-matches.ts'
import { hexPadded, number, numberOption } from './words.ts'

const record = (value: unknown) => value as Readonly<Record<string, unknown>>

export const TCPMSS: XtTarget<{ mss: number }> = {
  kind: 'target',
  name: 'TCPMSS',
  revision: 0,
  help: `TCPMSS target mutually-exclusive options:
  --set-mss value               explicitly set MSS option to specified value
  --clamp-mss-to-pmtu           automatically clamp MSS value to (path_MTU - 40)
`,
  options: [
    { name: 'set-mss', value: 'required', excludes: ['clamp-mss-to-pmtu'] },
    { name: 'clamp-mss-to-pmtu', value: 'none', excludes: ['set-mss'] },
  ],
  /** 0xffff: as the path allows. */
  init: () => ({ mss: 0 }),
  parse(state, option, value) {
    state.mss = option === 'set-mss' ? numberOption('TCPMSS', option, value, 65535 - 40) : 0xffff
  },
  finish(state, seen) {
    if (seen.size === 0) throw new XtError('TCPMSS target: At least one parameter is required')
    return state
  },
  print: (info) => (info['mss'] === 0xffff ? ' TCPMSS clamp to PMTU' : ` TCPMSS set ${info['mss']}`),
  save: (info) => (info['mss'] === 0xffff ? ' --clamp-mss-to-pmtu' : ` --set-mss ${info['mss']}`),
  translate: (info) => `tcp option maxseg size set ${info['mss'] === 0xffff ? 'rt mtu' : info['mss']}`,
  check(info, { basics, hooks, log }) {
    if (info['mss'] === 0xffff && hooks.some((hook) => hook === 'PRE_ROUTING' || hook === 'LOCAL_IN')) {
      log('xt_TCPMSS: path-MTU clamping only supported in FORWARD, OUTPUT and POSTROUTING hooks')
      return 'EINVAL'
    }
    return basics.protocol === IPPROTO_TCP && !basics.protocolInverted ? undefined : 'EINVAL'
  },
  run(info) {
    const mss = info['mss'] as number
    return ({ packet }) => {
      if (packet.fragment & IP_OFFSET || packet.raw !== RAW_NONE || packet.protocol !== IPPROTO_TCP) return GO_ON
      let value = mss
      if (mss === 0xffff) {
        // What goes out here, and what could come back.
        const out = (packet.route as Route | undefined)?.mtu(false) ?? 0
        if (out <= 40) return NF_ACCEPT
        value = out - 40
      }
      if (lowerMss(packet, value) || packet.length > 0) return GO_ON
      // A SYN without the option gets one: 536 is what its sender would have to expect.
      if ((packet.tcpFlags & TCP_SYN) === 0 || tcpOptionBytes(packet).length > 36) return GO_ON
      const added = Math.min(value, 536)
      setTcpOptions(packet, Uint8Array.from([2, 4, added >>> 8, added & 255, ...tcpOptionBytes(packet)]))
      return GO_ON
    }
  },
}

export const TEE: XtTarget<{ gateway: number; device?: string }> = {
  kind: 'target',
  name: 'TEE',
  revision: 1,
  help: `TEE target options:
  --gateway IPADDR    Route packet via the gateway given by address
  --oif NAME          Include oif in route calculation
`,
  options: [
    { name: 'gateway', value: 'required', mandatory: true },
    { name: 'oif', value: 'required' },
  ],
  init: () => ({ gateway: 0 }),
  parse(state, option, value) {
    if (option === 'oif') {
      state.device = value
      return
    }
    const gateway = parseIpv4(value)
    if (gateway === undefined) throw new XtError(`Bad IP address "${value}"`)
    state.gateway = gateway
  },
  finish: record,
  print: (info) => ` TEE gw:${formatIpv4(info['gateway'] as number)}${info['device'] ? ` oif=${info['device']}` : ''}`,
  save: (info) =>
    ` --gateway ${formatIpv4(info['gateway'] as number)}${info['device'] ? ` --oif ${info['device']}` : ''}`,
  translate: (info) =>
    `dup to ${formatIpv4(info['gateway'] as number)}${info['device'] ? ` device ${info['device']}` : ''}`,
  run(info, host) {
    return ({ packet, hook }) => {
      if (!duplicating.has(packet)) duplicate(packet, host, info['gateway'] as number, hook)
      return GO_ON
    }
  },
}

interface CtInfo {
  notrack: boolean
  /** Written NOTRACK. */
  notrackAlias?: boolean
  helper: string
  zone: number
  events: string[]
}

/** ctevents as iptables names them, and IPCT_*. */
const EVENTS: [string, number][] = [
  ['new', 1],
  ['related', 2],
  ['destroy', 4],
  ['reply', 8],
  ['assured', 0x10],
  ['protoinfo', 0x20],
  ['helper', 0x40],
  ['mark', 0x80],
  ['natseqinfo', 0x100],
]

export const CT: XtTarget<CtInfo> = {
  kind: 'target',
  name: 'CT',
  revision: 2,
  help: `CT target options:
 --notrack			Don't track connection
 --helper name			Use conntrack helper 'name' for connection
 --timeout name 		Use timeout policy 'name' for connection
 --ctevents event[,event...]	Generate specified conntrack events for connection
 --expevents event[,event...]	Generate specified expectation events for connection
 --zone {ID|mark}		Assign/Lookup connection in zone ID/packet nfmark
`,
  options: [
    { name: 'notrack', value: 'none' },
    { name: 'helper', value: 'required' },
    { name: 'zone', value: 'required' },
    { name: 'ctevents', value: 'required' },
  ],
  init: () => ({ notrack: false, helper: '', zone: 0, events: [] }),
  parse(state, option, value) {
    if (option === 'notrack') state.notrack = true
    else if (option === 'helper') state.helper = value
    else if (option === 'zone') {
      const zone = number(value, 65535)
      if (zone === undefined) throw new XtError(`Cannot parse ${value} as a zone ID`)
      state.zone = zone
    } else {
      for (const word of value.split(',')) {
        if (!EVENTS.some(([name]) => name === word)) throw new XtError(`Unknown event type "${word}"\n`)
        state.events.push(word)
      }
    }
  },
  finish: record,
  print(info) {
    const one = info as unknown as CtInfo
    if (one.notrackAlias) return ' NOTRACK'
    let text = ' CT'
    if (one.notrack) text += ' notrack'
    if (one.helper) text += ` helper ${one.helper}`
    if (one.events.length > 0) text += ` ctevents ${eventsText(one)}`
    return one.zone ? `${text} zone ${one.zone}` : text
  },
  save(info) {
    const one = info as unknown as CtInfo
    if (one.notrackAlias) return ''
    let text = one.notrack ? ' --notrack' : ''
    if (one.helper) text += ` --helper ${one.helper}`
    if (one.events.length > 0) text += ` --ctevents ${eventsText(one)}`
    return one.zone ? `${text} --zone ${one.zone}` : text
  },
  translate: (info) => (info['notrack'] ? 'notrack' : undefined),
  check(info, { table, basics, log, host }) {
    if (table !== 'raw') return 'EINVAL'
    const { helper } = info as unknown as CtInfo
    needConntrack(host)
    if (!helper) return undefined
    if (!basics.protocol || basics.protocolInverted) {
      log('xt_CT: You must specify a L4 protocol and not use inversions on it')
      return 'ENOENT'
    }
    if (!findHelper(helper, basics.protocol)) {
      log(`xt_CT: No such helper "${helper}"`)
      return 'ENOENT'
    }
    return undefined
  },
  run(info) {
    const one = info as unknown as CtInfo
    if (one.notrack) {
      return ({ packet }) => {
        copyUntracked(packet)
        return GO_ON
      }
    }
    const helper = one.helper ? findHelper(one.helper, IPPROTO_TCP) : undefined
    const events = EVENTS.filter(([name]) => one.events.includes(name)).reduce((sum, [, bit]) => sum | bit, 0)
    const template = createTemplate({ zone: one.zone, ...(helper && { helper }), ...(events && { events }) })
    return ({ packet }) => {
      if (packet.ct === undefined && packet.ctInfo === 0) {
        packet.ct = template
        packet.ctInfo = 2 // IP_CT_NEW.
      }
      return GO_ON
    }
  },
}

function eventsText(one: CtInfo): string {
  return EVENTS.filter(([name]) => one.events.includes(name))
    .map(([name]) => name)
    .join(',')
}

/** `-j NOTRACK`: CT --notrack by its old name. */
export const NOTRACK: XtTarget<CtInfo> = {
  ...CT,
  name: 'NOTRACK',
  help: '',
  options: [],
  init: () => ({ notrack: true, notrackAlias: true, helper: '', zone: 0, events: [] }),
  print: () => ' NOTRACK',
  save: () => '',
}

interface TtlInfo {
  mode: 'set' | 'dec' | 'inc'
  ttl: number
}

export const TTL: XtTarget<TtlInfo> = {
  kind: 'target',
  name: 'TTL',
  revision: 0,
  families: ['ip', 'inet'],
  help: `TTL target options
  --ttl-set value		Set TTL to <value 0-255>
  --ttl-dec value		Decrement TTL by <value 1-255>
  --ttl-inc value		Increment TTL by <value 1-255>
`,
  options: ['ttl-set', 'ttl-dec', 'ttl-inc'].map((name, _i, all) => ({
    name,
    value: 'required' as const,
    excludes: all,
  })),
  init: () => ({ mode: 'set', ttl: 0 }),
  parse(state, option, value) {
    state.mode = option.slice(4) as 'set'
    state.ttl = numberOption('TTL', option, value, 255, state.mode === 'set' ? 0 : 1)
  },
  finish(state, seen) {
    if (seen.size === 0) throw new XtError('TTL: You must specify an action')
    return record(state)
  },
  print: (info) =>
    ` TTL ${{ set: 'set to', dec: 'decrement by', inc: 'increment by' }[info['mode'] as 'set']} ${info['ttl']}`,
  save: (info) => ` --ttl-${info['mode']} ${info['ttl']}`,
  check: (_info, { table }) => (table === 'mangle' ? undefined : 'EINVAL'),
  run(info) {
    const { mode, ttl } = info as unknown as TtlInfo
    return ({ packet }) => {
      if (mode === 'set') packet.ttl = ttl
      else if (mode === 'inc') packet.ttl = Math.min(255, packet.ttl + ttl)
      else packet.ttl = Math.max(0, packet.ttl - ttl)
      return GO_ON
    }
  },
}

interface TosInfo {
  value: number
  mask: number
}

export const TOS: XtTarget<TosInfo> = {
  kind: 'target',
  name: 'TOS',
  revision: 1,
  help: `TOS target options:
  --set-tos value[/mask]  Set Type of Service/Priority field to value
                          (Zero out bits in mask and XOR value into TOS)
  --set-tos symbol        Set TOS field (IPv4 only) by symbol
                          (this zeroes the 4-bit Precedence part!)
                          Accepted symbolic names for value are:
${TOS_NAMES.map(([value, name]) => `                            (${hexPadded(value, 2)}) ${String(value).padStart(2)} ${name}`).join('\n')}

  --and-tos bits          Binary AND the TOS value with bits
  --or-tos bits           Binary OR the TOS value with bits
  --xor-tos bits          Binary XOR the TOS value with bits
`,
  options: ['set-tos', 'and-tos', 'or-tos', 'xor-tos'].map((name, _i, all) => ({
    name,
    value: 'required' as const,
    excludes: all,
  })),
  init: () => ({ value: 0, mask: 0xff }),
  parse(state, option, value) {
    if (option === 'set-tos') {
      ;[state.value, state.mask] = parseTos('TOS', option, value)
      return
    }
    const bits = numberOption('TOS', option, value, 255)
    if (option === 'and-tos') [state.value, state.mask] = [0, ~bits & 0xff]
    else [state.value, state.mask] = [bits, option === 'or-tos' ? bits : 0]
  },
  finish(state, seen) {
    if (seen.size === 0) throw new XtError('TOS: An action is required')
    return record(state)
  },
  print(info, with_) {
    const { value, mask } = info as unknown as TosInfo
    if (with_.numeric) return ` TOS set ${hexPadded(value, 2)}/${hexPadded(mask, 2)}`
    const name = mask === 0x3f ? TOS_NAMES.find(([one]) => one === value)?.[1] : undefined
    if (name !== undefined) return `  TOS set${name}`
    if (value === 0) return ` TOS and ${hexPadded(~mask & 0xff, 2)}`
    if (value === mask) return ` TOS or ${hexPadded(value, 2)}`
    if (mask === 0) return ` TOS xor ${hexPadded(value, 2)}`
    return ` TOS set ${hexPadded(value, 2)}/${hexPadded(mask, 2)}`
  },
  save: (info) => ` --set-tos ${hexPadded(info['value'] as number, 2)}/${hexPadded(info['mask'] as number, 2)}`,
  translate(info) {
    // The library speaks of ip6 whatever the family is.
    const { value, mask } = info as unknown as TosInfo
    const dscp = hexPadded(value >>> 2, 2)
    if (mask === 0x3f || mask === 0xff) return `ip6 dscp set ${dscp}`
    if (value === 0) return `ip6 dscp set ip6 dscp and ${hexPadded(~mask & 0xff, 2)}`.replace(/and 0x0?3$/, 'and 0x00')
    if (value === mask) return `ip6 dscp set ip6 dscp or ${dscp}`
    if (mask === 0) return `ip6 dscp set ip6 dscp xor ${dscp}`
    return undefined
  },
  check: (_info, { table }) => (table === 'mangle' ? undefined : 'EINVAL'),
  run(info) {
    const { value, mask } = info as unknown as TosInfo
    return ({ packet }) => {
      packet.tos = ((packet.tos & ~mask) ^ value) & 0xff
      return GO_ON
    }
  },
}

export const DSCP: XtTarget<{ dscp: number }> = {
  kind: 'target',
  name: 'DSCP',
  revision: 0,
  help: `DSCP target options
  --set-dscp value		Set DSCP field in packet header to value
  		                This value can be in decimal (ex: 32)
               		or in hex (ex: 0x20)
  --set-dscp-class class	Set the DSCP field in packet header to the
				value represented by the DiffServ class value.
				This class may be EF,BE or any of the CSxx
				or AFxx classes.

				These two options are mutually exclusive !
`,
  options: [
    { name: 'set-dscp', value: 'required', excludes: ['set-dscp-class'] },
    { name: 'set-dscp-class', value: 'required', excludes: ['set-dscp'] },
  ],
  init: () => ({ dscp: 0 }),
  parse(state, option, value) {
    state.dscp = parseDscp('DSCP', option, value)
  },
  finish(state, seen) {
    if (seen.size === 0) throw new XtError('DSCP target: Parameter --set-dscp is required')
    return state
  },
  print: (info) => ` DSCP set ${hexPadded(info['dscp'] as number, 2)}`,
  save: (info) => ` --set-dscp ${hexPadded(info['dscp'] as number, 2)}`,
  translate: (info) => `ip dscp set ${hexPadded(info['dscp'] as number, 2)}`,
  check: (_info, { table }) => (table === 'mangle' ? undefined : 'EINVAL'),
  run(info) {
    const bits = (info['dscp'] as number) << 2
    return ({ packet }) => {
      packet.tos = (packet.tos & 3) | bits
      return GO_ON
    }
  },
}

export const CLASSIFY: XtTarget<{ priority: number }> = {
  kind: 'target',
  name: 'CLASSIFY',
  revision: 0,
  help: `CLASSIFY target options:
--set-class MAJOR:MINOR    Set skb->priority value (always hexadecimal!)
`,
  options: [{ name: 'set-class', value: 'required', mandatory: true }],
  init: () => ({ priority: 0 }),
  parse(state, _option, value) {
    const found = /^([0-9a-fA-F]{1,4}):([0-9a-fA-F]{1,4})$/.exec(value)
    if (!found) throw new XtError(`Bad class value "${value}"`)
    state.priority = Number.parseInt(found[1]!, 16) * 65536 + Number.parseInt(found[2]!, 16)
  },
  finish: (state) => state,
  print: (info) => ` CLASSIFY set ${classText(info['priority'] as number, 1)}`,
  save: (info) => ` --set-class ${classText(info['priority'] as number, 4)}`,
  translate(info) {
    const priority = info['priority'] as number
    if (priority === 0xffffffff) return 'meta priority set root'
    return `meta priority set ${classText(priority, 1)}`
  },
  run(info) {
    const priority = info['priority'] as number
    return ({ packet }: { packet: Packet }) => {
      packet.priority = priority
      return GO_ON
    }
  },
}

function classText(priority: number, digits: number): string {
  const half = (value: number) => value.toString(16).padStart(digits, '0')
  return `${half(priority >>> 16)}:${half(priority & 0xffff)}`
}
