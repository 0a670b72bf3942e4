/** What SIOCETHTOOL answers. Linux 6.1 include/uapi/linux/ethtool.h */
export interface DriverInfo {
  driver: string
  version: string
  firmwareVersion: string
  romVersion: string
  busInfo: string
  /** How many counters, tests ... there are. */
  statistics: number
  testInfo: number
  eeprom: number
  registers: number
  privateFlags: number
}

export interface LinkSettings {
  /** Megabits a second. */
  speed: number
  duplex: 'half' | 'full' | 'unknown'
  port: number
  phyAddress: number
  autonegotiation: boolean
  transceiver: 'internal' | 'external'
  mdix: number
  supported: string[]
  advertised: string[]
}
