/**
 * veth: two devices, each other's cable; often in two namespaces.
 *
 * What one sends the other receives when the sender has done what it was doing. The carrier is there while both are up.
 *
 * Linux 6.1 drivers/net/veth.c: veth_newlink(), veth_xmit(), veth_open(), veth_close(), veth_dellink().
 */
import { type Host, netnsByReference } from '#kernel/core'
import {
  configureLink,
  type Driver,
  ETHERNET,
  type LinkFields,
  type LinkKind,
  type Looks,
  type NetDevice,
  prepareLink,
  type Refusal,
  refuse,
  registerDevice,
  scrubPacket,
  unregisterDevices,
} from '#kernel/net'
import { frameLength, type Packet } from '#wire/inet'
import { randomAddress } from './mac.ts'
import { validateAddress } from './validate.ts'

const VETH: Looks = {
  linkType: 'ether',
  hardwareType: 1,
  qdisc: 'noqueue',
  txqlen: 1000,
  mtu: 1500,
  minMtu: 68,
  maxMtu: 65535,
  flags: ETHERNET.flags,
  driver: 'veth',
  gso: true,
  tsoMaxSize: 524280,
}

/** Room for the header and a tag besides the MTU. Linux 6.1 include/linux/netdevice.h: __is_skb_forwardable(). */
const HEADERS = 14 + 4

const driver: Driver = {
  gso: true,
  xmit(packet, device) {
    const peer = device.link
    const length = frameLength(packet)
    if (peer === undefined || !forward(packet, length, peer, device.host !== peer.host)) {
      device.stats.txDropped++
      device.net.refused = true
    } else device.countTx(length)
  },
  open(device) {
    const peer = device.link
    if (peer === undefined) return refuse('ENOTCONN')
    if (peer.up) {
      device.carrierChanged(true)
      peer.carrierChanged(true)
    }
    return undefined
  },
  stop(device) {
    device.carrierChanged(false)
    device.link?.carrierChanged(false)
  },
  ethtool: { info: { version: '1.0', statistics: 1 }, link: () => ({ speed: 10_000 }) },
}

/** As if it had come in by a cable. Linux 6.1 net/core/dev.c: dev_forward_skb(). */
function forward(packet: Packet, length: number, to: NetDevice, crossing: boolean): boolean {
  if (!to.up || (length > to.mtu + HEADERS && packet.gsoSize === 0)) {
    to.stats.rxDropped++
    return false
  }
  scrubPacket(packet, crossing)
  to.setPacketType(packet)
  if (!to.net.softnet.enqueue(to, packet)) return false
  to.countRx(length)
  return true
}

/** veth_validate(): its MTU is looked at first, without a word. */
function validate(fields: LinkFields): Refusal | undefined {
  const { mtu = VETH.mtu } = fields
  return validateAddress(fields) ?? (mtu < VETH.minMtu || mtu > VETH.maxMtu ? refuse('EINVAL') : undefined)
}

/** What the words behind `peer` said. VETH_INFO_PEER. */
type Peer = LinkFields

function createPeer(kind: LinkKind, peer: Peer, from: Host, index: boolean): NetDevice | Refusal {
  let host = from
  if (peer.netnsFd !== undefined || peer.netnsPid !== undefined) {
    const found = netnsByReference(from, { fd: peer.netnsFd, pid: peer.netnsPid })
    if (!found.ok) return refuse(found.errno)
    host = found.value
  }
  const made = prepareLink(host, kind, peer.name ?? 'veth%d', peer)
  if ('errno' in made) return made
  if (made.address === 0) randomAddress(made)
  if (index) made.ifindex = peer.ifindex ?? 0
  made.driver = driver
  return registerDevice(made) ?? made
}

export const veth: LinkKind = {
  kind: 'veth',
  looks: VETH,
  validate(request) {
    return validate(request) ?? validate((request.data?.peer as Peer | undefined) ?? {})
  },
  create(device, request, from) {
    const asked = (request.data?.peer ?? {}) as Peer
    const peer = createPeer(veth, asked, from, device.ifindex !== 0)
    if ('errno' in peer) return peer
    const refusal = configureLink(peer, asked) ?? registerFirst(device)
    if (refusal !== undefined) {
      unregisterDevices([peer])
      return refusal
    }
    device.link = peer
    peer.link = device
    peer.carrierChanged(false)
    device.carrierChanged(false)
    return undefined
  },
  remove(device) {
    const peer = device.link
    return peer === undefined ? [device] : [device, peer]
  },
  linkNet(device) {
    return device.link?.host ?? device.host
  },
}

function registerFirst(device: NetDevice): Refusal | undefined {
  device.driver = driver
  if (device.address === 0) randomAddress(device)
  return registerDevice(device)
}
