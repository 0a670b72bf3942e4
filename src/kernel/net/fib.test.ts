import { describe, expect, test } from 'vitest'
import { Simulator } from '#base/sim'
import type { Host } from '#kernel/core'
import { formatIpv4, parseIpv4 } from '#wire/inet'
import { deleteAddress } from './addresses.ts'
import { setConf } from './conf-sysctl.ts'
import type { NetDevice } from './device.ts'
import { setDeviceUp } from './device-events.ts'
import { flowOf, RTNH_F_ONLINK } from './fib.ts'
import { addressType, emptyResult, fibLookup } from './fib-lookup.ts'
import { allTables, deleteRoute, insertRoute, newTable } from './fib-table.ts'
import { inetState } from './ip-state.ts'
import { addRoute, inetImage } from './ip-testing.ts'
import { addAddress, TestCable, testCard, testHost } from './testing.ts'

const SCOPES: Record<number, string> = { 0: 'global', 253: 'link', 254: 'host', 255: 'nowhere' }

/** Routes as `ip route show table all` has them, in short. */
function routes(host: Host): string[] {
  return allTables(inetState.of(host)).flatMap((table) =>
    table.aliases.map(({ key, prefix, type, info }) => {
      const nextHop = info.nextHops[0]!
      const via = nextHop.gateway ? ` via ${formatIpv4(nextHop.gateway)}` : ''
      const dev = nextHop.device ? ` dev ${nextHop.device.name}` : ''
      const src = info.prefSrc ? ` src ${formatIpv4(info.prefSrc)}` : ''
      const flags = nextHop.flags & 16 ? ' linkdown' : ''
      return `${table.id} ${type} ${formatIpv4(key)}/${prefix}${via}${dev} ${SCOPES[info.scope]}${src}${flags}`
    }),
  )
}

/** Two hosts on one cable; what is asked of the first. */
function pair(...addresses: string[]) {
  const sim = new Simulator(1)
  const image = inetImage()
  const host = testHost(sim, 'a', image)
  const eth0 = testCard(host, 'eth0', 0x020000000100, ...addresses)
  const other = testCard(testHost(sim, 'b', image), 'eth0', 0x020000000200, '10.0.0.2/24')
  const cable = new TestCable(sim, eth0, other)
  sim.run(2e9)
  return { sim, host, eth0, cable }
}

function lookup(host: Host, dst: string, more: Parameters<typeof flowOf>[0] = {}): string {
  const result = emptyResult()
  const error = fibLookup(host, flowOf({ dst: parseIpv4(dst)!, ...more }), result)
  if (error !== undefined) return error
  const gateway = result.nextHop!.gateway
  return `${result.type} ${gateway ? formatIpv4(gateway) : 'link'} ${result.nextHop!.device?.name}`
}

const LOOPBACK_ROUTES = [
  '255 local 127.0.0.0/8 dev lo host src 127.0.0.1',
  '255 local 127.0.0.1/32 dev lo host src 127.0.0.1',
  '255 broadcast 127.255.255.255/32 dev lo link src 127.0.0.1',
]

describe('routes come and go with addresses and devices', () => {
  test('an address brings its own, its prefix and its broadcasts', () => {
    const { host } = pair('10.0.0.1/24')
    expect(routes(host)).toEqual([
      '254 unicast 10.0.0.0/24 dev eth0 link src 10.0.0.1',
      '255 local 10.0.0.1/32 dev eth0 host src 10.0.0.1',
      '255 broadcast 10.0.0.255/32 dev eth0 link src 10.0.0.1',
      ...LOOPBACK_ROUTES,
    ])
  })

  test('/31 and /32 have no broadcast, and /32 no prefix', () => {
    const { host, eth0 } = pair('10.0.0.0/31')
    addAddress(eth0, '192.0.2.1/32')
    expect(routes(host).slice(0, 3)).toEqual([
      '254 unicast 10.0.0.0/31 dev eth0 link src 10.0.0.0',
      '255 local 10.0.0.0/32 dev eth0 host src 10.0.0.0',
      '255 local 127.0.0.0/8 dev lo host src 127.0.0.1',
    ])
    expect(routes(host).at(-1)).toBe('255 local 192.0.2.1/32 dev eth0 host src 192.0.2.1')
  })

  test('a secondary address adds only its own route, from the primary', () => {
    const { host, eth0 } = pair('10.0.0.1/24')
    addAddress(eth0, '10.0.0.9/24')
    expect(routes(host).filter((route) => route.includes('10.0.0.9'))).toEqual([
      '255 local 10.0.0.9/32 dev eth0 host src 10.0.0.1',
    ])
  })

  test('removing the address removes all of it, and routes through it', () => {
    const { host, eth0 } = pair('10.0.0.1/24')
    addRoute(host, '0.0.0.0/0', '10.0.0.2')
    deleteAddress(eth0.inet.addresses[0]!)
    expect(routes(host)).toEqual(LOOPBACK_ROUTES)
  })

  test('routes whose source address is removed go; others by the device stay', () => {
    const { host, eth0 } = pair('10.0.0.1/24')
    addAddress(eth0, '10.9.0.1/24')
    addRoute(host, '192.0.2.0/24', '10.0.0.2', { prefSrc: parseIpv4('10.9.0.1')! })
    addRoute(host, '198.51.100.0/24', '10.0.0.2')
    deleteAddress(eth0.inet.addresses.find((one) => one.local === parseIpv4('10.9.0.1'))!)
    const left = routes(host).filter((route) => route.startsWith('254'))
    expect(left).toEqual([
      '254 unicast 10.0.0.0/24 dev eth0 link src 10.0.0.1',
      '254 unicast 198.51.100.0/24 via 10.0.0.2 dev eth0 global',
    ])
  })

  test('down takes routes away but for the local one; up brings back what the address made', () => {
    const { host, eth0 } = pair('10.0.0.1/24')
    addRoute(host, '0.0.0.0/0', '10.0.0.2')
    addRoute(host, '203.0.113.0/24', undefined, { type: 'blackhole', scope: 0 })
    setDeviceUp(eth0, false)
    expect(routes(host)).toEqual([
      '254 blackhole 203.0.113.0/24 global',
      '255 local 10.0.0.1/32 dev eth0 host src 10.0.0.1',
      ...LOOPBACK_ROUTES,
    ])
    setDeviceUp(eth0, true)
    expect(routes(host).filter((route) => route.includes('eth0'))).toHaveLength(3)
    expect(lookup(host, '8.8.8.8')).toBe('ENETUNREACH')
  })

  test('without carrier routes are linkdown: used, unless ignore_routes_with_linkdown', () => {
    const { sim, host, cable } = pair('10.0.0.1/24')
    addRoute(host, '0.0.0.0/0', '10.0.0.2')
    cable.plug(false)
    sim.run(sim.nowNs + 2e9)
    expect(routes(host).filter((route) => route.startsWith('254'))).toEqual([
      '254 unicast 0.0.0.0/0 via 10.0.0.2 dev eth0 global linkdown',
      '254 unicast 10.0.0.0/24 dev eth0 link src 10.0.0.1 linkdown',
    ])
    expect(lookup(host, '8.8.8.8')).toBe('unicast 10.0.0.2 eth0')
    setConf(host, 'all', 'ignoreRoutesWithLinkdown', 1, 'plain')
    expect(lookup(host, '8.8.8.8')).toBe('ENETUNREACH')
    cable.plug(true)
    sim.run(sim.nowNs + 2e9)
    expect(lookup(host, '8.8.8.8')).toBe('unicast 10.0.0.2 eth0')
  })
})

describe('lookups', () => {
  test('the longest prefix, then TOS, then the smallest metric', () => {
    const { host } = pair('10.0.0.1/24')
    addRoute(host, '0.0.0.0/0', '10.0.0.2')
    addRoute(host, '192.0.0.0/8', '10.0.0.3')
    addRoute(host, '192.0.2.0/24', '10.0.0.4', { metric: 20 })
    addRoute(host, '192.0.2.0/24', '10.0.0.5', { metric: 10 })
    addRoute(host, '192.0.2.0/24', '10.0.0.6', { tos: 0x10, metric: 50 })
    expect(lookup(host, '192.0.2.1')).toBe('unicast 10.0.0.5 eth0')
    expect(lookup(host, '192.0.2.1', { tos: 0x10 })).toBe('unicast 10.0.0.6 eth0')
    expect(lookup(host, '192.0.3.1')).toBe('unicast 10.0.0.3 eth0')
    expect(lookup(host, '193.0.0.1')).toBe('unicast 10.0.0.2 eth0')
  })

  test.each([
    ['blackhole', 'EINVAL'],
    ['unreachable', 'EHOSTUNREACH'],
    ['prohibit', 'EACCES'],
    ['throw', 'ENETUNREACH'],
  ] as const)('%s answers %s', (type, errno) => {
    const { host } = pair('10.0.0.1/24')
    addRoute(host, '192.0.2.0/24', undefined, { type, scope: 0 })
    expect(lookup(host, '192.0.2.1')).toBe(errno)
  })

  test('what kind of address', () => {
    const { host } = pair('10.0.0.1/24')
    const types = ['10.0.0.1', '10.0.0.255', '10.0.0.2', '127.9.9.9', '224.0.0.1', '0.0.0.0', '255.255.255.255']
    expect(types.map((address) => addressType(host, parseIpv4(address)!))).toEqual([
      'local',
      'broadcast',
      'unicast',
      'local',
      'multicast',
      'broadcast',
      'broadcast',
    ])
  })
})

describe('what the kernel refuses', () => {
  const refusals: [string, (host: Host, eth0: NetDevice) => void, string][] = [
    ['a gateway that is nowhere', (host) => addRoute(host, '0.0.0.0/0', '192.0.2.1'), 'Nexthop has invalid gateway'],
    [
      'a gateway that is a broadcast',
      (host) => addRoute(host, '0.0.0.0/0', '10.0.0.255'),
      'Nexthop has invalid gateway',
    ],
    [
      'a gateway beyond another gateway',
      (host) => {
        addRoute(host, '192.0.2.0/24', '10.0.0.2')
        addRoute(host, '0.0.0.0/0', '192.0.2.1')
      },
      'Nexthop has invalid gateway',
    ],
    [
      'a source that is not ours',
      (host) => addRoute(host, '192.0.2.0/24', '10.0.0.2', { prefSrc: parseIpv4('10.0.0.7')! }),
      'Invalid prefsrc address',
    ],
    [
      'a device that is down',
      (host, eth0) => {
        setDeviceUp(eth0, false)
        addRoute(host, '192.0.2.0/24', undefined, { oif: eth0.ifindex })
      },
      'Device for nexthop is not up',
    ],
    ['no device at all', (host) => addRoute(host, '192.0.2.0/24', undefined, { oif: 99 }), 'ENODEV'],
    [
      'a blackhole with a gateway',
      (host) => addRoute(host, '192.0.2.0/24', '10.0.0.2', { type: 'blackhole' }),
      'Gateway, device and multipath can not be specified for this route type',
    ],
    [
      'the same twice',
      (host) => {
        addRoute(host, '192.0.2.0/24', '10.0.0.2')
        addRoute(host, '192.0.2.0/24', '10.0.0.3')
      },
      'EEXIST',
    ],
  ]
  test.each(refusals)('%s', (_name, run, message) => {
    const { host, eth0 } = pair('10.0.0.1/24')
    expect(() => run(host, eth0)).toThrow(message)
  })

  test('onlink needs no route to the gateway', () => {
    const { host, eth0 } = pair('10.0.0.1/24')
    addRoute(host, '0.0.0.0/0', '192.0.2.1', { flags: RTNH_F_ONLINK, oif: eth0.ifindex })
    expect(lookup(host, '8.8.8.8')).toBe('unicast 192.0.2.1 eth0')
  })
})

describe('changing routes', () => {
  const config = (gateway: string, more: object = {}) => ({
    dst: parseIpv4('192.0.2.0')!,
    prefix: 24,
    table: 254,
    protocol: 3,
    scope: 0,
    type: 'unicast' as const,
    tos: 0,
    metric: 0,
    prefSrc: 0,
    oif: 0,
    gateway: parseIpv4(gateway)!,
    flags: 0,
    ...more,
  })
  const gateways = (host: Host) =>
    newTable(inetState.of(host), 254)
      .aliases.filter((alias) => alias.key === parseIpv4('192.0.2.0'))
      .map((alias) => formatIpv4(alias.info.nextHops[0]!.gateway))

  test('replace, append, prepend, change without a route, delete one of several', () => {
    const { host } = pair('10.0.0.1/24')
    const table = newTable(inetState.of(host), 254)
    const put = (gateway: string, flags: object, more = {}) => insertRoute(host, table, config(gateway, more), flags)
    expect(put('10.0.0.2', { replace: true })).toEqual({ ok: false, errno: 'ENOENT' })
    expect(put('10.0.0.2', { create: true, exclusive: true })).toBeUndefined()
    expect(put('10.0.0.3', { create: true, replace: true })).toBeUndefined()
    expect(gateways(host)).toEqual(['10.0.0.3'])
    expect(put('10.0.0.4', { create: true, append: true })).toBeUndefined()
    expect(put('10.0.0.5', { create: true })).toBeUndefined() // prepend
    expect(gateways(host)).toEqual(['10.0.0.5', '10.0.0.3', '10.0.0.4'])
    expect(put('10.0.0.4', { create: true, append: true })).toEqual({ ok: false, errno: 'EEXIST' })
    const wanted = { ...config('10.0.0.3'), type: undefined }
    expect(deleteRoute(host, table, wanted)).toBeUndefined()
    expect(gateways(host)).toEqual(['10.0.0.5', '10.0.0.4'])
    expect(deleteRoute(host, table, wanted)).toEqual({ ok: false, errno: 'ESRCH' })
    expect(deleteRoute(host, table, { ...config('0.0.0.0'), type: undefined })).toBeUndefined()
    expect(gateways(host)).toEqual(['10.0.0.4'])
  })
})
