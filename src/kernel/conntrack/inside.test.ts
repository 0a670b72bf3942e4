import { expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { insideViews } from '#kernel/core'
import { parseLab } from '#lab/plan'
import { conntrackNeed, conntrackState } from './index.ts'

const LAB = `
networks: { left: {}, right: {} }
hosts:
  a: { eth0: left 10.0.1.1/24, gateway: 10.0.1.254 }
  r: { eth0: left 10.0.1.254/24, eth1: right 10.0.2.254/24, sysctl: { net.ipv4.ip_forward: 1 } }
  b: { eth0: right 10.0.2.2/24, gateway: 10.0.2.254 }
`

test('what is tracked is shown until it expires; what has expired is left for the collector', async () => {
  const made = new SimLab(parseLab(LAB, 'lab.yaml').plan, { seed: 1, start: 1_767_225_600, capture: false })
  const router = made.world.host('r').kernel
  const look = () =>
    insideViews(router.image)
      .get('conntrack')!
      .look(router)
      ?.map(({ cells }) => cells)
  expect(look()).toBeUndefined()
  conntrackNeed(router)
  await made.command('a', 'ping -c 1 10.0.2.2')
  const query = expect.stringMatching(/^10\.0\.1\.1 → 10\.0\.2\.2 id \d+$/u)
  const answer = expect.stringMatching(/^10\.0\.2\.2 → 10\.0\.1\.1 id \d+$/u)
  expect(look()).toEqual([['icmp', '', query, answer, '']])
  // Thirty seconds for a ping's; the collector comes later.
  const state = conntrackState.of(router)
  const { sim } = made.world
  for (let s = 0; look() !== undefined && s < 60; s++) sim.run(sim.nowNs + 1e9)
  const { count } = state
  const { events } = sim
  expect(look()).toBeUndefined()
  expect([state.count, sim.events]).toEqual([count, events])
  expect(count).toBe(state.all().length)
})
