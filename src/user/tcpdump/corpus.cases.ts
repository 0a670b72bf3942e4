/** Frames and filters for comparisons with the real tcpdump: few addresses and ports, so that filters meet them. */
import type { RandomStream } from '#base/sim'
import { emitFrame, Packet, parseFrame } from '#wire/inet'

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
  const kind = random.below(10)
  let packet: Packet
  if (kind < 2) packet = arpPacket(random)
  else if (kind < 9) packet = ipPacket(random)
  else {
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
