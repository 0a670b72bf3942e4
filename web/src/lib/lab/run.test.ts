import { describe, expect, test } from 'vitest'
import { parseArticle } from '#article/format'
import { Past } from './past.ts'
import type { Input, LabEvent } from './protocol.ts'
import { type Article, LabRun, type RunHost } from './run.ts'
import { TooMuch } from './watch.ts'

const alone: RunHost & { idle: boolean } = {
  breathe: () => new Promise((resolve) => setImmediate(resolve)),
  reply: () => {},
  tell: () => {},
  idle: true,
}

function article(hosts: string, blocks = '', networks = 'lan: {}'): Article {
  const source = `---\ntitle: T\nlab:\n  networks: { ${networks} }\n  hosts:\n${hosts}---\n\n${blocks}`
  const parsed = parseArticle(source, 't.md')
  expect(parsed.mistakes.map(({ message }) => message)).toEqual([])
  return { plan: parsed.article.lab!, blocks: parsed.article.blocks, seed: 1 }
}

const TWO = '    a: { eth0: lan 10.0.0.1/24 }\n    b: { eth0: lan 10.0.0.2/24 }\n'
const BLOCK = '```console nocheck\na# ping -c 3 10.0.0.2\na# ip neigh\n```\n'

/** Does it, and lets so much time pass. */
async function act(run: LabRun, input: Input, passNs: number): Promise<void> {
  run.apply(input)
  await run.task
  await run.lab.advance(run.lab.nowNs + passNs)
}

const seen = (events: LabEvent[]) =>
  events
    .filter(({ type }) => type !== 'inside')
    .map((event) => JSON.stringify(event, (_, v) => (v instanceof Uint8Array ? [...v].join(' ') : v)))

describe('a run that follows another’s log', () => {
  const made = article(TWO, BLOCK)
  const live = async () => {
    const run = new LabRun(made, alone)
    await act(run, { type: 'run', block: 0 }, 0)
    await act(run, { type: 'input', host: 'b', text: 'ping 10.0.0.1\r' }, 2.5e9)
    await act(run, { type: 'verb', line: 'unplug a:eth0' }, 1e9)
    await act(run, { type: 'terminal', host: 'a:2', open: true }, 1e8)
    await act(run, { type: 'input', host: 'a:2', text: 'echo hello\r' }, 1e8)
    await act(run, { type: 'input', host: 'b', text: '\x03' }, 1e8)
    return run
  }

  test('says the same, byte for byte', async () => {
    const run = await live()
    const events = seen(run.take())
    expect(events.some((event) => event.includes('hello\\r\\n'))).toBe(true)
    expect(events.some((event) => event.includes('packets transmitted'))).toBe(true)
    const again = new LabRun(made, alone)
    await again.follow(run.log, { inputs: run.log.length, atNs: run.lab.nowNs }, true)
    expect(seen(again.take())).toEqual(events)
    expect(again.lab.world.sim.events).toBe(run.lab.world.sim.events)
  })

  test('can be anywhere, in the middle of a block’s command too, and goes on from there as it was', async () => {
    const run = await live()
    const past = new Past(made, alone)
    for (const [inputs, atNs] of [
      [0, 0],
      [1, 1.2e9],
      [1, 2.0005e9],
      [2, 3.3e9],
      [3, run.log[2]!.atNs + 5e8],
    ] as const) {
      const there = await past.at(run.log, { branch: 0, inputs, atNs })
      expect(there!.lab.nowNs).toBe(atNs)
      expect(there!.log).toEqual(run.log.slice(0, inputs))
      await there!.follow(run.log, { inputs: run.log.length, atNs: run.lab.nowNs })
      expect(there!.lab.world.sim.events).toBe(run.lab.world.sim.events)
    }
  })

  test('what is done otherwise at a past moment has another future', async () => {
    const run = await live()
    const there = await new Past(made, alone).take(run.log, { branch: 0, inputs: 1, atNs: run.log[1]!.atNs })
    there.lead()
    await act(there, { type: 'input', host: 'b', text: 'arp -n\r' }, 1e9)
    const text = there
      .take()
      .flatMap((event) => (event.type === 'output' ? event.text : ''))
      .join('')
    expect(text).toContain('HWtype')
    expect(text).not.toContain('PING')
  })
})

test('ten hosts, ten virtual minutes: any moment is near one that stands ready', async () => {
  const hosts = Array.from({ length: 10 }, (_, i) => `    h${i}: { eth0: lan 10.0.0.${i + 1}/24 }\n`).join('')
  const made = article(hosts)
  const run = new LabRun(made, alone)
  for (let i = 0; i < 10; i++) run.apply({ type: 'input', host: `h${i}`, text: `ping 10.0.0.${((i + 1) % 10) + 1}\r` })
  const past = new Past(made, alone)
  for (let s = 1; s <= 600; s++) {
    await run.lab.advance(s * 1e9)
    past.mark(run.log, run.lab)
  }
  await past.keepReady(run.log, run.lab)
  const again: number[] = []
  for (const atNs of [599.5e9, 300e9, 123e9, 450e9, 1e9, 20e9, 550e9]) {
    const there = await past.at(run.log, { branch: 0, inputs: 10, atNs })
    expect(there!.lab.nowNs).toBe(atNs)
    again.push(past.ranAgain)
    await past.keepReady(run.log, run.lab)
  }
  const { events } = run.lab.world.sim
  console.log(`of ${events} events, going back ran ${again.join(', ')} again`)
  // So many take less than a hundred milliseconds; a machine's own speed is for the benchmarks.
  expect(Math.max(...again)).toBeLessThan(9_000)
})

describe('what is too much is stopped and explained', () => {
  const stopped = async (work: () => Promise<unknown>): Promise<TooMuch> => {
    try {
      await work()
    } catch (error) {
      if (error instanceof TooMuch) return error
      throw error
    }
    throw new Error('it ended by itself')
  }

  test('a storm: two hosts that bridge the same two networks', async () => {
    const hosts =
      '    left: { eth0: one, eth1: two }\n    right: { eth0: one, eth1: two }\n    c: { eth0: one 10.0.0.1/24 }\n'
    const run = new LabRun(article(hosts, '', 'one: {}, two: {}'), alone)
    const bridge =
      'ip link add br0 type bridge; ip link set eth0 master br0; ip link set eth1 master br0; ip link set br0 up\r'
    for (const host of ['left', 'right']) await act(run, { type: 'input', host, text: bridge }, 1e9)
    run.watch.begin()
    const { events } = run.lab.world.sim
    const { excess } = await stopped(() => act(run, { type: 'input', host: 'c', text: 'ping -c 1 10.0.0.9\r' }, 5e9))
    // So many take some hundred milliseconds: it ends well within two seconds.
    expect(run.lab.world.sim.events - events).toBeLessThan(400_000)
    expect(excess).toMatchObject({ kind: 'storm' })
    expect(['one', 'two']).toContain(excess.where)
    expect(excess.who.map(({ name }) => name).join(' ')).toMatch(/left|right/u)
    expect(excess.rate).toBeGreaterThan(10_000)
  })

  test('a loop of a shell is named while it runs', async () => {
    const run = new LabRun(article(TWO), alone)
    run.watch.begin()
    run.apply({ type: 'input', host: 'a', text: 'while :; do :; done\r' })
    const began = performance.now()
    while (performance.now() - began < 1_700) await run.lab.advance(run.lab.nowNs + 2e7)
    const excess = run.watch.laden()
    expect(excess).toMatchObject({ kind: 'loop', where: 'a' })
    expect(excess!.who[0]!.name).toMatch(/bash/u)
  })
})
