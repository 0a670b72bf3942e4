/**
 * `bridge fdb`: entries added, deleted and shown.
 *
 * Linux 6.1 net/bridge/br_fdb.c: br_fdb_add(), br_fdb_delete(), br_fdb_dump(), fdb_fill_info().
 */
import { addressLists, type FdbMessage, type FdbRequest, HZ, type NetDevice, type Refusal, refuse } from '#kernel/net'
import { type Bridge, type BridgePort, bridgeOf, FORWARDING, LEARNING, portOf } from './bridge.ts'
import type { FdbEntry } from './fdb.ts'

const NTF_USE = 0x01
const NTF_EXT_LEARNED = 0x10
const NTF_STICKY = 0x40

function stateOf(bridge: Bridge, entry: FdbEntry): FdbMessage['state'] {
  if (entry.local) return 'PERMANENT'
  if (entry.isStatic) return 'NOARP'
  return bridge.fdb.hasExpired(entry) ? 'STALE' : 'REACHABLE'
}

function messageOf(bridge: Bridge, entry: FdbEntry): FdbMessage {
  const { now } = bridge.fdb
  const seconds = (since: number) => Math.floor(Math.floor(((now - since) * 100) / HZ) / 100)
  const message: FdbMessage = {
    type: 'RTM_NEWNEIGH',
    family: 'AF_BRIDGE',
    ifindex: (entry.port?.device ?? bridge.device).ifindex,
    address: entry.mac,
    state: stateOf(bridge, entry),
    flags: (entry.extLearned ? NTF_EXT_LEARNED : 0) | (entry.sticky ? NTF_STICKY : 0),
    master: bridge.device.ifindex,
    usedS: seconds(entry.used),
    updatedS: seconds(entry.updated),
  }
  if (entry.vid !== 0) message.vlan = entry.vid
  return message
}

/** br_fdb_dump() */
export function dumpEntries(device: NetDevice, behind: NetDevice | undefined): FdbMessage[] {
  const bridge = bridgeOf(device)!
  const wanted = bridge.fdb.entries().filter((entry) => entry.port?.device === behind)
  const messages = wanted.map((entry) => messageOf(bridge, entry))
  return behind === undefined ? [...addressLists(device), ...messages] : messages
}

/** br_fdb_get() */
export function getEntry(device: NetDevice, address: number, vid: number): FdbMessage | undefined {
  const bridge = bridgeOf(device)!
  const entry = bridge.fdb.find(address, vid)
  return entry && messageOf(bridge, entry)
}

interface Place {
  bridge: Bridge
  port: BridgePort | undefined
}

/** The device that was named is a bridge or a port of one. */
function placeOf(device: NetDevice, what: string): Place | Refusal {
  const bridge = bridgeOf(device)
  if (bridge !== undefined) return { bridge, port: undefined }
  const port = portOf(device)
  if (port !== undefined) return { bridge: port.bridge, port }
  device.host.log(6, `bridge: ${what} ${device.name} not a bridge port`)
  return refuse('EINVAL')
}

export function addEntry(request: FdbRequest, device: NetDevice, vid: number): Refusal | undefined {
  const place = placeOf(device, 'RTM_NEWNEIGH')
  if ('errno' in place) return place
  const { bridge, port } = place
  if (!['PERMANENT', 'NOARP', 'REACHABLE'].includes(request.state) || request.address === 0) {
    if (request.address === 0) device.host.log(6, 'bridge: RTM_NEWNEIGH with invalid ether address')
    return refuse('EINVAL')
  }
  const group = port?.vlans ?? bridge.vlans
  if (vid !== 0) {
    if (group.usable(vid) !== undefined) return addOne(request, bridge, port, vid)
    device.host.log(6, `bridge: RTM_NEWNEIGH with unconfigured vlan ${vid} on ${device.name}`)
    return refuse('EINVAL')
  }
  let refusal = addOne(request, bridge, port, 0)
  for (const vlan of group.list) {
    if (refusal !== undefined) break
    if (vlan.use) refusal = addOne(request, bridge, port, vlan.vid)
  }
  return refusal
}

/** __br_fdb_add() */
function addOne(request: FdbRequest, bridge: Bridge, port: BridgePort | undefined, vid: number): Refusal | undefined {
  const mac = request.address!
  if (request.flags & NTF_USE) {
    if (port === undefined) return refuse('EINVAL')
    if (port.state === LEARNING || port.state === FORWARDING) bridge.fdb.learn(port, mac, vid, true)
    return undefined
  }
  if (request.flags & NTF_EXT_LEARNED) {
    if (port === undefined && request.state !== 'PERMANENT') {
      return refuse('EINVAL', 'bridge: FDB entry towards bridge must be permanent')
    }
    const entry = bridge.fdb.find(mac, vid) ?? bridge.fdb.create(mac, vid, port)
    Object.assign(entry, { port, extLearned: true, byUser: true, updated: bridge.fdb.now })
    if (port === undefined) entry.local = true
    return undefined
  }
  return setEntry(request, bridge, port, vid)
}

/** fdb_add_entry() */
function setEntry(request: FdbRequest, bridge: Bridge, port: BridgePort | undefined, vid: number): Refusal | undefined {
  const mac = request.address!
  const { state } = request
  const sticky = (request.flags & NTF_STICKY) !== 0
  const learns = port !== undefined && (port.state === LEARNING || port.state === FORWARDING)
  if (port !== undefined && state === 'REACHABLE' && !learns) return refuse('EPERM')
  if (port === undefined && state !== 'PERMANENT') {
    bridge.device.host.log(6, `bridge: RTM_NEWNEIGH ${bridge.device.name} without NUD_PERMANENT`)
    return refuse('EINVAL')
  }
  if (sticky && state === 'PERMANENT') return refuse('EINVAL')
  let entry = bridge.fdb.find(mac, vid)
  if (entry === undefined) {
    if (!request.create) return refuse('ENOENT')
    entry = bridge.fdb.create(mac, vid, port)
  } else if (request.exclusive) return refuse('EEXIST')
  const before = `${entry.port?.number} ${entry.local} ${entry.isStatic} ${entry.sticky}`
  entry.port = port
  entry.local = state === 'PERMANENT'
  entry.isStatic = state !== 'REACHABLE'
  entry.sticky = sticky
  entry.byUser = true
  entry.used = bridge.fdb.now
  if (before !== `${entry.port?.number} ${entry.local} ${entry.isStatic} ${entry.sticky}`) entry.updated = entry.used
  return undefined
}

export function deleteEntry(request: FdbRequest, device: NetDevice, vid: number): Refusal | undefined {
  const place = placeOf(device, 'RTM_DELNEIGH')
  if ('errno' in place) return place
  const { bridge, port } = place
  const group = port?.vlans ?? bridge.vlans
  if (vid !== 0 && group.get(vid) === undefined) {
    device.host.log(6, `bridge: RTM_DELNEIGH with unconfigured vlan ${vid} on ${device.name}`)
    return refuse('EINVAL')
  }
  const vids = vid !== 0 ? [vid] : [0, ...group.list.filter((vlan) => vlan.use).map((vlan) => vlan.vid)]
  let found = false
  for (const each of vids) {
    const entry = bridge.fdb.find(request.address!, each)
    if (entry === undefined || entry.port !== port) continue
    bridge.fdb.delete(entry)
    found = true
  }
  return found ? undefined : refuse('ENOENT')
}
