/**
 * What travels between interrupt controllers: a message with a vector, a way of delivery and a destination. On the bus of a
 * modern machine it is a write to an address (MSI). Intel SDM volume 3, "Message Signalled Interrupts".
 */

export const DELIVERY_MODES = ['fixed', 'lowest', 'smi', 'reserved', 'nmi', 'init', 'startup', 'extint'] as const
export type DeliveryMode = (typeof DELIVERY_MODES)[number]

export interface InterruptMessage {
  vector: number
  mode: DeliveryMode
  /** An APIC's id, or a set of logical ones. */
  destination: number
  logical: boolean
  level: boolean
}

/** The address and the data that a device writes. */
export interface Msi {
  address: number
  data: number
}

const MSI_BASE = 0xfee
const REDIRECTION_HINT = 1 << 3
const LOGICAL = 1 << 2

/** What a write means; undefined if it isn't to the range of interrupts. */
export function parseMsi({ address, data }: Msi): InterruptMessage | undefined {
  if (address >>> 20 !== MSI_BASE) return undefined
  const hint = (address & REDIRECTION_HINT) !== 0
  const mode = DELIVERY_MODES[(data >> 8) & 7]!
  return {
    vector: data & 0xff,
    // With the hint, who of several takes it is for the chipset to say, as with the lowest priority.
    mode: hint && mode === 'fixed' ? 'lowest' : mode,
    destination: (address >>> 12) & 0xff,
    logical: hint && (address & LOGICAL) !== 0,
    level: (data & 0x8000) !== 0,
  }
}

/** The write that carries a message. */
export function emitMsi(message: InterruptMessage): Msi {
  const lowest = message.mode === 'lowest'
  return {
    address:
      (MSI_BASE * 2 ** 20 +
        message.destination * 2 ** 12 +
        (lowest || message.logical ? REDIRECTION_HINT : 0) +
        (message.logical ? LOGICAL : 0)) >>>
      0,
    // A level's assertion is told; its end is, by another message, the sender's business.
    data: message.vector | (DELIVERY_MODES.indexOf(message.mode) << 8) | (message.level ? 0xc000 : 0),
  }
}
