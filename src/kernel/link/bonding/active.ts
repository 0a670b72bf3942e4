/**
 * Which slave is the active one, and what changes with it: flags, the carrier, gratuitous ARPs.
 *
 * Linux 6.1 drivers/net/bonding/bond_main.c: bond_select_active_slave(), bond_change_active_slave(), bond_set_carrier().
 */
import { addressChanged, notifyPeers } from '#kernel/net'
import type { Bond, Slave } from './bond.ts'

/** bond_set_slave_inactive_flags() */
export function setInactive(slave: Slave): void {
  slave.active = false
  if (!slave.bond.allSlavesActive) slave.inactive = true
}

/** bond_set_slave_active_flags() */
export function setActive(slave: Slave): void {
  slave.active = true
  slave.inactive = false
}

/** Whether it changed; with LACP it is always said so. bond_set_carrier() */
export function setCarrier(bond: Bond): boolean {
  const { device } = bond
  const changed = bond.mode === '802.3ad' && bond.slaves.length > 0
  const live = bond.mode === '802.3ad' ? bond.aggregates : bond.slaves.some((slave) => slave.link === 'up')
  if (live === device.carrier) return changed
  device.carrierChanged(live)
  return true
}

/** bond_choose_primary_or_current() */
function primaryOrCurrent(bond: Bond): Slave | undefined {
  const { current, primary } = bond
  const currentUp = current?.link === 'up'
  let better = primary?.link === 'up' ? primary : undefined
  if (better !== undefined) {
    if (bond.forcePrimary) {
      bond.forcePrimary = false
      return better
    }
  } else {
    for (const slave of bond.slaves) {
      if (slave.link === 'up' && (better === undefined || slave.priority > better.priority)) better = slave
    }
    // Without priorities the first that is up is as good as any: the current one stays.
    if (better === undefined || better === current) return currentUp ? current : undefined
  }
  if (!currentUp) return better
  if (better.priority === current.priority && better !== primary) return current
  switch (bond.primaryReselect) {
    case 'always':
      return better
    case 'better':
      if (better.speed < current.speed) return current
      return better.speed === current.speed && better.duplex === current.duplex ? current : better
    default:
      return current
  }
}

/** bond_find_best_slave() */
function best(bond: Bond): Slave | undefined {
  const found = primaryOrCurrent(bond)
  if (found !== undefined) return found
  let least = bond.updelay
  let candidate: Slave | undefined
  for (const slave of bond.slaves) {
    if (slave.link === 'up') return slave
    if (slave.link === 'back' && slave.isUp && slave.delay < least) {
      least = slave.delay
      candidate = slave
    }
  }
  return candidate
}

export function selectActive(bond: Bond): void {
  const chosen = best(bond)
  if (chosen === bond.current) return
  changeActive(bond, chosen)
  if (!setCarrier(bond)) return
  bond.log(6, bond.device.carrier ? 'active interface up!' : 'now running without any active interface!')
}

/** bond_change_active_slave() */
export function changeActive(bond: Bond, chosen: Slave | undefined): void {
  const former = bond.current
  if (former === chosen) return
  if (chosen !== undefined) {
    chosen.lastLinkUp = bond.now
    if (chosen.link === 'back') {
      const early = (bond.updelay - chosen.delay) * bond.miimon
      if (bond.usesPrimary) chosen.log(6, `making interface the new active one ${early} ms earlier`)
      chosen.delay = 0
      chosen.link = 'up'
    } else if (bond.usesPrimary) chosen.log(6, 'making interface the new active one')
  }
  bond.current = chosen
  if (bond.mode !== 'active-backup') return
  if (former !== undefined) setInactive(former)
  if (chosen === undefined) return
  setActive(chosen)
  if (bond.failOverMac === 'active') {
    bond.device.address = chosen.device.address
    addressChanged(bond.device)
  }
  if (!bond.device.running) return
  bond.notificationsLeft = bond.peerNotifications * Math.max(1, bond.peerNotifyDelay)
  if (!mayNotify(bond)) return
  bond.notificationsLeft--
  notifyPeers(bond.device)
}

/** bond_should_notify_peers() */
export function mayNotify(bond: Bond): boolean {
  return (
    bond.current !== undefined &&
    bond.notificationsLeft > 0 &&
    bond.notificationsLeft % Math.max(1, bond.peerNotifyDelay) === 0 &&
    bond.device.carrier
  )
}
