/** Where the room that models interrupts (`kernel/interrupts`) meets hosts whose lab says what machine they are. Others never ask it. */
import type { Host } from './host.ts'
import type { KernelImage } from './image.ts'

/** Hears what the CPU that runs processes does. */
export interface CpuObserver {
  /** A process has it from one moment to another. */
  busy(name: string, pid: number, fromNs: number, toNs: number): void
  /** A process's timer has fired. */
  timer(): void
}

/** A network card's hardware, between its cable and its driver. */
export interface CardHooks {
  /** A packet lies in the card's memory: `take` gives it to the network, when the driver comes to it. */
  received(take: () => void): void
  /** A packet has left. */
  sent(): void
  /** The carrier came or went. */
  linkChanged(): void
}

/** What `kernel/interrupts` installs. */
export interface InterruptSlot {
  observer?: (host: Host) => CpuObserver | undefined
  /** An interface's card; undefined if the machine has none for it. */
  card?: (host: Host, name: string, nth: number) => CardHooks | undefined
  /** The lines `intr` and `softirq` of /proc/stat, without their names. */
  stat?: (host: Host) => { intr: string; softirq: string } | undefined
}

export function interruptSlot(image: KernelImage): InterruptSlot {
  return image.slot<InterruptSlot>('kernel/core interrupts', () => ({}))
}
