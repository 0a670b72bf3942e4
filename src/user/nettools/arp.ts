/** `arp` of net-tools 2.10: the ARP table by /proc/net/arp and the ioctls. arp.c */
import { getopt, type ParsedOption } from '#base/text'
import { type Body, type Errno, type Sys, strerror } from '#kernel/core'
import { formatIpv4, parseIpv4Loose } from '#wire/inet'
import { formatMac, parseMac } from '#wire/link'
import { type Hosts, readHosts, readLines } from './files.ts'
import { Output } from './output.ts'

const USAGE = `Usage:
  arp [-vn]  [<HW>] [-i <if>] [-a] [<hostname>]             <-show the table
  arp [-v]          [-i <if>] -d  <host> [pub]              <-delete an entry
  arp [-vnD] [<HW>] [-i <if>] -f  [<filename>]              <-add entries from a file
  arp [-v]   [<HW>] [-i <if>] -s  <host> <hwaddr> [temp]    <-add an entry
  arp [-v]   [<HW>] [-i <if>] -Ds <host> <if> [netmask <nm>] pub

        -a                       show entries in BSD's style
        -e                       show entries in Linux's style (the default)
        -s, --set                add an entry
        -d, --delete             delete an entry
        -v, --verbose            say how many entries there are
        -n, --numeric            don't look up names
        -i, --device             a network interface
        -D, --use-device         take the hardware address of an interface
        -A, -p, --protocol       a protocol family: inet
        -f, --file               read entries from a file or from /etc/ethers

  <HW>='-H <hw>' or '-t <hw>': the hardware's type, ether
`
const VERSION = `net-tools 2.10
+I18N +SELINUX
AF: (inet) +UNIX +INET +INET6 +IPX +AX25 +NETROM +X25 +ATALK +ECONET +ROSE -BLUETOOTH
HW: (ether) +ETHER +ARC +SLIP +PPP +TUNNEL -TR +AX25 +NETROM +X25 +FR +ROSE +ASH +SIT +FDDI +HIPPI +HDLC/LAPB +EUI64 
`

/** Linux 6.1 include/uapi/linux/if_arp.h */
const ATF_COM = 0x02
const ATF_PERM = 0x04
const ATF_PUBL = 0x08
const ATF_USETRAILERS = 0x10
const ATF_NETMASK = 0x20
const ATF_DONTPUB = 0x40
const ARPHRD_ETHER = 1
/** -1 as an exit status. */
const FAILED = 255
const E_OPTERR = 3

const LONG = [
  { name: 'verbose', as: 'v' },
  { name: 'version', as: 'V' },
  { name: 'all', as: 'a' },
  { name: 'delete', as: 'd' },
  { name: 'file', as: 'f' },
  { name: 'numeric', as: 'n' },
  { name: 'set', as: 's' },
  { name: 'protocol', argument: 'required', as: 'A' },
  { name: 'hw-type', argument: 'required', as: 'H' },
  { name: 'device', argument: 'required', as: 'i' },
  { name: 'help', as: 'h' },
  { name: 'use-device', as: 'D' },
  { name: 'symbolic', as: 'N' },
] as const

interface Options {
  action: 'show' | 'set' | 'delete' | 'file'
  bsd: boolean
  numeric: boolean
  verbose: boolean
  useDevice: boolean
  typeGiven: boolean
  device: string
  words: string[]
}

/** Ends the command with what it has said. */
class Stop extends Error {
  override readonly name = 'Stop'
  readonly status: number
  constructor(status: number) {
    super(`exit ${status}`)
    this.status = status
  }
}

export function* arp(sys: Sys, argv: string[]): Body<number> {
  const out = new Output()
  let status: number
  try {
    const options = parseOptions(out, argv)
    const command = new Arp(sys, out, options, yield* readHosts(sys))
    status = yield* command.run()
  } catch (error) {
    if (!(error instanceof Stop)) throw error
    status = error.status
  }
  yield* out.write(sys)
  return status
}

function usage(out: Output): never {
  out.error(USAGE)
  throw new Stop(E_OPTERR)
}

function parseOptions(out: Output, argv: string[]): Options {
  const options: Options = {
    action: 'show',
    bsd: false,
    numeric: false,
    verbose: false,
    useDevice: false,
    typeGiven: false,
    device: '',
    words: [],
  }
  const parsed = getopt(argv, 'A:H:adfp:nsei:t:vh?DNV', LONG)
  for (const option of parsed.options) takeOption(out, options, option)
  options.words = parsed.operands
  return options
}

function takeOption(out: Output, options: Options, { option, value = '', message }: ParsedOption): void {
  switch (option) {
    case 'v':
      options.verbose = true
      break
    case 'n':
      options.numeric = true
      break
    case 'a':
      options.bsd = true
      break
    case 'e':
      options.bsd = false
      break
    case 'd':
      options.action = 'delete'
      break
    case 's':
      options.action = 'set'
      break
    case 'f':
      options.action = 'file'
      break
    case 'D':
      options.useDevice = true
      break
    case 'i':
      options.device = value
      break
    case 'A':
    case 'p':
      if (value !== 'inet') refuse(out, `arp: ${value}: unknown address family.\n`)
      break
    case 'H':
    case 't':
      if (value !== 'ether') refuse(out, `arp: ${value}: unknown hardware type.\n`)
      options.typeGiven = true
      break
    case 'V':
      out.print(VERSION)
      throw new Stop(0)
    case 'h':
      out.print(USAGE)
      throw new Stop(0)
    case 'N':
      options.numeric = false
      break
    default:
      if (message) out.error(`${message}\n`)
      usage(out)
  }
}

function refuse(out: Output, text: string): never {
  out.error(text)
  throw new Stop(FAILED)
}

class Arp {
  readonly #sys: Sys
  readonly #out: Output
  readonly #options: Options
  readonly #hosts: Hosts
  #socket = -1

  constructor(sys: Sys, out: Output, options: Options, hosts: Hosts) {
    this.#sys = sys
    this.#out = out
    this.#options = options
    this.#hosts = hosts
  }

  *run(): Body<number> {
    const { action, words } = this.#options
    if (action === 'show') return yield* this.#show(words[0])
    const socket = this.#sys.socket('AF_INET', 'SOCK_DGRAM', 0)
    if (!socket.ok) refuse(this.#out, `socket: ${strerror(socket.errno)}\n`)
    this.#socket = socket.value
    if (action === 'delete') return this.#delete(words)
    if (action === 'set') return this.#set(words)
    return yield* this.#fromFile(words[0] ?? '/etc/ethers')
  }

  /** An address by number or name; herror(3) says why there is none. */
  #address(host: string): number {
    const address = parseIpv4Loose(host) ?? this.#hosts.addressOf(host)
    if (address === undefined) refuse(this.#out, `${host}: Host name lookup failure\n`)
    return address
  }

  *#show(name: string | undefined): Body<number> {
    const { bsd, numeric, verbose, device, typeGiven } = this.#options
    const wanted = name === undefined ? undefined : formatIpv4(this.#address(name))
    const lines = yield* readLines(this.#sys, '/proc/net/arp')
    if (!lines) refuse(this.#out, '/proc/net/arp: No such file or directory\n')
    let entries = 0
    let shown = 0
    for (const line of lines.slice(1)) {
      const [ip = '', , flagsText, hardware = '', mask = '', interfaceName = ''] = line.trim().split(/\s+/)
      if (flagsText === undefined) continue
      entries++
      if (device !== '' && device !== interfaceName) continue
      if (wanted !== undefined && wanted !== ip) continue
      const flags = Number(flagsText)
      // Without its hardware address an entry has no hardware type to compare.
      shown++
      const named = numeric ? undefined : this.#hosts.nameOf(ip)
      if (bsd) this.#out.print(bsdLine(named ?? '?', ip, hardware, flags, mask, interfaceName))
      else {
        if (shown === 1) this.#out.print(HEADER)
        this.#out.print(linuxLine(named ?? ip, hardware, flags, mask, interfaceName))
      }
    }
    if (verbose) this.#out.print(`Entries: ${entries}\tSkipped: ${entries - shown}\tFound: ${shown}\n`)
    if (shown === 0) {
      if (wanted !== undefined && !bsd) this.#out.print(`${name} (${wanted}) -- no entry\n`)
      else if (typeGiven || wanted !== undefined || device !== '') {
        this.#out.print(`arp: in ${entries} entries no match found.\n`)
      }
    }
    return 0
  }

  #delete(words: string[]): number {
    const host = words[0]
    if (host === undefined) refuse(this.#out, 'arp: need host name\n')
    const request = {
      address: this.#address(host),
      hardwareType: ARPHRD_ETHER,
      flags: ATF_PERM,
      netmask: 0,
      device: this.#options.device,
    }
    let which = 0
    for (let i = 1; i < words.length; i++) {
      const word = words[i]!
      if (word === 'pub') which |= 1
      else if (word === 'priv') which |= 2
      else if (word === 'temp') request.flags &= ~ATF_PERM
      else if (word === 'trail') request.flags |= ATF_USETRAILERS
      else if (word === 'dontpub') request.flags |= ATF_DONTPUB
      else if (word === 'auto') continue
      else if (word === 'dev') request.device = words[++i] ?? usage(this.#out)
      else if (word === 'netmask') this.#netmask(request, words[++i])
      else usage(this.#out)
    }
    if (which === 0) which = 3
    let failure: Errno | undefined = 'ENOENT'
    if (which & 2) {
      failure = this.#ioctl('SIOCDARP', request)
      if (failure === undefined) return 0
      const missing = failure === 'ENXIO' || failure === 'ENOENT'
      if (!missing) this.#out.error(`SIOCDARP(priv): ${strerror(failure)}\n`)
      if (!(which & 1)) {
        if (missing) this.#out.print(`No ARP entry for ${host}\n`)
        return FAILED
      }
      if (!missing) return FAILED
    }
    failure = this.#ioctl('SIOCDARP', { ...request, flags: request.flags | ATF_PUBL })
    if (failure === undefined) return 0
    if (failure === 'ENXIO' || failure === 'ENOENT') this.#out.print(`No ARP entry for ${host}\n`)
    else this.#out.error(`SIOCDARP(pub): ${strerror(failure)}\n`)
    return FAILED
  }

  #set(words: string[]): number {
    const host = words[0]
    if (host === undefined) refuse(this.#out, 'arp: need host name\n')
    const address = this.#address(host)
    const given = words[1]
    if (given === undefined) refuse(this.#out, 'arp: need hardware address\n')
    const hardware = this.#options.useDevice ? this.#hardwareOf(given) : parseMac(given)
    if (hardware === undefined) refuse(this.#out, 'arp: invalid hardware address\n')
    const request = {
      address,
      hardware,
      hardwareType: ARPHRD_ETHER,
      flags: ATF_PERM | ATF_COM,
      netmask: 0,
      device: this.#options.device,
    }
    for (let i = 2; i < words.length; i++) {
      const word = words[i]!
      if (word === 'temp') request.flags &= ~ATF_PERM
      else if (word === 'trail') request.flags |= ATF_USETRAILERS
      else if (word === 'pub') request.flags |= ATF_PUBL
      else if (word === 'dontpub') request.flags |= ATF_DONTPUB
      else if (word === 'auto') continue
      else if (word === 'dev') request.device = words[++i] ?? usage(this.#out)
      else if (word === 'netmask') this.#netmask(request, words[++i])
      else usage(this.#out)
    }
    const failure = this.#ioctl('SIOCSARP', request)
    if (failure === undefined) return 0
    this.#out.error(`SIOCSARP: ${strerror(failure)}\n`)
    return FAILED
  }

  #netmask(request: { flags: number; netmask: number }, word: string | undefined): void {
    if (word === undefined) usage(this.#out)
    if (word === '255.255.255.255') return
    request.netmask = this.#address(word)
    request.flags |= ATF_NETMASK
  }

  #hardwareOf(name: string): number {
    const answer = this.#sys.ioctl(this.#socket, 'SIOCGIFHWADDR', { name })
    if (!answer.ok) refuse(this.#out, `arp: cant get HW-Address for \`${name}': ${strerror(answer.errno)}.\n`)
    return (answer.value as { address: number }).address
  }

  *#fromFile(path: string): Body<number> {
    const lines = yield* readLines(this.#sys, path)
    if (!lines) refuse(this.#out, `arp: cannot open etherfile ${path} !\n`)
    let status = 0
    for (const [i, line] of lines.entries()) {
      const words = line.trim().split(/\s+/)
      if (words[0] === '' || words[0]!.startsWith('#')) continue
      if (words.length < 2) {
        this.#out.error(`arp: format error on line ${i + 1} of etherfile ${path} !\n`)
        continue
      }
      try {
        status = this.#set(words) || status
      } catch (error) {
        if (!(error instanceof Stop)) throw error
        status = error.status
      }
    }
    return status
  }

  #ioctl(request: string, argument: object): Errno | undefined {
    const answer = this.#sys.ioctl(this.#socket, request, argument)
    return answer.ok ? undefined : answer.errno
  }
}

const HEADER = 'Address                  HWtype  HWaddress           Flags Mask            Iface\n'

const column = (text: string, width: number, most = width) => text.slice(0, most).padEnd(width)

function maskText(mask: string): string {
  return mask === '*' ? '' : mask
}

function linuxLine(host: string, hardware: string, flags: number, mask: string, device: string): string {
  let line = `${column(host, 23)}  `
  if (flags & ATF_COM) line += column('ether', 8) + column(formatted(hardware), 20)
  else if (flags & ATF_PUBL) line += column('*', 8) + column('<from_interface>', 20)
  else line += column('', 8) + column('(incomplete)', 20)
  const letters = `${flags & ATF_COM ? 'C' : ''}${flags & ATF_PERM ? 'M' : ''}${flags & ATF_PUBL ? 'P' : ''}`
  return `${line}${column(letters, 6)}${column(maskText(mask), 15)} ${device}\n`
}

function bsdLine(host: string, ip: string, hardware: string, flags: number, mask: string, device: string): string {
  let line = `${host} (${ip}) at `
  if (flags & ATF_COM) line += `${formatted(hardware)} [ether] `
  else line += flags & ATF_PUBL ? '<from_interface> ' : '<incomplete> '
  if (flags & ATF_NETMASK) line += `netmask ${maskText(mask)} `
  if (flags & ATF_PERM) line += 'PERM '
  if (flags & ATF_PUBL) line += 'PUB '
  return `${line}on ${device}\n`
}

/** As the hardware's own routine prints it. */
function formatted(hardware: string): string {
  const mac = parseMac(hardware)
  return mac === undefined ? hardware : formatMac(mac)
}
