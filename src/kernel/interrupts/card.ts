/**
 * A network card between its cable and its driver: packets wait in its ring, an interrupt says so, the driver's NAPI takes them.
 * Linux 6.1 drivers/net/ethernet/intel/e1000/e1000_main.c: e1000_intr(); e1000e/netdev.c: e1000_intr_msix_rx(); drivers/net/virtio_net.c.
 */
import type { CardHooks } from '#kernel/core'
import type { LinuxPciDevice } from '#kernel/pci'
import type { Napi } from './napi.ts'
import type { RunningInterrupts } from './running.ts'

/** Descriptors in a ring, as the drivers have them by default. */
const RING = 256

export class Card implements CardHooks, Napi {
  readonly device: string
  weight = 64
  scheduled = false
  readonly pci: LinuxPciDevice
  readonly #running: RunningInterrupts
  readonly #ring: (() => void)[] = []
  /** Interrupts are off at the card: its driver is looking. */
  #quiet = false
  /** Why it interrupts: something received, something sent, the link. */
  #causes = 0
  /** Its interrupts: for what is received, sent, and else. */
  readonly irqs: { rx: number; tx: number; other: number }
  readonly #shared: boolean
  dropped = 0

  constructor(running: RunningInterrupts, name: string, pci: LinuxPciDevice) {
    this.device = name
    this.pci = pci
    this.#running = running
    const { messages, driver } = pci
    const virtio = driver?.name === 'virtio-pci'
    if (messages && virtio) {
      // config, input.0, output.0, in this order.
      this.irqs = { rx: messages.irq + 1, tx: messages.irq + 2, other: messages.irq }
      this.#shared = false
      this.#ask(this.irqs.rx, `virtio${pci.nth}-input.0`, () => this.#receive(), true)
      this.#ask(this.irqs.tx, `virtio${pci.nth}-output.0`, () => 'handled', true)
    } else if (messages && messages.count >= 3) {
      this.irqs = { rx: messages.irq, tx: messages.irq + 1, other: messages.irq + 2 }
      this.#shared = false
      this.#ask(this.irqs.rx, `${name}-rx-0`, () => this.#receive())
      this.#ask(this.irqs.tx, `${name}-tx-0`, () => 'handled')
      this.#ask(this.irqs.other, name, () => 'handled')
    } else {
      const irq = messages?.irq ?? pci.irq
      this.irqs = { rx: irq, tx: irq, other: irq }
      this.#shared = true
      this.#ask(irq, virtio ? `virtio${pci.nth}` : name, () => this.#pin(), virtio)
    }
  }

  #ask(irq: number, name: string, handler: () => 'handled' | 'none', existing = false): void {
    this.#running.request(irq, name, handler, existing)
  }

  received(take: () => void): void {
    if (this.#ring.length >= RING) {
      this.dropped++
      return
    }
    this.#ring.push(take)
    this.#cause(this.irqs.rx, 1)
  }

  sent(): void {
    // A virtio driver asks for no interrupt when it has room enough.
    if (this.pci.driver?.name !== 'virtio-pci') this.#cause(this.irqs.tx, 2)
  }

  linkChanged(): void {
    if (this.pci.driver?.name !== 'virtio-pci') this.#cause(this.irqs.other, 4)
  }

  #cause(irq: number, cause: number): void {
    this.#causes |= cause
    if (this.#quiet && (this.#shared || cause === 1)) return
    this.#running.raise(irq, true)
    // What isn't a level was only an edge.
    if (!this.#shared || this.pci.messages) this.#running.raise(irq, false)
  }

  /** An interrupt for packets alone. */
  #receive(): 'handled' {
    this.#quiet = true
    this.#causes &= ~1
    this.#running.napiSchedule(this)
    return 'handled'
  }

  /** The one line, which others may share: reading the cause takes the line back. */
  #pin(): 'handled' | 'none' {
    if (this.#causes === 0) return 'none'
    this.#causes = 0
    this.#quiet = true
    this.#running.lower(this.irqs.rx)
    this.#running.napiSchedule(this)
    return 'handled'
  }

  poll(budget: number): number {
    const some = this.#ring.splice(0, budget)
    for (const take of some) take()
    return some.length
  }

  complete(): void {
    this.#quiet = false
    if (this.#ring.length > 0) this.#cause(this.irqs.rx, 1)
    else if (this.#shared && this.#causes !== 0) this.#cause(this.irqs.rx, 2)
  }

  /** How many packets wait in it. */
  get waiting(): number {
    return this.#ring.length
  }
}
