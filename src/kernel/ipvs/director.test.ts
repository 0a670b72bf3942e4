/** Forwarding, connections and mistakes, one by one. What the real kernel does is in backend/conformance/ipvs. */
import { expect, test } from 'vitest'
import { ipTrace, packetHooks } from '#kernel/net'
import {
  formatIpv4,
  IPPROTO_TCP,
  IPPROTO_UDP,
  type Packet,
  parseIpv4,
  TCP_ACK,
  TCP_FIN,
  TCP_RST,
  TCP_SYN,
} from '#wire/inet'
import { crc32c } from './crc32c.ts'
import { CLIENT, director, FIELDS, server, service, VIP } from './director.cases.ts'
import { IP_VS_CONN_F_DROUTE, IP_VS_CONN_F_TUNNEL, IP_VS_SVC_F_PERSISTENT, IPPROTO_IPIP, stateName } from './index.ts'

const syn = (srcPort: number): Partial<Packet> => ({
  protocol: IPPROTO_TCP,
  srcPort,
  dstPort: 80,
  tcpFlags: TCP_SYN,
})

test('NAT: there and back', () => {
  const { add, addServer, pass, ipvs } = director()
  add(IPPROTO_TCP, 80)
  addServer(IPPROTO_TCP, 80, 1, { dest: { addr: server(1), port: 8080 } })
  const [there] = pass(syn(1001))
  expect([formatIpv4(there!.dst), there!.dstPort, there!.ttl]).toEqual(['10.0.1.1', 8080, 63])
  const answer = { protocol: IPPROTO_TCP, src: server(1), dst: CLIENT, srcPort: 8080, dstPort: 1001 }
  const [back] = pass({ ...answer, tcpFlags: TCP_SYN | TCP_ACK }, 'eth1')
  expect([formatIpv4(back!.src), back!.srcPort, back!.ttl]).toEqual(['10.0.0.100', 80, 63])
  pass({ ...syn(1001), tcpFlags: TCP_ACK })
  expect(ipvs.conns.list().map(stateName)).toEqual(['ESTABLISHED'])
})

test('direct routing: as it came, to the server', () => {
  const { add, addServer, pass } = director()
  add(IPPROTO_UDP, 53)
  addServer(IPPROTO_UDP, 53, 1, { fwdMethod: IP_VS_CONN_F_DROUTE })
  const [there] = pass({ protocol: IPPROTO_UDP, srcPort: 1001, dstPort: 53 })
  expect([there!.dst, there!.dstPort, there!.ttl]).toEqual([VIP, 53, 63])
  expect((there!.route as { gateway: number } | undefined)?.gateway ?? server(1)).toBe(server(1))
})

test('a tunnel: inside another, with its time to live', () => {
  const { add, addServer, pass } = director()
  add(IPPROTO_UDP, 53)
  addServer(IPPROTO_UDP, 53, 1, { fwdMethod: IP_VS_CONN_F_TUNNEL })
  const [outer] = pass({ protocol: IPPROTO_UDP, srcPort: 1001, dstPort: 53, tos: 3, ttl: 9 })
  expect([outer!.protocol, formatIpv4(outer!.src), formatIpv4(outer!.dst)]).toEqual([
    IPPROTO_IPIP,
    '10.0.1.254',
    '10.0.1.1',
  ])
  expect([outer!.ttl, outer!.tos, outer!.buffer[outer!.offset + 8]]).toEqual([8, 2, 8])
})

test('connections are counted where they are, and end', () => {
  const { add, addServer, pass, ipvs, sim } = director()
  add(IPPROTO_TCP, 80)
  addServer(IPPROTO_TCP, 80, 1)
  addServer(IPPROTO_TCP, 80, 2)
  for (let port = 1001; port <= 1004; port++) pass(syn(port))
  pass({ ...syn(1001), tcpFlags: TCP_ACK })
  pass({ ...syn(1001), tcpFlags: TCP_FIN | TCP_ACK })
  const [svc] = ipvs.services.list()
  expect(svc!.destinations.map(({ activeConns, inactConns }) => [activeConns, inactConns])).toEqual([
    [1, 1],
    [2, 0],
  ])
  sim.run(sim.nowNs + 200e9)
  expect(ipvs.conns.count).toBe(0)
  expect(svc!.destinations.map(({ activeConns, totalConns, refs }) => [activeConns, totalConns, refs])).toEqual([
    [0, 0, 0],
    [0, 0, 0],
  ])
})

test('a reset, and a packet that begins nothing', () => {
  const { add, addServer, pass, ipvs } = director()
  add(IPPROTO_TCP, 80)
  addServer(IPPROTO_TCP, 80, 1)
  pass({ ...syn(1001), tcpFlags: TCP_ACK })
  expect(ipvs.conns.count).toBe(0)
  pass(syn(1002))
  pass({ ...syn(1002), tcpFlags: TCP_RST })
  // The server hasn't answered: the reset may be anybody's.
  expect(ipvs.conns.list().map(stateName)).toEqual(['SYN_RECV'])
})

test('mistakes have the kernel’s numbers', () => {
  const { ask, add, addServer } = director()
  const web = service(IPPROTO_TCP, 80)
  expect(ask({ type: 'IPVS_CMD_DEL_SERVICE', service: web })).toBe('ESRCH')
  expect(add(IPPROTO_TCP, 80, { schedName: 'none such' })).toBe('ENOENT')
  expect(add(IPPROTO_TCP, 80)).toEqual([])
  expect(add(IPPROTO_TCP, 80)).toBe('EEXIST')
  expect(addServer(IPPROTO_TCP, 80, 1, { weight: -1 })).toBe('ERANGE')
  expect(addServer(IPPROTO_TCP, 80, 1, { lThresh: 2, uThresh: 1 })).toBe('ERANGE')
  expect(addServer(IPPROTO_TCP, 80, 1, { dest: { addr: parseIpv4('224.0.0.1')!, port: 80 } })).toBe('EINVAL')
  expect(addServer(IPPROTO_TCP, 80, 1)).toEqual([])
  expect(addServer(IPPROTO_TCP, 80, 1)).toBe('EEXIST')
  const dest = { addr: server(2), port: 80 }
  expect(ask({ type: 'IPVS_CMD_DEL_DEST', service: web, dest })).toBe('ENOENT')
  expect(addServer(IPPROTO_TCP, 81, 1)).toBe('ESRCH')
  expect(ask({ type: 'IPVS_CMD_SET_CONFIG', timeoutTcp: -1 })).toBe('EINVAL')
  const six = { ...web, af: 10 as const }
  expect(ask({ type: 'IPVS_CMD_NEW_SERVICE', service: six, ...FIELDS, netmask: 129 })).toBe('EINVAL')
})

test('without a service nothing of it is in the way', () => {
  const { host, ask, add } = director()
  const hooks = () => {
    const { localIn, forward, localOut } = packetHooks(host)
    return [localIn.length, forward.length, localOut.length]
  }
  const before = hooks()
  add(IPPROTO_TCP, 80)
  expect(hooks()).toEqual([before[0]! + 2, before[1]! + 2, before[2]! + 2])
  ask({ type: 'IPVS_CMD_FLUSH' })
  expect(hooks()).toEqual(before)
})

test('a packet’s way is told', () => {
  const { host, add, addServer, pass } = director()
  add(IPPROTO_TCP, 80, { flags: IP_VS_SVC_F_PERSISTENT, timeout: 60 })
  addServer(IPPROTO_TCP, 80, 1)
  const said: string[] = []
  ipTrace(host).listen((event) => {
    if (event.kind === 'ipvs') said.push(event.text)
  })
  pass(syn(1001))
  pass(syn(1002))
  expect(said).toEqual([
    'TCP 10.0.0.100:80: scheduler rr chose 10.0.1.1:80 (weight 1, 0 active and 0 inactive connections), which a new template keeps',
    'connection TCP 10.0.0.1:1001 > 10.0.0.100:80 SYN_RECV: forwarded by NAT to 10.0.1.1:80',
    'TCP 10.0.0.100:80: its template chose 10.0.1.1:80 (weight 1, 1 active and 0 inactive connections)',
    'connection TCP 10.0.0.1:1002 > 10.0.0.100:80 SYN_RECV: forwarded by NAT to 10.0.1.1:80',
  ])
})

test('drop_entry: connections that nobody answered are forgotten before their time', () => {
  const { add, addServer, pass, ipvs, sim } = director()
  add(IPPROTO_TCP, 80)
  addServer(IPPROTO_TCP, 80, 1)
  for (let port = 1000; port < 1200; port++) pass(syn(port))
  sim.run(sim.nowNs + 10e9)
  expect(ipvs.conns.count).toBe(200)
  ipvs.settings.dropEntry = 3
  ipvs.defence.update()
  sim.run(sim.nowNs + 20e9)
  // A 32nd of the table a second: about half of them in twenty.
  expect(ipvs.conns.count).toBeGreaterThan(60)
  expect(ipvs.conns.count).toBeLessThan(150)
  ipvs.settings.dropEntry = 0
  ipvs.defence.update()
  const left = ipvs.conns.count
  sim.run(sim.nowNs + 20e9)
  expect(ipvs.conns.count).toBe(left)
})

test('secure_tcp and automatic modes follow the memory', () => {
  const { ipvs } = director()
  ipvs.settings.secureTcp = 1
  ipvs.settings.dropEntry = 1
  ipvs.defence.update()
  expect([ipvs.settings.secureTcp, ipvs.protocol(IPPROTO_TCP)!.secure]).toEqual([1, false])
  ipvs.settings.amemthresh = 1_000_000
  ipvs.defence.update()
  expect([ipvs.settings.secureTcp, ipvs.settings.dropEntry, ipvs.protocol(IPPROTO_TCP)!.secure]).toEqual([2, 2, true])
})

test('CRC-32C: the check value of the catalogue', () => {
  expect(crc32c(new TextEncoder().encode('123456789'), 0, 9)).toBe(0xe3069283)
})
