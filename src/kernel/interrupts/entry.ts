/**
 * The kernel's side of a delivery: its gates and stacks, and what its entry code does before a handler and after it.
 * Linux 6.1 arch/x86/kernel/idt.c, arch/x86/entry/entry_64.S: irq_entries_start, error_entry, swapgs_restore_regs_and_return_to_usermode.
 */
import type { Processor64 } from '#machine/interrupts'

const KERNEL_CS = 0x10
const KERNEL_DS = 0x18
const USER_CS = 0x33
const USER_DS = 0x2b
/** Where things are without randomization. */
const STUBS = 0xffff_ffff_8220_0200n
const PER_CPU = 0xffff_8880_1f40_0000n
const TASK_STACK = 0xffff_c900_0000_4000n
const USER_GS = 0n
/** The interrupt stack table's, by what they are for: arch/x86/include/asm/page_64_types.h. */
const IST: [vector: number, ist: number][] = [
  [8, 1],
  [2, 2],
  [1, 3],
  [18, 4],
]

/** What `int` may use: breakpoint, overflow, and the old system call. */
const FOR_PROGRAMS = new Set([3, 4, 0x80])

export function setUpProcessor(processor: Processor64, cpu: number): void {
  const perCpu = PER_CPU + BigInt(cpu) * 0x40_0000n
  for (let vector = 0; vector < 256; vector++) {
    processor.idt[vector] = {
      selector: KERNEL_CS,
      offset: STUBS + BigInt(vector) * 8n,
      type: 'interrupt',
      dpl: FOR_PROGRAMS.has(vector) ? 3 : 0,
      ist: IST.find(([each]) => each === vector)?.[1] ?? 0,
      present: true,
    }
  }
  processor.tss.rsp[0] = TASK_STACK
  for (const [, ist] of IST)
    processor.tss.ist[ist] = 0xffff_fe00_0000_0000n + BigInt(cpu) * 0x3b000n + BigInt(ist) * 0x6000n
  processor.gsBase = perCpu
  processor.kernelGsBase = USER_GS
}

/** From what ran to the C function; what each step was, in words. */
export function enterKernel(processor: Processor64, vector: number, user: boolean): string[] {
  const perCpu = processor.gsBase === USER_GS ? processor.kernelGsBase : processor.gsBase
  processor.memory.clear()
  processor.cs = user ? USER_CS : KERNEL_CS
  processor.ss = user ? USER_DS : KERNEL_DS
  processor.rip = user ? 0x5555_5555_6000n : 0xffff_ffff_81c3_0a4bn
  processor.rsp = user ? 0x7fff_ffff_e3f8n : TASK_STACK - 0x150n
  processor.rflags = 0x246n
  processor.gsBase = user ? USER_GS : perCpu
  processor.kernelGsBase = user ? perCpu : USER_GS
  const said = processor.deliver(vector, 'external').map(({ what }) => what)
  processor.push(BigInt(vector))
  said.push(`the stub pushes the vector where an error code would be`)
  if (user) said.push(`swapgs: ${processor.swapgs().what}`)
  else said.push('CS of the frame is the kernel’s: no swapgs')
  processor.rsp -= 15n * 8n
  said.push('15 registers pushed: struct pt_regs')
  said.push('call common_interrupt, on the processor’s interrupt stack')
  return said
}

/** And back. @param softirqs whether some are done before */
export function leaveKernel(processor: Processor64, softirqs: boolean): string[] {
  const said = [softirqs ? 'irq_exit_rcu: softirqs are pending' : 'irq_exit_rcu: no softirq is pending']
  processor.rsp += 15n * 8n + 8n
  said.push('registers popped')
  if ((Number(processor.memory.get(processor.rsp + 8n) ?? 0n) & 3) === 3)
    said.push(`swapgs: ${processor.swapgs().what}`)
  said.push(`iretq: ${processor.iretq()[0]!.what}`)
  return said
}
