/** `bridge fdb`. iproute2 6.1 bridge/fdb.c */
import { NotModelled } from '#base/check'
import type { FdbMessage, FdbQuery, FdbRequest, NeighbourState, NewFlags } from '#kernel/net'
import { formatMac, parseMac } from '#wire/link'
import type { Session } from './session.ts'
import { abbreviates, duplicate, noDevice, parseUnsigned, Refusal, type Words, wrongArgument } from './words.ts'

const NTF_USE = 0x01
const NTF_SELF = 0x02
const NTF_MASTER = 0x04
const NTF_ROUTER = 0x80
const NTF_EXT_LEARNED = 0x10
const NTF_OFFLOADED = 0x20
const NTF_STICKY = 0x40
const FAILED = 255

/** What an entry's state is called. */
const STATES: Partial<Record<NeighbourState, string>> = {
  PERMANENT: 'permanent',
  NOARP: 'static',
  STALE: 'stale',
  REACHABLE: '',
}

const FLAGS: [bit: number, name: string][] = [
  [NTF_SELF, 'self'],
  [NTF_ROUTER, 'router'],
  [NTF_EXT_LEARNED, 'extern_learn'],
  [NTF_OFFLOADED, 'offload'],
  [NTF_MASTER, 'master'],
  [NTF_STICKY, 'sticky'],
]

function showOne(session: Session, entry: FdbMessage, device: boolean): void {
  const { out, options } = session
  out.openObject()
  const mac = formatMac(entry.address)
  out.field('mac', mac, `${mac} `)
  if (device && entry.ifindex) {
    const name = session.deviceName(entry.ifindex)
    out.field('ifname', name, `dev ${name} `)
  }
  if (entry.dst !== undefined) out.field('dst', entry.dst, `dst ${entry.dst} `)
  const number = (key: string, word: string, value: number | undefined) => {
    if (value !== undefined) out.field(key, value, `${word} ${value} `)
  }
  number('vlan', 'vlan', entry.vlan)
  number('port', 'port', entry.port)
  number('vni', 'vni', entry.vni)
  number('src_vni', 'src_vni', entry.srcVni)
  if (entry.linkIfindex !== undefined) {
    if (entry.linkNetnsId !== undefined) number('viaIfIndex', 'via ifindex', entry.linkIfindex)
    else out.field('viaIf', session.deviceName(entry.linkIfindex), `via ${session.deviceName(entry.linkIfindex)} `)
  }
  number('nhid', 'nhid', entry.nexthopId)
  number('linkNetNsId', 'link-netnsid', entry.linkNetnsId)
  if (options.stats && entry.usedS !== undefined) {
    out.json('used', entry.usedS)
    out.json('updated', entry.updatedS ?? 0)
    out.text(`used ${entry.usedS}/${entry.updatedS ?? 0} `)
  }
  out.openArray('flags')
  for (const [bit, name] of FLAGS) if (entry.flags & bit) out.field(undefined, name, `${name} `)
  out.close()
  if (entry.master !== undefined) {
    const master = session.deviceName(entry.master)
    out.field('master', master, `master ${master} `)
  }
  const state = STATES[entry.state] ?? entry.state.toLowerCase()
  out.field('state', state, `${state}\n`)
  out.close()
}

const WORDS: [word: string, state: NeighbourState | 'all'][] = [
  ['permanent', 'PERMANENT'],
  ['static', 'NOARP'],
  ['temp', 'NOARP'],
  ['stale', 'STALE'],
  ['reachable', 'REACHABLE'],
  ['dynamic', 'REACHABLE'],
]

/** `bridge fdb show`. */
export function showFdb(session: Session, words: Words): number {
  let port: string | undefined
  let bridge: string | undefined
  let vlan = 0
  let dynamic = false
  const states = new Set<string>()
  for (; words.more; words.advance()) {
    const word = words.current
    if (word === 'brport' || word === 'dev') port = words.value()
    else if (word === 'br') bridge = words.value()
    else if (word === 'vlan') {
      if (vlan) throw duplicate('vlan', words.value())
      vlan = Number.parseInt(words.value(), 10) || 0
    } else if (word === 'state') {
      const state = words.value()
      const known = WORDS.find(([name]) => abbreviates(state, name))?.[1]
      if (state === 'all') for (const each of Object.keys(STATES)) states.add(each)
      else if (known === undefined) throw wrongArgument(state, 'invalid state')
      else states.add(known)
    } else if (word === 'dynamic') dynamic = true
  }
  const query: FdbQuery = { type: 'RTM_GETNEIGH', family: 'AF_BRIDGE' }
  if (bridge !== undefined) {
    const index = session.findDevice(bridge)
    if (index === undefined) throw new Refusal(`Cannot find bridge device "${bridge}"\n`, FAILED)
    query.bridge = index
  }
  if (port !== undefined) {
    const index = session.findDevice(port)
    if (index === undefined) throw noDevice(port)
    query.port = index
  }
  const { out, options } = session
  out.begin(options.json)
  for (const entry of session.ask<FdbMessage>(query)) {
    if (query.port !== undefined && entry.ifindex !== query.port) continue
    if (states.size > 0 && !states.has(entry.state)) continue
    if ((vlan && entry.vlan !== vlan) || (dynamic && entry.state === 'PERMANENT')) continue
    showOne(session, entry, query.port === undefined)
  }
  out.end()
  return 0
}

function macOf(text: string): number {
  const mac = parseMac(text)
  if (mac === undefined) throw new Refusal(`Invalid mac address ${text}\n`, FAILED)
  return mac
}

/** `bridge fdb add`, `append`, `replace`, and without flags `del`. */
export function changeFdb(session: Session, words: Words, flags: NewFlags | undefined): number {
  let name: string | undefined
  let address: string | undefined
  const bits = { flags: 0, permanent: false, reachable: false, noarp: true }
  const request: Partial<FdbRequest> = { type: flags ? 'RTM_NEWNEIGH' : 'RTM_DELNEIGH', family: 'AF_BRIDGE', ...flags }
  const vni = (text: string, what: string) => {
    const value = parseUnsigned(text, 0xffffff)
    if (value === undefined) throw wrongArgument(text, `invalid ${what}\n`)
    return value
  }
  for (; words.more; words.advance()) {
    const word = words.current
    if (word === 'dev') name = words.value()
    else if (word === 'dst') {
      if (request.dst !== undefined) throw duplicate('dst', words.value())
      request.dst = words.value()
    } else if (word === 'nhid') throw new NotModelled('bridge fdb: nhid')
    else if (word === 'port') {
      request.port = parseUnsigned(words.value(), 0xffff)
      if (request.port === undefined) throw wrongArgument(words.current, 'invalid port\n')
    } else if (word === 'vni') request.vni = vni(words.value(), 'VNI')
    else if (word === 'src_vni') request.srcVni = vni(words.value(), 'src VNI')
    else if (word === 'via') request.via = session.device(words.value())
    else if (word === 'self') bits.flags |= NTF_SELF
    else if (abbreviates(word, 'master')) bits.flags |= NTF_MASTER
    else if (abbreviates(word, 'router')) bits.flags |= NTF_ROUTER
    else if (abbreviates(word, 'local') || abbreviates(word, 'permanent')) bits.permanent = true
    else if (abbreviates(word, 'temp') || abbreviates(word, 'static')) bits.reachable = true
    else if (abbreviates(word, 'dynamic')) {
      bits.reachable = true
      bits.noarp = false
    } else if (abbreviates(word, 'vlan')) {
      if (request.vlan !== undefined) throw duplicate('vlan', words.value())
      request.vlan = (Number.parseInt(words.value(), 10) || 0) & 0xffff
    } else if (abbreviates(word, 'use')) bits.flags |= NTF_USE
    else if (abbreviates(word, 'extern_learn')) bits.flags |= NTF_EXT_LEARNED
    else if (abbreviates(word, 'sticky')) bits.flags |= NTF_STICKY
    else {
      if (word === 'to') words.value()
      if (address !== undefined) throw duplicate('to', words.current)
      address = words.current
    }
  }
  if (name === undefined || address === undefined) {
    throw new Refusal('Device and address are required arguments.\n', FAILED)
  }
  if (!(bits.flags & (NTF_SELF | NTF_MASTER))) bits.flags |= NTF_SELF
  if (!bits.permanent && !bits.reachable) bits.permanent = true
  request.address = macOf(address)
  const ifindex = session.findDevice(name)
  if (ifindex === undefined) throw noDevice(name)
  request.ifindex = ifindex
  request.flags = bits.flags
  request.state = bits.permanent ? 'PERMANENT' : bits.noarp ? 'NOARP' : 'REACHABLE'
  session.ask(request as FdbRequest)
  return 0
}

/** A refusal is -2 to it. */
function answered(session: Session, query: FdbQuery): FdbMessage[] {
  try {
    return session.ask<FdbMessage>(query)
  } catch (refusal) {
    if (refusal instanceof Refusal) throw new Refusal(refusal.message, 254)
    throw refusal
  }
}

/** `bridge fdb get`. */
export function getFdb(session: Session, words: Words): number {
  let name: string | undefined
  let bridge: string | undefined
  let address: string | undefined
  const query: FdbQuery = { type: 'RTM_GETNEIGH', family: 'AF_BRIDGE' }
  for (; words.more; words.advance()) {
    const word = words.current
    if (word === 'brport' || word === 'dev') name = words.value()
    else if (word === 'br') bridge = words.value()
    else if (word === 'vni') throw new NotModelled('bridge fdb get: vni')
    else if (word === 'self') query.self = true
    else if (abbreviates(word, 'master')) query.self = false
    else if (abbreviates(word, 'vlan')) query.vlan = Number.parseInt(words.value(), 10) || 0
    else if (abbreviates(word, 'dynamic')) continue
    else {
      if (word === 'to') words.value()
      if (address !== undefined) throw duplicate('to', words.current)
      address = words.current
    }
  }
  if ((name === undefined && bridge === undefined) || address === undefined) {
    throw new Refusal('Device or master and address are required arguments.\n', FAILED)
  }
  query.address = macOf(address)
  if (name !== undefined) {
    const index = session.findDevice(name)
    if (index === undefined) throw new Refusal(`Cannot find device "${name}"\n`, FAILED)
    query.port = index
  }
  if (bridge !== undefined) {
    const index = session.findDevice(bridge)
    if (index === undefined) throw new Refusal(`Cannot find bridge device "${bridge}"\n`, FAILED)
    query.bridge = index
  }
  const { out, options } = session
  const found = answered(session, query)
  out.begin(options.json)
  for (const entry of found) showOne(session, entry, true)
  out.end()
  return 0
}
