/**
 * Which device is stacked on which: uppers, lowers, and the one master.
 * Linux 6.1 net/core/dev.c: __netdev_upper_dev_link(), __netdev_upper_dev_unlink(); net/core/rtnetlink.c: do_set_master().
 */
import type { NetDevice } from './device.ts'
import { deviceByIndex } from './devices.ts'
import { notifyNetdev } from './notifiers.ts'
import { type Refusal, refuse } from './refusal.ts'

/** Linux 6.1 include/linux/netdevice.h: MAX_NEST_DEV. */
const MAX_NEST = 8

/** Whether `upper` is anywhere above a device. */
export function hasUpper(device: NetDevice, upper: NetDevice): boolean {
  return device.uppers.some((each) => each === upper || hasUpper(each, upper))
}

function height(device: NetDevice, way: 'uppers' | 'lowers'): number {
  return 1 + device[way].reduce((most, each) => Math.max(most, height(each, way)), 0)
}

/** Stacks `upper` on a device, as its master if it says so. */
export function linkUpper(device: NetDevice, upper: NetDevice, master: boolean): Refusal | undefined {
  if (device === upper || hasUpper(upper, device)) return refuse('EBUSY')
  if (height(device, 'lowers') + height(upper, 'uppers') > MAX_NEST) return refuse('EMLINK')
  if (!master && hasUpper(device, upper)) return refuse('EEXIST')
  if (master && device.master !== undefined) return refuse(device.master === upper ? 'EEXIST' : 'EBUSY')
  device.uppers = [...device.uppers, upper]
  upper.lowers = [...upper.lowers, device]
  if (master) device.master = upper
  notifyNetdev('CHANGEUPPER', device)
  return undefined
}

/** Undoes `linkUpper`. */
export function unlinkUpper(device: NetDevice, upper: NetDevice): void {
  device.uppers = device.uppers.filter((each) => each !== upper)
  upper.lowers = upper.lowers.filter((each) => each !== device)
  if (device.master === upper) device.master = undefined
  notifyNetdev('CHANGEUPPER', device)
}

/** `ip link set DEVICE master ...`; 0: none. */
export function setMaster(device: NetDevice, ifindex: number): Refusal | undefined {
  const former = device.master
  if (former !== undefined) {
    if (former.ifindex === ifindex) return undefined
    if (former.driver?.removeSlave === undefined) return refuse('EOPNOTSUPP')
    const refusal = former.driver.removeSlave(former, device)
    if (refusal !== undefined) return refusal
  }
  if (ifindex === 0) return undefined
  const master = deviceByIndex(device.host, ifindex)
  if (master === undefined) return refuse('EINVAL')
  if (master.driver?.addSlave === undefined) return refuse('EOPNOTSUPP')
  return master.driver.addSlave(master, device)
}
