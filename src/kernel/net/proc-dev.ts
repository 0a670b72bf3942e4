/**
 * /proc/net/dev, /proc/net/arp, /proc/net/stat/arp_cache.
 *
 * Linux 6.1 net/core/net-procfs.c: dev_seq_show(); net/ipv4/arp.c: arp_seq_show(); net/core/neighbour.c:
 * neigh_stat_seq_show().
 */
import type { Host, KernelImage } from '#kernel/core'
import { formatIpv4 } from '#wire/inet'
import { formatMac } from '#wire/link'
import type { NetDevice } from './device.ts'
import { devices, netState } from './devices.ts'
import { type Neighbour, NUD_NOARP, NUD_PERMANENT, NUD_VALID } from './neighbour.ts'

// ATF_*: flags of an ARP entry. Linux 6.1 include/uapi/linux/if_arp.h.
export const ATF_COM = 0x02
export const ATF_PERM = 0x04
export const ATF_PUBL = 0x08

const DEV_HEADER = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
`
const ARP_HEADER = 'IP address       HW type     Flags       HW address            Mask     Device\n'
const STAT_HEADER =
  'entries  allocs   destroys hash_grows lookups  hits     res_failed rcv_probes_mcast rcv_probes_ucast' +
  ' periodic_gc_runs forced_gc_runs unresolved_discards table_fulls\n'

export function procNetDev(host: Host): string {
  return DEV_HEADER + devices(host).map(devLine).join('')
}

function devLine({ name, stats }: NetDevice): string {
  const receive: [number, number][] = [
    [stats.rxBytes, 7],
    [stats.rxPackets, 7],
    [stats.rxErrors, 4],
    [stats.rxDropped, 4],
    [0, 4],
    [0, 5],
    [0, 10],
    [stats.multicast, 9],
  ]
  const transmit: [number, number][] = [
    [stats.txBytes, 8],
    [stats.txPackets, 7],
    [stats.txErrors, 4],
    [stats.txDropped, 4],
    [0, 4],
    [stats.collisions, 5],
    [stats.txCarrier, 7],
    [0, 10],
  ]
  const columns = [...receive, ...transmit].map(([value, width]) => String(value).padStart(width))
  return `${name.padStart(6)}: ${columns.join(' ')}\n`
}

/** An entry's flags, as /proc/net/arp and the ioctls have them. Linux: arp_state_to_flags(). */
export function arpFlags(neighbour: Neighbour): number {
  if (neighbour.state & NUD_PERMANENT) return ATF_PERM | ATF_COM
  return neighbour.state & NUD_VALID ? ATF_COM : 0
}

export function procNetArp(host: Host): string {
  const table = netState.of(host).neighbours
  let text = ARP_HEADER
  for (const entry of table.all()) {
    if (entry.state & ~NUD_NOARP) text += arpLine(entry.key, entry.device, arpFlags(entry), entry.address)
  }
  for (const entry of table.peekProxies?.all() ?? []) {
    text += arpLine(entry.key, entry.device, ATF_PUBL | ATF_PERM, 0)
  }
  return text
}

function arpLine(ip: number, device: NetDevice | undefined, flags: number, address: number): string {
  const type = (device?.looks.hardwareType ?? 0).toString(16).padEnd(10)
  const mac = formatMac(address).padEnd(17)
  return `${formatIpv4(ip).padEnd(16)} 0x${type}0x${flags.toString(16).padEnd(10)}${mac}     *        ${device?.name ?? '*'}\n`
}

export function procStatArpCache(host: Host): string {
  const table = netState.of(host).neighbours
  table.gc.drawing() // So that the runs up to now are counted.
  const { stats } = table
  const hex = (value: number) => value.toString(16).padStart(8, '0')
  return (
    STAT_HEADER +
    `${hex(table.entries)} ${hex(stats.allocs)} ${hex(stats.destroys)} ${hex(stats.hashGrows)}   ` +
    `${hex(stats.lookups)} ${hex(stats.hits)} ${hex(stats.resFailed)}   ` +
    `${hex(0)}         ${hex(0)}         ${hex(stats.periodicGcRuns)}         ` +
    `${hex(stats.forcedGcRuns)}       ${hex(stats.unresDiscards)}            ${hex(stats.tableFulls)}\n`
  )
}

export function installProcDev(image: KernelImage): void {
  image.proc('/proc/net/dev', { read: procNetDev })
  image.proc('/proc/net/arp', { read: procNetArp })
  image.proc('/proc/net/stat/arp_cache', { read: procStatArpCache })
}
