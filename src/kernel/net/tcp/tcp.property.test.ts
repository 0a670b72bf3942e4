/** TCP over a bad cable: streams arrive whole; whatever comes in, nothing throws, hangs or grows without bound. */
import { expect, test } from 'vitest'
import { MILLISECOND, type RandomStream, SECOND, Simulator } from '#base/sim'
import { forSeeds } from '#base/testing'
import type { OpenFile } from '#kernel/core'
import { ETH_P_IP, Packet } from '#wire/inet'
import type { NetDevice } from '../device.ts'
import { inet, inetImage, inetSocket } from '../ip-testing.ts'
import { type TestHost, testCard, testHost } from '../testing.ts'
import { tcpState } from './host.ts'

interface Faults {
  loss: number
  duplicate: number
  /** The most that a packet is held up, ns. */
  jitterNs: number
}

/** A cable that loses, doubles and delays at random. */
function badCable(sim: Simulator, random: RandomStream, a: NetDevice, b: NetDevice, faults: Faults): void {
  const end = (other: NetDevice) => ({
    carrier: true,
    transmit(packet: Packet) {
      if (random.fraction() < faults.loss && packet.etherType === ETH_P_IP) return
      const copies = random.fraction() < faults.duplicate ? 2 : 1
      for (let i = 0; i < copies; i++) {
        const copy = packet.clone()
        const delay = 1 * MILLISECOND + (faults.jitterNs === 0 ? 0 : random.below(faults.jitterNs))
        sim.after(delay, 'bad cable', () => other.receive(copy))
      }
    },
  })
  a.attach(end(b))
  b.attach(end(a))
}

function twoHosts(sim: Simulator): { a: TestHost; b: TestHost; left: NetDevice; right: NetDevice } {
  const image = inetImage()
  const a = testHost(sim, 'a', image)
  const b = testHost(sim, 'b', image)
  const left = testCard(a, 'eth0', 0x020000000100, '10.0.0.1/24')
  const right = testCard(b, 'eth0', 0x020000000200, '10.0.0.2/24')
  return { a, b, left, right }
}

/** A byte of the stream, by its place. */
function pattern(at: number): number {
  return (at * 31 + (at >>> 8)) & 255
}

/** Writes and reads a stream at moments and in pieces of chance. */
class Side {
  readonly file: OpenFile
  readonly #random: RandomStream
  readonly #total: number
  sent = 0
  got = 0
  ended = false
  error: string | undefined = undefined

  constructor(file: OpenFile, random: RandomStream, total: number) {
    this.file = file
    this.#random = random
    this.#total = total
  }

  step(): void {
    while (this.sent < this.#total) {
      const bytes = new Uint8Array(Math.min(1 + this.#random.below(20_000), this.#total - this.sent))
      for (let i = 0; i < bytes.length; i++) bytes[i] = pattern(this.sent + i)
      const taken = this.file.write(bytes)
      if (!taken.ok) break
      this.sent += taken.value
      if (this.#random.below(4) === 0) break
    }
    if (this.sent === this.#total) {
      this.sent++
      this.file.socket!.shutdown!('WR')
    }
    for (;;) {
      const read = this.file.read(1 + this.#random.below(30_000))
      if (!read.ok) {
        if (read.errno !== 'EAGAIN') this.error = read.errno
        return
      }
      if (read.value.length === 0) {
        this.ended = true
        return
      }
      for (const byte of read.value) {
        if (byte !== pattern(this.got)) throw new Error(`byte ${this.got} is wrong`)
        this.got++
      }
      if (this.#random.below(3) === 0) return
    }
  }
}

test('streams arrive whole, whatever the cable loses, doubles and disorders', () => {
  forSeeds(12, (random) => {
    const sim = new Simulator(random.uint32())
    const { a, b, left, right } = twoHosts(sim)
    const faults: Faults = {
      loss: [0, 0.01, 0.05, 0.2][random.below(4)]!,
      duplicate: [0, 0.05][random.below(2)]!,
      jitterNs: [0, 200_000, 3 * MILLISECOND][random.below(3)]!,
    }
    badCable(sim, random, left, right, faults)
    const sysctls = tcpState.of(a).writableSysctls()
    if (random.below(3) === 0) sysctls.sack = 0
    if (random.below(3) === 0) sysctls.timestamps = 0
    if (random.below(3) === 0) sysctls.congestionControl = 'reno'
    if (random.below(4) === 0) sysctls.recovery = 0
    const listener = inetSocket(b, 'SOCK_STREAM')
    listener.socket!.bind(inet('0.0.0.0', 80))
    if (random.below(3) === 0) listener.socket!.setOption('SOL_SOCKET', 'SO_RCVBUF', 4096)
    listener.socket!.listen!(1)
    const file = inetSocket(a, 'SOCK_STREAM')
    file.socket!.connect(inet('10.0.0.2', 80))
    const client = new Side(file, random, random.below(300_000))
    let server: Side | undefined
    for (let round = 0; round < 60_000 && !(client.ended && server?.ended); round++) {
      sim.run(sim.nowNs + 5 * MILLISECOND)
      if (!server) {
        const accepted = listener.socket!.accept!()
        if (accepted.ok) server = new Side(accepted.value.file, random, random.below(100_000))
      }
      client.step()
      server?.step()
      if (client.error !== undefined || server?.error !== undefined) break
    }
    // With a fifth lost a connection may fail or take hours, as real ones do.
    const bearable = faults.loss < 0.2
    if (bearable) expect([client.error, server?.error]).toEqual([undefined, undefined])
    if (bearable && server) {
      expect([client.ended, server.ended]).toEqual([true, true])
      expect(server.got).toBe(client.sent - 1)
      expect(client.got).toBe(server.sent - 1)
    }
    file.release!()
    if (server) server.file.release!()
    listener.release!()
    sim.run(sim.nowNs + 2000 * SECOND)
    for (const host of [a, b]) {
      const tcp = tcpState.of(host)
      expect([tcp.connections.size, tcp.ports.binds.size, tcp.orphans]).toEqual([0, 0, 0])
    }
  })
}, 60_000)

/** A segment of chance, near what the connection expects. */
function anySegment(random: RandomStream, seq: number, ack: number): Packet {
  const packet = new Packet()
  packet.etherType = ETH_P_IP
  packet.macDst = 0x020000000200
  packet.macSrc = 0x020000000100
  packet.src = 0x0a000001
  packet.dst = 0x0a000002
  packet.protocol = 6
  packet.ttl = 64
  packet.srcPort = 1000 + random.below(3)
  packet.dstPort = 80
  const near = () => [0, 1, -1, random.below(3000), -random.below(3000), random.uint32()][random.below(6)]!
  packet.seq = (seq + near()) >>> 0
  packet.ack = (ack + near()) >>> 0
  packet.tcpFlags = random.below(3) === 0 ? random.below(256) : [0x02, 0x10, 0x18, 0x11, 0x04][random.below(5)]!
  packet.window = random.below(65536)
  packet.urgent = random.below(10)
  if (random.below(2) === 0) packet.tcpOptions = random.bytes(random.below(10) * 4)
  if (random.below(2) === 0) {
    packet.tcpTimestamps = true
    packet.tsVal = random.uint32()
    packet.tsEcr = random.uint32()
  }
  packet.length = random.below(3) === 0 ? random.below(3000) : 0
  packet.buffer = new Uint8Array(packet.length)
  return packet
}

test('no segments throw or hang, and none is kept for ever', () => {
  forSeeds(20, (random) => {
    const sim = new Simulator(random.uint32())
    const { b, right } = twoHosts(sim)
    let seq = 0
    let ack = 0
    right.attach({
      carrier: true,
      transmit(packet) {
        if (packet.protocol !== 6) return
        seq = packet.ack
        ack = packet.seq + 1
      },
    })
    const listener = inetSocket(b, 'SOCK_STREAM')
    listener.socket!.bind(inet('0.0.0.0', 80))
    listener.socket!.listen!(3)
    const accepted: OpenFile[] = []
    for (let i = 0; i < 400; i++) {
      right.receive(anySegment(random, seq, ack))
      if (random.below(8) === 0) {
        const one = listener.socket!.accept!()
        if (one.ok) {
          accepted.push(one.value.file)
          one.value.file.write(random.bytes(random.below(5000)))
        }
      }
      if (random.below(8) === 0) for (const file of accepted) file.read(1000)
      if (random.below(10) === 0) sim.run(sim.nowNs + random.below(500) * MILLISECOND)
    }
    for (const file of accepted) file.release!()
    listener.release!()
    sim.run(sim.nowNs + 3000 * SECOND)
    const tcp = tcpState.of(b)
    expect([tcp.connections.size, tcp.ports.binds.size]).toEqual([0, 0])
  })
}, 60_000)

test('a flood of SYNs keeps no more than the backlog', () => {
  const sim = new Simulator(1)
  const { b, right } = twoHosts(sim)
  const random = sim.random('flood')
  right.attach({ carrier: true, transmit: () => {} })
  const listener = inetSocket(b, 'SOCK_STREAM')
  listener.socket!.bind(inet('0.0.0.0', 80))
  listener.socket!.listen!(128)
  const tcp = tcpState.of(b)
  for (const cookies of [1, 0]) {
    tcp.writableSysctls().syncookies = cookies
    for (let i = 0; i < 5000; i++) {
      const syn = anySegment(random, 0, 0)
      syn.srcPort = random.below(65536)
      syn.src = 0x0a000003 + random.below(200)
      syn.tcpFlags = 0x02
      syn.tcpOptions = undefined
      syn.tcpTimestamps = false
      syn.length = 0
      right.receive(syn)
      if (i % 100 === 0) sim.run(sim.nowNs + MILLISECOND)
      expect(tcp.connections.size).toBeLessThanOrEqual(129)
    }
  }
  expect(tcp.counters.SyncookiesSent).toBeGreaterThan(4000)
  expect(tcp.counters.TCPReqQFullDrop).toBeGreaterThan(4000)
  sim.run(sim.nowNs + 200 * SECOND)
  expect(tcp.connections.size).toBe(0)
})
