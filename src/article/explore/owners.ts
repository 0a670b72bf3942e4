/**
 * No address is answered for by two MACs. Each ARP packet claims its sender's address for its sender's MAC: a reply, an
 * announcement, and a question too, from which everybody learns. When one is claimed while another card of the network
 * would answer for it, both have it; if that other one still would when the time is over, they don't just hand it over.
 *
 * Who would answer is asked of the hosts' kernels: whether there is power, the cable is in, and arp_ignore lets the
 * address be told of. An answer that a rule (arptables) would change or drop counts as given.
 */
import type { InvariantRule } from '#article/format'
import type { Scheduled } from '#base/sim'
import { addressType, deviceByName } from '#kernel/net'
import type { WorldFrame } from '#lab/world'
import { ETH_P_ARP, formatIpv4, RAW_NONE } from '#wire/inet'
import { formatMac } from '#wire/link'
import { type ExploredLab, formatTime, type OnViolation, type Watcher } from './lab.ts'

const SHOWN = 10
/** RT_SCOPE_HOST: arp_ignore=3 hides such addresses. */
const SCOPE_HOST = 254

interface Claim {
  address: number
  line: string
}

/** Watches the ARP packets of one network, or of all. */
export function watchOwners(
  lab: ExploredLab,
  rule: Extract<InvariantRule, { kind: 'owners' }>,
  violated: OnViolation,
): Watcher {
  const { world } = lab
  const claims: Claim[] = []
  const pending = new Map<string, Scheduled>()
  const heard = ({ atNs, port, direction, packet }: WorldFrame) => {
    if (direction !== 'in' || packet.etherType !== ETH_P_ARP || packet.raw !== RAW_NONE || packet.arpSpa === 0) return
    if (rule.network !== undefined && port.network.name !== rule.network) return
    const { arpSpa: address, arpSha: mac, arpOp, arpTpa } = packet
    const says = arpOp === 2 ? 'reply' : arpTpa === address ? 'announcement' : `question for ${formatIpv4(arpTpa)}`
    const line = `${formatTime(atNs)} ${port.host}:${port.iface} ARP ${says}: ${formatIpv4(address)} is at ${formatMac(mac)}`
    claims.push({ address, line })
    if (claims.length > 256) claims.splice(0, 128)
    for (const other of port.network.ports) {
      if (other === port) continue
      const theirs = macOf(lab, other.host, other.iface)
      if (theirs === undefined || theirs === mac || !answers(lab, other.host, other.iface, address)) continue
      const key = `${port.network.name} ${address} ${mac} ${theirs}`
      if (pending.has(key)) continue
      const judge = () => {
        pending.delete(key)
        if (!answers(lab, other.host, other.iface, address)) return
        const what = `${formatIpv4(address)} is claimed by ${port.host} (${formatMac(mac)}) while ${other.host} (${formatMac(theirs)}) answers for it`
        const evidence = claims.filter((claim) => claim.address === address).map((claim) => claim.line)
        violated({ what, evidence: evidence.slice(-SHOWN) })
      }
      if (rule.limitNs === 0) judge()
      else {
        // Nobody's event: it must come up though the host that spoke is paused.
        const later = () => world.sim.after(rule.limitNs, 'invariant/owners', judge)
        pending.set(key, world.sim.as(0, later))
      }
    }
  }
  const stop = world.frames.listen(heard)
  return {
    stop() {
      stop()
      for (const each of pending.values()) each.cancel()
    },
  }
}

function macOf(lab: ExploredLab, host: string, iface: string): number | undefined {
  const { kernel } = lab.world.host(host)
  return kernel.up ? deviceByName(kernel, iface)?.address : undefined
}

/** Whether a card would answer for an address now. Linux 6.1 net/ipv4/arp.c: arp_ignore(). */
function answers(lab: ExploredLab, name: string, iface: string, address: number): boolean {
  const host = lab.world.host(name)
  if (!host.kernel.up || host.paused || !host.ports.get(iface)?.cable.plugged) return false
  const device = deviceByName(host.kernel, iface)
  if (!device?.up || !device.inet || addressType(host.kernel, address) !== 'local') return false
  const own = device.inet.addresses.some((each) => each.local === address)
  switch (device.inet.arpIgnore) {
    case 1:
    case 2:
      return own
    case 3:
      return !own || device.inet.addresses.some((each) => each.local === address && each.scope !== SCOPE_HOST)
    case 8:
      return false
    default:
      return true
  }
}
