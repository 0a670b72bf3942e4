import { expect, test } from 'vitest'
import { RandomStream, SECOND, Simulator } from '#base/sim'
import { emitFrame, parseFrame } from '#wire/inet'
import { setConf, setIpForward } from './conf-sysctl.ts'
import { newIpPacket } from './ip-output.ts'
import { inetState } from './ip-state.ts'
import { addRoute, inet, inetImage, inetSocket, packetSocket } from './ip-testing.ts'
import { formatNetstat, formatSnmp } from './proc-inet.ts'
import { TestCable, testCard, testHost } from './testing.ts'

/** KAIDOKU_FUZZ=100000 asks for as many frames. */
const FRAMES = Number(process.env['KAIDOKU_FUZZ'] ?? 6000)

const ADDRESSES = [
  0x0a000001, 0x0a000002, 0x0a0000ff, 0x0a010001, 0x0a010002, 0x7f000001, 0, 0xffffffff, 0xe0000001, 0xc0000201,
]

/** A frame that is nearly right: a header of IPv4 with something of ICMP, UDP, TCP or nothing known behind it. */
function nearly(random: RandomStream): Uint8Array {
  const pick = () => ADDRESSES[random.below(ADDRESSES.length)]!
  const packet = newIpPacket(
    pick(),
    pick(),
    [1, 2, 6, 17, 50, 255][random.below(6)]!,
    random.below(256),
    random.below(4) * 20,
  )
  packet.macDst = random.below(8) === 0 ? 0xffffffffffff : 0x020000000100
  packet.macSrc = 0x020000000200
  packet.ipId = random.below(4)
  if (random.below(3) === 0)
    packet.fragment = [0x4000, 0x2000, 0x2000 | random.below(200), random.below(0x10000)][random.below(4)]!
  if (random.below(4) === 0) packet.ipOptions = options(random)
  packet.icmpType = random.below(20)
  packet.icmpCode = random.below(18)
  packet.icmpRest = random.uint32()
  packet.srcPort = random.below(3) * 1000
  packet.dstPort = random.below(3) * 1000
  packet.tcpFlags = random.below(64)
  packet.buffer = random.below(2) === 0 ? random.bytes(random.below(300)) : quoted(random)
  packet.length = packet.buffer.length
  return emitFrame(packet)
}

/** What an ICMP error might quote. */
function quoted(random: RandomStream): Uint8Array {
  const inner = newIpPacket(0x0a000001, ADDRESSES[random.below(10)]!, [1, 6, 17][random.below(3)]!, 0, 64)
  inner.icmpType = random.below(2) * 8
  inner.srcPort = 2000
  inner.dstPort = 1000
  inner.buffer = random.bytes(random.below(60))
  inner.length = inner.buffer.length
  return emitFrame(inner).subarray(14, 14 + random.below(80))
}

function options(random: RandomStream): Uint8Array {
  const bytes = random.bytes(4 * (1 + random.below(10)))
  bytes[0] = [7, 68, 131, 137, 148, 1, 0, random.below(256)][random.below(8)]!
  if (random.below(2) === 0) bytes[1] = bytes.length - random.below(4)
  if (random.below(2) === 0) bytes[2] = 4 + random.below(3) * 4
  return bytes
}

test('no frame makes a host throw, and what it answers are frames', () => {
  const random = new RandomStream(7, 'fuzz')
  const sim = new Simulator(7)
  const image = inetImage()
  const host = testHost(sim, 'h', image)
  const eth0 = testCard(host, 'eth0', 0x020000000100, '10.0.0.1/24')
  const eth1 = testCard(host, 'eth1', 0x020000000101, '10.1.0.1/24')
  const cable = new TestCable(sim, eth0, testCard(testHost(sim, 'l', image), 'eth0', 0x020000000200, '10.0.0.2/24'))
  new TestCable(sim, eth1, testCard(testHost(sim, 'r', image), 'eth0', 0x020000000300, '10.1.0.2/24'))
  sim.run(2 * SECOND)
  setIpForward(host, 1)
  addRoute(host, '192.0.2.0/24', '10.0.0.2')
  eth1.mtu = 200
  inetSocket(host, 'SOCK_RAW', 1)
  inetSocket(host, 'SOCK_DGRAM').socket!.bind(inet('0.0.0.0', 2000))
  packetSocket(host, 'SOCK_RAW', 3)
  inetState.of(host).writableSysctls().icmpRatemask = 0
  for (let i = 0; i < FRAMES; i++) {
    if (i % 500 === 0) {
      setConf(host, 'all', 'rpFilter', random.below(3), 'plain')
      setConf(host, 'all', 'acceptSourceRoute', random.below(2), 'plain')
      setConf(host, 'all', 'acceptLocal', random.below(2), 'plain')
      setConf(host, 'all', 'routeLocalnet', random.below(2), 'plain')
      setConf(host, 'all', 'logMartians', random.below(2), 'plain')
      sim.run(sim.nowNs + 40 * SECOND)
      for (const { packet } of cable.seen.splice(0)) {
        const bytes = emitFrame(packet)
        expect(emitFrame(parseFrame(bytes))).toEqual(bytes)
      }
    }
    const bytes = random.below(10) === 0 ? random.bytes(random.below(120)) : nearly(random)
    for (let flips = random.below(4); flips > 1; flips--) bytes[random.below(bytes.length)] = random.below(256)
    eth0.receive(parseFrame(bytes))
    if (i % 50 === 0) sim.run(sim.nowNs + 10_000_000)
  }
  expect(formatSnmp(host)).not.toContain('NaN')
  expect(formatNetstat(host)).not.toContain('NaN')
})
