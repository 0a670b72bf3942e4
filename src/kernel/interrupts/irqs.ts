/** Interrupts as Linux numbers them: who asks for which, on which chip, handled how. Linux 6.1 kernel/irq/, arch/x86/kernel/apic/. */
import { defineState, type Host } from '#kernel/core'
import { pciSystems } from '#kernel/pci'

export type FlowHandler = 'edge' | 'level' | 'fasteoi'

/** What a handler says: mine, not mine, mine and the rest is my thread's. */
export type IrqReturn = 'handled' | 'none' | 'wake'

/** Who asked for an interrupt. Linux 6.1 include/linux/interrupt.h: struct irqaction. */
export interface IrqAction {
  handler(): IrqReturn
  /** What its thread does; it may say that there was nothing for it after all. */
  thread?: (() => IrqReturn) | undefined
  /** IRQF_NO_THREAD, as a timer's: `threadirqs` doesn't make one of it. */
  noThread?: boolean
}

const NOTHING_TO_DO: IrqAction = { handler: () => 'none', noThread: true }

/** struct irq_desc: what is known of an interrupt. */
export interface IrqDescriptor {
  irq: number
  /** The controller, as /proc/interrupts calls it. */
  chip: 'IO-APIC' | 'XT-PIC' | 'PCI-MSI'
  /** The controller's own number; undefined for one without a domain. */
  hwirq: number | undefined
  trigger: 'edge' | 'level'
  /** The flow handler's name; an old PIC gives none. */
  name: FlowHandler | ''
  /** Who asked for it, in the order of their requests. */
  actions: string[]
  /** What each of them does. */
  does: IrqAction[]
  /** How deep it is disabled. */
  depth: number
  /** Its line is masked at the controller; it came while nobody could take it; it is being handled. */
  masked: boolean
  pending: boolean
  inProgress: boolean
  /** Switched off since nobody cared. */
  spuriousDisabled: boolean
  /** Of the spurious: how many since the last look, the jiffy of the last unhandled, what threads have handled. */
  spuriousCount: number
  lastUnhandled: number
  threadsHandled: number
  threadsRunning: number
  threadsHandledLast: number | undefined
  /** How often it came, by processor. */
  counts: number[]
  /** A bit for each processor that may take it, and the one that does. */
  affinity: number
  effective: number
  unhandled: number
}

/** Inputs that ACPI here says are levels. QEMU hw/i386/acpi-common.c: acpi_build_madt() */
const LEVELS = new Set([5, 9, 10, 11])

export class Interrupts {
  readonly cpus: number
  readonly #descriptors = new Map<number, IrqDescriptor>()
  /** Softirqs that ran, by kind and processor. */
  readonly softirqs: number[][]
  readonly localApic: boolean
  /** What processors count besides, by the names of /proc/interrupts: LOC, NMI, RES ... */
  readonly local = new Map<string, number[]>()
  /** Error interrupts, and edges that a level-triggered pin has missed. */
  readonly totals = { ERR: 0, MIS: 0 }
  /** Told when an interrupt has another processor. */
  onMoved: ((descriptor: IrqDescriptor) => void) | undefined

  constructor(host: Host) {
    const { hardware } = host
    const has = (word: string) => hardware.cmdline.includes(word)
    this.localApic = !has('nolapic')
    // Without local APICs there is one processor; and so if it is asked for.
    const one = !this.localApic || has('nosmp') || has('maxcpus=1')
    this.cpus = one ? 1 : hardware.cpus
    this.softirqs = Array.from({ length: 10 }, () => new Array(this.cpus).fill(0))
    const ioApic = this.localApic && !has('noapic')
    const acpi = !has('acpi=off')
    for (let irq = 0; irq < 16; irq++) {
      const level = ioApic && acpi && LEVELS.has(irq)
      // Input 2 isn't there: it is the second PIC; the timer is on the I/O APIC's input 2.
      const onApic = ioApic && irq !== 2
      this.#add(irq, onApic ? 'IO-APIC' : 'XT-PIC', onApic ? (irq === 0 ? 2 : irq) : undefined, level)
      if (onApic) this.#descriptors.get(irq)!.name = level ? 'fasteoi' : 'edge'
    }
    this.request(0, 'timer')
    this.request(1, 'i8042')
    if (!ioApic) this.request(2, 'cascade')
    this.request(8, 'rtc0')
    if (acpi) this.request(9, 'acpi')
    this.request(12, 'i8042')
    if (hardware.type === 'pc') for (const irq of [14, 15]) this.request(irq, 'ata_piix')
    this.#addPci(host, ioApic)
  }

  #addPci(host: Host, ioApic: boolean): void {
    const { devices } = pciSystems.of(host)
    for (const device of devices) {
      if (device.messages) {
        const { irq, count } = device.messages
        const names = device.driver?.actions?.(device, 0) ?? []
        for (let i = 0; i < count; i++) {
          const descriptor = this.#add(irq + i, 'PCI-MSI', (device.bus * 256 + device.devfn) * 2048 + i, false)
          descriptor.name = 'edge'
          if (names[i] !== undefined) this.request(irq + i, names[i]!)
        }
        continue
      }
      if (device.routed !== undefined && device.routed >= 16 && !this.#descriptors.has(device.routed)) {
        this.#add(device.routed, 'IO-APIC', device.routed, true).name = 'fasteoi'
      }
      const line = device.driver?.line?.(device)
      if (line !== undefined) this.request(device.irq, line)
    }
    for (const { messages, routed } of devices) {
      if (!messages || routed === undefined || routed < 16 || !ioApic || this.#descriptors.has(routed)) continue
      this.#add(routed, 'IO-APIC', routed, true).name = 'fasteoi'
    }
  }

  #add(irq: number, chip: IrqDescriptor['chip'], hwirq: number | undefined, level: boolean): IrqDescriptor {
    const descriptor: IrqDescriptor = {
      irq,
      chip,
      hwirq,
      trigger: level || chip === 'XT-PIC' ? 'level' : 'edge',
      name: '',
      actions: [],
      counts: new Array(this.cpus).fill(0),
      affinity: 2 ** this.cpus - 1,
      effective: 1,
      unhandled: 0,
      does: [],
      depth: 0,
      masked: false,
      pending: false,
      inProgress: false,
      spuriousDisabled: false,
      spuriousCount: 0,
      lastUnhandled: 0,
      threadsHandled: 0,
      threadsRunning: 0,
      threadsHandledLast: undefined,
    }
    this.#descriptors.set(irq, descriptor)
    return descriptor
  }

  /** request_irq(): a name for a handler, and what it does; several may share a line. */
  request(irq: number, name: string, does: IrqAction = NOTHING_TO_DO): void {
    const descriptor = this.#descriptors.get(irq)
    descriptor?.actions.push(name)
    descriptor?.does.push(does)
  }

  countLocal(name: string, cpu: number, by = 1): void {
    let counts = this.local.get(name)
    if (!counts) {
      counts = new Array<number>(this.cpus).fill(0)
      this.local.set(name, counts)
    }
    counts[cpu]! += by
  }

  get(irq: number): IrqDescriptor | undefined {
    return this.#descriptors.get(irq)
  }

  /** All, in the order of their numbers. */
  all(): IrqDescriptor[] {
    return [...this.#descriptors.values()].sort((a, b) => a.irq - b.irq)
  }

  /** Restricts one to processors; it goes to the first of them. False if none of them is there. */
  setAffinity(irq: number, mask: number): boolean {
    const descriptor = this.#descriptors.get(irq)
    const online = mask & (2 ** this.cpus - 1)
    if (!descriptor || online === 0) return false
    descriptor.affinity = online
    descriptor.effective = online & -online
    this.onMoved?.(descriptor)
    return true
  }
}

export const interruptsOf = defineState((host) => new Interrupts(host), { per: 'machine' })
