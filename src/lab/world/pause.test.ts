/** A paused host stands still, and what came due happens when it goes on. */
import { describe, expect, test } from 'vitest'
import { type Article, parseArticle } from '#article/format'
import { DEFAULT_START, runArticle } from '#article/runner'
import { createSimBackend, SimLab } from '#backend/sim'
import { createTimer, SECOND, Simulator } from '#base/sim'
import { ETH_P_ARP } from '#wire/inet'

const HEAD = `---
title: T
lab:
  networks: { lan: {} }
  hosts: { a: { eth0: lan 10.0.0.1/24 }, b: { eth0: lan 10.0.0.2/24 } }
---
`

async function outputs(lines: string): Promise<string[]> {
  const { article, mistakes } = parseArticle(`${HEAD}\`\`\`console nocheck\n${lines}\n\`\`\`\n`, 'x.md')
  expect(mistakes).toEqual([])
  const { commands } = await runArticle(createSimBackend(), article as Article, { seed: 1 })
  return commands.filter(({ source }) => source.host !== 'lab').map(({ output }) => output)
}

test('programs stand still, and sleep on from where the clock is', async () => {
  const [, during, after] = await outputs(
    'b# (while sleep 1; do date +%s; done) >/tmp/log &\nlab# wait 3s\nlab# pause b\nlab# wait 10s\nb# cat /tmp/log\nlab# resume b\nlab# wait 2s\nb# cat /tmp/log',
  )
  expect(during).toBe('') // It answers as little as one without power.
  const times = after!.trim().split('\n').map(Number)
  const gaps = times.slice(1).map((time, i) => time - times[i]!)
  expect(gaps.filter((gap) => gap > 5)).toHaveLength(1)
  expect(gaps.filter((gap) => gap === 1).length).toBeGreaterThan(2)
})

test('frames wait at its card, and are answered when it goes on', async () => {
  const [before, during] = await outputs(
    'a# ping -c 1 -q b | grep -o "[01] received"\nlab# pause b\na# ping -c 3 -i 0.2 -W 1 b | grep -o ". received"\nlab# resume b',
  )
  expect([before, during]).toEqual(['1 received\n', '0 received\n'])
  const [, late] = await outputs(
    'a# ping -c 1 b >/dev/null\nlab# pause b\na# ping -c 1 -W 9 b >/tmp/out &\nlab# wait 4s\nlab# resume b\na# wait; grep -o "time=[0-9]*" /tmp/out',
  )
  expect(late).toBe('')
})

test('a cable that is pulled and put back meanwhile was never out', async () => {
  const [log] = await outputs(
    'lab# pause b\nlab# unplug b:eth0\nlab# plug b:eth0\nlab# resume b\nlab# wait 1s\nb# dmesg | grep -c "Link is Down"; ip -br link show eth0',
  )
  expect(log).toMatch(/^0\neth0 +UP /)
})

test('power ends a pause, and comes back without it', async () => {
  const [up] = await outputs(
    'lab# pause b\nlab# poweroff b\nlab# poweron b\nlab# wait 1s\na# ping -c 1 b | grep -o ". received"',
  )
  expect(up).toBe('1 received\n')
})

test('the other hosts and what runs in nobody’s name go on', async () => {
  const { article } = parseArticle(HEAD, 'x.md')
  const lab = new SimLab(article.lab!, { seed: 1, start: DEFAULT_START, capture: false })
  const asked: number[] = []
  lab.world.frames.listen(({ atNs, direction, packet }) => {
    if (direction === 'in' && packet.etherType === ETH_P_ARP) asked.push(atNs)
  })
  await lab.verb({ verb: 'pause', host: 'b' })
  await lab.command('a', 'ping -c 1 -W 4 b')
  expect(asked).toHaveLength(3) // Three questions, and no answer.
})

describe('owners of a simulator’s slots', () => {
  test('what comes up for a frozen one waits, in its order; what is put back or cancelled doesn’t', () => {
    const sim = new Simulator(1)
    sim.trackOwners()
    const ran: string[] = []
    const timer = (owner: number, name: string, at: number) => {
      const made = sim.as(owner, () => createTimer(sim, name, () => ran.push(`${name} ${sim.nowNs / SECOND}`)))
      made.armAt(at * SECOND)
      return made
    }
    timer(1, 'a', 2)
    timer(1, 'b', 1)
    timer(2, 'other', 1)
    const cancelled = timer(1, 'cancelled', 1)
    const moved = timer(1, 'moved', 1)
    const destroyed = timer(1, 'destroyed', 1)
    timer(1, 'later', 9)
    sim.freeze(1)
    sim.run(5 * SECOND)
    expect(ran).toEqual(['other 1'])
    cancelled.cancel()
    destroyed.destroy()
    moved.armAt(8 * SECOND)
    sim.thaw(1)
    sim.run(10 * SECOND)
    expect(ran).toEqual(['other 1', 'b 5', 'a 5', 'moved 8', 'later 9'])
  })

  test('slots made by an event are its owner’s', () => {
    const sim = new Simulator(1)
    sim.trackOwners()
    let ran = 0
    sim.as(3, () => sim.after(SECOND, 'first', () => void sim.after(SECOND, 'second', () => ran++)))
    sim.run(SECOND)
    expect(sim.owner).toBe(0)
    sim.freeze(3)
    sim.run(5 * SECOND)
    expect(ran).toBe(0)
    sim.thaw(3)
    sim.run(5 * SECOND)
    expect(ran).toBe(1)
  })
})
