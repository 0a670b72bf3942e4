/** Matches that remember, or look at the sender: statistic, owner, physdev, connlimit, cluster. Linux 6.1 net/netfilter/xt_*.c. */
import { NotModelled } from '#base/check'
import { conntrackState } from '#kernel/conntrack'
import { maskOf } from '#wire/inet'
import { ctOf, needConntrack } from '../ct.ts'
import { jhashWord } from '../jhash.ts'
import { XtError, type XtMatch } from './extension.ts'
import { hexPadded, numberOption } from './words.ts'

const record = (value: unknown) => value as Readonly<Record<string, unknown>>

interface StatisticInfo {
  mode: 'random' | 'nth'
  /** Of 2^31. */
  probability: number
  every: number
  packet: number
  inverted: boolean
}

export const statistic: XtMatch<StatisticInfo> = {
  kind: 'match',
  name: 'statistic',
  revision: 0,
  help: `statistic match options:
 --mode mode                    Match mode (random, nth)
 random mode:
[!] --probability p		 Probability
 nth mode:
[!] --every n			 Match every nth packet
 --packet p			 Initial counter value (0 <= p <= n-1, default 0)
`,
  options: [
    { name: 'mode', value: 'required', mandatory: true },
    { name: 'probability', value: 'required', invert: true, excludes: ['every', 'packet'] },
    { name: 'every', value: 'required', invert: true, excludes: ['probability'] },
    { name: 'packet', value: 'required' },
  ],
  init: () => ({ mode: 'random', probability: -1, every: 0, packet: -1, inverted: false }),
  parse(state, option, value, inverted) {
    if (option === 'mode') {
      if (value !== 'random' && value !== 'nth') throw new XtError(`Bad mode "${value}"`)
      state.mode = value
    } else if (option === 'probability') {
      const fraction = Number.parseFloat(value)
      if (!(fraction >= 0 && fraction <= 1))
        throw new XtError(`statistic: Bad value for "--probability" option: "${value}"`)
      state.probability = Math.round(fraction * 2 ** 31)
      state.inverted = inverted
    } else if (option === 'every') {
      state.every = numberOption('statistic', option, value)
      if (state.every === 0) throw new XtError('cannot be 0')
      state.every--
      state.inverted = inverted
    } else state.packet = numberOption('statistic', option, value)
  },
  finish(state, seen) {
    if (seen.has('every') && !seen.has('packet')) {
      throw new XtError('statistic: option "--every" also requires "--packet".\n')
    }
    if (seen.has('packet') && !seen.has('every')) {
      throw new XtError('statistic: option "--packet" also requires "--every".\n')
    }
    if (state.mode === 'random' && !seen.has('probability')) {
      throw new XtError('--probability must be specified when using random mode')
    }
    if (state.mode === 'nth' && !seen.has('every')) throw new XtError('--every must be specified when using nth mode')
    if (state.mode === 'nth' && state.packet > state.every) throw new XtError('the --packet p must be 0 <= p <= n-1')
    return record(state)
  },
  print(info) {
    const one = info as unknown as StatisticInfo
    return ` statistic mode ${one.mode}${body(one, '')}`
  },
  save(info) {
    const one = info as unknown as StatisticInfo
    return ` --mode ${one.mode}${body(one, '--')}`
  },
  translate(info) {
    const one = info as unknown as StatisticInfo
    if (one.mode === 'random') {
      return `meta random & 2147483647 ${one.inverted ? '>=' : '<'} ${one.probability}`
    }
    return `numgen inc mod ${one.every + 1} ${one.inverted ? '!= ' : ''}${one.packet}`
  },
  run(info, host) {
    const one = info as unknown as StatisticInfo
    if (one.mode === 'random') {
      const random = host.sim.random(`${host.name}/xt statistic`)
      return () => (random.uint32() & 0x7fffffff) >>> 0 < one.probability !== one.inverted
    }
    // The counter stands so that packet number `packet` is the first.
    let count = one.every - one.packet
    return () => {
      count = count === one.every ? 0 : count + 1
      return (count === 0) !== one.inverted
    }
  },
}

function body(one: StatisticInfo, dashes: string): string {
  const not = one.inverted ? (dashes === '' ? ' !' : ' !') : ''
  if (one.mode === 'random') return `${not} ${dashes}probability ${(one.probability / 2 ** 31).toFixed(11)}`
  return `${not} ${dashes}every ${one.every + 1}${dashes === '' && one.packet === 0 ? '' : ` ${dashes}packet ${one.packet}`}`
}

interface OwnerInfo {
  uid?: [number, number]
  gid?: [number, number]
  uidInverted: boolean
  gidInverted: boolean
  socket: boolean
  socketInverted: boolean
  groups: boolean
}

export const owner: XtMatch<OwnerInfo> = {
  kind: 'match',
  name: 'owner',
  revision: 1,
  help: `owner match options:
[!] --uid-owner userid[-userid]      Match local UID
[!] --gid-owner groupid[-groupid]    Match local GID
[!] --socket-exists                  Match if socket exists
    --suppl-groups                   Also match supplementary groups set with --gid-owner
`,
  options: [
    { name: 'uid-owner', value: 'required', invert: true },
    { name: 'gid-owner', value: 'required', invert: true },
    { name: 'socket-exists', value: 'none', invert: true },
    { name: 'suppl-groups', value: 'none' },
  ],
  init: () => ({ uidInverted: false, gidInverted: false, socket: false, socketInverted: false, groups: false }),
  parse(state, option, value, inverted, with_) {
    if (option === 'socket-exists') [state.socket, state.socketInverted] = [true, inverted]
    else if (option === 'suppl-groups') state.groups = true
    else {
      const user = option === 'uid-owner'
      const named = user ? with_.user(value) : with_.group(value)
      const found = /^(\d+)(?:-(\d+))?$/.exec(value)
      if (named === undefined && !found) throw new XtError(`owner: Bad value for "--${option}" option: "${value}"`)
      const range: [number, number] =
        named === undefined ? [Number(found![1]), Number(found![2] ?? found![1])] : [named, named]
      if (user) [state.uid, state.uidInverted] = [range, inverted]
      else [state.gid, state.gidInverted] = [range, inverted]
    }
  },
  finish(state, seen) {
    if (seen.size === 0)
      throw new XtError('owner: At least one of --uid-owner, --gid-owner or --socket-exists is required')
    return record(state)
  },
  print(info, with_) {
    const one = info as unknown as OwnerInfo
    let text = ''
    if (one.socket) text += `${one.socketInverted ? ' !' : ''} owner socket exists`
    const id = (range: [number, number], name: string | undefined) =>
      range[0] === range[1] ? (name ?? String(range[0])) : range.join('-')
    if (one.uid) {
      const name = with_.numeric ? undefined : with_.userName(one.uid[0])
      text += `${one.uidInverted ? ' !' : ''} owner UID match ${id(one.uid, name)}`
    }
    if (one.gid) {
      const name = with_.numeric ? undefined : with_.groupName(one.gid[0])
      text += `${one.gidInverted ? ' !' : ''} owner GID match ${id(one.gid, name)}`
    }
    return one.groups ? `${text} incl. suppl. groups` : text
  },
  save(info) {
    const one = info as unknown as OwnerInfo
    const id = (range: [number, number]) => (range[0] === range[1] ? String(range[0]) : range.join('-'))
    let text = one.socket ? `${one.socketInverted ? ' !' : ''} --socket-exists` : ''
    if (one.uid) text += `${one.uidInverted ? ' !' : ''} --uid-owner ${id(one.uid)}`
    if (one.gid) text += `${one.gidInverted ? ' !' : ''} --gid-owner ${id(one.gid)}`
    return one.groups ? `${text} --suppl-groups` : text
  },
  translate(info) {
    const one = info as unknown as OwnerInfo
    if (one.socket) return undefined
    const id = (range: [number, number]) => (range[0] === range[1] ? String(range[0]) : range.join('-'))
    const words: string[] = []
    if (one.uid) words.push(`skuid ${one.uidInverted ? '!= ' : ''}${id(one.uid)}`)
    if (one.gid) words.push(`skgid ${one.gidInverted ? '!= ' : ''}${id(one.gid)}`)
    return words.join(' ')
  },
  check: (_info, { hooks }) =>
    hooks.every((hook) => hook === 'LOCAL_OUT' || hook === 'POST_ROUTING') ? undefined : 'EINVAL',
  run(info) {
    const one = info as unknown as OwnerInfo
    return ({ packet }) => {
      if (packet.socket === undefined) {
        // owner_mt(): without a socket nothing matches but what is inverted.
        const asked = [one.uid && one.uidInverted, one.gid && one.gidInverted, one.socket && one.socketInverted]
        const given = [one.uid, one.gid, one.socket || undefined]
        return given.every((value, i) => value === undefined || asked[i] === true)
      }
      if (one.socket && one.socketInverted) return false
      const fits = (range: [number, number] | undefined, inverted: boolean) =>
        !range || (range[0] <= 0 && 0 <= range[1]) !== inverted
      return fits(one.uid, one.uidInverted) && fits(one.gid, one.gidInverted)
    }
  },
}

interface PhysdevInfo {
  in: string
  out: string
  inInverted: boolean
  outInverted: boolean
  flags: [name: string, inverted: boolean][]
}

export const physdev: XtMatch<PhysdevInfo> = {
  kind: 'match',
  name: 'physdev',
  revision: 0,
  help: `physdev match options:
 [!] --physdev-in inputname[+]		bridge port name ([+] for wildcard)
 [!] --physdev-out outputname[+]	bridge port name ([+] for wildcard)
 [!] --physdev-is-in			arrived on a bridge device
 [!] --physdev-is-out			will leave on a bridge device
 [!] --physdev-is-bridged		it's a bridged packet
`,
  options: [
    { name: 'physdev-in', value: 'required', invert: true },
    { name: 'physdev-out', value: 'required', invert: true },
    { name: 'physdev-is-in', value: 'none', invert: true },
    { name: 'physdev-is-out', value: 'none', invert: true },
    { name: 'physdev-is-bridged', value: 'none', invert: true },
  ],
  init: () => ({ in: '', out: '', inInverted: false, outInverted: false, flags: [] }),
  parse(state, option, value, inverted) {
    if (option === 'physdev-in') [state.in, state.inInverted] = [value, inverted]
    else if (option === 'physdev-out') [state.out, state.outInverted] = [value, inverted]
    else state.flags.push([option.slice(8), inverted])
  },
  finish(state, seen) {
    if (seen.size === 0) throw new XtError('PHYSDEV: no physdev option specified')
    return record(state)
  },
  print: (info) => ` PHYSDEV match${physdevText(info as unknown as PhysdevInfo)}`,
  save: (info) => physdevText(info as unknown as PhysdevInfo),
  run(info) {
    const one = info as unknown as PhysdevInfo
    return ({ packet }) => {
      // Bridge ports put themselves here; without one nothing matches but what is inverted.
      const extra = packet.extra as { physIn?: { name: string }; physOut?: { name: string } } | undefined
      const name = (pattern: string, device: { name: string } | undefined, inverted: boolean) => {
        if (pattern === '') return true
        const own = device?.name ?? ''
        const fits = pattern.endsWith('+') ? own.startsWith(pattern.slice(0, -1)) : own === pattern
        return fits !== inverted
      }
      const flags: Record<string, boolean> = {
        'is-in': extra?.physIn !== undefined,
        'is-out': extra?.physOut !== undefined,
        'is-bridged': extra?.physIn !== undefined && extra.physOut !== undefined,
      }
      return (
        name(one.in, extra?.physIn, one.inInverted) &&
        name(one.out, extra?.physOut, one.outInverted) &&
        one.flags.every(([flag, inverted]) => flags[flag] !== inverted)
      )
    }
  },
}

function physdevText(one: PhysdevInfo): string {
  let text = ''
  const flag = (name: string) => {
    const found = one.flags.find(([other]) => other === name)
    if (found) text += `${found[1] ? ' !' : ''} --physdev-${name}`
  }
  flag('is-in')
  if (one.in !== '') text += `${one.inInverted ? ' !' : ''} --physdev-in ${one.in}`
  flag('is-out')
  if (one.out !== '') text += `${one.outInverted ? ' !' : ''} --physdev-out ${one.out}`
  flag('is-bridged')
  return text
}

interface ConnlimitInfo {
  limit: number
  prefix: number
  inverted: boolean
  destination: boolean
}

export const connlimit: XtMatch<ConnlimitInfo> = {
  kind: 'match',
  name: 'connlimit',
  revision: 1,
  help: `connlimit match options:
  --connlimit-upto n     match if the number of existing connections is 0..n
  --connlimit-above n    match if the number of existing connections is >n
  --connlimit-mask n     group hosts using prefix length (default: max len)
  --connlimit-saddr      select source address for grouping
  --connlimit-daddr      select destination addresses for grouping
`,
  options: [
    { name: 'connlimit-upto', value: 'required', invert: true, excludes: ['connlimit-above'] },
    { name: 'connlimit-above', value: 'required', invert: true, excludes: ['connlimit-upto'] },
    { name: 'connlimit-mask', value: 'required' },
    { name: 'connlimit-saddr', value: 'none' },
    { name: 'connlimit-daddr', value: 'none' },
  ],
  init: () => ({ limit: 0, prefix: 32, inverted: false, destination: false }),
  parse(state, option, value, inverted) {
    if (option === 'connlimit-mask') state.prefix = numberOption('connlimit', option, value, 32)
    else if (option === 'connlimit-saddr') state.destination = false
    else if (option === 'connlimit-daddr') state.destination = true
    else {
      state.limit = numberOption('connlimit', option, value)
      state.inverted = (option === 'connlimit-upto') !== inverted
    }
  },
  finish(state, seen) {
    if (!seen.has('connlimit-upto') && !seen.has('connlimit-above')) {
      throw new XtError('You must specify "--connlimit-above" or "--connlimit-upto".')
    }
    return record(state)
  },
  print(info) {
    const one = info as unknown as ConnlimitInfo
    return ` #conn ${one.destination ? 'dst' : 'src'}/${one.prefix} ${one.inverted ? '<=' : '>'} ${one.limit}`
  },
  save(info) {
    const one = info as unknown as ConnlimitInfo
    return ` --connlimit-${one.inverted ? 'upto' : 'above'} ${one.limit} --connlimit-mask ${one.prefix} --connlimit-${one.destination ? 'd' : 's'}addr`
  },
  check(_info, { host }) {
    needConntrack(host)
    return undefined
  },
  run(info, host) {
    const one = info as unknown as ConnlimitInfo
    const mask = one.prefix === 0 ? 0 : maskOf(one.prefix)
    // Connections that this rule has seen, by what they are grouped by. nf_conncount.c.
    const seen = new Map<number, Set<object>>()
    return ({ packet }) => {
      const ct = ctOf(packet)
      if (!ct) return false
      const key = ((one.destination ? packet.dst : packet.src) & mask) >>> 0
      const group = seen.get(key) ?? new Set()
      seen.set(key, group)
      for (const other of group as Set<typeof ct>) {
        const gone =
          (other.status & 0x200) !== 0 || (other.confirmed && other.timeout <= conntrackState.of(host).jiffies)
        // Closed connections that wait for their end don't count.
        if (gone || (other.tcp !== undefined && (other.tcp.state === 7 || other.tcp.state === 8))) group.delete(other)
      }
      group.add(ct)
      return group.size > one.limit !== one.inverted
    }
  },
}

interface ClusterInfo {
  total: number
  mask: number
  seed: number
  inverted: boolean
}

export const cluster: XtMatch<ClusterInfo> = {
  kind: 'match',
  name: 'cluster',
  revision: 0,
  help: `cluster match options:
  --cluster-total-nodes <num>		Set number of total nodes in cluster
  [!] --cluster-local-node <num>	Set the local node number
  [!] --cluster-local-nodemask <num>	Set the local node mask
  --cluster-hash-seed <num>		Set seed value of the Jenkins hash
`,
  options: [
    { name: 'cluster-total-nodes', value: 'required', mandatory: true },
    { name: 'cluster-local-node', value: 'required', invert: true, excludes: ['cluster-local-nodemask'] },
    { name: 'cluster-local-nodemask', value: 'required', invert: true, excludes: ['cluster-local-node'] },
    { name: 'cluster-hash-seed', value: 'required' },
  ],
  init: () => ({ total: 0, mask: 0, seed: 0, inverted: false }),
  parse(state, option, value, inverted) {
    if (option === 'cluster-total-nodes') state.total = numberOption('cluster', option, value, 32, 1)
    else if (option === 'cluster-hash-seed') state.seed = numberOption('cluster', option, value)
    else if (option === 'cluster-local-node') {
      state.mask = 2 ** (numberOption('cluster', option, value, 32, 1) - 1)
      state.inverted = inverted
    } else {
      state.mask = numberOption('cluster', option, value)
      state.inverted = inverted
    }
  },
  finish(state, seen) {
    if (!seen.has('cluster-local-node') && !seen.has('cluster-local-nodemask')) {
      throw new XtError("cluster match: `--cluster-local-node' or`--cluster-local-nodemask' is missing")
    }
    if (!seen.has('cluster-hash-seed')) throw new XtError("cluster match: `--cluster-hash-seed' is missing")
    if (state.total <= 1) throw new XtError('cluster match: minimum is 2 nodes')
    if (state.mask >= 2 ** state.total)
      throw new XtError("cluster match: `--cluster-local-node' must be <= `--cluster-total-nodes'")
    return record(state)
  },
  print(info) {
    const one = info as unknown as ClusterInfo
    return ` cluster ${one.inverted ? '!' : ''}node_mask=${hexPadded(one.mask, 8)} total_nodes=${one.total} hash_seed=${hexPadded(one.seed, 8)}`
  },
  save(info) {
    const one = info as unknown as ClusterInfo
    return `${one.inverted ? ' !' : ''} --cluster-local-nodemask ${hexPadded(one.mask, 8)} --cluster-total-nodes ${one.total} --cluster-hash-seed ${hexPadded(one.seed, 8)}`
  },
  translate(info) {
    const one = info as unknown as ClusterInfo
    const nodes: number[] = []
    for (let i = 0; i < one.total; i++) if (Math.floor(one.mask / 2 ** i) % 2) nodes.push(i)
    const lead = `jhash ct original saddr mod ${one.total} seed ${hexPadded(one.seed, 8)} `
    const tail = ' meta pkttype set host'
    if (nodes.length === 1) return `${lead}${one.inverted ? 'neq' : 'eq'} ${nodes[0]! + 1}${tail}`
    return `${lead}${one.inverted ? '!= ' : ''}{ ${nodes.join(', ')} }${tail}`
  },
  check(_info, { host }) {
    needConntrack(host)
    return undefined
  },
  run(info) {
    const one = info as unknown as ClusterInfo
    return ({ packet }) => {
      // A multicast that this node takes looks like a packet for it from here on.
      const multicast = packet.dst >>> 28 === 14
      if (!multicast && packet.packetType === 2) packet.packetType = 0
      const ct = ctOf(packet)
      if (!ct) return false
      const source = (ct as { master?: typeof ct }).master ?? ct
      const address = source.original.src
      if (typeof address !== 'number') throw new NotModelled('xt_cluster: IPv6')
      // The kernel hashes the address as it stands on the wire, read by a little-endian machine.
      const word = ((address << 24) | ((address & 0xff00) << 8) | ((address >>> 8) & 0xff00) | (address >>> 24)) >>> 0
      const node = Math.floor((jhashWord(word, one.seed) * one.total) / 2 ** 32)
      return (Math.floor(one.mask / 2 ** node) % 2 === 1) !== one.inverted
    }
  },
}
