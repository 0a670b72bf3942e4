/**
 * What a network device is plugged into. A cable's two ends call each other; whoever builds the lab gives a device one
 * end (`NetDevice.attach`) and a switch port, or another device, the other.
 */
import type { Packet } from '#wire/inet'

/** One end, seen from the device or switch that it is plugged into. */
export interface CableEnd {
  /** Sends a packet into the cable. The packet is given away: the sender doesn't touch it again. */
  transmit(packet: Packet): void
  /** Whether the cable is in at both ends and the other side has power. */
  readonly carrier: boolean
}

/** What a cable delivers to. */
export interface Attached {
  /** False while it can take nothing: an interface that was set down. Absent: always. */
  readonly up?: boolean
  /** A packet has arrived; it is the receiver's now. */
  receive(packet: Packet): void
  /** The carrier came or went. */
  carrierChanged(on: boolean): void
}
