/** `ip address show` and `ip link show`: which links and addresses, and how they look. iproute2 6.1 ip/ipaddress.c */
import type { Address6Message, AddressMessage, LinkMessage } from '#kernel/net'
import { formatIpv4 } from '#wire/inet'
import { matchesGlob } from './glob.ts'
import { addressHelp, linkHelp } from './help.ts'
import { IFF_UP } from './link-flags.ts'
import { showLink } from './link-show.ts'
import { covers, type Family, type Prefix, prefix } from './prefix.ts'
import type { Session } from './session.ts'
import { showStatistics } from './statistics.ts'
import { abbreviates, duplicateOrGarbage, EXIT_USAGE, Refusal, type Words, wrongArgument } from './words.ts'

/** IFA_F_*, by the words of the command line; `settable` by whoever adds an IPv4 address. Linux 6.1 include/uapi/linux/if_addr.h */
export const ADDRESS_FLAGS: { name: string; bit: number; readOnly: boolean; onlyIpv6: boolean }[] = [
  { name: 'secondary', bit: 0x01, readOnly: true, onlyIpv6: false },
  { name: 'temporary', bit: 0x01, readOnly: true, onlyIpv6: false },
  { name: 'nodad', bit: 0x02, readOnly: false, onlyIpv6: true },
  { name: 'optimistic', bit: 0x04, readOnly: false, onlyIpv6: true },
  { name: 'dadfailed', bit: 0x08, readOnly: true, onlyIpv6: true },
  { name: 'home', bit: 0x10, readOnly: false, onlyIpv6: true },
  { name: 'deprecated', bit: 0x20, readOnly: true, onlyIpv6: true },
  { name: 'tentative', bit: 0x40, readOnly: true, onlyIpv6: true },
  { name: 'permanent', bit: 0x80, readOnly: true, onlyIpv6: true },
  { name: 'mngtmpaddr', bit: 0x100, readOnly: false, onlyIpv6: true },
  { name: 'noprefixroute', bit: 0x200, readOnly: false, onlyIpv6: false },
  { name: 'autojoin', bit: 0x400, readOnly: false, onlyIpv6: false },
  { name: 'stable-privacy', bit: 0x800, readOnly: true, onlyIpv6: true },
]

const IFA_F_PERMANENT = 0x80
const IFA_F_SECONDARY = 0x01
export const FOREVER = 0xffffffff

/** An address of either family. */
export type AnyAddress = AddressMessage | Address6Message

/** What a `show` or a `flush` asks for. */
export interface AddressFilter {
  ifindex: number
  up: boolean
  label: string | undefined
  group: number | undefined
  /** -1: those without a master. */
  master: number
  kind: string | undefined
  slaveKind: string | undefined
  scope: number | undefined
  flags: number
  flagMask: number
  prefix: Prefix | undefined
  device: string | undefined
}

/** Reads the words behind `show` or `flush`. */
export function parseAddressFilter(session: Session, words: Words, isLink: boolean): AddressFilter {
  const { names, options } = session
  const filter: AddressFilter = {
    ifindex: 0,
    up: false,
    label: undefined,
    group: undefined,
    master: 0,
    kind: undefined,
    slaveKind: undefined,
    scope: undefined,
    flags: 0,
    flagMask: 0,
    prefix: undefined,
    device: undefined,
  }
  for (; words.more; words.advance()) {
    const word = words.current
    if (word === 'to') filter.prefix = prefix(words.value(), isLink ? 'link' : options.family)
    else if (word === 'scope') {
      filter.scope = names.parseScope(words.value())
      if (filter.scope === undefined && words.current !== 'all') throw wrongArgument(words.current, 'invalid "scope"\n')
    } else if (word === 'up') filter.up = true
    else if (takeFlag(filter, word)) continue
    else if (word === 'label') filter.label = words.value()
    else if (word === 'group') {
      filter.group = names.parseGroup(words.value())
      if (filter.group === undefined) throw wrongArgument(words.current, 'Invalid "group" value\n')
    } else if (word === 'master') {
      const master = session.findDevice(words.value())
      if (master === undefined) throw wrongArgument(words.current, 'Device does not exist\n')
      filter.master = master
    } else if (word === 'vrf') throw wrongArgument(words.value(), 'Not a valid VRF name\n')
    else if (word === 'nomaster') filter.master = -1
    else if (word === 'type') {
      const kind = words.value()
      if (kind.endsWith('_slave')) filter.slaveKind = kind.slice(0, -'_slave'.length)
      else filter.kind = kind
    } else {
      if (word === 'dev') words.value()
      else if (abbreviates(word, 'help')) throw new Refusal(isLink ? linkHelp : addressHelp, EXIT_USAGE)
      if (filter.device !== undefined) throw duplicateOrGarbage('dev', words.current)
      filter.device = words.current
    }
  }
  if (filter.device !== undefined) {
    const index = session.findDevice(filter.device)
    if (index === undefined) throw new Refusal(`Device "${filter.device}" does not exist.\n`, 1)
    filter.ifindex = index
  }
  return filter
}

/** A word such as `dynamic` or `-tentative`; false if it is none. */
function takeFlag(filter: AddressFilter, word: string): boolean {
  let inverted = word.startsWith('-')
  let name = inverted ? word.slice(1) : word
  if (name === 'dynamic' || name === 'primary') {
    inverted = !inverted
    name = name === 'dynamic' ? 'permanent' : 'secondary'
  }
  const flag = ADDRESS_FLAGS.find((candidate) => candidate.name === name)
  if (!flag) return false
  if (inverted) filter.flags &= ~flag.bit
  else filter.flags |= flag.bit
  filter.flagMask |= flag.bit
  return true
}

/** Whether an address is wanted. */
export function addressMatches(filter: AddressFilter, address: AnyAddress): boolean {
  if (filter.ifindex && filter.ifindex !== address.ifindex) return false
  if (filter.scope !== undefined && filter.scope !== address.scope) return false
  if ((filter.flags ^ address.flags) & filter.flagMask) return false
  if (filter.label !== undefined && address.family === 'AF_INET' && !matchesGlob(filter.label, address.label))
    return false
  return !filter.prefix || covers(filter.prefix, address.local)
}

function linkMatches(filter: AddressFilter, link: LinkMessage): boolean {
  if (filter.ifindex && link.ifindex !== filter.ifindex) return false
  if (filter.up && !(link.flags & IFF_UP)) return false
  // A group is compared as a number; 'default' is 0.
  const group = link.group === 'default' ? 0 : Number(link.group)
  if (filter.group !== undefined && group !== filter.group) return false
  if (filter.master > 0 && link.master !== filter.master) return false
  if (filter.master < 0 && link.master) return false
  if (filter.slaveKind !== undefined && link.slaveKind !== filter.slaveKind) return false
  return filter.kind === undefined || link.kind === filter.kind
}

/** `ip address show`, or with isLink `ip link show`. */
export function showAddresses(session: Session, words: Words, isLink: boolean): number {
  const { options, out } = session
  const filter = parseAddressFilter(session, words, isLink)
  const linkOnly = isLink || options.family === 'link'
  const links = session.ask<LinkMessage>(
    filter.ifindex ? { type: 'RTM_GETLINK', ifindex: filter.ifindex } : { type: 'RTM_GETLINK' },
  )
  const family = filter.prefix?.hasAddress ? filter.prefix.family : options.family
  const all = linkOnly ? [] : askAddresses(session, family)

  out.begin(options.json)
  for (const link of links) {
    const own = all.filter((address) => address.ifindex === link.ifindex)
    // A link without any address is shown too, unless addresses of one family are asked for.
    const wanted = own.some((address) => addressMatches(filter, address)) || (own.length === 0 && family === 'any')
    if (!linkOnly && !wanted) continue
    const shown = linkMatches(filter, link)
    out.openObject()
    // A label says that only addresses are wanted; -oneline prints the device before each address instead.
    const withLink = shown && filter.label === undefined && (options.brief || linkOnly || !options.oneline)
    if (withLink)
      showLink(session, link, {
        isLink,
        showAddress: linkOnly || family === 'any',
        inet6: family === 'inet6' && filter.ifindex === 0,
      })
    if (shown && !linkOnly) {
      out.openArray('addr_info')
      for (const address of own) {
        if (!addressMatches(filter, address)) continue
        out.openObject()
        showAddress(session, address, options.oneline)
        out.close()
      }
      out.close()
      if (options.brief) out.text('\n')
    }
    if (withLink && !isLink && !options.brief && options.stats) {
      showStatistics(session, link)
      out.text(session.newline)
    }
    out.close()
  }
  out.end()
  return 0
}

/** The addresses of a family, or of all. */
export function askAddresses(session: Session, family: Family): AnyAddress[] {
  if (family === 'inet') return session.ask<AnyAddress>({ type: 'RTM_GETADDR', family: 'AF_INET' })
  if (family === 'inet6') return session.ask<AnyAddress>({ type: 'RTM_GETADDR', family: 'AF_INET6' })
  return session.ask<AnyAddress>({ type: 'RTM_GETADDR' })
}

/** One address. iproute2 6.1 ip/ipaddress.c: print_addrinfo() */
export function showAddress(session: Session, message: AnyAddress, withDevice: boolean): void {
  const { out, names, options } = session
  if (!options.brief) {
    if (withDevice) {
      const device = session.deviceName(message.ifindex)
      out.json('index', message.ifindex)
      out.field('dev', device, `${message.ifindex}: ${device}`)
    }
    const name = message.family === 'AF_INET6' ? 'inet6' : 'inet'
    out.field('family', name, `    ${name} `)
  }
  out.field('local', session.host(message.local), session.host(message.local))
  if (message.address !== message.local) {
    out.field('address', session.host(message.address), ` peer ${session.host(message.address)}`)
  }
  out.field('prefixlen', message.prefix, `/${message.prefix} `)
  if (message.metric !== undefined) out.field('metric', message.metric, `metric ${message.metric} `)
  if (options.brief) return
  if (message.family === 'AF_INET' && message.broadcast !== undefined) {
    const broadcast = options.resolve ? session.host(message.broadcast) : formatIpv4(message.broadcast)
    out.field('broadcast', broadcast, `brd ${broadcast} `)
  }
  const scope = names.scope(message.scope)
  out.field('scope', scope, `scope ${scope} `)
  showAddressFlags(session, message.flags, message.family === 'AF_INET6')
  if (message.family === 'AF_INET') out.field('label', message.label, message.label)
  out.text(`${session.newline}       valid_lft `)
  out.field('valid_life_time', message.validS, message.validS === FOREVER ? 'forever' : `${message.validS}sec`)
  out.text(' preferred_lft ')
  out.field(
    'preferred_life_time',
    message.preferredS,
    message.preferredS === FOREVER ? 'forever' : `${message.preferredS}sec`,
  )
  out.text('\n')
}

function showAddressFlags({ out }: Session, flags: number, inet6: boolean): void {
  let rest = flags
  for (const { name, bit } of ADDRESS_FLAGS) {
    if (bit === IFA_F_PERMANENT) {
      if (!(rest & bit)) out.field('dynamic', true, 'dynamic ')
    } else if (rest & bit) {
      const shown = name === 'secondary' && inet6 ? 'temporary' : name
      out.field(shown, true, `${shown} `)
    }
    rest &= ~bit
  }
  if (rest) out.field('ifa_flags', rest.toString(16).padStart(2, '0'), `flags ${rest.toString(16).padStart(2, '0')} `)
}

/** Whether a filter asks for primary addresses only: then a flush doesn't go on to what was promoted meanwhile. */
export function onlyPrimaries(filter: AddressFilter): boolean {
  return !(filter.flags & IFA_F_SECONDARY) && (filter.flagMask & IFA_F_SECONDARY) !== 0
}
