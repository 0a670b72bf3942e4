/**
 * A machine's interrupt controllers as its kernel has set them up: which vector each interrupt has, and where; and what the
 * kernel does to the registers when one is masked, acknowledged, ended or moved.
 *
 * Linux 6.1 arch/x86/kernel/i8259.c, apic/io_apic.c, apic/vector.c, apic/apic_flat_64.c; 2.6.32 arch/x86/kernel/apic/io_apic.c.
 */
import type { Host } from '#kernel/core'
import { ApicBus, emitMsi, IoApic, LocalApic, PicPair, parseMsi } from '#machine/interrupts'
import type { Interrupts, IrqDescriptor } from './irqs.ts'
import { allocateVectors, type VectorKernel } from './vectors.ts'

/** Linux 6.1 arch/x86/include/asm/irq_vectors.h: the old sixteen are at 30h, whichever controller they come by. */
export const ISA_VECTOR = 0x30
const SPURIOUS = 0xff
const MASKED = 1 << 16
const LEVEL = 1 << 15
const ACTIVE_LOW = 1 << 13
const LOGICAL = 1 << 11
const LOWEST = 1 << 8
const PIC_MASTER = 0x20
const PIC_SLAVE = 0xa0

/** What a processor hears: there is something for it; an old controller has something. */
export interface Receiver {
  update(cpu: number): void
  external(cpu: number): void
  nmi(cpu: number): void
}

export class Wiring {
  readonly kernel: VectorKernel
  readonly timerVector: number
  readonly pic: PicPair
  readonly ioApic: IoApic
  readonly locals: LocalApic[]
  readonly bus = new ApicBus()
  readonly usesIoApic: boolean
  /** Without an I/O APIC the old controllers go through a local APIC's pin, or straight to the processor. */
  readonly localApic: boolean
  readonly vectors = new Map<number, { vector: number; cpus: number[] }>()
  /** vector_irq: what each vector means on each processor. */
  readonly vectorIrq: Map<number, number>[]
  readonly #interrupts: Interrupts
  readonly #receiver: Receiver

  constructor(host: Host, interrupts: Interrupts, receiver: Receiver) {
    const profile = host.profile
    this.kernel = profile === 'linux-2.6.18' || profile === 'linux-2.6.32' ? profile : 'linux-6.1'
    this.timerVector = this.kernel === 'linux-6.1' ? 0xec : 0xef
    this.#interrupts = interrupts
    this.#receiver = receiver
    this.localApic = interrupts.localApic
    this.usesIoApic = interrupts.all().some(({ chip }) => chip === 'IO-APIC')
    this.vectorIrq = Array.from({ length: interrupts.cpus }, () => new Map())
    this.locals = Array.from(
      { length: interrupts.cpus },
      (_, cpu) =>
        new LocalApic(this.bus, cpu, {
          update: () => receiver.update(cpu),
          external: () => receiver.external(cpu),
          nmi: () => receiver.nmi(cpu),
        }),
    )
    this.ioApic = new IoApic({
      version: host.hardware.type === 'q35' ? 0x20 : 0x11,
      send: (message) => this.bus.send(message),
    })
    this.bus.onEndOfInterrupt((vector) => this.ioApic.endOfInterrupt(vector))
    this.pic = new PicPair((high) => {
      if (!high) return
      if (this.localApic) this.locals[0]!.signal('lint0')
      else receiver.external(0)
    })
    this.#setUpPic()
    if (this.localApic) this.#setUpLocals()
    this.#giveVectors()
    for (const descriptor of interrupts.all()) this.program(descriptor)
    interrupts.onMoved = (descriptor) => this.#move(descriptor)
  }

  /** Linux 6.1 arch/x86/kernel/i8259.c: init_8259A(): vectors from 30h, the slave at input 2, everything masked. */
  #setUpPic(): void {
    for (const [port, value] of [
      [0x20, 0x11],
      [0x21, ISA_VECTOR],
      [0x21, 0x04],
      [0x21, 0x01],
      [0xa0, 0x11],
      [0xa1, ISA_VECTOR + 8],
      [0xa1, 0x02],
      [0xa1, 0x01],
      [0x21, 0xff],
      [0xa1, 0xff],
    ] as const)
      this.pic.write(port, value)
    let elcr = 0
    for (const { irq, chip, trigger } of this.#interrupts.all()) {
      // Inputs that PCI shares are levels; the firmware has said so.
      if (chip === 'XT-PIC' && trigger === 'level' && [5, 9, 10, 11].includes(irq)) elcr |= 1 << irq
    }
    this.pic.write(0x4d0, elcr & 0xff)
    this.pic.write(0x4d1, elcr >> 8)
  }

  /** Linux 6.1 arch/x86/kernel/apic/apic.c: setup_local_APIC(); the old controllers come by LINT0 of the first, NMI by LINT1. */
  #setUpLocals(): void {
    for (const [cpu, local] of this.locals.entries()) {
      local.write(0xe0, 0xffffffff)
      local.write(0xd0, (1 << cpu) << 24)
      local.write(0xf0, 0x100 | SPURIOUS)
      local.write(0x350, cpu === 0 && !this.usesIoApic ? 0x700 : MASKED | 0x700)
      local.write(0x360, cpu === 0 ? 0x400 : MASKED | 0x400)
      local.write(0x320, this.timerVector)
    }
  }

  #giveVectors(): void {
    const { cpus } = this.#interrupts
    const all = Array.from({ length: cpus }, (_, cpu) => cpu)
    const asked = this.#interrupts.all().filter(({ chip, irq }) => chip !== 'XT-PIC' && irq >= 16)
    const given = allocateVectors(
      this.kernel,
      cpus,
      asked.map(({ irq, effective }) => ({ irq, cpus: this.kernel === 'linux-6.1' ? [cpuOf(effective)] : all })),
    )
    for (const { irq, vector, cpus: where } of given) this.#give(irq, vector, where)
    for (const { irq } of this.#interrupts.all()) if (irq < 16) this.#give(irq, ISA_VECTOR + irq, all)
  }

  #give(irq: number, vector: number, cpus: number[]): void {
    this.vectors.set(irq, { vector, cpus })
    for (const cpu of cpus) this.vectorIrq[cpu]!.set(vector, irq)
  }

  /** A new destination: 6.1 gives a vector there and takes the old one back; older kernels keep theirs where it is valid. */
  #move(descriptor: IrqDescriptor): void {
    const had = this.vectors.get(descriptor.irq)
    const cpu = cpuOf(descriptor.effective)
    if (
      had &&
      this.kernel === 'linux-6.1' &&
      descriptor.chip !== 'XT-PIC' &&
      !(had.cpus.length === 1 && had.cpus[0] === cpu)
    ) {
      for (const one of had.cpus) this.vectorIrq[one]!.delete(had.vector)
      let vector = 0x21
      const taken = (one: number) => this.vectorIrq[cpu]!.has(one) || one === 0x80
      while (taken(vector)) vector++
      this.#give(descriptor.irq, vector, [cpu])
    }
    this.program(descriptor)
  }

  /** Writes an interrupt's entry: masked if nobody has asked for it, or it is disabled. */
  program(descriptor: IrqDescriptor): void {
    descriptor.masked = descriptor.actions.length === 0 || descriptor.depth > 0
    this.write(descriptor)
  }

  /** The registers of its controller, as the descriptor has it. */
  write(descriptor: IrqDescriptor): void {
    const { irq, chip, hwirq, masked } = descriptor
    if (chip === 'XT-PIC') {
      if (irq >= 16) return
      const port = irq >= 8 ? PIC_SLAVE + 1 : PIC_MASTER + 1
      const bit = 1 << (irq & 7)
      const mask = this.pic.read(port)
      this.pic.write(port, masked ? mask | bit : mask & ~bit)
      return
    }
    if (chip !== 'IO-APIC') return // A message's address and data are made when it is sent.
    const low = this.entryOf(descriptor)
    const at = 0x10 + 2 * hwirq!
    this.ioApic.write(0x00, at + 1)
    this.ioApic.write(0x10, (this.destination(descriptor) << 24) >>> 0)
    this.ioApic.write(0x00, at)
    this.ioApic.write(0x10, low)
  }

  entryOf({ irq, trigger, masked, hwirq }: IrqDescriptor): number {
    const level = trigger === 'level'
    // PCI's pins are low when they are active; the model's are simply asserted.
    const low = level && hwirq! >= 16 ? ACTIVE_LOW : 0
    return (
      (this.vectors.get(irq)?.vector ?? 0) |
      LOGICAL |
      (this.kernel === 'linux-6.1' ? 0 : LOWEST) |
      (level ? LEVEL : 0) |
      low |
      (masked ? MASKED : 0)
    )
  }

  /** A set of logical destinations: of one processor in 6.1, of all that may in older kernels. */
  destination({ effective, affinity }: IrqDescriptor): number {
    return this.kernel === 'linux-6.1' ? effective & 0xff : affinity & 0xff
  }

  /** What a message interrupt's device was told to write, and where. */
  message(descriptor: IrqDescriptor) {
    return emitMsi({
      vector: this.vectors.get(descriptor.irq)?.vector ?? 0,
      mode: this.kernel === 'linux-6.1' ? 'fixed' : 'lowest',
      destination: this.destination(descriptor),
      logical: true,
      level: false,
    })
  }

  /** The line of an interrupt, or its message: what its device does. */
  setLine(descriptor: IrqDescriptor, high: boolean): void {
    const { chip, irq, hwirq } = descriptor
    if (chip === 'PCI-MSI') {
      if (!high) return
      if (descriptor.masked) {
        descriptor.pending = true // The pending bit of its table or capability.
        return
      }
      const message = parseMsi(this.message(descriptor))
      if (message) this.bus.send(message)
    } else if (chip === 'IO-APIC') this.ioApic.setPin(hwirq!, high)
    else if (irq < 16) this.pic.setIrq(irq, high)
  }

  mask(descriptor: IrqDescriptor): void {
    if (descriptor.masked) return
    descriptor.masked = true
    this.write(descriptor)
  }

  unmask(descriptor: IrqDescriptor): void {
    if (!descriptor.masked || descriptor.depth > 0) return
    descriptor.masked = false
    this.write(descriptor)
  }

  /** An APIC's end of interrupt; the old controller's is a specific one, and its master's besides. */
  end(descriptor: IrqDescriptor, cpu: number): void {
    if (descriptor.chip !== 'XT-PIC') {
      this.locals[cpu]!.write(0xb0, 0)
      return
    }
    const { irq } = descriptor
    if (irq >= 8) {
      this.pic.write(PIC_SLAVE, 0x60 + (irq & 7))
      this.pic.write(PIC_MASTER, 0x62)
    } else this.pic.write(PIC_MASTER, 0x60 + irq)
  }

  get receiver(): Receiver {
    return this.#receiver
  }
}

/** The lowest of a set. */
export function cpuOf(mask: number): number {
  return 31 - Math.clz32(mask & -mask)
}
