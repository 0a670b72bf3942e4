/** Whatever comes, tracking holds; and what NAT does to a packet, it undoes for the answer. */
import { describe, expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import type { RandomStream } from '#base/sim'
import { forSeeds } from '#base/testing'
import type { Host } from '#kernel/core'
import { deviceByName, NF_DROP, packetHooks } from '#kernel/net'
import { parseLab } from '#lab/plan'
import {
  emitIp,
  ICMP_DEST_UNREACH,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  Packet,
  parseIp,
  TCP_ACK,
  TCP_SYN,
} from '#wire/inet'
import {
  addNatChain,
  type Conn,
  conntrackNeed,
  conntrackState,
  createTemplate,
  findHelper,
  masquerade,
  type NatRange,
  natSetup,
} from './index.ts'

const LAB = `
networks: { left: {}, right: {} }
hosts:
  r: { eth0: left 10.0.1.254/24, eth1: right 10.0.2.254/24, sysctl: { net.ipv4.ip_forward: 1 } }
`

/** A router, and what it would send: nothing leaves it. */
function router(seed: number) {
  const lab = new SimLab(parseLab(LAB, 'lab.yaml').plan, { seed, start: 0, capture: false })
  lab.world.sim.run(3e9)
  const host: Host = lab.world.host('r').kernel
  const sent: Packet[] = []
  conntrackNeed(host)
  packetHooks(host).add('POST_ROUTING', {
    name: 'end',
    priority: 2147483647,
    run({ packet }) {
      sent.push(packet.clone())
      return NF_DROP
    },
  })
  return {
    host,
    state: conntrackState.of(host),
    sim: lab.world.sim,
    /** What leaves when this comes in. */
    pass(packet: Packet, by: 'eth0' | 'eth1'): Packet | undefined {
      sent.length = 0
      const device = deviceByName(host, by)!
      packet.macDst = device.address
      device.receive(packet)
      return sent[0]
    },
  }
}

function packetOf(fields: Partial<Packet>): Packet {
  return Object.assign(new Packet(), { etherType: 0x0800, ttl: 64 }, fields)
}

function randomPacket(random: RandomStream): Packet {
  const protocol = [IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, 47, 132, 136, 255][random.below(7)]!
  const bytes = random.bytes(random.below(80))
  return packetOf({
    protocol,
    src: 0x0a000101 + random.below(4),
    dst: random.below(4) === 0 ? 0x0a0001fe : 0x0a000202 + random.below(4),
    srcPort: 1 + random.below(6),
    dstPort: [21, 80, 1][random.below(3)]!,
    tcpFlags: random.below(64),
    seq: random.uint32(),
    ack: random.uint32(),
    window: random.below(65536),
    icmpType: random.below(20),
    icmpRest: random.uint32(),
    buffer: bytes,
    length: bytes.length,
    ...(random.below(8) === 0 && { tcpOptions: random.bytes(4 * random.below(11)) }),
    ...(random.below(8) === 0 && { checksum: random.below(65536) }),
    ...(random.below(8) === 0 && { fragment: random.below(65536) }),
  })
}

test('no packet makes tracking throw, and the table keeps its bounds', () => {
  forSeeds(12, (random, seed) => {
    const { host, state, sim, pass } = router(seed)
    state.limits.max = 40
    const nat = (hook: 'PRE_ROUTING' | 'POST_ROUTING', range: NatRange, manip: 'SRC' | 'DST') =>
      addNatChain(host, hook, {
        name: 'test',
        priority: 0,
        run: ({ packet }) => natSetup(state, packet.ct as Conn, range, manip),
      })
    nat('PRE_ROUTING', { min: 0x0a000202, max: 0x0a000204, minPort: 21, maxPort: 22 }, 'DST')
    nat('POST_ROUTING', { min: 0x0a0002fe, max: 0x0a0002fe }, 'SRC')
    const template = createTemplate({ helper: findHelper('ftp', IPPROTO_TCP)! })
    packetHooks(host).add('PRE_ROUTING', {
      name: 'raw',
      priority: -300,
      run({ packet }) {
        packet.ct = template
        return 1
      },
    })
    for (let i = 0; i < 400; i++) {
      let packet = randomPacket(random)
      if (random.below(3) === 0) {
        const bytes = emitIp(packet)
        for (let flips = random.below(4); flips > 0; flips--) bytes[random.below(bytes.length)]! ^= 1 << random.below(8)
        packet = parseIp(bytes)
      }
      pass(packet, random.below(2) === 0 ? 'eth0' : 'eth1')
      expect(state.count).toBeLessThanOrEqual(40)
      if (random.below(10) === 0) sim.run(sim.nowNs + random.below(40) * 1e9)
    }
    expect(state.list().length).toBeLessThanOrEqual(state.count)
  })
})

test('a flood leaves those that are assured', () => {
  const { state, pass } = router(1)
  state.limits.max = 50
  const tcp = (src: number, srcPort: number, dst: number, dstPort: number, flags: number, seq: number, ack: number) =>
    packetOf({ protocol: IPPROTO_TCP, src, srcPort, dst, dstPort, tcpFlags: flags, seq, ack, window: 1000 })
  pass(tcp(0x0a000101, 1, 0x0a000202, 80, TCP_SYN, 1, 0), 'eth0')
  pass(tcp(0x0a000202, 80, 0x0a000101, 1, TCP_SYN | TCP_ACK, 1, 2), 'eth1')
  pass(tcp(0x0a000101, 1, 0x0a000202, 80, TCP_ACK, 2, 2), 'eth0')
  for (let i = 0; i < 5000; i++) pass(tcp(0x0a000102, i, 0x0a000202, 81, TCP_SYN, i, 0), 'eth0')
  expect(state.count).toBeLessThanOrEqual(50)
  expect(state.list().some((conn) => conn.original.dstPort === 80)).toBe(true)
  // A hundred tuples in 5632 buckets: eight of those hold one about every seventh time.
  expect(state.counters.earlyDrop).toBeGreaterThan(300)
  expect(state.counters.drop).toBeGreaterThan(3000)
})

describe('what NAT does', () => {
  const PROTOCOLS = [IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP]

  /** A client's first packet. */
  function request(random: RandomStream): Packet {
    const protocol = PROTOCOLS[random.below(3)]!
    const payload = random.bytes(random.below(40))
    return packetOf({
      protocol,
      src: 0x0a000101 + random.below(3),
      dst: 0x0a000202 + random.below(3),
      srcPort: [1, 600, 1024][random.below(3)]! + random.below(3),
      dstPort: 80 + random.below(2),
      tcpFlags: TCP_SYN,
      seq: random.uint32(),
      window: 1000,
      icmpType: 8,
      icmpRest: random.uint32() & 0x0003ffff,
      buffer: payload,
      length: payload.length,
    })
  }

  /** Its answer, as whoever gets it gives it. */
  function answer(packet: Packet): Packet {
    return packetOf({
      protocol: packet.protocol,
      src: packet.dst,
      dst: packet.src,
      srcPort: packet.dstPort,
      dstPort: packet.srcPort,
      tcpFlags: TCP_SYN | TCP_ACK,
      seq: 1,
      ack: (packet.seq + packet.length + 1) >>> 0,
      window: 1000,
      icmpRest: packet.icmpRest,
    })
  }

  /** Without the lifetime that routers count down. */
  const headerOf = (bytes: Uint8Array) => {
    const copy = bytes.slice()
    copy.fill(0, 8, 9)
    copy.fill(0, 10, 12)
    return copy
  }

  test('is undone for the answer, and for an error about it', () => {
    let translated = 0
    forSeeds(40, (random, seed) => {
      const { host, state, pass } = router(seed)
      const kind = random.below(3)
      if (kind !== 1) {
        addNatChain(host, 'POST_ROUTING', {
          name: 'test',
          priority: 0,
          run: (context) => masquerade(state, context, random.below(2) === 0 ? {} : { random: true }),
        })
      }
      if (kind !== 0) {
        const range = { min: 0x0a000207, max: 0x0a000208, minPort: 5000, maxPort: 5002 }
        addNatChain(host, 'PRE_ROUTING', {
          name: 'test',
          priority: 0,
          run: ({ packet }) => natSetup(state, packet.ct as Conn, range, 'DST'),
        })
      }
      for (let i = 0; i < 20; i++) {
        const sent = request(random)
        const before = sent.clone()
        const seen = pass(sent, 'eth0')
        if (!seen) continue // Its reply would be another connection's.
        expect(parseIp(emitIp(seen)).checksum, 'the checksum is right').toBe(-1)
        if (seen.src !== before.src || seen.dst !== before.dst) translated++
        if (random.below(2) === 0) {
          const quoted = emitIp(seen)
          const error = packetOf({
            protocol: IPPROTO_ICMP,
            src: seen.dst,
            dst: seen.src,
            icmpType: ICMP_DEST_UNREACH,
            icmpCode: 3,
          })
          error.buffer = quoted
          error.length = quoted.length
          const back = pass(error, 'eth1')!
          expect(back.dst).toBe(before.src)
          const inner = back.buffer.subarray(back.offset, back.offset + back.length)
          expect(headerOf(inner), 'the quoted packet is the one that was sent').toEqual(headerOf(emitIp(before)))
          expect(parseIp(inner.slice()).checksum).toBe(-1)
          continue
        }
        const back = pass(answer(seen), 'eth1')!
        expect([back.src, back.dst]).toEqual([before.dst, before.src])
        if (before.protocol === IPPROTO_ICMP) expect(back.icmpRest).toBe(before.icmpRest)
        else expect([back.srcPort, back.dstPort]).toEqual([before.dstPort, before.srcPort])
      }
    })
    expect(translated).toBeGreaterThan(300)
  })
})
