import { describe, expect, test } from 'vitest'
import { SECOND, Simulator } from '#base/sim'
import type { Socket } from '#kernel/core'
import { formatIpv4, parseIp, parseIpv4 } from '#wire/inet'
import { setDeviceUp } from '../device-events.ts'
import { inetState } from '../ip-state.ts'
import { addRoute, chain, echoRequest, inet, inetSocket, packetSocket } from '../ip-testing.ts'
import { formatSnmp } from '../proc-inet.ts'
import { tcpState } from '../tcp/index.ts'
import type { ExtendedError } from './inet.ts'

const text = (word: string) => new TextEncoder().encode(word)

function routed(routers = 1) {
  const sim = new Simulator(1)
  const made = chain(sim, routers)
  sim.run(2 * SECOND)
  const [a] = made.hosts
  const b = made.hosts.at(-1)!
  const run = (seconds = 1) => sim.run(sim.nowNs + seconds * SECOND)
  return { sim, ...made, a: a!, b, run }
}

function errno(socket: Socket): string {
  const got = socket.receive(100, {})
  return got.ok ? 'data' : got.errno
}

describe('UDP', () => {
  test('there and back, with ports of their own', () => {
    const { a, b, run } = routed()
    const server = inetSocket(b, 'SOCK_DGRAM').socket!
    expect(server.bind(inet('0.0.0.0', 7))).toMatchObject({ ok: true })
    const client = inetSocket(a, 'SOCK_DGRAM').socket!
    expect(client.sendTo(text('hello'), inet('10.0.2.2', 7), {})).toEqual({ ok: true, value: 5 })
    run()
    const got = server.receive(100, {})
    if (!got.ok || got.value.from.family !== 'AF_INET') throw new Error('nothing')
    expect(new TextDecoder().decode(got.value.bytes)).toBe('hello')
    expect(formatIpv4(got.value.from.address)).toBe('10.0.1.1')
    expect(got.value.from.port).toBeGreaterThanOrEqual(32768)
    expect(got.value.from.port).toBeLessThanOrEqual(60999)
    server.sendTo(text('you too'), got.value.from, {})
    run()
    const back = client.receive(3, {})
    expect(back).toMatchObject({ ok: true, value: { length: 7, from: inet('10.0.2.2', 7) } })
  })

  test('a closed port: a connected socket is told, another isn’t', () => {
    const { a, run } = routed()
    const connected = inetSocket(a, 'SOCK_DGRAM').socket!
    connected.connect(inet('10.0.2.2', 9))
    connected.sendTo(text('x'), undefined, {})
    const loose = inetSocket(a, 'SOCK_DGRAM').socket!
    loose.sendTo(text('x'), inet('10.0.2.2', 9), {})
    run()
    expect(errno(connected)).toBe('ECONNREFUSED')
    expect(errno(connected)).toBe('EAGAIN') // Told once.
    expect(errno(loose)).toBe('EAGAIN')
  })

  test('IP_RECVERR tells who, what and about what', () => {
    const { a, run } = routed()
    const socket = inetSocket(a, 'SOCK_DGRAM').socket!
    socket.setOption('IPPROTO_IP', 'IP_RECVERR', 1)
    socket.setOption('IPPROTO_IP', 'IP_TTL', 1)
    socket.sendTo(text('probe'), inet('10.0.2.2', 33434), {})
    run()
    const got = socket.receive(100, { errorQueue: true })
    if (!got.ok) throw new Error(got.errno)
    expect(got.value.from).toEqual(inet('10.0.2.2', 33434))
    expect(new TextDecoder().decode(got.value.bytes)).toBe('probe')
    expect(got.value.control['IP_RECVERR'] as ExtendedError).toEqual({
      errno: 'EHOSTUNREACH',
      origin: 'ICMP',
      type: 11,
      code: 0,
      info: 0,
      data: 0,
      offender: parseIpv4('10.0.1.2'),
    })
    expect(socket.receive(100, { errorQueue: true })).toEqual({ ok: false, errno: 'EAGAIN' })
  })

  test('what the kernel refuses', () => {
    const { a } = routed()
    const socket = () => inetSocket(a, 'SOCK_DGRAM').socket!
    expect(socket().sendTo(text('x'), inet('192.0.2.1', 9), {})).toEqual({ ok: false, errno: 'ENETUNREACH' })
    expect(socket().sendTo(text('x'), inet('10.0.1.255', 9), {})).toEqual({ ok: false, errno: 'EACCES' })
    expect(socket().sendTo(text('x'), undefined, {})).toEqual({ ok: false, errno: 'EDESTADDRREQ' })
    expect(socket().sendTo(text('x'), inet('10.0.2.2', 0), {})).toEqual({ ok: false, errno: 'EINVAL' })
    expect(socket().sendTo(new Uint8Array(65508), inet('10.0.2.2', 9), {})).toEqual({ ok: false, errno: 'EMSGSIZE' })
    expect(socket().bind(inet('10.9.9.9', 9))).toEqual({ ok: false, errno: 'EADDRNOTAVAIL' })
    socket().bind(inet('0.0.0.0', 53))
    expect(socket().bind(inet('10.0.1.1', 53))).toEqual({ ok: false, errno: 'EADDRINUSE' })
    expect(socket().setOption('SOL_SOCKET', 'SO_BINDTODEVICE', 'eth9')).toEqual({ ok: false, errno: 'ENODEV' })
  })

  test('a broadcast reaches every socket of the port, here and there', () => {
    const { a, hosts, run } = routed()
    const sender = inetSocket(a, 'SOCK_DGRAM').socket!
    sender.setOption('SOL_SOCKET', 'SO_BROADCAST', 1)
    const listeners = [a, hosts[1]!, hosts[1]!].map((host) => {
      const socket = inetSocket(host, 'SOCK_DGRAM').socket!
      socket.setOption('SOL_SOCKET', 'SO_REUSEADDR', 1)
      socket.bind(inet('0.0.0.0', 5000))
      return socket
    })
    sender.sendTo(text('all'), inet('10.0.1.255', 5000), {})
    run()
    for (const listener of listeners) expect(listener.receive(100, {})).toMatchObject({ ok: true })
  })

  test('a large datagram goes in fragments and comes whole', () => {
    const { a, b, cables, run } = routed()
    const server = inetSocket(b, 'SOCK_DGRAM').socket!
    server.bind(inet('0.0.0.0', 7))
    const bytes = Uint8Array.from({ length: 4000 }, (_, i) => i * 7)
    expect(inetSocket(a, 'SOCK_DGRAM').socket!.sendTo(bytes, inet('10.0.2.2', 7), {})).toMatchObject({ ok: true })
    run()
    const fragments = cables[1]!.seen.filter(({ packet }) => packet.protocol === 17)
    expect(fragments.map(({ packet }) => [packet.length, packet.fragment])).toEqual([
      [1480, 0x2000],
      [1480, 0x2000 | 185],
      [1048, 370],
    ])
    const got = server.receive(65536, {})
    expect(got).toMatchObject({ ok: true, value: { length: 4000 } })
    if (got.ok) expect(got.value.bytes).toEqual(bytes)
  })
})

describe('path MTU', () => {
  test('a narrower link behind the router is learned, and forgotten after ten minutes', () => {
    const { a, devices, run } = routed()
    devices[1]![1]!.mtu = 1300
    devices[1]![1]!.net.generation++
    const socket = inetSocket(a, 'SOCK_DGRAM').socket!
    socket.setOption('IPPROTO_IP', 'IP_MTU_DISCOVER', 2)
    socket.connect(inet('10.0.2.2', 9))
    expect(socket.sendTo(new Uint8Array(1400), undefined, {})).toMatchObject({ ok: true })
    run()
    expect(errno(socket)).toBe('EMSGSIZE')
    expect(socket.getOption('IPPROTO_IP', 'IP_MTU')).toEqual({ ok: true, value: 1300 })
    expect(socket.sendTo(new Uint8Array(1400), undefined, {})).toEqual({ ok: false, errno: 'EMSGSIZE' })
    run(601)
    expect(socket.getOption('IPPROTO_IP', 'IP_MTU')).toEqual({ ok: true, value: 1500 })
  })
})

describe('ICMP sockets', () => {
  test('a ping socket has an identifier of its own, and hears only replies to it', () => {
    const { a, run } = routed()
    const state = inetState.of(a)
    expect(() => inetSocket(a, 'SOCK_DGRAM', 1)).toThrow('EACCES')
    state.writableSysctls().pingGroupLow = 0
    state.writableSysctls().pingGroupHigh = 2147483647
    const one = inetSocket(a, 'SOCK_DGRAM', 1).socket!
    const other = inetSocket(a, 'SOCK_DGRAM', 1).socket!
    one.sendTo(echoRequest(0, 3), inet('10.0.2.2'), {})
    other.sendTo(echoRequest(0, 4), inet('10.0.2.2'), {})
    run()
    const got = one.receive(1500, {})
    if (!got.ok) throw new Error(got.errno)
    expect([got.value.bytes[0], got.value.bytes[7], got.value.length]).toEqual([0, 3, 64])
    expect(errno(one)).toBe('EAGAIN')
    expect(one.sendTo(Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0]), inet('10.0.2.2'), {})).toMatchObject({
      errno: 'EINVAL',
    })
  })

  test('a raw socket hears every type that its filter lets through', () => {
    const { a, run } = routed()
    const all = inetSocket(a, 'SOCK_RAW', 1).socket!
    const filtered = inetSocket(a, 'SOCK_RAW', 1).socket!
    filtered.setOption('SOL_RAW', 'ICMP_FILTER', 1 << 0)
    all.sendTo(echoRequest(1, 1), inet('10.0.2.2'), {})
    run()
    expect(errno(all)).toBe('data')
    expect(errno(filtered)).toBe('EAGAIN')
  })

  test('its own address answers, by lo', () => {
    const { a, run } = routed()
    const raw = inetSocket(a, 'SOCK_RAW', 1).socket!
    raw.sendTo(echoRequest(1, 1), inet('10.0.1.1'), {})
    run()
    const types = [raw.receive(200, {}), raw.receive(200, {})].map((got) => got.ok && parseIp(got.value.bytes).icmpType)
    expect(types).toEqual([8, 0])
  })

  test('icmp_echo_ignore_all is silent', () => {
    const { a, b, run } = routed()
    inetState.of(b).writableSysctls().echoIgnoreAll = 1
    const raw = inetSocket(a, 'SOCK_RAW', 1).socket!
    raw.sendTo(echoRequest(1, 1), inet('10.0.2.2'), {})
    run()
    expect(errno(raw)).toBe('EAGAIN')
  })

  test('IP_HDRINCL: the program’s header, completed', () => {
    const { a, cables, run } = routed()
    const raw = inetSocket(a, 'SOCK_RAW', 255).socket!
    const packet = new Uint8Array(28)
    packet.set([0x45, 0, 0, 0, 0, 0, 0, 0, 7, 1])
    packet.set([10, 0, 2, 2], 16)
    packet.set(echoRequest(1, 2, 0), 20)
    expect(raw.sendTo(packet, inet('10.0.2.2'), {})).toEqual({ ok: true, value: 28 })
    run()
    const sent = cables[0]!.seen.find((seen) => seen.packet.protocol === 1)!.packet
    expect([formatIpv4(sent.src), sent.ttl, sent.icmpType, sent.length]).toEqual(['10.0.1.1', 7, 8, 0])
    expect(raw.sendTo(packet.subarray(0, 19), inet('10.0.2.2'), {})).toMatchObject({ errno: 'EINVAL' })
  })

  test('record route: every station on the way there and back', () => {
    const { a, run } = routed(1)
    const raw = inetSocket(a, 'SOCK_RAW', 1).socket!
    const option = new Uint8Array(40)
    option.set([1, 7, 39, 4])
    expect(raw.setOption('IPPROTO_IP', 'IP_OPTIONS', option)).toMatchObject({ ok: true })
    raw.sendTo(echoRequest(1, 1), inet('10.0.2.2'), {})
    run()
    const got = raw.receive(500, {})
    if (!got.ok) throw new Error(got.errno)
    const { ipOptions } = parseIp(got.value.bytes)
    const view = new DataView(ipOptions!.buffer, ipOptions!.byteOffset)
    const start = ipOptions!.indexOf(7)
    const stations = Array.from({ length: 9 }, (_, i) => formatIpv4(view.getUint32(start + 3 + 4 * i)))
    expect(stations.filter((station) => station !== '0.0.0.0')).toEqual([
      '10.0.1.1',
      '10.0.2.1',
      '10.0.2.2',
      '10.0.2.2',
      '10.0.1.2',
      '10.0.1.1',
    ])
  })
})

describe('packet sockets', () => {
  test('what goes out and what comes in; filters; nothing after close', () => {
    const { a, devices, run } = routed()
    const file = packetSocket(a, 'SOCK_RAW', 3)
    const tap = file.socket!
    tap.bind({
      family: 'AF_PACKET',
      protocol: 3,
      ifindex: devices[0]![0]!.ifindex,
      hatype: 0,
      packetType: 0,
      address: new Uint8Array(6),
    })
    const pings = packetSocket(a, 'SOCK_DGRAM', 3).socket!
    pings.setOption('SOL_SOCKET', 'SO_ATTACH_FILTER', (packet: { protocol: number; etherType: number }) =>
      packet.etherType === 0x0800 && packet.protocol === 1 ? 24 : false,
    )
    const raw = inetSocket(a, 'SOCK_RAW', 1).socket!
    raw.sendTo(echoRequest(1, 1), inet('10.0.2.2'), {})
    run()
    const types = () => {
      const list: unknown[] = []
      for (let got = tap.receive(2000, {}); got.ok; got = tap.receive(2000, {})) {
        const { from, bytes } = got.value
        list.push([from.family === 'AF_PACKET' && from.packetType, (bytes[12]! << 8) | bytes[13]!])
      }
      return list
    }
    expect(types()).toEqual([
      [4, 0x0806],
      [0, 0x0806],
      [4, 0x0800],
      [0, 0x0800],
    ])
    expect(pings.receive(2000, {})).toMatchObject({ ok: true, value: { length: 84 } })
    const second = pings.receive(2000, {})
    expect(second.ok && second.value.bytes.length).toBe(24)
    expect(pings.getOption('SOL_PACKET', 'PACKET_STATISTICS')).toEqual({ ok: true, value: { packets: 2, drops: 0 } })
    file.release!()
    raw.sendTo(echoRequest(1, 2), inet('10.0.2.2'), {})
    run()
    expect(types()).toEqual([])
  })

  test('a frame of one’s own goes out as it is', () => {
    const { a, devices, cables } = routed()
    const eth0 = devices[0]![0]!
    const tap = packetSocket(a, 'SOCK_DGRAM', 0x88b5).socket!
    const to = { family: 'AF_PACKET', protocol: 0x88b5, ifindex: eth0.ifindex, hatype: 1, packetType: 0 } as const
    const address = Uint8Array.from([2, 0, 0, 0, 9, 9])
    expect(tap.sendTo(text('raw'), { ...to, address }, {})).toEqual({ ok: true, value: 3 })
    const sent = cables[0]!.seen.at(-1)!.packet
    expect([sent.macDst, sent.macSrc, sent.etherType]).toEqual([0x020000000909, eth0.address, 0x88b5])
    expect(tap.sendTo(new Uint8Array(1501), { ...to, address }, {})).toMatchObject({ errno: 'EMSGSIZE' })
    setDeviceUp(eth0, false)
    expect(tap.sendTo(text('raw'), { ...to, address }, {})).toMatchObject({ errno: 'ENETDOWN' })
  })
})

test('a TCP segment for nobody is reset', () => {
  const { a, b, cables, run } = routed()
  const raw = inetSocket(a, 'SOCK_RAW', 6).socket!
  const syn = new Uint8Array(20)
  const view = new DataView(syn.buffer)
  view.setUint16(0, 1025)
  view.setUint16(2, 80)
  view.setUint32(4, 1000)
  view.setUint16(12, 0x5002)
  view.setUint16(14, 1024)
  // The sum of pseudo-header and header.
  let sum = 0x0a00 + 0x0101 + 0x0a00 + 0x0202 + 6 + 20
  for (let at = 0; at < 20; at += 2) sum += view.getUint16(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  view.setUint16(16, ~sum & 0xffff)
  raw.sendTo(syn, inet('10.0.2.2'), {})
  run()
  const reset = cables[0]!.seen.find(({ packet }) => packet.protocol === 6 && packet.srcPort === 80)!.packet
  const { seq, ack, tcpFlags, window, ipId, fragment, ttl } = reset
  expect({ seq, ack, tcpFlags, window, ipId, fragment, ttl }).toEqual({
    seq: 0,
    ack: 1001,
    tcpFlags: 0x14,
    window: 0,
    ipId: 0,
    fragment: 0x4000,
    ttl: 63,
  })
  expect(tcpState.of(b).counters.OutRsts).toBe(1)
})

test('/proc/net/snmp has the kernel’s lines', () => {
  const { a } = routed()
  const lines = formatSnmp(a).split('\n')
  expect(lines[0]).toBe(
    'Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates',
  )
  expect(lines[1]).toBe('Ip: 2 64 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0')
})

test('a locked MTU: no DF, and fragments of that size', () => {
  const { a, cables, run } = routed()
  addRoute(a, '10.0.2.2/32', '10.0.1.2', { metrics: { mtu: 1000, lock: 4 } })
  inetSocket(a, 'SOCK_DGRAM').socket!.sendTo(new Uint8Array(1200), inet('10.0.2.2', 9), {})
  run()
  const sent = cables[0]!.seen.filter(({ packet }) => packet.protocol === 17)
  expect(sent.map(({ packet }) => [packet.fragment, packet.length])).toEqual([
    [0x2000, 976],
    [122, 232],
  ])
})
