/**
 * SIOCETHTOOL: what a driver says of itself and its link. The card is a tap device: it counts nothing of its own.
 *
 * Linux 6.1 net/ethtool/ioctl.c: dev_ethtool(); drivers/net/tun.c: tun_ethtool_ops.
 */
import { fail, type Host, ok, type SysResult } from '#kernel/core'
import type { NetDevice } from './device.ts'
import { deviceByName } from './devices.ts'

/** Megabits a second: a gigabit card, as the real backends set it. */
export const LINK_SPEED = 1_000

/** SIOCETHTOOL: a device and an ETHTOOL_* command. */
export interface EthtoolRequest {
  name: string
  command: string
}

/** ETHTOOL_GDRVINFO: struct ethtool_drvinfo. */
export interface DriverInfo {
  driver: string
  version: string
  firmwareVersion: string
  romVersion: string
  busInfo: string
  statistics: number
  privateFlags: number
  testInfo: number
  eeprom: number
  registers: number
}

/** ETHTOOL_GLINKSETTINGS: struct ethtool_link_settings. */
export interface LinkSettings {
  speed: number
  duplex: 'half' | 'full' | 'unknown'
  /** PORT_TP 0 ... */
  port: number
  phyAddress: number
  autonegotiation: boolean
  transceiver: 'internal' | 'external'
  /** ETH_TP_MDI_INVALID 0: unknown. */
  mdix: number
  /** Names of ETHTOOL_LINK_MODE_*. */
  supported: string[]
  advertised: string[]
}

/** What a virtual device's driver says to ethtool. Linux: struct ethtool_ops. */
export interface DriverEthtool {
  /** Besides the driver's name, which is the kind's, and a version, which is the kernel's. */
  info?: Partial<DriverInfo>
  /** Absent, or undefined: it has no such thing as a speed. */
  link?(device: NetDevice): Partial<LinkSettings> | undefined
}

/** What a link can do, and how fast it is; undefined if its driver doesn't say. __ethtool_get_link_ksettings() */
export function linkSettings(device: NetDevice): LinkSettings | undefined {
  if (device.driver === undefined) return device.kind === 'ether' ? LINK_SETTINGS : undefined
  const own = device.driver.ethtool?.link?.(device)
  return own && { ...LINK_SETTINGS, ...own }
}

/** Megabits a second; undefined if unknown. */
export function linkSpeed(device: NetDevice): number | undefined {
  const speed = linkSettings(device)?.speed
  return speed === undefined || speed < 0 ? undefined : speed
}

/** Answers one ETHTOOL_* command. */
export function ethtool(host: Host, { name, command }: EthtoolRequest): SysResult<unknown> {
  const device = deviceByName(host, name)
  if (device === undefined) return fail('ENODEV')
  if (device.driver !== undefined && !device.loops) return virtualEthtool(device, command)
  const card = device.kind === 'ether'
  switch (command) {
    case 'ETHTOOL_GLINK':
      return ok(device.up && device.carrier ? 1 : 0)
    case 'ETHTOOL_GDRVINFO':
      return card ? ok(driverInfo(device)) : fail('EOPNOTSUPP')
    case 'ETHTOOL_GLINKSETTINGS':
      return card ? ok(LINK_SETTINGS) : fail('EOPNOTSUPP')
    case 'ETHTOOL_GMSGLVL':
      return card ? ok(0) : fail('EOPNOTSUPP')
    default:
      // The driver counts nothing of its own, wakes nobody, and has no ring to set.
      return fail('EOPNOTSUPP')
  }
}

function virtualEthtool(device: NetDevice, command: string): SysResult<unknown> {
  const settings = command === 'ETHTOOL_GLINKSETTINGS' ? linkSettings(device) : undefined
  switch (command) {
    case 'ETHTOOL_GLINK':
      return ok(device.up && device.carrier ? 1 : 0)
    case 'ETHTOOL_GDRVINFO': {
      const info = { ...driverInfo(device), version: device.host.image.release, busInfo: '' }
      return ok({ ...info, ...device.driver?.ethtool?.info })
    }
    case 'ETHTOOL_GLINKSETTINGS':
      return settings === undefined ? fail('EOPNOTSUPP') : ok(settings)
    default:
      return fail('EOPNOTSUPP')
  }
}

/** Linux 6.1 drivers/net/tun.c: tun_get_drvinfo(). */
function driverInfo(device: NetDevice): DriverInfo {
  return {
    driver: device.looks.driver,
    version: '1.6',
    firmwareVersion: '',
    romVersion: '',
    busInfo: 'tap',
    statistics: 0,
    privateFlags: 0,
    testInfo: 0,
    eeprom: 0,
    registers: 0,
  }
}

/** Linux 6.1 drivers/net/tun.c: tun_default_link_ksettings(). */
const LINK_SETTINGS: LinkSettings = {
  speed: LINK_SPEED,
  duplex: 'full',
  port: 0,
  phyAddress: 0,
  autonegotiation: false,
  transceiver: 'internal',
  mdix: 0,
  supported: [],
  advertised: [],
}
