/**
 * LAN, ARP and short TCP connections: 0.8 N clients (10.1/16) and 0.2 N servers (10.2/16) on one switch, and a router with a
 * leg in each subnet on the same switch. Each client opens connections one after the other: connect, 100 bytes, 1000 bytes
 * back, the client closes.
 */
import { SECOND, Simulator } from '#base/sim'
import type { KernelHost, OpenFile, SockAddr } from '#kernel/core'
import type { NetDevice } from '#kernel/net'
import { Switch } from '#lab/world'
import { addCard, benchImage, cpuS, defaultRoute, makeHost, Scheduler, type Task, tcpSocket, warmed } from './lan.ts'

const SHAPE = { delayNs: 1_000, rateBps: 1e9, loss: 0 }
const CLIENTS = 0x0a010000
const SERVERS = 0x0a020000
const REQUEST = new Uint8Array(100)
const RESPONSE = new Uint8Array(1000)

interface Run {
  sim: Simulator
  scheduler: Scheduler
  wanted: number
  started: number
  done: number
  failed: number
}

/** Opens connections one after the other. */
class Client implements Task {
  readonly #run: Run
  readonly #host: KernelHost
  readonly #server: SockAddr
  #file: OpenFile | undefined = undefined
  #asked = false
  #have = 0

  constructor(run: Run, host: KernelHost, server: SockAddr) {
    this.#run = run
    this.#host = host
    this.#server = server
  }

  /** The slot's event: it begins. */
  fire(): void {
    this.open()
  }

  open(): void {
    const run = this.#run
    if (run.started >= run.wanted) return
    run.started++
    this.#asked = false
    this.#have = 0
    const file = tcpSocket(this.#host)
    this.#file = file
    run.scheduler.watch(file, this)
    file.socket!.connect(this.#server)
  }

  run(): void {
    const file = this.#file!
    if (!this.#asked) {
      if (!file.socket!.sendTo(REQUEST, undefined, {}).ok) return
      this.#asked = true
    }
    for (;;) {
      const got = file.read(65536)
      if (!got.ok) {
        if (got.errno === 'EAGAIN') return
        this.#run.failed++
        this.open()
        return
      }
      this.#have += got.value.length
      if (this.#have < RESPONSE.length) continue
      file.release!()
      if (++this.#run.done === this.#run.wanted) this.#run.sim.stop()
      else this.open()
      return
    }
  }
}

/** One connection at a server. */
class Served implements Task {
  readonly #file: OpenFile
  #have = 0
  #closed = false

  constructor(file: OpenFile) {
    this.#file = file
  }

  run(): void {
    if (this.#closed) return
    for (;;) {
      const got = this.#file.read(65536)
      if (!got.ok && got.errno === 'EAGAIN') return
      if (!got.ok || got.value.length === 0) {
        this.#closed = true
        this.#file.release!()
        return
      }
      this.#have += got.value.length
      if (this.#have < REQUEST.length) continue
      this.#have = 0
      this.#file.write(RESPONSE)
    }
  }
}

class Server implements Task {
  readonly #file: OpenFile
  readonly #scheduler: Scheduler

  constructor(run: Run, host: KernelHost) {
    this.#scheduler = run.scheduler
    this.#file = tcpSocket(host)
    this.#file.socket!.bind({ family: 'AF_INET', address: 0, port: 80 })
    this.#file.socket!.listen!(4096)
    run.scheduler.watch(this.#file, this)
  }

  run(): void {
    for (;;) {
      const accepted = this.#file.socket!.accept!()
      if (!accepted.ok) return
      const { file } = accepted.value
      const served = new Served(file)
      this.#scheduler.watch(file, served)
      served.run()
    }
  }
}

/** Runs the workload; `cpu_s` is around the run alone. */
export function lantcp(options: Record<string, string>): Record<string, number | string> {
  return warmed(options, { conns: '10000' }, connections)
}

function connections(options: Record<string, string>): Record<string, number | string> {
  const hosts = Number(options['hosts'] ?? 10)
  const wanted = Number(options['conns'] ?? 5000)
  const servers = Math.max(1, Math.floor(hosts / 5))
  const clients = hosts - servers
  const sim = new Simulator(1)
  const image = benchImage()
  const lan = new Switch(sim, 'lan', SHAPE)
  const run: Run = { sim, scheduler: new Scheduler(sim), wanted, started: 0, done: 0, failed: 0 }
  const devices: NetDevice[] = []
  const plug = (host: KernelHost, name: string, address: number) => {
    const port = lan.addPort(host.name, name, 0)
    devices.push(addCard(host, name, port.cable.a, address, 16))
    run.scheduler.follow(port.cable.b.wire)
  }
  const router = makeHost(sim, image, 'router', 1)
  plug(router, 'eth0', CLIENTS + 1)
  plug(router, 'eth1', SERVERS + 1)
  const file = router.openPath('/proc/sys/net/ipv4/ip_forward', 1)!
  file.write(new Uint8Array([0x31, 0x0a]))
  file.release?.()
  for (let i = 0; i < servers; i++) {
    const host = makeHost(sim, image, `s${i}`, 2 + i)
    plug(host, 'eth0', SERVERS + 2 + i)
    defaultRoute(host, SERVERS + 1)
    new Server(run, host)
  }
  for (let i = 0; i < clients; i++) {
    const host = makeHost(sim, image, `c${i}`, 2 + servers + i)
    plug(host, 'eth0', CLIENTS + 2 + i)
    defaultRoute(host, CLIENTS + 1)
    const client = new Client(run, host, { family: 'AF_INET', address: SERVERS + 2 + (i % servers), port: 80 })
    sim.arm(sim.slot('bench/client', client), SECOND + 100_000 * i)
  }
  const before = cpuS()
  sim.run(3600 * SECOND)
  const used = cpuS() - before
  if (run.done !== wanted) throw new Error(`lantcp: ${run.done} of ${wanted} connections, ${run.failed} failed`)
  // Each frame crosses the wire to the switch and one or more from it.
  const frames = devices.reduce((sum, { stats }) => sum + stats.txPackets + stats.rxPackets, 0)
  return {
    bench: 'lantcp',
    hosts,
    conns: run.done,
    failed: run.failed,
    frames,
    sim_s: sim.nowNs / 1e9,
    cpu_s: used,
    conns_per_s: Math.round(run.done / used),
    frames_per_s: Math.round(frames / used),
    events: sim.events,
    peak_kb: process.resourceUsage().maxRSS,
  }
}
