import { describe, expect, test } from 'vitest'
import { SECOND, Simulator } from '#base/sim'
import { formatIpv4, parseIpv4 } from '#wire/inet'
import { setConf, setIpForward } from './conf-sysctl.ts'
import type { ConfName } from './inetdev.ts'
import { inetState } from './ip-state.ts'
import { addRoute, inet, inetImage, inetSocket } from './ip-testing.ts'
import { routeOutput } from './route.ts'
import { TestCable, testCard, testHost } from './testing.ts'

/** a sends by r to what is behind o; all three are on one network, so that r says: send to o yourself. */
function lan(settings: [string, ConfName, number][] = []) {
  const sim = new Simulator(1)
  const image = inetImage()
  const a = testHost(sim, 'a', image)
  const r = testHost(sim, 'r', image)
  const o = testHost(sim, 'o', image)
  const cards = [
    testCard(a, 'eth0', 0x020000000100, '10.0.0.1/24'),
    testCard(r, 'eth0', 0x020000000200, '10.0.0.2/24'),
    testCard(o, 'eth0', 0x020000000300, '10.0.0.3/24', '192.0.2.1/24'),
  ]
  const cable = new TestCable(sim, ...cards)
  sim.run(2 * SECOND)
  for (const host of [r, o]) setIpForward(host, 1)
  addRoute(a, '0.0.0.0/0', '10.0.0.2')
  addRoute(r, '192.0.2.0/24', '10.0.0.3')
  for (const [instance, name, value] of settings) setConf(a, instance, name, value, 'plain')
  const socket = inetSocket(a, 'SOCK_DGRAM').socket!
  const send = (times: number, seconds = 1) => {
    for (let i = 0; i < times; i++) {
      socket.sendTo(new Uint8Array(4), inet('192.0.2.1', 9), {})
      sim.run(sim.nowNs + seconds * SECOND)
    }
  }
  const gateway = () => {
    const answer = routeOutput(a, { dst: parseIpv4('192.0.2.1')! })
    return typeof answer === 'string' ? answer : formatIpv4(answer.route.gateway)
  }
  return { sim, a, cable, send, gateway }
}

test('a gateway that isn’t known yet is asked for first; the second redirect is believed', () => {
  const { send, gateway } = lan()
  send(1)
  expect(gateway()).toBe('10.0.0.2')
  send(1)
  expect(gateway()).toBe('10.0.0.3')
})

test('what a redirect said is forgotten after 300 s, or when one says so', () => {
  const first = lan()
  first.send(2)
  first.sim.run(first.sim.nowNs + 301 * SECOND)
  expect(first.gateway()).toBe('10.0.0.2')
  const second = lan()
  second.send(2)
  inetState.of(second.a).exceptionGeneration++ // What writing to net.ipv4.route.flush does.
  expect(second.gateway()).toBe('10.0.0.2')
})

describe('which redirects are refused', () => {
  const refused: [string, [string, ConfName, number][]][] = [
    [
      'accept_redirects of all and the device 0',
      [
        ['all', 'acceptRedirects', 0],
        ['eth0', 'acceptRedirects', 0],
      ],
    ],
    [
      'secure_redirects without shared_media: not a known gateway',
      [
        ['all', 'sharedMedia', 0],
        ['eth0', 'sharedMedia', 0],
      ],
    ],
  ]
  test.each(refused)('%s', (_name, settings) => {
    const { send, gateway } = lan(settings)
    send(4)
    expect(gateway()).toBe('10.0.0.2')
  })

  const accepted: [string, [string, ConfName, number][]][] = [
    ['either accept_redirects is enough for a host', [['all', 'acceptRedirects', 0]]],
    [
      'without shared_media and secure_redirects, on the link',
      [
        ['all', 'sharedMedia', 0],
        ['eth0', 'sharedMedia', 0],
        ['all', 'secureRedirects', 0],
        ['eth0', 'secureRedirects', 0],
      ],
    ],
  ]
  test.each(accepted)('accepted: %s', (_name, settings) => {
    const { send, gateway } = lan(settings)
    send(4)
    expect(gateway()).toBe('10.0.0.3')
  })

  test('one that isn’t from the gateway in use', () => {
    const { send, gateway, a } = lan()
    send(1)
    addRoute(a, '192.0.2.0/24', '10.0.0.3', { metric: 5 })
    send(3)
    expect(gateway()).toBe('10.0.0.3')
  })
})
