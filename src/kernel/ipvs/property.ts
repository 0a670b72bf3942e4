/** A packet that IPVS has dealt with goes through its hooks untouched. Linux 6.1 include/linux/skbuff.h: sk_buff.ipvs_property. */
import type { Packet } from '#wire/inet'

interface Marked {
  ipvs?: boolean
}

const MARK: Marked = Object.freeze({ ipvs: true })

export function hasProperty(packet: Packet): boolean {
  return packet.extra !== undefined && (packet.extra as Marked).ipvs === true
}

export function setProperty(packet: Packet): void {
  packet.extra = packet.extra === undefined ? MARK : { ...packet.extra, ipvs: true }
}
