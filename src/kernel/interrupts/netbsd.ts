/**
 * Software interrupts as NetBSD has them: each level of each processor has a thread (LWP) of its own, to which the processor
 * switches in the middle of what it interrupts, without asking the scheduler. The thread borrows what was interrupted: nothing of
 * that is saved but what is needed to come back to it. If a handler blocks, what was interrupted goes on, and the thread, once it
 * may, is one among others.
 *
 * NetBSD sys/kern/kern_softint.c: softint_establish(), softint_schedule(), softint_execute(), softint_dispatch();
 * sys/arch/x86/include/intrdefs.h; sys/arch/amd64/amd64/spl.S: Xspllower, softintr_ret; spl(9), softint(9).
 */

/** x86's interrupt priority levels. */
export const IPL = {
  NONE: 0,
  PREEMPT: 1,
  SOFTCLOCK: 2,
  SOFTBIO: 3,
  SOFTNET: 4,
  SOFTSERIAL: 5,
  VM: 6,
  SCHED: 7,
  HIGH: 8,
} as const

export const IPL_NAMES = Object.keys(IPL).map((name) => `IPL_${name}`)

/** SOFTINT_CLOCK and so on: what a level is called, and at which priority it runs. In the order of kern_softint.c's set-up. */
export const SOFTINT_LEVELS = [
  { name: 'net', ipl: IPL.SOFTNET },
  { name: 'bio', ipl: IPL.SOFTBIO },
  { name: 'clk', ipl: IPL.SOFTCLOCK },
  { name: 'ser', ipl: IPL.SOFTSERIAL },
] as const
export type SoftintName = (typeof SOFTINT_LEVELS)[number]['name']

/** A lock that may be slept on (adaptive). */
export interface Mutex {
  name: string
  owner: string | undefined
}

/** A handler is a generator: it yields each mutex that it enters. */
export type Handler = () => Generator<Mutex, void>

/** What softint_establish() returns. */
export interface Handle {
  level: SoftintName
  name: string
  run: Handler
  pending: boolean
  active: boolean
}

interface Softint {
  name: SoftintName
  ipl: number
  /** si_q: handlers that wait, the longest waiting first. */
  queue: Handle[]
  /** Triggered and not yet done; blocked ones too. */
  active: boolean
  /** softint_trigger(): its bit in ci_ipending. */
  pending: boolean
  /** What its thread is in the middle of, if it blocked. */
  blocked: { body: Generator<Mutex, void>; handle: Handle; on: Mutex } | undefined
  count: number
  blocks: number
}

/** What happened: on which LWP, at which level. */
export interface NetbsdStep {
  lwp: string
  ipl: number
  what: string
}

/** One processor of a NetBSD. */
export class NetbsdCpu {
  readonly number: number
  ipl: number = IPL.NONE
  /** curlwp. */
  lwp = 'idle/0'
  readonly softints: Record<SoftintName, Softint>
  /** Hardware interrupts that came at too high a level: ci_ipending's other bits. */
  readonly #held: { ipl: number; name: string; run: () => void }[] = []
  readonly #onStep: (step: NetbsdStep) => void
  /** cpu_nsoft. */
  softs = 0

  constructor(number: number, onStep: (step: NetbsdStep) => void = () => {}) {
    this.number = number
    this.lwp = `idle/${number}`
    this.#onStep = onStep
    this.softints = Object.fromEntries(
      SOFTINT_LEVELS.map(({ name, ipl }) => [
        name,
        { name, ipl, queue: [], active: false, pending: false, blocked: undefined, count: 0, blocks: 0 },
      ]),
    ) as unknown as Record<SoftintName, Softint>
  }

  #say(what: string): void {
    this.#onStep({ lwp: this.lwp, ipl: this.ipl, what })
  }

  /** splraise(9): never lowers; what it was. */
  splraise(ipl: number): number {
    const old = this.ipl
    if (ipl > old) {
      this.ipl = ipl
      this.#say(`splraise(${IPL_NAMES[ipl]})`)
    }
    return old
  }

  /** splx(9): back to what it was; what waited above that happens now, the most urgent first. Xspllower. */
  splx(ipl: number): void {
    if (ipl < this.ipl) {
      this.ipl = ipl
      this.#say(`splx(${IPL_NAMES[ipl]})`)
    }
    this.#lower()
  }

  #lower(): void {
    for (;;) {
      // Soft interrupts have the upper bits, and so go before hardware that was held back (intrdefs.h says so with regret).
      let best: Softint | undefined
      for (const softint of Object.values(this.softints)) {
        if (softint.pending && softint.ipl > this.ipl && softint.ipl > (best?.ipl ?? -1)) best = softint
      }
      if (best) {
        this.#dispatch(best)
        continue
      }
      const at = this.#held.findIndex(({ ipl }) => ipl > this.ipl)
      if (at < 0) return
      const [held] = this.#held.splice(at, 1)
      this.#say(`${held!.name}: held back until now`)
      this.#hardware(held!)
    }
  }

  /** A line that the controller passes on. Above it: remembered, and done when the level falls. */
  interrupt(ipl: number, name: string, run: () => void): void {
    const one = { ipl, name, run }
    if (ipl <= this.ipl) {
      this.#say(`${name} at ${IPL_NAMES[ipl]}: held back, the processor is at ${IPL_NAMES[this.ipl]}`)
      this.#held.push(one)
      return
    }
    this.#hardware(one)
    this.#lower()
  }

  #hardware({ ipl, name, run }: { ipl: number; name: string; run: () => void }): void {
    const old = this.ipl
    this.ipl = ipl
    this.#say(`${name}: its handler, on the stack of ${this.lwp}`)
    run()
    this.ipl = old
  }

  establish(level: SoftintName, name: string, run: Handler): Handle {
    return { level, name, run, pending: false, active: false }
  }

  /** softint_schedule(9): once, however often it is asked for before it runs. */
  schedule(handle: Handle): void {
    if (handle.pending) return
    const softint = this.softints[handle.level]
    handle.pending = true
    softint.queue.push(handle)
    this.#say(`softint_schedule: ${handle.name} at ${softint.name}/${this.number}`)
    if (softint.active) return // It runs, or has blocked: it will see the queue.
    softint.active = true
    softint.pending = true
  }

  /** Whether something waits for the level to fall. */
  get pending(): boolean {
    return Object.values(this.softints).some((softint) => softint.pending && softint.ipl > this.ipl)
  }

  #dispatch(softint: Softint): void {
    const pinned = this.lwp
    const old = this.ipl
    softint.pending = false
    this.ipl = IPL.HIGH
    this.lwp = `soft${softint.name}/${this.number}`
    this.#say(`fast switch: ${pinned} is pinned under it, no scheduler, no address space of its own`)
    const done = this.#execute(softint, undefined)
    this.ipl = old
    this.lwp = pinned
    this.#say(
      done
        ? `back to ${pinned}, which noticed nothing`
        : `softint_ret: ${pinned} goes on, soft${softint.name}/${this.number} sleeps`,
    )
  }

  /** softint_execute(): the longest waiting first. False if one has blocked. */
  #execute(softint: Softint, resumed: Softint['blocked']): boolean {
    let going = resumed
    for (;;) {
      let handle = going?.handle
      let body = going?.body
      if (!handle || !body) {
        handle = softint.queue.shift()
        if (!handle) break
        handle.pending = false
        handle.active = true
        this.ipl = softint.ipl
        this.#say(`${handle.name}`)
        body = handle.run()
      }
      going = undefined
      const wants = this.#goOn(body)
      if (wants) {
        softint.blocked = { body, handle, on: wants }
        softint.blocks++
        this.#say(`mutex_enter(${wants.name}): ${wants.owner} has it; it blocks and lends its priority`)
        return false
      }
      this.ipl = IPL.HIGH
      handle.active = false
    }
    this.softs++
    softint.count++
    softint.active = false
    return true
  }

  /** Until it is done, or wants a mutex that another has. */
  #goOn(body: Generator<Mutex, void>): Mutex | undefined {
    for (;;) {
      const { value, done } = body.next()
      if (done) return undefined
      if (value.owner !== undefined && value.owner !== this.lwp) return value
      value.owner = this.lwp
    }
  }

  /** mutex_exit(9): who waits for it may go on, as a thread that the scheduler chooses, at the head of the queue. */
  mutexExit(mutex: Mutex): void {
    mutex.owner = undefined
    for (const softint of Object.values(this.softints)) {
      const { blocked } = softint
      if (blocked?.on !== mutex) continue
      const was = this.lwp
      softint.blocked = undefined
      this.lwp = `soft${softint.name}/${this.number}`
      this.ipl = softint.ipl
      mutex.owner = this.lwp
      this.#say(`mi_switch from ${was}: it has ${mutex.name} now, and goes on as any thread`)
      const done = this.#execute(softint, blocked)
      if (done) this.#say('done: nobody is pinned under it, the scheduler chooses who is next')
      if (mutex.owner === `soft${softint.name}/${this.number}`) mutex.owner = undefined
      this.lwp = was
      this.ipl = IPL.NONE
    }
    this.#lower()
  }

  /** evcnt(9): of each level, how often it ran, and how often it blocked. */
  events(): { group: string; name: string; count: number }[] {
    return SOFTINT_LEVELS.flatMap(({ name }) => [
      { group: 'softint', name: `${name}/${this.number}`, count: this.softints[name].count },
      { group: 'softint', name: `${name} block/${this.number}`, count: this.softints[name].blocks },
    ])
  }
}
