/** What is seen inside a host's network, and that nobody is changed by being looked at. */
import { expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { SECOND, Simulator } from '#base/sim'
import { type Host, insideViews } from '#kernel/core'
import { parseLab } from '#lab/plan'
import { parseIpv4 } from '#wire/inet'
import { netState } from './index.ts'
import { installInside } from './inside.ts'
import { neighbourFor } from './neighbour.ts'
import { NUD_NOARP, NUD_STALE, UPDATE_ADMIN, UPDATE_OVERRIDE } from './neighbour-states.ts'
import { TestCable, testCard, testHost, testImage } from './testing.ts'

const LAB = `
networks: { lan: {} }
hosts:
  a: { eth0: lan 10.0.0.1/24, gateway: 10.0.0.254 }
  b: { eth0: lan 10.0.0.2/24 }
`

function lab() {
  const made = new SimLab(parseLab(LAB, 'lab.yaml').plan, { seed: 1, start: 1_767_225_600, capture: false })
  const host = made.world.host('a').kernel
  return { made, host, run: async (line: string) => (await made.command('a', line)).output }
}

const cells = (host: Host, view: string) =>
  insideViews(host.image)
    .get(view)!
    .look(host)
    ?.map((row) => row.cells)

function lookAtAll(host: Host): void {
  for (const { look } of insideViews(host.image).values()) look(host)
}

test('addresses and routes are there from the beginning; neighbours and sockets when there are any', async () => {
  const { host, run } = lab()
  await run('true')
  expect(cells(host, 'addresses')).toEqual([
    ['lo', '127.0.0.1/8', 'UNKNOWN'],
    ['eth0', '10.0.0.1/24', 'UP'],
  ])
  expect(cells(host, 'routes')).toEqual([
    ['default', '10.0.0.254', 'eth0', ''],
    ['10.0.0.0/24', '', 'eth0', ''],
  ])
  expect(cells(host, 'neighbours')).toBeUndefined()
  expect(cells(host, 'sockets')).toBeUndefined()
})

test('a neighbour that answered, and one that does not', async () => {
  const { host, run } = lab()
  await run('ping -c 1 10.0.0.2; ping -c 1 -W 1 10.0.0.3 & sleep 0.5')
  expect(cells(host, 'neighbours')).toEqual([
    ['10.0.0.2', 'eth0', '02:00:00:00:02:00', 'REACHABLE'],
    ['10.0.0.3', 'eth0', '', 'INCOMPLETE'],
  ])
  await run('sleep 4')
  expect(cells(host, 'neighbours')![1]).toEqual(['10.0.0.3', 'eth0', '', 'FAILED'])
})

test('sockets, with what waits in them', async () => {
  const { host, run } = lab()
  await run('nc -l -p 80 > /dev/null & sleep 1')
  expect(cells(host, 'sockets')).toEqual([['tcp', 'LISTEN', '0', '1', '0.0.0.0:80', '0.0.0.0:*']])
})

test('a group is no neighbour', () => {
  const sim = new Simulator()
  const image = testImage()
  installInside(image)
  const host = testHost(sim, 'a', image)
  const device = testCard(host, 'eth0', 0x020000000100, '10.0.0.1/24')
  new TestCable(sim, device, testCard(testHost(sim, 'b'), 'eth0', 0x020000000200))
  sim.run(SECOND)
  neighbourFor(device, parseIpv4('224.0.0.18')!)!.update(0x01005e000012, NUD_NOARP, UPDATE_OVERRIDE | UPDATE_ADMIN)
  expect(cells(host, 'neighbours')).toBeUndefined()
  neighbourFor(device, parseIpv4('10.0.0.2')!)!.update(0x020000000200, NUD_STALE, UPDATE_OVERRIDE | UPDATE_ADMIN)
  expect(cells(host, 'neighbours')).toEqual([['10.0.0.2', 'eth0', '02:00:00:00:02:00', 'STALE']])
})

test('looking counts as no look-up, collects nothing and plans nothing', async () => {
  const { made, host, run } = lab()
  await run('ping -c 1 10.0.0.2; nc -l -p 80 > /dev/null & sleep 1')
  const table = netState.of(host).neighbours
  const { sim } = made.world
  const planned: unknown[] = []
  const arm = sim.arm.bind(sim)
  sim.arm = (...event) => {
    planned.push(event)
    arm(...event)
  }
  const state = () => ({
    stats: { ...table.stats },
    entries: table.entries,
    used: [...table.all()].map(({ used, state }) => [used, state]),
    events: sim.events,
    planned: planned.slice(),
  })
  const before = state()
  for (let i = 0; i < 10; i++) lookAtAll(host)
  expect(state()).toEqual(before)
})

test('a run that is watched and one that is not are the same run', async () => {
  const [watched, alone] = [lab(), lab()]
  watched.made.world.frames.listen(({ port }) => lookAtAll(watched.made.world.host(port.host).kernel))
  const lines = [
    'ping -c 2 10.0.0.2',
    'ping -c 1 -W 1 10.0.0.7',
    'sleep 120',
    'ip -s neigh',
    'cat /proc/net/stat/arp_cache',
  ]
  for (const line of lines) {
    const output = await watched.run(line)
    lookAtAll(watched.host)
    expect(output).toBe(await alone.run(line))
    expect(watched.made.nowNs).toBe(alone.made.nowNs)
  }
})
