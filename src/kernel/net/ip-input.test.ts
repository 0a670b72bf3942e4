import { describe, expect, test } from 'vitest'
import { SECOND, Simulator } from '#base/sim'
import { formatIpv4, IP_DF, type Packet, parseIpv4 } from '#wire/inet'
import { setConf, setIpForward } from './conf-sysctl.ts'
import type { NetDevice } from './device.ts'
import type { ConfName } from './inetdev.ts'
import { newIpPacket } from './ip-output.ts'
import { inetState, ipTrace } from './ip-state.ts'
import { addRoute, chain, inetImage } from './ip-testing.ts'
import { addAddress, TestCable, testCard, testHost } from './testing.ts'

/** A host with two cards; frames are pushed into them as a neighbour would send them. */
function twoCards(settings: [string, ConfName, number][] = [], forwarding = 0) {
  const sim = new Simulator(1)
  const image = inetImage()
  const host = testHost(sim, 'h', image)
  const eth0 = testCard(host, 'eth0', 0x020000000100, '10.0.0.1/24')
  const eth1 = testCard(host, 'eth1', 0x020000000101, '10.1.0.1/24')
  const left = new TestCable(sim, eth0, testCard(testHost(sim, 'l', image), 'eth0', 0x020000000200, '10.0.0.2/24'))
  const right = new TestCable(sim, eth1, testCard(testHost(sim, 'r', image), 'eth0', 0x020000000300, '10.1.0.2/24'))
  sim.run(2 * SECOND)
  setIpForward(host, forwarding)
  for (const [instance, name, value] of settings) setConf(host, instance, name, value, 'plain')
  const drops: string[] = []
  ipTrace(host).listen((event) => {
    if (event.kind === 'drop') drops.push(event.reason)
    else if (event.kind === 'deliver') drops.push('delivered')
    else if (event.kind === 'forward') drops.push('forwarded')
  })
  const push = (device: NetDevice, src: string, dst: string, change: (packet: Packet) => void = () => {}) => {
    const packet = newIpPacket(parseIpv4(src)!, parseIpv4(dst)!, 17, 0, 64)
    packet.macDst = device.address
    packet.macSrc = 0x020000000999
    packet.srcPort = 1000
    packet.dstPort = 2000
    packet.buffer = new Uint8Array(2000)
    packet.length = 10
    change(packet)
    device.receive(packet)
    return drops.splice(0)
  }
  return { sim, host, eth0, eth1, left, right, push, counters: () => inetState.of(host).count() }
}

type Settings = [string, ConfName, number][]

describe('which sources are believed', () => {
  const table: [string, Settings, string, string, string[]][] = [
    ['rp_filter 0: by any device', [], '10.1.0.7', '10.0.0.1', ['delivered', 'NO_SOCKET']],
    ['rp_filter 1: only by the way back', [['all', 'rpFilter', 1]], '10.1.0.7', '10.0.0.1', ['IP_RPFILTER']],
    ['rp_filter 1 of the device', [['eth0', 'rpFilter', 1]], '10.1.0.7', '10.0.0.1', ['IP_RPFILTER']],
    ['rp_filter 1 of another device', [['eth1', 'rpFilter', 1]], '10.1.0.7', '10.0.0.1', ['delivered', 'NO_SOCKET']],
    ['rp_filter 1: the right way', [['all', 'rpFilter', 1]], '10.0.0.7', '10.0.0.1', ['delivered', 'NO_SOCKET']],
    [
      'rp_filter 2: by any, if there is a way back',
      [['all', 'rpFilter', 2]],
      '10.1.0.7',
      '10.0.0.1',
      ['delivered', 'NO_SOCKET'],
    ],
    ['rp_filter 2: no way back at all', [['all', 'rpFilter', 2]], '192.0.2.1', '10.0.0.1', ['IP_RPFILTER']],
    [
      'the larger of all and the device',
      [
        ['all', 'rpFilter', 1],
        ['eth0', 'rpFilter', 2],
      ],
      '10.1.0.7',
      '10.0.0.1',
      ['delivered', 'NO_SOCKET'],
    ],
    ['its own address', [], '10.0.0.1', '10.1.0.1', ['NOT_SPECIFIED']],
    [
      'its own address with accept_local',
      [['all', 'acceptLocal', 1]],
      '10.1.0.1',
      '10.0.0.1',
      // The ICMP error comes back by lo, and is received when the packet itself has been dealt with.
      ['delivered', 'NO_SOCKET', 'delivered'],
    ],
    ['a multicast source', [], '224.0.0.5', '10.0.0.1', ['NOT_SPECIFIED']],
    ['the broadcast address', [], '255.255.255.255', '10.0.0.1', ['NOT_SPECIFIED']],
    ['no source at all', [], '0.0.0.0', '10.0.0.1', ['NOT_SPECIFIED']],
    ['a loopback source', [], '127.0.0.9', '10.0.0.1', ['NOT_SPECIFIED']],
    ['a loopback destination', [], '10.0.0.7', '127.0.0.1', ['NOT_SPECIFIED']],
    [
      'a loopback destination with route_localnet',
      [['eth0', 'routeLocalnet', 1]],
      '10.0.0.7',
      '127.0.0.1',
      ['delivered', 'NO_SOCKET'],
    ],
    ['0.0.0.0 as destination', [], '10.0.0.7', '0.0.0.0', ['NOT_SPECIFIED']],
    ['no source, to all: DHCP', [], '0.0.0.0', '255.255.255.255', ['delivered']],
    ['another card’s address', [], '10.0.0.7', '10.1.0.1', ['delivered', 'NO_SOCKET']],
    ['somebody else, no router', [], '10.0.0.7', '10.1.0.7', ['IP_INADDRERRORS']],
  ]
  test.each(table)('%s', (_name, settings, src, dst, expected) => {
    const { eth0, push } = twoCards(settings)
    expect(push(eth0, src, dst)).toEqual(expected)
  })

  test('martians are logged where one asked for it, and only there', () => {
    const { host, eth0, push } = twoCards([['eth0', 'logMartians', 1]])
    push(eth0, '127.0.0.9', '10.0.0.1')
    push(eth0, '10.0.0.7', '127.0.0.1')
    expect((host as unknown as { logged: string[] }).logged.slice(-3)).toEqual([
      'IPv4: martian source 10.0.0.1 from 127.0.0.9, on dev eth0',
      'll header: 00000000: 02 00 00 00 01 00 02 00 00 00 09 99 08 00',
      'IPv4: martian destination 127.0.0.1 from 10.0.0.7, dev eth0',
    ])
    const quiet = twoCards()
    quiet.push(quiet.eth0, '127.0.0.9', '10.0.0.1')
    expect((quiet.host as unknown as { logged: string[] }).logged).toEqual([])
  })
})

describe('link-layer types', () => {
  test('what is for somebody else’s card is dropped, and counted by nobody', () => {
    const { eth0, push, counters } = twoCards()
    expect(push(eth0, '10.0.0.7', '10.0.0.1', (packet) => (packet.macDst = 0x020000000777))).toEqual(['OTHERHOST'])
    expect(counters().inReceives).toBe(0)
  })

  test('a broadcast frame with a unicast destination is delivered, never forwarded, and dropped where one says so', () => {
    const broadcast = (packet: Packet) => (packet.macDst = 0xffffffffffff)
    const { eth0, push } = twoCards([], 1)
    expect(push(eth0, '10.0.0.7', '10.0.0.1', broadcast)).toEqual(['delivered', 'NO_SOCKET'])
    expect(push(eth0, '10.0.0.7', '10.1.0.2', broadcast)).toEqual(['NOT_SPECIFIED'])
    const strict = twoCards([['all', 'dropUnicastInL2Multicast', 1]])
    expect(strict.push(strict.eth0, '10.0.0.7', '10.0.0.1', broadcast)).toEqual(['UNICAST_IN_L2_MULTICAST'])
  })

  test('directed broadcasts of another net are forwarded with bc_forwarding of all and the device alone', () => {
    const { eth0, push } = twoCards([], 1)
    expect(push(eth0, '10.0.0.7', '10.1.0.255')).toEqual(['delivered'])
    const forwarding = twoCards(
      [
        ['all', 'bcForwarding', 1],
        ['eth0', 'bcForwarding', 1],
      ],
      1,
    )
    expect(forwarding.push(forwarding.eth0, '10.0.0.7', '10.1.0.255')).toEqual(['forwarded'])
  })
})

/** ICMP that a cable has seen: type/code, source, destination, second word. */
function icmpOn(cable: TestCable): string[] {
  return cable.seen
    .filter(({ packet }) => packet.etherType === 0x0800 && packet.protocol === 1)
    .map(({ packet }) => {
      const { icmpType, icmpCode, icmpRest, src, dst } = packet
      return `${icmpType}/${icmpCode} ${formatIpv4(src)} > ${formatIpv4(dst)} ${icmpRest}`
    })
}

describe('what a router tells', () => {
  const table: [string, (packet: Packet) => void, string, string[]][] = [
    ['the last hop', (packet) => (packet.ttl = 1), '10.1.0.2', ['11/0 10.0.0.1 > 10.0.0.2 0']],
    ['no route', () => {}, '192.0.2.1', ['3/0 10.0.0.1 > 10.0.0.2 0']],
    ['unreachable', () => {}, '198.51.100.1', ['3/1 10.0.0.1 > 10.0.0.2 0']],
    ['prohibited', () => {}, '203.0.113.1', ['3/13 10.0.0.1 > 10.0.0.2 0']],
    ['a black hole: nothing', () => {}, '192.88.99.1', []],
    [
      'too large with DF',
      (packet) => {
        packet.fragment = IP_DF
        packet.length = 1472
      },
      '10.1.0.2',
      ['3/4 10.0.0.1 > 10.0.0.2 1400'],
    ],
    [
      'not the first fragment: nothing',
      (packet) => {
        packet.ttl = 1
        packet.fragment = 100
        packet.raw = 3
      },
      '10.1.0.2',
      [],
    ],
    [
      'about an error: nothing',
      (packet) => {
        packet.ttl = 1
        packet.protocol = 1
        packet.icmpType = 3
      },
      '10.1.0.2',
      [],
    ],
    [
      'about an echo request',
      (packet) => {
        packet.ttl = 1
        packet.protocol = 1
        packet.icmpType = 8
      },
      '10.1.0.2',
      ['11/0 10.0.0.1 > 10.0.0.2 0'],
    ],
  ]
  test.each(table)('%s', (_name, change, dst, expected) => {
    const { sim, host, eth0, eth1, left, push } = twoCards([], 1)
    addRoute(host, '198.51.100.0/24', undefined, { type: 'unreachable', scope: 0 })
    addRoute(host, '203.0.113.0/24', undefined, { type: 'prohibit', scope: 0 })
    addRoute(host, '192.88.99.0/24', undefined, { type: 'blackhole', scope: 0 })
    eth1.mtu = 1400
    push(eth0, '10.0.0.2', dst, change)
    sim.run(sim.nowNs + SECOND)
    expect(icmpOn(left)).toEqual(expected)
  })

  test('an error quotes the packet as it came, 576 bytes in all, in class 0xc0', () => {
    const { sim, eth0, left, push } = twoCards([], 1)
    push(eth0, '10.0.0.2', '10.1.0.2', (packet) => {
      packet.ttl = 1
      packet.tos = 0x08
      packet.length = 1000
    })
    sim.run(sim.nowNs + SECOND)
    const error = left.seen.find(({ packet }) => packet.protocol === 1)!.packet
    expect([error.length + 28, error.tos, error.ttl, error.fragment]).toEqual([576, 0xc8, 64, 0])
    expect(error.buffer[error.offset + 8]).toBe(1)
  })

  test('icmp_errors_use_inbound_ifaddr takes the address of the card that the packet came in by', () => {
    const { sim, host, eth0, right, push } = twoCards([], 1)
    inetState.of(host).writableSysctls().errorsUseInboundAddress = 1
    push(eth0, '10.1.0.2', '10.1.0.9', (packet) => (packet.ttl = 1)) // The way back is by eth1.
    sim.run(sim.nowNs + SECOND)
    expect(icmpOn(right)).toEqual(['11/0 10.0.0.1 > 10.1.0.2 0'])
  })

  test('six errors at once to one host, then one a second', () => {
    const { sim, host, eth0, left, push } = twoCards([], 1)
    sim.run(100 * SECOND)
    const burst = () => {
      for (let i = 0; i < 20; i++) push(eth0, '10.0.0.2', '10.1.0.2', (packet) => (packet.ttl = 1))
      sim.run(sim.nowNs + SECOND)
      return icmpOn(left).length
    }
    expect(burst()).toBe(6)
    expect(burst()).toBe(7)
    expect(inetState.of(host).count().icmpRatelimitHost).toBe(14 + 19)
  })

  test('the destination doesn’t answer ARP: host unreachable after three seconds', () => {
    const { sim, eth0, left, push } = twoCards([], 1)
    push(eth0, '10.0.0.2', '10.1.0.77')
    sim.run(sim.nowNs + 2 * SECOND)
    expect(icmpOn(left)).toEqual([])
    sim.run(sim.nowNs + 2 * SECOND)
    expect(icmpOn(left)).toEqual(['3/1 10.0.0.1 > 10.0.0.2 0'])
  })
})

describe('redirects', () => {
  function lan(settings: Settings = []) {
    const sim = new Simulator(1)
    const image = inetImage()
    const host = testHost(sim, 'r', image)
    const eth0 = testCard(host, 'eth0', 0x020000000100, '10.0.0.1/24')
    const a = testHost(sim, 'a', image)
    const aCard = testCard(a, 'eth0', 0x020000000200, '10.0.0.2/24')
    const other = testHost(sim, 'o', image)
    const cable = new TestCable(sim, eth0, aCard, testCard(other, 'eth0', 0x020000000300, '10.0.0.3/24'))
    sim.run(2 * SECOND)
    setIpForward(host, 1)
    addRoute(host, '192.0.2.0/24', '10.0.0.3')
    addRoute(a, '192.0.2.0/24', '10.0.0.1')
    for (const [instance, name, value] of settings) setConf(host, instance, name, value, 'plain')
    const push = (times: number, everyNs: number) => {
      for (let i = 0; i < times; i++) {
        const packet = newIpPacket(parseIpv4('10.0.0.2')!, parseIpv4('192.0.2.9')!, 17, 0, 64)
        packet.macDst = eth0.address
        eth0.receive(packet)
        sim.run(sim.nowNs + everyNs)
      }
    }
    return { sim, host, a, cable, push }
  }

  test('a packet that goes out where it came in is sent on, and its sender is told', () => {
    const { cable, push } = lan()
    push(1, SECOND)
    expect(icmpOn(cable)).toEqual(['5/1 10.0.0.1 > 10.0.0.2 167772163'])
  })

  test('nine redirects with doubling pauses, then silence', () => {
    const { cable, push } = lan()
    push(2000, 10_000_000)
    expect(icmpOn(cable)).toHaveLength(9)
  })

  const quiet: [string, Settings][] = [
    [
      'send_redirects of all and the device off',
      [
        ['all', 'sendRedirects', 0],
        ['eth0', 'sendRedirects', 0],
      ],
    ],
  ]
  test.each(quiet)('no redirect with %s', (_name, settings) => {
    const { cable, push } = lan(settings)
    push(1, SECOND)
    expect(icmpOn(cable)).toEqual([])
  })

  test('either of send_redirects is enough', () => {
    const { cable, push } = lan([['all', 'sendRedirects', 0]])
    push(1, SECOND)
    expect(icmpOn(cable)).toHaveLength(1)
  })
})

test('counters tell what happened', () => {
  const { hosts, devices, cables } = chain(new Simulator(1), 1)
  expect(hosts).toHaveLength(3)
  expect(devices[1]).toHaveLength(2)
  expect(cables).toHaveLength(2)
  const { eth0, push, counters } = twoCards([], 1)
  push(eth0, '10.0.0.2', '10.1.0.2')
  push(eth0, '10.0.0.2', '10.1.0.2', (packet) => (packet.ttl = 1))
  push(eth0, '10.0.0.2', '10.0.0.1')
  push(eth0, '10.0.0.2', '10.0.0.1', (packet) => (packet.protocol = 200))
  const { inReceives, forwDatagrams, inHdrErrors, inDelivers, inUnknownProtos, udpNoPorts } = counters()
  expect({ inReceives, forwDatagrams, inHdrErrors, inDelivers, inUnknownProtos, udpNoPorts }).toEqual({
    inReceives: 4,
    forwDatagrams: 1,
    inHdrErrors: 1,
    inDelivers: 1,
    inUnknownProtos: 1,
    udpNoPorts: 1,
  })
})

test('an address added to a card is local at once, whatever was remembered', () => {
  const { eth0, eth1, push } = twoCards([], 1)
  expect(push(eth0, '10.0.0.2', '10.1.0.9')).toEqual(['forwarded'])
  addAddress(eth1, '10.1.0.9/24')
  expect(push(eth0, '10.0.0.2', '10.1.0.9')).toEqual(['delivered', 'NO_SOCKET'])
})

test('ten martians in five seconds are logged; then how many there were', () => {
  const { sim, host, eth0, push } = twoCards([['eth0', 'logMartians', 1]])
  const { logged } = host as unknown as { logged: string[] }
  for (let i = 0; i < 25; i++) push(eth0, '10.0.0.7', '127.0.0.1')
  expect(logged).toHaveLength(10)
  sim.run(sim.nowNs + 6 * SECOND)
  push(eth0, '10.0.0.7', '127.0.0.1')
  expect(logged.slice(10)).toEqual([
    'net_ratelimit: 15 callbacks suppressed',
    'IPv4: martian destination 127.0.0.1 from 10.0.0.7, dev eth0',
  ])
})
