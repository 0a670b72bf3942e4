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
  expect(journey.steps.at(-1)!.text).toBe('delivered here')
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
  expect(lost.steps.at(-1)).toMatchObject({ where: 'right', text: 'lost on its way to b:eth0', end: true })
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
