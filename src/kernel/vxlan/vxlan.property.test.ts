/** Garbage on a VXLAN port throws nothing and teaches nothing wrong; a learned table stays within its bounds. */
import { expect, test } from 'vitest'
import { Simulator } from '#base/sim'
import { forSeeds } from '#base/testing'
import { createHost, createImage } from '#kernel/core'
import {
  createEthernet,
  deviceByName,
  type FdbMessage,
  insertAddress,
  makeAddress,
  net,
  setDeviceUp,
} from '#kernel/net'
import { tunnel } from '#kernel/tunnel'
import { ETH_P_IP, emitFrame, IPPROTO_UDP, Packet, parseFrame } from '#wire/inet'
import { vxlan } from './index.ts'

const MAC = 0x020000000100

function bench() {
  const image = createImage({ release: '6.1.0-test', profile: 'linux-6.1' })
  for (const room of [net, tunnel, vxlan]) image.install(room)
  const sim = new Simulator(1)
  const host = createHost({ sim, image, name: 'a', number: 1, startS: 0 })
  const sent: Packet[] = []
  const card = createEthernet(host, 'eth0', MAC)
  card.attach({ carrier: true, transmit: (packet) => void sent.push(packet) })
  setDeviceUp(card, true)
  insertAddress(makeAddress(card, { local: 0x0a000001, prefix: 24, broadcast: 0x0a0000ff }))
  const ask = (request: Record<string, unknown>) => image.netlinkHandlers.get(request['type'] as string)!(host, request)
  const data = { id: 7, remote: 0x0a000002, port: 4789, ageing: 20, maxAddresses: 50 }
  expect(ask({ type: 'RTM_NEWLINK', kind: 'vxlan', name: 'vx0', data, create: true }).ok).toBe(true)
  setDeviceUp(deviceByName(host, 'vx0')!, true)
  const entries = () =>
    deviceByName(host, 'vx0')!.driver!.fdbDump!(deviceByName(host, 'vx0')!, undefined) as FdbMessage[]
  return { sim, host, card, sent, entries }
}

function encapsulated(vni: number, inner: Uint8Array, from: number, flags = 8): Packet {
  const packet = new Packet()
  packet.macDst = MAC
  packet.macSrc = 0x020000000200
  packet.etherType = ETH_P_IP
  packet.src = from
  packet.dst = 0x0a000001
  packet.ttl = 64
  packet.protocol = IPPROTO_UDP
  packet.srcPort = 40_000
  packet.dstPort = 4789
  const bytes = new Uint8Array(8 + inner.length)
  bytes[0] = flags
  new DataView(bytes.buffer).setUint32(4, vni * 256)
  bytes.set(inner, 8)
  packet.buffer = bytes
  packet.length = bytes.length
  return packet
}

test('garbage', () => {
  const { sim, card, entries } = bench()
  forSeeds(400, (random) => {
    const inner = random.bytes(random.below(90))
    if (random.below(2) === 0 && inner.length > 34) inner.set([8, 0, 0x45], 12)
    const packet = encapsulated(random.below(3) === 0 ? random.uint32() >>> 8 : 7, inner, 0x0a000002 + random.below(9))
    if (random.below(8) === 0) packet.length = random.below(packet.length + 1)
    card.receive(parseFrame(emitFrame(packet)))
    sim.run(sim.nowNs + 1e6)
    expect(entries().length).toBeLessThanOrEqual(50)
  })
  sim.run(sim.nowNs + 60e9)
  // What was learned is forgotten; what was said stays.
  expect(entries().map(({ address, state }) => [address, state])).toEqual([[0, 'PERMANENT']])
})

test('another network’s frames, and reserved bits, teach nothing', () => {
  const { card, entries } = bench()
  const inner = new Uint8Array(60)
  inner.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0])
  card.receive(parseFrame(emitFrame(encapsulated(8, inner, 0x0a000002))))
  card.receive(parseFrame(emitFrame(encapsulated(7, inner, 0x0a000002, 0))))
  card.receive(parseFrame(emitFrame(encapsulated(7, inner, 0x0a000002, 0x88))))
  expect(entries()).toHaveLength(1)
  card.receive(parseFrame(emitFrame(encapsulated(7, inner, 0x0a000002))))
  expect(entries().map(({ address, dst }) => [address, dst])).toEqual([
    [0, '10.0.0.2'],
    [0x020000000009, '10.0.0.2'],
  ])
})
