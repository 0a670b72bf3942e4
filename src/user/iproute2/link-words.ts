/** The words of `ip link set` and `add`, up to `type KIND`. iproute2 6.1 ip/iplink.c: iplink_parse() */
import { NotModelled } from '#base/check'
import { linkHelp } from './help.ts'
import {
  IFF_ALLMULTI,
  IFF_DYNAMIC,
  IFF_MULTICAST,
  IFF_NOARP,
  IFF_NOTRAILERS,
  IFF_PROMISC,
  IFF_UP,
} from './link-flags.ts'
import type { LinkWords } from './link-types/type.ts'
import { linkAddress } from './prefix.ts'
import type { Session } from './session.ts'
import {
  abbreviates,
  duplicate,
  duplicateOrGarbage,
  EXIT_USAGE,
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

const UNMODELLED = [
  'xdp',
  'xdpgeneric',
  'xdpdrv',
  'xdpoffload',
  'vf',
  'vrf',
  'protodown',
  'protodown_reason',
  'parentdev',
]

function onOff(key: string, word: string): boolean {
  if (word === 'on') return true
  if (word === 'off') return false
  throw new Refusal(`Error: argument of "${key}" must be "on" or "off", not "${word}"\n`, 1)
}

/** Reads to the last word, or to `type KIND`, whose words are left in `kindWords`. */
export function parseLinkWords(session: Session, words: Words): LinkWords {
  const given: LinkWords = {}
  const setFlag = (bit: number, on: boolean) => {
    given.change = (given.change ?? 0) | bit
    given.flags = on ? (given.flags ?? 0) | bit : (given.flags ?? 0) & ~bit
  }
  const integer = (key: 'txqlen' | 'mtu' | 'numTxQueues' | 'numRxQueues', name: string) => {
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
      setFlag(IFF_UP, word === 'up')
    } else if (word === 'name') {
      words.value()
      if (given.name !== undefined) throw duplicate('name', words.current)
      if (!isInterfaceName(words.current)) throw wrongArgument(words.current, '"name" not a valid ifname')
      given.name = words.current
      given.device ??= given.name
    } else if (word === 'index') {
      words.value()
      if (given.ifindex) throw duplicate('index', words.current)
      given.ifindex = Number.parseInt(words.current, 10)
      if (!(given.ifindex > 0)) throw wrongArgument(words.current, 'Invalid "index" value')
    } else if (abbreviates(word, 'link')) given.linkName = words.value()
    else if (abbreviates(word, 'address')) given.addressGiven = linkAddress(words.value())
    else if (abbreviates(word, 'broadcast') || word === 'brd') given.broadcastGiven = linkAddress(words.value())
    else if (abbreviates(word, 'txqueuelen') || word === 'qlen' || abbreviates(word, 'txqlen'))
      integer('txqlen', 'txqueuelen')
    else if (word === 'mtu') integer('mtu', 'mtu')
    else if (word === 'netns') {
      if (given.netns !== undefined) throw duplicate('netns', words.value())
      given.netns = words.value()
    } else if (UNMODELLED.includes(word)) throw new NotModelled(`ip link: ${word}`)
    else if (flag) {
      const on = onOff(word, words.value())
      setFlag(flag[0], on !== flag[1])
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
    } else if (word === 'state') throw new NotModelled('ip link set state')
    else if (abbreviates(word, 'numtxqueues')) integer('numTxQueues', 'numtxqueues')
    else if (abbreviates(word, 'numrxqueues')) integer('numRxQueues', 'numrxqueues')
    else if (abbreviates(word, 'addrgenmode')) given.addrGenMode = addressMode(words)
    else if (abbreviates(word, 'link-netns')) {
      if (given.linkNetns !== undefined || given.linkNetnsId !== undefined) throw duplicateNetns(words.value())
      given.linkNetns = words.value()
    } else if (abbreviates(word, 'link-netnsid')) {
      if (given.linkNetns !== undefined || given.linkNetnsId !== undefined) throw duplicateNetns(words.value())
      given.linkNetnsId = parseInteger(words.value())
      if (given.linkNetnsId === undefined) throw wrongArgument(words.current, 'Invalid "link-netnsid" value\n')
    } else if (word === 'gso_max_size' || word === 'gso_max_segs' || word === 'gro_max_size')
      throw new NotModelled(`ip link: ${word}`)
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

function duplicateNetns(value: string): Refusal {
  return duplicate('link-netns/link-netnsid', value)
}

/** iproute2: get_addr_gen_mode() */
function addressMode(words: Words): string {
  const mode = { eui64: 'eui64', none: 'none', stable_secret: 'stable_secret', random: 'random' }[words.value()]
  if (mode === undefined) throw wrongArgument(words.current, 'Invalid address generation mode\n')
  return mode
}
