/**
 * Whatever tree of disciplines a device has, what went in comes out or is counted as dropped; and the laws of chance and of rates
 * hold, within what chance allows.
 */
import { expect, test } from 'vitest'
import { type RandomStream, Simulator } from '#base/sim'
import { forSeeds } from '#base/testing'
import { createHost, createImage, type KernelHost, type NetlinkAnswer } from '#kernel/core'
import { createEthernet, insertAddress, makeAddress, type NetDevice, net, setDeviceUp } from '#kernel/net'
import { ETH_P_IP, frameLength, IPPROTO_UDP, Packet } from '#wire/inet'
import { type QdiscMessage, qdisc } from './index.ts'

const ROOT = 0xffffffff

interface Bench {
  host: KernelHost
  sim: Simulator
  device: NetDevice
  sent: { packet: Packet; atNs: number }[]
  ask(request: Record<string, unknown>): NetlinkAnswer
  qdiscs(): QdiscMessage[]
}

function bench(seed = 1): Bench {
  const image = createImage({ release: '6.1.0-test', profile: 'linux-6.1' })
  image.install(net)
  image.install(qdisc)
  const sim = new Simulator(seed)
  const host = createHost({ sim, image, name: 'a', number: 1, startS: 0 })
  const device = createEthernet(host, 'eth0', 0x020000000100)
  const sent: Bench['sent'] = []
  device.attach({ carrier: true, transmit: (packet) => void sent.push({ packet, atNs: sim.nowNs }) })
  setDeviceUp(device, true)
  insertAddress(makeAddress(device, { local: 0x0a000001, prefix: 24, broadcast: 0x0a0000ff }))
  const ask = (request: Record<string, unknown>) =>
    image.netlinkHandlers.get(request['type'] as string)!(host, { ifindex: 2, ...request })
  const qdiscs = () => {
    const answer = ask({ type: 'RTM_GETQDISC' })
    return answer.ok ? (answer.messages as QdiscMessage[]) : []
  }
  return { host, sim, device, sent, ask, qdiscs }
}

function datagram(random: RandomStream, length = random.below(1400)): Packet {
  const packet = new Packet()
  packet.macDst = 0x020000000200
  packet.macSrc = 0x020000000100
  packet.etherType = ETH_P_IP
  packet.src = 0x0a000001
  packet.dst = 0x0a000002
  packet.ttl = 64
  packet.protocol = IPPROTO_UDP
  packet.srcPort = 1000 + random.below(4)
  packet.dstPort = 80 + random.below(3)
  packet.priority = random.below(16)
  packet.buffer = new Uint8Array(length)
  packet.length = length
  return packet
}

const add = (parent: number, handle: number, kind: string, options: Record<string, unknown>) => ({
  type: 'RTM_NEWQDISC',
  parent,
  handle,
  kind,
  options,
  create: true,
  exclusive: true,
})

function leaf(random: RandomStream): [string, Record<string, unknown>] {
  const kinds: [string, Record<string, unknown>][] = [
    ['pfifo', { limit: 1 + random.below(30) }],
    ['bfifo', { limit: 1000 + random.below(20_000) }],
    ['sfq', {}],
    ['fq_codel', { limit: 1 + random.below(100) }],
    [
      'tbf',
      {
        rate: { rate: 50_000 + random.below(500_000) },
        burst: 1600 + random.below(4000),
        limit: 1600 + random.below(30_000),
      },
    ],
    [
      'netem',
      {
        latencyNs: random.below(1e8),
        jitterNs: random.below(1e7),
        limit: 1 + random.below(50),
        gap: 0,
        loss: random.uint32(),
        duplicate: 0,
      },
    ],
  ]
  return kinds[random.below(kinds.length)]!
}

/** A classful root with leaves of any kind. */
function plant(random: RandomStream, { ask }: Bench): void {
  if (random.below(2) === 0) {
    expect(ask(add(ROOT, 0x10000, 'prio', {})).ok).toBe(true)
  } else {
    expect(ask(add(ROOT, 0x10000, 'htb', { defaultClass: 1 + random.below(3) })).ok).toBe(true)
    const rate = { rate: 100_000 + random.below(1e6) }
    const options = { rate, ceil: rate, bufferTicks: 200_000, cbufferTicks: 200_000, prio: 0, quantum: 1500 }
    ask({ type: 'RTM_NEWTCLASS', classid: 0x1000a, parent: ROOT, kind: 'htb', options, create: true, exclusive: true })
    for (const minor of [1, 2, 3]) {
      const own = { ...options, rate: { rate: 10_000 + random.below(1e5) }, prio: random.below(3) }
      const parent = random.below(2) === 0 ? 0x1000a : ROOT
      ask({
        type: 'RTM_NEWTCLASS',
        classid: 0x10000 + minor,
        parent,
        kind: 'htb',
        options: own,
        create: true,
        exclusive: true,
      })
    }
    const keys = [{ value: 80, mask: 0xffff, offset: 20 }]
    ask({
      type: 'RTM_NEWTFILTER',
      parent: 0x10000,
      preference: 1,
      protocol: ETH_P_IP,
      handle: 0,
      kind: 'u32',
      options: { keys, classid: 0x10001 },
      create: true,
    })
  }
  for (const minor of [1, 2, 3]) {
    const [kind, options] = leaf(random)
    if (random.below(3) > 0) expect(ask(add(0x10000 + minor, minor * 0x100000, kind, options)).ok, kind).toBe(true)
  }
}

test('what goes in comes out, or is counted', () => {
  forSeeds(60, (random, seed) => {
    const b = bench(seed)
    plant(random, b)
    const count = 20 + random.below(150)
    for (let i = 0; i < count; i++) {
      b.device.transmit(datagram(random))
      if (random.below(3) === 0) b.sim.run(b.sim.nowNs + random.below(3e7))
      for (const { queue } of b.qdiscs()) {
        expect(queue.qlen).toBeGreaterThanOrEqual(0)
        expect(queue.backlog).toBeGreaterThanOrEqual(0)
      }
    }
    b.sim.run(b.sim.nowNs + 120e9)
    const [root] = b.qdiscs()
    for (const { queue, kind } of b.qdiscs()) {
      expect(queue.qlen, kind).toBe(0)
      expect(queue.backlog, kind).toBe(0)
    }
    expect(root!.counters.packets).toBe(b.sent.length)
    expect(root!.counters.bytes).toBe(b.sent.reduce((sum, { packet }) => sum + frameLength(packet), 0))
    expect(b.sent.length).toBeLessThanOrEqual(count)
    if (b.sent.length < count) expect(b.qdiscs().reduce((sum, { queue }) => sum + queue.drops, 0)).toBeGreaterThan(0)
    // And it can be taken away again, whatever it was.
    expect(b.ask({ type: 'RTM_DELQDISC', parent: ROOT, handle: 0 }).ok).toBe(true)
    expect(b.qdiscs()).toHaveLength(1)
  })
})

test('netem: as many are lost as it says, and delays are about what it says', () => {
  const b = bench()
  const lost = Math.floor(0.3 * 0xffffffff)
  b.ask(
    add(ROOT, 0x10000, 'netem', {
      latencyNs: 100e6,
      jitterNs: 10e6,
      limit: 100_000,
      gap: 0,
      loss: lost,
      duplicate: 0,
      distribution: 'normal',
    }),
  )
  const random = b.sim.random('test')
  for (let i = 0; i < 5000; i++) b.device.transmit(datagram(random, 100))
  const startNs = b.sim.nowNs
  b.sim.run(startNs + 2e9)
  expect(b.sent.length / 5000).toBeGreaterThan(0.67)
  expect(b.sent.length / 5000).toBeLessThan(0.73)
  const delays = b.sent.map(({ atNs }) => (atNs - startNs) / 1e6)
  const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length
  const deviation = Math.sqrt(delays.reduce((sum, delay) => sum + (delay - mean) ** 2, 0) / delays.length)
  expect(mean).toBeGreaterThan(99)
  expect(mean).toBeLessThan(101)
  expect(deviation).toBeGreaterThan(9)
  expect(deviation).toBeLessThan(11)
})

test('netem: losses come in bursts where the model says so', () => {
  const share = (value: number) => Math.floor(value * 0xffffffff)
  const runs = (lossModel: Record<string, unknown>) => {
    const b = bench()
    b.ask(
      add(ROOT, 0x10000, 'netem', { latencyNs: 0, jitterNs: 0, limit: 1000, gap: 0, loss: 0, duplicate: 0, lossModel }),
    )
    const random = b.sim.random('test')
    let bursts = 0
    let lost = 0
    let before = false
    for (let i = 0; i < 8000; i++) {
      const had = b.sent.length
      b.device.transmit(datagram(random, 50))
      const gone = b.sent.length === had
      if (gone) lost++
      if (gone && !before) bursts++
      before = gone
    }
    return { lost: lost / 8000, length: lost / bursts }
  }
  // Gilbert and Elliott: from good to bad in 1 %, back in 20 %, all is lost while it is bad: 4.8 % in bursts of five.
  const ge = runs({ model: 'gemodel', p: share(0.01), r: share(0.2), h: 0, k1: 0 })
  expect(ge.lost).toBeGreaterThan(0.03)
  expect(ge.lost).toBeLessThan(0.07)
  expect(ge.length).toBeGreaterThan(3.5)
  expect(ge.length).toBeLessThan(6.5)
  // Four states: losses begin in 2 %, end in a half.
  const four = runs({ model: 'state', p13: share(0.02), p31: share(0.5), p32: 0, p23: share(1), p14: 0 })
  expect(four.length).toBeGreaterThan(1.6)
  expect(four.length).toBeLessThan(2.5)
})

test('tbf and htb: never faster than their rate and burst allow', () => {
  forSeeds(20, (random, seed) => {
    const b = bench(seed)
    const rate = 20_000 + random.below(200_000)
    const burst = 1600 + random.below(5000)
    if (random.below(2) === 0) b.ask(add(ROOT, 0x10000, 'tbf', { rate: { rate }, burst, limit: 50_000 }))
    else {
      b.ask(add(ROOT, 0x10000, 'htb', { defaultClass: 1 }))
      const ticks = Math.floor(((burst * 1e6) / rate) * 15.625)
      const options = {
        rate: { rate },
        ceil: { rate },
        bufferTicks: ticks,
        cbufferTicks: ticks,
        prio: 0,
        quantum: 1500,
      }
      b.ask({
        type: 'RTM_NEWTCLASS',
        classid: 0x10001,
        parent: ROOT,
        kind: 'htb',
        options,
        create: true,
        exclusive: true,
      })
    }
    for (let i = 0; i < 200; i++) {
      b.device.transmit(datagram(random))
      if (random.below(2) === 0) b.sim.run(b.sim.nowNs + random.below(2e7))
    }
    b.sim.run(b.sim.nowNs + 20e9)
    // Between any two departures no more than the burst, what the time brought, and htb's last packet on credit.
    let bytes = 0
    const sums = b.sent.map(({ packet, atNs }) => ({ atNs, before: bytes, after: (bytes += frameLength(packet)) }))
    for (let i = 0; i < sums.length; i += 7) {
      for (let j = i; j < sums.length; j += 5) {
        const allowed = burst + 1514 + ((sums[j]!.atNs - sums[i]!.atNs) * rate) / 1e9 + 2
        expect(sums[j]!.after - sums[i]!.before).toBeLessThanOrEqual(allowed)
      }
    }
  })
})
