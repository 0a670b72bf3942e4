/**
 * Interrupts as they happen, on hosts whose lab says what machine they are: a timer or a card raises its line, controllers make a
 * vector of it, the processor delivers it, the kernel finds who asked for it, and what is left is done as softirqs.
 *
 * Ticks are made up for when somebody looks, or when another interrupt comes: each then goes its whole way, with its own time. So
 * a host in which nothing happens has nothing to do.
 *
 * Linux 6.1 arch/x86/kernel/irq.c: common_interrupt(); kernel/softirq.c: irq_exit_rcu(); kernel/time/tick-sched.c.
 */
import { parseDuration } from '#base/text'
import {
  type CardHooks,
  type CpuObserver,
  defineState,
  type Host,
  INITIAL_JIFFIES,
  JIFFY_NS,
  type KernelHost,
  PLAIN_HARDWARE,
  tickingOf,
} from '#kernel/core'
import { pciSystems } from '#kernel/pci'
import { timeDevices } from '#kernel/time'
import { Processor64 } from '#machine/interrupts'
import { Card } from './card.ts'
import { enterKernel, leaveKernel, setUpProcessor } from './entry.ts'
import { type FlowHost, handleIrq, threadDone } from './flow.ts'
import { Ftrace } from './ftrace.ts'
import { type Interrupts, type IrqDescriptor, type IrqReturn, interruptsOf } from './irqs.ts'
import { type Napi, type NapiLimits, Softnet } from './napi.ts'
import { type Handle, IPL, IPL_NAMES, type Mutex, NetbsdCpu } from './netbsd.ts'
import { SOFTIRQS } from './show.ts'
import { NET_RX, RCU, SCHED, Softirqs, type Tasklet, TIMER, type Work } from './softirq.ts'
import { cpuOf, Wiring } from './wiring.ts'

/** About what things take on a processor of 1 GHz, as traces of QEMU's machines show them. */
const COST_NS = { enter: 700, handler: 900, leave: 300, softirq: 300, timer: 1200, thread: 2500, packet: 900 }
/** POLL_SPURIOUS_IRQ_INTERVAL. */
const POLL_NS = 100_000_000
/** The soft-lockup watchdog's timer. Linux 6.1 kernel/watchdog.c. */
const WATCHDOG_NS = 4_000_000_000
/** How many missed ticks go their whole way; of more, those before are only counted. */
const WHOLE_MAX = 1000
/** RCU's callbacks keep the tick for so long after a process has slept, as traces show. */
const LINGER_NS = 2 * JIFFY_NS

/** What happened on the way of the last interrupt. */
export interface WayStep {
  atNs: number
  /** Where: the controller, the processor, the kernel, a softirq. */
  where: string
  what: string
}

interface Busy {
  name: string
  pid: number
  fromNs: number
  toNs: number
}

/** One processor. */
export class Cpu {
  readonly number: number
  readonly processor = new Processor64()
  readonly softirqs: Softirqs
  readonly softnet: Softnet
  inHardirq = false
  /** Softirqs are kept away: they run, or a process does something that they mustn't see. */
  busyUntilNs = 0
  work: Work | undefined
  slot = -1

  constructor(number: number, softirqs: Softirqs, softnet: Softnet) {
    this.number = number
    this.softirqs = softirqs
    this.softnet = softnet
  }
}

export class RunningInterrupts implements FlowHost, CpuObserver {
  readonly host: Host
  readonly interrupts: Interrupts
  readonly wiring: Wiring
  readonly cpus: Cpu[]
  readonly trace: Ftrace
  /** Of the last interrupt that wasn't a tick, and of the last tick. */
  way: WayStep[] = []
  ways = new Map<string, WayStep[]>()
  readonly limits: { budget: number; usecs: number; weight: number } = { budget: 300, usecs: 8000, weight: 64 }
  readonly #threadIrqs: boolean
  #cpu: Cpu
  /** The moment that is being lived through: now, or a tick's that was missed. */
  clockNs: number
  #settledNs: number
  /** Since when a process has had its turn, in spans; those that aren't settled yet. */
  readonly #busy: Busy[] = []
  #last: Busy = { name: '', pid: 0, fromNs: -1, toNs: -1 }
  /** Its controllers are set up: interrupts may come. */
  #ready = false
  #settling = false
  /** The interrupt whose line something holds. */
  #held = -1
  readonly cards: Card[] = []
  /** On `kernel: netbsd`: its processors, and what may run on each. */
  readonly netbsd: { cpu: NetbsdCpu; clock: Handle; nets: Map<Napi, Handle>; lock: Mutex }[] = []

  constructor(host: Host) {
    this.host = host
    this.interrupts = interruptsOf.of(host)
    this.clockNs = host.sim.nowNs
    this.#settledNs = host.bootedNs
    this.#threadIrqs = host.hardware.cmdline.includes('threadirqs')
    this.trace = new Ftrace(this)
    this.cpus = Array.from({ length: this.interrupts.cpus }, (_, number) => this.#createCpu(number))
    this.#cpu = this.cpus[0]!
    for (const name of ['timer', 'acpi', 'rtc0']) this.#setHandler(name)
    this.wiring = new Wiring(host, this.interrupts, {
      update: (cpu) => this.#update(this.cpus[cpu]!),
      external: (cpu) => this.#external(this.cpus[cpu]!),
      nmi: (cpu) => this.#nmi(this.cpus[cpu]!),
    })
    if (host.profile === 'netbsd') for (const { number } of this.cpus) this.netbsd.push(this.#createNetbsd(number))
    for (const cpu of this.cpus) setUpProcessor(cpu.processor, cpu.number)
    this.#ready = true
    this.#holdLines()
  }

  #createCpu(number: number): Cpu {
    const softnet: Softnet = new Softnet({
      jiffies: () => this.jiffies(),
      raiseNetRx: () => this.cpus[number]!.softirqs.raise(NET_RX),
      polled: (napi, work) => this.trace.emit(number, 'napi_poll', { napi: napi.device, work, budget: napi.weight }),
      limits: (): NapiLimits => ({
        budget: this.limits.budget,
        jiffies: Math.ceil((this.limits.usecs * 1000) / JIFFY_NS),
      }),
    })
    const softirqs: Softirqs = new Softirqs({
      jiffies: () => this.jiffies(),
      needResched: () => false,
      count: (kind) => {
        this.interrupts.softirqs[kind]![number]! += 1
      },
      traced: (event, kind) => {
        this.trace.softirq(number, event, kind)
        this.step(
          'softirq',
          `${SOFTIRQS[kind]} ${event === 'raise' ? 'raised' : event === 'entry' ? 'begins' : 'is done'}`,
        )
        this.clockNs += COST_NS.softirq
      },
      taskletTraced: (event, tasklet: Tasklet) =>
        this.trace.emit(number, `tasklet_${event}`, { tasklet: tasklet.name }),
      wakeKsoftirqd: () => this.step('softirq', `too much for once: ksoftirqd/${number} is woken`),
      act: (kind) => this.#act(this.cpus[number]!, kind),
    })
    return new Cpu(number, softirqs, softnet)
  }

  #createNetbsd(number: number) {
    const cpu = new NetbsdCpu(number, ({ lwp, ipl, what }) => {
      this.step(`${lwp}, ${IPL_NAMES[ipl]}`, what)
      this.clockNs += COST_NS.softirq
    })
    const clock = cpu.establish('clk', 'callout_softclock', function* () {})
    return { cpu, clock, nets: new Map<Napi, Handle>(), lock: { name: 'softnet_lock', owner: undefined } }
  }

  /** The network's part of a card's interrupt: softnet_lock first, which a flaw `softnet-lock: TIME` lets another have. */
  #netHandle(napi: Napi): Handle {
    const { cpu, nets, lock } = this.netbsd[this.#cpu.number]!
    let handle = nets.get(napi)
    if (!handle) {
      handle = cpu.establish('net', `${napi.device}: receive`, function* () {
        yield lock
        while (napi.poll(napi.weight) > 0);
        napi.scheduled = false
        napi.complete()
        lock.owner = undefined
      })
      nets.set(napi, handle)
    }
    return handle
  }

  /** What waits for the level to fall; and if it blocks, until who has the lock gives it back. */
  *#netbsdWork(number: number): Work {
    const { cpu, lock } = this.netbsd[number]!
    const holdNs = parseDuration(this.host.hardware.flaws['softnet-lock'] ?? '')
    const { name, pid } = this.currentOf(number)
    cpu.lwp = pid === 0 ? `idle/${number}` : name
    if (holdNs !== undefined && cpu.softints.net.pending && lock.owner === undefined) lock.owner = cpu.lwp
    cpu.splx(IPL.NONE)
    yield COST_NS.packet
    if (holdNs === undefined || lock.owner !== cpu.lwp) return
    yield holdNs
    cpu.mutexExit(lock)
    yield COST_NS.packet
  }

  /** The tick's handler, when no local APIC ticks. */
  #setHandler(name: string): void {
    for (const { actions, does } of this.interrupts.all()) {
      const at = actions.indexOf(name)
      if (at < 0) continue
      does[at] = {
        noThread: true,
        handler: () => {
          if (name === 'timer') this.#tick(this.#cpu)
          return 'handled'
        },
      }
    }
  }

  /** A flaw `irq-held: N` or `irq-held: N@SECONDS`: that line is held by something that no driver knows. */
  #holdLines(): void {
    const held = /^(\d+)(?:@([\d.]+)s?)?$/.exec(this.host.hardware.flaws['irq-held'] ?? '')
    if (!held) return
    const descriptor = this.interrupts.get(Number(held[1]))
    if (!descriptor) return
    const { sim } = this.host
    const storm = {
      // From now on each end of interrupt finds it high; and if it is an edge, that was all.
      fire: () => {
        sim.release(slot)
        this.#held = descriptor.irq
        this.raise(descriptor.irq, true)
      },
    }
    const slot = sim.slot(`${this.host.name}: held line`, storm)
    sim.arm(slot, Math.max(sim.nowNs, this.host.bootedNs + Number(held[2] ?? 1) * 1e9))
  }

  // What happens outside.

  busy(name: string, pid: number, fromNs: number, toNs: number): void {
    const last = this.#last
    if (last.pid === pid && last.toNs === fromNs) {
      last.toNs = toNs
      return
    }
    this.#last = { name, pid, fromNs, toNs }
    this.#busy.push(this.#last)
    if (this.#busy.length > 4096) this.settle()
  }

  /** A timer of high resolution has fired, and wakes a process. */
  timer(): void {
    this.settle()
    this.#timerInterrupt(0, true)
  }

  /** The card of the nth interface: the nth of the machine's network cards. */
  card(name: string, nth: number): CardHooks | undefined {
    const drivers = new Set(['e1000', 'e1000e', 'virtio-pci'])
    const cards = pciSystems.of(this.host).devices.filter((device) => {
      const kind = device.class >> 8
      return kind === 0x0200 && drivers.has(device.driver?.name ?? '')
    })
    const device = cards[nth]
    if (!device) return undefined
    const card = new Card(this, name, device)
    this.cards.push(card)
    return card
  }

  /** Asks for an interrupt, and lets its line through. */
  request(irq: number, name: string, handler: () => IrqReturn, existing = false): void {
    const descriptor = this.interrupts.get(irq)
    if (!descriptor) return
    // With threadirqs the handler is a thread's, and what comes first only wakes it.
    const does = this.#threadIrqs ? { handler: (): IrqReturn => 'wake', thread: handler } : { handler }
    const at = existing ? descriptor.actions.indexOf(name) : -1
    if (at >= 0) descriptor.does[at] = does
    else this.interrupts.request(irq, name, does)
    this.wiring.program(descriptor)
  }

  /** A device says that it wants something; an edge, or for a level: until it takes it back. */
  raise(irq: number, high: boolean): void {
    const descriptor = this.interrupts.get(irq)
    if (!descriptor) return
    this.settle()
    this.clockNs = Math.max(this.host.sim.nowNs, this.clockNs)
    if (high) {
      this.way = []
      const { chip, hwirq, trigger } = descriptor
      this.step(
        'line',
        chip === 'PCI-MSI'
          ? `a message: ${this.wiring.message(descriptor).data.toString(16)}h to ${this.wiring.message(descriptor).address.toString(16)}h`
          : `${chip} input ${hwirq ?? irq} goes high, ${trigger} triggered`,
      )
    }
    if (high || irq !== this.#held) this.wiring.setLine(descriptor, high)
  }

  /** It takes it back. */
  lower(irq: number): void {
    const descriptor = this.interrupts.get(irq)
    if (descriptor && irq !== this.#held) this.wiring.setLine(descriptor, false)
  }

  // The processor.

  #update(cpu: Cpu): void {
    this.#take(cpu)
  }

  #external(cpu: Cpu): void {
    this.#take(cpu)
  }

  /** Everything that waits for a processor, one after the other; what comes meanwhile waits until it comes back from this one. */
  #take(cpu: Cpu): void {
    if (cpu.inHardirq || !this.#ready) return
    const { wiring } = this
    const local = wiring.locals[cpu.number]!
    for (;;) {
      if (local.pending !== undefined) this.#interrupt(cpu, local.acknowledge(), 'local APIC')
      else if (cpu.number === 0 && !wiring.usesIoApic && wiring.pic.output)
        this.#interrupt(cpu, wiring.pic.acknowledge(), '8259A')
      else return
    }
  }

  /** What a watchdog or a button sends: counted, and nothing is found to do. */
  #nmi(cpu: Cpu): void {
    this.interrupts.countLocal('NMI', cpu.number)
  }

  #interrupt(cpu: Cpu, vector: number, from: string): void {
    const before = this.#cpu
    this.#cpu = cpu
    cpu.inHardirq = true
    this.clockNs = Math.max(this.clockNs, cpu.busyUntilNs)
    this.step(from, `acknowledged: vector ${vector.toString(16)}h, in service`)
    const user = !this.#settling && this.currentOf(cpu.number).pid !== 0
    for (const text of enterKernel(cpu.processor, vector, user)) this.step('processor', text)
    this.clockNs += COST_NS.enter
    if (vector === this.wiring.timerVector && from !== '8259A') this.#localTimer(cpu, vector)
    else {
      const irq = from === '8259A' ? vector - 0x30 : this.wiring.vectorIrq[cpu.number]!.get(vector)
      const descriptor = irq === undefined ? undefined : this.interrupts.get(irq)
      if (descriptor) {
        this.step('kernel', `vector ${vector.toString(16)}h is irq ${irq}`)
        const netbsd = this.netbsd[cpu.number]
        const old = netbsd?.cpu.splraise(IPL.VM) ?? 0
        handleIrq(this, descriptor)
        if (netbsd) netbsd.cpu.ipl = old
      } else {
        if (vector === 0xff) this.interrupts.countLocal('SPU', cpu.number)
        else this.interrupts.totals.ERR++
        if (from !== '8259A' && vector !== 0xff) this.wiring.locals[cpu.number]!.write(0xb0, 0)
      }
    }
    this.clockNs += COST_NS.leave
    cpu.inHardirq = false
    cpu.busyUntilNs = this.clockNs
    const waits = cpu.softirqs.pending !== 0 || this.netbsd[cpu.number]?.cpu.pending === true
    const pending = waits && !cpu.softirqs.running && !cpu.softirqs.byThread && !cpu.work
    for (const text of leaveKernel(cpu.processor, pending)) this.step('processor', text)
    this.#cpu = before
    if (pending) this.#startSoftirqs(cpu)
  }

  /** Those of a tick are over at once; what a card brings is done when its time has come. */
  #startSoftirqs(cpu: Cpu): void {
    const netbsd = this.netbsd[cpu.number]
    cpu.work = netbsd ? this.#netbsdWork(cpu.number) : cpu.softirqs.run()
    const later = netbsd ? netbsd.cpu.softints.net.pending : (cpu.softirqs.pending & (1 << NET_RX)) !== 0
    if (this.#settling || !later) {
      for (const ns of cpu.work) this.clockNs += ns
      cpu.work = undefined
      cpu.busyUntilNs = this.clockNs
      if (cpu.softirqs.byThread) this.#later(cpu)
      return
    }
    this.#later(cpu)
  }

  #later(cpu: Cpu): void {
    const { sim } = this.host
    if (cpu.slot < 0) {
      cpu.slot = sim.slot(`${this.host.name}: softirqs`, { fire: () => this.#continue(cpu) })
    }
    sim.arm(cpu.slot, Math.max(sim.nowNs, Math.ceil(cpu.busyUntilNs)))
  }

  /** Goes on with softirqs where they were. */
  #continue(cpu: Cpu): void {
    this.settle()
    const before = this.#cpu
    this.#cpu = cpu
    this.clockNs = Math.max(this.host.sim.nowNs, cpu.busyUntilNs)
    const netbsd = this.netbsd[cpu.number]
    if (!cpu.work) {
      if (cpu.softirqs.pending === 0 && !netbsd?.cpu.pending) return
      if (cpu.softirqs.byThread) this.step('softirq', `ksoftirqd/${cpu.number} runs`)
      cpu.work = netbsd ? this.#netbsdWork(cpu.number) : cpu.softirqs.run()
    }
    const { value, done } = cpu.work.next()
    if (done) cpu.work = undefined
    else this.clockNs += value
    cpu.busyUntilNs = this.clockNs
    this.#cpu = before
    if (!done || cpu.softirqs.pending !== 0 || netbsd?.cpu.pending) this.#later(cpu)
  }

  // Ticks.

  /** Lives through what was missed since somebody last looked. */
  settle(): void {
    if (this.#settling) return
    const now = this.host.sim.nowNs
    if (now <= this.#settledNs) return
    this.#settling = true
    try {
      const ticks = this.#missed(now)
      const skip = Math.max(0, ticks.length - WHOLE_MAX)
      for (let i = 0; i < skip; i++) this.#countTick(ticks[i]!.cpu)
      for (let i = skip; i < ticks.length; i++) {
        const { atNs, cpu } = ticks[i]!
        this.clockNs = Math.max(this.clockNs, atNs)
        this.#timerInterrupt(cpu, false)
      }
    } finally {
      this.#settling = false
      this.#settledNs = now
      this.clockNs = Math.max(this.clockNs, now)
      while (this.#busy.length > 0 && this.#busy[0]!.toNs + LINGER_NS <= now) this.#busy.shift()
    }
  }

  /** Ticks up to now: all of them without NO_HZ; else those of processors that had something to do, and the watchdog's. */
  #missed(now: number): { atNs: number; cpu: number }[] {
    const { bootedNs } = this.host
    const ticks: { atNs: number; cpu: number }[] = []
    const from = this.#settledNs - bootedNs
    const to = now - bootedNs
    const nohz = tickingOf(this.host).nohz
    const add = (cpu: number, after: number, until: number, period: number) => {
      for (let at = (Math.floor(after / period) + 1) * period; at <= until; at += period)
        ticks.push({ atNs: bootedNs + at, cpu })
    }
    for (const { number } of this.cpus) {
      if (!nohz) add(number, from, to, JIFFY_NS)
      else {
        let done = from
        if (number === 0) {
          for (const { fromNs, toNs } of this.#busy) {
            const begin = Math.max(done, fromNs - bootedNs)
            const end = Math.min(to, toNs + LINGER_NS - bootedNs)
            if (end <= begin) continue
            add(0, begin, end, JIFFY_NS)
            done = end
          }
        }
        add(number, from, to, WATCHDOG_NS)
      }
    }
    ticks.sort((a, b) => a.atNs - b.atNs || a.cpu - b.cpu)
    return ticks.filter((tick, i) => i === 0 || tick.atNs !== ticks[i - 1]!.atNs || tick.cpu !== ticks[i - 1]!.cpu)
  }

  #countTick(cpu: number): void {
    const lapic = timeDevices(this.host).perCpu.name === 'lapic'
    if (lapic) this.interrupts.countLocal('LOC', cpu)
    else if (cpu === 0) this.interrupts.get(0)!.counts[0]! += 1
    this.interrupts.softirqs[RCU]![cpu]! += 1
  }

  /** The clockevent device's: a local APIC's own, or the one of HPET or PIT. */
  #timerInterrupt(cpu: number, wakes: boolean): void {
    this.clockNs = Math.max(this.clockNs, this.#settling ? 0 : this.host.sim.nowNs)
    this.#wakes = wakes
    this.way = []
    const { name } = timeDevices(this.host).perCpu
    if (name === 'lapic') {
      this.step('line', 'the local APIC’s timer has run down')
      this.wiring.locals[cpu]!.signal('timer')
    } else if (cpu === 0) {
      this.step('line', `the ${name === 'hpet' ? 'HPET' : 'PIT'}’s output goes high`)
      const timer = this.interrupts.get(0)!
      this.wiring.setLine(timer, true)
      this.wiring.setLine(timer, false)
    }
    this.#wakes = false
  }

  #wakes = false

  #localTimer(cpu: Cpu, vector: number): void {
    this.step('local APIC', 'end of interrupt')
    this.wiring.locals[cpu.number]!.write(0xb0, 0)
    this.trace.emit(cpu.number, 'local_timer_entry', { vector })
    this.interrupts.countLocal('LOC', cpu.number)
    this.clockNs += COST_NS.timer
    this.#tick(cpu)
    this.trace.emit(cpu.number, 'local_timer_exit', { vector })
    this.ways.set('timer', this.way)
  }

  /** What a tick leaves for later. Linux 6.1 kernel/time/timer.c: update_process_times() */
  #tick(cpu: Cpu): void {
    if (this.#wakes) {
      this.step('kernel', 'hrtimer_interrupt: a process is woken')
      return
    }
    const netbsd = this.netbsd[cpu.number]
    if (netbsd) {
      netbsd.cpu.schedule(netbsd.clock)
      return
    }
    const jiffy = Math.round((this.clockNs - this.host.bootedNs) / JIFFY_NS)
    this.step('kernel', 'hrtimer_interrupt: tick_sched_timer')
    // The watchdog of clocksources and others of the wheel are due twice a second.
    if (jiffy % 125 === 0) cpu.softirqs.raise(TIMER)
    if (this.cpus.length > 1 && jiffy % 8 === 0) cpu.softirqs.raise(SCHED)
    cpu.softirqs.raise(RCU)
  }

  *#act(cpu: Cpu, kind: number): Work {
    if (kind === NET_RX) yield* cpu.softnet.act(COST_NS.packet)
    else yield COST_NS.softirq
  }

  // What flow handlers ask.

  mask(descriptor: IrqDescriptor): void {
    this.wiring.mask(descriptor)
  }
  unmask(descriptor: IrqDescriptor): void {
    this.wiring.unmask(descriptor)
  }
  end(descriptor: IrqDescriptor): void {
    this.wiring.end(descriptor, this.#cpu.number)
  }
  count(descriptor: IrqDescriptor): void {
    descriptor.counts[this.#cpu.number]! += 1
  }
  step(where: string, what?: string): void {
    if (this.way.length > 200) return
    this.way.push(
      what === undefined ? { atNs: this.clockNs, where: 'flow', what: where } : { atNs: this.clockNs, where, what },
    )
  }
  entered(descriptor: IrqDescriptor, nth: number): void {
    const name = descriptor.actions[nth]!
    this.step('handler', name)
    this.trace.emit(this.#cpu.number, 'irq_handler_entry', { irq: descriptor.irq, name })
    this.clockNs += COST_NS.handler
  }
  left(descriptor: IrqDescriptor, result: IrqReturn): void {
    this.step('handler', result === 'none' ? 'not mine' : result === 'wake' ? 'its thread is woken' : 'handled')
    this.trace.emit(this.#cpu.number, 'irq_handler_exit', { irq: descriptor.irq, ret: result })
    this.ways.set(`irq ${descriptor.irq}`, this.way)
  }
  wakeThread(descriptor: IrqDescriptor, nth: number): void {
    const { sim } = this.host
    const cpu = this.#cpu
    const at = Math.max(sim.nowNs, Math.ceil(this.clockNs)) + COST_NS.thread
    const slot = sim.slot(`${this.host.name}: irq/${descriptor.irq}`, {
      fire: () => {
        sim.release(slot)
        this.settle()
        this.clockNs = Math.max(sim.nowNs, cpu.busyUntilNs)
        const before = this.#cpu
        this.#cpu = cpu
        this.step('thread', `irq/${descriptor.irq}-${descriptor.actions[nth]}`)
        const result = descriptor.does[nth]?.thread?.() ?? 'none'
        threadDone(this, descriptor, result)
        this.#cpu = before
        // Softirqs that a forced thread raised run when it enables them again.
        if (cpu.softirqs.pending !== 0 && !cpu.work) this.#startSoftirqs(cpu)
      },
    })
    sim.arm(slot, at)
  }
  jiffies(): number {
    return INITIAL_JIFFIES + Math.floor((this.clockNs - this.host.bootedNs) / JIFFY_NS)
  }
  log(level: number, text: string): void {
    this.host.log(level, text)
  }
  /** What was switched off is asked ten times a second, whoever may want something. Linux 6.1 kernel/irq/spurious.c: poll_spurious_irqs() */
  switchedOff(descriptor: IrqDescriptor): void {
    const { sim } = this.host
    const slot = sim.slot(`${this.host.name}: poll_spurious_irqs`, {
      fire: () => {
        this.settle()
        this.clockNs = Math.max(sim.nowNs, this.clockNs)
        for (const action of descriptor.does) (action.thread ?? action.handler)()
        const cpu = this.#cpu
        if (cpu.softirqs.pending !== 0 && !cpu.work) this.#startSoftirqs(cpu)
        sim.arm(slot, sim.nowNs + POLL_NS)
      },
    })
    sim.arm(slot, Math.max(sim.nowNs, Math.ceil(this.clockNs)) + POLL_NS)
  }

  // For who looks.

  /** The processor on which this is. */
  get cpu(): Cpu {
    return this.#cpu
  }

  napiSchedule(napi: Napi): void {
    const netbsd = this.netbsd[this.#cpu.number]
    if (netbsd) netbsd.cpu.schedule(this.#netHandle(napi))
    else this.#cpu.softnet.schedule(napi)
  }

  /** What an interrupt interrupts. */
  currentOf(cpu: number): { name: string; pid: number } {
    const { softirqs } = this.cpus[cpu]!
    if (softirqs.byThread) return { name: `ksoftirqd/${cpu}`, pid: 14 + 6 * cpu }
    if (cpu === 0) {
      const current = this.#settling ? undefined : ((this.host.base ?? this.host) as KernelHost).runningMachine?.current
      if (current) return current
      for (let i = this.#busy.length - 1; i >= 0; i--) {
        const span = this.#busy[i]!
        if (span.fromNs <= this.clockNs && this.clockNs < span.toNs) return span
      }
    }
    return IDLE
  }

  targetOf({ effective }: IrqDescriptor): Cpu {
    return this.cpus[cpuOf(effective)]!
  }
}

const IDLE = { name: '<idle>', pid: 0 }

const running = defineState((host) => new RunningInterrupts(host), { per: 'machine' })

/** A host's; undefined for one whose lab doesn't say what machine it is. */
export function runningOf(host: Host): RunningInterrupts | undefined {
  return host.hardware === PLAIN_HARDWARE ? undefined : running.of(host)
}
