/**
 * TCP bulk: BYTES over one point-to-point link of 1 Gbit/s and 1 ms, buffers as the kernel tunes them.
 */
import { foldSum, sumWords } from '#base/bytes'
import { SECOND, Simulator } from '#base/sim'
import type { OpenFile } from '#kernel/core'
import { type Cable, createCable } from '#lab/world'
import { frameLength, type Packet, writeFrame } from '#wire/inet'
import { addCard, benchImage, cpuS, makeHost, Scheduler, type Task, tcpSocket, warmed } from './lan.ts'

const LINK = { delayNs: 1_000_000, rateBps: 1e9, loss: 0 }
const SENDER = 0x0a000001
const RECEIVER = 0x0a000002

class Sender implements Task {
  readonly #file: OpenFile
  readonly #chunk: number
  /** Given away again and again: nobody writes into it. */
  readonly #zeroes: Uint8Array
  #left: number

  constructor(file: OpenFile, bytes: number, chunk: number) {
    this.#file = file
    this.#left = bytes
    this.#chunk = chunk
    this.#zeroes = new Uint8Array(chunk)
  }

  run(): void {
    while (this.#left > 0) {
      const bytes = this.#left < this.#chunk ? this.#zeroes.subarray(0, this.#left) : this.#zeroes
      const sent = this.#file.write(bytes)
      if (!sent.ok) return
      this.#left -= sent.value
      if (sent.value < this.#chunk && this.#left > 0) return
    }
    if (this.#left === 0) {
      this.#left = -1
      this.#file.release!()
    }
  }
}

class Receiver implements Task {
  readonly #listener: OpenFile
  readonly #scheduler: Scheduler
  readonly #sim: Simulator
  readonly #wanted: number
  #file: OpenFile | undefined = undefined
  got = 0
  lastNs = 0

  constructor(sim: Simulator, scheduler: Scheduler, listener: OpenFile, wanted: number) {
    this.#sim = sim
    this.#scheduler = scheduler
    this.#listener = listener
    this.#wanted = wanted
  }

  run(): void {
    if (!this.#file) {
      const accepted = this.#listener.socket!.accept!()
      if (!accepted.ok) return
      this.#file = accepted.value.file
      this.#scheduler.watch(this.#file, this)
    }
    for (;;) {
      // MSG_TRUNC: nobody looks at the bytes, as in ns-3's program, where they are none.
      const read = this.#file.socket!.receive(65536, { trunc: true })
      if (!read.ok || read.value.length === 0) return
      this.got += read.value.length
      if (this.got >= this.#wanted) {
        this.lastNs = this.#sim.nowNs
        this.#sim.stop()
        return
      }
    }
  }
}

/** Has every frame made as bytes where it is sent, and its checksum, payload and all, judged where it arrives. */
function checkFrames(cable: Cable): void {
  const scratch = new Uint8Array(2048)
  for (const wire of [cable.a.wire, cable.b.wire]) {
    const deliver = wire.deliver
    wire.deliver = (packet: Packet) => {
      const end = writeFrame(packet, scratch, 0)
      if (packet.protocol === 6 && packet.etherType === 0x800) {
        const length = end - 34
        const sum = sumWords(scratch, 26, 8, 6 + length)
        if (foldSum(sumWords(scratch, 34, length, sum)) !== 0xffff) throw new Error('bulk: a checksum is wrong')
      }
      if (frameLength(packet) !== end) throw new Error('bulk: a length is wrong')
      deliver(packet)
    }
  }
}

/** Runs the workload; `cpu_s` is around the run alone. */
export function bulk(options: Record<string, string>): Record<string, number | string> {
  return warmed(options, { mbytes: '200' }, transfer)
}

function transfer(options: Record<string, string>): Record<string, number | string> {
  const mbytes = Number(options['mbytes'] ?? 200)
  const chunk = Number(options['write'] ?? 65160)
  const checks = Number(options['csum'] ?? 0)
  const sim = new Simulator(1)
  const scheduler = new Scheduler(sim)
  const image = benchImage()
  const a = makeHost(sim, image, 'a', 1)
  const b = makeHost(sim, image, 'b', 2)
  const cable = createCable(sim, 'link', LINK)
  const left = addCard(a, 'eth0', cable.a, SENDER, 24)
  const right = addCard(b, 'eth0', cable.b, RECEIVER, 24)
  if (checks > 0) checkFrames(cable)
  scheduler.follow(cable.a.wire)
  scheduler.follow(cable.b.wire)
  const wanted = mbytes * 1_000_000
  const listener = tcpSocket(b)
  listener.socket!.bind({ family: 'AF_INET', address: 0, port: 5001 })
  // Buffers of 1 MiB, as ns-3's program says: the window stays below what the link's queue holds.
  listener.socket!.setOption('SOL_SOCKET', 'SO_RCVBUFFORCE', 1 << 20)
  listener.socket!.listen!(1)
  const receiver = new Receiver(sim, scheduler, listener, wanted)
  scheduler.watch(listener, receiver)
  sim.at(SECOND, 'bench/connect', () => {
    const file = tcpSocket(a)
    scheduler.watch(file, new Sender(file, wanted, chunk))
    file.socket!.connect({ family: 'AF_INET', address: RECEIVER, port: 5001 })
  })
  const before = cpuS()
  sim.run(600 * SECOND)
  const used = cpuS() - before
  if (receiver.got < wanted) throw new Error(`bulk: ${receiver.got} of ${wanted} bytes`)
  const packets = left.stats.txPackets + right.stats.txPackets
  const simS = (receiver.lastNs - SECOND) / 1e9
  return {
    bench: 'bulk',
    csum: checks,
    bytes: receiver.got,
    sim_s: simS,
    packets,
    retransmitted: retransmitted(a),
    cpu_s: used,
    cpu_per_sim_s: used / simS,
    packets_per_s: Math.round(packets / used),
    mbytes_per_s: wanted / used / 1e6,
    events: sim.events,
    peak_kb: process.resourceUsage().maxRSS,
  }
}

/** Tcp: RetransSegs of /proc/net/snmp. */
function retransmitted(host: ReturnType<typeof makeHost>): number {
  const file = host.openPath('/proc/net/snmp', 0)!
  const read = file.read(65536)
  file.release?.()
  const lines = read.ok ? new TextDecoder().decode(read.value).split('\n') : []
  const [names, values] = lines.filter((line) => line.startsWith('Tcp:')).map((line) => line.split(' '))
  return Number(values?.[names?.indexOf('RetransSegs') ?? 0] ?? -1)
}
