/** `route` of net-tools 2.10: the main table as /proc/net/route has it. route.c, lib/inet_gr.c */

import { NotModelled } from '#base/check'
import { getopt } from '#base/text'
import type { Body, Sys } from '#kernel/core'
import { formatIpv4, prefixOf } from '#wire/inet'
import { type Hosts, readHosts, readLines } from './files.ts'
import { Output } from './output.ts'

const USAGE = `Usage: route [-nee]                     Show the kernel's routes
       route {-h|--help}                Show this help

        -n, --numeric            don't look up names
        -e, --extend             show other columns
`

/** RTF_*. Linux 6.1 include/uapi/linux/route.h */
const RTF_GATEWAY = 0x2
const RTF_HOST = 0x4
const RTF_REJECT = 0x200
const FLAGS: [number, string][] = [
  [RTF_GATEWAY, 'G'],
  [RTF_HOST, 'H'],
  [0x8, 'R'],
  [0x10, 'D'],
  [0x20, 'M'],
]

export interface RouteLine {
  device: string
  destination: number
  gateway: number
  flags: number
  metric: number
  mask: number
  mtu: number
  window: number
  irtt: number
}

/** Addresses stand there as an x86 reads their bytes. */
function parseAddress(hex: string): number {
  return Number.parseInt(hex.match(/../g)!.reverse().join(''), 16)
}

export function parseRoutes(lines: readonly string[]): RouteLine[] {
  return lines.slice(1).flatMap((line) => {
    const [device, destination, gateway, flags, , , metric, mask, mtu, window, irtt] = line.trim().split(/\s+/)
    if (device === undefined || irtt === undefined) return []
    return [
      {
        device,
        destination: parseAddress(destination!),
        gateway: parseAddress(gateway!),
        flags: Number.parseInt(flags!, 16),
        metric: Number(metric),
        mask: parseAddress(mask!),
        mtu: Number(mtu),
        window: Number(window),
        irtt: Number(irtt),
      },
    ]
  })
}

/** The table; extended: as `netstat -r` has it. */
export function formatRoutes(routes: readonly RouteLine[], hosts: Hosts | undefined, extended: boolean): string {
  const columns = extended ? 'MSS Window  irtt' : 'Metric Ref    Use'
  let text = `Kernel IP routing table\nDestination     Gateway         Genmask         Flags ${extended ? '  ' : ''}${columns} Iface\n`
  for (const route of routes) {
    const reject = (route.flags & RTF_REJECT) !== 0
    const destination = nameOf(route, hosts)
    const gateway = reject ? '-' : (hosts?.nameOf(formatIpv4(route.gateway)) ?? formatIpv4(route.gateway))
    const flags =
      (reject ? '!' : 'U') +
      FLAGS.filter(([bit]) => route.flags & bit)
        .map(([, letter]) => letter)
        .join('')
    const head = [destination, gateway, formatIpv4(route.mask)].map((cell) => cell.slice(0, 15).padEnd(15)).join(' ')
    const device = reject ? '-' : route.device
    if (extended) {
      const [mss, window, irtt] = reject ? ['-', '-', '-'] : [route.mtu, route.window, route.irtt].map(String)
      text += `${head} ${flags.padEnd(5)} ${mss!.padStart(5)} ${window!.padEnd(5)} ${irtt!.padStart(6)} ${device}\n`
    } else {
      text += `${head} ${flags.padEnd(5)} ${String(route.metric).padEnd(6)} ${(reject ? '-' : '0').padEnd(2)} ${'0'.padStart(7)} ${device}\n`
    }
  }
  return text
}

function nameOf(route: RouteLine, hosts: Hosts | undefined): string {
  const number = formatIpv4(route.destination)
  if (!hosts) return number
  if (route.destination === 0 && prefixOf(route.mask) === 0) return 'default'
  return (route.flags & RTF_HOST ? hosts.nameOf(number) : undefined) ?? number
}

export function* route(sys: Sys, argv: string[]): Body<number> {
  const out = new Output()
  const parsed = getopt(argv, 'A:eCFhnN64Vv?', [
    { name: 'numeric', as: 'n' },
    { name: 'extend', as: 'e' },
    { name: 'help', as: 'h' },
    { name: 'version', as: 'V' },
    { name: 'verbose', as: 'v' },
  ])
  const given = new Set(parsed.options.map(({ option }) => option))
  const mistake = parsed.options.find(({ message }) => message)
  const verb = parsed.operands[0]
  if (verb !== undefined && ['add', 'del', 'flush'].includes(verb)) throw new NotModelled(`route ${verb}`)
  if (verb !== undefined) {
    out.error(USAGE)
    yield* out.write(sys)
    return 3
  }
  if (mistake || given.has('h') || given.has('?')) {
    if (mistake) out.error(`${mistake.message}\n${USAGE}`)
    else out.print(USAGE)
    yield* out.write(sys)
    return mistake ? 3 : 0
  }
  for (const option of ['6', 'C', 'V', 'A']) if (given.has(option)) throw new NotModelled(`route -${option}`)
  const lines = yield* readLines(sys, '/proc/net/route')
  if (!lines) {
    out.error('/proc/net/route: No such file or directory\nINET (IPv4) not configured in this system.\n')
    yield* out.write(sys)
    return 1
  }
  const hosts = given.has('n') ? undefined : yield* readHosts(sys)
  out.print(formatRoutes(parseRoutes(lines), hosts, given.has('e')))
  yield* out.write(sys)
  return 0
}
