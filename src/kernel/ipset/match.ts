/** The match `set` and the target SET. Linux 6.1 net/netfilter/xt_set.c; iptables extensions/libxt_set.c. */
import type { Host, NetlinkAnswer } from '#kernel/core'
import type { HookContext } from '#kernel/net'
import { XtError, type XtMatch, type XtTarget } from '#kernel/netfilter'
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, ipLength, type Packet, RAW_NONE } from '#wire/inet'
import { add, type IpSet, ipSets, remove } from './sets.ts'
import type { Part } from './types.ts'

type Side = 'src' | 'dst'

interface SetInfo {
  name: string
  sides: Side[]
  inverted: boolean
  returnNomatch: boolean
}

/** What a packet is to a set; undefined: it has no such part. */
function partsOf(set: IpSet, packet: Packet, sides: readonly Side[], hasMac: boolean): Part[] | undefined {
  const parts: Part[] = []
  for (const [i, kind] of set.type.parts.entries()) {
    const source = (sides[i] ?? sides[sides.length - 1]) === 'src'
    if (kind === 'ip' || kind === 'net')
      parts.push({ kind: 'ip', address: source ? packet.src : packet.dst, prefix: 32 })
    else if (kind === 'port' || kind === 'bitmap port') {
      const { protocol } = packet
      if (packet.raw !== RAW_NONE) return undefined
      if (protocol === IPPROTO_TCP || protocol === IPPROTO_UDP) {
        parts.push({
          kind: 'port',
          protocol: kind === 'bitmap port' ? 0 : protocol,
          port: source ? packet.srcPort : packet.dstPort,
        })
      } else if (protocol === IPPROTO_ICMP && kind === 'port') {
        parts.push({ kind: 'port', protocol, port: packet.icmpType * 256 + packet.icmpCode })
      } else return undefined
    } else if (kind === 'mac') {
      if (!hasMac) return undefined
      parts.push({ kind: 'mac', mac: source ? packet.macSrc : packet.macDst })
    }
  }
  return parts
}

/** Whether a packet is in a set; counts it there. ip_set_test(). */
function contains(host: Host, set: IpSet, info: SetInfo, context: HookContext): boolean {
  const { packet } = context
  if (set.type.method === 'list') {
    for (const { parts } of set.list()) {
      const member = parts[0]?.kind === 'set' ? ipSets.of(host).get(parts[0].name) : undefined
      if (member && contains(host, member, info, context)) return true
    }
    return false
  }
  const parts = partsOf(set, packet, info.sides, context.in !== undefined)
  const found = parts && set.find(parts)
  if (!found) return false
  if (found.nomatch) return info.returnNomatch
  if (set.options.counters) {
    found.packets++
    found.bytes += ipLength(packet)
  }
  return true
}

function parseSides(text: string): Side[] {
  const sides = text.split(',').map((word) => {
    if (word !== 'src' && word !== 'dst') {
      throw new XtError("You must spefify (the comma separated list of) 'src' or 'dst'.")
    }
    return word as Side
  })
  if (sides.length > 6) throw new XtError("Can't be more src/dst options than 6.")
  return sides
}

function needSet(name: string, netlink: (message: { type: string }) => NetlinkAnswer): void {
  const answer = netlink({ type: 'IPSET', cmd: 'header', name } as { type: string })
  const known = answer.ok && (answer.messages[0] as { typeName?: string }).typeName !== undefined
  if (!known) throw new XtError(`Set ${name} doesn't exist.\n`)
}

/** Rules hold on to the set itself: a swap changes what a name means, and the rules with it. */
function hold(host: Host, name: string, keep: { onRelease(run: () => void): void }): () => IpSet | undefined {
  const set = ipSets.of(host).get(name)
  if (set) {
    set.references++
    keep.onRelease(() => {
      const now = ipSets.of(host).get(name)
      if (now) now.references--
    })
  }
  return () => ipSets.of(host).get(name)
}

export const setMatch: XtMatch<SetInfo> = {
  kind: 'match',
  name: 'set',
  revision: 4,
  help: `set match options:
 [!] --match-set name flags [--return-nomatch]
		 'name' is the set name from to match,
		 'flags' are the comma separated list of
		 'src' and 'dst' specifications.
`,
  options: [
    { name: 'match-set', value: 'required', invert: true },
    { name: 'return-nomatch', value: 'none' },
  ],
  init: () => ({ name: '', sides: [], inverted: false, returnNomatch: false }),
  parse(state, option, value, inverted, with_) {
    if (option === 'return-nomatch') {
      state.returnNomatch = true
      return
    }
    const [name = '', sides] = value.split(' ')
    if (sides === undefined) throw new XtError('--match-set requires two args.')
    needSet(name, with_.netlink)
    state.name = name
    state.sides = parseSides(sides)
    state.inverted = inverted
  },
  finish(state, seen) {
    if (!seen.has('match-set')) throw new XtError("You must specify `--match-set' with proper arguments")
    return state as unknown as Record<string, unknown>
  },
  print(info) {
    const one = info as unknown as SetInfo
    return `${one.inverted ? ' !' : ''} match-set ${one.name} ${one.sides.join(',')}${one.returnNomatch ? ' return-nomatch' : ''}`
  },
  save(info) {
    const one = info as unknown as SetInfo
    return `${one.inverted ? ' !' : ''} --match-set ${one.name} ${one.sides.join(',')}${one.returnNomatch ? ' --return-nomatch' : ''}`
  },
  check: (info, { host }) => (ipSets.of(host).has(info['name'] as string) ? undefined : 'ENOENT'),
  run(info, host, keep) {
    const one = info as unknown as SetInfo
    const set = hold(host, one.name, keep)
    return (context) => {
      const now = set()
      return (now !== undefined && contains(host, now, one, context)) !== one.inverted
    }
  },
}

interface TargetInfo {
  add?: { name: string; sides: Side[] }
  del?: { name: string; sides: Side[] }
  exist: boolean
  timeoutS?: number
}

export const SET: XtTarget<TargetInfo> = {
  kind: 'target',
  name: 'SET',
  revision: 3,
  help: `SET target options:
 --add-set name flags [--exist] [--timeout n]
 --del-set name flags
		add/del src/dst IP/port from/to named sets,
		where flags are the comma separated list of
		'src' and 'dst' specifications.
`,
  options: [
    { name: 'add-set', value: 'required' },
    { name: 'del-set', value: 'required' },
    { name: 'exist', value: 'none' },
    { name: 'timeout', value: 'required' },
  ],
  init: () => ({ exist: false }),
  parse(state, option, value, _inverted, with_) {
    if (option === 'exist') state.exist = true
    else if (option === 'timeout') {
      if (!/^\d+$/.test(value)) throw new XtError('Invalid value for option --timeout or out of range 0-4294967')
      state.timeoutS = Number(value)
    } else {
      const [name = '', sides] = value.split(' ')
      if (sides === undefined) throw new XtError(`--${option} requires two args.`)
      needSet(name, with_.netlink)
      state[option === 'add-set' ? 'add' : 'del'] = { name, sides: parseSides(sides) }
    }
  },
  finish(state, seen) {
    if (!seen.has('add-set') && !seen.has('del-set')) {
      throw new XtError("You must specify either `--add-set' or `--del-set' or `--map-set'")
    }
    return state as unknown as Record<string, unknown>
  },
  print: (info) => text(info as unknown as TargetInfo, ''),
  save: (info) => text(info as unknown as TargetInfo, '--'),
  run(info, host, keep) {
    const one = info as unknown as TargetInfo
    const into = one.add && hold(host, one.add.name, keep)
    const from = one.del && hold(host, one.del.name, keep)
    return (context) => {
      const { packet } = context
      const target = into?.()
      if (target && one.add) {
        const parts = partsOf(target, packet, one.add.sides, context.in !== undefined)
        if (parts) {
          const timed = one.timeoutS !== undefined && target.options.timeoutS !== undefined
          // The packet that brought it is counted too.
          const counted = target.options.counters ? { packets: 1, bytes: ipLength(packet) } : {}
          add(host, target, widen(target, parts), { ...(timed && { timeoutS: one.timeoutS! }), ...counted }, one.exist)
        }
      }
      const source = from?.()
      if (source && one.del) {
        const parts = partsOf(source, packet, one.del.sides, context.in !== undefined)
        if (parts) remove(source, widen(source, parts), true)
      }
      return -1 // XT_CONTINUE.
    }
  },
}

/** What a packet adds to a set of nets has the set's longest prefix; what it adds to one with a netmask is masked. */
function widen(set: IpSet, parts: Part[]): Part[] {
  const { netmask } = set.options
  return netmask === undefined
    ? parts
    : parts.map((part) =>
        part.kind === 'ip'
          ? { ...part, address: (part.address & (netmask === 0 ? 0 : -1 << (32 - netmask))) >>> 0 }
          : part,
      )
}

function text(one: TargetInfo, dashes: string): string {
  let out = ''
  if (one.add) out += ` ${dashes}add-set ${one.add.name} ${one.add.sides.join(',')}`
  if (one.exist) out += ` ${dashes}exist`
  if (one.timeoutS !== undefined) out += ` ${dashes}timeout ${one.timeoutS}`
  if (one.del) out += ` ${dashes}del-set ${one.del.name} ${one.del.sides.join(',')}`
  return out
}
