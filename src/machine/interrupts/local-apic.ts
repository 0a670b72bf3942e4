/**
 * A processor's local APIC, and the bus that joins them. Intel SDM volume 3, chapter "Advanced Programmable Interrupt
 * Controller (APIC)"; sections are named below.
 */
import { DELIVERY_MODES, type DeliveryMode, type InterruptMessage } from './message.ts'

/** Offsets of registers, "Local APIC Register Address Map". */
const AT = {
  id: 0x20,
  version: 0x30,
  tpr: 0x80,
  apr: 0x90,
  ppr: 0xa0,
  eoi: 0xb0,
  ldr: 0xd0,
  dfr: 0xe0,
  svr: 0xf0,
  isr: 0x100,
  tmr: 0x180,
  irr: 0x200,
  esr: 0x280,
  icrLow: 0x300,
  icrHigh: 0x310,
  timer: 0x320,
  lint0: 0x350,
  lint1: 0x360,
  error: 0x370,
  initialCount: 0x380,
  currentCount: 0x390,
  divide: 0x3e0,
} as const

/** The local vector table, in the order of its version register's count. */
const LVT = [0x320, 0x330, 0x340, 0x350, 0x360, 0x370] as const
const LVT_MASKED = 1 << 16
/** What can be written of each: "Local Vector Table". The timer has a mode, the pins a polarity and a trigger. */
const LVT_WRITABLE: Record<number, number> = {
  [0x320]: 0x700ff,
  [0x330]: 0x107ff,
  [0x340]: 0x107ff,
  [0x350]: 0x1a7ff,
  [0x360]: 0x1a7ff,
  [0x370]: 0x100ff,
}
const LVT_REMOTE_IRR = 1 << 14
const LVT_LEVEL = 1 << 15

const SVR_ENABLED = 1 << 8
const SVR_NO_BROADCAST = 1 << 12
const VERSION_NO_BROADCAST = 1 << 24

/** Errors in ESR, "Error Handling". */
const ESR_SEND_ILLEGAL = 1 << 5
const ESR_RECEIVE_ILLEGAL = 1 << 6
const ESR_ILLEGAL_REGISTER = 1 << 7

/** The first 16 vectors belong to the processor. */
const VECTOR_MIN = 16

/** What a local APIC asks its processor beside interrupts with vectors. */
export interface Processor {
  /** The interrupt line may have changed: see `pending`. */
  update?(): void
  nmi?(): void
  smi?(): void
  init?(): void
  startup?(page: number): void
  /** An external controller (the 8259 pair) gives the vector. */
  external?(): void
}

/** The timer behind the registers 380h, 390h and 3E0h: machine/clocks has one. */
export interface ApicTimer {
  read(register: 'initialCount' | 'currentCount' | 'divide'): number
  write(register: 'initialCount' | 'divide', value: number): void
  /** The local vector table's timer entry was written: its mode is in bits 18 and 17. */
  configure(lvt: number): void
}

export class LocalApic {
  readonly id: number
  readonly #bus: ApicBus
  readonly #cpu: Processor
  /** Bits of vectors: requested, in service, level triggered. */
  readonly irr = new Vectors()
  readonly isr = new Vectors()
  readonly tmr = new Vectors()
  #tpr = 0
  #ldr = 0
  #dfr = 0xffffffff
  /** After a reset it is disabled, and its spurious vector is FFh. */
  #svr = 0xff
  #esr = 0
  #errors = 0
  #icrHigh = 0
  #icrLow = 0
  readonly #lvt = new Map<number, number>(LVT.map((at) => [at, LVT_MASKED]))
  timer: ApicTimer | undefined

  constructor(bus: ApicBus, id: number, cpu: Processor = {}) {
    this.id = id
    this.#bus = bus
    this.#cpu = cpu
    bus.locals.push(this)
  }

  get enabled(): boolean {
    return (this.#svr & SVR_ENABLED) !== 0
  }

  get tpr(): number {
    return this.#tpr
  }

  /** "Task and Processor Priorities": the higher class of the task's priority and what is in service. */
  get ppr(): number {
    const serving = Math.max(0, this.isr.highest) & 0xf0
    return (this.#tpr & 0xf0) >= serving ? this.#tpr : serving
  }

  /** The vector that the processor would be given now; undefined if none may interrupt it. */
  get pending(): number | undefined {
    if (!this.enabled) return undefined
    const highest = this.irr.highest
    return highest >= 0 && (highest & 0xf0) > (this.ppr & 0xf0) ? highest : undefined
  }

  /** The processor takes it: from the requests to what is in service. The spurious vector if there is none any more. */
  acknowledge(): number {
    const vector = this.pending
    if (vector === undefined) return this.#svr & 0xff
    this.irr.clear(vector)
    this.isr.set(vector)
    return vector
  }

  /** A message for it; says whether it was accepted. */
  accept({ vector, mode, level }: InterruptMessage): boolean {
    switch (mode) {
      case 'nmi':
        this.#cpu.nmi?.()
        return true
      case 'smi':
        this.#cpu.smi?.()
        return true
      case 'init':
        this.#cpu.init?.()
        return true
      case 'startup':
        this.#cpu.startup?.(vector)
        return true
      case 'extint':
        this.#cpu.external?.()
        return true
      case 'reserved':
        return false
      default:
    }
    if (!this.enabled) return false
    if (vector < VECTOR_MIN) {
      this.#error(ESR_RECEIVE_ILLEGAL)
      return true
    }
    this.irr.set(vector)
    if (level) this.tmr.set(vector)
    else this.tmr.clear(vector)
    this.#cpu.update?.()
    return true
  }

  /** The arbitration priority of "Arbitration Priority Register", by which the lowest is found. */
  get apr(): number {
    const requested = Math.max(0, this.irr.highest) & 0xf0
    const serving = Math.max(0, this.isr.highest) & 0xf0
    if ((this.#tpr & 0xf0) >= requested && (this.#tpr & 0xf0) > serving) return this.#tpr
    return Math.max(this.#tpr & 0xf0, serving, requested)
  }

  /** Whether a destination means this one: "Determining IPI Destination". */
  isDestination(destination: number, logical: boolean): boolean {
    if (!logical) return destination === this.id || destination === 0xff
    if (destination === 0xff) return true
    const mine = this.#ldr >>> 24
    if (this.#dfr >>> 28 === 0xf) return (mine & destination) !== 0 // The flat model.
    return mine >>> 4 === destination >>> 4 && (mine & destination & 0xf) !== 0
  }

  /** One of the two pins, or the timer, or another source of its own. */
  signal(source: 'timer' | 'lint0' | 'lint1' | 'error', asserted = true): void {
    const lvt = this.#lvt.get(AT[source])!
    if (!asserted || lvt & LVT_MASKED) return
    const mode = source === 'timer' || source === 'error' ? 'fixed' : DELIVERY_MODES[(lvt >> 8) & 7]!
    const level = (source === 'lint0' || source === 'lint1') && mode === 'fixed' && (lvt & LVT_LEVEL) !== 0
    if (level) this.#lvt.set(AT[source], lvt | LVT_REMOTE_IRR)
    this.accept({ vector: lvt & 0xff, mode, destination: this.id, logical: false, level })
  }

  read(offset: number): number {
    const lvt = this.#lvt.get(offset)
    if (lvt !== undefined) return lvt
    const bank = offset & 0x70
    switch (offset & ~0x7f) {
      case AT.isr:
        return this.isr.word(bank >> 4)
      case AT.tmr:
        return this.tmr.word(bank >> 4)
      case AT.irr:
        return this.irr.word(bank >> 4)
      default:
    }
    switch (offset) {
      case AT.id:
        return (this.id << 24) >>> 0
      case AT.version:
        return VERSION_NO_BROADCAST | ((LVT.length - 1) << 16) | 0x14
      case AT.tpr:
        return this.#tpr
      case AT.apr:
        return this.apr
      case AT.ppr:
        return this.ppr
      case AT.ldr:
        return this.#ldr
      case AT.dfr:
        return this.#dfr
      case AT.svr:
        return this.#svr
      case AT.esr:
        return this.#esr
      case AT.icrLow:
        return this.#icrLow
      case AT.icrHigh:
        return this.#icrHigh
      case AT.initialCount:
        return this.timer?.read('initialCount') ?? 0
      case AT.currentCount:
        return this.timer?.read('currentCount') ?? 0
      case AT.divide:
        return this.timer?.read('divide') ?? 0
      default:
        this.#error(ESR_ILLEGAL_REGISTER)
        return 0
    }
  }

  write(offset: number, value: number): void {
    if (this.#lvt.has(offset)) {
      this.#writeLvt(offset, value)
      return
    }
    switch (offset) {
      case AT.tpr:
        this.#tpr = value & 0xff
        this.#cpu.update?.()
        return
      case AT.eoi:
        this.endOfInterrupt()
        return
      case AT.ldr:
        this.#ldr = (value & 0xff000000) >>> 0
        return
      case AT.dfr:
        this.#dfr = (value | 0x0fffffff) >>> 0
        return
      case AT.svr:
        this.#svr = value & (0x1ff | SVR_NO_BROADCAST)
        // "Spurious-Interrupt Vector Register": who is disabled has all local sources masked.
        if (!this.enabled) for (const at of LVT) this.#lvt.set(at, this.#lvt.get(at)! | LVT_MASKED)
        this.#cpu.update?.()
        return
      case AT.esr:
        // A write makes visible what was found since the last one.
        this.#esr = this.#errors
        this.#errors = 0
        return
      case AT.icrHigh:
        this.#icrHigh = (value & 0xff000000) >>> 0
        return
      case AT.icrLow:
        this.#icrLow = value & 0xccfff
        this.#sendIpi()
        return
      case AT.initialCount:
        this.timer?.write('initialCount', value)
        return
      case AT.divide:
        this.timer?.write('divide', value)
        return
      case AT.id:
      case AT.version:
      case AT.apr:
      case AT.ppr:
      case AT.currentCount:
        return // Read only, of a modern processor's.
      default:
        if (offset < AT.isr || offset >= AT.esr) this.#error(ESR_ILLEGAL_REGISTER)
    }
  }

  /** The highest in service is done; who sent it by level is told, unless that is suppressed. */
  endOfInterrupt(): void {
    const vector = this.isr.highest
    if (vector < 0) return
    this.isr.clear(vector)
    if (this.tmr.has(vector)) {
      for (const at of [AT.lint0, AT.lint1]) {
        const lvt = this.#lvt.get(at)!
        if ((lvt & 0xff) === vector) this.#lvt.set(at, lvt & ~LVT_REMOTE_IRR)
      }
      if (!(this.#svr & SVR_NO_BROADCAST)) this.#bus.endOfInterrupt(vector)
    }
    this.#cpu.update?.()
  }

  #writeLvt(offset: number, value: number): void {
    let lvt = (value & LVT_WRITABLE[offset]!) | (this.#lvt.get(offset)! & LVT_REMOTE_IRR)
    if (!this.enabled) lvt |= LVT_MASKED
    this.#lvt.set(offset, lvt)
    if (offset === AT.timer) this.timer?.configure(lvt)
  }

  /** "Interrupt Command Register": a write to its lower half sends. */
  #sendIpi(): void {
    const low = this.#icrLow
    const vector = low & 0xff
    const mode: DeliveryMode = DELIVERY_MODES[(low >> 8) & 7]!
    if ((mode === 'fixed' || mode === 'lowest') && vector < VECTOR_MIN) {
      this.#error(ESR_SEND_ILLEGAL)
      return
    }
    const level = (low & 0x8000) !== 0
    // The end of an INIT: only old processors' arbitration ids heeded it.
    if (mode === 'init' && level && !(low & 0x4000)) return
    const message: InterruptMessage = {
      vector,
      mode,
      destination: this.#icrHigh >>> 24,
      logical: (low & 0x800) !== 0,
      level: false,
    }
    switch ((low >> 18) & 3) {
      case 0:
        this.#bus.send(message)
        return
      case 1:
        this.accept(message)
        return
      case 2:
        for (const each of this.#bus.locals) each.accept(message)
        return
      default:
        for (const each of this.#bus.locals) if (each !== this) each.accept(message)
    }
  }

  #error(error: number): void {
    const first = (this.#errors & error) === 0
    this.#errors |= error
    if (first) this.signal('error')
  }
}

/** Carries messages to local APICs, and their ends of interrupts to the I/O APICs. */
export class ApicBus {
  readonly locals: LocalApic[] = []
  readonly #onEnd: ((vector: number) => void)[] = []

  /** Hears each end of a level-triggered interrupt: an I/O APIC. */
  onEndOfInterrupt(hear: (vector: number) => void): void {
    this.#onEnd.push(hear)
  }

  endOfInterrupt(vector: number): void {
    for (const hear of this.#onEnd) hear(vector)
  }

  /** To all whom a destination means, or to the one of lowest priority among them; whether anybody accepted it. */
  send(message: InterruptMessage): boolean {
    const meant = this.locals.filter((each) => each.isDestination(message.destination, message.logical))
    if (message.mode === 'lowest') {
      // Among equals the chipset may choose; here it is the first, so that a run repeats.
      let best: LocalApic | undefined
      for (const each of meant) if (each.enabled && (best === undefined || each.apr < best.apr)) best = each
      return best?.accept({ ...message, mode: 'fixed' }) ?? false
    }
    let accepted = false
    for (const each of meant) if (each.accept(message)) accepted = true
    return accepted
  }
}

/** 256 bits, one for each vector. */
export class Vectors {
  readonly #words = new Uint32Array(8)

  set(vector: number): void {
    this.#words[vector >> 5]! |= 1 << (vector & 31)
  }

  clear(vector: number): void {
    this.#words[vector >> 5]! &= ~(1 << (vector & 31))
  }

  has(vector: number): boolean {
    return (this.#words[vector >> 5]! & (1 << (vector & 31))) !== 0
  }

  word(which: number): number {
    return this.#words[which]!
  }

  /** -1 if there is none. */
  get highest(): number {
    for (let word = 7; word >= 0; word--) {
      const bits = this.#words[word]!
      if (bits !== 0) return word * 32 + 31 - Math.clz32(bits)
    }
    return -1
  }
}
