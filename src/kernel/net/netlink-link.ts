/**
 * RTM_{GET,NEW,SET,DEL}LINK: what `ip link` asks for and sets.
 *
 * Linux 6.1 net/core/rtnetlink.c: rtnl_fill_ifinfo(), do_setlink(); net/core/dev.c: dev_change_name(),
 * __dev_change_flags(), dev_set_mtu_ext(), dev_change_tx_queue_len().
 */
import { NotModelled } from '#base/check'
import type { Errno, Host, NetlinkAnswer } from '#kernel/core'
import { IFF_ALLMULTI, IFF_MULTICAST, IFF_NOARP, IFF_PROMISC, IFF_UP, type NetDevice } from './device.ts'
import { addressChanged, flagsChanged, IPV4_MIN_MTU, mtuChanged, setDeviceUp } from './device-events.ts'
import { deviceByIndex, deviceByName, devices, renameDevice } from './devices.ts'
import type { LinkMessage, LinkRequest } from './netlink.ts'

/** IFF_DEBUG, NOTRAILERS, NOARP, DYNAMIC, MULTICAST, PORTSEL, AUTOMEDIA: what may be set as one likes. */
const SETTABLE = 0x4 | 0x20 | IFF_NOARP | 0x8000 | IFF_MULTICAST | 0x2000 | 0x4000
const IFNAMSIZ = 16
const IFALIASZ = 256
const S16_MAX = 0x7fff
const ETH_ALEN = 6

/** Why something was refused. */
export interface Refusal {
  ok: false
  errno: Errno
  extack?: string
}

export function refuse(errno: Errno, extack?: string): Refusal {
  return extack === undefined ? { ok: false, errno } : { ok: false, errno, extack }
}

export const NO_MESSAGES: NetlinkAnswer = { ok: true, messages: [] }

/** What a request names: by index, or by name. */
function find(host: Host, request: { ifindex?: number; name?: string }): NetDevice | Refusal {
  if (request.ifindex !== undefined && request.ifindex > 0) {
    return deviceByIndex(host, request.ifindex) ?? refuse('ENODEV')
  }
  if (request.name !== undefined) return deviceByName(host, request.name) ?? refuse('ENODEV')
  return refuse('EINVAL')
}

/** A device as rtnetlink tells of it. */
export function linkMessage(device: NetDevice): LinkMessage {
  const { looks } = device
  const loopback = device.kind === 'loopback'
  const message: LinkMessage = {
    type: 'RTM_NEWLINK',
    ifindex: device.ifindex,
    name: device.name,
    flags: device.shownFlags,
    mtu: device.mtu,
    minMtu: looks.minMtu,
    maxMtu: looks.maxMtu,
    qdisc: device.qdisc,
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
    numTxQueues: 1,
    numRxQueues: 1,
    gsoMaxSize: 65536,
    gsoMaxSegs: 65535,
    tsoMaxSize: loopback ? 524280 : 65536,
    tsoMaxSegs: 65535,
    groMaxSize: 65536,
    stats: { ...device.stats },
  }
  if (device.alias !== '') message.alias = device.alias
  return message
}

export function getLink(host: Host, request: unknown): NetlinkAnswer {
  const { ifindex, name } = request as Extract<LinkRequest, { type: 'RTM_GETLINK' }>
  if (ifindex === undefined && name === undefined) return { ok: true, messages: devices(host).map(linkMessage) }
  const device = find(host, { ifindex, name })
  return 'ok' in device ? device : { ok: true, messages: [linkMessage(device)] }
}

type SetLink = Extract<LinkRequest, { type: 'RTM_SETLINK' }>

export function setLink(host: Host, message: unknown): NetlinkAnswer {
  const request = message as SetLink
  const device = find(host, request)
  if ('ok' in device) return device
  const refusal = changeLink(device, request)
  return refusal ?? NO_MESSAGES
}

/** In the kernel's order; what was changed before a refusal stays changed. Linux: do_setlink(). */
function changeLink(device: NetDevice, request: SetLink): Refusal | undefined {
  if (request.addressBytes !== undefined && request.addressBytes.length < ETH_ALEN) return refuse('EINVAL')
  const address = request.address ?? macOf(request.addressBytes)
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
  if (request.broadcast !== undefined) {
    device.broadcast = request.broadcast
    addressChanged(device)
  }
  if (request.flags !== undefined || request.change !== undefined) {
    setFlags(device, combineFlags(device, request.flags ?? 0, request.change ?? 0))
  }
  if (request.master) throw new NotModelled('ip link set master: no device that could be one')
  if (request.carrier !== undefined) {
    if (device.kind === 'loopback') return refuse('EOPNOTSUPP')
    device.carrierChanged(request.carrier)
  }
  if (request.txqlen !== undefined) {
    if (request.txqlen > S16_MAX) return refuse('ERANGE')
    device.txqlen = request.txqlen
  }
  if (request.linkMode !== undefined && request.linkMode !== 'DEFAULT') {
    throw new NotModelled(`link mode ${request.linkMode}`)
  }
  return undefined
}

function macOf(bytes: number[] | undefined): number | undefined {
  return bytes?.slice(0, ETH_ALEN).reduce((mac, byte) => mac * 256 + byte, 0)
}

/** `change` says which flags count; without it all do. Linux: rtnl_dev_combine_flags(). */
function combineFlags(device: NetDevice, flags: number, change: number): number {
  if (change === 0) return flags
  const now = (device.flags & ~(IFF_PROMISC | IFF_ALLMULTI)) | device.givenFlags
  return (flags & change) | (now & ~change)
}

/** Sets a device's flags as SIOCSIFFLAGS and RTM_SETLINK do. Linux: __dev_change_flags(). */
export function setFlags(device: NetDevice, flags: number): void {
  const old = device.flags
  device.flags = (flags & SETTABLE) | (old & ~SETTABLE)
  setDeviceUp(device, (flags & IFF_UP) !== 0)
  if ((flags ^ device.givenFlags) & IFF_PROMISC) {
    device.givenFlags ^= IFF_PROMISC
    device.changePromiscuity(flags & IFF_PROMISC ? 1 : -1)
  }
  if ((flags ^ device.givenFlags) & IFF_ALLMULTI) {
    device.givenFlags ^= IFF_ALLMULTI
    device.changeAllmulti(flags & IFF_ALLMULTI ? 1 : -1)
  }
  const changed = (old ^ device.flags) & ~(IFF_UP | IFF_PROMISC | IFF_ALLMULTI)
  if (device.up && changed !== 0) flagsChanged(device, changed)
}

/** A card that is up may change its address. Linux 6.1 net/ethernet/eth.c: eth_prepare_mac_addr_change(). */
export function setAddress(device: NetDevice, address: number): Refusal | undefined {
  const group = Math.floor(address / 0x100_0000_0000) & 1
  if (address === 0 || group === 1) return refuse('EADDRNOTAVAIL')
  device.address = address
  addressChanged(device)
  return undefined
}

export function setMtu(device: NetDevice, mtu: number): Refusal | undefined {
  if (mtu === device.mtu) return undefined
  const { minMtu, maxMtu } = device.looks
  if (mtu < 0 || mtu < minMtu) return refuse('EINVAL', 'mtu less than device minimum')
  if (maxMtu > 0 && mtu > maxMtu) return refuse('EINVAL', 'mtu greater than device maximum')
  if (mtu < IPV4_MIN_MTU) throw new NotModelled(`an MTU below ${IPV4_MIN_MTU}, which turns IPv4 off`)
  const former = device.mtu
  device.mtu = mtu
  mtuChanged(device, former)
  return undefined
}

/** Linux: dev_valid_name(). */
function isValidName(name: string): boolean {
  return name !== '' && name.length < IFNAMSIZ && name !== '.' && name !== '..' && !/[/:\s]/.test(name)
}

export function setName(device: NetDevice, name: string): Refusal | undefined {
  if (device.up) return refuse('EBUSY')
  if (name === device.name) return undefined
  if (!isValidName(name)) return refuse('EINVAL')
  if (name.includes('%')) throw new NotModelled('interface names with a number to be found (%d)')
  if (deviceByName(device.host, name) !== undefined) return refuse('EEXIST')
  device.host.log(6, `${name}: renamed from ${device.name}`)
  renameDevice(device, name)
  return undefined
}

export function newLink(host: Host, message: unknown): NetlinkAnswer {
  const request = message as Extract<LinkRequest, { type: 'RTM_NEWLINK' }>
  if (request.name !== undefined && deviceByName(host, request.name) !== undefined) {
    if (request.exclusive) return refuse('EEXIST')
    if (request.replace) return refuse('EOPNOTSUPP')
  }
  if (!request.create) return refuse('ENODEV')
  throw new NotModelled(`ip link add type ${request.kind}`)
}

export function deleteLink(host: Host, message: unknown): NetlinkAnswer {
  const device = find(host, message as Extract<LinkRequest, { type: 'RTM_DELLINK' }>)
  // A card is there until somebody takes it out; only what was made by software can be deleted.
  return 'ok' in device ? device : refuse('EOPNOTSUPP')
}
