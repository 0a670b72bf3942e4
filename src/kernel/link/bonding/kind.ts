/**
 * `ip link add type bond`: the device, its driver, and what its slaves tell it.
 *
 * Linux 6.1 drivers/net/bonding/bond_main.c: bond_setup(), bond_open(), bond_netdev_event(); bond_netlink.c.
 */
import {
  addressChanged,
  type Driver,
  ETHERNET,
  IFF_ALLMULTI,
  IFF_MASTER,
  IFF_PROMISC,
  type LinkKind,
  type Looks,
  type NetDevice,
  type NetdevEvent,
  type Refusal,
  refuse,
  registerDevice,
  setMtu,
} from '#kernel/net'
import { isCardAddress, randomAddress } from '../mac.ts'
import { validateAddress } from '../validate.ts'
import { setActive, setInactive } from './active.ts'
import { Bond, bondOf, type Slave, slaveOf } from './bond.ts'
import { enslave, release } from './enslave.ts'
import { lacpTick, openLacp } from './lacp.ts'
import { arpMonitor, miiMonitor, updateSpeed } from './monitor.ts'
import { bondData, changeBond } from './options.ts'

const BOND: Looks = {
  linkType: 'ether',
  hardwareType: 1,
  qdisc: 'noqueue',
  txqlen: 1000,
  mtu: 1500,
  minMtu: 68,
  maxMtu: 65535,
  flags: ETHERNET.flags | IFF_MASTER,
  driver: 'bonding',
  gso: true,
  netnsLocal: true,
}

/** BOND_DEFAULT_TX_QUEUES */
const QUEUES = 16
const PORT_OTHER = 0xff

function fire(bond: Bond, timer: 'mii' | 'arp' | 'ad'): void {
  if (timer === 'mii') miiMonitor(bond)
  else if (timer === 'arp') arpMonitor(bond)
  else lacpTick(bond)
}

/** bond_open() */
function open(bond: Bond): void {
  for (const slave of bond.slaves) {
    if (bond.usesPrimary && slave !== bond.current) setInactive(slave)
    else if (bond.mode !== '802.3ad') setActive(slave)
  }
  if (bond.miimon) bond.miiTimer.after(0)
  if (bond.arpInterval) bond.arpTimer.after(0)
  if (bond.mode === '802.3ad') openLacp(bond)
}

function stop(bond: Bond): void {
  for (const timer of [bond.miiTimer, bond.arpTimer, bond.adTimer]) timer.cancel()
  bond.notificationsLeft = 0
}

/** bond_set_mac_address() */
function setAddress(bond: Bond, address: number): Refusal | undefined {
  if (bond.failOverMac !== 'none' && bond.mode === 'active-backup') return undefined
  if (!isCardAddress(address)) return refuse('EADDRNOTAVAIL')
  for (const { device } of bond.slaves) {
    device.address = address
    addressChanged(device)
  }
  bond.device.address = address
  return undefined
}

const driver: Driver = {
  gso: true,
  xmit: (packet, device) => bondOf(device)!.transmit(packet),
  open(device) {
    open(bondOf(device)!)
    return undefined
  },
  stop: (device) => stop(bondOf(device)!),
  setAddress: (device, address) => setAddress(bondOf(device)!, address),
  changeMtu(device, mtu) {
    for (const slave of bondOf(device)!.slaves) {
      const refusal = setMtu(slave.device, mtu)
      if (refusal !== undefined) return refusal
    }
    return undefined
  },
  changeRxFlags(device, flag) {
    const bond = bondOf(device)!
    const by = device.flags & flag ? 1 : -1
    const who = bond.usesPrimary ? bond.slaves.filter((slave) => slave === bond.current) : bond.slaves
    for (const slave of who) {
      if (flag === IFF_PROMISC) slave.device.changePromiscuity(by)
      else if (flag === IFF_ALLMULTI) slave.device.changeAllmulti(by)
    }
  },
  addSlave: (device, slave) => enslave(bondOf(device)!, slave),
  removeSlave(device, each) {
    const slave = slaveOf(each)
    if (slave === undefined || slave.bond.device !== device) return refuse('EINVAL')
    release(slave.bond, slave, false)
    return undefined
  },
  ethtool: {
    info: { firmwareVersion: '2' },
    link(device) {
      const able = bondOf(device)!.slaves.filter((slave) => slave.canTransmit && slave.speed > 0)
      const speed = able.reduce((sum, slave) => sum + slave.speed, 0)
      return { speed: speed || -1, duplex: able[0]?.duplex ?? 'unknown', port: PORT_OTHER }
    },
  },
  uninit(device) {
    const bond = bondOf(device)!
    for (const timer of [bond.miiTimer, bond.arpTimer, bond.adTimer]) timer.destroy()
  },
}

function releaseAll(bond: Bond): void {
  bond.unregistering = true
  for (const slave of bond.slaves) release(bond, slave, true)
  bond.log(6, 'Released all slaves')
}

/** bond_fill_slave_info() */
function slaveData(slave: Slave): Record<string, unknown> {
  const { lacp, bond } = slave
  const data: Record<string, unknown> = {
    state: slave.active ? 'ACTIVE' : 'BACKUP',
    mii_status: { up: 'UP', fail: 'GOING_DOWN', down: 'DOWN', back: 'GOING_BACK' }[slave.link],
    link_failure_count: slave.failures,
    perm_hwaddr: slave.permanentAddress,
    queue_id: slave.queueId,
    prio: slave.priority,
  }
  if (bond.mode !== '802.3ad' || lacp?.aggregator === undefined) return data
  data.ad_aggregator_id = lacp.aggregator.id
  data.ad_actor_oper_port_state = lacp.state
  data.ad_partner_oper_port_state = lacp.partner.state
  return data
}

export const bond: LinkKind = {
  kind: 'bond',
  looks: BOND,
  validate: (request) => validateAddress(request),
  create(device, request) {
    if (device.address === 0) randomAddress(device)
    device.numTxQueues = request.numTxQueues ?? QUEUES
    device.numRxQueues = request.numRxQueues ?? QUEUES
    const made = new Bond(device, fire)
    device.priv = made
    device.driver = driver
    const refusal = changeBond(made, request.data ?? {}) ?? registerDevice(device)
    if (refusal === undefined) device.carrierChanged(false)
    return refusal
  },
  change: (device, data) => changeBond(bondOf(device)!, data),
  fill: (device) => bondData(bondOf(device)!),
  remove(device) {
    releaseAll(bondOf(device)!)
    return [device]
  },
  fillSlave(_master, device) {
    const slave = slaveOf(device)
    return slave && slaveData(slave)
  },
  changeSlave(_master, device, data) {
    const slave = slaveOf(device)!
    if (typeof data.queue_id === 'number') slave.queueId = data.queue_id
    if (typeof data.prio === 'number') slave.priority = data.prio
    return undefined
  },
}

/** bond_slave_netdev_event() */
export function bondNotifier(event: NetdevEvent, device: NetDevice): void {
  const slave = slaveOf(device)
  if (slave === undefined) return
  if (event === 'UNREGISTER') release(slave.bond, slave, false)
  else if (event === 'UP' || event === 'CHANGE') updateSpeed(slave)
}
