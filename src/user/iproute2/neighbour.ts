/** `ip neighbour`. iproute2 6.1 ip/ipneigh.c */
import { NotModelled } from '#base/check'
import type {
  Neighbour6Message,
  Neighbour6Request,
  NeighbourMessage,
  NeighbourRequest,
  NeighbourState,
  NewFlags,
} from '#kernel/net'
import { formatMac } from '#wire/link'
import { neighbourHelp } from './help.ts'
import { address, addressOf, covers, type IpAddress, linkAddress, type Prefix, prefix } from './prefix.ts'
import type { Session } from './session.ts'
import {
  abbreviates,
  duplicate,
  duplicateOrGarbage,
  EXIT_USAGE,
  parseUnsigned,
  Refusal,
  type Words,
  wrongArgument,
} from './words.ts'

/** NTF_*. Linux 6.1 include/uapi/linux/neighbour.h */
const NTF_USE = 0x01
const NTF_PROXY = 0x08
const NTF_EXT_LEARNED = 0x10
const NTF_OFFLOADED = 0x20
const NTF_ROUTER = 0x80

/** NUD_* in the order of their bits, from 1. */
const STATES: NeighbourState[] = ['INCOMPLETE', 'REACHABLE', 'STALE', 'DELAY', 'PROBE', 'FAILED', 'NOARP', 'PERMANENT']
const ABBREVIATED: NeighbourState[] = ['PERMANENT', 'REACHABLE', 'FAILED']

function parseState(word: string): NeighbourState | undefined {
  const name = [...STATES, 'NONE' as const].find((state) =>
    ABBREVIATED.includes(state) ? abbreviates(word, state.toLowerCase()) : word === state.toLowerCase(),
  )
  if (name) return name
  const bits = parseUnsigned(word, 0xff)
  if (bits === undefined || bits & (bits - 1)) return undefined
  return bits === 0 ? 'NONE' : STATES[Math.log2(bits)]
}

type AnyNeighbour = NeighbourMessage | Neighbour6Message

interface NeighbourFilter {
  ifindex: number
  states: Set<NeighbourState>
  prefix: Prefix | undefined
  unused: boolean
  proxy: boolean
  protocol: number
}

function parseFilter(session: Session, words: Words, flush: boolean): NeighbourFilter {
  const all: NeighbourState[] = [...STATES, 'NONE']
  const filter: NeighbourFilter = {
    ifindex: 0,
    // Entries in no state are only shown when asked for; a flush leaves alone what is fixed.
    states: new Set(all.filter((state) => state !== 'NOARP' && state !== 'NONE' && !(flush && state === 'PERMANENT'))),
    prefix: undefined,
    unused: false,
    proxy: false,
    protocol: 0,
  }
  if (flush) filter.states.add('NONE')
  let device: string | undefined
  let statesGiven = false
  for (; words.more; words.advance()) {
    const word = words.current
    if (word === 'dev') {
      words.value()
      if (device !== undefined) throw duplicate('dev', words.current)
      device = words.current
    } else if (word === 'master' || word === 'nomaster') throw new NotModelled(`ip neigh show ${word}`)
    else if (word === 'vrf') throw wrongArgument(words.value(), 'Not a valid VRF name\n')
    else if (word === 'unused') filter.unused = true
    else if (word === 'nud') {
      const name = words.value()
      const state = parseState(name)
      if (!state && name !== 'all') throw wrongArgument(name, 'nud state is bad')
      if (!statesGiven) filter.states.clear()
      statesGiven = true
      for (const one of state ? [state] : all) if (!(flush && !state && one === 'NOARP')) filter.states.add(one)
    } else if (word === 'proxy') filter.proxy = true
    else if (abbreviates(word, 'protocol')) {
      const protocol = session.names.parseProtocol(words.value())
      if (protocol === undefined && words.current !== 'all') throw wrongArgument(words.current, 'invalid "protocol"\n')
      filter.protocol = protocol ?? 0
    } else {
      if (word === 'to') words.value()
      if (abbreviates(words.current, 'help')) throw new Refusal(neighbourHelp, EXIT_USAGE)
      filter.prefix = prefix(words.current, session.options.family)
    }
  }
  if (device !== undefined) filter.ifindex = session.device(device)
  return filter
}

function dump(session: Session, filter: NeighbourFilter): AnyNeighbour[] {
  const family = filter.prefix?.hasAddress ? filter.prefix.family : session.options.family
  if (['link', 'bridge', 'mpls'].includes(family)) return []
  const asked = family === 'inet' ? { family: 'AF_INET' } : family === 'inet6' ? { family: 'AF_INET6' } : {}
  const request = { type: 'RTM_GETNEIGH', ...asked } as NeighbourRequest & { type: 'RTM_GETNEIGH' }
  if (filter.ifindex) request.ifindex = filter.ifindex
  if (filter.proxy) request.proxy = true
  return session.ask<AnyNeighbour>(request).filter((entry) => {
    if (filter.ifindex && filter.ifindex !== entry.ifindex) return false
    if (!filter.states.has(entry.state) && !(entry.flags & (NTF_PROXY | NTF_EXT_LEARNED))) return false
    if (filter.prefix && !covers(filter.prefix, entry.dst)) return false
    if (filter.protocol && filter.protocol !== (entry.protocol ?? 0)) return false
    return !(filter.unused && entry.references > 0)
  })
}

/** `ip neigh show`. */
export function showNeighbours(session: Session, words: Words): number {
  const filter = parseFilter(session, words, false)
  const entries = dump(session, filter)
  session.out.begin(session.options.json)
  for (const entry of entries) showNeighbour(session, entry, filter.ifindex === 0)
  session.out.end()
  return 0
}

export function showNeighbour(session: Session, entry: AnyNeighbour, withDevice: boolean): void {
  const { out, options, names } = session
  const { brief } = options
  const host = session.host(entry.dst)
  const device = session.deviceName(entry.ifindex)
  out.openObject()
  out.field('dst', host, brief ? `${host.padEnd(39)} ` : `${host} `)
  if (withDevice && entry.ifindex) out.field('dev', device, brief ? `${device.padEnd(16)} ` : `dev ${device} `)
  if (entry.lladdr !== undefined) {
    const mac = formatMac(entry.lladdr)
    out.field('lladdr', mac, brief ? mac : `lladdr ${mac} `)
  }
  if (!brief) {
    const word = (bit: number, name: string) => {
      if (entry.flags & bit) out.field(name, null, `${name} `)
    }
    word(NTF_ROUTER, 'router')
    word(NTF_PROXY, 'proxy')
    word(NTF_EXT_LEARNED, 'extern_learn')
    word(NTF_OFFLOADED, 'offload')
    // Proxy entries have no times of their own.
    if (options.stats && !(entry.flags & NTF_PROXY)) {
      if (entry.references) out.field('refcnt', entry.references, ` ref ${entry.references}`)
      out.field('used', entry.usedS, ` used ${entry.usedS}`)
      out.field('confirmed', entry.confirmedS, `/${entry.confirmedS}`)
      out.field('updated', entry.updatedS, `/${entry.updatedS}`)
      out.field('probes', entry.probes, `probes ${entry.probes} `)
    }
    if (entry.state !== 'NONE') {
      out.openArray('state')
      out.field(undefined, entry.state, `${entry.state} `)
      out.close()
    }
    if (entry.protocol)
      out.field('protocol', names.protocol(entry.protocol), `proto ${names.protocol(entry.protocol)} `)
  }
  out.text('\n')
  out.close()
}

const MAX_ROUNDS = 10

/** `ip neigh flush`: what is neither permanent nor noarp, unless states are named. */
export function flushNeighbours(session: Session, words: Words): number {
  const { options, out } = session
  if (!words.more) throw new Refusal('Flush requires arguments.\n', 1)
  const filter = parseFilter(session, words, true)
  for (let round = 0; round < MAX_ROUNDS; ) {
    const entries = dump(session, filter)
    if (options.stats > 1) for (const entry of entries) showNeighbour(session, entry, filter.ifindex === 0)
    if (entries.length === 0) {
      if (options.stats) {
        out.raw(
          round === 0
            ? 'Nothing to flush.\n'
            : `*** Flush is complete after ${round} round${round > 1 ? 's' : ''} ***\n`,
        )
      }
      return 0
    }
    round++
    for (const { family, ifindex, dst, flags } of entries) {
      session.ask({ type: 'RTM_DELNEIGH', family, ifindex, dst, flags } as NeighbourRequest)
    }
    if (options.stats) out.raw(`\n*** Round ${round}, deleting ${entries.length} entries ***\n`)
    // What was deleted while in use stays for a moment, as failed.
    filter.states.delete('FAILED')
  }
  out.raw(`*** Flush not complete bailing out after ${MAX_ROUNDS} rounds\n`)
  return 255
}

/** flags undefined: delete. */
export function changeNeighbour(session: Session, words: Words, flags: NewFlags | undefined): number {
  const { options, names } = session
  let device: string | undefined
  let destination: IpAddress | undefined
  let anyDevice = false
  let link: string | undefined
  let state: NeighbourState = 'PERMANENT'
  let bits = 0
  let protocol: number | undefined
  const takeDestination = (key: 'address' | 'to') => {
    if (destination !== undefined)
      throw key === 'to' ? duplicateOrGarbage(key, words.current) : duplicate(key, words.current)
    const parsed = address(words.current, options.family)
    if (parsed.hasAddress) destination = addressOf(parsed)
  }
  for (; words.more; words.advance()) {
    const word = words.current
    if (abbreviates(word, 'lladdr')) {
      words.value()
      if (link !== undefined) throw duplicate('lladdr', words.current)
      link = words.current
    } else if (word === 'nud') {
      const parsed = parseState(words.value())
      if (!parsed) throw wrongArgument(words.current, 'nud state is bad')
      state = parsed
    } else if (abbreviates(word, 'proxy')) {
      if (abbreviates(words.value(), 'help')) throw new Refusal(neighbourHelp, EXIT_USAGE)
      takeDestination('address')
      anyDevice = true
      bits |= NTF_PROXY
    } else if (word === 'router') bits |= NTF_ROUTER
    else if (word === 'use') bits |= NTF_USE
    else if (word === 'managed') throw new NotModelled('managed neighbours')
    else if (abbreviates(word, 'extern_learn')) bits |= NTF_EXT_LEARNED
    else if (word === 'dev') device = words.value()
    else if (abbreviates(word, 'protocol')) {
      protocol = names.parseProtocol(words.value())
      if (protocol === undefined) throw wrongArgument(words.current, '"protocol" value is invalid\n')
    } else {
      if (word === 'to') words.value()
      if (abbreviates(words.current, 'help')) words.value()
      takeDestination('to')
    }
  }
  if ((device === undefined && !anyDevice) || destination === undefined) {
    throw new Refusal('Device and destination are required arguments.\n', EXIT_USAGE)
  }
  const bytes = link === undefined || link === 'null' ? undefined : linkAddress(link)
  const ifindex = device === undefined ? 0 : session.device(device)
  if (!flags) {
    session.ask({
      type: 'RTM_DELNEIGH',
      ...target(destination),
      ifindex,
      ...(bits && { flags: bits }),
    } as NeighbourRequest)
    return 0
  }
  const request = {
    type: 'RTM_NEWNEIGH',
    ...target(destination),
    ifindex,
    state,
    ...flags,
  } as Extract<NeighbourRequest | Neighbour6Request, { type: 'RTM_NEWNEIGH' }>
  if (bytes?.length === 6) request.lladdr = bytes.reduce((mac, byte) => mac * 256 + byte, 0)
  else if (bytes) request.lladdrBytes = bytes
  if (bits) request.flags = bits
  if (protocol !== undefined) request.protocol = protocol
  session.ask(request)
  return 0
}

function target(dst: IpAddress) {
  return typeof dst === 'number' ? { family: 'AF_INET' as const, dst } : { family: 'AF_INET6' as const, dst }
}

/** `ip neigh get`. */
export function getNeighbour(session: Session, words: Words): number {
  let device: string | undefined
  let destination: IpAddress | undefined
  let proxy = false
  for (; words.more; words.advance()) {
    const word = words.current
    if (word === 'dev') device = words.value()
    else {
      proxy ||= abbreviates(word, 'proxy')
      if (proxy || word === 'to') words.value()
      if (abbreviates(words.current, 'help')) throw new Refusal(neighbourHelp, EXIT_USAGE)
      if (destination !== undefined)
        throw proxy ? duplicate('address', words.current) : duplicateOrGarbage('to', words.current)
      destination = addressOf(address(words.current, session.options.family))
    }
  }
  if ((device === undefined && !proxy) || destination === undefined) {
    throw new Refusal('Device and address are required arguments.\n', 1)
  }
  const request = { type: 'RTM_GETNEIGH', get: true, ...target(destination) } as Extract<
    NeighbourRequest,
    { type: 'RTM_GETNEIGH' }
  >
  if (proxy) request.proxy = true
  if (device !== undefined) request.ifindex = session.device(device)
  for (const entry of session.ask<AnyNeighbour>(request)) showNeighbour(session, entry, true)
  return 0
}
