/** One host: a kernel that runs, its processes and its disk. What a room keeps for it is state, made when first asked for. */
import type { Simulator } from '#base/sim'
import type { Hardware } from './hardware.ts'
import type { KernelImage } from './image.ts'

export interface Host {
  readonly name: string
  /** The machine that it is a part of, if it is a network namespace (`createNetns`) and not a machine itself. */
  readonly base?: Host
  /** From 1, in the order in which the lab's file has them. */
  readonly number: number
  readonly sim: Simulator
  readonly image: KernelImage
  /** Virtual time at which it booted, ns. */
  readonly bootedNs: number
  readonly up: boolean
  /** CLOCK_REALTIME at virtual time zero: seconds since the epoch; `clockSettime` moves it. */
  readonly startS: number
  readonly hardware: Hardware
  /** Which kernel it boots: `linux-6.1`. */
  readonly profile: string
  /** States by index, for `defineState`; sparse. */
  readonly states: unknown[]
  /** Writes a line into the kernel's log (dmesg). level: 0 to 7. */
  log(level: number, text: string): void
}

/** Where a room keeps what is a host's own. */
export interface State<T> {
  /** The host's, made if this is the first time. */
  of(host: Host): T
  /** The host's, or undefined if nobody has asked for it yet. */
  peek(host: Host): T | undefined
  /** Forgets it: at a power cut. */
  drop(host: Host): void
}

let states = 0

/**
 * Defines a kind of state; call it once, at a module's top. It dies with the host's power. Each network namespace has its
 * own, unless it says `per: 'machine'`: then whoever asks in a namespace gets the machine's.
 */
export function defineState<T>(create: (host: Host) => T, options: { per?: 'netns' | 'machine' } = {}): State<T> {
  const index = states++
  if (options.per === 'machine') {
    return {
      of(host) {
        const machine = host.base ?? host
        return (machine.states[index] ??= create(machine)) as T
      },
      peek: (host) => (host.base ?? host).states[index] as T | undefined,
      drop(host) {
        ;(host.base ?? host).states[index] = undefined
      },
    }
  }
  return {
    of(host) {
      return (host.states[index] ??= create(host)) as T
    },
    peek(host) {
      return host.states[index] as T | undefined
    },
    drop(host) {
      host.states[index] = undefined
    },
  }
}
