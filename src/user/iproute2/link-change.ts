/** `ip link set`, `add` and `delete`. iproute2 6.1 ip/iplink.c: iplink_parse() */
import { NotModelled } from '#base/check'
import type { LinkRequest, NewFlags } from '#kernel/net'
import { linkHelp } from './help.ts'
import {
  IFF_ALLMULTI,
  IFF_DYNAMIC,
  IFF_MULTICAST,
  IFF_NOARP,
  IFF_NOTRAILERS,
  IFF_PROMISC,
  IFF_UP,
} from './link-show.ts'
import { linkAddress } from './prefix.ts'
import type { Session } from './session.ts'
import {
  abbreviates,
  duplicate,
  duplicateOrGarbage,
  EXIT_USAGE,
  noDevice,
  parseInteger,
  Refusal,
  type Words,
  wrongArgument,
} from './words.ts'

/** Words that take `on` or `off`: the flag, and whether `on` clears it. */
const SWITCHES: Record<string, [bit: number, inverted: boolean]> = {
  multicast: [IFF_MULTICAST, false],
  allmulticast: [IFF_ALLMULTI, false],
  promisc: [IFF_PROMISC, false],
  trailers: [IFF_NOTRAILERS, true],
  arp: [IFF_NOARP, true],
  dynamic: [IFF_DYNAMIC, false],
}

const UNMODELLED = ['xdp', 'xdpgeneric', 'xdpdrv', 'xdpoffload', 'netns', 'vf', 'vrf', 'addrgenmode', 'link-netns']
const UNMODELLED_TOO = [
  'link-netnsid',
  'protodown',
  'protodown_reason',
  'gso_max_size',
  'gso_max_segs',
  'gro_max_size',
  'parentdev',
  'state',
]

/** What `ip link set` and `add` can say. */
interface LinkWords {
  name?: string
  device?: string
  kind?: string
  /** The words behind `type KIND`. */
  kindWords?: Words
  link?: string
  index?: number
  group?: number
  address?: number[]
  broadcast?: number[]
  txqlen?: number
  mtu?: number
  master?: number
  alias?: string
  linkMode?: string
  carrier?: boolean
  flags: number
  change: number
}

function onOff(key: string, word: string): boolean {
  if (word === 'on') return true
  if (word === 'off') return false
  throw new Refusal(`Error: argument of "${key}" must be "on" or "off", not "${word}"\n`, 1)
}

function parseLinkWords(session: Session, words: Words): LinkWords {
  const given: LinkWords = { flags: 0, change: 0 }
  const integer = (key: 'txqlen' | 'mtu', name: string) => {
    words.value()
    if (given[key] !== undefined) throw duplicate(name, words.current)
    given[key] = parseInteger(words.current)
    if (given[key] === undefined) throw wrongArgument(words.current, `Invalid "${name}" value\n`)
  }
  for (; words.more; words.advance()) {
    const word = words.current
    // A full word only, but for `dynamic`; the order is the tool's, since abbreviations may mean several.
    const flag =
      SWITCHES[word] ?? (abbreviates(word, 'dynamic') && !abbreviates(word, 'dev') ? SWITCHES.dynamic : undefined)
    if (word === 'up' || word === 'down') {
      given.change |= IFF_UP
      given.flags = word === 'up' ? given.flags | IFF_UP : given.flags & ~IFF_UP
    } else if (word === 'name') {
      words.value()
      if (given.name !== undefined) throw duplicate('name', words.current)
      if (!isInterfaceName(words.current)) throw wrongArgument(words.current, '"name" not a valid ifname')
      given.name = words.current
      given.device ??= given.name
    } else if (word === 'index') {
      words.value()
      if (given.index) throw duplicate('index', words.current)
      given.index = Number.parseInt(words.current, 10)
      if (!(given.index > 0)) throw wrongArgument(words.current, 'Invalid "index" value')
    } else if (abbreviates(word, 'link')) given.link = words.value()
    else if (abbreviates(word, 'address')) given.address = linkAddress(words.value())
    else if (abbreviates(word, 'broadcast') || word === 'brd') given.broadcast = linkAddress(words.value())
    else if (abbreviates(word, 'txqueuelen') || word === 'qlen' || abbreviates(word, 'txqlen'))
      integer('txqlen', 'txqueuelen')
    else if (word === 'mtu') integer('mtu', 'mtu')
    else if (UNMODELLED.includes(word) || UNMODELLED_TOO.includes(word)) throw new NotModelled(`ip link: ${word}`)
    else if (flag) {
      const on = onOff(word, words.value())
      given.change |= flag[0]
      given.flags = on !== flag[1] ? given.flags | flag[0] : given.flags & ~flag[0]
    } else if (word === 'carrier') given.carrier = onOff(word, words.value())
    else if (abbreviates(word, 'master')) {
      const master = session.findDevice(words.value())
      if (master === undefined) throw wrongArgument(words.current, 'Device does not exist\n')
      given.master = master
    } else if (abbreviates(word, 'nomaster')) given.master = 0
    else if (abbreviates(word, 'type')) {
      given.kind = words.value()
      words.advance()
      given.kindWords = words.rest()
      break
    } else if (abbreviates(word, 'alias')) {
      given.alias = words.value()
      if (given.alias.length >= 256) throw wrongArgument(given.alias, 'alias too long\n')
    } else if (word === 'group') {
      words.value()
      if (given.group !== undefined) throw duplicate('group', words.current)
      given.group = session.names.parseGroup(words.current)
      if (given.group === undefined) throw wrongArgument(words.current, 'Invalid "group" value\n')
    } else if (word === 'mode') {
      given.linkMode = words.value().toUpperCase()
      if (given.linkMode !== 'DEFAULT' && given.linkMode !== 'DORMANT')
        throw wrongArgument(words.current, 'Invalid link mode\n')
    } else if (abbreviates(word, 'numtxqueues') || abbreviates(word, 'numrxqueues'))
      throw new NotModelled('queues of links')
    else {
      if (abbreviates(word, 'help')) throw new Refusal(linkHelp, EXIT_USAGE)
      if (word === 'dev') words.value()
      if (given.device !== given.name) throw duplicateOrGarbage('dev', words.current)
      if (words.current === '' || /[/\s]/.test(words.current))
        throw wrongArgument(words.current, '"dev" not a valid ifname')
      given.device = words.current
    }
  }
  return given
}

/** Linux 6.1 net/core/dev.c: dev_valid_name(), as far as the tool looks. */
function isInterfaceName(name: string): boolean {
  return name !== '' && name.length < 16 && !/[/\s]/.test(name)
}

/** A MAC as a number, or the bytes if there are not six. */
function sixBytes(bytes: number[]): number | undefined {
  return bytes.length === 6 ? bytes.reduce((mac, byte) => mac * 256 + byte, 0) : undefined
}

function garbage(words: Words): Refusal {
  if (abbreviates(words.current, 'help')) return new Refusal(linkHelp, EXIT_USAGE)
  return new Refusal(`Garbage instead of arguments "${words.current} ...". Try "ip link help".\n`, 1)
}

/** `ip link set`. */
export function setLink(session: Session, words: Words): number {
  const given = parseLinkWords(session, words)
  const device = given.device ?? given.name
  if (given.group !== undefined && device === undefined) throw new NotModelled('ip link set of a whole group')
  if (device !== undefined && given.address) checkAddressLength(session, device, given.address)
  if (given.index) {
    throw new Refusal(
      'index can be used only when creating devices or when moving device to another netns.\n',
      EXIT_USAGE,
    )
  }
  if (device === undefined) throw new Refusal('Not enough information: "dev" argument is required.\n', EXIT_USAGE)
  const ifindex = session.device(device)
  if (given.kind !== undefined) throw new NotModelled(`ip link set type ${given.kind}`)
  const request: LinkRequest = { type: 'RTM_SETLINK', ifindex }
  if (given.change) {
    request.flags = given.flags
    request.change = given.change
  }
  if (given.name !== undefined && given.name !== device) request.newName = given.name
  if (given.address) request.address = sixBytes(given.address)
  if (given.broadcast) {
    request.broadcast = sixBytes(given.broadcast)
    if (request.broadcast === undefined) throw new Refusal('RTNETLINK answers: Invalid argument\n', 2)
  }
  if (given.txqlen !== undefined) request.txqlen = given.txqlen
  if (given.mtu !== undefined) request.mtu = given.mtu
  if (given.master !== undefined) request.master = given.master
  if (given.alias !== undefined) request.alias = given.alias
  if (given.group !== undefined) request.group = given.group
  if (given.linkMode !== undefined) request.linkMode = given.linkMode
  if (given.carrier !== undefined) request.carrier = given.carrier
  session.ask(request)
  session.forgetLinks()
  return 0
}

function checkAddressLength(session: Session, device: string, bytes: number[]): void {
  if (session.findDevice(device) === undefined) throw noDevice(device)
  if (bytes.length !== 6) throw new Refusal(`Invalid address length ${bytes.length} - must be 6 bytes\n`, 1)
}

/** `ip link add`. */
export function addLink(session: Session, words: Words, flags: NewFlags): number {
  const given = parseLinkWords(session, words)
  const device = given.device ?? given.name
  if (given.group !== undefined && device === undefined) {
    throw new Refusal('group cannot be used when creating devices.\n', EXIT_USAGE)
  }
  if (given.name !== undefined && given.name !== device) {
    throw new Refusal('both "name" and "dev" cannot be used when creating devices.\n', EXIT_USAGE)
  }
  const link = given.link === undefined ? undefined : session.device(given.link)
  if (given.kind === undefined) throw new Refusal('Not enough information: "type" argument is required\n', 1)
  const data = parseKind(session, given.kind, given.kindWords!)
  const request: LinkRequest = { type: 'RTM_NEWLINK', kind: given.kind, ...flags }
  if (device !== undefined) request.name = device
  if (data) request.data = data
  if (link !== undefined) request.link = link
  if (given.address) request.address = sixBytes(given.address)
  if (given.broadcast) request.broadcast = sixBytes(given.broadcast)
  if (given.mtu !== undefined) request.mtu = given.mtu
  if (given.txqlen !== undefined) request.txqlen = given.txqlen
  if (given.master !== undefined) request.master = given.master
  if (given.change) {
    request.flags = given.flags
    request.change = given.change
  }
  session.ask(request)
  session.forgetLinks()
  return 0
}

/** The words behind `type KIND`. A kind whose words nobody here knows goes to the kernel, which knows whether there is one. */
function parseKind(session: Session, kind: string, words: Words): Record<string, unknown> | undefined {
  if (!words.more) return undefined
  if (kind === 'veth') {
    if (words.current !== 'peer') throw new Refusal(`veth: unknown command "${words.current}"?\n`, 1)
    words.advance()
    const { device, name, address, mtu } = parseLinkWords(session, words)
    const peer: Record<string, unknown> = {}
    if ((name ?? device) !== undefined) peer.name = name ?? device
    if (address) peer.address = sixBytes(address)
    if (mtu !== undefined) peer.mtu = mtu
    return { peer }
  }
  if (kind === 'dummy') throw garbage(words)
  throw new NotModelled(`the arguments of ip link type ${kind}`)
}

/** `ip link delete`. */
export function deleteLink(session: Session, words: Words): number {
  const given = parseLinkWords(session, words)
  const device = given.device ?? given.name
  if (given.group !== undefined) throw new NotModelled('ip link delete of a whole group')
  if (device === undefined) throw new Refusal('Not enough information: "dev" argument is required.\n', EXIT_USAGE)
  const ifindex = session.device(device)
  if (given.kindWords?.more) throw garbage(given.kindWords)
  session.ask({ type: 'RTM_DELLINK', ifindex })
  session.forgetLinks()
  return 0
}
