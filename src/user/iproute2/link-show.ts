/** A link's lines in `ip link` and `ip addr`. iproute2 6.1 ip/ipaddress.c: print_linkinfo() */
import type { LinkMessage } from '#kernel/net'
import { formatIpv4 } from '#wire/inet'
import { formatMac } from '#wire/link'
import {
  IFF_ALLMULTI,
  IFF_DYNAMIC,
  IFF_MULTICAST,
  IFF_NOARP,
  IFF_NOTRAILERS,
  IFF_POINTOPOINT,
  IFF_PROMISC,
  IFF_RUNNING,
  IFF_UP,
} from './link-flags.ts'
import { type LinkType, linkTypes } from './link-types/index.ts'
import type { Session } from './session.ts'
import { showStatistics } from './statistics.ts'

/** In the order in which they are printed, which is not that of the bits. */
const FLAGS: [number, string][] = [
  [0x8, 'LOOPBACK'],
  [0x2, 'BROADCAST'],
  [IFF_POINTOPOINT, 'POINTOPOINT'],
  [IFF_MULTICAST, 'MULTICAST'],
  [IFF_NOARP, 'NOARP'],
  [IFF_ALLMULTI, 'ALLMULTI'],
  [IFF_PROMISC, 'PROMISC'],
  [0x400, 'MASTER'],
  [0x800, 'SLAVE'],
  [0x4, 'DEBUG'],
  [IFF_DYNAMIC, 'DYNAMIC'],
  [0x4000, 'AUTOMEDIA'],
  [0x2000, 'PORTSEL'],
  [IFF_NOTRAILERS, 'NOTRAILERS'],
  [IFF_UP, 'UP'],
  [0x10000, 'LOWER_UP'],
  [0x20000, 'DORMANT'],
  [0x40000, 'ECHO'],
]

/** What an interface's flags say between < and >. */
export function flagNames(flags: number, lowerDown: boolean): string[] {
  const names = flags & IFF_UP && !(flags & IFF_RUNNING) ? ['NO-CARRIER'] : []
  let rest = flags & ~IFF_RUNNING
  for (const [bit, name] of FLAGS) {
    if (rest & bit) names.push(name)
    rest &= ~bit
  }
  if (rest) names.push((rest >>> 0).toString(16))
  if (lowerDown) names.push('M-DOWN')
  return names
}

function showFlags({ out }: Session, flags: number, lowerDown: boolean): void {
  const names = flagNames(flags, lowerDown)
  out.openArray('flags')
  for (const name of names) out.json(undefined, name)
  out.close()
  out.text(`<${names.join(',')}> `)
}

/** The name, and behind an @ what it is stacked on. Answers whether that is down. */
function showName(session: Session, link: LinkMessage, format: (name: string) => string): boolean {
  const { out } = session
  if (link.link === undefined) {
    out.field('ifname', link.name, format(link.name))
    return false
  }
  if (link.link !== 0 && link.linkNetnsId !== undefined) {
    // Somewhere else: its name isn't known here.
    out.json('link_index', link.link)
    out.field('ifname', link.name, format(`${link.name}@if${link.link}`))
    return false
  }
  const lower = link.link === 0 ? undefined : session.link(link.link)
  const name = link.link === 0 ? 'NONE' : session.deviceName(link.link)
  out.json('link', link.link === 0 ? null : name)
  out.field('ifname', link.name, format(`${link.name}@${name}`))
  return link.link !== 0 && !((lower?.flags ?? 0) & IFF_UP)
}

export interface LinkLine {
  /** `ip link` rather than `ip addr`. */
  isLink: boolean
  /** Whether the second line, of the link layer, is wanted. */
  showAddress: boolean
  /** As IPv6 tells of links. */
  inet6?: boolean
}

/** One link, on one line or a few. */
export function showLink(session: Session, link: LinkMessage, { isLink, showAddress, inet6 }: LinkLine): void {
  const { out, options, names } = session
  if (options.brief) {
    const lowerDown = showName(session, link, (name) => `${name.padEnd(16)} `)
    out.field('operstate', link.operstate, `${link.operstate.padEnd(14)} `)
    if (!isLink) return
    if (link.addressLength !== 0) out.field('address', hardware(link, 'address'), `${hardware(link, 'address')} `)
    showFlags(session, link.flags, lowerDown)
    out.text('\n')
    return
  }
  out.field('ifindex', link.ifindex, `${link.ifindex}: `)
  showFlags(
    session,
    link.flags,
    showName(session, link, (name) => `${name}: `),
  )
  out.field('mtu', link.mtu, `mtu ${link.mtu} `)
  // What IPv6 knows of links is less.
  if (!inet6) out.field('qdisc', link.qdisc, `qdisc ${link.qdisc} `)
  if (link.master) {
    const master = session.deviceName(link.master)
    out.field('master', master, `master ${master} `)
  }
  out.field('operstate', link.operstate, `state ${link.operstate} `)
  const mode = link.linkMode ?? 'DEFAULT'
  if (isLink) out.field('linkmode', mode, `mode ${mode} `)
  const group = typeof link.group === 'number' ? names.group(link.group) : link.group
  if (!inet6) out.field('group', group, `group ${group} `)
  if (link.txqlen) out.field('txqlen', link.txqlen, `qlen ${link.txqlen}`)
  if (showAddress || options.details) showLinkLayer(session, link)
  if (options.details) showDetails(session, link, isLink)
  if (link.alias !== undefined && (isLink || options.details)) {
    out.field('ifalias', link.alias, `${session.newline}    alias ${link.alias}`)
  }
  if (isLink && options.stats) {
    out.text(session.newline)
    showStatistics(session, link)
  }
  out.text('\n')
}

/** A hardware address as its kind is written: an IPv4 address for tunnels. iproute2 6.1 lib/ll_addr.c: ll_addr_n2a() */
function hardware(link: LinkMessage, key: 'address' | 'broadcast' | 'permanentAddress'): string {
  return link.addressLength === 4 ? formatIpv4(link[key] ?? 0) : formatMac(link[key] ?? 0)
}

function showLinkLayer(session: Session, link: LinkMessage): void {
  const { out } = session
  out.field('link_type', link.linkType, `${session.newline}    link/${link.linkType} `)
  if (link.addressLength !== 0) {
    out.field('address', hardware(link, 'address'), hardware(link, 'address'))
    const pointToPoint = (link.flags & IFF_POINTOPOINT) !== 0
    if (pointToPoint) out.json('link_pointtopoint', true)
    const broadcast = hardware(link, 'broadcast')
    out.field('broadcast', broadcast, ` ${pointToPoint ? 'peer' : 'brd'} ${broadcast}`)
  }
  if (link.permanentAddress !== undefined && link.permanentAddress !== link.address) {
    out.field('permaddr', hardware(link, 'permanentAddress'), ` permaddr ${hardware(link, 'permanentAddress')}`)
  }
  if (link.linkNetnsId === undefined) return
  out.json('link_netnsid', link.linkNetnsId)
  const name = session.netnsNames.get(link.linkNetnsId)
  out.text(name === undefined ? ` link-netnsid ${link.linkNetnsId}` : ` link-netns ${name}`)
}

function showDetails(session: Session, link: LinkMessage, isLink: boolean): void {
  const { out } = session
  const number = (key: string, word: string, value: number | undefined) => {
    if (value !== undefined) out.field(key, value, `${word} ${value} `)
  }
  number('promiscuity', ' promiscuity', link.promiscuity)
  number('allmulti', ' allmulti', link.allmulti)
  number('min_mtu', 'minmtu', link.minMtu)
  number('max_mtu', 'maxmtu', link.maxMtu)
  if (link.kind !== undefined || link.slaveKind !== undefined) showLinkInfo(session, link)
  if (isLink && link.addrGenMode !== undefined) {
    out.field('inet6_addr_gen_mode', link.addrGenMode, `addrgenmode ${link.addrGenMode} `)
  }
  number('num_tx_queues', 'numtxqueues', link.numTxQueues)
  number('num_rx_queues', 'numrxqueues', link.numRxQueues)
  number('gso_max_size', 'gso_max_size', link.gsoMaxSize)
  number('gso_max_segs', 'gso_max_segs', link.gsoMaxSegs)
  number('tso_max_size', 'tso_max_size', link.tsoMaxSize)
  number('tso_max_segs', 'tso_max_segs', link.tsoMaxSegs)
  number('gro_max_size', 'gro_max_size', link.groMaxSize)
  if (link.parentBus !== undefined) out.field('parentbus', link.parentBus, `parentbus ${link.parentBus} `)
  if (link.parentDevice !== undefined) out.field('parentdev', link.parentDevice, `parentdev ${link.parentDevice} `)
}

/** What its kind says of a link, and what its master's. iproute2 6.1 ip/ipaddress.c: print_linktype() */
function showLinkInfo(session: Session, link: LinkMessage): void {
  const { out, newline } = session
  const typeOf = (kind: string): LinkType | undefined => (Object.hasOwn(linkTypes, kind) ? linkTypes[kind] : undefined)
  out.openObject('linkinfo')
  if (link.kind !== undefined) {
    out.field('info_kind', link.kind, `${newline}    ${link.kind} `)
    const type = typeOf(link.kind)
    if (type?.print) {
      out.openObject('info_data')
      if (link.data) type.print(session, link.data)
      out.close()
      if (link.xstats && session.options.stats && type.printXstats) {
        out.openObject('info_xstats')
        type.printXstats(session, link.xstats)
        out.close()
      }
    }
  }
  if (link.slaveKind !== undefined) {
    out.field('info_slave_kind', link.slaveKind, `${newline}    ${link.slaveKind}_slave `)
    const type = typeOf(`${link.slaveKind}_slave`)
    if (type?.print) {
      out.openObject('info_slave_data')
      if (link.slaveData) type.print(session, link.slaveData)
      out.close()
    }
  }
  out.close()
}
