/** Intel SDM volume 3's tables of delivery in 64-bit mode. */
import { describe, expect, test } from 'vitest'
import { type Gate, Processor64, RFLAGS } from './index.ts'

const gate = (more: Partial<Gate> = {}): Gate => ({
  selector: 0x10,
  offset: 0xffff_ffff_8100_0000n,
  type: 'interrupt',
  dpl: 0,
  ist: 0,
  present: true,
  ...more,
})

function processor(user: boolean): Processor64 {
  const cpu = new Processor64()
  cpu.tss.rsp[0] = 0xffff_c900_0000_4000n
  cpu.tss.ist[2] = 0xffff_fe00_0000_8000n
  cpu.idt[0x21] = gate()
  cpu.idt[2] = gate({ ist: 2 })
  cpu.idt[3] = gate({ type: 'trap', dpl: 3 })
  cpu.idt[8] = gate({ offset: 8n })
  cpu.idt[11] = gate({ offset: 11n })
  cpu.idt[13] = gate({ offset: 13n })
  cpu.idt[14] = gate({ offset: 14n })
  cpu.rip = 0x40_1000n
  cpu.rsp = user ? 0x7fff_ffff_e00bn : 0xffff_c900_0000_3f04n
  if (user) {
    cpu.cs = 0x33
    cpu.ss = 0x2b
  }
  return cpu
}

/** The quadwords from RSP up. */
const frame = (cpu: Processor64, n: number) =>
  Array.from({ length: n }, (_, i) => cpu.memory.get(cpu.rsp + BigInt(8 * i)))

describe('delivery', () => {
  test('from user mode: RSP0, the five, IF off', () => {
    const cpu = processor(true)
    cpu.deliver(0x21, 'external')
    expect(cpu.rsp).toBe(0xffff_c900_0000_4000n - 40n)
    expect(frame(cpu, 5)).toEqual([0x40_1000n, 0x33n, 0x202n, 0x7fff_ffff_e00bn, 0x2bn])
    expect([cpu.cpl, cpu.ss, cpu.interruptsEnabled]).toEqual([0, 0, false])
  })
  test('from the kernel: the same stack, aligned, and SS and RSP pushed all the same', () => {
    const cpu = processor(false)
    cpu.deliver(0x21, 'external')
    expect(cpu.rsp).toBe(0xffff_c900_0000_3f00n - 40n)
    expect(frame(cpu, 5)[3]).toBe(0xffff_c900_0000_3f04n)
    expect(cpu.ss).toBe(0x18)
  })
  test.each([true, false])('an IST is taken whatever ran (user: %s)', (user) => {
    const cpu = processor(user)
    cpu.deliver(2, 'external')
    expect(cpu.rsp).toBe(0xffff_fe00_0000_8000n - 40n)
  })
  test('a trap gate leaves IF; a program may come if DPL lets it', () => {
    const cpu = processor(true)
    cpu.deliver(3, 'software')
    expect(cpu.interruptsEnabled).toBe(true)
    expect(cpu.rip).toBe(0xffff_ffff_8100_0000n)
  })
  test('a program that may not: #GP with the vector, the IDT bit, no EXT', () => {
    const cpu = processor(true)
    cpu.deliver(0x21, 'software')
    expect(cpu.rip).toBe(13n)
    expect(frame(cpu, 1)).toEqual([BigInt(0x21 * 8 + 2)])
  })
  test('no gate: #GP, with EXT for what came from outside', () => {
    const cpu = processor(true)
    cpu.deliver(0x40, 'external')
    expect([cpu.rip, frame(cpu, 1)[0]]).toEqual([13n, BigInt(0x40 * 8 + 3)])
  })
  test('a gate that is not present: #NP', () => {
    const cpu = processor(true)
    cpu.idt[0x22] = gate({ present: false })
    cpu.deliver(0x22, 'external')
    expect([cpu.rip, frame(cpu, 1)[0]]).toEqual([11n, BigInt(0x22 * 8 + 3)])
  })
  test('a fault pushes RF and its error code, an interrupt neither', () => {
    const cpu = processor(true)
    cpu.deliver(14, 'exception', 6)
    expect(frame(cpu, 4)[0]).toBe(6n)
    expect(frame(cpu, 4)[3]! & RFLAGS.RF).toBe(RFLAGS.RF)
  })
  test('a contributory fault within a page fault: #DF with code 0; none for it: shutdown', () => {
    const cpu = processor(true)
    cpu.idt[14] = undefined
    cpu.deliver(14, 'exception', 6)
    expect([cpu.rip, frame(cpu, 1)[0]]).toEqual([8n, 0n])
    const other = processor(true)
    for (const vector of [8, 13, 14]) other.idt[vector] = undefined
    other.deliver(14, 'exception')
    expect(other.shutdown).toBe(true)
  })
  test('iretq goes back to where it was; swapgs twice is none', () => {
    const cpu = processor(true)
    cpu.kernelGsBase = 1n
    cpu.deliver(0x21, 'external')
    cpu.swapgs()
    expect(cpu.gsBase).toBe(1n)
    cpu.swapgs()
    cpu.iretq()
    expect([cpu.rip, cpu.cs, cpu.ss, cpu.rsp, cpu.rflags, cpu.gsBase]).toEqual([
      0x40_1000n,
      0x33,
      0x2b,
      0x7fff_ffff_e00bn,
      0x202n,
      0n,
    ])
  })
})
