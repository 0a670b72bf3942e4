/**
 * RTM_{GET,NEW,SET,DEL}LINK: what `ip link` asks for and sets.
 *
 * Linux 6.1 net/core/rtnetlink.c: rtnl_fill_ifinfo(), do_setlink(); net/core/dev.c: dev_change_name(),
 * __dev_change_flags(), dev_set_mtu_ext(), dev_change_tx_queue_len().
 */
import { NotModelled } from '#base/check'
import { type Host, type NetlinkAnswer, netnsByReference } from '#kernel/core'
import { IFF_ALLMULTI, IFF_MULTICAST, IFF_NOARP, IFF_PROMISC, IFF_UP, NET_ADDR_SET, NetDevice } from './device.ts'
import { addressChanged, flagsChanged, mtuChanged, setDeviceUp } from './device-events.ts'
import { chooseDeviceName, deviceByIndex, deviceByName, devices, netState, renameDevice } from './devices.ts'
import { IPV4_MIN_MTU } from './inetdev.ts'
import { type LinkKind, linkKinds, type NewLinkRequest } from './link-kinds.ts'
import type { LinkFields, LinkMessage, LinkRequest } from './netlink.ts'
import { notifyNetdev } from './notifiers.ts'
import { type Refusal, refuse } from './refusal.ts'
import { setMaster } from './stacking.ts'
import { moveToNetns, unregisterDevices } from './unregister.ts'

export { type Refusal, refuse } from './refusal.ts'

/** IFF_DEBUG, NOTRAILERS, NOARP, DYNAMIC, MULTICAST, PORTSEL, AUTOMEDIA: what may be set as one likes. */
const SETTABLE = 0x4 | 0x20 | IFF_NOARP | 0x8000 | IFF_MULTICAST | 0x2000 | 0x4000
const IFNAMSIZ = 16
const IFALIASZ = 256
const S16_MAX = 0x7fff

/** Kinds that a Debian kernel has a module for, whether or not a room here models them. */
const LINUX_KINDS = new Set(
  (
    'bareudp batadv bond bridge can dsa dummy erspan geneve gre gretap gtp hsr ifb ip6erspan ip6gre ip6gretap ip6tnl ipip ipoib ' +
    'ipvlan ipvtap macsec macvlan macvtap netdevsim nlmon rmnet sit team tun vcan veth virt_wifi vlan vrf vti vti6 vxcan vxlan ' +
    'wireguard wwan xfrm'
  ).split(' '),
)

export const NO_MESSAGES: NetlinkAnswer = { ok: true, messages: [] }

/** What a request names: by index, or by name. */
export function findDevice(host: Host, request: { ifindex?: number; name?: string }): NetDevice | Refusal {
  if (request.ifindex !== undefined && request.ifindex > 0) {
    return deviceByIndex(host, request.ifindex) ?? refuse('ENODEV')
  }
  if (request.name !== undefined) return deviceByName(host, request.name) ?? refuse('ENODEV')
  return refuse('EINVAL')
}

/** A device as rtnetlink tells of it. */
export function linkMessage(device: NetDevice): LinkMessage {
  const { looks } = device
  const message: LinkMessage = {
    type: 'RTM_NEWLINK',
    ifindex: device.ifindex,
    name: device.name,
    flags: device.shownFlags,
    mtu: device.mtu,
    minMtu: device.minMtu,
    maxMtu: device.maxMtu,
    qdisc: device.qdiscName,
    operstate: device.shownOperstate,
    group: device.group === 0 ? 'default' : device.group,
    txqlen: device.txqlen,
    linkType: looks.linkType,
    address: device.address,
    broadcast: device.broadcast,
    promiscuity: device.promiscuity,
    allmulti: device.allmulti,
    carrierChanges: device.carrierUps + device.carrierDowns,
    addrGenMode: 'eui64',
    numTxQueues: device.numTxQueues,
    numRxQueues: device.numRxQueues,
    carrier: device.carrier,
    gsoMaxSize: 65536,
    gsoMaxSegs: 65535,
    tsoMaxSize: looks.tsoMaxSize ?? 65536,
    tsoMaxSegs: 65535,
    groMaxSize: 65536,
    stats: { ...device.stats },
  }
  if (looks.noInet6) delete message.addrGenMode
  if (device.alias !== '') message.alias = device.alias
  if (device.addressLength !== 6) message.addressLength = device.addressLength
  if (device.permanentAddress !== 0) message.permanentAddress = device.permanentAddress
  fillLinkInfo(device, message)
  return message
}

/** Linux: rtnl_link_fill(), nla_put_iflink(), rtnl_fill_link_netnsid(). */
function fillLinkInfo(device: NetDevice, message: LinkMessage): void {
  const { linkKind, master } = device
  const elsewhere = linkKind?.linkNet?.(device) ?? device.link?.host ?? device.host
  if (elsewhere !== device.host) {
    message.link = device.iflink
    message.linkNetnsId = device.net.netnsId(elsewhere)
  } else if (device.iflink !== device.ifindex) message.link = device.iflink
  if (master !== undefined) {
    message.master = master.ifindex
    const slaveData = master.linkKind?.fillSlave?.(master, device)
    if (slaveData !== undefined) {
      message.slaveKind = master.linkKind!.kind
      message.slaveData = slaveData
    }
  }
  if (linkKind === undefined) return
  message.kind = linkKind.kind
  const data = linkKind.fill?.(device)
  if (data !== undefined) message.data = data
  const xstats = linkKind.fillXstats?.(device)
  if (xstats !== undefined) message.xstats = xstats
}

export function getLink(host: Host, request: unknown): NetlinkAnswer {
  const { ifindex, name } = request as Extract<LinkRequest, { type: 'RTM_GETLINK' }>
  if (ifindex === undefined && name === undefined) return { ok: true, messages: devices(host).map(linkMessage) }
  const device = findDevice(host, { ifindex, name })
  return 'ok' in device ? device : { ok: true, messages: [linkMessage(device)] }
}

export function setLink(host: Host, message: unknown): NetlinkAnswer {
  const request = message as Extract<LinkRequest, { type: 'RTM_SETLINK' }>
  const device = findDevice(host, request)
  if ('ok' in device) return device
  const refusal = changeLink(device, request)
  return refusal ?? NO_MESSAGES
}

/** In the kernel's order; what was changed before a refusal stays changed. Linux: do_setlink(). */
export function changeLink(device: NetDevice, request: LinkFields): Refusal | undefined {
  if (tooShort(device, request.addressBytes) || tooShort(device, request.broadcastBytes)) return refuse('EINVAL')
  const namespace = targetNetns(device.host, request)
  if (namespace !== undefined) {
    if ('errno' in namespace) return namespace
    const refusal = moveToNetns(device, namespace, request.newName)
    if (refusal !== undefined) return refusal
  }
  const address = addressOf(device, request.address, request.addressBytes)
  let refusal: Refusal | undefined
  if (address !== undefined) refusal = setAddress(device, address)
  if (!refusal && request.mtu !== undefined) refusal = setMtu(device, request.mtu)
  if (refusal) return refusal
  if (request.group !== undefined) device.group = request.group
  if (request.newName !== undefined) refusal = setName(device, request.newName)
  if (refusal) return refusal
  if (request.alias !== undefined) {
    if (request.alias.length >= IFALIASZ) return refuse('EINVAL')
    device.alias = request.alias
  }
  const broadcast = addressOf(device, request.broadcast, request.broadcastBytes)
  if (broadcast !== undefined) {
    device.broadcast = broadcast
    addressChanged(device)
  }
  if (request.flags !== undefined || request.change !== undefined) {
    refusal = setFlags(device, combineFlags(device, request.flags ?? 0, request.change ?? 0))
    if (refusal) return refusal
  }
  if (request.master !== undefined) {
    refusal = setMaster(device, request.master)
    if (refusal) return refusal
  }
  if (request.carrier !== undefined) {
    if (device.driver === undefined) device.carrierChanged(request.carrier)
    else if (device.driver.changeCarrier) device.driver.changeCarrier(device, request.carrier)
    else return refuse('EOPNOTSUPP')
  }
  if (request.txqlen !== undefined) {
    if (request.txqlen > S16_MAX) return refuse('ERANGE')
    device.txqlen = request.txqlen
  }
  if (request.linkMode !== undefined && request.linkMode !== 'DEFAULT') {
    throw new NotModelled(`link mode ${request.linkMode}`)
  }
  if (request.protoDown !== undefined) throw new NotModelled('ip link set protodown')
  return undefined
}

/** Linux: validate_linkmsg(). */
function tooShort(device: NetDevice, bytes: number[] | undefined): boolean {
  return bytes !== undefined && bytes.length < device.addressLength
}

/** The first bytes that were given, as many as the device's addresses have. */
function addressOf(device: NetDevice, mac: number | undefined, bytes: number[] | undefined): number | undefined {
  if (bytes === undefined) return device.addressLength === 6 ? mac : undefined
  return bytes.slice(0, device.addressLength).reduce((value, byte) => value * 256 + byte, 0)
}

/** Linux: rtnl_link_get_net(). */
function targetNetns(host: Host, request: LinkFields): Host | Refusal | undefined {
  if (request.netnsPid === undefined && request.netnsFd === undefined) return undefined
  const found = netnsByReference(host, { pid: request.netnsPid, fd: request.netnsFd })
  return found.ok ? found.value : refuse(found.errno)
}

/** `change` says which flags count; without it all do. Linux: rtnl_dev_combine_flags(). */
function combineFlags(device: NetDevice, flags: number, change: number): number {
  if (change === 0) return flags
  const now = (device.flags & ~(IFF_PROMISC | IFF_ALLMULTI)) | device.givenFlags
  return (flags & change) | (now & ~change)
}

/** Sets a device's flags as SIOCSIFFLAGS and RTM_SETLINK do. Linux: __dev_change_flags(). */
export function setFlags(device: NetDevice, flags: number): Refusal | undefined {
  const old = device.flags
  device.flags = (flags & SETTABLE) | (old & ~SETTABLE)
  const refusal = setDeviceUp(device, (flags & IFF_UP) !== 0)
  if ((flags ^ device.givenFlags) & IFF_PROMISC) {
    device.givenFlags ^= IFF_PROMISC
    device.changePromiscuity(flags & IFF_PROMISC ? 1 : -1)
  }
  if ((flags ^ device.givenFlags) & IFF_ALLMULTI) {
    device.givenFlags ^= IFF_ALLMULTI
    device.changeAllmulti(flags & IFF_ALLMULTI ? 1 : -1)
  }
  const changed = (old ^ device.flags) & ~(IFF_UP | IFF_PROMISC | IFF_ALLMULTI)
  if (!refusal && device.up && changed !== 0) flagsChanged(device, changed)
  return refusal
}

/** Linux 6.1 net/core/dev.c: dev_set_mac_address(); net/ethernet/eth.c: eth_prepare_mac_addr_change(). */
export function setAddress(device: NetDevice, address: number): Refusal | undefined {
  const refusal = device.driver?.setAddress ? device.driver.setAddress(device, address) : plainAddress(device, address)
  if (refusal !== undefined) return refusal
  device.addressAssignType = NET_ADDR_SET
  addressChanged(device)
  return undefined
}

/** eth_mac_addr(); most cards may change theirs while they are up. */
export function plainAddress(device: NetDevice, address: number): Refusal | undefined {
  if (device.kind !== 'ether' && device.kind !== 'loopback') return refuse('EOPNOTSUPP')
  if (device.looks.fixedAddressWhileUp && device.up) return refuse('EBUSY')
  const group = Math.floor(address / 0x100_0000_0000) & 1
  if (address === 0 || group === 1) return refuse('EADDRNOTAVAIL')
  device.address = address
  return undefined
}

/** Linux: dev_validate_mtu(). */
function validateMtu(device: NetDevice, mtu: number): Refusal | undefined {
  const { minMtu, maxMtu } = device
  if (mtu < 0 || mtu < minMtu) return refuse('EINVAL', 'mtu less than device minimum')
  if (maxMtu > 0 && mtu > maxMtu) return refuse('EINVAL', 'mtu greater than device maximum')
  return undefined
}

export function setMtu(device: NetDevice, mtu: number): Refusal | undefined {
  if (mtu === device.mtu) return undefined
  const refusal = validateMtu(device, mtu) ?? device.driver?.changeMtu?.(device, mtu)
  if (refusal !== undefined) return refusal
  if (mtu < IPV4_MIN_MTU) throw new NotModelled(`an MTU below ${IPV4_MIN_MTU}, which turns IPv4 off`)
  const former = device.mtu
  device.mtu = mtu
  mtuChanged(device, former)
  return undefined
}

export function setName(device: NetDevice, name: string): Refusal | undefined {
  if (name === device.name) return undefined
  if (device.up) return refuse('EBUSY')
  const chosen = chooseDeviceName(device.net, name)
  if (typeof chosen !== 'string') return chosen
  device.host.log(6, `${chosen}: renamed from ${device.name}`)
  renameDevice(device, chosen)
  if (device.nameAssignType !== undefined) device.nameAssignType = 4
  notifyNetdev('CHANGENAME', device)
  return undefined
}

/** RTM_NEWLINK: a change of what is there, or a new one. Linux: __rtnl_newlink(). */
export function newLink(host: Host, message: unknown): NetlinkAnswer {
  const request = message as NewLinkRequest
  if ((request.name?.length ?? 0) >= IFNAMSIZ) return refuse('ERANGE', 'Attribute failed policy validation')
  if ((request.ifindex ?? 0) < 0) return refuse('EINVAL', "ifindex can't be negative")
  const device = request.ifindex
    ? deviceByIndex(host, request.ifindex)
    : request.name === undefined
      ? undefined
      : deviceByName(host, request.name)
  const kind = request.kind === undefined ? undefined : linkKinds(host.image).get(request.kind)
  const invalid = kind?.validate?.(request)
  if (invalid !== undefined) return invalid
  if (device !== undefined) return changeExisting(device, kind, request) ?? NO_MESSAGES
  if (!request.create) {
    if (request.ifindex || request.name !== undefined || request.group === undefined) return refuse('ENODEV')
    for (const each of devices(host).filter((one) => one.group === request.group)) {
      const refusal = changeLink(each, { ...request, group: undefined })
      if (refusal !== undefined) return refusal
    }
    return NO_MESSAGES
  }
  if (kind === undefined) {
    if (LINUX_KINDS.has(request.kind ?? '')) throw new NotModelled(`ip link add type ${request.kind}`)
    return refuse('EOPNOTSUPP', 'Unknown device type')
  }
  return createLink(host, kind, request) ?? NO_MESSAGES
}

function changeExisting(device: NetDevice, kind: LinkKind | undefined, request: NewLinkRequest): Refusal | undefined {
  if (request.exclusive) return refuse('EEXIST')
  if (request.replace) return refuse('EOPNOTSUPP')
  if (request.data !== undefined) {
    if (kind === undefined || kind !== device.linkKind || kind.change === undefined) return refuse('EOPNOTSUPP')
    const refusal = kind.change(device, request.data, request)
    if (refusal !== undefined) return refusal
  }
  if (request.slaveData !== undefined) {
    const { master } = device
    if (master?.linkKind?.changeSlave === undefined) return refuse('EOPNOTSUPP')
    const refusal = master.linkKind.changeSlave(master, device, request.slaveData)
    if (refusal !== undefined) return refusal
  }
  return changeLink(device, request)
}

/** Linux: rtnl_newlink_create(), rtnl_create_link(), rtnl_configure_link(). */
function createLink(host: Host, kind: LinkKind, request: NewLinkRequest): Refusal | undefined {
  const target = targetNetns(host, request) ?? host
  if ('errno' in target) return target
  let linkNet: Host | undefined
  if (request.linkNetnsId !== undefined) {
    const known = netState.of(target).netnsIds?.entries() ?? []
    linkNet = [...known].find(([, id]) => id === request.linkNetnsId)?.[0]
    if (linkNet === undefined) return refuse('EINVAL', 'Unknown network namespace id')
  }
  const device = prepareLink(linkNet ?? target, kind, request.name ?? `${kind.kind}%d`, request)
  if ('errno' in device) return device
  device.ifindex = request.ifindex ?? 0
  const refusal = kind.create(device, request, linkNet ?? host)
  if (refusal !== undefined) return refusal
  const later = configureLink(device, request, linkNet === undefined ? undefined : target)
  if (later !== undefined) unregisterDevices(kind.remove?.(device) ?? [device])
  return later
}

/** What is left to do once a device is registered. */
export function configureLink(device: NetDevice, request: LinkFields, moveTo?: Host): Refusal | undefined {
  if (request.flags !== undefined || request.change !== undefined) {
    const refusal = setFlags(device, combineFlags(device, request.flags ?? 0, request.change ?? 0))
    if (refusal !== undefined) return refusal
  }
  if (moveTo !== undefined) {
    const refusal = moveToNetns(device, moveTo, request.name)
    if (refusal !== undefined) return refusal
  }
  return request.master === undefined ? undefined : setMaster(device, request.master)
}

/** A device of a kind with what a request says of it, not registered. Linux: rtnl_create_link(). */
export function prepareLink(host: Host, kind: LinkKind, name: string, request: LinkFields): NetDevice | Refusal {
  for (const [count, what] of [
    [request.numTxQueues, 'transmit'],
    [request.numRxQueues, 'receive'],
  ] as const) {
    if (count !== undefined && (count < 1 || count > 4096)) return refuse('EINVAL', `Invalid number of ${what} queues`)
  }
  const device = new NetDevice(netState.of(host), name, kind.looks, 0)
  device.linkKind = kind
  device.addressAssignType = 0
  device.nameAssignType = name.includes('%') ? 1 : 3
  device.carrier = true
  device.numTxQueues = request.numTxQueues ?? 1
  device.numRxQueues = request.numRxQueues ?? 1
  if (tooShort(device, request.addressBytes) || tooShort(device, request.broadcastBytes)) return refuse('EINVAL')
  if (request.mtu !== undefined) {
    const refusal = validateMtu(device, request.mtu)
    if (refusal !== undefined) return refusal
    device.mtu = request.mtu
    device.mtuGiven = true
  }
  const address = addressOf(device, request.address, request.addressBytes)
  if (address !== undefined) {
    device.address = address
    device.addressAssignType = NET_ADDR_SET
  }
  device.broadcast = addressOf(device, request.broadcast, request.broadcastBytes) ?? device.broadcast
  if (request.txqlen !== undefined) device.txqlen = request.txqlen
  if (request.group !== undefined) device.group = request.group
  return device
}

/** RTM_DELLINK. Linux: rtnl_dellink(), rtnl_group_dellink(). */
export function deleteLink(host: Host, message: unknown): NetlinkAnswer {
  const request = message as Extract<LinkRequest, { type: 'RTM_DELLINK' }>
  if (request.ifindex === undefined && request.name === undefined && request.group !== undefined) {
    return deleteGroup(host, request.group) ?? NO_MESSAGES
  }
  const device = findDevice(host, request)
  if ('ok' in device) return device
  // A card is there until somebody takes it out; only what was made by software can be deleted.
  const { linkKind } = device
  if (linkKind === undefined || linkKind.permanent?.(device)) return refuse('EOPNOTSUPP')
  unregisterDevices(linkKind.remove?.(device) ?? [device])
  return NO_MESSAGES
}

function deleteGroup(host: Host, group: number): Refusal | undefined {
  if (group === 0) return refuse('EPERM')
  const members = devices(host).filter((device) => device.group === group)
  if (members.length === 0) return refuse('ENODEV')
  if (members.some((device) => device.linkKind === undefined)) return refuse('EOPNOTSUPP')
  unregisterDevices([...new Set(members.flatMap((device) => device.linkKind!.remove?.(device) ?? [device]))])
  return undefined
}
