/** Whatever comes in a tunnel's packets, nothing throws; and what goes round ends. */
import { expect, test } from 'vitest'
import { Simulator } from '#base/sim'
import { forSeeds } from '#base/testing'
import { createHost, createImage, type KernelHost } from '#kernel/core'
import { createEthernet, devices, insertAddress, makeAddress, net, setDeviceUp } from '#kernel/net'
import { ETH_P_IP, emitFrame, Packet, parseFrame, parseIpv4, RAW_IP_PAYLOAD } from '#wire/inet'
import { emitGre, parseGre, tunnel } from './index.ts'

const MAC = 0x020000000100

function hostWith(requests: Record<string, unknown>[]): { host: KernelHost; sim: Simulator; sent: Packet[] } {
  const image = createImage({ release: '6.1.0-test', profile: 'linux-6.1' })
  image.install(net)
  image.install(tunnel)
  const sim = new Simulator(1)
  const host = createHost({ sim, image, name: 'a', number: 1, startS: 0 })
  const sent: Packet[] = []
  const card = createEthernet(host, 'eth0', MAC)
  card.attach({ carrier: true, transmit: (packet) => void sent.push(packet) })
  setDeviceUp(card, true)
  insertAddress(makeAddress(card, { local: parseIpv4('10.0.0.1')!, prefix: 24, broadcast: 0x0a0000ff }))
  for (const request of requests) {
    const answer = image.netlinkHandlers.get(request['type'] as string)!(host, request)
    expect(answer).toMatchObject({ ok: true })
  }
  return { host, sim, sent }
}

const remote = parseIpv4('10.0.0.2')!
const local = parseIpv4('10.0.0.1')!

function up(ifindex: number): Record<string, unknown> {
  return { type: 'RTM_SETLINK', ifindex, flags: 1, change: 1 }
}

test('gre: what is made is read back, and no bytes throw', () => {
  forSeeds(300, (random) => {
    const header = {
      protocol: random.below(65536),
      csum: random.below(2) === 1,
      key: random.below(2) === 1 ? random.uint32() : undefined,
      seq: random.below(2) === 1 ? random.uint32() : undefined,
    }
    const inner = random.bytes(random.below(50))
    const bytes = emitGre(header, inner)
    const parsed = parseGre(bytes)!
    expect(parsed).toMatchObject(header)
    expect(bytes.subarray(parsed.length)).toEqual(inner)
    parseGre(random.bytes(random.below(24)))
  })
})

test('garbage in a tunnel’s packets', () => {
  const { host, sim } = hostWith([
    { type: 'SIOCADDTUNNEL', device: 'tunl0', name: 't0', params: { local, remote, protocol: 4 } },
    { type: 'SIOCADDTUNNEL', device: 'gre0', name: 'g0', params: { local, remote, protocol: 47 } },
    { type: 'SIOCADDTUNNEL', device: 'sit0', name: 's0', params: { local, remote, protocol: 0 } },
    { type: 'RTM_NEWLINK', kind: 'gretap', name: 'gt0', data: { local, remote }, create: true },
    ...[4, 8, 10, 11].map(up),
  ])
  forSeeds(400, (random) => {
    const packet = new Packet()
    packet.macDst = MAC
    packet.macSrc = 0x020000000200
    packet.etherType = ETH_P_IP
    packet.src = remote
    packet.dst = local
    packet.ttl = 64
    packet.tos = random.below(256)
    packet.protocol = [4, 41, 47][random.below(3)]!
    packet.raw = RAW_IP_PAYLOAD
    const bytes = random.bytes(random.below(120))
    // Half look nearly right.
    if (random.below(2) === 0 && bytes.length > 24) {
      if (packet.protocol === 47)
        bytes.set([random.below(2) * 0xb0, 0, [8, 0x65, 0x86][random.below(3)]!, [0, 0x58, 0xdd][random.below(3)]!])
      else bytes.set([0x45, 0, 0, bytes.length])
    }
    packet.buffer = bytes
    packet.length = bytes.length
    const device = devices(host).find(({ name }) => name === 'eth0')!
    device.receive(parseFrame(emitFrame(packet)))
    sim.run(sim.nowNs + 1e6)
  })
})

test('two tunnels that lead into each other end', () => {
  const { host, sim, sent } = hostWith([
    { type: 'SIOCADDTUNNEL', device: 'tunl0', name: 't0', params: { remote: parseIpv4('10.9.0.1')! } },
    { type: 'SIOCADDTUNNEL', device: 'tunl0', name: 't1', params: { remote: parseIpv4('10.9.0.2')! } },
    up(4),
    up(5),
  ])
  const route = (dst: string, ifindex: number) =>
    host.image.netlinkHandlers.get('RTM_NEWROUTE')!(host, {
      type: 'RTM_NEWROUTE',
      family: 'AF_INET',
      dst: parseIpv4(dst)!,
      prefix: 32,
      scope: 253,
      nextHops: [{ ifindex }],
      create: true,
    })
  expect(route('10.9.0.1', 5).ok).toBe(true)
  expect(route('10.9.0.2', 4).ok).toBe(true)
  const t0 = devices(host).find(({ name }) => name === 't0')!
  const packet = new Packet()
  packet.etherType = ETH_P_IP
  packet.src = local
  packet.dst = parseIpv4('10.9.0.1')!
  packet.ttl = 64
  packet.protocol = 17
  t0.transmit(packet)
  sim.run(sim.nowNs + 1e9)
  expect(sent).toEqual([])
  expect(host.klog().some(({ text }) => /^Dead loop on virtual device t[01], fix it urgently!$/.test(text))).toBe(true)
})
