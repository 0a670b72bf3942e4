/**
 * The I/O APIC: pins in, messages out. Intel, "82093AA I/O Advanced Programmable Interrupt Controller" (290566), 3.0; the
 * EOI register is version 20h's (ICH and later).
 */
import { DELIVERY_MODES, type InterruptMessage } from './message.ts'

/** Indirect registers. */
const ID = 0x00
const VERSION = 0x01
const ARBITRATION = 0x02
const TABLE = 0x10

/** Bits of a redirection entry's lower half. */
const MODE_SHIFT = 8
const LOGICAL = 1 << 11
const PENDING = 1 << 12
const ACTIVE_LOW = 1 << 13
const REMOTE_IRR = 1 << 14
const LEVEL = 1 << 15
const MASKED = 1 << 16
const WRITABLE = 0xff | (7 << MODE_SHIFT) | LOGICAL | ACTIVE_LOW | LEVEL | MASKED

export interface IoApicOptions {
  /** Redirection entries; 24 in a PC. */
  pins?: number
  /** 11h of the 82093AA (and of QEMU's with an i440FX), 20h with an EOI register. */
  version?: number
  /** Where a message goes; says whether somebody accepted it. */
  send(message: InterruptMessage): boolean
}

export class IoApic {
  id = 0
  readonly pins: number
  readonly version: number
  readonly #send: IoApicOptions['send']
  readonly #low: Uint32Array
  readonly #high: Uint32Array
  /** The signal at each pin, before its polarity is considered; and the edge that waits at a masked pin's latch. */
  readonly #signal: boolean[]
  readonly #latched: boolean[]
  #select = 0

  constructor({ pins = 24, version = 0x11, send }: IoApicOptions) {
    this.pins = pins
    this.version = version
    this.#send = send
    this.#low = new Uint32Array(pins).fill(MASKED)
    this.#high = new Uint32Array(pins)
    this.#signal = new Array<boolean>(pins).fill(false)
    this.#latched = new Array<boolean>(pins).fill(false)
  }

  /** A redirection entry's halves. */
  entry(pin: number): { low: number; high: number } {
    return { low: this.#low[pin]!, high: this.#high[pin]! }
  }

  /** Asserts a pin or takes the assertion back. An edge to a masked pin is lost, as the data sheet says of the mask bit. */
  setPin(pin: number, asserted: boolean): void {
    const before = this.#signal[pin]!
    this.#signal[pin] = asserted
    const low = this.#low[pin]!
    if (low & LEVEL) {
      if (!asserted) this.#low[pin] = low & ~PENDING
    } else if (asserted && !before && !(low & MASKED)) this.#latched[pin] = true
    this.#service(pin)
  }

  /** Memory-mapped: 00h selects, 10h is the register selected, 40h ends an interrupt by vector (version 20h). */
  write(offset: number, value: number): void {
    if (offset === 0x00) this.#select = value & 0xff
    else if (offset === 0x10) this.#writeRegister(this.#select, value >>> 0)
    else if (offset === 0x40 && this.version >= 0x20) this.endOfInterrupt(value & 0xff)
  }

  read(offset: number): number {
    if (offset === 0x00) return this.#select
    if (offset !== 0x10) return 0
    const register = this.#select
    if (register === ID || register === ARBITRATION) return (this.id & 0xf) << 24
    if (register === VERSION) return (this.version | ((this.pins - 1) << 16)) >>> 0
    const pin = (register - TABLE) >> 1
    if (register < TABLE || pin >= this.pins) return 0
    return (register & 1 ? this.#high : this.#low)[pin]!
  }

  #writeRegister(register: number, value: number): void {
    if (register === ID) {
      this.id = (value >>> 24) & 0xf
      return
    }
    const pin = (register - TABLE) >> 1
    if (register < TABLE || pin >= this.pins) return
    if (register & 1) {
      this.#high[pin] = (value & 0xff000000) >>> 0
      return
    }
    const kept = this.#low[pin]! & (PENDING | REMOTE_IRR)
    let low = (value & WRITABLE) | kept
    // An entry that becomes edge triggered has nothing to wait for. (Linux clears a stuck one in this way:
    // Linux 6.1 arch/x86/kernel/apic/io_apic.c: __eoi_ioapic_pin().)
    if (!(low & LEVEL)) low &= ~REMOTE_IRR
    this.#low[pin] = low >>> 0
    this.#service(pin)
  }

  /** A local APIC's broadcast, or a write to the EOI register: entries of that vector may be asserted anew. */
  endOfInterrupt(vector: number): void {
    for (let pin = 0; pin < this.pins; pin++) {
      const low = this.#low[pin]!
      if ((low & 0xff) !== vector || !(low & LEVEL) || !(low & REMOTE_IRR)) continue
      this.#low[pin] = low & ~REMOTE_IRR
      this.#service(pin)
    }
  }

  /** Sends what a pin has to say, if it may. */
  #service(pin: number): void {
    const low = this.#low[pin]!
    if (low & MASKED) return
    const level = (low & LEVEL) !== 0
    if (level ? !this.#signal[pin] || (low & REMOTE_IRR) !== 0 : !this.#latched[pin]) return
    // Before it is sent: a processor may be done with it by the time it has been accepted.
    this.#latched[pin] = false
    this.#low[pin] = (low & ~PENDING) | (level ? REMOTE_IRR : 0)
    const accepted = this.#send({
      vector: low & 0xff,
      mode: DELIVERY_MODES[(low >> MODE_SHIFT) & 7]!,
      destination: this.#high[pin]! >>> 24,
      logical: (low & LOGICAL) !== 0,
      level,
    })
    if (accepted) return
    this.#latched[pin] = !level
    this.#low[pin] = (low & ~REMOTE_IRR) | PENDING
  }
}
