/**
 * tun and tap: devices whose cable is a file. Here nobody opens /dev/net/tun: they are made to stay (`ip tuntap add`), and
 * nothing is at their other end.
 *
 * Linux 6.1 drivers/net/tun.c: tun_set_iff(), TUNSETPERSIST, tun_net_xmit(), tun_fill_info().
 */
import type { Host, KernelImage, NetlinkAnswer } from '#kernel/core'
import {
  type Driver,
  deviceByName,
  ETHERNET,
  IFF_MULTICAST,
  IFF_NOARP,
  IFF_POINTOPOINT,
  type LinkKind,
  type Looks,
  NetDevice,
  netState,
  refuse,
  registerDevice,
  unregisterDevices,
} from '#kernel/net'
import { randomAddress } from './mac.ts'

/** TUNSETIFF and TUNSETPERSIST, as `ip tuntap` sends them one after the other. */
export interface TunRequest {
  type: 'TUNSETIFF'
  /** Absent: the next free one. */
  name?: string
  mode: 'tun' | 'tap'
  pi?: boolean
  vnetHdr?: boolean
  multiQueue?: boolean
  /** False: it is to go. */
  persist: boolean
  user?: number
  group?: number
}

class Tun {
  readonly request: TunRequest

  constructor(request: TunRequest) {
    this.request = request
  }
}

const TUN: Looks = {
  linkType: 'none',
  hardwareType: 65534,
  addressLength: 0,
  qdisc: 'fq_codel',
  txqlen: 500,
  mtu: 1500,
  minMtu: 68,
  maxMtu: 65535,
  flags: IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST,
  driver: 'tun',
}

/** MAX_TAP_QUEUES */
const QUEUES = 256

const driver: Driver = {
  gso: true,
  xmit(_packet, device) {
    device.stats.txDropped++
  },
  ethtool: { info: { version: '1.6', busInfo: '' }, link: () => ({ speed: 10, duplex: 'full' }) },
}

const REFUSED = refuse('EOPNOTSUPP', 'tun/tap creation via rtnetlink is not supported.')

export const tun: LinkKind = {
  kind: 'tun',
  looks: TUN,
  validate: () => REFUSED,
  create: () => REFUSED,
  fill(device) {
    if (!(device.priv instanceof Tun)) return undefined
    const { mode, pi, vnetHdr, multiQueue, user, group } = device.priv.request
    const queues = multiQueue ? { numqueues: 0, numdisabled: 0 } : {}
    return {
      type: mode,
      pi: pi === true,
      vnet_hdr: vnetHdr === true,
      multi_queue: multiQueue === true,
      ...queues,
      persist: true,
      user,
      group,
    }
  },
}

function tunOf(device: NetDevice): Tun | undefined {
  return device.priv instanceof Tun ? device.priv : undefined
}

function set(host: Host, message: unknown): NetlinkAnswer {
  const request = message as TunRequest
  const { name, mode, multiQueue = false, persist } = request
  const present = name === undefined ? undefined : deviceByName(host, name)
  if (present !== undefined) {
    if (persist) return refuse('EBUSY')
    const before = tunOf(present)?.request
    if (before?.mode !== mode || (before.multiQueue ?? false) !== multiQueue) return refuse('EINVAL')
    unregisterDevices([present])
  } else if (persist) {
    const device = new NetDevice(netState.of(host), name ?? `${mode}%d`, mode === 'tap' ? ETHERNET : TUN, 0)
    if (mode === 'tap') randomAddress(device)
    device.linkKind = tun
    device.driver = driver
    device.priv = new Tun(request)
    if (multiQueue) device.numTxQueues = device.numRxQueues = QUEUES
    const refusal = registerDevice(device)
    if (refusal !== undefined) return refusal
    device.carrierChanged(true)
    device.carrierChanged(false)
  }
  return { ok: true, messages: [] }
}

/** Installs the request. */
export function installTun(image: KernelImage): void {
  image.netlink('TUNSETIFF', set)
}
