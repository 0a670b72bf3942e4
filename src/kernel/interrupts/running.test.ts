/** Interrupts that happen: from the line through the controllers to handlers and softirqs, and what is seen of it. */
import { describe, expect, test } from 'vitest'
import { decodeUtf8 } from '#base/bytes'
import { Simulator } from '#base/sim'
import { createHost, interruptSlot, type KernelHost } from '#kernel/core'
import { createDebian12 } from '#lab/catalogue'
import { type FlowHost, handleIrq } from './flow.ts'
import { type IrqDescriptor, interruptsOf, type RunningInterrupts, runningOf } from './index.ts'
import { Softnet } from './napi.ts'
import { HI, NET_RX, RCU, Softirqs, TASKLET, TIMER } from './softirq.ts'

const image = createDebian12()

interface Made {
  host: KernelHost
  sim: Simulator
  running: RunningInterrupts
}

function make(
  more: {
    type?: 'pc' | 'q35'
    cpus?: number
    cmdline?: string
    devices?: string[]
    flaws?: Record<string, string>
    profile?: string
  } = {},
): Made {
  const sim = new Simulator(1)
  const host = createHost({
    sim,
    image,
    name: 'host',
    number: 1,
    startS: 1_767_225_600,
    profile: more.profile,
    hardware: {
      type: more.type ?? 'pc',
      cpus: more.cpus ?? 1,
      memoryMb: 512,
      hpet: true,
      devices: more.devices ?? ['e1000'],
      cmdline: (more.cmdline ?? '').split(' ').filter(Boolean),
      flaws: more.flaws ?? {},
    },
  })
  return { host, sim, running: runningOf(host)! }
}

const read = (host: KernelHost, path: string) => decodeUtf8(host.readFile(path)!)
const countsOf = ({ host }: Made, irq: number) => interruptsOf.of(host).get(irq)!.counts

describe('a card', () => {
  test.each([
    ['pc with an I/O APIC: a level', {}, 'fasteoi'],
    ['pc without: the old controllers', { cmdline: 'noapic' }, ''],
    ['without any APIC', { cmdline: 'nolapic' }, ''],
    ['q35: a message of its own', { type: 'q35', devices: ['e1000e'] }, 'edge'],
    ['without messages: its pin', { type: 'q35', devices: ['e1000e'], cmdline: 'pci=nomsi' }, 'fasteoi'],
    ['virtio by MSI-X', { devices: ['virtio-net-pci'] }, 'edge'],
    ['virtio by its pin', { devices: ['virtio-net-pci'], cmdline: 'pci=nomsi' }, 'fasteoi'],
    ['forced into threads', { cmdline: 'threadirqs' }, 'fasteoi'],
    ['2.6.32', { profile: 'linux-2.6.32' }, 'fasteoi'],
    ['2.6.18', { profile: 'linux-2.6.18' }, 'fasteoi'],
  ] as const)('%s', (_, more, flow) => {
    const made = make(more as never)
    const { sim, running } = made
    const card = running.card('eth0', 0)!
    const got: number[] = []
    for (let i = 0; i < 5; i++) {
      card.received(() => got.push(i))
      sim.run(sim.nowNs + 1_000_000)
    }
    expect(got).toEqual([0, 1, 2, 3, 4])
    const { irqs } = running.cards[0]!
    const descriptor = interruptsOf.of(made.host).get(irqs.rx)!
    expect(descriptor.name).toBe(flow)
    expect(countsOf(made, irqs.rx)).toEqual([5])
    expect(interruptsOf.of(made.host).softirqs[NET_RX]![0]).toBeGreaterThanOrEqual(5)
    // Nothing is left in service, masked or asserted.
    const { pic, locals, ioApic } = running.wiring
    expect([pic.master.isr, pic.slave.isr, locals[0]!.isr.highest, locals[0]!.irr.highest]).toEqual([0, 0, -1, -1])
    if (descriptor.chip === 'IO-APIC') expect(ioApic.entry(descriptor.hwirq!).low & 0x15000).toBe(0)
    expect(descriptor.masked).toBe(false)
  })

  test('one interrupt for what came while it was being looked at; one more when the card may again, whose cause it has kept', () => {
    const made = make()
    const card = made.running.card('eth0', 0)!
    let got = 0
    for (let i = 0; i < 100; i++) card.received(() => got++)
    made.sim.run(10_000_000)
    expect(got).toBe(100)
    expect(countsOf(made, made.running.cards[0]!.irqs.rx)).toEqual([2])
  })

  test('its ring holds 256, the rest is lost', () => {
    const made = make()
    const card = made.running.card('eth0', 0)!
    let got = 0
    for (let i = 0; i < 300; i++) card.received(() => got++)
    made.sim.run(10_000_000)
    expect([got, made.running.cards[0]!.dropped]).toEqual([256, 44])
  })

  test('smp_affinity moves it to the other processor, where it gets another vector', () => {
    const made = make({ type: 'q35', cpus: 2, devices: ['e1000e'] })
    const card = made.running.card('eth0', 0)!
    const { rx } = made.running.cards[0]!.irqs
    card.received(() => {})
    made.sim.run(1_000_000)
    expect(made.host.writeFile(`/proc/irq/${rx}/smp_affinity`, '2\n').ok).toBe(true)
    card.received(() => {})
    made.sim.run(2_000_000)
    expect(countsOf(made, rx)).toEqual([1, 1])
    expect(made.running.wiring.vectors.get(rx)!.cpus).toEqual([1])
    expect(made.running.cpus.map(({ softnet }) => softnet.processed)).toEqual([1, 1])
  })
})

describe('ticks', () => {
  test('none while nothing runs, but the watchdog’s; all of them with nohz=off', () => {
    const idle = make()
    idle.sim.run(10e9)
    idle.running.settle()
    expect(interruptsOf.of(idle.host).local.get('LOC')).toEqual([2])
    const busy = make({ cmdline: 'nohz=off' })
    busy.sim.run(10e9)
    busy.running.settle()
    expect(interruptsOf.of(busy.host).local.get('LOC')).toEqual([2500])
    expect(interruptsOf.of(busy.host).softirqs[RCU]).toEqual([2500])
  })
  test('those of a processor that computes', () => {
    const { host, sim } = make()
    host.spawn({
      argv: ['sum'],
      body: function* (sys) {
        yield* sys.compute(400_000_000)
        return 0
      },
    })
    sim.run(1e9)
    runningOf(host)!.settle()
    const [count] = interruptsOf.of(host).local.get('LOC')!
    expect(count).toBeGreaterThanOrEqual(100)
    expect(count).toBeLessThan(110)
  })
  test('by the PIT without a local APIC: interrupt 0 on the old controller', () => {
    const made = make({ cmdline: 'nolapic nohz=off' })
    made.sim.run(1e9)
    made.running.settle()
    expect(countsOf(made, 0)).toEqual([250])
    expect(made.running.wiring.pic.master.isr).toBe(0)
  })
  test('/proc/stat says the same sums', () => {
    const { host, sim } = make({ cmdline: 'nohz=off' })
    sim.run(1e9)
    const stat = read(host, '/proc/stat')
    expect(/^intr (\d+)/m.exec(stat)![1]).toBe('250')
    expect(/^softirq (\d+) 0 (\d+)/m.exec(stat)!.slice(1)).toEqual(['252', '2'])
  })
})

test('nobody cared: switched off after 100,000, and then asked ten times a second', () => {
  const made = make({ flaws: { 'irq-held': '10@1' } })
  const card = made.running.card('eth0', 0)!
  const { rx } = made.running.cards[0]!.irqs
  expect(rx).toBe(10)
  made.sim.run(2e9)
  const said = made.host.klog().map(({ text }) => text)
  expect(said).toContain('irq 10: nobody cared (try booting with the "irqpoll" option)')
  expect(said).toContain('Disabling IRQ #10')
  expect(countsOf(made, 10)).toEqual([100_000])
  expect(made.running.wiring.ioApic.entry(10).low & 0x10000).toBe(0x10000)
  let at = 0
  card.received(() => {
    at = made.sim.nowNs
  })
  const asked = made.sim.nowNs
  made.sim.run(3e9)
  expect(at - asked).toBeGreaterThan(1_000_000)
  expect(at - asked).toBeLessThan(101_000_000)
})

test('trace events, in the kernel’s words', () => {
  const made = make({ type: 'q35', devices: ['e1000e'] })
  const card = made.running.card('eth0', 0)!
  for (const system of ['irq', 'napi']) made.host.writeFile(`/sys/kernel/tracing/events/${system}/enable`, '1\n')
  expect(read(made.host, '/sys/kernel/tracing/events/enable')).toBe('X\n')
  card.received(() => {})
  made.sim.run(1_000_000)
  const lines = read(made.host, '/sys/kernel/tracing/trace').split('\n')
  expect(lines[2]).toBe('# entries-in-buffer/entries-written: 6/6   #P:1')
  expect(lines.slice(12, -1).map((line) => line.replace(/ +\d+\.\d{6}/, ' T'))).toEqual([
    '          <idle>-0       [000] d.h1. T: irq_handler_entry: irq=24 name=eth0-rx-0',
    '          <idle>-0       [000] d.h1. T: softirq_raise: vec=3 [action=NET_RX]',
    '          <idle>-0       [000] d.h1. T: irq_handler_exit: irq=24 ret=handled',
    '          <idle>-0       [000] ..s1. T: softirq_entry: vec=3 [action=NET_RX]',
    '          <idle>-0       [000] ..s1. T: napi_poll: napi poll on napi struct (____ptrval____) for device eth0 work 1 budget 64',
    '          <idle>-0       [000] ..s1. T: softirq_exit: vec=3 [action=NET_RX]',
  ])
})

test('a host that doesn’t say what machine it is has none of it', () => {
  const sim = new Simulator(1)
  const host = createHost({ sim, image, name: 'host', number: 1, startS: 0 })
  expect(runningOf(host)).toBe(undefined)
  expect(interruptSlot(image).card!(host, 'eth0', 0)).toBe(undefined)
  expect(host.machine.observer).toBe(undefined)
})

/** A flow handler alone: what it did to its chip. */
function flow(more: Partial<IrqDescriptor>, during?: (descriptor: IrqDescriptor) => void) {
  const did: string[] = []
  const descriptor = {
    ...interruptsOf.of(make().host).get(9)!,
    actions: ['a'],
    does: [
      {
        handler: () => {
          did.push('handler')
          during?.(descriptor)
          return 'handled' as const
        },
      },
    ],
    ...more,
  } as IrqDescriptor
  const host: FlowHost = {
    mask: (one) => {
      one.masked = true
      did.push('mask')
    },
    unmask: (one) => {
      one.masked = false
      did.push('unmask')
    },
    end: () => did.push('end'),
    count: () => {},
    step: () => {},
    entered: () => {},
    left: () => {},
    wakeThread: () => did.push('thread'),
    jiffies: () => 0,
    log: () => {},
    switchedOff: () => {},
  }
  handleIrq(host, descriptor)
  return { did, descriptor }
}

describe('flow handlers', () => {
  test('edge: ended before its handler, again for one that came meanwhile', () => {
    expect(flow({ name: 'edge' }).did).toEqual(['end', 'handler'])
    let again = true
    const twice = flow({ name: 'edge' }, (descriptor) => {
      descriptor.pending = again
      again = false
    })
    expect(twice.did).toEqual(['end', 'handler', 'handler'])
  })
  test('level: masked and ended first, unmasked last', () => {
    expect(flow({ name: 'level' }).did).toEqual(['mask', 'end', 'handler', 'unmask'])
  })
  test('fasteoi: ended last', () => {
    expect(flow({ name: 'fasteoi' }).did).toEqual(['handler', 'end'])
  })
  test('a thread keeps its line masked until it is done', () => {
    const does = [{ handler: () => 'wake' as const, thread: () => 'handled' as const }]
    expect(flow({ name: 'fasteoi', does }).did).toEqual(['mask', 'thread', 'end'])
    expect(flow({ name: 'level', does }).did).toEqual(['mask', 'end', 'thread'])
  })
  test('disabled: remembered and masked', () => {
    const { did, descriptor } = flow({ name: 'edge', depth: 1 })
    expect([did, descriptor.pending]).toEqual([['mask', 'end'], true])
  })
  test('all who share it are asked', () => {
    const asked: string[] = []
    const one = (name: string, mine: boolean) => ({
      handler: () => {
        asked.push(name)
        return mine ? ('handled' as const) : ('none' as const)
      },
    })
    const { descriptor } = flow({
      name: 'fasteoi',
      actions: ['a', 'b', 'c'],
      does: [one('a', false), one('b', true), one('c', false)],
    })
    expect([asked, descriptor.unhandled]).toEqual([['a', 'b', 'c'], 0])
  })
})

describe('softirqs', () => {
  function softirqs(act: (kind: number, softirqs: Softirqs, pass: (jiffies: number) => void) => void) {
    const order: number[] = []
    let jiffies = 0
    let woken = 0
    const made: Softirqs = new Softirqs({
      jiffies: () => jiffies,
      needResched: () => false,
      count: (kind) => order.push(kind),
      traced: () => {},
      taskletTraced: () => {},
      wakeKsoftirqd: () => woken++,
      *act(kind) {
        act(kind, made, (more) => {
          jiffies += more
        })
        yield 1
      },
    })
    return { made, order, woken: () => woken }
  }
  test('in their order, whatever the order in which they were raised', () => {
    const { made, order } = softirqs(() => {})
    for (const kind of [RCU, NET_RX, HI, TIMER]) made.raise(kind)
    for (const _ of made.run());
    expect(order).toEqual([HI, TIMER, NET_RX, RCU])
  })
  test('ten rounds, then ksoftirqd', () => {
    const { made, order, woken } = softirqs((kind, self) => self.raise(kind))
    made.raise(NET_RX)
    for (const _ of made.run());
    expect([order.length, woken(), made.byThread]).toEqual([10, 1, true])
  })
  test('or two milliseconds', () => {
    const { made, order, woken } = softirqs((kind, self, pass) => {
      self.raise(kind)
      pass(1)
    })
    made.raise(NET_RX)
    for (const _ of made.run());
    expect([order.length, woken()]).toEqual([1, 1])
  })
  test('a tasklet runs once for all that asked, and not while it is disabled', () => {
    const { made } = softirqs(() => {})
    let ran = 0
    const tasklet = { name: 'a', run: () => ran++, disabled: 0 } as never as {
      disabled: number
      name: string
      run(): void
    }
    made.schedule(tasklet)
    made.schedule(tasklet)
    for (const _ of made.run());
    expect(ran).toBe(1)
    tasklet.disabled = 1
    made.schedule(tasklet, TASKLET)
    for (const _ of made.run());
    expect([ran, made.byThread]).toEqual([1, true])
  })
})

test('NAPI: a weight each, 300 in all, and the rest in the next round', () => {
  let raised = 0
  const polls: number[] = []
  const softnet = new Softnet({
    jiffies: () => 0,
    raiseNetRx: () => raised++,
    polled: (_, work) => polls.push(work),
    limits: () => ({ budget: 300, jiffies: 2 }),
  })
  let left = 1000
  const napi = {
    device: 'eth0',
    weight: 64,
    poll(budget: number) {
      const work = Math.min(budget, left)
      left -= work
      return work
    },
    complete: () => {},
  }
  softnet.schedule(napi)
  for (const _ of softnet.act(1));
  // A device that has used its weight waits until others have had their turn: the next round.
  expect([polls, raised]).toEqual([[64], 2])
  for (let round = 0; round < 20; round++) for (const _ of softnet.act(1));
  expect(left).toBe(0)
  expect(softnet.processed).toBe(1000)
  const many = Array.from({ length: 8 }, (_, i) => ({ ...napi, device: `eth${i}`, poll: () => 64 }))
  for (const each of many) softnet.schedule(each)
  polls.length = 0
  for (const _ of softnet.act(1));
  expect([polls.length, softnet.timeSqueeze]).toEqual([5, 1])
})
