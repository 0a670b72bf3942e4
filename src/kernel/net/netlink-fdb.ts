/**
 * RTM_{GET,NEW,DEL}NEIGH of AF_BRIDGE: a device's forwarding database, its master's, or the plain lists of addresses that a
 * card receives.
 *
 * Linux 6.1 net/core/rtnetlink.c: rtnl_fdb_add(), rtnl_fdb_del(), rtnl_fdb_dump(), ndo_dflt_fdb_add(), ndo_dflt_fdb_dump().
 */
import type { Host, KernelImage, NetlinkAnswer } from '#kernel/core'
import { isGroupMac } from '#wire/link'
import { multicastMac } from './arp.ts'
import type { NetDevice } from './device.ts'
import { deviceByIndex, devices } from './devices.ts'
import { bridgeHandlers } from './families.ts'
import { groupsOf } from './igmp.ts'
import type { FdbMessage, FdbQuery, FdbRequest } from './netlink-bridge.ts'
import { NO_MESSAGES } from './netlink-link.ts'
import { type Refusal, refuse } from './refusal.ts'

export const NTF_SELF = 0x02
export const NTF_MASTER = 0x04
const LINK_LOCAL = 0x0180c2000000

/** ff02::1, which a device listens to as long as the kernel knows IPv6; and 224.0.0.1 while it is up. */
const ALL_NODES = 0x333300000001

/** The groups that a device receives, in the order in which they were joined. */
export function multicastAddresses(device: NetDevice): number[] {
  if (device.addressLength !== 6 || device.loops) return []
  const groups = [ALL_NODES, ...device.multicastList]
  const listed = groupsOf(device).map((group) => multicastMac(group.address))
  groups.push(...listed.reverse(), ...device.multicastByHand)
  return [...new Set(groups)]
}

/** SIOCADDMULTI and SIOCDELMULTI: a second time adds nothing. Linux 6.1 net/core/dev_addr_lists.c: dev_mc_add_global(). */
export function changeMulticast(device: NetDevice, address: number, add: boolean): 'ENOENT' | undefined {
  const there = device.multicastByHand.includes(address)
  if (add) {
    if (!there) device.multicastByHand = [...device.multicastByHand, address]
  } else {
    if (!there) return 'ENOENT'
    device.multicastByHand = device.multicastByHand.filter((each) => each !== address)
  }
  return undefined
}

/** /proc/net/dev_mcast. Linux 6.1 net/core/net-procfs.c: dev_mc_seq_show(). */
export function formatDevMcast(host: Host): string {
  let text = ''
  for (const device of devices(host)) {
    if (device.looks.hardwareType !== 1) continue
    const joined = [ALL_NODES, ...device.multicastList, ...groupsOf(device).map((group) => multicastMac(group.address))]
    for (const address of multicastAddresses(device)) {
      const byHand = device.multicastByHand.includes(address) ? 1 : 0
      const users = byHand + joined.filter((each) => each === address).length
      const hex = address.toString(16).padStart(12, '0')
      text += `${String(device.ifindex).padEnd(4)} ${device.name.padEnd(15)} ${String(users).padEnd(5)} ${String(byHand).padEnd(5)} ${hex}\n`
    }
  }
  return text
}

/** ndo_dflt_fdb_dump() */
export function addressLists(device: NetDevice): FdbMessage[] {
  if (device.looks.hardwareType !== 1) return []
  return [...new Set(device.unicastList), ...multicastAddresses(device)].map((address) => ({
    type: 'RTM_NEWNEIGH',
    family: 'AF_BRIDGE',
    ifindex: device.ifindex,
    address,
    state: 'PERMANENT',
    flags: NTF_SELF,
  }))
}

/** What a NEW and a DEL check alike. */
function check(host: Host, request: FdbRequest, what: string): NetDevice | Refusal {
  if (request.ifindex === 0) return refuse('EINVAL', 'invalid ifindex')
  const device = deviceByIndex(host, request.ifindex)
  if (device === undefined) return refuse('ENODEV', 'unknown ifindex')
  if (request.address === undefined) return refuse('EINVAL', 'invalid address')
  if (device.looks.hardwareType !== 1) {
    return refuse('EINVAL', `FDB ${what} only supported for Ethernet devices`)
  }
  if (request.vlan !== undefined && (request.vlan === 0 || request.vlan >= 4095))
    return refuse('EINVAL', 'invalid vlan id')
  return device
}

function bridgeMaster(device: NetDevice): NetDevice | undefined {
  return device.master?.driver?.fdbDump === undefined ? undefined : device.master
}

/** First the master, then the device itself, as far as the flags ask for them. */
function apply(host: Host, request: FdbRequest, what: 'add' | 'delete'): Refusal | undefined {
  const device = check(host, request, what)
  if ('errno' in device) return device
  const vid = request.vlan ?? 0
  const master = bridgeMaster(device)
  let done = false
  if ((request.flags === 0 || request.flags & NTF_MASTER) && master !== undefined) {
    const { driver } = master
    const refusal = what === 'add' ? driver!.fdbAdd!(request, device, vid) : driver!.fdbDelete!(request, device, vid)
    if (refusal !== undefined) return refusal
    done = true
  }
  if (request.flags & NTF_SELF) {
    const { driver } = device
    if (what === 'add') return driver?.fdbAdd ? driver.fdbAdd(request, device, vid) : addPlain(request, device)
    return driver?.fdbDelete ? driver.fdbDelete(request, device, vid) : deletePlain(request, device)
  }
  return done ? undefined : refuse('EOPNOTSUPP')
}

/** ndo_dflt_fdb_add() */
function addPlain(request: FdbRequest, device: NetDevice): Refusal | undefined {
  if (request.state !== 'PERMANENT' || request.vlan) return refuse('EINVAL')
  const address = request.address!
  const unicast = !isGroupMac(address) || (address >= LINK_LOCAL && address < LINK_LOCAL + 16)
  const list = unicast ? device.unicastList : device.multicastList
  if (list.includes(address)) return request.exclusive ? refuse('EEXIST') : undefined
  if (unicast) device.addUnicast(address)
  else device.multicastList = [...list, address]
  return undefined
}

function deletePlain(request: FdbRequest, device: NetDevice): Refusal | undefined {
  if (request.state !== 'PERMANENT') return refuse('EINVAL')
  const address = request.address!
  if (!device.unicastList.includes(address) && !device.multicastList.includes(address)) return refuse('ENOENT')
  device.removeUnicast(address)
  device.multicastList = device.multicastList.filter((each) => each !== address)
  return undefined
}

/** rtnl_fdb_dump(): device by device what its bridge knows behind it, then what is its own. */
function dump(host: Host, query: FdbQuery): NetlinkAnswer {
  const bridge = query.bridge ? deviceByIndex(host, query.bridge) : undefined
  if (query.bridge && bridge === undefined) return refuse('ENODEV')
  const messages: FdbMessage[] = []
  for (const device of devices(host)) {
    if (query.port && device.ifindex !== query.port) continue
    const master = bridgeMaster(device)
    if (bridge !== undefined && device !== bridge && master !== bridge) continue
    if (master !== undefined) messages.push(...master.driver!.fdbDump!(master, device))
    const { driver } = device
    messages.push(...(driver?.fdbDump ? driver.fdbDump(device, undefined) : addressLists(device)))
  }
  return { ok: true, messages }
}

/** rtnl_fdb_get() */
function get(host: Host, query: FdbQuery): NetlinkAnswer {
  const address = query.address!
  if (query.port === undefined && query.bridge === undefined) return refuse('EINVAL', 'No device specified')
  let device = query.port === undefined ? undefined : deviceByIndex(host, query.port)
  if (query.port !== undefined && device === undefined) return refuse('ENODEV', 'Unknown device ifindex')
  const bridge = query.bridge === undefined ? undefined : deviceByIndex(host, query.bridge)
  if (query.bridge !== undefined && bridge === undefined) return refuse('EINVAL', 'Invalid master ifindex')
  if (bridge !== undefined) device = bridge
  else if (device !== undefined && !query.self) device = bridgeMaster(device)
  if (device?.driver?.fdbGet === undefined) return refuse('EOPNOTSUPP', 'Get operation not supported by device')
  const found = device.driver.fdbGet(device, address, query.vlan ?? 0)
  return found === undefined ? refuse('ENOENT', 'Fdb entry not found') : { ok: true, messages: [found] }
}

/** Installs the answers to AF_BRIDGE's neighbour messages. */
export function installFdb(image: KernelImage): void {
  const handlers = bridgeHandlers(image)
  handlers.set('RTM_NEWNEIGH', (host, message) => apply(host, message as FdbRequest, 'add') ?? NO_MESSAGES)
  handlers.set('RTM_DELNEIGH', (host, message) => apply(host, message as FdbRequest, 'delete') ?? NO_MESSAGES)
  handlers.set('RTM_GETNEIGH', (host, message) => {
    const query = message as FdbQuery
    return query.address === undefined ? dump(host, query) : get(host, query)
  })
}
