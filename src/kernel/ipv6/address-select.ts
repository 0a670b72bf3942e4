/**
 * Which of a host's addresses a packet is sent from. RFC 6724 section 5, with the kernel's rules in its order.
 * Linux 6.1 net/ipv6/addrconf.c: ipv6_dev_get_saddr(), ipv6_get_saddr_eval(); net/ipv6/addrlabel.c.
 */
import type { NetDevice } from '#kernel/net'
import { commonBits, IN6_ANY, type Ipv6Address, inPrefixIpv6, isMappedIpv4, parseIpv6 } from '#wire/inet'
import {
  type Address6,
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_OPTIMISTIC,
  IFA_F_TEMPORARY,
  IFA_F_TENTATIVE,
  link6,
} from './inet6dev.ts'
import type { State6 } from './state.ts'

/** The default policy: RFC 6724 section 2.1 as the kernel has it, longest prefixes first. addrlabel.c: ip6addrlbl_init_table[]. */
export const ADDRESS_LABELS: { prefix: Ipv6Address; length: number; label: number }[] = [
  ['::1', 128, 0],
  ['::', 96, 3],
  ['::ffff:0:0', 96, 4],
  ['2001::', 32, 6],
  ['2001:10::', 28, 7],
  ['3ffe::', 16, 12],
  ['2002::', 16, 2],
  ['fec0::', 10, 11],
  ['fc00::', 7, 5],
  ['::', 0, 1],
].map(([prefix, length, label]) => ({
  prefix: parseIpv6(prefix as string)!,
  length: length as number,
  label: label as number,
}))

function labelOf(address: Ipv6Address): number {
  return ADDRESS_LABELS.find(({ prefix, length }) => inPrefixIpv6(address, prefix, length))!.label
}

/** IPV6_ADDR_SCOPE_*: 1 interface, 2 link, 5 site, 14 global. Linux: __ipv6_addr_src_scope(). */
export function sourceScope(address: Ipv6Address): number {
  const { w0 } = address
  if (w0 >>> 24 === 0xff) return (w0 >>> 16) & 15
  if (w0 >>> 22 === 0x3fa) return 2
  if (w0 >>> 22 === 0x3fb) return 5
  if (w0 === 0 && address.w1 === 0 && address.w2 === 0 && address.w3 === 1) return 2
  return 14
}

/** Teredo and 6to4 addresses are avoided as deprecated ones are. Linux: ipv6_saddr_preferred(). */
function alwaysPreferred(address: Ipv6Address): boolean {
  return isMappedIpv4(address) || (address.w0 === 0 && address.w1 === 0)
}

const ORCHID = parseIpv6('2001:10::')!

interface Candidate {
  own: Address6
  scores: number[]
}

function scoreOf(own: Address6, dst: Ipv6Address, device: NetDevice | undefined): number[] {
  const scope = sourceScope(own.address)
  const orchid = (address: Ipv6Address) => inPrefixIpv6(address, ORCHID, 28)
  return [
    own.address === dst ? 1 : 0,
    scope >= sourceScope(dst) ? -scope : scope - 128,
    alwaysPreferred(own.address) || !(own.flags & (IFA_F_DEPRECATED | IFA_F_OPTIMISTIC)) ? 1 : 0,
    device === undefined || device === own.link.device ? 1 : 0,
    labelOf(own.address) === labelOf(dst) ? 1 : 0,
    ((own.flags & IFA_F_TEMPORARY) === 0) !== own.link.conf.useTempaddr >= 2 ? 1 : 0,
    orchid(own.address) === orchid(dst) ? 1 : 0,
    Math.min(commonBits(own.address, dst), own.prefix),
    own.flags & IFA_F_OPTIMISTIC ? 0 : 1,
  ]
}

function better(a: number[], b: number[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! > b[i]!
  return false
}

/** The source for a destination by a device (undefined: by any); undefined if there is none. ipv6_dev_get_saddr(). */
export function selectSource(state: State6, device: NetDevice | undefined, dst: Ipv6Address): Ipv6Address | undefined {
  const multicast = dst.w0 >>> 24 === 0xff
  // For what doesn't leave the link only its own addresses count.
  const narrow = multicast || sourceScope(dst) <= 2
  const own = device && link6(device)
  const onlyThere = device !== undefined && (narrow || own?.conf.useOifAddrsOnly)
  let best: Candidate | undefined
  for (const each of onlyThere ? [device] : state.net.devices) {
    const link = link6(each)
    if (link === undefined || !each.up || link.conf.disableIpv6) continue
    for (const address of link.addresses) {
      if (address.tentative || address.flags & IFA_F_DADFAILED) continue
      if (address.address === IN6_ANY || address.address.w0 >>> 24 === 0xff) continue
      const scores = scoreOf(address, dst, device)
      if (best === undefined || better(scores, best.scores)) best = { own: address, scores }
    }
  }
  return best?.own.address
}

/** A device's link-local address that has none of these flags. Linux: ipv6_get_lladdr(). */
export function linkLocalOf(device: NetDevice, without = IFA_F_TENTATIVE): Ipv6Address | undefined {
  const own = link6(device)?.addresses.findLast(
    (address) => address.scope === 253 && (address.flags & without) === 0 && address.address.w0 >>> 22 === 0x3fa,
  )
  return own?.address
}
