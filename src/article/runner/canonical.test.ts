/** Which frames are equal: what may differ between two real runs, and what must not. */
import { describe, expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import {
  ETH_P_ARP,
  ETH_P_IP,
  emitFrame,
  IP_DF,
  IP_MF,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  Packet,
  parseFrame,
} from '#wire/inet'
import { canonicalFrame, Names } from './canonical.ts'

const CHOSEN = new Set(['02:00:00:00:01:00', '02:00:00:00:02:00', '8080', '40000'])
const names = () => new Names((word) => CHOSEN.has(word))

function packet(fields: Partial<Packet>): Packet {
  return Object.assign(
    new Packet(),
    { macSrc: 0x020000000100, macDst: 0x020000000200, etherType: ETH_P_IP, ttl: 64, src: 0x0a000001, dst: 0x0a000002 },
    fields,
  )
}

const data = (...bytes: number[]) => ({ buffer: Uint8Array.from(bytes), length: bytes.length })
const echo = (fields: Partial<Packet> = {}) =>
  packet({ protocol: IPPROTO_ICMP, icmpType: 8, icmpRest: 7 * 65_536 + 1, ...data(...new Uint8Array(24)), ...fields })
const udp = (fields: Partial<Packet> = {}) =>
  packet({ protocol: IPPROTO_UDP, srcPort: 33_000, dstPort: 53, ...data(1, 2, 3), ...fields })
const timestamps = (value: number, reply: number) => {
  const bytes = new Uint8Array(12)
  bytes.set([1, 1, 8, 10])
  new DataView(bytes.buffer).setUint32(4, value)
  new DataView(bytes.buffer).setUint32(8, reply)
  return bytes
}
const tcp = (fields: Partial<Packet> = {}) =>
  packet({ protocol: IPPROTO_TCP, srcPort: 33_000, dstPort: 80, seq: 5000, tcpFlags: 2, window: 100, ...fields })
const arp = (fields: Partial<Packet> = {}) =>
  packet({ etherType: ETH_P_ARP, arpOp: 1, arpSha: 0x020000000100, arpSpa: 0x0a000001, arpTpa: 0x0a000002, ...fields })

/** An ICMP error that quotes a packet. */
function unreachable(quoted: Packet, fields: Partial<Packet> = {}): Packet {
  const bytes = emitFrame(quoted).slice(14)
  return packet({ protocol: IPPROTO_ICMP, icmpType: 3, icmpCode: 1, buffer: bytes, length: bytes.length, ...fields })
}

/** The frames of a run as text, from one set of names. */
function texts(...frames: (Packet | Uint8Array)[]): string[] {
  const all = names()
  return frames.map((frame) => canonicalFrame(frame instanceof Packet ? emitFrame(frame).slice() : frame, all))
}

/** A frame with one byte changed, checksums left as they were. */
function changed(frame: Packet, at: number): Uint8Array {
  const bytes = emitFrame(frame).slice()
  bytes[at]! ^= 1
  return bytes
}

describe('may differ', () => {
  test.each<[string, Packet, Packet]>([
    ['an IP identification', echo({ ipId: 1 }), echo({ ipId: 2 })],
    ['an ICMP identifier', echo(), echo({ icmpRest: 9 * 65_536 + 1 })],
    ['the time in an echo request', echo(data(...new Uint8Array(24).fill(1, 0, 16))), echo()],
    ['a port that nobody chose', udp(), udp({ srcPort: 45_000 })],
    ['a MAC address that nobody chose', udp({ macSrc: 0x026666666666 }), udp({ macSrc: 0x027777777777 })],
    ['one in ARP', arp({ arpSha: 0x026666666666 }), arp({ arpSha: 0x027777777777 })],
    ['a first sequence number', tcp({ seq: 1 }), tcp({ seq: 4_000_000_000 })],
    ['TCP’s timestamps', tcp({ tcpOptions: timestamps(1, 2) }), tcp({ tcpOptions: timestamps(3, 4) })],
    ['all of them in a quoted packet', unreachable(udp({ ipId: 7 })), unreachable(udp({ ipId: 8, srcPort: 45_000 }))],
    ['an identification of fragments', udp({ ipId: 1, fragment: IP_MF }), udp({ ipId: 2, fragment: IP_MF })],
  ])('%s', (_what, a, b) => expect(texts(a)).toEqual(texts(b)))
})

describe('must not', () => {
  test.each<[string, Packet, Packet | Uint8Array]>([
    ['a chosen MAC address', udp(), udp({ macSrc: 0x020000000200 })],
    ['a group address', udp({ macDst: 0xffffffffffff }), udp({ macDst: 0x01005e000001 })],
    ['an address of a target in ARP', arp(), arp({ arpTpa: 0x0a000003 })],
    ['ARP’s operation', arp(), arp({ arpOp: 2 })],
    ['a target’s MAC address that is zero', arp(), arp({ arpTha: 0x026666666666 })],
    ['the TTL', echo(), echo({ ttl: 63 })],
    ['TOS', echo(), echo({ tos: 0x10 })],
    ['DF', echo(), echo({ fragment: IP_DF })],
    ['an address', echo(), echo({ dst: 0x0a000003 })],
    ['ICMP’s type', echo(), echo({ icmpType: 0 })],
    ['a sequence number of ICMP', echo(), echo({ icmpRest: 7 * 65_536 + 2 })],
    ['data behind the time', echo(), echo(data(...new Uint8Array(24).fill(9, 16)))],
    ['how much data', echo(), echo(data(...new Uint8Array(25)))],
    ['short data, which holds no time', echo(data(1, 2)), echo(data(1, 3))],
    ['a chosen port', udp(), udp({ dstPort: 54 })],
    ['a chosen port, though ephemeral', udp(), udp({ srcPort: 40_000 })],
    ['UDP’s data', udp(), udp(data(1, 2, 4))],
    ['a UDP checksum that is none', udp(), udp({ checksum: 0 })],
    ['TCP’s flags', tcp(), tcp({ tcpFlags: 16 })],
    ['TCP’s window', tcp(), tcp({ window: 101 })],
    ['TCP’s options', tcp(), tcp({ tcpOptions: timestamps(1, 2) })],
    ['an IP checksum that is wrong', echo(), changed(echo(), 24)],
    ['an ICMP checksum that is wrong', echo(), changed(echo(), 36)],
    ['a UDP checksum that is wrong', udp(), changed(udp(), 40)],
    ['a TCP checksum that is wrong', tcp(), changed(tcp(), 50)],
    ['what an error quotes', unreachable(udp()), unreachable(udp(data(1, 2, 4)))],
    ['whether a fragment', udp(), udp({ fragment: IP_MF })],
    ['a VLAN tag', udp(), udp({ vlanTci: 5 })],
    ['padding', udp(), Uint8Array.from([...emitFrame(udp()), 0])],
    ['a frame that was cut', udp(), emitFrame(udp()).slice(0, -1)],
  ])('%s', (_what, a, b) => expect(texts(a)).not.toEqual(texts(b)))
})

describe('by order of appearance, so that a mix-up shows', () => {
  test('ports', () => {
    const run = (first: number, second: number, third: number) =>
      texts(udp({ srcPort: first }), udp({ srcPort: second }), udp({ srcPort: third }))
    expect(run(33_000, 33_001, 33_000)).toEqual(run(50_000, 40_001, 50_000))
    expect(run(33_000, 33_001, 33_000)).not.toEqual(run(50_000, 40_001, 40_001))
  })

  test('ICMP identifiers and MAC addresses', () => {
    const pings = (...ids: number[]) => texts(...ids.map((id) => echo({ icmpRest: id * 65_536 })))
    expect(pings(1, 2, 1)).toEqual(pings(8, 5, 8))
    expect(pings(1, 2, 1)).not.toEqual(pings(8, 5, 5))
    const macs = (...list: number[]) => texts(...list.map((macSrc) => udp({ macSrc })))
    expect(macs(0x020000001111, 0x020000002222)).not.toEqual(macs(0x020000001111, 0x020000001111))
  })

  test('sequence numbers count from the first, each way', () => {
    const talk = (client: number, server: number) =>
      texts(
        tcp({ seq: client }),
        tcp({
          src: 0x0a000002,
          dst: 0x0a000001,
          srcPort: 80,
          dstPort: 33_000,
          seq: server,
          ack: client + 1,
          tcpFlags: 18,
        }),
        tcp({ seq: client + 1, ack: server + 1, tcpFlags: 16 }),
      )
    expect(talk(1000, 2000)).toEqual(talk(77, 4_294_967_295))
    expect(talk(1000, 2000)[2]).not.toEqual(texts(tcp({ seq: 1000 }), tcp({ seq: 1002, ack: 1, tcpFlags: 16 }))[1])
  })

  test('a SYN after the end begins another connection on the same ports; one before it doesn’t', () => {
    const twice = (first: number, second: number, end: number) =>
      texts(tcp({ seq: first, tcpFlags: 2 }), tcp({ seq: first + 5, tcpFlags: end }), tcp({ seq: second, tcpFlags: 2 }))
    expect(twice(1000, 5000, 17)).toEqual(twice(300, 77, 17))
    expect(twice(1000, 5000, 4)).toEqual(twice(300, 77, 4))
    expect(twice(1000, 5000, 16)).not.toEqual(twice(300, 77, 16))
  })

  test('a query over TCP: its number and its cookie, not its length', () => {
    const query = (id: number, cookie: number, length = 0) => {
      const message = new Uint8Array(2 + 12 + 12)
      message.set([0, 24 + length, id >> 8, id & 255])
      message.set([0, 10, 0, 8].concat(new Array(8).fill(cookie)), 14)
      return texts(tcp({ dstPort: 53, tcpFlags: 24, buffer: message, length: message.length }))
    }
    expect(query(1, 2)).toEqual(query(0x1234, 99))
    expect(query(1, 2)).not.toEqual(query(1, 2, 1))
  })
})

test('no bytes throw', () => {
  const all = names()
  const seeds = [echo(), udp(), tcp({ tcpOptions: timestamps(1, 2) }), arp(), unreachable(unreachable(udp()))]
  forSeeds(3000, (random) => {
    const bytes = emitFrame(seeds[random.below(seeds.length)]!).slice()
    for (let i = random.below(4); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256)
    const cut = bytes.subarray(0, random.below(4) === 0 ? random.below(bytes.length + 1) : bytes.length)
    const text = canonicalFrame(cut, all)
    expect(text.length).toBeGreaterThan(0)
    // The same frame, emitted anew: nothing that isn't in the fields counts.
    if (cut.length === bytes.length)
      expect(canonicalFrame(emitFrame(parseFrame(cut)).slice(), all)).toBe(canonicalFrame(cut, all))
  })
})
