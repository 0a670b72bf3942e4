/**
 * How a bond finds out that a slave has lost its link: it asks for the carrier every so often (miimon), or sends ARP
 * requests and looks whether anything comes back (arp_interval).
 *
 * Linux 6.1 drivers/net/bonding/bond_main.c: bond_mii_monitor(), bond_activebackup_arp_mon(), bond_loadbalance_arp_mon().
 */
import { confirmAddress, flowOf, HZ, linkSettings, notifyPeers, RT_SCOPE_HOST, routeOutput } from '#kernel/net'
import { ETH_P_ARP, Packet } from '#wire/inet'
import { ARPOP_REQUEST } from '#wire/link'
import { mayNotify, selectActive, setActive, setCarrier, setInactive } from './active.ts'
import type { Bond, Slave } from './bond.ts'
import { lacpLinkChange } from './lacp.ts'

export function jiffiesOfMs(milliseconds: number): number {
  return Math.ceil((milliseconds * HZ) / 1000)
}

/** bond_update_speed_duplex() */
export function updateSpeed(slave: Slave): void {
  const settings = linkSettings(slave.device)
  slave.speed = settings?.speed ?? -1
  slave.duplex = settings?.duplex ?? 'unknown'
}

function which(slave: Slave): string {
  if (slave.bond.mode !== 'active-backup') return ''
  return slave.active ? 'active ' : 'backup '
}

/** bond_miimon_inspect(): whether there is anything to do. */
function inspect(bond: Bond): boolean {
  let found = false
  let ignoreUpdelay =
    bond.mode === 'active-backup' ? bond.current === undefined : bond.usesHash && bond.usable.length === 0
  const propose = (slave: Slave, link: Slave['link']) => {
    slave.proposed = link
    found = true
  }
  for (const slave of bond.slaves) {
    slave.proposed = undefined
    const live = slave.isUp
    if (slave.link === 'up' || slave.link === 'fail') {
      if (slave.link === 'up') {
        if (live) continue
        propose(slave, 'fail')
        slave.delay = bond.downdelay
        const ms = bond.downdelay * bond.miimon
        if (slave.delay) slave.log(6, `link status down for ${which(slave)}interface, disabling it in ${ms} ms`)
      }
      if (live) {
        propose(slave, 'up')
        slave.lastLinkUp = bond.now
        slave.log(6, `link status up again after ${(bond.downdelay - slave.delay) * bond.miimon} ms`)
      } else if (slave.delay <= 0) propose(slave, 'down')
      else slave.delay--
      continue
    }
    if (slave.link === 'down') {
      if (!live) continue
      propose(slave, 'back')
      slave.delay = bond.updelay
      const ms = ignoreUpdelay ? 0 : bond.updelay * bond.miimon
      if (slave.delay) slave.log(6, `link status up, enabling it in ${ms} ms`)
    }
    if (!live) {
      propose(slave, 'down')
      slave.log(6, `link status down again after ${(bond.updelay - slave.delay) * bond.miimon} ms`)
      continue
    }
    if (ignoreUpdelay) slave.delay = 0
    if (slave.delay <= 0) {
      propose(slave, 'up')
      ignoreUpdelay = false
    } else slave.delay--
  }
  return found
}

/** bond_miimon_commit() */
function commit(bond: Bond): void {
  let failover = false
  for (const slave of bond.slaves) {
    const { proposed } = slave
    if (proposed === undefined) continue
    slave.link = proposed
    if (proposed === 'up') {
      updateSpeed(slave)
      slave.lastLinkUp = bond.now
      if (bond.mode === '802.3ad') slave.active = false
      else if (bond.mode !== 'active-backup') slave.active = true
      const speed = Math.max(slave.speed, 0)
      slave.log(6, `link status definitely up, ${speed} Mbps ${slave.duplex === 'half' ? 'half' : 'full'} duplex`)
      if (bond.mode === '802.3ad') lacpLinkChange(slave, true)
      const { current } = bond
      if (current === undefined || slave === bond.primary || slave.priority > current.priority) failover = true
    } else if (proposed === 'down') {
      slave.failures++
      if (bond.mode === 'active-backup' || bond.mode === '802.3ad') setInactive(slave)
      slave.log(6, 'link status definitely down, disabling slave')
      if (bond.mode === '802.3ad') lacpLinkChange(slave, false)
      if (slave === bond.current) failover = true
    }
  }
  if (failover) selectActive(bond)
  setCarrier(bond)
}

export function miiMonitor(bond: Bond): void {
  if (bond.slaves.length > 0) {
    const notify = mayNotify(bond)
    if (inspect(bond)) commit(bond)
    if (bond.notificationsLeft > 0) {
      bond.notificationsLeft--
      if (notify) notifyPeers(bond.device)
    }
  }
  if (bond.miimon) bond.miiTimer.after(jiffiesOfMs(bond.miimon))
}

/** bond_time_in_interval() */
function within(bond: Bond, last: number, times: number): boolean {
  const delta = jiffiesOfMs(bond.arpInterval)
  return bond.now >= last - delta && bond.now <= last + times * delta + Math.floor(delta / 2)
}

/** bond_arp_send_all() */
function askTargets(bond: Bond, slave: Slave): void {
  const { device } = bond
  for (const target of bond.arpTargets) {
    const found = routeOutput(device.host, flowOf({ dst: target }))
    if (typeof found === 'string') ask(bond, slave, target, 0)
    else if (found.route.device === device) {
      ask(bond, slave, target, confirmAddress(device.host, device.inet, target, 0, RT_SCOPE_HOST))
    }
  }
}

function ask(bond: Bond, slave: Slave, target: number, source: number): void {
  const packet = new Packet()
  packet.etherType = ETH_P_ARP
  packet.macSrc = slave.device.address
  packet.macDst = slave.device.broadcast
  packet.arpOp = ARPOP_REQUEST
  packet.arpSha = slave.device.address
  packet.arpSpa = source
  packet.arpTpa = target
  slave.lastTx = bond.now
  bond.send(slave, packet)
}

/** bond_ab_arp_inspect(), bond_ab_arp_commit() */
function judgeByArp(bond: Bond): void {
  let failover = false
  let found = false
  for (const slave of bond.slaves) {
    slave.proposed = undefined
    if (slave.link !== 'up') {
      if (within(bond, slave.lastRx, 1)) slave.proposed = 'up'
      else if (slave.link === 'back') slave.proposed = 'fail'
    } else if (!within(bond, slave.lastLinkUp, 2)) {
      const deaf = (times: number) => !within(bond, slave.lastRx, times)
      const mute = !within(bond, slave.lastTx, bond.arpMissedMax)
      if (
        slave.active ? mute || deaf(bond.arpMissedMax) : bond.arpCandidate === undefined && deaf(bond.arpMissedMax + 1)
      ) {
        slave.proposed = 'down'
      }
    }
    if (slave.proposed !== undefined) found = true
  }
  if (!found) return
  for (const slave of bond.slaves) {
    const { proposed } = slave
    if (proposed === 'up') {
      if (bond.current === slave) continue
      slave.link = 'up'
      if (bond.arpCandidate !== undefined) setInactive(bond.arpCandidate)
      bond.arpCandidate = undefined
      slave.log(6, 'link status definitely up')
      const { current } = bond
      if (current === undefined || slave === bond.primary || slave.priority > current.priority) failover = true
    } else if (proposed === 'down') {
      slave.failures++
      slave.link = 'down'
      setInactive(slave)
      slave.log(6, 'link status definitely down, disabling slave')
      if (slave === bond.current) {
        bond.arpCandidate = undefined
        failover = true
      }
    } else if (proposed === 'fail') {
      slave.link = 'fail'
      setInactive(slave)
      if (bond.current !== undefined) bond.arpCandidate = undefined
    }
  }
  if (failover) selectActive(bond)
  setCarrier(bond)
}

/** bond_ab_arp_probe(): without an active slave one after the other is tried. */
function probe(bond: Bond): void {
  if (bond.current !== undefined) {
    askTargets(bond, bond.current)
    return
  }
  const from = bond.arpCandidate ?? bond.slaves[0]
  let before: Slave | undefined
  let next: Slave | undefined
  let passed = false
  for (const slave of bond.slaves) {
    if (!passed && before === undefined && slave.isUp) before = slave
    if (passed && next === undefined && slave.isUp) next = slave
    if (!slave.isUp && slave.link === 'up') {
      slave.link = 'down'
      slave.failures++
      setInactive(slave)
      slave.log(6, 'backup interface is now down')
    }
    if (slave === from) passed = true
  }
  const chosen = next ?? before
  if (chosen === undefined) return
  chosen.link = 'back'
  setActive(chosen)
  askTargets(bond, chosen)
  chosen.lastLinkUp = bond.now
  bond.arpCandidate = chosen
}

/** bond_loadbalance_arp_mon() */
function balanceMonitor(bond: Bond): void {
  const former = bond.current
  let failover = false
  let changed = false
  for (const slave of bond.slaves) {
    if (slave.link !== 'up') {
      if (within(bond, slave.lastTx, 1) && within(bond, slave.lastRx, 1)) {
        slave.proposed = 'up'
        changed = true
        slave.log(6, former === undefined ? 'link status definitely up' : 'interface is now up')
        if (former === undefined) failover = true
      }
    } else if (!within(bond, slave.lastTx, bond.arpMissedMax) || !within(bond, slave.lastRx, bond.arpMissedMax)) {
      slave.proposed = 'down'
      changed = true
      slave.failures++
      slave.log(6, 'interface is now down')
      if (slave === former) failover = true
    }
    if (slave.isUp) askTargets(bond, slave)
  }
  if (!changed) return
  for (const slave of bond.slaves) {
    slave.link = slave.proposed ?? slave.link
    slave.proposed = undefined
    if (slave.link === 'up') setActive(slave)
    else setInactive(slave)
  }
  if (failover) selectActive(bond)
}

export function arpMonitor(bond: Bond): void {
  if (bond.slaves.length > 0) {
    if (bond.mode === 'active-backup') {
      const notify = mayNotify(bond)
      judgeByArp(bond)
      probe(bond)
      if (notify && bond.notificationsLeft > 0) {
        bond.notificationsLeft--
        notifyPeers(bond.device)
      }
    } else balanceMonitor(bond)
  }
  if (bond.arpInterval) bond.arpTimer.after(jiffiesOfMs(bond.arpInterval))
}
