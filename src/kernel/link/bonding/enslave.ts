/**
 * A device becomes a bond's slave, and is one no longer.
 *
 * Linux 6.1 drivers/net/bonding/bond_main.c: bond_enslave(), __bond_release_one(), bond_handle_frame().
 */
import {
  addressChanged,
  IFF_ALLMULTI,
  IFF_MASTER,
  IFF_PROMISC,
  IFF_SLAVE,
  IFF_UP,
  linkUpper,
  NET_ADDR_RANDOM,
  NET_ADDR_STOLEN,
  type NetDevice,
  PACKET_LOOPBACK,
  type Refusal,
  type RxHandler,
  refuse,
  setDeviceUp,
  setMtu,
  unlinkUpper,
} from '#kernel/net'
import { frameLength } from '#wire/inet'
import { formatMac } from '#wire/link'
import { randomAddress } from '../mac.ts'
import { changeActive, selectActive, setCarrier, setInactive } from './active.ts'
import { type Bond, bondOf, Slave, slaveOf } from './bond.ts'
import { bindLacp, receiveLacp, unbindLacp } from './lacp.ts'
import { jiffiesOfMs, updateSpeed } from './monitor.ts'

const LINK_LOCAL = 0x0180c2000000

/** What a slave receives is the bond's; what a backup receives is nobody's. bond_handle_frame() */
const receive: RxHandler = (packet, device) => {
  if (packet.packetType === PACKET_LOOPBACK) return false
  const slave = slaveOf(device)!
  const { bond } = slave
  bond.device.countRx(frameLength(packet))
  if (bond.up && bond.arpInterval) slave.lastRx = bond.now
  if (bond.up && bond.mode === '802.3ad' && receiveLacp(slave, packet)) return true
  const reserved = packet.macDst >= LINK_LOCAL && packet.macDst < LINK_LOCAL + 16
  if (slave.inactive) return reserved ? false : 'exact'
  if (bond.up) bond.device.deliver(packet)
  return true
}

function setSlaveAddress(device: NetDevice, address: number): void {
  if (device.address === address) return
  device.address = address
  addressChanged(device)
}

export function enslave(bond: Bond, device: NetDevice): Refusal | undefined {
  if (device.flags & IFF_MASTER && bondOf(device) === undefined) {
    return refuse('EPERM', 'Device type (master device) cannot be enslaved')
  }
  if (device.rxHandler !== undefined) return refuse('EBUSY', 'Device is in use and cannot be enslaved')
  if (device === bond.device) return refuse('EPERM', 'Cannot enslave bond to itself.')
  if (device.loops) {
    bond.log(
      4,
      `(slave ${device.name}): enslaved VLAN challenged slave. Adding VLANs will be blocked as long as it is part of bond.`,
    )
  }
  if (device.up) return refuse('EPERM', 'Device can not be enslaved while up')
  if (device.looks.hardwareType !== 1) return refuse('EINVAL', 'Device type is different from other slaves')
  const first = bond.slaves.length === 0
  if (first && bond.device.addressAssignType === NET_ADDR_RANDOM) {
    bond.device.address = device.address
    bond.device.addressAssignType = NET_ADDR_STOLEN
    addressChanged(bond.device)
  }
  const slave = new Slave(bond, device)
  const refusal = setMtu(device, bond.device.mtu)
  if (refusal !== undefined) return refusal
  if (bond.failOverMac === 'none' || bond.mode !== 'active-backup') setSlaveAddress(device, bond.device.address)
  device.flags |= IFF_SLAVE
  const opened = setDeviceUp(device, true)
  if (opened !== undefined) {
    bond.log(3, `(slave ${device.name}): Error: Opening slave failed`)
    device.flags &= ~IFF_SLAVE
    setSlaveAddress(device, slave.permanentAddress)
    setMtu(device, slave.originalMtu)
    return opened
  }
  updateSpeed(slave)
  slave.lastRx = bond.now - (jiffiesOfMs(bond.arpInterval) + 1)
  slave.lastTx = slave.lastRx
  slave.link = initialLink(bond, slave)
  if (slave.link !== 'down') slave.lastLinkUp = bond.now
  if (bond.usesPrimary && bond.primaryName === device.name) {
    bond.primary = slave
    bond.forcePrimary = true
  }
  const linked = linkUpper(device, bond.device, true)
  if (linked !== undefined) return linked
  device.port = slave
  device.rxHandler = receive
  bond.slaves = [...bond.slaves, slave]
  if (bond.mode === 'active-backup') setInactive(slave)
  else if (bond.mode === '802.3ad') {
    setInactive(slave)
    bindLacp(bond, slave)
  } else {
    slave.active = true
    if (bond.current === undefined && slave.link === 'up') bond.current = slave
  }
  if (!bond.usesPrimary) {
    if (bond.device.flags & IFF_PROMISC) device.changePromiscuity(1)
    if (bond.device.flags & IFF_ALLMULTI) device.changeAllmulti(1)
  }
  setCarrier(bond)
  if (bond.usesPrimary) selectActive(bond)
  const how = slave.active ? 'an active' : 'a backup'
  slave.log(6, `Enslaving as ${how} interface with ${slave.link === 'down' ? 'a down' : 'an up'} link`)
  return undefined
}

/** Without a monitor a slave counts as up. */
function initialLink(bond: Bond, slave: Slave): Slave['link'] {
  if (bond.miimon) {
    if (!slave.isUp) return 'down'
    if (!bond.updelay) return 'up'
    slave.delay = bond.updelay
    return 'back'
  }
  if (bond.arpInterval) return slave.device.carrier ? 'up' : 'down'
  return 'up'
}

/** @param all the bond itself goes */
export function release(bond: Bond, slave: Slave, all: boolean): void {
  const { device } = slave
  device.rxHandler = undefined
  device.port = undefined
  if (bond.mode === '802.3ad') unbindLacp(slave)
  unlinkUpper(device, bond.device)
  bond.slaves = bond.slaves.filter((each) => each !== slave)
  setInactive(slave)
  slave.log(6, 'Releasing backup interface') // Whichever it was.
  const was = bond.current
  bond.arpCandidate = undefined
  if (
    !all &&
    bond.device.address === slave.permanentAddress &&
    bond.slaves.length > 0 &&
    bond.failOverMac !== 'active'
  ) {
    const what = `the permanent HWaddr of slave - ${formatMac(slave.permanentAddress)} - is still in use by bond`
    slave.log(4, `${what} - set the HWaddr of slave to a different address to avoid conflicts`)
  }
  if (bond.primary === slave) bond.primary = undefined
  if (was === slave) changeActive(bond, undefined)
  if (!all && was === slave) selectActive(bond)
  setCarrier(bond)
  if (bond.slaves.length === 0) {
    randomAddress(bond.device)
    addressChanged(bond.device)
  }
  if (!bond.usesPrimary) {
    if (bond.device.flags & IFF_PROMISC) device.changePromiscuity(-1)
    if (bond.device.flags & IFF_ALLMULTI) device.changeAllmulti(-1)
  }
  if (device.flags & IFF_UP) setDeviceUp(device, false)
  device.flags &= ~IFF_SLAVE
  setSlaveAddress(device, slave.permanentAddress)
  setMtu(device, slave.originalMtu)
}
