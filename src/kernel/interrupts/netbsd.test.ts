/** What spl(9), softint(9) and kern_softint.c say of NetBSD's software interrupts. */
import { describe, expect, test } from 'vitest'
import { IPL, type Mutex, NetbsdCpu, type NetbsdStep } from './netbsd.ts'

function make() {
  const said: NetbsdStep[] = []
  const cpu = new NetbsdCpu(0, (step) => said.push(step))
  cpu.lwp = 'cat'
  const ran: string[] = []
  const handler = (name: string, level: 'net' | 'bio' | 'clk' | 'ser', more: () => void = () => {}) =>
    cpu.establish(level, name, function* () {
      ran.push(`${name}@${cpu.ipl} on ${cpu.lwp}`)
      more()
    })
  return { cpu, said, ran, handler }
}

describe('spl', () => {
  test('splraise never lowers; splx goes back', () => {
    const { cpu } = make()
    const old = cpu.splraise(IPL.VM)
    expect([old, cpu.ipl]).toEqual([IPL.NONE, IPL.VM])
    expect([cpu.splraise(IPL.SOFTNET), cpu.ipl]).toEqual([IPL.VM, IPL.VM])
    cpu.splx(old)
    expect(cpu.ipl).toBe(IPL.NONE)
  })
  test('what is not above the level waits until it falls', () => {
    const { cpu } = make()
    const ran: number[] = []
    const old = cpu.splraise(IPL.VM)
    cpu.interrupt(IPL.VM, 'wm0', () => ran.push(cpu.ipl))
    expect(ran).toEqual([])
    cpu.interrupt(IPL.HIGH, 'ipi', () => ran.push(cpu.ipl))
    expect(ran).toEqual([IPL.HIGH])
    cpu.splx(old)
    expect(ran).toEqual([IPL.HIGH, IPL.VM])
  })
})

describe('softint', () => {
  test('from a hardware interrupt: after it, on a thread of its own, at its level; then back', () => {
    const { cpu, ran, handler } = make()
    const net = handler('ipintr', 'net')
    cpu.interrupt(IPL.VM, 'wm0', () => {
      cpu.schedule(net)
      ran.push('wm_intr')
    })
    expect(ran).toEqual(['wm_intr', `ipintr@${IPL.SOFTNET} on softnet/0`])
    expect([cpu.lwp, cpu.ipl]).toEqual(['cat', IPL.NONE])
  })
  test('scheduled twice it runs once', () => {
    const { cpu, ran, handler } = make()
    const net = handler('ipintr', 'net')
    cpu.schedule(net)
    cpu.schedule(net)
    cpu.splx(IPL.NONE)
    expect(ran.length).toBe(1)
    expect(cpu.softints.net.count).toBe(1)
  })
  test('by level: serial, net, bio, clock; within one the longest waiting first', () => {
    const { cpu, ran, handler } = make()
    const old = cpu.splraise(IPL.HIGH)
    for (const [name, level] of [
      ['c', 'clk'],
      ['b', 'bio'],
      ['n1', 'net'],
      ['n2', 'net'],
      ['s', 'ser'],
    ] as const)
      cpu.schedule(handler(name, level))
    cpu.splx(old)
    expect(ran.map((each) => each.split('@')[0])).toEqual(['s', 'n1', 'n2', 'b', 'c'])
  })
  test('a level keeps those below it away', () => {
    const { cpu, ran, handler } = make()
    const old = cpu.splraise(IPL.SOFTNET)
    cpu.schedule(handler('n', 'net'))
    cpu.schedule(handler('c', 'clk'))
    cpu.schedule(handler('s', 'ser'))
    cpu.splx(IPL.SOFTNET)
    expect(ran).toEqual([`s@${IPL.SOFTSERIAL} on softser/0`])
    cpu.splx(old)
    expect(ran.length).toBe(3)
  })
})

describe('a handler that blocks', () => {
  test('what was interrupted goes on; no other of that level runs; then it goes on as a thread', () => {
    const { cpu, said } = make()
    const lock: Mutex = { name: 'softnet_lock', owner: 'cat' }
    const ran: string[] = []
    const first = cpu.establish('net', 'first', function* () {
      ran.push('first begins')
      yield lock
      ran.push(`first has it, on ${cpu.lwp}`)
    })
    const second = cpu.establish('net', 'second', function* () {
      ran.push('second')
    })
    const clock = cpu.establish('clk', 'clock', function* () {
      ran.push('clock')
    })
    cpu.schedule(first)
    cpu.splx(IPL.NONE)
    expect([ran, cpu.lwp, cpu.ipl]).toEqual([['first begins'], 'cat', IPL.NONE])
    expect([cpu.softints.net.active, cpu.softints.net.blocks, cpu.softints.net.count]).toEqual([true, 1, 0])
    cpu.schedule(second)
    cpu.schedule(clock)
    cpu.splx(IPL.NONE)
    expect(ran).toEqual(['first begins', 'clock'])
    cpu.mutexExit(lock)
    expect(ran).toEqual(['first begins', 'clock', 'first has it, on softnet/0', 'second'])
    expect([cpu.softints.net.active, cpu.softints.net.count, lock.owner]).toEqual([false, 1, undefined])
    expect(said.some(({ what }) => what.includes('nobody is pinned under it'))).toBe(true)
    expect(cpu.events().filter(({ count }) => count > 0)).toEqual([
      { group: 'softint', name: 'net/0', count: 1 },
      { group: 'softint', name: 'net block/0', count: 1 },
      { group: 'softint', name: 'clk/0', count: 1 },
    ])
  })
  test('a free mutex doesn’t', () => {
    const { cpu } = make()
    const lock: Mutex = { name: 'lock', owner: undefined }
    cpu.schedule(
      cpu.establish('net', 'a', function* () {
        yield lock
      }),
    )
    cpu.splx(IPL.NONE)
    expect([cpu.softints.net.blocks, lock.owner]).toEqual([0, 'softnet/0'])
  })
})
