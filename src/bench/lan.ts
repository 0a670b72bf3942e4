/** What the workloads with TCP share: hosts with cards, and programs that wait on sockets. */
import type { Simulator } from '#base/sim'
import { createHost, createImage, type Image, type KernelHost, type OpenFile, type Waiter } from '#kernel/core'
import { createEthernet, type NetDevice, type NetRequest, net } from '#kernel/net'
import type { Cable } from '#lab/world'

export function benchImage(): Image {
  const image = createImage({ release: '6.1.0-bench', profile: 'linux-6.1' })
  image.install(net)
  return image
}

export function request(host: KernelHost, message: NetRequest): void {
  const answer = host.image.netlinkHandlers.get(message.type)!(host, message)
  if (!answer.ok) throw new Error(`${host.name}: ${message.type}: ${answer.extack ?? answer.errno}`)
}

export function makeHost(sim: Simulator, image: Image, name: string, number: number): KernelHost {
  const host = createHost({ sim, image, name, number, startS: 0 })
  request(host, { type: 'RTM_SETLINK', name: 'lo', flags: 1, change: 1 })
  return host
}

/** Puts a card with an address into a host, at an end of a cable. */
export function addCard(host: KernelHost, name: string, end: Cable['a'], local: number, prefix: number): NetDevice {
  const device = createEthernet(host, name, 0x020000000000 + host.number * 256 + Number(name.slice(3)))
  device.attach(end)
  end.attach(device)
  const broadcast = (local | (2 ** (32 - prefix) - 1)) >>> 0
  const address = { type: 'RTM_NEWADDR', family: 'AF_INET', ifindex: device.ifindex, local, prefix, broadcast } as const
  request(host, { ...address, create: true, exclusive: true })
  request(host, { type: 'RTM_SETLINK', name, flags: 1, change: 1 })
  return device
}

export function defaultRoute(host: KernelHost, gateway: number): void {
  const route = { family: 'AF_INET', dst: 0, prefix: 0, protocol: 3 } as const
  request(host, { type: 'RTM_NEWROUTE', ...route, nextHops: [{ gateway }], create: true, exclusive: true })
}

export function tcpSocket(host: KernelHost): OpenFile {
  const made = host.image.families.get('AF_INET')!(host, 'SOCK_STREAM', 0)
  if (!made.ok) throw new Error(made.errno)
  return made.value
}

/** A program that goes on when a socket of its has something. */
export interface Task {
  run(): void
}

/** Runs whom a socket has woken, as soon as the kernel has done with what woke them. */
export class Scheduler {
  readonly #sim: Simulator
  readonly #slot: number
  #first: Wakeup | undefined = undefined
  #last: Wakeup | undefined = undefined
  /** A frame is being delivered: who is woken runs when that is done. */
  #delivering = false

  constructor(sim: Simulator) {
    this.#sim = sim
    this.#slot = sim.slot('bench/scheduler', this)
  }

  /** Has who is woken by a wire's frames run when the frame has been taken, without an event of its own. */
  follow(wire: Cable['a']['wire']): void {
    const deliver = wire.deliver
    wire.deliver = (packet) => {
      this.#delivering = true
      deliver(packet)
      this.#delivering = false
      if (this.#first !== undefined) this.fire()
    }
  }

  /** Has a task run whenever a file's queue is woken. */
  watch(file: OpenFile, task: Task): Wakeup {
    const wakeup = new Wakeup(this, task)
    file.queue.add(wakeup)
    return wakeup
  }

  ready(wakeup: Wakeup): void {
    if (this.#last === undefined) this.#first = wakeup
    else this.#last.next = wakeup
    this.#last = wakeup
    if (this.#first === wakeup && !this.#delivering) this.#sim.arm(this.#slot, this.#sim.nowNs)
  }

  fire(): void {
    for (let one = this.#first; one !== undefined; one = this.#first) {
      this.#first = one.next
      if (one.next === undefined) this.#last = undefined
      one.next = undefined
      one.pending = false
      one.task.run()
    }
  }
}

export class Wakeup implements Waiter {
  readonly #scheduler: Scheduler
  readonly task: Task
  pending = false
  next: Wakeup | undefined = undefined

  constructor(scheduler: Scheduler, task: Task) {
    this.#scheduler = scheduler
    this.task = task
  }

  wake(): void {
    if (this.pending) return
    this.pending = true
    this.#scheduler.ready(this)
  }
}

/**
 * Runs a workload; with --warm=1 a small one before it, in a world of its own, so that the engine is measured without its
 * compiler's warming up. (That is most of what a short run takes, and nothing that ns-3, compiled beforehand, has.)
 */
export function warmed(
  options: Record<string, string>,
  less: Record<string, string>,
  run: (options: Record<string, string>) => Record<string, number | string>,
): Record<string, number | string> {
  const warm = Number(options['warm'] ?? 0)
  if (warm === 1) run({ ...options, ...less })
  return { ...run(options), warm }
}

export function cpuS(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
