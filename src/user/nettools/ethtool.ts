/** `ethtool` 6.1: what a driver says of itself, its counters and its link. */
import { NotModelled } from '#base/check'
import { type Body, type Errno, type Sys, type SysResult, strerror } from '#kernel/core'
import type { DriverInfo, LinkSettings } from './ethtool-types.ts'
import { Output } from './output.ts'

const VERSION = 'ethtool version 6.1\n'
const HELP = `${VERSION}Usage:
        ethtool DEVNAME			Show the settings of a device
        ethtool -i|--driver DEVNAME	Show its driver
        ethtool -S|--statistics DEVNAME	Show the driver's own counters
        ethtool -h|--help		Show this help
        ethtool --version		Show the version
`
const BAD_LINE = 'ethtool: bad command line argument(s)\nFor more information run ethtool -h\n'

/** Options that the tool has and this one doesn't. */
const OTHERS = ['-s', '-a', '-A', '-c', '-C', '-g', '-G', '-k', '-K', '-r', '-p', '-t', '-n', '-N', '-T', '-x', '-X']
const OTHERS_TOO = ['-P', '-l', '-L', '-d', '-e', '-E', '-m', '-f', '-w', '-W', '-u', '-U', '-Q']

/** The ETHTOOL_* commands of one device. */
class Device {
  readonly name: string
  readonly #sys: Sys
  readonly #socket: number

  constructor(sys: Sys, socket: number, name: string) {
    this.#sys = sys
    this.#socket = socket
    this.name = name
  }

  ask<T>(command: string): SysResult<T> {
    return this.#sys.ioctl(this.#socket, 'SIOCETHTOOL', { name: this.name, command }) as SysResult<T>
  }
}

export function* ethtool(sys: Sys, argv: string[]): Body<number> {
  const out = new Output()
  const status = run(sys, out, argv.slice(1))
  yield* out.write(sys)
  return status
}

function run(sys: Sys, out: Output, words: string[]): number {
  const first = words[0] ?? ''
  if (first === '-h' || first === '--help') {
    out.print(HELP)
    return 0
  }
  if (first === '--version') {
    out.print(VERSION)
    return 0
  }
  const driver = first === '-i' || first === '--driver'
  const statistics = first === '-S' || first === '--statistics'
  const option = driver || statistics
  if (!option && (OTHERS.includes(first) || OTHERS_TOO.includes(first)) && words.length > 1) {
    throw new NotModelled(`ethtool ${first}`)
  }
  const name = option ? words[1] : words[0]
  if (name === undefined || (!option && first.startsWith('-')) || words.length > (option ? 2 : 1)) {
    out.error(BAD_LINE)
    return 1
  }
  if (name.length > 15) {
    out.error('ethtool: bad command line argument(s)\nFor more information run ethtool -h\n')
    return 1
  }
  const socket = sys.socket('AF_INET', 'SOCK_DGRAM', 0)
  if (!socket.ok) {
    out.error(`Cannot get control socket: ${strerror(socket.errno)}\n`)
    return 70
  }
  const device = new Device(sys, socket.value, name)
  const status = driver ? showDriver(out, device) : statistics ? showStatistics(out, device) : showSettings(out, device)
  sys.close(socket.value)
  return status
}

function showDriver(out: Output, device: Device): number {
  const answer = device.ask<DriverInfo>('ETHTOOL_GDRVINFO')
  if (!answer.ok) {
    out.error(`Cannot get driver information: ${strerror(answer.errno)}\n`)
    return 71
  }
  const info = answer.value
  const yes = (count: number) => (count > 0 ? 'yes' : 'no')
  out.print(`driver: ${info.driver}
version: ${info.version}
firmware-version: ${info.firmwareVersion}
expansion-rom-version: ${info.romVersion}
bus-info: ${info.busInfo}
supports-statistics: ${yes(info.statistics)}
supports-test: ${yes(info.testInfo)}
supports-eeprom-access: ${yes(info.eeprom)}
supports-register-dump: ${yes(info.registers)}
supports-priv-flags: ${yes(info.privateFlags)}
`)
  return 0
}

/** A driver's counters, names set to the right so that the values stand behind one another. */
function showStatistics(out: Output, device: Device): number {
  // Whether there is such a device at all is seen by any request.
  const exists = device.ask('ETHTOOL_GLINK')
  if (!exists.ok && exists.errno === 'ENODEV') {
    out.error(`Cannot get stats strings information: ${strerror('ENODEV')}\n`)
    return 96
  }
  const answer = device.ask<[name: string, value: number][]>('ETHTOOL_GSTATS')
  if (!answer.ok || answer.value.length === 0) {
    out.error('no stats available\n')
    return 94
  }
  out.print('NIC statistics:\n')
  for (const [name, value] of answer.value) out.print(`     ${name}: ${value}\n`)
  return 0
}

const PORTS = ['Twisted Pair', 'AUI', 'MII', 'FIBRE', 'BNC', 'Direct Attach Copper']
const MDIX = ['Unknown', 'off', 'on', 'Unknown (auto)']

/** The plain form. It asks the kernel by netlink five times, and complains as often. */
function showSettings(out: Output, device: Device): number {
  const settings = device.ask<LinkSettings>('ETHTOOL_GLINKSETTINGS')
  const link = device.ask<number>('ETHTOOL_GLINK')
  const level = device.ask<number>('ETHTOOL_GMSGLVL')
  if (!link.ok) return complain(out, link.errno)
  out.print(`Settings for ${device.name}:\n`)
  if (settings.ok) out.print(formatSettings(settings.value))
  if (level.ok) out.print(formatLevel(level.value))
  out.print(`\tLink detected: ${link.value ? 'yes' : 'no'}\n`)
  return 0
}

const REQUESTS = 5

function complain(out: Output, errno: Errno): number {
  for (let i = 0; i < REQUESTS; i++) {
    if (errno === 'ENODEV') out.error('netlink error: no device matches name (offset 24)\n')
    out.error(`netlink error: ${strerror(errno)}\n`)
  }
  out.print('No data available\n')
  return 75
}

function formatSettings(settings: LinkSettings): string {
  const { port } = settings
  const modes = (list: string[]) => (list.length === 0 ? 'Not reported' : list.join(' '))
  const negotiates = (list: string[]) => (list.includes('Autoneg') ? 'Yes' : 'No')
  const plain = (list: string[]) => list.filter((mode) => mode !== 'Autoneg' && mode !== 'TP')
  const ports = settings.supported.includes('TP') ? ' TP ' : '  '
  return `\tSupported ports: [${ports}]
\tSupported link modes:   ${modes(plain(settings.supported))}
\tSupported pause frame use: No
\tSupports auto-negotiation: ${negotiates(settings.supported)}
\tSupported FEC modes: Not reported
\tAdvertised link modes:  ${modes(plain(settings.advertised))}
\tAdvertised pause frame use: No
\tAdvertised auto-negotiation: ${negotiates(settings.advertised)}
\tAdvertised FEC modes: Not reported
\tSpeed: ${settings.speed > 0 ? `${settings.speed}Mb/s` : 'Unknown!'}
\tDuplex: ${{ half: 'Half', full: 'Full', unknown: 'Unknown! (255)' }[settings.duplex]}
\tAuto-negotiation: ${settings.autonegotiation ? 'on' : 'off'}
\tPort: ${PORTS[port] ?? `Unknown! (${port})`}
\tPHYAD: ${settings.phyAddress}
\tTransceiver: ${settings.transceiver}
${port === 0 ? `\tMDI-X: ${MDIX[settings.mdix] ?? 'Unknown'}\n` : ''}`
}

/** NETIF_MSG_*. Linux 6.1 include/linux/netdevice.h */
const LEVELS = 'drv probe link timer ifdown ifup rx_err tx_err tx_queued intr tx_done rx_status pktdata hw wol'.split(
  ' ',
)

function formatLevel(level: number): string {
  const names = LEVELS.filter((_, bit) => level & (1 << bit))
  const words = names.length > 0 ? names.join(' ') : ''
  return `        Current message level: 0x${level.toString(16).padStart(8, '0')} (${level})\n                              ${words}\n`
}
