import { describe, expect, test } from 'vitest'
import { SECOND, Simulator } from '#base/sim'
import { ETH_P_ARP, ETH_P_IP, Packet, parseIpv4 } from '#wire/inet'
import { ARPOP_REPLY, ARPOP_REQUEST } from '#wire/link'
import { arpSend } from './arp.ts'
import { setIpForward } from './conf-sysctl.ts'
import type { NetDevice } from './device.ts'
import { setDeviceUp } from './device-events.ts'
import { deviceByName } from './devices.ts'
import type { ConfName } from './inetdev.ts'
import { neighbourLookup, neighbourOutput, stateName } from './neighbour.ts'
import { setAddress } from './netlink-link.ts'
import { addAddress, TestCable, testCard, testHost } from './testing.ts'

const ip = (text: string) => parseIpv4(text)!
const ALL = 0xffffffffffff

function datagram(src: string, dst: string): Packet {
  const packet = new Packet()
  packet.etherType = ETH_P_IP
  packet.protocol = 17
  packet.src = ip(src)
  packet.dst = ip(dst)
  return packet
}

/** Asker and answerer on one cable; the answerer has a second card on a cable of its own. */
function lab() {
  const sim = new Simulator()
  const asker = testCard(testHost(sim, 'asker'), 'eth0', 0x020000000100, '10.0.0.1/24')
  const host = testHost(sim, 'answerer')
  const near = testCard(host, 'eth0', 0x020000000200, '10.0.0.2/24')
  const far = testCard(host, 'eth1', 0x020000000201, '10.0.1.2/24')
  const cable = new TestCable(sim, asker, near)
  const other = new TestCable(sim, far, testCard(testHost(sim, 'other'), 'eth0', 0x020000000300, '10.0.1.3/24'))
  sim.run(2 * SECOND)
  return { sim, asker, host, near, far, cable, other, replies: () => replies(cable) }
}

function replies(cable: TestCable): Packet[] {
  return cable.seen.map((frame) => frame.packet).filter((packet) => packet.arpOp === ARPOP_REPLY)
}

function set(device: NetDevice, name: ConfName, value: number): void {
  device.inet.conf = device.inet.conf.with(name, value, true)
}

const stateOf = (device: NetDevice, address: string) => {
  const neighbour = neighbourLookup(device, ip(address))
  return neighbour && stateName(neighbour.state)
}

describe('an exchange', () => {
  test('a request, a reply, the packet; and who was asked knows the asker, unconfirmed', () => {
    const { sim, asker, near, cable } = lab()
    neighbourOutput(asker, ip('10.0.0.2'), datagram('10.0.0.1', '10.0.0.2'))
    sim.run(3 * SECOND)
    expect(cable.seen.map(({ packet }) => packet.etherType)).toEqual([ETH_P_ARP, ETH_P_ARP, ETH_P_IP])
    const [request, reply] = cable.seen.map(({ packet }) => packet)
    expect(request).toMatchObject({ macDst: ALL, arpSpa: ip('10.0.0.1'), arpTha: 0, arpTpa: ip('10.0.0.2') })
    expect(reply).toMatchObject({ macDst: asker.address, arpSha: near.address, arpTha: asker.address })
    expect(stateOf(asker, '10.0.0.2')).toBe('REACHABLE')
    expect(stateOf(near, '10.0.0.1')).toBe('STALE')
  })

  test('a host answers for an address of another card of its own: ARP flux', () => {
    const { sim, asker, near, replies } = lab()
    arpSend(asker, ARPOP_REQUEST, ip('10.0.0.1'), ip('10.0.1.2'), undefined, 0)
    sim.run(3 * SECOND)
    expect(replies()).toMatchObject([{ arpSpa: ip('10.0.1.2'), arpSha: near.address }])
  })

  test.each<[string, (device: NetDevice) => void]>([
    ['arp_ignore=1', (device) => set(device, 'arpIgnore', 1)],
    ['arp_ignore=2', (device) => set(device, 'arpIgnore', 2)],
    ['arp_ignore=8', (device) => set(device, 'arpIgnore', 8)],
    ['NOARP', (device) => void (device.flags |= 0x80)],
  ])('%s keeps quiet about it', (_, change) => {
    const { sim, asker, near, replies } = lab()
    change(near)
    arpSend(asker, ARPOP_REQUEST, ip('10.0.0.1'), ip('10.0.1.2'), undefined, 0)
    sim.run(3 * SECOND)
    expect(replies()).toEqual([])
    expect(stateOf(near, '10.0.0.1')).toBeUndefined()
  })

  test.each<[string, (device: NetDevice) => void]>([
    ['arp_ignore=3 hides only addresses of scope host', (device) => set(device, 'arpIgnore', 3)],
    ['arp_ignore=5 means nothing', (device) => set(device, 'arpIgnore', 5)],
  ])('%s', (_, change) => {
    const { sim, asker, near, replies } = lab()
    change(near)
    arpSend(asker, ARPOP_REQUEST, ip('10.0.0.1'), ip('10.0.1.2'), undefined, 0)
    sim.run(3 * SECOND)
    expect(replies()).toHaveLength(1)
  })

  test('a probe for an address that is taken is answered, and nobody is remembered', () => {
    const { sim, asker, near, replies } = lab()
    arpSend(asker, ARPOP_REQUEST, 0, ip('10.0.0.2'), undefined, 0)
    sim.run(3 * SECOND)
    expect(replies()).toMatchObject([{ arpSpa: ip('10.0.0.2'), arpTpa: 0, macDst: asker.address }])
    expect(near.inet.neighbours?.size ?? 0).toBe(0)
  })

  test('what is for another host is not heard', () => {
    const { sim, asker, near, replies } = lab()
    arpSend(asker, ARPOP_REQUEST, ip('10.0.0.1'), ip('10.0.0.2'), 0x020000009999, 0)
    sim.run(3 * SECOND)
    expect(replies()).toEqual([])
    expect(near.stats.rxPackets).toBe(1)
  })
})

describe('the source of a request', () => {
  const asks = (announce: number, packet: Packet | undefined) => {
    const { sim, far, host, other } = lab()
    set(far, 'arpAnnounce', announce)
    addAddress(deviceByName(host, 'lo')!, '172.16.0.1/32')
    if (packet) neighbourOutput(far, ip('10.0.1.9'), packet)
    sim.run(2.5 * SECOND)
    return other.seen[0]!.packet.arpSpa
  }
  test.each([
    [0, '10.0.0.2', '10.0.0.2'],
    [0, '172.16.0.1', '172.16.0.1'],
    [0, '10.9.9.9', '10.0.1.2'], // A forwarded packet's source isn't ours.
    [1, '172.16.0.1', '10.0.1.2'],
    [1, '10.0.1.2', '10.0.1.2'],
    [2, '10.0.0.2', '10.0.1.2'],
  ])('arp_announce=%i and a packet from %s: %s', (announce, from, source) => {
    expect(asks(announce, datagram(from, '10.0.1.9'))).toBe(ip(source))
  })
})

describe('unsolicited packets', () => {
  test('make no entry, but change one that is there; a gratuitous one at once', () => {
    const { sim, asker, near } = lab()
    arpSend(asker, ARPOP_REQUEST, ip('10.0.0.1'), ip('10.0.0.1'), undefined, 0)
    sim.run(3 * SECOND)
    expect(stateOf(near, '10.0.0.1')).toBeUndefined()
    neighbourOutput(near, ip('10.0.0.1'), datagram('10.0.0.2', '10.0.0.1'))
    sim.run(3.1 * SECOND)
    setAddress(asker, 0x020000000111)
    arpSend(asker, ARPOP_REQUEST, ip('10.0.0.1'), ip('10.0.0.1'), undefined, 0)
    sim.run(3.2 * SECOND)
    expect(neighbourLookup(near, ip('10.0.0.1'))).toMatchObject({ address: 0x020000000111 })
    expect(stateOf(near, '10.0.0.1')).toBe('STALE')
  })

  test('an ordinary reply from another address waits out the locktime', () => {
    const { sim, asker, near } = lab()
    neighbourOutput(near, ip('10.0.0.1'), datagram('10.0.0.2', '10.0.0.1'))
    sim.run(3 * SECOND)
    setAddress(asker, 0x020000000111)
    const tell = () => arpSend(asker, ARPOP_REPLY, ip('10.0.0.1'), ip('10.0.0.2'), near.address, near.address)
    near.inet.parms = near.inet.parms.with('locktime', 1500, true)
    tell()
    sim.run(4 * SECOND)
    expect(neighbourLookup(near, ip('10.0.0.1'))!.address).toBe(0x020000000100)
    sim.run(9 * SECOND)
    tell()
    sim.run(10 * SECOND)
    expect(neighbourLookup(near, ip('10.0.0.1'))!.address).toBe(0x020000000111)
  })

  test.each([
    [0, '10.0.0.1', undefined],
    [1, '10.0.0.1', 'STALE'],
    [1, '10.7.7.7', 'STALE'],
    [2, '10.0.0.1', 'STALE'],
    [2, '10.7.7.7', undefined],
  ])('arp_accept=%i and an announcement of %s: %s', (accept, sender, state) => {
    const { sim, asker, near } = lab()
    set(near, 'arpAccept', accept)
    arpSend(asker, ARPOP_REQUEST, ip(sender), ip(sender), undefined, 0)
    sim.run(3 * SECOND)
    expect(stateOf(near, sender)).toBe(state)
  })

  test('drop_gratuitous_arp does', () => {
    const { sim, asker, near } = lab()
    set(near, 'arpAccept', 1)
    set(near, 'dropGratuitousArp', 1)
    arpSend(asker, ARPOP_REQUEST, ip('10.0.0.1'), ip('10.0.0.1'), undefined, 0)
    sim.run(3 * SECOND)
    expect(stateOf(near, '10.0.0.1')).toBeUndefined()
  })
})

describe('in another’s stead', () => {
  const ask = (change: (l: ReturnType<typeof lab>) => void, target = '10.0.1.3', to?: number) => {
    const l = lab()
    setIpForward(l.host, 1)
    change(l)
    const beganNs = l.sim.nowNs
    arpSend(l.asker, ARPOP_REQUEST, ip('10.0.0.1'), ip(target), to, 0)
    l.sim.run(beganNs + 5 * SECOND)
    const answer = l.cable.seen.find(({ packet }) => packet.arpOp === ARPOP_REPLY)
    return answer && (answer.atNs - beganNs) / SECOND
  }
  const proxyArp = (l: ReturnType<typeof lab>) => set(l.near, 'proxyArp', 1)

  test('proxy_arp answers what lies behind another card, after up to 0.8 s', () => {
    expect(ask(proxyArp)).toBeGreaterThan(0.000001)
    expect(ask(proxyArp)).toBeLessThan(0.9)
    expect(ask(() => {})).toBeUndefined()
    expect(ask(proxyArp, '10.0.0.77')).toBeUndefined() // On the same link.
  })

  test('at once, if asked itself or without proxy_delay', () => {
    expect(ask(proxyArp, '10.0.1.3', 0x020000000200)).toBe(0.000001)
    const noDelay = (l: ReturnType<typeof lab>) => {
      proxyArp(l)
      l.near.inet.parms = l.near.inet.parms.with('proxyDelay', 0, true)
    }
    expect(ask(noDelay)).toBe(0.000001)
  })

  test('nothing without forwarding', () => {
    const notForwarding = (l: ReturnType<typeof lab>) => {
      proxyArp(l)
      setIpForward(l.host, 0)
    }
    expect(ask(notForwarding)).toBeUndefined()
  })

  test('proxy_arp_pvlan answers for the same link', () => {
    expect(ask((l) => set(l.near, 'proxyArpPvlan', 1), '10.0.0.77')).toBeDefined()
  })

  test('a published address, as long as it isn’t on the same link', () => {
    const publish = (address: string) => (l: ReturnType<typeof lab>) =>
      void l.near.net.neighbours.proxies.create(ip(address), l.near)
    expect(ask(publish('10.0.1.3'))).toBeDefined()
    expect(ask(publish('10.0.1.4'))).toBeUndefined()
    expect(ask(publish('10.0.0.77'), '10.0.0.77')).toBeUndefined()
  })

  test('a card that goes down forgets what waits', () => {
    const l = lab()
    setIpForward(l.host, 1)
    proxyArp(l)
    arpSend(l.asker, ARPOP_REQUEST, ip('10.0.0.1'), ip('10.0.1.3'), undefined, 0)
    l.sim.run(l.sim.nowNs + 2000)
    expect(l.near.inet.proxyQueued).toBe(1)
    setDeviceUp(l.near, false)
    setDeviceUp(l.near, true)
    l.sim.run(l.sim.nowNs + SECOND)
    expect(l.replies()).toEqual([])
    expect(l.near.inet.proxyQueued).toBe(0)
  })
})

describe('announcements', () => {
  test('arp_notify=1 announces all addresses when the card comes up or changes its address; 0 says nothing', () => {
    const { sim, near, cable } = lab()
    addAddress(near, '10.0.0.20/24')
    const announced = () => {
      sim.run(sim.nowNs + SECOND)
      return cable.seen.splice(0).map(({ packet }) => [packet.macDst, packet.arpSpa, packet.arpTpa])
    }
    setDeviceUp(near, false)
    setDeviceUp(near, true)
    setAddress(near, 0x020000000222)
    expect(announced()).toEqual([])
    set(near, 'arpNotify', 1)
    const both = ['10.0.0.2', '10.0.0.20'].map((text) => [ALL, ip(text), ip(text)])
    setDeviceUp(near, false)
    setDeviceUp(near, true)
    expect(announced()).toEqual(both)
    setAddress(near, 0x020000000223)
    expect(announced()).toEqual(both)
  })
})
