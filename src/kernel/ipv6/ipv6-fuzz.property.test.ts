/** Frames that are nearly IPv6, through a router with sockets of its own: nothing throws, and nothing grows without end. */
import { expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { internetChecksum, sumWords } from '#base/bytes'
import { RandomStream, SECOND } from '#base/sim'
import { parseLab } from '#lab/plan'
import { type Ipv6Address, ipv6Bytes, parseFrame, parseIpv6 } from '#wire/inet'
import { state6 } from './state.ts'
import { setConf6 } from './sysctl.ts'

/** KAIDOKU_FUZZ=100000 asks for as many frames. */
const FRAMES = Number(process.env['KAIDOKU_FUZZ'] ?? 4000)

const LAB = `
networks: { left: {}, right: {} }
hosts:
  a: { ipv6: true, eth0: left fd00:1::1/64 }
  r: { ipv6: true, eth0: left fd00:1::254/64, eth1: right fd00:2::254/64, sysctl: { net.ipv6.conf.all.forwarding: 1 } }
  b: { ipv6: true, eth0: right fd00:2::2/64 }
`
const ADDRESSES = [
  'fd00:1::1',
  'fd00:1::254',
  'fd00:2::2',
  'fd00:2::254',
  'fd00:2::99',
  'fd00:1::',
  '2001:db8::1',
  '::',
  '::1',
  '::ffff:10.0.0.1',
  'ff02::1',
  'ff02::2',
  'ff02::1:ff00:254',
  'ff02::16',
  'ff05::2',
  'fe80::1',
  'fe80::ff:fe00:100',
  'fe80::ff:fe00:200',
].map((text) => parseIpv6(text)!)

function labOf() {
  const lab = new SimLab(parseLab(LAB, 'lab.yaml').plan, { seed: 1, start: 1_767_225_600, capture: false })
  const r = lab.world.host('r').kernel
  const eth0 = state6.of(r).net.devices.find((device) => device.name === 'eth0')!
  return { lab, r, eth0 }
}

const put16 = (value: number) => [(value >>> 8) & 255, value & 255]

/** Chains of extension headers with likely and unlikely contents. */
function extensions(random: RandomStream, protocol: number): { first: number; bytes: number[] } {
  const types: number[] = []
  for (let i = random.below(4); i > 0; i--) types.push([0, 43, 44, 44, 60][random.below(5)]!)
  const bytes: number[] = []
  for (const [i, type] of types.entries()) {
    const header = [types[i + 1] ?? protocol]
    if (type === 44)
      header.push(random.below(3), ...put16(random.below(40) * 8 + random.below(8)), 0, 0, 0, random.below(3))
    else {
      const length = random.below(3)
      header.push(length)
      const fill = [...random.bytes(6 + length * 8)]
      const known = [
        [5, 2, 0, 0, 1, 0],
        [1, 4, 0, 0, 0, 0],
        [0xc2, 4, 0, 1, 0, 0],
        [0xc9, 2, 1, 2, 1, 0],
        [random.below(4), random.below(4), 0, 0, 0, 0],
      ][random.below(5)]!
      if (random.below(3) > 0) for (let at = 0; at < 6; at++) fill[at] = known[at]!
      header.push(...fill)
    }
    bytes.push(...header)
  }
  return { first: types[0] ?? protocol, bytes }
}

function options(random: RandomStream): number[] {
  const all: number[] = []
  for (let i = random.below(4); i > 0; i--) {
    const units = random.below(8) === 0 ? random.below(256) : 1 + random.below(5)
    const body = [...random.bytes(Math.min(units, 6) * 8)]
    body[0] = [1, 2, 3, 4, 5, 14, 24, 25, 31, random.below(256)][random.below(10)]!
    body[1] = units
    if (body[0] === 3 && body.length >= 32) {
      body[2] = [64, 128, 0, random.below(256)][random.below(4)]!
      body[3] = 0xc0
      body.splice(16, 16, ...ipv6Bytes(ADDRESSES[random.below(ADDRESSES.length)]!))
    }
    all.push(...body)
  }
  return all
}

function message(random: RandomStream, address: () => Ipv6Address): number[] {
  const type = [1, 2, 3, 4, 128, 129, 130, 131, 132, 133, 134, 135, 135, 136, 136, 137, 143, random.below(256)][
    random.below(18)
  ]!
  const head = [type, random.below(4) === 0 ? random.below(10) : 0, 0, 0, ...random.bytes(4)]
  if (type < 128) return [...head, ...packetBytes(random, 1).slice(0, random.below(120))]
  if (type === 133) return [...head, ...options(random)]
  if (type === 134) return [...head, ...random.bytes(8), ...options(random)]
  if (type === 135 || type === 136) return [...head, ...ipv6Bytes(address()), ...options(random)]
  if (type === 137) return [...head, ...ipv6Bytes(address()), ...ipv6Bytes(address()), ...options(random)]
  if (type >= 130 && type <= 132)
    return [
      ...head,
      ...ipv6Bytes(address()),
      ...(random.below(2) === 0 ? [random.below(16), 20, ...put16(random.below(4))] : []),
    ]
  return [...head, ...random.bytes(random.below(80))]
}

/** A packet of IPv6; its checksum is mostly right. */
function packetBytes(random: RandomStream, depth = 0): number[] {
  const address = () => ADDRESSES[random.below(ADDRESSES.length)]!
  const src = ipv6Bytes(address())
  const dst = ipv6Bytes(random.below(3) === 0 ? ADDRESSES[1]! : address())
  const protocol = [58, 58, 58, 17, 6, 59, 41, 50, 132][random.below(9)]!
  const ports = [...put16(1000 * (1 + random.below(3))), ...put16(1000 * (1 + random.below(3)))]
  let body: number[]
  if (protocol === 58 && depth < 2) body = message(random, address)
  else if (protocol === 17) {
    const data = [...random.bytes(random.below(60))]
    body = [...ports, ...put16(data.length + 8), 0, 0, ...data]
  } else if (protocol === 6)
    body = [
      ...ports,
      ...random.bytes(8),
      0x50 + 16 * random.below(3),
      random.below(64),
      ...random.bytes(2),
      0,
      0,
      0,
      0,
      ...random.bytes(8 * random.below(3)),
    ]
  else body = [...random.bytes(random.below(60))]
  const word = { 58: 2, 17: 6, 6: 16 }[protocol]
  if (word !== undefined && body.length >= word + 2 && random.below(10) > 0) {
    const pseudo = sumWords(Uint8Array.from([...src, ...dst]), 0, 32, protocol + body.length)
    const sum = internetChecksum(Uint8Array.from(body), 0, body.length, pseudo)
    body[word] = sum >>> 8
    body[word + 1] = sum & 255
  }
  const { first, bytes } = random.below(3) === 0 ? extensions(random, protocol) : { first: protocol, bytes: [] }
  const length = bytes.length + body.length - (random.below(10) === 0 ? random.below(4) : 0)
  const hops = [255, 255, 64, 1, 0][random.below(5)]!
  return [0x60, 0, 0, random.below(2), ...put16(Math.max(0, length)), first, hops, ...src, ...dst, ...bytes, ...body]
}

function frameOf(random: RandomStream, packet: number[]): Uint8Array {
  return frameTo(random.below(4) === 0 ? [0x33, 0x33, 0, 0, 0, 1] : [2, 0, 0, 0, 2, 0], packet)
}

function frameTo(mac: number[], packet: number[]): Uint8Array {
  return Uint8Array.from([...mac, 2, 0, 0, 0, 1, 0, 0x86, 0xdd, ...packet])
}

test('no packet makes a router throw', async () => {
  const { lab, r, eth0 } = labOf()
  const random = new RandomStream(7, 'fuzz6')
  await lab.command('r', 'sleep 3; sh -c "ncat -6 -l 1000 > /dev/null &"')
  for (let i = 0; i < FRAMES; i++) {
    if (i % 400 === 0) {
      setConf6(r, 'eth0', 'acceptRa', random.below(3))
      setConf6(r, 'all', 'proxyNdp', random.below(2))
      setConf6(r, 'eth0', 'acceptRedirects', random.below(2))
      setConf6(r, 'eth0', 'forwarding', random.below(2))
      await lab.command('r', 'sleep 20')
    }
    const bytes = frameOf(random, packetBytes(random))
    for (let flips = random.below(4); flips > 2; flips--)
      bytes[14 + random.below(bytes.length - 14)] = random.below(256)
    eth0.receive(parseFrame(random.below(10) === 0 ? bytes.slice(0, 14 + random.below(bytes.length - 14)) : bytes))
    if (i % 50 === 0) r.sim.run(r.sim.nowNs + 10_000_000)
  }
  const shown = await lab.command('r', 'cat /proc/net/snmp6; ip -6 addr; ip -6 route show table all; ip -6 neigh')
  expect(shown.output).not.toContain('NaN')
})

/** A packet of IPv6 with right lengths. */
function whole(src: Ipv6Address, dst: Ipv6Address, next: number, body: number[]): number[] {
  return [0x60, 0, 0, 0, ...put16(body.length), next, 255, ...ipv6Bytes(src), ...ipv6Bytes(dst), ...body]
}

test('a flood of fragments is bounded, and forgotten in time', async () => {
  const { r, eth0 } = labOf()
  const random = new RandomStream(3, 'fragments')
  const state = state6.of(r)
  const high = state.sysctls.ip6fragHighThresh
  for (let i = 0; i < 12_000; i++) {
    const fragment = [17, 0, ...put16((1 + random.below(20)) * 64 + 1), ...put16(i >>> 16), ...put16(i & 0xffff)]
    const packet = whole(ADDRESSES[0]!, ADDRESSES[1]!, 44, [...fragment, ...random.bytes(512)])
    eth0.receive(parseFrame(frameTo([2, 0, 0, 0, 2, 0], packet)))
    if (i % 1000 === 0) {
      r.sim.run(r.sim.nowNs + 1_000_000)
      expect(state.fragments?.memory ?? 0).toBeLessThanOrEqual(high + 2000)
    }
  }
  r.sim.run(r.sim.nowNs + 70 * SECOND)
  expect(state.fragments?.memory ?? 0).toBe(0)
  expect(state.fragments?.queues.size ?? 0).toBe(0)
})

test('a flood of neighbours, routers and prefixes is bounded', async () => {
  const { lab, r, eth0 } = labOf()
  setConf6(r, 'eth0', 'acceptRa', 2)
  const random = new RandomStream(4, 'neighbours')
  const all = parseIpv6('ff02::1')!
  for (let i = 0; i < 2500; i++) {
    const from = parseIpv6(`fe80::${(1 + random.below(0xfffe)).toString(16)}`)!
    const prefix = [...ipv6Bytes(parseIpv6(`2001:db8:${i.toString(16)}::`)!)]
    const information = [3, 4, 64, 0xc0, 0, 0, 14, 16, 0, 0, 14, 16, 0, 0, 0, 0, ...prefix]
    const advertisement = [
      134,
      0,
      0,
      0,
      64,
      0,
      ...put16(1800),
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      1,
      1,
      2,
      0,
      0,
      0,
      9,
      9,
      ...information,
    ]
    const solicitation = [135, 0, 0, 0, 0, 0, 0, 0, ...ipv6Bytes(ADDRESSES[1]!), 1, 1, 2, 0, 0, 0, ...put16(i)]
    for (const [dst, body] of [
      [all, advertisement],
      [ADDRESSES[1]!, solicitation],
    ] as const) {
      const packet = whole(from, dst, 58, body)
      const sum = internetChecksum(
        Uint8Array.from(packet),
        40,
        body.length,
        sumWords(Uint8Array.from(packet), 8, 32, 58 + body.length),
      )
      packet[42] = sum >>> 8
      packet[43] = sum & 255
      eth0.receive(parseFrame(frameTo([2, 0, 0, 0, 2, 0], packet)))
    }
    if (i % 100 === 0) r.sim.run(r.sim.nowNs + 10_000_000)
  }
  const count = async (line: string) => Number((await lab.command('r', line)).output)
  expect(await count('ip -6 neigh | wc -l')).toBeLessThanOrEqual(1100)
  expect(await count('ip -6 addr show dev eth0 scope global | grep -c inet6')).toBeLessThanOrEqual(17)
  expect(await count('ip -6 route | wc -l')).toBeLessThanOrEqual(6000)
})
