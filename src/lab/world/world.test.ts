/** Worlds of a plan: what has booted, what power and cables do, and that nothing happens by itself. */
import { describe, expect, test } from 'vitest'
import { decodeUtf8 } from '#base/bytes'
import { drive, SECOND } from '#base/sim'
import { createCapture, type KernelHost } from '#kernel/core'
import { createDebian12 } from '#lab/catalogue'
import { parseLab } from '#lab/plan'
import { emitFrame } from '#wire/inet'
import { LabRefused, World } from './index.ts'

const START_S = 1_767_225_600
const image = createDebian12()

const LAB = `
networks: { lan: {}, wan: { loss: 30% } }
hosts:
  a: { eth0: lan 10.0.0.1/24, lo: 10.9.9.9/32, gateway: 10.0.0.2, sysctl: { net.ipv4.conf.default.arp_ignore: 1 } }
  b: { eth0: lan 10.0.0.2/24 10.0.0.3/31, eth1: wan 10.0.1.2/24, sysctl: { net.ipv4.ip_forward: 1, net.ipv4.conf.eth1.rp_filter: 2 } }
  c: { eth0: wan 10.0.1.3/24 }
`

function worldOf(lab = LAB, seed = 1): World {
  const { plan, mistakes } = parseLab(lab, 'lab.yaml')
  expect(mistakes).toEqual([])
  return new World(plan, { seed, startS: START_S, image })
}

/** What a command prints on a host. */
async function sh(world: World, host: string, command: string, seconds = 20): Promise<string> {
  const kernel: KernelHost = world.host(host).kernel
  let output = ''
  let ended = false
  const out = createCapture({
    onOutput: (bytes) => {
      output += decodeUtf8(bytes)
    },
  })
  const nothing = kernel.openPath('/dev/null', 2)!
  kernel.spawn({
    argv: ['bash', '-c', command],
    files: [nothing, out, out],
    env: { PATH: '/usr/sbin:/usr/bin' },
    onExit: () => {
      ended = true
    },
  })
  await drive(world.sim, world.sim.nowNs + seconds * SECOND, () => ended)
  return output
}

/** Every frame that passes a switch, as text. */
function watch(world: World): string[] {
  const seen: string[] = []
  world.frames.listen(({ atNs, port, direction, packet }) =>
    seen.push(`${atNs} ${port.host}:${port.iface} ${direction} ${emitFrame(packet).join(',')}`),
  )
  return seen
}

describe('a world has booted', () => {
  test('addresses with their broadcast addresses, links up, routes, settings, names', async () => {
    const world = worldOf()
    expect(
      await sh(world, 'a', 'ip -br addr; ip route; sysctl -n net.ipv4.conf.eth0.arp_ignore; cat /etc/hosts; hostname'),
    ).toBe(`lo               UNKNOWN        127.0.0.1/8 10.9.9.9/32 
eth0             UP             10.0.0.1/24 
default via 10.0.0.2 dev eth0 
10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1 
1
127.0.0.1 localhost
10.0.0.1 a
10.0.0.2 b
10.0.1.3 c
a
`)
    const b = await sh(
      world,
      'b',
      'ip addr show eth0; ip -br link; sysctl -n net.ipv4.ip_forward net.ipv4.conf.eth1.rp_filter',
    )
    expect(b).toContain('inet 10.0.0.2/24 brd 10.0.0.255 scope global eth0')
    expect(b).toContain('inet 10.0.0.3/31 scope global eth0') // No broadcast address beyond /30.
    expect(b).toMatch(/eth1 +UP +02:00:00:00:02:01/)
    expect(b).toMatch(/\n1\n2\n$/)
  })

  test('without a frame out of the blue: not when it boots, not in an hour, not for what a person looks at', async () => {
    const world = worldOf()
    const seen = watch(world)
    await drive(world.sim, 3600 * SECOND)
    await sh(world, 'b', 'ip addr; ip neigh; ping -c 1 -w 1 10.0.0.2; ls /etc')
    expect(seen).toEqual([])
  })

  test('costs no event while nobody does anything', async () => {
    const world = worldOf()
    await drive(world.sim, 10 * SECOND)
    const { events } = world.sim
    await drive(world.sim, 3600 * SECOND)
    expect(world.sim.events - events).toBeLessThan(3600)
  })
})

describe('what a kernel refuses, or isn’t modelled, is said with the host’s name', () => {
  const host = (words: string) => `networks: { lan: {} }\nhosts: { x: { eth0: lan 10.0.0.1/24, ${words} } }`
  test.each([
    ['sysctl: { net.ipv4.nosuch: 1 }', LabRefused, 'x: sysctl net.ipv4.nosuch = 1: no such setting'],
    ['sysctl: { net.ipv4.ip_forward: abc }', LabRefused, 'x: sysctl net.ipv4.ip_forward = abc: EINVAL'],
    ['lo: 10.0.0.9/32 10.0.0.9/32', LabRefused, /^x: RTM_NEWADDR: .*/],
    ['ipv6: true, lo: 2001:db8::9/128 2001:db8::9/128', LabRefused, /^x: RTM_NEWADDR: .*/],
  ])('%s', (words, kind, message) => {
    expect(() => worldOf(host(words))).toThrow(kind)
    expect(() => worldOf(host(words))).toThrow(message)
  })
})

describe('power', () => {
  test('cut: cables first, then everything dies; the disk stays', async () => {
    const world = worldOf()
    const told: string[] = []
    world.power.listen(({ host, on }) => told.push(`${host} ${on}`))
    await sh(
      world,
      'a',
      'ip neigh add 10.0.0.77 lladdr 02:00:00:00:00:77 dev eth0; echo kept > /root/disk; (sleep 100; echo late > /root/late) &',
    )
    await sh(world, 'a', 'sysctl -qw net.ipv4.ip_forward=1; ping -c 1 10.0.0.2')
    world.powerOff('a')
    world.powerOff('a')
    expect([world.host('a').kernel.up, world.host('a').ports.get('eth0')!.up]).toEqual([false, false])
    expect(await sh(world, 'b', 'ping -c 1 -w 1 10.0.0.1; ip -br link show eth0')).toMatch(
      /100% packet loss[\s\S]*eth0 +UP/,
    )
    world.powerOn('a')
    world.powerOn('a')
    expect(told).toEqual(['a false', 'a true'])
    await drive(world.sim, world.sim.nowNs + 200 * SECOND)
    expect(
      await sh(
        world,
        'a',
        'ls /root; cat /root/disk; ip neigh show 10.0.0.77; sysctl -n net.ipv4.ip_forward; uptime -p',
      ),
    ).toBe('disk\nkept\n0\nup 3 minutes\n')
    expect(await sh(world, 'b', 'ping -c 1 -w 1 10.0.0.1')).toContain(' 0% packet loss')
  })

  test('nothing crosses while a host is off, in either direction', async () => {
    const world = worldOf()
    await sh(world, 'b', 'ping -i 0.2 10.0.0.1 >/dev/null &')
    await sh(world, 'a', 'ping -i 0.2 10.0.0.2 >/dev/null &')
    world.powerOff('a')
    const seen = watch(world)
    await drive(world.sim, world.sim.nowNs + 10 * SECOND)
    expect(seen.filter((each) => each.includes(' a:'))).toEqual([])
    expect(seen.length).toBeGreaterThan(0) // b goes on asking.
  })
})

describe('cables', () => {
  test('pulled and put back: both sides see it, and the listener once', async () => {
    const world = worldOf()
    const told: string[] = []
    world.links.listen(({ host, interface: iface, up }) => told.push(`${host}:${iface} ${up}`))
    world.plug('a', 'eth0', false)
    world.plug('a', 'eth0', false)
    expect(await sh(world, 'a', 'ip -br link show eth0; ping -c 1 -w 1 10.0.0.2')).toMatch(/^eth0 +DOWN .*NO-CARRIER/)
    expect(await sh(world, 'b', 'ip -br link show eth0')).toMatch(/^eth0 +UP/) // Its own cable is in.
    world.plug('a', 'eth0', true)
    expect(await sh(world, 'a', 'sleep 2; ip -br link show eth0; ping -c 1 -w 1 10.0.0.2')).toMatch(
      /UP[\s\S]* 0% packet loss/,
    )
    expect(told).toEqual(['a:eth0 false', 'a:eth0 true'])
  })

  test('pulled while the power is off: none when it comes back', async () => {
    const world = worldOf()
    world.powerOff('a')
    world.plug('a', 'eth0', false)
    world.powerOn('a')
    expect(await sh(world, 'a', 'ip -br link show eth0')).toContain('NO-CARRIER')
  })
})

test('the same seed gives the same frames, another seed others', async () => {
  const framesOf = async (seed: number) => {
    const world = worldOf(LAB, seed)
    const seen = watch(world)
    await sh(world, 'c', 'ping -i 0.1 -c 20 -W 1 10.0.1.2', 60)
    return seen
  }
  const first = await framesOf(1)
  expect(first.length).toBeGreaterThan(30)
  expect(await framesOf(1)).toEqual(first)
  expect(await framesOf(2)).not.toEqual(first)
})
