/**
 * Virtual addresses: how they are written, and putting them on interfaces. keepalived 2.2.7 vrrp/vrrp_ipaddress.c:
 * alloc_ipaddress(), netlink_ipaddress(), netlink_iplist()
 */
import { ERRNO, type Errno, type Sys, strerror } from '#kernel/core'
import { broadcastOf, parseIpv4, parseIpv6, prefixIpv6 } from '#wire/inet'
import type { Interfaces, Nic } from './interfaces.ts'
import type { Words } from './keywords.ts'
import type { Log } from './log.ts'
import { type Address, isIpv6, showAddress, type VirtualAddress } from './model.ts'
import { readUnsigned, UINT_MAX } from './numbers.ts'
import type { Reader } from './reader.ts'

const IFA_F_HOMEADDRESS = 0x10
const IFA_F_NODAD = 0x02
const IFA_F_MANAGETEMPADDR = 0x100
const IFA_F_NOPREFIXROUTE = 0x200
const IFA_F_MCAUTOJOIN = 0x400
const FOREVER = 0xffff_ffff
const IFNAMSIZ = 16

/** What /etc/iproute2/rt_scopes names. */
const SCOPES: Record<string, number> = { global: 0, nowhere: 255, host: 254, link: 253, site: 200 }

export function parseScope(text: string): number | undefined {
  if (text in SCOPES) return SCOPES[text]
  return /^\d+$/.test(text) && Number(text) < 256 ? Number(text) : undefined
}

export interface AddressContext {
  reader: Reader
  log: Log
  interfaces: Interfaces
  /** For static addresses: who has none named. */
  defaultNic?: Nic | undefined
}

/** ADDRESS or ADDRESS/LENGTH. */
function parsePlace(reader: Reader, text: string): { address: Address; prefix: number } | undefined {
  const six = text.includes(':')
  const most = six ? 128 : 32
  const slash = text.indexOf('/')
  let prefix = most
  if (slash >= 0) {
    const said = text.slice(slash + 1)
    const read = readUnsigned(reader, said, 0, most, true)
    if (read === undefined) {
      reader.report('GENERAL', `Invalid address prefix len ${said} for address ${text} - using ${most}`)
    } else prefix = read
  }
  const bare = slash < 0 ? text : text.slice(0, slash)
  const address = six ? parseIpv6(bare) : parseIpv4(bare)
  if (address === undefined) {
    reader.report('GENERAL', `VRRP parsed invalid IP ${text}. skipping IP...`)
    return undefined
  }
  return { address, prefix }
}

const PARAMETERS = new Set(['dev', 'scope', 'broadcast', 'brd', 'label', 'peer', 'preferred_lft', 'track_group'])

/** A line of virtual_ipaddress or static_ipaddress. */
export function parseVirtualAddress(
  context: AddressContext,
  words: Words,
  isStatic: boolean,
): VirtualAddress | undefined {
  const { reader, interfaces } = context
  const wrong = (text: string) => reader.report('GENERAL', text)
  const written = words.at(0)
  const place = parsePlace(reader, written)
  if (!place) return undefined
  const made: VirtualAddress = {
    ...place,
    nic: undefined,
    scope: 0,
    broadcast: 0,
    label: undefined,
    peer: undefined,
    flags: 0,
    noDad: true,
    dontTrack: false,
    preferredS: FOREVER,
    set: false,
    pending: false,
  }
  const six = isIpv6(made.address)
  let broadcast: '+' | '-' | undefined
  let haveBroadcast = false
  let preferred: number | undefined
  for (let i = 1; i < words.count; i++) {
    const word = words.at(i)
    if (PARAMETERS.has(word) && (isStatic || word !== 'track_group') && i + 1 >= words.count) {
      wrong(`No ${word} parameter specified for ${written}`)
      return undefined
    }
    switch (word) {
      case 'dev': {
        if (made.nic) {
          wrong(`Cannot specify ipaddress device more than once for ${written}`)
          return undefined
        }
        made.nic = interfaces.wanted(words.at(++i), (text) => context.log.info(text))
        if (made.nic) break
        wrong(`WARNING - interface ${words.at(i)} for ip address ${written} doesn't exist`)
        return undefined
      }
      case 'scope': {
        const scope = parseScope(words.at(++i))
        if (scope === undefined) wrong(`Invalid scope '${words.at(i)}' specified for ${written} - ignoring`)
        else made.scope = scope
        break
      }
      case 'broadcast':
      case 'brd': {
        const value = words.at(++i)
        if (six) {
          wrong(
            `VRRP is trying to assign a broadcast ${value} to the IPv6 address ${written} !!?? WTF... skipping VIP...`,
          )
          return undefined
        }
        haveBroadcast = true
        if (value === '+' || value === '-') {
          broadcast = value
          break
        }
        const parsed = parseIpv4(value)
        if (parsed === undefined) {
          wrong(`VRRP is trying to assign invalid broadcast ${value}. skipping VIP...`)
          return undefined
        }
        made.broadcast = parsed
        break
      }
      case 'label': {
        const label = words.at(++i)
        if (label.length >= IFNAMSIZ) {
          wrong(`Address label ${label} is longer than maximum length ${IFNAMSIZ - 1} - removing address`)
          return undefined
        }
        made.label = label
        break
      }
      case 'peer': {
        const value = words.at(++i)
        if (made.peer !== undefined) {
          wrong(`Peer ${value} - another peer has already been specified`)
          break
        }
        const address = value.includes(':') ? parseIpv6(value) : parseIpv4(value)
        if (address === undefined) {
          wrong(`VRRP parsed invalid IP ${value}. skipping IP...`)
          wrong(`Invalid peer address ${value}`)
        } else if (isIpv6(address) !== six) wrong(`Peer address ${value} does not match address family`)
        else {
          if (made.prefix !== (six ? 128 : 32))
            wrong('Cannot specify address prefix when specifying peer address - ignoring')
          made.peer = address
          made.prefix = six ? 128 : 32
        }
        break
      }
      case 'home':
        made.flags |= IFA_F_HOMEADDRESS
        break
      case '-nodad':
        made.noDad = false
        break
      case 'mngtmpaddr':
        made.flags |= IFA_F_MANAGETEMPADDR
        break
      case 'noprefixroute':
        made.flags |= IFA_F_NOPREFIXROUTE
        break
      case 'autojoin':
        made.flags |= IFA_F_MCAUTOJOIN
        break
      case 'no_track':
        made.dontTrack = true
        break
      case 'preferred_lft': {
        const value = words.at(++i)
        if (value === 'forever') preferred = FOREVER
        else {
          preferred = readUnsigned(reader, value, 0, UINT_MAX, true)
          if (preferred === undefined) wrong(`preferred_lft ${value} is invalid`)
        }
        break
      }
      default:
        wrong(`Unknown configuration entry '${word}' for ip address - ignoring`)
    }
  }
  if (haveBroadcast && made.peer !== undefined) {
    wrong('Cannot specify broadcast and peer addresses - ignoring broadcast address')
    made.broadcast = 0
  } else if (broadcast !== undefined && !isIpv6(made.address)) {
    if (made.prefix > 30) wrong(`Address prefix length ${made.prefix} too long for broadcast`)
    else {
      const all = broadcastOf(made.address, made.prefix)
      const host = (0xffff_ffff >>> made.prefix) >>> 0
      made.broadcast = broadcast === '+' ? all : (all & ~host) >>> 0
    }
  }
  if (isStatic && !made.nic) {
    made.nic = context.defaultNic
    if (!made.nic) {
      reader.report('FATAL', `Static address ${written} requires either an interface or default interface must exist`)
      return undefined
    }
  }
  if (six) {
    if (made.scope !== 0) {
      wrong(`Cannot specify scope for IPv6 addresses (${written}) - ignoring scope`)
      made.scope = 0
    }
    if (made.label !== undefined) {
      wrong(`Cannot specify label for IPv6 addresses (${written}) - ignoring label`)
      made.label = undefined
    }
    // Deprecated at once: what the host sends by itself isn't to come from it.
    made.preferredS = preferred ?? (made.prefix === 128 ? 0 : FOREVER)
  } else made.preferredS = preferred ?? FOREVER
  return made
}

const MESSAGE_TYPES = { RTM_NEWADDR: 20, RTM_DELADDR: 21, RTM_NEWROUTE: 24, RTM_DELROUTE: 25 }

/** What the kernel refused. keepalived 2.2.7 core/keepalived_netlink.c: netlink_parse_info() */
export function tellNetlinkError(sys: Sys, log: Log, errno: Errno, type: keyof typeof MESSAGE_TYPES): void {
  const { s } = sys.realtime()
  log.info(
    `Netlink: error: ${strerror(errno)}(${ERRNO[errno][0]}), type=${type}(${MESSAGE_TYPES[type]}), seq=${s}, pid=${sys.pid}`,
  )
}

/** With its prefix, if that isn't the whole address. */
export function showPlace({ address, prefix }: VirtualAddress): string {
  const whole = isIpv6(address) ? 128 : 32
  return prefix === whole ? showAddress(address) : `${showAddress(address)}/${prefix}`
}

/** Puts an address on its interface; what the kernel answers. */
function add(sys: Sys, each: VirtualAddress, ifindex: number): Errno | undefined {
  const { address } = each
  const common = { type: 'RTM_NEWADDR', ifindex, prefix: each.prefix, scope: each.scope }
  const answer = sys.netlink(
    isIpv6(address)
      ? ({
          ...common,
          family: 'AF_INET6',
          local: address,
          ...(each.peer !== undefined && { address: each.peer }),
          flags: each.flags | (each.noDad ? IFA_F_NODAD : 0),
          ...(each.preferredS !== FOREVER && { preferredS: each.preferredS, validS: FOREVER }),
        } as { type: string })
      : ({
          ...common,
          family: 'AF_INET',
          local: address,
          ...(each.peer !== undefined && { address: each.peer }),
          ...(each.broadcast !== 0 && { broadcast: each.broadcast }),
          ...(each.label !== undefined && { label: each.label }),
          flags: each.flags,
        } as { type: string }),
  )
  return answer.ok ? undefined : answer.errno
}

function remove(sys: Sys, each: VirtualAddress, ifindex: number): Errno | undefined {
  const { address, prefix } = each
  const answer = sys.netlink(
    isIpv6(address)
      ? ({ type: 'RTM_DELADDR', family: 'AF_INET6', ifindex, local: address, prefix } as { type: string })
      : ({ type: 'RTM_DELADDR', family: 'AF_INET', ifindex, local: address, address, prefix } as { type: string }),
  )
  return answer.ok ? undefined : answer.errno
}

/**
 * Adds or removes a list of addresses; whether any changed.
 * @param force removes also what this run hasn't added
 */
export function changeAddresses(
  sys: Sys,
  log: Log,
  list: readonly VirtualAddress[],
  adds: boolean,
  force = false,
): boolean {
  let changed = false
  for (const each of list) {
    const nic = each.nic
    if (!nic) continue
    if (adds ? each.set : !each.set && !force) continue
    if (nic.ifindex === 0) {
      if (adds) log.info(`Not adding address ${showPlace(each)} to ${nic.name} since interface doesn't exist`)
      each.set = false
      continue
    }
    const failed = adds ? add(sys, each, nic.ifindex) : remove(sys, each, nic.ifindex)
    // What is there already is as good as added, and what is gone as good as removed.
    const fine =
      failed === undefined || failed === (adds ? 'EEXIST' : 'EADDRNOTAVAIL') || (force && failed === 'ENODEV')
    if (!fine) tellNetlinkError(sys, log, failed!, adds ? 'RTM_NEWADDR' : 'RTM_DELADDR')
    each.set = fine && adds
    changed = true
  }
  return changed
}

/** Whether two addresses are on one network; kept here for routes. */
export function networkOf(address: Address, prefix: number): Address {
  if (isIpv6(address)) return prefixIpv6(address, prefix)
  return prefix === 0 ? 0 : (address & ((0xffff_ffff << (32 - prefix)) >>> 0)) >>> 0
}
