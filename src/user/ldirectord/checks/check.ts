/** What a check has at hand. */
import type { Body, Sys } from '#kernel/core'
import type { Director, State } from '../director.ts'
import { checkPort } from '../identity.ts'
import type { Output } from '../output.ts'
import { PROGRAM } from '../output.ts'
import type { Real, Virtual } from '../types.ts'

/** Finds out whether a server is up, and says so; true if it is. */
export type Check = (check: Checking) => Body<boolean>

export class Checking {
  readonly director: Director
  readonly virtual: Virtual
  readonly real: Real

  constructor(director: Director, virtual: Virtual, real: Real) {
    this.director = director
    this.virtual = virtual
    this.real = real
  }

  get output(): Output {
    return this.director.output
  }

  get sys(): Sys {
    return this.director.output.sys
  }

  /** Where the server is asked. */
  get port(): number {
    return checkPort(this.virtual, this.real) ?? 0
  }

  /** `10.0.0.2:80`. */
  get place(): string {
    return `${this.real.server}:${this.real.port}`
  }

  untilNs(seconds: number): number {
    return this.sys.monotonicNs() + seconds * 1e9
  }

  *debug(priority: number, message: string): Body<void> {
    yield* this.output.debug(priority, message)
  }

  /** @param message what the monitor file gets; undefined: it gets no line */
  *set(state: State, message: string | undefined = '-'): Body<boolean> {
    yield* this.director.set(this.virtual, this.real, state, message === undefined ? {} : { checked: message })
    return state === 'up'
  }

  /** Without a line for the monitor file. */
  *setQuietly(state: State): Body<boolean> {
    yield* this.director.set(this.virtual, this.real, state)
    return state === 'up'
  }

  /** With the words of debugging that several checks share. */
  *activated(): Body<boolean> {
    yield* this.set('up')
    yield* this.debug(3, `Activated service ${this.place}`)
    return true
  }

  *deactivated(why: string): Body<boolean> {
    yield* this.set('down')
    yield* this.debug(3, `Deactivated service ${this.place}: ${why}`)
    return false
  }
}

/** `WHAT at PROGRAM line N.`, as an exception of Perl's prints itself. */
export function diedAt(what: string, line: number): string {
  return `${what} at ${PROGRAM} line ${line}.\n`
}
