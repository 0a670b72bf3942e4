/** `netstat` of net-tools 2.10: sockets, `-r`, the routes, and `-i`, the interfaces. */

import { NotModelled } from '#base/check'
import { getopt } from '#base/text'
import type { Body, Sys } from '#kernel/core'
import { readHosts, readLines } from './files.ts'
import { listSockets, type SocketOptions } from './netstat-sockets.ts'
import { Output } from './output.ts'
import { formatRoutes, parseRoutes } from './route.ts'

/** Letters of an interface's flags, in the order of printing. */
const LETTERS: [number, string][] = [
  [0x2, 'B'],
  [0x8, 'L'],
  [0x1000, 'M'],
  [0x20, 'N'],
  [0x80, 'O'],
  [0x10, 'P'],
  [0x40, 'R'],
  [0x1, 'U'],
]

export function* netstat(sys: Sys, argv: string[]): Body<number> {
  const parsed = getopt(argv, 'A:CFMacdeghilnNoprsStuUvVWw2fx64?Z', [
    { name: 'route', as: 'r' },
    { name: 'interfaces', as: 'i' },
    { name: 'numeric', as: 'n' },
    { name: 'numeric-hosts', as: 'numeric-hosts' },
    { name: 'numeric-ports', as: 'numeric-ports' },
    { name: 'numeric-users', as: 'numeric-users' },
    { name: 'all', as: 'a' },
    { name: 'listening', as: 'l' },
    { name: 'tcp', as: 't' },
    { name: 'udp', as: 'u' },
    { name: 'raw', as: 'w' },
    { name: 'unix', as: 'x' },
    { name: 'extend', as: 'e' },
    { name: 'programs', as: 'p' },
    { name: 'timers', as: 'o' },
    { name: 'wide', as: 'W' },
    { name: 'statistics', as: 's' },
    { name: 'groups', as: 'g' },
    { name: 'continuous', as: 'c' },
    { name: 'verbose', as: 'v' },
  ])
  const given = new Set(parsed.options.map(({ option }) => option))
  const out = new Output()
  if (given.has('r')) {
    const hosts = given.has('n') ? undefined : yield* readHosts(sys)
    out.print(formatRoutes(parseRoutes((yield* readLines(sys, '/proc/net/route')) ?? []), hosts, true))
  } else if (given.has('i')) {
    out.print(yield* interfaceTable(sys, given.has('a')))
  } else {
    const missing = ['s', 'g', 'c', 'M', 'Z'].find((letter) => given.has(letter))
    if (missing !== undefined) throw new NotModelled(`netstat -${missing}`)
    out.print(yield* listSockets(sys, socketOptions(given)))
  }
  yield* out.write(sys)
  return 0
}

const TABLES: [string, SocketOptions['tables'][number]][] = [
  ['t', 'tcp'],
  ['u', 'udp'],
  ['w', 'raw'],
  ['x', 'unix'],
]

function socketOptions(given: ReadonlySet<string>): SocketOptions {
  const tables = TABLES.filter(([letter]) => given.has(letter)).map(([, table]) => table)
  const families: SocketOptions['families'] = []
  if (given.has('4') || !given.has('6')) families.push('inet')
  if (given.has('6') || !given.has('4')) families.push('inet6')
  const onlyInet = given.has('4') || given.has('6')
  return {
    tables: tables.length > 0 ? tables : onlyInet ? ['tcp', 'udp', 'raw'] : ['tcp', 'udp', 'raw', 'unix'],
    families,
    all: given.has('a'),
    listening: given.has('l'),
    numericHosts: given.has('n') || given.has('numeric-hosts'),
    numericPorts: given.has('n') || given.has('numeric-ports'),
    extended: given.has('e'),
    programs: given.has('p'),
    timers: given.has('o'),
    wide: given.has('W'),
  }
}

function* interfaceTable(sys: Sys, all: boolean): Body<string> {
  let text = 'Kernel Interface table\n'
  text += 'Iface             MTU    RX-OK RX-ERR RX-DRP RX-OVR    TX-OK TX-ERR TX-DRP TX-OVR Flg\n'
  const socket = sys.socket('AF_INET', 'SOCK_DGRAM', 0)
  const lines = ((yield* readLines(sys, '/proc/net/dev')) ?? []).slice(2)
  const rows = lines.flatMap((line) => {
    const match = /^\s*(\S+?):\s*(.*)$/.exec(line)
    return match ? [{ name: match[1]!, c: match[2]!.trim().split(/\s+/) }] : []
  })
  rows.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const { name, c } of rows) {
    const ask = (request: string) => {
      const answer = socket.ok ? sys.ioctl(socket.value, request, { name }) : undefined
      return answer?.ok ? Number(answer.value) : 0
    }
    const flags = ask('SIOCGIFFLAGS')
    if (!all && !(flags & 1)) continue
    const letters = LETTERS.filter(([bit]) => flags & bit)
      .map(([, letter]) => letter)
      .join('')
    const cell = (value: string | undefined, width: number) => (value ?? '0').padStart(width)
    text += `${name.padEnd(15)} ${cell(String(ask('SIOCGIFMTU')), 5)} ${cell(c[1], 8)} ${cell(c[2], 6)} ${cell(c[3], 6)} ${(c[4] ?? '0').padEnd(6)} `
    text += `${cell(c[9], 8)} ${cell(c[10], 6)} ${cell(c[11], 6)} ${cell(c[12], 6)} ${letters}\n`
  }
  return text
}
