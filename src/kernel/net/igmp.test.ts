import { describe, expect, test } from 'vitest'
import { Simulator } from '#base/sim'
import { formatIpv4, type Packet, parseIpv4 } from '#wire/inet'
import { setConf } from './conf-sysctl.ts'
import { setDeviceUp } from './device-events.ts'
import { groupsOf, igmpVersion } from './igmp.ts'
import { messageSum } from './igmp-send.ts'
import { newIpPacket } from './ip-output.ts'
import { chain, inet, inetSocket } from './ip-testing.ts'

const GROUP = parseIpv4('239.1.1.1')!

function small() {
  const sim = new Simulator(7)
  const { hosts, devices, cables } = chain(sim, 0)
  const [a, b] = hosts as [(typeof hosts)[0], (typeof hosts)[0]]
  const eth = devices[0]![0]!
  const join = (group = GROUP) => {
    const file = inetSocket(a, 'SOCK_DGRAM')
    const done = file.socket!.setOption('IPPROTO_IP', 'IP_ADD_MEMBERSHIP', { group, ifindex: eth.ifindex })
    return { file, done }
  }
  const igmp = () => cables[0]!.seen.map((each) => each.packet).filter((packet) => packet.protocol === 2)
  const run = (seconds: number) => sim.run(sim.nowNs + seconds * 1e9)
  return { sim, a, b, eth, far: devices[1]![0]!, join, igmp, run }
}

/** The records of version 3 reports, the types of others. */
function told(packet: Packet): string {
  const bytes = packet.buffer.subarray(packet.offset, packet.offset + packet.length)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  expect(messageSum(bytes)).toBe(0)
  expect(packet.ttl).toBe(1)
  if (bytes[0] !== 0x22)
    return `${bytes[0]!.toString(16)} ${formatIpv4(view.getUint32(4))} to ${formatIpv4(packet.dst)}`
  const records = Array.from({ length: view.getUint16(6) }, (_, i) => {
    return `${bytes[8 + 8 * i]} ${formatIpv4(view.getUint32(12 + 8 * i))}`
  })
  return records.join(', ')
}

function query(code: number, group: number, v3: boolean): Packet {
  const bytes = new Uint8Array(v3 ? 12 : 8)
  bytes[0] = 0x11
  bytes[1] = code
  if (v3) bytes[8] = 3
  const view = new DataView(bytes.buffer)
  view.setUint32(4, group)
  view.setUint16(2, messageSum(bytes))
  const packet = newIpPacket(parseIpv4('10.0.1.2')!, group || 0xe0000001, 2, 0, 1)
  packet.raw = 3
  packet.buffer = bytes
  packet.length = bytes.length
  packet.macDst = 0x01005e000001
  return packet
}

describe('IGMP', () => {
  test('who joins nothing keeps nothing and sends nothing', () => {
    const { eth, igmp, run } = small()
    eth.receive(query(10, 0, true))
    run(20)
    expect(igmp()).toEqual([])
    expect(eth.inet.igmp).toBeUndefined()
    expect(groupsOf(eth).map((group) => group.address)).toEqual([0xe0000001])
  })

  test('joining and leaving are told twice each; a second socket tells nothing', () => {
    const { join, igmp, run } = small()
    const first = join()
    const second = join()
    run(2)
    expect(igmp().map(told)).toEqual(['4 239.1.1.1', '4 239.1.1.1'])
    first.file.release!()
    run(2)
    expect(igmp().length).toBe(2)
    second.file.release!()
    run(2)
    expect(igmp().map(told).slice(2)).toEqual(['3 239.1.1.1', '3 239.1.1.1'])
  })

  test('a query of version 3 has one answer within its time', () => {
    const { eth, join, igmp, run } = small()
    join()
    join(parseIpv4('239.1.1.2')!)
    run(2)
    const before = igmp().length
    eth.receive(query(10, 0, true))
    eth.receive(query(10, 0, true))
    run(1.1)
    expect(igmp().slice(before).map(told)).toEqual(['2 239.1.1.2, 2 239.1.1.1'])
    expect(eth.inet.igmp!.robustness).toBe(3)
  })

  test('an older router is answered in its version, for as long as it counts as being there', () => {
    const { eth, join, igmp, run } = small()
    const { file } = join()
    run(2)
    const before = igmp().length
    eth.receive(query(10, 0, false))
    expect(igmpVersion(eth)).toBe(2)
    run(1.1)
    file.release!()
    run(2)
    expect(igmp().slice(before).map(told)).toEqual(['16 239.1.1.1 to 239.1.1.1', '17 239.1.1.1 to 224.0.0.2'])
    run(260)
    expect(igmpVersion(eth)).toBe(3)
  })

  test('what another has reported needs no report', () => {
    const { a, eth, join, igmp, run } = small()
    setConf(a, 'eth0', 'forceIgmpVersion', 2, 'plain')
    join()
    run(0.1)
    expect(igmp().map(told)).toEqual(['16 239.1.1.1 to 239.1.1.1'])
    const report = query(0, GROUP, false)
    report.buffer[0] = 0x16
    report.buffer[2] = report.buffer[3] = 0
    new DataView(report.buffer.buffer).setUint16(2, messageSum(report.buffer))
    eth.receive(report)
    run(30)
    expect(igmp().length).toBe(1)
    expect(eth.inet.igmp!.find(GROUP)!.reporter).toBe(false)
  })

  test('a device that was down tells its groups again', () => {
    const { eth, join, igmp, run } = small()
    join()
    run(2)
    setDeviceUp(eth, false)
    expect(groupsOf(eth).map((group) => group.address)).toEqual([GROUP])
    run(2)
    setDeviceUp(eth, true)
    run(2)
    expect(igmp().map(told)).toEqual(Array(4).fill('4 239.1.1.1'))
    expect(groupsOf(eth).map((group) => group.address)).toEqual([0xe0000001, GROUP])
  })
})

describe('sockets', () => {
  test('memberships are refused as Linux refuses them', () => {
    const { eth, join } = small()
    const { file } = join()
    const set = (name: string, value: unknown) => file.socket!.setOption('IPPROTO_IP', name, value)
    const own = parseIpv4('10.0.1.1')!
    expect(set('IP_ADD_MEMBERSHIP', { group: GROUP, address: own })).toMatchObject({ errno: 'EADDRINUSE' })
    expect(set('IP_ADD_MEMBERSHIP', { group: own, ifindex: eth.ifindex })).toMatchObject({ errno: 'EINVAL' })
    expect(set('IP_ADD_MEMBERSHIP', { group: GROUP + 1 })).toMatchObject({ errno: 'ENODEV' })
    expect(set('IP_DROP_MEMBERSHIP', { group: GROUP + 1, address: own })).toMatchObject({ errno: 'EADDRNOTAVAIL' })
    for (let i = 1; i < 20; i++) expect(set('IP_ADD_MEMBERSHIP', { group: GROUP + i, address: own }).ok).toBe(true)
    expect(set('IP_ADD_MEMBERSHIP', { group: GROUP + 20, address: own })).toMatchObject({ errno: 'ENOBUFS' })
    expect(set('IP_DROP_MEMBERSHIP', { group: GROUP, address: own }).ok).toBe(true)
    expect(set('IP_MULTICAST_IF', { address: GROUP })).toMatchObject({ errno: 'EADDRNOTAVAIL' })
  })

  test('every member hears a group; others only where another here has joined it, and they want that', () => {
    const { a, b, far, join, run } = small()
    const bound = (file: ReturnType<typeof inetSocket>) => {
      file.socket!.setOption('SOL_SOCKET', 'SO_REUSEADDR', 1)
      file.socket!.bind(inet('0.0.0.0', 5000))
      return file.socket!
    }
    const sender = inetSocket(b, 'SOCK_DGRAM').socket!
    sender.setOption('IPPROTO_IP', 'IP_MULTICAST_IF', { ifindex: far.ifindex })
    const other = bound(inetSocket(a, 'SOCK_DGRAM'))
    const shy = bound(inetSocket(a, 'SOCK_DGRAM'))
    shy.setOption('IPPROTO_IP', 'IP_MULTICAST_ALL', 0)
    sender.sendTo(Uint8Array.of(1), inet('239.1.1.1', 5000), {})
    run(1)
    expect(other.receive(9, {})).toMatchObject({ errno: 'EAGAIN' })
    const member = bound(join().file)
    sender.sendTo(Uint8Array.of(2), inet('239.1.1.1', 5000), {})
    run(1)
    for (const socket of [member, other]) expect(socket.receive(9, {})).toMatchObject({ value: { length: 1 } })
    expect(shy.receive(9, {})).toMatchObject({ errno: 'EAGAIN' })
  })

  test('a sender that has joined hears itself, unless it says no', () => {
    const { join, eth, run } = small()
    const socket = join().file.socket!
    socket.bind(inet('0.0.0.0', 5000))
    socket.setOption('IPPROTO_IP', 'IP_MULTICAST_IF', { ifindex: eth.ifindex })
    socket.sendTo(Uint8Array.of(1), inet('239.1.1.1', 5000), {})
    socket.setOption('IPPROTO_IP', 'IP_MULTICAST_LOOP', 0)
    socket.sendTo(Uint8Array.of(1, 2), inet('239.1.1.1', 5000), {})
    run(1)
    expect(socket.receive(9, {})).toMatchObject({ value: { length: 1 } })
    expect(socket.receive(9, {})).toMatchObject({ errno: 'EAGAIN' })
  })
})
