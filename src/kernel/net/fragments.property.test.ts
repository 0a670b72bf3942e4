import { describe, expect, test } from 'vitest'
import { RandomStream, SECOND, Simulator } from '#base/sim'
import { IP_MF, type Packet, parseIpv4, RAW_IP_PAYLOAD } from '#wire/inet'
import { newIpPacket } from './ip-output.ts'
import { inetState } from './ip-state.ts'
import { inet, inetImage, inetSocket } from './ip-testing.ts'
import { TestCable, testCard, testHost } from './testing.ts'

function receiver(seed = 1) {
  const sim = new Simulator(seed)
  const image = inetImage()
  const host = testHost(sim, 'h', image)
  const eth0 = testCard(host, 'eth0', 0x020000000100, '10.0.0.1/24')
  const cable = new TestCable(sim, eth0, testCard(testHost(sim, 'o', image), 'eth0', 0x020000000200, '10.0.0.2/24'))
  sim.run(2 * SECOND)
  const socket = inetSocket(host, 'SOCK_DGRAM').socket!
  socket.bind(inet('0.0.0.0', 7))
  return { sim, host, eth0, cable, socket, counters: () => inetState.of(host).count() }
}

/** A UDP datagram's bytes from the UDP header on; its checksum is not computed. */
function datagram(size: number): Uint8Array {
  const bytes = new Uint8Array(8 + size)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, 1000)
  view.setUint16(2, 7)
  view.setUint16(4, bytes.length)
  for (let i = 8; i < bytes.length; i++) bytes[i] = i * 31
  return bytes
}

function piece(bytes: Uint8Array, from: number, to: number, id = 1, more = to < bytes.length): Packet {
  const packet = newIpPacket(parseIpv4('10.0.0.2')!, parseIpv4('10.0.0.1')!, 17, 0, 64)
  packet.macDst = 0x020000000100
  packet.ipId = id
  packet.fragment = from / 8 + (more ? IP_MF : 0)
  packet.raw = RAW_IP_PAYLOAD
  packet.buffer = bytes
  packet.offset = from
  packet.length = to - from
  return packet
}

test('fragments in any order, some twice, of several datagrams at once, make the datagrams again', () => {
  for (let seed = 1; seed <= 150; seed++) {
    const random = new RandomStream(seed, 'fragments')
    const { eth0, socket, counters } = receiver(seed)
    const count = 1 + random.below(3)
    const pieces: Packet[] = []
    const sizes: number[] = []
    for (let id = 1; id <= count; id++) {
      const bytes = datagram(700 + random.below(4000))
      sizes.push(bytes.length - 8)
      for (let from = 0; from < bytes.length; ) {
        const to = Math.min(bytes.length, from + 8 * (1 + random.below(80)))
        pieces.push(piece(bytes, from, to, id))
        if (random.below(8) === 0 && pieces.length > 1) pieces.push(pieces[pieces.length - 1]!.clone())
        from = to
      }
    }
    if (pieces.length > 60) continue // A sender that is that far ahead is not waited for: ipfrag_max_dist.
    for (let i = pieces.length - 1; i > 0; i--) {
      const j = random.below(i + 1)
      const swapped = pieces[i]!
      pieces[i] = pieces[j]!
      pieces[j] = swapped
    }
    for (const one of pieces) eth0.receive(one)
    const got: number[] = []
    for (let next = socket.receive(65536, {}); next.ok; next = socket.receive(65536, {})) {
      got.push(next.value.bytes.length)
      expect(next.value.bytes, `seed ${seed}`).toEqual(datagram(next.value.bytes.length).subarray(8))
    }
    expect(got.sort(), `seed ${seed}`).toEqual(sizes.sort())
    expect(counters().reasmOks).toBe(count)
    expect(counters().reasmOverlaps).toBe(0)
  }
})

describe('what makes no datagram', () => {
  const bytes = datagram(992) // 1000 with its header.

  test('a fragment is missing: after 30 s the sender is told, once', () => {
    const { sim, eth0, cable, counters } = receiver()
    eth0.receive(piece(bytes, 0, 400))
    sim.run(sim.nowNs + 29 * SECOND)
    const icmp = () => cable.seen.filter(({ packet }) => packet.etherType === 0x0800 && packet.protocol === 1)
    expect(icmp()).toHaveLength(0)
    sim.run(sim.nowNs + 5 * SECOND)
    expect(icmp().map(({ packet }) => [packet.icmpType, packet.icmpCode])).toEqual([[11, 1]])
    expect(counters()).toMatchObject({ reasmFails: 1, reasmTimeout: 1, reasmReqds: 1 })
  })

  test('the first one is missing: nobody is told', () => {
    const { sim, eth0, cable, counters } = receiver()
    eth0.receive(piece(bytes, 400, 1000))
    sim.run(sim.nowNs + 40 * SECOND)
    expect(cable.seen.filter(({ packet }) => packet.etherType === 0x0800 && packet.protocol === 1)).toHaveLength(0)
    expect(counters().reasmTimeout).toBe(1)
  })

  test('fragments that overlap throw all of it away', () => {
    const { eth0, socket, counters } = receiver()
    eth0.receive(piece(bytes, 0, 400))
    eth0.receive(piece(bytes, 200, 600))
    eth0.receive(piece(bytes, 600, 1000))
    expect(socket.receive(2000, {})).toMatchObject({ errno: 'EAGAIN' })
    expect(counters()).toMatchObject({ reasmOverlaps: 1, reasmFails: 1, reasmOks: 0 })
  })

  test('two ends that differ, and nothing in a fragment', () => {
    const { eth0, socket, counters } = receiver()
    eth0.receive(piece(bytes, 400, 1000))
    eth0.receive(piece(bytes, 800, 960, 1, false))
    eth0.receive(piece(bytes, 0, 0, 2, true))
    expect(socket.receive(2000, {})).toMatchObject({ errno: 'EAGAIN' })
    expect(counters().reasmFails).toBe(2)
  })
})
