/**
 * A dummy device: it has addresses, and what is sent by it is gone.
 *
 * Linux 6.1 drivers/net/dummy.c: dummy_setup(), dummy_xmit().
 */
import {
  type Driver,
  IFF_BROADCAST,
  IFF_NOARP,
  type LinkKind,
  type Looks,
  type NetDevice,
  registerDevice,
} from '#kernel/net'
import { frameLength } from '#wire/inet'
import { randomAddress } from './mac.ts'
import { validateAddress } from './validate.ts'

const DUMMY: Looks = {
  linkType: 'ether',
  hardwareType: 1,
  qdisc: 'noqueue',
  txqlen: 1000,
  mtu: 1500,
  minMtu: 0,
  maxMtu: 0,
  flags: IFF_BROADCAST | IFF_NOARP,
  driver: 'dummy',
}

const driver: Driver = {
  gso: true,
  xmit(packet, device) {
    device.countTx(frameLength(packet))
  },
  changeCarrier(device, on) {
    device.carrierChanged(on)
  },
}

export const dummy: LinkKind = {
  kind: 'dummy',
  looks: DUMMY,
  validate: validateAddress,
  create(device: NetDevice) {
    device.driver = driver
    if (device.address === 0) randomAddress(device)
    return registerDevice(device)
  },
}
