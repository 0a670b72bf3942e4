/**
 * Kinds of devices that `ip link add type KIND` makes: what a room tells of each so that rtnetlink can make, change, show and
 * delete them. Linux 6.1 include/net/rtnetlink.h: struct rtnl_link_ops.
 *
 *     linkKinds(image).set('dummy', { kind: 'dummy', looks: DUMMY, create: (device) => registerDevice(device) })
 */
import type { Host, KernelImage } from '#kernel/core'
import type { Looks, NetDevice } from './device.ts'
import type { LinkRequest } from './netlink.ts'
import type { Refusal } from './refusal.ts'

/** A request for a device, as `ip link add` sends it. */
export type NewLinkRequest = Extract<LinkRequest, { type: 'RTM_NEWLINK' }>

/** IFLA_INFO_DATA, by the names that `ip -j` prints or near them; a kind's own matter. */
export type LinkData = Record<string, unknown>

export interface LinkKind {
  readonly kind: string
  /** How a device of this kind begins. */
  readonly looks: Looks
  /** Its data can't be so, whatever the device: before one is looked for or made. Linux: ->validate. */
  validate?(request: NewLinkRequest): Refusal | undefined
  /**
   * Makes it: the device isn't in any list yet and has the name (perhaps `dummy%d`), address, MTU ... that the request
   * gave; `create` sets its driver and registers it (`registerDevice`). `from`: the namespace that the request came from,
   * where IFLA_LINK's device is looked for. Linux: ->newlink.
   */
  create(device: NetDevice, request: NewLinkRequest, from: Host): Refusal | undefined
  /** `ip link set DEVICE type KIND ...`. Absent: refused. */
  change?(device: NetDevice, data: LinkData, request: LinkRequest): Refusal | undefined
  /** IFLA_INFO_DATA of a dump. */
  fill?(device: NetDevice): LinkData | undefined
  /** IFLA_INFO_XSTATS. */
  fillXstats?(device: NetDevice): LinkData | undefined
  /** `ip link delete`: which devices go. Absent: the device alone. Linux: ->dellink. */
  remove?(device: NetDevice): NetDevice[]
  /** `ip link delete` is refused: the device that came with the module. */
  permanent?(device: NetDevice): boolean
  /** IFLA_INFO_SLAVE_DATA of one of its slaves, and its change by `ip link set ... type KIND_slave`. */
  fillSlave?(master: NetDevice, slave: NetDevice): LinkData | undefined
  changeSlave?(master: NetDevice, slave: NetDevice, data: LinkData): Refusal | undefined
  /** The namespace that its other end is in, for IFLA_LINK_NETNSID. Linux: ->get_link_net. */
  linkNet?(device: NetDevice): Host
}

/** An image's kinds by name. */
export function linkKinds(image: KernelImage): Map<string, LinkKind> {
  return image.slot<Map<string, LinkKind>>('kernel/net link kinds', () => new Map())
}
