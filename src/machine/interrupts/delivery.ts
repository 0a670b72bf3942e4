/**
 * What an x86_64 processor does by itself when an interrupt or an exception comes: finds the gate, checks who may use it, chooses
 * a stack, pushes the frame, jumps. Intel SDM volume 3, "Interrupt and Exception Handling": "IDT Descriptors", "64-Bit Mode Stack
 * Frame", "Stack Switching in IA-32e Mode", "Interrupt Stack Table", and the table of double faults.
 */

export interface Gate {
  selector: number
  offset: bigint
  /** An interrupt gate keeps further interrupts away. */
  type: 'interrupt' | 'trap'
  /** Who may come by an `int` instruction. */
  dpl: number
  /** 1 to 7: a stack of the interrupt stack table, whatever runs; 0: none. */
  ist: number
  present: boolean
}

/** The 64-bit task state segment: stacks by privilege, and the interrupt stack table from 1. */
export interface TaskState {
  rsp: [bigint, bigint, bigint]
  ist: (bigint | undefined)[]
}

/** external: a line or a message; software: `int n`. */
export type Source = 'external' | 'exception' | 'software'

/** One thing that the processor did. */
export interface DeliveryStep {
  step: 'gate' | 'check' | 'stack' | 'push' | 'flags' | 'jump' | 'fault' | 'pop' | 'swapgs'
  what: string
}

export const RFLAGS = { TF: 1n << 8n, IF: 1n << 9n, NT: 1n << 14n, RF: 1n << 16n }

/** Exceptions that push an error code: "Error Code", and the table of exceptions. */
const WITH_CODE = new Set([8, 10, 11, 12, 13, 14, 17, 21, 29, 30])
const CONTRIBUTORY = new Set([0, 10, 11, 12, 13])
const FAULTS = new Set([0, 5, 6, 7, 10, 11, 12, 13, 14, 16, 17, 19, 20, 21])
const DOUBLE_FAULT = 8
const NOT_PRESENT = 11
const STACK_FAULT = 12
const PROTECTION = 13
const PAGE_FAULT = 14

const hex = (value: bigint | number) => `${value.toString(16)}h`

export class Processor64 {
  rip = 0n
  cs = 0x10
  ss = 0x18
  rsp = 0n
  rflags = 0x202n
  gsBase = 0n
  /** IA32_KERNEL_GS_BASE: what swapgs brings. */
  kernelGsBase = 0n
  /** It has given up: a fault while the double fault was delivered. */
  shutdown = false
  readonly idt: (Gate | undefined)[] = []
  readonly tss: TaskState = { rsp: [0n, 0n, 0n], ist: [] }
  /** What is on stacks, by address. */
  readonly memory = new Map<bigint, bigint>()

  get cpl(): number {
    return this.cs & 3
  }

  get interruptsEnabled(): boolean {
    return (this.rflags & RFLAGS.IF) !== 0n
  }

  /** Delivers one; what fails on the way is delivered instead, as the processor does. */
  deliver(vector: number, source: Source, errorCode = 0): DeliveryStep[] {
    const steps: DeliveryStep[] = []
    let now: { vector: number; source: Source; code: number } = { vector, source, code: errorCode }
    for (;;) {
      const fault = this.#try(now.vector, now.source, now.code, steps)
      if (!fault) return steps
      if (now.source === 'exception' && now.vector === DOUBLE_FAULT) {
        steps.push({ step: 'fault', what: 'a fault while the double fault was delivered: shutdown' })
        this.shutdown = true
        return steps
      }
      // "Conditions for Generating a Double Fault"; what is delivered from here on comes of an exception.
      const first = now.source === 'exception' ? now.vector : -1
      const second = fault.vector
      const double =
        (CONTRIBUTORY.has(first) && CONTRIBUTORY.has(second)) ||
        (first === PAGE_FAULT && (CONTRIBUTORY.has(second) || second === PAGE_FAULT))
      steps.push({
        step: 'fault',
        what: double ? `#${second} while #${first} was delivered: double fault` : `#${second}, code ${hex(fault.code)}`,
      })
      now = double
        ? { vector: DOUBLE_FAULT, source: 'exception', code: 0 }
        : { vector: second, source: 'exception', code: fault.code }
    }
  }

  #try(
    vector: number,
    source: Source,
    code: number,
    steps: DeliveryStep[],
  ): { vector: number; code: number } | undefined {
    // "Error Code": the vector's place in the table, the bit for the IDT, and EXT unless a program asked for it.
    const where = vector * 8 + 2 + (source === 'software' ? 0 : 1)
    const gate = this.idt[vector]
    if (!gate) return { vector: PROTECTION, code: where }
    const ist = gate.ist === 0 ? '' : `, IST ${gate.ist}`
    steps.push({
      step: 'gate',
      what: `vector ${hex(vector)}: ${gate.type} gate, ${hex(gate.selector)}:${hex(gate.offset)}, DPL ${gate.dpl}${ist}`,
    })
    if (source === 'software' && this.cpl > gate.dpl) {
      steps.push({ step: 'check', what: `CPL ${this.cpl} is above DPL ${gate.dpl}: refused` })
      return { vector: PROTECTION, code: where }
    }
    if (!gate.present) return { vector: NOT_PRESENT, code: where }
    const from = this.cpl
    const to = gate.selector & 3
    let top = this.rsp
    let ss = this.ss
    if (gate.ist !== 0) {
      const stack = this.tss.ist[gate.ist]
      if (stack === undefined) return { vector: STACK_FAULT, code: 0 }
      top = stack
      steps.push({ step: 'stack', what: `IST ${gate.ist} of the TSS: RSP ${hex(top)}` })
    } else if (to < from) {
      top = this.tss.rsp[to]!
      steps.push({ step: 'stack', what: `from CPL ${from} to ${to}: RSP${to} of the TSS, ${hex(top)}` })
    } else steps.push({ step: 'stack', what: `CPL stays ${to}: the same stack, ${hex(top)}` })
    if (to < from) ss = to // A null selector of the new privilege.
    const old = { ss: this.ss, rsp: this.rsp, rflags: this.rflags, cs: this.cs, rip: this.rip }
    this.rsp = top & ~0xfn
    if (this.rsp !== top) steps.push({ step: 'stack', what: `aligned to 16 bytes: ${hex(this.rsp)}` })
    const resume = source === 'exception' && FAULTS.has(vector) ? RFLAGS.RF : 0n
    this.#push('SS', BigInt(old.ss), steps)
    this.#push('RSP', old.rsp, steps)
    this.#push('RFLAGS', old.rflags | resume, steps)
    this.#push('CS', BigInt(old.cs), steps)
    this.#push('RIP', old.rip, steps)
    if (source === 'exception' && WITH_CODE.has(vector)) this.#push('error code', BigInt(code), steps)
    this.rflags &= ~(RFLAGS.TF | RFLAGS.NT | RFLAGS.RF)
    if (gate.type === 'interrupt') this.rflags &= ~RFLAGS.IF
    steps.push({ step: 'flags', what: `TF, NT, RF cleared${gate.type === 'interrupt' ? ', IF too' : '; IF stays'}` })
    this.ss = ss
    this.cs = gate.selector
    this.rip = gate.offset
    steps.push({ step: 'jump', what: `CS ${hex(this.cs)}, RIP ${hex(this.rip)}, CPL ${this.cpl}` })
    return undefined
  }

  #push(name: string, value: bigint, steps: DeliveryStep[]): void {
    this.push(value)
    steps.push({ step: 'push', what: `${name} ${hex(value)} at ${hex(this.rsp)}` })
  }

  push(value: bigint): void {
    this.rsp -= 8n
    this.memory.set(this.rsp, value)
  }

  pop(): bigint {
    const value = this.memory.get(this.rsp) ?? 0n
    this.rsp += 8n
    return value
  }

  swapgs(): DeliveryStep {
    const { gsBase, kernelGsBase } = this
    this.gsBase = kernelGsBase
    this.kernelGsBase = gsBase
    return { step: 'swapgs', what: `GS base ${hex(this.gsBase)}; ${hex(gsBase)} is kept` }
  }

  /** IRETQ: always all five, whatever the privilege. */
  iretq(): DeliveryStep[] {
    const from = this.cpl
    this.rip = this.pop()
    this.cs = Number(this.pop())
    this.rflags = this.pop()
    const rsp = this.pop()
    this.ss = Number(this.pop())
    this.rsp = rsp
    return [
      {
        step: 'pop',
        what: `RIP ${hex(this.rip)}, CS ${hex(this.cs)}, RFLAGS ${hex(this.rflags)}, RSP ${hex(rsp)}, SS ${hex(this.ss)}`,
      },
      { step: 'jump', what: from === this.cpl ? `CPL stays ${from}` : `from CPL ${from} to ${this.cpl}` },
    ]
  }
}
