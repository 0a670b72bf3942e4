import { describe, expect, test } from 'vitest'
import { Simulator } from '#base/sim'
import { forSeeds } from '#base/testing'
import { createDebian12 } from '#lab/catalogue'
import { parseLab } from '#lab/plan'
import { World } from '#lab/world'
import { applyVerb, formatVerb, LAB_HELP, type LabVerb, parseVerb } from './index.ts'

const { plan } = parseLab(
  `networks: { lan: {}, wan: { delay: 10ms } }
hosts:
  web1: { eth0: lan 10.0.0.1/24, eth1: wan 10.1.0.1/24 }
  web2: { eth0: lan 10.0.0.2/24 }
  lonely: { lo: 10.9.9.9/32 }`,
  'lab.yaml',
)

describe('parseVerb', () => {
  test.each<[string, LabVerb]>([
    ['unplug web1:eth0', { verb: 'unplug', host: 'web1', interface: 'eth0' }],
    ['  plug   web1:eth1 ', { verb: 'plug', host: 'web1', interface: 'eth1' }],
    ['poweroff web2', { verb: 'poweroff', host: 'web2' }],
    ['poweron lonely', { verb: 'poweron', host: 'lonely' }],
    ['pause web2', { verb: 'pause', host: 'web2' }],
    ['resume web2', { verb: 'resume', host: 'web2' }],
    ['wait 1.5s', { verb: 'wait', waitNs: 1.5e9 }],
    ['loss lan 5%', { verb: 'loss', network: 'lan', loss: 0.05 }],
    ['loss lan 0%', { verb: 'loss', network: 'lan', loss: 0 }],
    ['delay wan 20ms', { verb: 'delay', network: 'wan', delayNs: 20e6 }],
    ['delay wan 0', { verb: 'delay', network: 'wan', delayNs: 0 }],
    ['rate lan 100mbit', { verb: 'rate', network: 'lan', rateBps: 100e6 }],
    ['rate lan unlimited', { verb: 'rate', network: 'lan', rateBps: Number.POSITIVE_INFINITY }],
  ])('%s', (line, verb) => expect(parseVerb(line, plan)).toEqual({ ok: true, verb }))

  test.each([
    ['', 'the lab has no ``', 'there is unplug, plug, poweroff, poweron, pause, resume, loss, delay, rate, wait'],
    ['unplg web1:eth0', 'the lab has no `unplg`', 'did you mean `unplug`?'],
    [
      'constructor web1',
      'the lab has no `constructor`',
      'there is unplug, plug, poweroff, poweron, pause, resume, loss, delay, rate, wait',
    ],
    ['unplug', '`unplug` takes 1 word', 'write `unplug HOST:INTERFACE`'],
    ['plug web1:eth0 now', '`plug` takes 1 word', 'write `plug HOST:INTERFACE`'],
    ['loss lan', '`loss` takes 2 words', 'write `loss NETWORK PERCENT`'],
    ['unplug web3:eth0', 'there is no host `web3`', 'did you mean `web1`?'],
    ['unplug director:eth0', 'there is no host `director`', 'there is web1, web2, lonely'],
    ['unplug web1:eth7', '`web1` has no interface `eth7` on a network', 'write `web1:eth0`'],
    ['unplug web1', '`web1` has no interface `` on a network', 'write `web1:eth0`'],
    ['unplug web1:lo', '`web1` has no interface `lo` on a network', 'write `web1:eth0`'],
    ['unplug lonely:eth0', '`lonely` has no interface `eth0` on a network', 'it has no cables'],
    ['unplug web1:eth0:x', '`web1` has no interface `eth0:x` on a network', 'write `web1:eth0`'],
    ['poweroff web1:eth0', '`web1:eth0` is no host', 'write `web1`'],
    ['loss lam 5%', 'there is no network `lam`', 'did you mean `lan`?'],
    ['rate internet 1mbit', 'there is no network `internet`', 'there is lan, wan'],
    ['pause web1:eth0', '`web1:eth0` is no host', 'write `web1`'],
    ['wait soon', '`soon` is no time to wait', 'write it as 2s, at most a day'],
    ['wait 25h', '`25h` is no time to wait', 'write it as 2s, at most a day'],
    ['loss lan 5', '`5` is no loss', 'write it as 5%'],
    ['loss lan 101%', '`101%` is no loss', 'write it as 5%'],
    ['delay lan -5ms', '`-5ms` is no delay', 'write it as 20ms'],
    ['rate lan 0mbit', '`0mbit` is no rate', 'write it as 100mbit'],
  ])('%s: %s', (line, what, hint) => expect(parseVerb(line, plan)).toEqual({ ok: false, what, hint }))
})

test('formatVerb is the inverse of parseVerb', () => {
  const places = plan.hosts.flatMap(({ name, interfaces }) => interfaces.map((iface) => [name, iface.name] as const))
  forSeeds(2000, (random) => {
    const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!
    const [host, iface] = pick(places)
    const network = pick(plan.networks).name
    const verb: LabVerb = pick<() => LabVerb>([
      () => ({ verb: pick(['plug', 'unplug'] as const), host, interface: iface }),
      () => ({ verb: pick(['poweroff', 'poweron', 'pause', 'resume'] as const), host }),
      () => ({ verb: 'loss', network, loss: random.below(100_001) / 1000 / 100 }),
      () => ({ verb: 'delay', network, delayNs: random.below(10 ** (1 + random.below(9))) }),
      () => ({ verb: 'delay', network, delayNs: random.below(1e9) * 1000 + random.below(1000) }),
      () => ({
        verb: 'rate',
        network,
        rateBps: random.below(3) === 0 ? Number.POSITIVE_INFINITY : 1 + random.below(1e9),
      }),
      () => ({ verb: 'rate', network, rateBps: (1 + random.below(1e6)) * 10 ** random.below(10) }),
    ])()
    expect(parseVerb(formatVerb(verb), plan)).toEqual({ ok: true, verb })
  })
})

test('no line throws, and what is answered has both its parts', () => {
  const words = [
    'unplug',
    'plug',
    'loss',
    'rate',
    'delay',
    'poweroff',
    'web1',
    ':',
    'eth0',
    'lan',
    '5%',
    '-1',
    '\t',
    '`',
    '',
  ]
  forSeeds(2000, (random) => {
    const line = Array.from({ length: random.below(5) }, () => words[random.below(words.length)]).join(
      random.below(2) === 0 ? ' ' : '',
    )
    const parsed = parseVerb(line, plan)
    if (!parsed.ok) expect([parsed.what.length > 0, parsed.hint.length > 0]).toEqual([true, true])
  })
})

test('the help names each verb once', () => {
  const names = LAB_HELP.split('\n').map((line) => line.split(' ')[0])
  expect(names).toEqual(['unplug', 'plug', 'poweroff', 'poweron', 'pause', 'resume', 'loss', 'delay', 'rate', 'wait'])
})

test('applyVerb does to the world what the verb says', () => {
  const world = new World(plan, { seed: 1, startS: 0, image: createDebian12() })
  const apply = (line: string) => {
    const parsed = parseVerb(line, plan)
    if (!parsed.ok) throw new Error(parsed.what)
    applyVerb(world, parsed.verb)
  }
  expect(world.sim).toBeInstanceOf(Simulator)
  const port = world.host('web1').ports.get('eth0')!
  apply('unplug web1:eth0')
  expect([port.up, world.host('web1').ports.get('eth1')!.up]).toEqual([false, true])
  apply('plug web1:eth0')
  expect(port.up).toBe(true)
  apply('poweroff web1')
  expect([world.host('web1').kernel.up, world.host('web2').kernel.up]).toEqual([false, true])
  apply('poweron web1')
  expect(world.host('web1').kernel.up).toBe(true)
  for (const line of ['loss lan 5%', 'delay lan 3ms', 'rate lan 1mbit']) apply(line)
  expect(world.networks.get('lan')!.shape).toMatchObject({ loss: 0.05, delayNs: 3e6, rateBps: 1e6 })
  expect(world.networks.get('wan')!.shape).toMatchObject({ loss: 0, delayNs: 10e6 })
  apply('rate lan unlimited')
  expect(world.networks.get('lan')!.shape.rateBps).toBe(Number.POSITIVE_INFINITY)
})
