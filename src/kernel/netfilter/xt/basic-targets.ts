/** The targets REJECT, LOG, MARK, CONNMARK. Linux 6.1 net/ipv4/netfilter/ipt_REJECT.c, net/netfilter/xt_LOG.c, xt_mark.c, xt_connmark.c. */
import { NF_DROP } from '#kernel/net'
import { ctOf, needConntrack } from '../ct.ts'
import { LOG_IP_OPTIONS, LOG_MAC, LOG_TCP_OPTIONS, LOG_TCP_SEQUENCE, LOG_UID } from '../expressions.ts'
import { writeLog } from '../log.ts'
import { sendReset, sendUnreachable } from '../reject.ts'
import { GO_ON } from '../run.ts'
import { XtError, type XtOption, type XtTarget } from './extension.ts'
import { hex, marked, number, saveString } from './words.ts'

/** How a packet can be refused: name, short name, ICMP code (-1: a reset), what nft calls it. */
export const REJECT_KINDS: [name: string, short: string, code: number, nft: string, text: string][] = [
  ['icmp-net-unreachable', 'net-unreach', 0, 'net-unreachable', 'ICMP network unreachable'],
  ['icmp-host-unreachable', 'host-unreach', 1, 'host-unreachable', 'ICMP host unreachable'],
  ['icmp-proto-unreachable', 'proto-unreach', 2, 'prot-unreachable', 'ICMP protocol unreachable'],
  ['icmp-port-unreachable', 'port-unreach', 3, 'port-unreachable', 'ICMP port unreachable (default)'],
  ['icmp-net-prohibited', 'net-prohib', 9, 'net-prohibited', 'ICMP network prohibited'],
  ['icmp-host-prohibited', 'host-prohib', 10, 'host-prohibited', 'ICMP host prohibited'],
  ['tcp-reset', 'tcp-rst', -1, 'tcp reset', 'TCP RST packet'],
  ['icmp-admin-prohibited', 'admin-prohib', 13, 'admin-prohibited', 'ICMP administratively prohibited (*)'],
]

export const REJECT: XtTarget<{ code: number }> = {
  kind: 'target',
  name: 'REJECT',
  revision: 0,
  help: `REJECT target options:
--reject-with type              drop input packet and send back
                                a reply packet according to type:
Valid reject types:
${REJECT_KINDS.map(([name, short, , , text]) => `    ${name.padEnd(25)}\t${text}\n    ${short.padEnd(25)}\talias`).join('\n')}

(*) See man page or read the INCOMPATIBILITES file for compatibility issues.
`,
  options: [{ name: 'reject-with', value: 'required' }],
  init: () => ({ code: 3 }),
  parse(state, _option, value) {
    const wanted = value.toLowerCase()
    const found = REJECT_KINDS.find(([name, short]) => name.startsWith(wanted) || short.startsWith(wanted))
    if (!found) throw new XtError(`unknown reject type "${value}"`)
    state.code = found[2]
  },
  finish: (state) => state,
  print: (info) => ` reject-with ${kindOf(info['code'] as number)[0]}`,
  save: (info) => ` --reject-with ${kindOf(info['code'] as number)[0]}`,
  translate(info) {
    const code = info['code'] as number
    if (code === 3) return 'reject'
    if (code === -1) return 'reject with tcp reset'
    return `reject with icmp type ${kindOf(code)[3]}`
  },
  check: ({ code }, { basics, log }) => {
    if (code !== -1 || (basics.protocol === 6 && !basics.protocolInverted)) return undefined
    log('ipt_REJECT: TCP_RESET invalid for non-tcp')
    return 'EINVAL'
  },
  run(info) {
    const code = info['code'] as number
    return (context) => {
      if (code === -1) sendReset(context)
      else sendUnreachable(context, code)
      return NF_DROP
    }
  },
}

function kindOf(code: number): (typeof REJECT_KINDS)[number] {
  return REJECT_KINDS.find(([, , one]) => one === code) ?? REJECT_KINDS[3]!
}

/** syslog's levels, and what else they are called. */
export const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug']
const LEVEL_NAMES: [string, number][] = [
  ['alert', 1],
  ['crit', 2],
  ['debug', 7],
  ['emerg', 0],
  ['error', 3],
  ['info', 6],
  ['notice', 5],
  ['panic', 0],
  ['warning', 4],
]

const LOG_FLAGS: [string, number, string][] = [
  ['log-tcp-sequence', LOG_TCP_SEQUENCE, 'tcp-sequence'],
  ['log-tcp-options', LOG_TCP_OPTIONS, 'tcp-options'],
  ['log-ip-options', LOG_IP_OPTIONS, 'ip-options'],
  ['log-uid', LOG_UID, 'uid'],
  ['log-macdecode', LOG_MAC, 'macdecode'],
]

interface LogInfo {
  level: number
  flags: number
  prefix: string
}

export const LOG: XtTarget<LogInfo> = {
  kind: 'target',
  name: 'LOG',
  revision: 0,
  help: `LOG target options:
--log-level level	Level of logging (numeric or see syslog.conf)
--log-prefix prefix	Prefix log messages with this prefix.
--log-tcp-sequence	Log TCP sequence numbers.
--log-tcp-options	Log TCP options.
--log-ip-options	Log IP options.
--log-uid		Log UID owning the local socket.
--log-macdecode		Decode MAC addresses and protocol.
`,
  options: [
    { name: 'log-level', value: 'required' },
    { name: 'log-prefix', value: 'required' },
    ...LOG_FLAGS.map(([name]): XtOption => ({ name, value: 'none' })),
  ],
  init: () => ({ level: 4, flags: 0, prefix: '' }),
  parse(state, option, value, inverted) {
    if (inverted) throw new XtError(`Unexpected \`!' after --${option}`)
    if (option === 'log-prefix') {
      if (value.includes('\n')) throw new XtError('Newlines not allowed in --log-prefix')
      // What doesn't fit is cut off without a word.
      state.prefix = value.slice(0, 29)
    } else if (option === 'log-level') {
      const given = number(value)
      if (given !== undefined) {
        if (given > 7) throw new XtError(`LOG: bad value for option "--log-level", or out of range (0-7).\n`)
        state.level = given
        return
      }
      const found = LEVEL_NAMES.find(([name]) => name.startsWith(value.toLowerCase()))
      if (!found) throw new XtError(`log level "${value}" unknown\n`)
      state.level = found[1]
    } else state.flags |= LOG_FLAGS.find(([name]) => name === option)![1]
  },
  finish: (state) => state as unknown as Record<string, unknown>,
  print(info, with_) {
    const { level, flags, prefix } = info as unknown as LogInfo
    let text = ' LOG'
    // Words only where numbers aren't wanted.
    if (with_.numeric) text += ` flags ${flags} level ${level}`
    else {
      text += ` level ${LEVELS[level]}`
      for (const [, bit, name] of LOG_FLAGS) if (flags & bit) text += ` ${name}`
    }
    return prefix === '' ? text : `${text} prefix "${prefix}"`
  },
  save(info) {
    const { level, flags, prefix } = info as unknown as LogInfo
    let text = prefix === '' ? '' : ` --log-prefix ${alwaysQuoted(prefix)}`
    if (level !== 4) text += ` --log-level ${level}`
    for (const [name, bit] of LOG_FLAGS) if (flags & bit) text += ` --${name}`
    return text
  },
  translate(info) {
    const { level, flags, prefix } = info as unknown as LogInfo
    let text = 'log'
    if (prefix !== '') text += ` prefix "${prefix}"`
    if (level !== 4) text += ` level ${['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug'][level]}`
    if ((flags & 47) === 47) return `${text} flags all`
    if (flags & 3) {
      const words = [flags & 1 ? 'sequence' : '', flags & 2 ? 'options' : ''].filter((word) => word)
      text += ` flags tcp ${words.join(',')}`
    }
    if (flags & LOG_IP_OPTIONS) text += ' flags ip options'
    if (flags & LOG_UID) text += ' flags skuid'
    if (flags & LOG_MAC) text += ' flags ether'
    return text
  },
  run(info, host) {
    const settings = info as unknown as LogInfo
    return (context) => {
      writeLog(settings, context, host)
      return GO_ON
    }
  },
}

function alwaysQuoted(text: string): string {
  return saveString(text)
}

interface MarkInfo {
  mark: number
  mask: number
  /** As which option it was said: printing doesn't know, and says it by the mask. */
}

/** xor and mask: what --set-xmark means. */
export const MARK: XtTarget<MarkInfo> = {
  kind: 'target',
  name: 'MARK',
  revision: 2,
  help: `MARK target options:
  --set-xmark value[/mask]  Clear bits in mask and XOR value into nfmark
  --set-mark value[/mask]   Clear bits in mask and OR value into nfmark
  --and-mark bits           Binary AND the nfmark with bits
  --or-mark bits            Binary OR the nfmark with bits
  --xor-mask bits           Binary XOR the nfmark with bits

`,
  options: ['set-xmark', 'set-mark', 'and-mark', 'or-mark', 'xor-mark'].map((name, _i, all) => ({
    name,
    value: 'required' as const,
    excludes: all,
  })),
  init: () => ({ mark: 0, mask: 0 }),
  parse(state, option, value) {
    if (option === 'set-xmark' || option === 'set-mark') {
      const [one, mask] = marked('MARK', option, value)
      state.mark = one
      state.mask = option === 'set-mark' ? (mask | one) >>> 0 : mask
      return
    }
    const bits = number(value)
    if (bits === undefined)
      throw new XtError(`MARK: bad value for option "--${option}", or out of range (0-4294967295).\n`)
    if (option === 'and-mark') {
      state.mark = 0
      state.mask = ~bits >>> 0
    } else {
      state.mark = bits
      state.mask = option === 'or-mark' ? bits : 0
    }
  },
  finish(state, seen) {
    if (seen.size === 0) {
      throw new XtError('MARK: One of the --set-xmark, --{and,or,xor,set}-mark options is required')
    }
    return state as unknown as Record<string, unknown>
  },
  print(info) {
    const { mark, mask } = info as unknown as MarkInfo
    if (mark === 0) return ` MARK and ${hex(~mask >>> 0)}`
    if (mark === mask) return ` MARK or ${hex(mark)}`
    if (mask === 0) return ` MARK xor ${hex(mark)}`
    if (mask === 0xffffffff) return ` MARK set ${hex(mark)}`
    return ` MARK xset ${hex(mark)}/${hex(mask)}`
  },
  save: (info) => ` --set-xmark ${hex(info['mark'] as number)}/${hex(info['mask'] as number)}`,
  translate(info) {
    const { mark, mask } = info as unknown as MarkInfo
    if (mark === 0) return `meta mark set mark and ${hex(~mask >>> 0)}`
    if (mark === mask) return `meta mark set mark or ${hex(mark)}`
    if (mask === 0) return `meta mark set mark xor ${hex(mark)}`
    if (mask === 0xffffffff) return `meta mark set ${hex(mark)}`
    return `meta mark set mark and ${hex(~mask >>> 0)} xor ${hex(mark)}`
  },
  run(info) {
    const { mark, mask } = info as unknown as MarkInfo
    return ({ packet }) => {
      packet.mark = ((packet.mark & ~mask) ^ mark) >>> 0
      return GO_ON
    }
  },
}

interface ConnmarkInfo {
  mode: 'set' | 'save' | 'restore'
  ctmark: number
  ctmask: number
  nfmask: number
}

export const CONNMARK: XtTarget<ConnmarkInfo> = {
  kind: 'target',
  name: 'CONNMARK',
  revision: 2,
  help: `CONNMARK target options:
  --set-xmark value[/ctmask]    Zero mask bits and XOR ctmark with value
  --save-mark [--ctmask mask] [--nfmask mask]
                                Copy nfmark to ctmark using masks
  --restore-mark [--ctmask mask] [--nfmask mask]
                                Copy ctmark to nfmark using masks
  --set-mark value[/mask]       Set conntrack mark value
  --save-mark [--mask mask]     Save the packet nfmark in the connection
  --restore-mark [--mask mask]  Restore saved nfmark value
  --and-mark value              Binary AND the ctmark with bits
  --or-mark value               Binary OR  the ctmark with bits
  --xor-mark value              Binary XOR the ctmark with bits
`,
  options: [
    ...['set-xmark', 'set-mark', 'and-mark', 'or-mark', 'xor-mark'].map((name) => ({
      name,
      value: 'required' as const,
    })),
    ...['save-mark', 'restore-mark'].map((name) => ({ name, value: 'none' as const })),
    ...['ctmask', 'nfmask', 'mask'].map((name) => ({ name, value: 'required' as const })),
  ],
  init: () => ({ mode: 'set', ctmark: 0, ctmask: 0xffffffff, nfmask: 0xffffffff }),
  parse(state, option, value) {
    const bits = () => {
      const one = number(value)
      if (one === undefined)
        throw new XtError(`CONNMARK: bad value for option "--${option}", or out of range (0-4294967295).\n`)
      return one
    }
    switch (option) {
      case 'set-xmark':
      case 'set-mark': {
        const [mark, mask] = marked('CONNMARK', option, value)
        state.ctmark = mark
        state.ctmask = option === 'set-mark' ? (mask | mark) >>> 0 : mask
        return
      }
      case 'and-mark':
        state.ctmask = ~bits() >>> 0
        return
      case 'or-mark':
        state.ctmark = bits()
        state.ctmask = state.ctmark
        return
      case 'xor-mark':
        state.ctmark = bits()
        state.ctmask = 0
        return
      case 'save-mark':
        state.mode = 'save'
        return
      case 'restore-mark':
        state.mode = 'restore'
        return
      case 'ctmask':
        state.ctmask = bits()
        return
      case 'nfmask':
        state.nfmask = bits()
        return
      case 'mask':
        state.ctmask = bits()
        state.nfmask = state.ctmask
    }
  },
  finish(state, seen) {
    if (seen.size === 0) {
      throw new XtError('CONNMARK target: No operation specified')
    }
    return state as unknown as Record<string, unknown>
  },
  print(info) {
    const { mode, ctmark, ctmask, nfmask } = info as unknown as ConnmarkInfo
    if (mode === 'save' || mode === 'restore') {
      const masks =
        nfmask === 0xffffffff && ctmask === 0xffffffff
          ? ''
          : nfmask === ctmask
            ? ` mask ${hex(ctmask)}`
            : mode === 'save'
              ? ` nfmask ${hex(nfmask)} ctmask ~${hex(ctmask)}`
              : ` ctmask ${hex(ctmask)} nfmask ~${hex(nfmask)}`
      return ` CONNMARK ${mode}${masks}`
    }
    if (ctmark === 0) return ` CONNMARK and ${hex(~ctmask >>> 0)}`
    if (ctmark === ctmask) return ` CONNMARK or ${hex(ctmark)}`
    if (ctmask === 0) return ` CONNMARK xor ${hex(ctmark)}`
    if (ctmask === 0xffffffff) return ` CONNMARK set ${hex(ctmark)}`
    return ` CONNMARK xset ${hex(ctmark)}/${hex(ctmask)}`
  },
  save(info) {
    const { mode, ctmark, ctmask, nfmask } = info as unknown as ConnmarkInfo
    if (mode === 'set') return ` --set-xmark ${hex(ctmark)}/${hex(ctmask)}`
    return ` --${mode}-mark --nfmask ${hex(nfmask)} --ctmask ${hex(ctmask)}`
  },
  translate(info) {
    const { mode, ctmark, ctmask, nfmask } = info as unknown as ConnmarkInfo
    if (mode === 'set') {
      if (ctmask === 0xffffffff) return `ct mark set ${hex(ctmark)}`
      if (ctmark === 0) return `ct mark set ct mark and ${hex(~ctmask >>> 0)}`
      if (ctmark === ctmask) return `ct mark set ct mark or ${hex(ctmark)}`
      if (ctmask === 0) return `ct mark set ct mark xor ${hex(ctmark)}`
      return `ct mark set ct mark xor ${hex(ctmark)} and ${hex(~ctmask >>> 0)}`
    }
    if (mode === 'save') {
      if (ctmask === 0xffffffff && nfmask === 0xffffffff) return 'ct mark set mark'
      return nfmask === ctmask ? `ct mark set mark and ${hex(nfmask)}` : undefined
    }
    if (ctmask === 0xffffffff && nfmask === 0xffffffff) return 'meta mark set ct mark'
    return nfmask === ctmask ? `meta mark set ct mark and ${hex(nfmask)}` : undefined
  },
  check(_info, { host }) {
    needConntrack(host)
    return undefined
  },
  run(info) {
    const { mode, ctmark, ctmask, nfmask } = info as unknown as ConnmarkInfo
    return ({ packet }) => {
      const ct = ctOf(packet)
      if (!ct) return GO_ON
      if (mode === 'set') ct.mark = ((ct.mark & ~ctmask) ^ ctmark) >>> 0
      else if (mode === 'save') ct.mark = ((ct.mark & ~ctmask) ^ (packet.mark & nfmask)) >>> 0
      else packet.mark = ((packet.mark & ~nfmask) ^ (ct.mark & ctmask)) >>> 0
      return GO_ON
    }
  },
}
