/** `ifconfig` of net-tools 2.10: interfaces by /proc/net/dev and the ioctls. ifconfig.c, lib/interface.c */
import { NotModelled } from '#base/check'
import { type Body, type Sys, strerror } from '#kernel/core'
import { formatIpv4 } from '#wire/inet'
import { formatMac } from '#wire/link'
import { readLines } from './files.ts'
import { Output } from './output.ts'

const USAGE = `Usage: ifconfig [-a] [<interface>]
       ifconfig <interface> [up|down] [mtu <NN>] [[-]arp] [[-]promisc] [[-]allmulti]
`

const IFF_UP = 0x1
const IFF_BROADCAST = 0x2
const IFF_POINTOPOINT = 0x10
const IFF_NOARP = 0x80
const IFF_PROMISC = 0x100
const IFF_ALLMULTI = 0x200
const ARPHRD_LOOPBACK = 772

const FLAGS: [number, string][] = [
  [IFF_UP, 'UP'],
  [IFF_BROADCAST, 'BROADCAST'],
  [0x4, 'DEBUG'],
  [0x8, 'LOOPBACK'],
  [IFF_POINTOPOINT, 'POINTOPOINT'],
  [0x20, 'NOTRAILERS'],
  [0x40, 'RUNNING'],
  [IFF_NOARP, 'NOARP'],
  [IFF_PROMISC, 'PROMISC'],
  [IFF_ALLMULTI, 'ALLMULTI'],
  [0x800, 'SLAVE'],
  [0x400, 'MASTER'],
  [0x1000, 'MULTICAST'],
  [0x8000, 'DYNAMIC'],
]

/** Bytes for people: one digit behind the point, cut off as the tool's whole numbers do. */
function formatBytes(bytes: number): string {
  const units: [number, string][] = [
    [1099511627776, 'TiB'],
    [1073741824, 'GiB'],
    [1048576, 'MiB'],
    [1024, 'KiB'],
  ]
  const found = units.find(([size]) => bytes > size)
  const tenths = found ? Math.floor(bytes / Math.floor(found[0] / 10)) : bytes * 10
  return `${Math.floor(tenths / 10)}.${tenths % 10} ${found?.[1] ?? 'B'}`
}

class Interface {
  readonly name: string
  /** The columns of /proc/net/dev. */
  readonly #counters: number[]
  readonly #sys: Sys
  readonly #socket: number

  constructor(sys: Sys, socket: number, name: string, counters: number[]) {
    this.#sys = sys
    this.#socket = socket
    this.name = name
    this.#counters = counters
  }

  ask<T>(request: string, argument: object = {}): T | undefined {
    const answer = this.#sys.ioctl(this.#socket, request, { name: this.name, ...argument })
    return answer.ok ? (answer.value as T) : undefined
  }

  get flags(): number {
    return this.ask<number>('SIOCGIFFLAGS') ?? 0
  }

  format(): string {
    const { flags } = this
    const names = FLAGS.filter(([bit]) => flags & bit).map(([, name]) => name)
    let text = `${this.name}: flags=${flags}<${names.join(',')}>  mtu ${this.ask('SIOCGIFMTU')}\n`
    const address = this.ask<number>('SIOCGIFADDR')
    if (address !== undefined) {
      text += `        inet ${formatIpv4(address)}  netmask ${formatIpv4(this.ask<number>('SIOCGIFNETMASK') ?? 0)}`
      if (flags & IFF_BROADCAST) text += `  broadcast ${formatIpv4(this.ask<number>('SIOCGIFBRDADDR') ?? 0)}`
      if (flags & IFF_POINTOPOINT) text += `  destination ${formatIpv4(this.ask<number>('SIOCGIFDSTADDR') ?? 0)}`
      text += '\n'
    }
    const hardware = this.ask<{ hardwareType: number; address: number }>('SIOCGIFHWADDR')
    const loopback = hardware?.hardwareType === ARPHRD_LOOPBACK
    const queue = this.ask<number>('SIOCGIFTXQLEN')
    text += loopback
      ? `        loop  txqueuelen ${queue}  (Local Loopback)\n`
      : `        ether ${formatMac(hardware?.address ?? 0)}  txqueuelen ${queue}  (Ethernet)\n`
    const c = this.#counters
    return `${text}        RX packets ${c[1]}  bytes ${c[0]} (${formatBytes(c[0]!)})
        RX errors ${c[2]}  dropped ${c[3]}  overruns ${c[4]}  frame ${c[5]}
        TX packets ${c[9]}  bytes ${c[8]} (${formatBytes(c[8]!)})
        TX errors ${c[10]}  dropped ${c[11]} overruns ${c[12]}  carrier ${c[14]}  collisions ${c[13]}

`
  }
}

export function* ifconfig(sys: Sys, argv: string[]): Body<number> {
  const out = new Output()
  const status = yield* run(sys, out, argv.slice(1))
  yield* out.write(sys)
  return status
}

function* run(sys: Sys, out: Output, words: string[]): Body<number> {
  const all = words[0] === '-a'
  const rest = all ? words.slice(1) : words
  if (rest[0] === '-h' || rest[0] === '-?' || rest[0] === '--help') {
    out.error(USAGE)
    return 0
  }
  if (rest[0]?.startsWith('-')) throw new NotModelled(`ifconfig ${rest[0]}`)
  const socket = sys.socket('AF_INET', 'SOCK_DGRAM', 0)
  if (!socket.ok) {
    out.error(`No usable address families found.\n`)
    return 1
  }
  const interfaces = ((yield* readLines(sys, '/proc/net/dev')) ?? []).slice(2).flatMap((line) => {
    const match = /^\s*(\S+?):\s*(.*)$/.exec(line)
    return match ? [new Interface(sys, socket.value, match[1]!, match[2]!.trim().split(/\s+/).map(Number))] : []
  })
  if (rest.length === 0) {
    interfaces.sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const one of interfaces) if (all || one.flags & IFF_UP) out.print(one.format())
    return 0
  }
  const found = interfaces.find(({ name }) => name === rest[0])
  if (!found) {
    if (rest[1] === 'mtu') {
      out.error(`SIOCSIFMTU: ${strerror('ENODEV')}\n`)
      return 1
    }
    if (rest.length > 1) {
      out.error(`${rest[0]}: ERROR while getting interface flags: ${strerror('ENODEV')}\n`)
      return 255
    }
    out.error(`${rest[0]}: error fetching interface information: Device not found\n`)
    return 1
  }
  if (rest.length === 1) {
    out.print(found.format())
    return 0
  }
  return change(sys, out, found, socket.value, rest.slice(1))
}

const SWITCHES: Record<string, [bit: number, on: boolean]> = {
  up: [IFF_UP, true],
  down: [IFF_UP, false],
  promisc: [IFF_PROMISC, true],
  '-promisc': [IFF_PROMISC, false],
  allmulti: [IFF_ALLMULTI, true],
  '-allmulti': [IFF_ALLMULTI, false],
  arp: [IFF_NOARP, false],
  '-arp': [IFF_NOARP, true],
}

function change(sys: Sys, out: Output, device: Interface, socket: number, words: string[]): number {
  let status = 0
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    const found = SWITCHES[word]
    const isMtu = word === 'mtu'
    if (!found && !isMtu) throw new NotModelled(`ifconfig ${device.name} ${word}`)
    const argument = found
      ? { name: device.name, flags: found[1] ? device.flags | found[0] : device.flags & ~found[0] }
      : { name: device.name, mtu: Number.parseInt(words[++i] ?? '', 10) || 0 }
    const answer = sys.ioctl(socket, isMtu ? 'SIOCSIFMTU' : 'SIOCSIFFLAGS', argument)
    if (answer.ok) continue
    out.error(`${isMtu ? 'SIOCSIFMTU' : 'SIOCSIFFLAGS'}: ${strerror(answer.errno)}\n`)
    if (!isMtu) return 255
    status = 1 // What follows is still done.
  }
  return status
}
