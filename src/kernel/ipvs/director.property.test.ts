/** Whatever comes, a director holds: its counts are those of its connections, and in the end nothing is left. */
import { expect, test } from 'vitest'
import type { RandomStream } from '#base/sim'
import { forSeeds } from '#base/testing'
import {
  checksumGood,
  emitIp,
  ICMP_DEST_UNREACH,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  Packet,
  parseIp,
} from '#wire/inet'
import { CLIENT, director, server, service, VIP } from './director.cases.ts'
import {
  IP_VS_CONN_F_INACTIVE,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IPPROTO_SCTP,
  type Ipvs,
} from './index.ts'

const METHODS = [0, 0, 2, 3]
const FLAGS = [0, 0, IP_VS_SVC_F_PERSISTENT, IP_VS_SVC_F_ONEPACKET]

/** Each server has as many connections as name it. */
function expectCounts(ipvs: Ipvs): void {
  const all = ipvs.conns.list()
  expect(ipvs.conns.count).toBe(all.length)
  const dests = [...ipvs.services.list().flatMap((svc) => svc.destinations), ...ipvs.trash.dests]
  for (const dest of dests) {
    const own = all.filter((cp) => cp.dest === dest)
    const plain = own.filter((cp) => !cp.isTemplate)
    const active = plain.filter((cp) => (cp.flags & IP_VS_CONN_F_INACTIVE) === 0)
    expect([dest.totalConns, dest.activeConns, dest.persistConns, dest.refs]).toEqual([
      plain.length,
      active.length,
      own.length - plain.length,
      own.length,
    ])
  }
  for (const cp of all) expect(cp.nControl).toBe(all.filter((one) => one.control === cp).length)
}

function somePacket(random: RandomStream): { fields: Partial<Packet>; by: 'eth0' | 'eth1' } {
  const protocol = [IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP][random.below(4)]!
  const port = 1000 + random.below(6)
  const inside = random.below(3) === 0
  const ends = inside
    ? { src: server(1 + random.below(3)), dst: CLIENT + random.below(2), srcPort: 80, dstPort: port }
    : { src: CLIENT + random.below(2), dst: VIP, srcPort: port, dstPort: 80 }
  const fields: Partial<Packet> = {
    ...ends,
    protocol,
    ttl: random.below(20) === 0 ? 1 : 64,
    fragment: random.below(10) === 0 ? 0x4000 : 0,
    tcpFlags: random.below(64),
    buffer: random.bytes(1600),
    length: random.below(30) === 0 ? 1500 : random.below(40),
  }
  if (protocol === IPPROTO_SCTP) {
    const bytes = random.bytes(24)
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, ends.srcPort * 65536 + ends.dstPort)
    bytes[12] = random.below(16)
    Object.assign(fields, { raw: 3, buffer: bytes, offset: 0, length: random.below(25) })
  } else if (random.below(8) === 0) {
    // What would the other side say of it?
    const quoted = Object.assign(new Packet(), { etherType: 0x0800, ttl: 9 }, fields)
    quoted.length = 20
    ;[quoted.src, quoted.dst] = [quoted.dst, quoted.src]
    ;[quoted.srcPort, quoted.dstPort] = [quoted.dstPort, quoted.srcPort]
    const bytes = emitIp(quoted)
    const length = random.below(bytes.length + 1)
    const icmp = { icmpType: ICMP_DEST_UNREACH, icmpCode: 3 + random.below(2), icmpRest: 1400 }
    const { src, dst } = ends
    return {
      fields: { src, dst, protocol: IPPROTO_ICMP, ...icmp, buffer: bytes, length },
      by: inside ? 'eth1' : 'eth0',
    }
  }
  return { fields, by: inside ? 'eth1' : 'eth0' }
}

test('any packets: nothing throws, counts hold, and what leaves is whole', () => {
  forSeeds(12, (random, seed) => {
    const { ask, add, addServer, ipvs, pass, sim } = director(seed)
    for (const protocol of [IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP]) {
      add(protocol, 80, { flags: FLAGS[random.below(4)]!, timeout: 1 + random.below(100) })
      for (let n = 1; n <= 3; n++) {
        const most = { uThresh: random.below(3) === 0 ? 2 : 0 }
        addServer(protocol, 80, n, { fwdMethod: METHODS[random.below(4)]!, weight: random.below(3), ...most })
      }
    }
    const { settings } = ipvs
    settings.sloppyTcp = random.below(2)
    settings.expireNodestConn = random.below(2)
    settings.natIcmpSend = random.below(2)
    settings.scheduleIcmp = random.below(2)
    for (let i = 0; i < 120; i++) {
      const { fields, by } = somePacket(random)
      for (const packet of pass(fields, by)) {
        const bytes = emitIp(packet)
        const again = parseIp(bytes)
        expect(emitIp(again)).toEqual(bytes)
        if (packet.checksum === -1 && again.raw === 0) expect(checksumGood(again)).toBe(true)
      }
      if (random.below(10) === 0) sim.run(sim.nowNs + random.below(40) * 1e9)
      if (random.below(20) === 0) {
        const protocol = [IPPROTO_TCP, IPPROTO_UDP][random.below(2)]!
        const n = 1 + random.below(3)
        const dest = { addr: server(n), port: 80 }
        const gone = ask({ type: 'IPVS_CMD_DEL_DEST', service: service(protocol, 80), dest }) === 'ENOENT'
        if (gone) addServer(protocol, 80, n, { weight: 1 + random.below(3) })
      }
      if (i % 10 === 0) expectCounts(ipvs)
    }
    expectCounts(ipvs)
    sim.run(sim.nowNs + 3600e9)
    expect(ipvs.conns.count).toBe(0)
    ask({ type: 'IPVS_CMD_FLUSH' })
    sim.run(sim.nowNs + 600e9)
    expect(ipvs.trash.dests).toEqual([])
  })
})
