import { expect, test } from 'vitest'
import { parseLab } from '#lab/plan'
import { formatJourney, Journeys, SimLab } from './index.ts'

const LAB = `
networks: { left: {}, right: {} }
hosts:
  a: { eth0: left 10.0.1.1/24, gateway: 10.0.1.254 }
  r: { eth0: left 10.0.1.254/24, eth1: right 10.0.2.254/24, sysctl: { net.ipv4.ip_forward: 1 } }
  b: { eth0: right 10.0.2.1/24, gateway: 10.0.2.254 }
`

function lab() {
  const { plan } = parseLab(LAB, 'lab.yaml')
  const made = new SimLab(plan!, { seed: 1, start: 0, capture: false })
  return { made, journeys: new Journeys(made.world) }
}

test('a ping is told from its making to its delivery, over both networks, and its answer is said to come of it', async () => {
  const { made, journeys } = lab()
  await made.command('a', 'ping -c 1 10.0.2.1')
  const first = journeys.list().find(({ summary }) => summary.includes('request') && summary.includes('10.0.2.1'))!
  const journey = journeys.of(first.number)!
  expect(journey.frames).toHaveLength(2)
  const places = [...new Set(journey.steps.map(({ where }) => where))]
  expect(places).toEqual(['a', 'left', 'r', 'right', 'b'])
  expect(journey.steps.at(-1)!.kind).toBe('deliver')
  const answer = journey.results.find((one) => one.frames.length === 2)!
  expect(answer.cause).toBe(journey)
  expect(formatJourney(journey, () => 'title')).toContain('forwarded, time to live 63 left')
})

test('what ends on the way says where and why', async () => {
  const { made, journeys } = lab()
  await made.command('a', 'ping -c 1 10.0.2.1')
  const before = journeys.list().length
  await made.verb({ verb: 'loss', network: 'right', loss: 1 } as never)
  await made.command('a', 'ping -c 1 -W 1 10.0.2.1')
  const lost = journeys.of(journeys.list()[before]!.number)!
  expect(lost.steps.at(-1)).toMatchObject({ where: 'right', kind: 'lost', about: 'b:eth0', end: true })
  await made.command('a', 'ping -c 1 -t 1 -W 1 10.0.2.1')
  const died = journeys.list().find(({ number, summary }) => number > before && summary.includes('exceeded'))!
  expect(journeys.of(died.number)!.cause!.steps.at(-1)).toMatchObject({ where: 'r', end: true })
})

test('nothing is kept after close', async () => {
  const { made, journeys } = lab()
  journeys.close()
  await made.command('a', 'ping -c 1 10.0.2.1')
  expect(journeys.list()).toEqual([])
})

test('a page keeps the newest ways: old ones are given up, with their ties, and the memory that they took', async () => {
  const { made } = lab()
  const journeys = new Journeys(made.world, { newest: 100 })
  await made.command('a', 'ping -c 1 10.0.2.1')
  const early = journeys.of(1)!
  expect(early.steps.length).toBeGreaterThan(2)
  await made.command('a', 'ping -c 40 -i 0.01 10.0.2.1')
  expect(journeys.of(1)).toBeUndefined()
  expect(early).toMatchObject({ forgotten: true, steps: [], cause: undefined, results: [] })
  let last = 1
  for (let number = 1; number < 1000; number++) if (journeys.of(number) !== undefined) last = number
  const kept = new Set(Array.from({ length: last }, (_, at) => journeys.of(at + 1)))
  kept.delete(undefined)
  expect([...kept].reduce((sum, journey) => sum + journey!.steps.length, 0)).toBeLessThanOrEqual(100)
  expect(journeys.of(last)!.steps.map(({ kind }) => kind)).toContain('deliver')
  expect(journeys.list()).toEqual([])
})
