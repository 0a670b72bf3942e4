/** Frames and filters for comparisons with the real tcpdump: few addresses and ports, so that filters meet them. */

import { internetChecksum, sumWords } from '#base/bytes'
import type { RandomStream } from '#base/sim'
import { emitFrame, ipv6Bytes, Packet, parseFrame, parseIpv6, RAW_ETHERNET_PAYLOAD } from '#wire/inet'

const ADDRESSES = [0x0a000001, 0x0a000002, 0x0a000105, 0xc0a80114, 0xe0000001, 0xffffffff, 0x0a0000ff, 0]
const MACS = [0x020000000100, 0x020000000200, 0xffffffffffff, 0x01005e000001, 0]
const PORTS = [1000, 9999, 40000, 7777, 12345, 33434]

function pick<T>(random: RandomStream, list: readonly T[]): T {
  return list[random.below(list.length)]!
}

/** An IPv4 packet of some protocol, right in all but what chance made wrong. */
function ipPacket(random: RandomStream, depth = 0): Packet {
  const packet = new Packet()
  packet.etherType = 0x0800
  packet.src = pick(random, ADDRESSES)
  packet.dst = pick(random, ADDRESSES)
  packet.ttl = pick(random, [0, 1, 64, 255])
  packet.tos = random.below(4) === 0 ? random.below(256) : 0
  packet.ipId = random.below(65536)
  packet.fragment = pick(random, [0, 0x4000, 0x4000, 0x2000, 0x2010, 0x0020, 0x8000])
  if (random.below(6) === 0)
    packet.ipOptions = pick(
      random,
      [
        [148, 4, 0, 0],
        [7, 11, 8, 10, 0, 0, 1, 0, 0, 0, 0, 0],
        [1, 131, 7, 4, 10, 0, 0, 9],
        [137, 7, 8, 10, 0, 0, 9, 0],
        [68, 12, 9, 0, 0, 0, 0, 5, 0, 0, 0, 0],
        [68, 12, 13, 0x11, 10, 0, 0, 1, 0, 0, 0, 7],
        [130, 3, 9, 0],
        [7, 39, 4, 0],
        [1, 1, 1, 1],
      ].map((list) => Uint8Array.from(list)),
    )
  packet.protocol = pick(random, [1, 1, 1, 6, 6, 17, 17, 2, 132, 89, 253])
  packet.buffer = random.bytes(random.below(3) === 0 ? random.below(90) : random.below(30))
  packet.length = packet.buffer.length
  packet.srcPort = pick(random, PORTS)
  packet.dstPort = pick(random, PORTS)
  packet.icmpType = pick(random, [0, 8, 3, 3, 3, 4, 5, 9, 10, 11, 11, 12, 13, 14, 15, 16, 17, 18, 30, 42])
  packet.icmpCode = packet.icmpType === 3 ? random.below(18) : random.below(3)
  if (packet.icmpType === 8 || packet.icmpType === 0) packet.icmpCode = random.below(10) === 0 ? 1 : 0
  packet.icmpRest = pick(random, [0x12340001, 0x0a0000fe, 1500, 0, 0x04000000])
  if (packet.protocol === 1 && depth < 2 && [3, 4, 5, 11, 12].includes(packet.icmpType)) {
    const quoted = emitFrame(ipPacket(random, depth + 1)).subarray(14)
    packet.buffer = quoted.slice(0, random.below(4) === 0 ? random.below(60) : 28)
    packet.length = packet.buffer.length
  }
  packet.seq = random.uint32()
  packet.ack = random.uint32()
  packet.tcpFlags = pick(random, [0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0x14, 0xc2, 0x52, 0x00, 0x3f, 0x1ff])
  packet.window = random.below(65536)
  packet.urgent = random.below(8) === 0 ? 5 : 0
  if (random.below(2) === 0)
    packet.tcpOptions = pick(
      random,
      [
        [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7],
        [1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 8],
        [1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2],
        [2, 3, 0, 0],
        [30, 4, 0, 0],
        [99, 200, 0, 0],
        [0, 0, 0, 0],
      ].map((list) => Uint8Array.from(list)),
    )
  if (random.below(6) === 0) packet.checksum = pick(random, [0, 0xffff, 0x1234])
  return packet
}

const ADDRESSES6 = ['fd00:1::1', 'fd00:1::2', 'fe80::1', 'ff02::1', 'ff02::1:ff00:1', '::', '2001:db8::ffff:a00:1'].map(
  (text) => ipv6Bytes(parseIpv6(text)!),
)

const word = (value: number) => [(value >>> 8) & 255, value & 255]

function ndOptions(random: RandomStream): number[] {
  const all: number[] = []
  for (let i = random.below(4); i > 0; i--) {
    const type = pick(random, [1, 2, 3, 4, 5, 14, 24, 25, 7, 8])
    const units = random.below(12) === 0 ? random.below(6) : ({ 3: 4, 4: 3, 24: 1 + random.below(3), 25: 3 }[type] ?? 1)
    const body = [...random.bytes(Math.max(1, units) * 8)]
    body[0] = type
    body[1] = units
    if (type === 3 && random.below(2) === 0) body.fill(255, 4, 8)
    all.push(...body)
  }
  return all
}

function icmp6Message(random: RandomStream, depth: number): number[] {
  const address = () => [...pick(random, ADDRESSES6)]
  const type = pick(
    random,
    [1, 1, 2, 3, 4, 128, 129, 130, 131, 132, 133, 134, 134, 135, 135, 136, 136, 137, 143, 143, 200],
  )
  const code = type < 5 ? random.below(8) : 0
  const rest = type === 143 ? [0, 0, 0, random.below(3)] : [...random.bytes(4)]
  const head = [type, code, 0, 0, ...rest]
  if (type < 5)
    return [...head, ...ip6Packet(random, depth + 1).slice(0, random.below(4) === 0 ? random.below(60) : 200)]
  if (type === 133) return [...head, ...ndOptions(random)]
  if (type === 134) return [...head, ...random.bytes(8), ...ndOptions(random)]
  if (type === 135 || type === 136) return [...head, ...address(), ...ndOptions(random)]
  if (type === 137) return [...head, ...address(), ...address(), ...ndOptions(random)]
  if (type >= 130 && type <= 132)
    return [
      ...head,
      ...address(),
      ...(random.below(2) === 0 ? [random.below(16), random.below(256), 0, random.below(3), ...address()] : []),
    ]
  if (type !== 143) return [...head, ...random.bytes(random.below(30))]
  const records: number[] = []
  for (let i = rest[3]!; i > 0; i--) {
    const sources = random.below(3)
    records.push(random.below(8), 0, 0, sources, ...address())
    for (let j = 0; j < sources; j++) records.push(...address())
  }
  return [...head, ...records]
}

/** An IPv6 packet of some protocol with some extension headers. */
function ip6Packet(random: RandomStream, depth = 0): number[] {
  const src = pick(random, ADDRESSES6)
  const dst = pick(random, ADDRESSES6)
  const protocol = pick(random, [58, 58, 58, 17, 6, 6, 59, 253, 44])
  let body = [...random.bytes(random.below(40))]
  if (protocol === 58 && depth < 2) body = icmp6Message(random, depth)
  if (protocol === 17)
    body = [...word(pick(random, PORTS)), ...word(pick(random, PORTS)), ...word(body.length + 8), 0, 0, ...body]
  if (protocol === 6)
    body = [
      ...word(pick(random, PORTS)),
      ...word(pick(random, PORTS)),
      ...random.bytes(8),
      0x50,
      random.below(64),
      ...random.bytes(2),
      0,
      0,
      0,
      0,
      ...body,
    ]
  const at = { 58: 2, 17: 6, 6: 16 }[protocol]
  if (at !== undefined && body.length > at + 1 && random.below(6) > 0) {
    const pseudo = sumWords(Uint8Array.from([...src, ...dst]), 0, 32, protocol + body.length)
    body.splice(at, 2, ...word(internetChecksum(Uint8Array.from(body), 0, body.length, pseudo)))
  }
  let next = protocol
  if (random.below(4) === 0) {
    body = [next, 0, 0, pick(random, [0, 1, 8, 9]), ...random.bytes(4), ...body]
    next = 44
  }
  if (random.below(4) === 0) {
    const options = [
      [5, 2, 0, 0, 1, 0],
      [1, 4, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0],
      [5, 3, 0, 0, 0, 0],
      [30, 4, 1, 2, 3, 4],
      [1, 9, 0, 0, 0, 0],
    ]
    body = [next, 0, ...pick(random, options), ...body]
    next = pick(random, [0, 60])
  }
  const flow = random.below(3) === 0 ? [...random.bytes(3)] : [0, 0, 0]
  const hops = pick(random, [255, 64, 1])
  return [0x60 | (flow[0]! & 15), flow[1]!, flow[2]!, 0, ...word(body.length), next, hops, ...src, ...dst, ...body]
}

function arpPacket(random: RandomStream): Packet {
  const packet = new Packet()
  packet.etherType = 0x0806
  packet.arpOp = pick(random, [1, 1, 1, 2, 2, 3, 4, 8, 9, 10, 77])
  packet.arpSha = pick(random, MACS)
  packet.arpTha = pick(random, MACS)
  packet.arpSpa = pick(random, ADDRESSES)
  packet.arpTpa = pick(random, ADDRESSES)
  return packet
}

/** A frame that is likely to mean something, and sometimes is cut short or written over. */
export function likelyFrame(random: RandomStream): Uint8Array {
  const kind = random.below(14)
  let packet: Packet
  if (kind < 2) packet = arpPacket(random)
  else if (kind < 9) packet = ipPacket(random)
  else if (kind >= 10) {
    packet = new Packet()
    packet.etherType = 0x86dd
    packet.buffer = Uint8Array.from(ip6Packet(random))
    packet.length = packet.buffer.length
    packet.raw = RAW_ETHERNET_PAYLOAD
  } else {
    packet = new Packet()
    packet.etherType = pick(random, [0x0807, 0x8035, 0x1234, 0x9000])
    packet.buffer = random.bytes(random.below(40))
    packet.length = packet.buffer.length
  }
  packet.macDst = pick(random, MACS)
  packet.macSrc = pick(random, MACS)
  if (random.below(8) === 0) packet.vlanTci = random.below(65536)
  if (random.below(6) === 0) packet.trailer = new Uint8Array(random.below(20))
  let bytes = emitFrame(packet)
  if (random.below(8) === 0) bytes = bytes.slice(0, 14 + random.below(bytes.length - 13))
  if (random.below(8) === 0) bytes[random.below(bytes.length)] = random.below(256)
  return bytes
}

/** The same as packets for a predicate. */
export function likelyPacket(random: RandomStream): Packet {
  return parseFrame(likelyFrame(random))
}

export const FILTERS = `arp
rarp
ip
ip6
icmp
icmp6
tcp
udp
igmp
sctp
not arp
host 10.0.0.1
src host 10.0.0.1
dst 10.0.0.2
src or dst 10.0.0.2
src and dst 10.0.0.1
host 10.0.0.1 or 10.0.0.2
host 10.0.0.1 and not 10.0.0.2
ip host 10.0.0.1
arp host 10.0.0.1
net 10
net 10.0.0
net 10.0.0.0/24
src net 10.0.0.0/8
net 10.0.1.0 mask 255.255.255.0
dst net 192.168
ether host 02:00:00:00:01:00
ether src 2:0:0:0:1:0
ether dst ff:ff:ff:ff:ff:ff
broadcast
multicast
ether broadcast
ip multicast
ip broadcast
port 1000
src port 1000
dst port 9999
tcp port 40000
udp port 7777
tcp or udp
port 1000 or 9999
portrange 1000-10000
udp portrange 30000-40000
src portrange 1-2000
proto 17
ip proto 1
ip proto \\tcp
ether proto 0x0806
ether proto \\ip
less 60
greater 100
len <= 50
len > 60 and arp
ip[8] < 5
ip[8] = 64
ip[0] & 0xf > 5
ip[6:2] & 0x1fff != 0
ip[6] & 0x40 != 0
tcp[tcpflags] & (tcp-syn|tcp-ack) != 0
tcp[tcpflags] == tcp-syn
tcp[13] & 2 != 0
icmp[icmptype] == icmp-echo
icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply
icmp[0] = 3 and icmp[1] = 1
udp[4:2] > 20
ether[0] & 1 = 0
ether[12:2] = 0x0800
arp[6:2] = 2
arp[6:2] = 1 and arp[14:4] = arp[24:4]
ip[2:2] - ((ip[0] & 0xf) << 2) > 40
ip[16:4] = 0x0a000001
vlan
vlan 100
vlan and ip
vlan and arp
not vlan
tcp and port 1000 and not host 10.0.0.1
(arp or icmp) and host 10.0.0.1
not (tcp or udp)
arp and not icmp or udp
icmp or udp port 1000 or 9999
host (10.0.0.1 or 10.0.0.2)
! arp && ! tcp
ip and (ip[8] > 5 or ip[9] = 6)
len / 2 > 30
len % 2 = 1
-1 > 5
ip[100] = 0 or arp
arp or ip[100] = 0
not ip[100] = 0
src host 10.0.0.1 and dst port 1000
net 0.0.0.0/0
tcp src port 1000 or udp dst port 9999`.split('\n')
