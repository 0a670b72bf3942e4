/**
 * The 8259A interrupt controller, and the pair of them in a PC, by their registers. Intel, "8259A Programmable Interrupt
 * Controller" (order number 231468); for the pair and its edge/level registers, "82371FB PIIX" sections on 4D0h and 4D1h.
 */

/** OCW2's commands, bits 7 to 5: R, SL, EOI. */
const EOI = 0x20
const SPECIFIC = 0x40
const ROTATE = 0x80

/** One 8259A: eight inputs, one output. */
export class I8259 {
  /** Requests, those in service, and those masked: a bit for each input. */
  irr = 0
  isr = 0
  imr = 0
  /** Inputs that are level triggered: the chipset's register, beside ICW1's bit for all of them. */
  elcr = 0
  /** The first vector, ICW2; its lower three bits are the input's. */
  base = 0
  readonly #isMaster: boolean
  /** Lines that are high now. */
  #lines = 0
  /** Which initialization word is expected next; 0: none. */
  #expected = 0
  #needsIcw4 = false
  #single = false
  #levelTriggered = false
  #autoEoi = false
  #rotateOnAutoEoi = false
  #specialMask = false
  #specialFullyNested = false
  #readIsr = false
  #poll = false
  /** The input of lowest priority. */
  #lowest = 7
  /** ICW3: a master's inputs with slaves; a slave's number. */
  cascade = 0

  constructor(isMaster: boolean) {
    this.#isMaster = isMaster
  }

  /** An input goes high or low. */
  setLine(input: number, high: boolean): void {
    const bit = 1 << input
    const level = this.#levelTriggered || (this.elcr & bit) !== 0
    const before = (this.#lines & bit) !== 0
    this.#lines = high ? this.#lines | bit : this.#lines & ~bit
    if (high && (level || !before)) this.irr |= bit
    // The latch follows its input until it is acknowledged: who withdraws a request too soon gets input 7's vector.
    if (!high) this.irr &= ~bit
  }

  /** Whether the output is high: an unmasked request that what is in service doesn't keep back. */
  get output(): boolean {
    return this.#chosen() !== undefined
  }

  /** The input whose turn it is. */
  #chosen(): number | undefined {
    const requests = this.irr & ~this.imr & 0xff
    if (requests === 0) return undefined
    const request = this.#rank(requests)
    // In the special mask mode only what is masked is kept out of the way of others.
    let serving = this.#specialMask ? this.isr & ~this.imr : this.isr
    // A master in special fully nested mode lets a slave, which is being served, ask for something more urgent.
    if (this.#specialFullyNested && this.#isMaster) serving &= ~this.cascade
    if (serving !== 0 && this.#rank(serving) <= request) return undefined
    return (request + this.#lowest + 1) & 7
  }

  /** How urgent the most urgent of some inputs is: 0 first. */
  #rank(inputs: number): number {
    let rank = 0
    while ((inputs & (1 << ((rank + this.#lowest + 1) & 7))) === 0) rank++
    return rank
  }

  /** The processor acknowledges: the input that it serves from now on; 7 if there is none any more, which stays out of service. */
  acknowledge(): { input: number; spurious: boolean } {
    const input = this.#chosen()
    if (input === undefined) return { input: 7, spurious: true }
    const bit = 1 << input
    if (this.#autoEoi) {
      if (this.#rotateOnAutoEoi) this.#lowest = input
    } else this.isr |= bit
    const level = this.#levelTriggered || (this.elcr & bit) !== 0
    if (!level) this.irr &= ~bit
    return { input, spurious: false }
  }

  /** Writes to port 0 (20h, A0h) or 1 (21h, A1h). */
  write(port: 0 | 1, value: number): void {
    if (port === 1) this.#writeData(value & 0xff)
    else if (value & 0x10) this.#initialize(value)
    else if (value & 0x08) this.#writeOcw3(value)
    else this.#writeOcw2(value)
  }

  /** Reads from port 0 or 1. */
  read(port: 0 | 1): number {
    if (this.#poll) {
      // The read is the acknowledgement.
      this.#poll = false
      const { input, spurious } = this.acknowledge()
      return spurious ? 0 : 0x80 | input
    }
    if (port === 1) return this.imr
    return this.#readIsr ? this.isr : this.irr
  }

  /** ICW1: an initialization begins, and all is forgotten but the lines. */
  #initialize(value: number): void {
    this.#needsIcw4 = (value & 1) !== 0
    this.#single = (value & 2) !== 0
    this.#levelTriggered = (value & 8) !== 0
    this.#expected = 2
    this.imr = 0
    this.isr = 0
    // Edge sense is reset: a line that is high already isn't a new request unless levels count.
    this.irr = this.#lines & (this.#levelTriggered ? 0xff : this.elcr)
    this.#lowest = 7
    this.#specialMask = false
    this.#readIsr = false
    this.#poll = false
    this.#autoEoi = false
    this.#rotateOnAutoEoi = false
    this.#specialFullyNested = false
  }

  #writeData(value: number): void {
    switch (this.#expected) {
      case 2:
        this.base = value & 0xf8
        this.#expected = this.#single ? (this.#needsIcw4 ? 4 : 0) : 3
        break
      case 3:
        this.cascade = this.#isMaster ? value : value & 7
        this.#expected = this.#needsIcw4 ? 4 : 0
        break
      case 4:
        this.#specialFullyNested = (value & 0x10) !== 0
        this.#autoEoi = (value & 2) !== 0
        this.#expected = 0
        break
      default:
        this.imr = value // OCW1
    }
  }

  #writeOcw2(value: number): void {
    const level = value & 7
    switch (value & (ROTATE | SPECIFIC | EOI)) {
      case EOI:
      case ROTATE | EOI: {
        const served = this.#specialMask ? this.isr & ~this.imr : this.isr
        if (served === 0) break
        const input = (this.#rank(served) + this.#lowest + 1) & 7
        this.isr &= ~(1 << input)
        if (value & ROTATE) this.#lowest = input
        break
      }
      case SPECIFIC | EOI:
        this.isr &= ~(1 << level)
        break
      case ROTATE | SPECIFIC | EOI:
        this.isr &= ~(1 << level)
        this.#lowest = level
        break
      case ROTATE | SPECIFIC:
        this.#lowest = level
        break
      case ROTATE:
        this.#rotateOnAutoEoi = true
        break
      case 0:
        this.#rotateOnAutoEoi = false
        break
      default: // SL alone does nothing.
    }
  }

  #writeOcw3(value: number): void {
    if (value & 0x40) this.#specialMask = (value & 0x20) !== 0
    if (value & 4) this.#poll = true
    else if (value & 2) this.#readIsr = (value & 1) !== 0
  }
}

/** The slave's place at the master. */
const CASCADE_INPUT = 2
/** Of the edge/level registers, what can't be level: the timer, the keyboard, the cascade; the clock, the coprocessor. */
const EDGE_ONLY = { master: 0x07, slave: 0x21 }

/** A PC's two controllers: sixteen interrupt requests, of which IRQ 2 is the cascade. */
export class PicPair {
  readonly master = new I8259(true)
  readonly slave = new I8259(false)
  readonly #onOutput: (high: boolean) => void
  #output = false

  /** @param onOutput hears when the line to the processor (INTR, or a local APIC's LINT0) changes */
  constructor(onOutput: (high: boolean) => void = () => {}) {
    this.#onOutput = onOutput
  }

  setIrq(irq: number, high: boolean): void {
    if (irq >= 8) this.slave.setLine(irq - 8, high)
    else if (irq !== CASCADE_INPUT) this.master.setLine(irq, high)
    this.#update()
  }

  get output(): boolean {
    return this.#output
  }

  /** The processor's two acknowledge cycles: the vector that it is given. */
  acknowledge(): number {
    const { input, spurious } = this.master.acknowledge()
    let vector = this.master.base | input
    if (!spurious && input === CASCADE_INPUT) {
      // A spurious request of the slave's is the master's real one: its bit must be ended there.
      vector = this.slave.base | this.slave.acknowledge().input
    }
    this.#update()
    return vector
  }

  write(port: number, value: number): void {
    if (port === 0x4d0) this.master.elcr = value & ~EDGE_ONLY.master & 0xff
    else if (port === 0x4d1) this.slave.elcr = value & ~EDGE_ONLY.slave & 0xff
    else this.#chip(port).write((port & 1) as 0 | 1, value)
    this.#update()
  }

  read(port: number): number {
    if (port === 0x4d0) return this.master.elcr
    if (port === 0x4d1) return this.slave.elcr
    const value = this.#chip(port).read((port & 1) as 0 | 1)
    this.#update() // A poll acknowledges.
    return value
  }

  #chip(port: number): I8259 {
    return port >= 0xa0 ? this.slave : this.master
  }

  #update(): void {
    // The slave's output is an edge for the master each time that it has something new to say.
    this.master.setLine(CASCADE_INPUT, this.slave.output)
    const output = this.master.output
    if (output === this.#output) return
    this.#output = output
    this.#onOutput(output)
  }
}
