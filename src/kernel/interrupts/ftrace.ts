/**
 * Trace events of interrupts in /sys/kernel/tracing, as the kernel's own: which are on, and the text of what they saw.
 * Linux 6.1 kernel/trace/trace.c, trace_events.c; include/trace/events/irq.h, napi.h; arch/x86/include/asm/trace/irq_vectors.h.
 */
import { NotModelled } from '#base/check'
import {
  fail,
  type Host,
  type KernelImage,
  OK,
  type PseudoDirectory,
  type PseudoFile,
  type PseudoNode,
} from '#kernel/core'
import type { RunningInterrupts } from './running.ts'
import { runningOf } from './running.ts'
import { SOFTIRQS } from './show.ts'

/** By subsystem, in the order in which set_event lists them. */
const EVENTS: Record<string, string[]> = {
  irq_vectors: ['local_timer_exit', 'local_timer_entry'],
  irq: [
    'tasklet_exit',
    'tasklet_entry',
    'softirq_raise',
    'softirq_exit',
    'softirq_entry',
    'irq_handler_exit',
    'irq_handler_entry',
  ],
  napi: ['napi_poll'],
}

/** What the ring holds: about what 1408 kB do. */
const ENTRIES_MAX = 20_000

interface Entry {
  atNs: number
  cpu: number
  comm: string
  pid: number
  flags: string
  text: string
}

export class Ftrace {
  on = true
  readonly enabled = new Set<string>()
  entries: Entry[] = []
  written = 0
  readonly #running: RunningInterrupts

  constructor(running: RunningInterrupts) {
    this.#running = running
  }

  softirq(cpu: number, event: 'raise' | 'entry' | 'exit', kind: number): void {
    if (this.enabled.size === 0) return
    this.#add(cpu, `softirq_${event}`, `vec=${kind} [action=${SOFTIRQS[kind]}]`)
  }

  emit(cpu: number, name: string, args: Record<string, string | number>): void {
    if (this.enabled.size === 0) return
    switch (name) {
      case 'irq_handler_exit':
        // A woken thread's IRQ_WAKE_THREAD isn't 0, and so it reads as handled.
        this.#add(cpu, name, `irq=${args.irq} ret=${args.ret === 'none' ? 'unhandled' : 'handled'}`)
        break
      case 'napi_poll':
        this.#add(
          cpu,
          name,
          `napi poll on napi struct (____ptrval____) for device ${args.napi} work ${args.work} budget ${args.budget}`,
        )
        break
      case 'tasklet_entry':
      case 'tasklet_exit':
        this.#add(cpu, name, `tasklet=${args.tasklet} function=${args.tasklet}`)
        break
      default:
        this.#add(
          cpu,
          name,
          Object.entries(args)
            .map(([key, value]) => `${key}=${value}`)
            .join(' '),
        )
    }
  }

  #add(cpuNumber: number, name: string, what: string): void {
    if (!this.on || !this.enabled.has(name)) return
    const running = this.#running
    const cpu = running.cpus[cpuNumber]!
    const { name: comm, pid } = running.currentOf(cpuNumber)
    const hard = cpu.inHardirq
    const soft = cpu.softirqs.running
    const flags = `${hard ? 'd' : '.'}.${hard && soft ? 'H' : hard ? 'h' : soft ? 's' : '.'}${pid === 0 ? '1' : '.'}.`
    this.entries.push({ atNs: running.clockNs, cpu: cpuNumber, comm, pid, flags, text: `${name}: ${what}` })
    this.written++
    if (this.entries.length > ENTRIES_MAX) this.entries.splice(0, ENTRIES_MAX / 10)
  }

  clear(): void {
    this.entries = []
    this.written = 0
  }

  print(bootedNs: number): string {
    const head = `# tracer: nop
#
# entries-in-buffer/entries-written: ${this.entries.length}/${this.written}   #P:${this.#running.cpus.length}
#
#                                _-----=> irqs-off/BH-disabled
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| / _-=> migrate-disable
#                              |||| /     delay
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
`
    const lines = this.entries.map(({ atNs, cpu, comm, pid, flags, text }) => {
      const us = Math.floor((atNs - bootedNs) / 1000)
      const at = `${String(Math.floor(us / 1e6)).padStart(5)}.${String(us % 1e6).padStart(6, '0')}`
      return `${comm.padStart(16)}-${String(pid).padEnd(7)} [${String(cpu).padStart(3, '0')}] ${flags} ${at}: ${text}\n`
    })
    return head + lines.join('')
  }
}

const yesNo = (text: string) => (/^\s*[01]\s*$/.test(text) ? text.trim() === '1' : undefined)

/** `enable` of an event, of a subsystem, of all. */
function switchFor(names: string[]): PseudoFile {
  return {
    read(host) {
      const on = names.filter((name) => runningOf(host)!.trace.enabled.has(name)).length
      return on === 0 ? '0\n' : on === names.length ? '1\n' : 'X\n'
    },
    write(host, text) {
      const on = yesNo(text)
      if (on === undefined) return fail('EINVAL')
      const running = runningOf(host)!
      running.settle()
      for (const name of names) {
        if (on) running.trace.enabled.add(name)
        else running.trace.enabled.delete(name)
      }
      return OK
    },
  }
}

const fixed = (text: string): PseudoFile => ({ read: () => text })

type Tree = { [name: string]: PseudoFile | Tree }

function isFile(node: PseudoFile | Tree): node is PseudoFile {
  return typeof node.read === 'function' || typeof node.write === 'function'
}

function directoryOf(tree: Tree): PseudoDirectory {
  return {
    list: () => Object.keys(tree).sort(),
    lookup(_host, name): PseudoNode | undefined {
      const node = Object.hasOwn(tree, name) ? tree[name] : undefined
      if (!node) return undefined
      return isFile(node) ? { kind: 'file', file: node } : { kind: 'directory', directory: directoryOf(node) }
    },
  }
}

function tracingTree(): Tree {
  const events: Tree = { enable: switchFor(Object.values(EVENTS).flat()) }
  for (const [system, names] of Object.entries(EVENTS)) {
    const inside: Tree = { enable: switchFor(names) }
    for (const name of names) inside[name] = { enable: switchFor([name]) }
    events[system] = inside
  }
  const all = Object.entries(EVENTS).flatMap(([system, names]) => names.map((name) => `${system}:${name}`))
  return {
    available_events: fixed(`${all.join('\n')}\n`),
    available_tracers: fixed('blk mmiotrace function_graph function nop\n'),
    buffer_size_kb: fixed('1408\n'),
    current_tracer: {
      read: () => 'nop\n',
      write(_host, text) {
        if (text.trim() === 'nop') return OK
        if (['blk', 'mmiotrace', 'function_graph', 'function'].includes(text.trim()))
          throw new NotModelled(`tracer ${text.trim()}`)
        return fail('EINVAL')
      },
    },
    events,
    set_event: {
      read: (host) =>
        all
          .filter((each) => runningOf(host)!.trace.enabled.has(each.split(':')[1]!))
          .map((each) => `${each}\n`)
          .join(''),
      write: setEvent,
    },
    trace: {
      mode: 0o640,
      read(host) {
        const running = runningOf(host)!
        running.settle()
        return running.trace.print(host.bootedNs)
      },
      // Whatever is written empties it, as opening it to be written does.
      write(host) {
        runningOf(host)!.settle()
        runningOf(host)!.trace.clear()
        return OK
      },
    },
    trace_clock: fixed('[local] global counter uptime perf mono mono_raw boot tai x86-tsc\n'),
    tracing_on: {
      read: (host) => (runningOf(host)!.trace.on ? '1\n' : '0\n'),
      write(host, text) {
        const on = yesNo(text)
        if (on === undefined) return fail('EINVAL')
        runningOf(host)!.settle()
        runningOf(host)!.trace.on = on
        return OK
      },
    },
  }
}

/** `irq:*`, `irq`, `irq:softirq_entry`, `softirq_entry`; with ! before it off. */
function setEvent(host: Host, text: string) {
  const running = runningOf(host)!
  running.settle()
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const off = word.startsWith('!')
    const [system, name] = (off ? word.slice(1) : word).split(':') as [string, string?]
    const names = Object.entries(EVENTS).flatMap(([each, list]) =>
      list.filter((event) =>
        name === undefined ? each === system || event === system : each === system && (name === '*' || event === name),
      ),
    )
    if (names.length === 0) return fail('EINVAL')
    for (const event of names) {
      if (off) running.trace.enabled.delete(event)
      else running.trace.enabled.add(event)
    }
  }
  return OK
}

/** On hosts whose lab says what machine they are; elsewhere the directories are empty. */
export function installTracing(image: KernelImage): void {
  const inside = directoryOf(tracingTree())
  const directory: PseudoDirectory = {
    list: (host) => (runningOf(host) ? inside.list(host) : []),
    lookup: (host, name) => (runningOf(host) ? inside.lookup(host, name) : undefined),
  }
  image.procDirectory('/sys/kernel/tracing', directory)
  image.procDirectory('/sys/kernel/debug/tracing', directory)
}
