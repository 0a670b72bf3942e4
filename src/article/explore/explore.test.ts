import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Article, parseArticle } from '#article/format'
import { DEFAULT_START, passed, runArticle } from '#article/runner'
import { createSimBackend, SimLab } from '#backend/sim'
import { RandomStream } from '#base/sim'
import { forSeeds } from '#base/testing'
import { formatVerb } from '#lab/faults'
import {
  checkInvariants,
  Exploration,
  type ExploreOptions,
  FAULT_KINDS,
  type Failure,
  type OpenLab,
  type Schedule,
} from './index.ts'
import { drawSchedule, spread, waitsOf } from './schedule.ts'

const openLab: OpenLab = (plan, seed) => new SimLab(plan, { seed, start: DEFAULT_START, capture: false })

function read(text: string, file = 'x.md'): Article {
  const { article, mistakes } = parseArticle(text, file)
  expect(mistakes.map((mistake) => mistake.message)).toEqual([])
  return article
}

const golden = (name: string) => readFileSync(new URL(`golden/${name}.md`, import.meta.url), 'utf8')

function explorationOf(article: Article, names?: string[], options: Partial<ExploreOptions> = {}): Exploration {
  const invariants = article.invariants.filter(({ name }) => names?.includes(name) ?? true)
  return new Exploration(openLab, article, invariants, { kinds: FAULT_KINDS, time: 300, ...options })
}

/** The first failure within so many seeds. */
async function find(exploration: Exploration, seeds: number): Promise<Failure | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    const failure = await exploration.explore(seed)
    if (failure) return failure
  }
  return undefined
}

describe('planted faults are found within 200 seeds and shrunk to at most two events', () => {
  test.each([
    ['arp-announce', ['one-owner'], /^10\.0\.0\.100 is claimed by web1 .* while director .* answers for it$/],
    ['failback', ['one-owner'], /^10\.0\.0\.100 is claimed by r\d .* while r\d .* answers for it$/],
    ['failback', ['served'], /^requests failed from /],
    ['fallback', ['clears'], /^not so 1\d\.\d+ s after the last fault/],
    // The same with the daemons themselves.
    ['lvs-arp', ['one-owner', 'served'], /^10\.0\.0\.100 is claimed by web1 .* while director .* answers for it$/],
    ['ldirectord', ['clears'], /^not so 1\d\.\d+ s after the last fault/],
    ['heartbeat', ['one-owner'], /^10\.0\.0\.100 is claimed by node\d .* while node\d .* answers for it$/],
  ])(
    '%s: %s',
    async (name, names, what) => {
      const article = read(golden(name), `${name}.md`)
      const exploration = explorationOf(article, names)
      const found = await find(exploration, 200)
      expect(found).toBeDefined()
      const failure = await exploration.shrink(found!)
      expect(failure.schedule.length).toBeLessThanOrEqual(2)
      expect(failure.violation.what).toMatch(what)
      expect(failure.violation.evidence.length).toBeGreaterThan(0)

      // What is saved passes as an article, and its invariant is broken at the very same moment.
      const replay = read(exploration.replay(failure), `${name}-broken.md`)
      expect(passed(await runArticle(createSimBackend(), replay, { seed: failure.seed }))).toBe(true)
      const { violations } = await checkInvariants(openLab, replay, replay.front.seed ?? 1)
      expect(violations).toContainEqual(failure.violation)
    },
    240_000,
  )
})

describe('mended, nothing is found', () => {
  test.each([
    [
      'arp-announce',
      (text: string) => text.replace('arp_ignore: 1,', 'arp_ignore: 1, net.ipv4.conf.all.arp_announce: 2,'),
    ],
    ['fallback', (text: string) => text.replace('[ $failed -lt 5 ] && failed=0', 'failed=0')],
  ])(
    '%s',
    async (name, mend) => {
      const article = read(mend(golden(name)))
      expect(article.text).not.toBe(golden(name))
      expect(await find(explorationOf(article), 40)).toBeUndefined()
    },
    120_000,
  )
})

test('the same seed does the same, twice', async () => {
  const exploration = explorationOf(read(golden('failback')))
  for (const seed of [1, 2, 3]) {
    const schedule = exploration.scheduleOf(seed)
    expect(exploration.scheduleOf(seed)).toEqual(schedule)
    expect(await exploration.run(seed, schedule)).toEqual(await exploration.run(seed, schedule))
  }
})

describe('schedules', () => {
  const { article } = parseArticle(golden('failback'), 'x.md')
  const plan = article.lab!

  test('keep to what may be harmed, at most so many at a time, and an article can have them', () => {
    forSeeds(500, (random) => {
      const targets = [['r1'], ['r1:eth0', 'lan'], undefined][random.below(3)]
      const atOnce = 1 + random.below(2)
      const scope = { targets, atOnce, gapNs: random.below(2) * 2e9 }
      const spared = new Set(['client'])
      const schedule = drawSchedule(new RandomStream(random.uint32(), 's'), {
        plan,
        kinds: FAULT_KINDS,
        scope,
        spared,
        time: 300,
      })
      let open = 0
      for (const { verb } of schedule) {
        const text = formatVerb(verb)
        const begins = /^(unplug|poweroff|pause)/.test(text) || (/^(loss|delay)/.test(text) && !/ 0(%|ns)$/.test(text))
        open += begins ? 1 : -1
        expect(open).toBeLessThanOrEqual(atOnce)
        expect(text).not.toContain('client')
        if (targets?.[0] === 'r1') expect(text).toMatch(/ r1\b/)
        if (targets?.[0] === 'r1:eth0') expect(text).toMatch(/ r1:eth0| lan /)
      }
      expect(open).toBe(0)
      expect(spread(schedule)).toEqual(schedule)
      // Added up as an article's lines take their time, each event comes to its own.
      const { before } = waitsOf(schedule, 400)
      let at = 0
      schedule.forEach((event, i) => {
        if (before[i]! >= 0) at += before[i]! + 3
        expect(at).toBe(event.at)
        at += 3
      })
    })
  })

  test('nothing may befall: an empty one', () => {
    const choice = { plan, kinds: ['pause'] as const, scope: { targets: ['lan'], atOnce: 1, gapNs: 0 }, time: 300 }
    expect(drawSchedule(new RandomStream(1, 's'), { ...choice, spared: new Set() })).toEqual([])
  })
})

/** Three hosts that have one address, none of which tells; the client is led to one of them. */
const SHARED = `---
title: T
lab:
  networks: { lan: {} }
  hosts:
    client: { eth0: lan 10.0.0.1/24 }
    director: { eth0: lan 10.0.0.11/24, sysctl: { net.ipv4.ip_forward: 1, net.ipv4.conf.all.send_redirects: 0 } }
    web1: { eth0: lan 10.0.0.21/24, lo: 10.0.0.100/32, sysctl: { net.ipv4.conf.all.arp_ignore: 1 } }
    web2: { eth0: lan 10.0.0.22/24, lo: 10.0.0.100/32, sysctl: { net.ipv4.conf.all.arp_ignore: 1 } }
---
\`\`\`console
client# ip route add 10.0.0.100 via 10.0.0.11
director# ip route add 10.0.0.100 via 10.0.0.21
web1# socat TCP-LISTEN:80,fork,reuseaddr EXEC:cat &
web2# socat TCP-LISTEN:80,fork,reuseaddr EXEC:cat &
\`\`\`
`

describe('connections', () => {
  const run = async (below: string) => {
    const article = read(`${SHARED}\n${below}`)
    const { violations } = await checkInvariants(openLab, article, 1)
    return violations.map(({ invariant, what }) => `${invariant}: ${what}`)
  }
  const STATED = `
\`\`\`invariant sticky
no connection to 10.0.0.100:80 changes its server
\`\`\`
\`\`\`invariant unbroken
no connection is reset
\`\`\`
`
  const talk = (change: string) => `\`\`\`console
client# (echo one; sleep 2; echo two; sleep 2) | nc -N 10.0.0.100 80 &
director# sleep 1; ${change}
client# wait
\`\`\``

  test('a connection that is led elsewhere changes its server, which resets it', async () => {
    const found = await run(STATED + talk('ip route replace 10.0.0.100 via 10.0.0.22'))
    expect(found).toEqual([
      expect.stringMatching(
        /^sticky: the connection from 10\.0\.0\.1:\d+ to 10\.0\.0\.100:80 was served by web1, and now web2 answers with a reset$/,
      ),
      expect.stringMatching(/^unbroken: .* is reset by web2$/),
    ])
  })

  test('a router, address translation and a new connection elsewhere change nothing', async () => {
    const below = `${STATED}${talk('true')}
\`\`\`console
director# ip route replace 10.0.0.100 via 10.0.0.22
client# echo three | nc -N 10.0.0.100 80
director# iptables -t nat -A PREROUTING -d 10.0.0.11 -p tcp --dport 80 -j DNAT --to 10.0.0.21; iptables -t nat -A POSTROUTING -j MASQUERADE
client# echo four | nc -N 10.0.0.11 80
\`\`\``
    expect(await run(below)).toEqual([])
  })

  test('other addresses and ports aren’t looked at', async () => {
    const stated = STATED.replace(':80 changes', ':81 changes').replace('connection is', 'connection to 10.0.0.9 is')
    expect(await run(stated + talk('ip route replace 10.0.0.100 via 10.0.0.22'))).toEqual([])
  })
})

describe('owners', () => {
  const run = async (commands: string, sentence = 'no address is answered for by two MACs') => {
    const article = read(`---
title: T
lab:
  networks: { lan: {}, wan: {} }
  hosts:
    client: { eth0: lan 10.0.0.1/24 }
    a: { eth0: lan 10.0.0.11/24 }
    b: { eth0: lan 10.0.0.12/24 }
---
\`\`\`invariant one-owner
${sentence}
\`\`\`
\`\`\`console
${commands}
\`\`\`
`)
    const { violations } = await checkInvariants(openLab, article, 1)
    return violations.length > 0
  }
  const taken = 'a# ip addr add 10.0.0.100/32 dev eth0; arping -q -U -c 1 -I eth0 10.0.0.100\n'
  const take = 'b# ip addr add 10.0.0.100/32 dev eth0; arping -q -U -c 1 -I eth0 10.0.0.100\nlab# wait 3s'

  test.each([
    [`${taken}${take}`, true],
    [`${taken}lab# poweroff a\n${take}`, false],
    [`${taken}lab# unplug a:eth0\n${take}`, false],
    [`${taken}lab# pause a\n${take}`, false],
    [`${taken}a# ip addr del 10.0.0.100/32 dev eth0\n${take}`, false],
    [`${taken}a# sysctl -qw net.ipv4.conf.eth0.arp_ignore=8\n${take}`, false],
    // Handed over within the second.
    [`${taken}${take.replace('\nlab# wait 3s', ' &')}\na# ip addr del 10.0.0.100/32 dev eth0\nlab# wait 3s`, false],
    // Back with power, and what it doesn't know.
    [
      `${taken}lab# pause a\n${take}\nlab# resume a\nclient# ip neigh flush all; ping -c 1 -W 1 10.0.0.100\nlab# wait 2s`,
      true,
    ],
  ])('%s', async (commands, broken) => expect(await run(commands)).toBe(broken))

  test('a network that isn’t meant', async () => {
    expect(await run(`${taken}${take}`, 'no address on wan is answered for by two MACs')).toBe(false)
    expect(await run(`${taken}${take}`, 'no address on lan is answered for by two MACs for longer than 2s')).toBe(true)
    expect(await run(`${taken}${take}`, 'No address is answered for by two MACs for longer than 1min.')).toBe(false)
  })
})

describe('requests', () => {
  const run = async (invariant: string, below: string) => {
    const article = read(`---
title: T
lab:
  networks: { lan: {} }
  hosts: { client: { eth0: lan 10.0.0.1/24 }, web: { eth0: lan 10.0.0.2/24 } }
---
\`\`\`console
web# echo one >/tmp/f; python3 -m http.server 80 >/dev/null 2>&1 &
\`\`\`
\`\`\`invariant it
${invariant}
\`\`\`
\`\`\`console
${below}
\`\`\`
`)
    const { violations } = await checkInvariants(openLab, article, 1)
    return violations[0]?.what
  }
  const out = 'lab# wait 1s\nlab# unplug web:eth0\nlab# wait 4s\nlab# plug web:eth0\nlab# wait 3s'

  test.each([
    ['no request fails for longer than 3s\nclient pings 10.0.0.2', /^requests failed from /],
    ['no request fails for longer than 3s\nclient connects to 10.0.0.2:80', /^requests failed from /],
    ['no request fails for longer than 3s\nclient gets http://10.0.0.2/', /^requests failed from /],
    ['no request fails for longer than 20s\nclient gets http://10.0.0.2/', undefined],
    ['always, every 1s\nclient pings 10.0.0.2', /^a request failed at /],
    ['always, every 1s\nweb# cat /tmp/f\none', undefined],
    ['always, every 1s\nweb# cat /tmp/f\ntwo', /^a request failed at /],
    ['within 4s after the last fault\nclient pings 10.0.0.2', undefined],
    ['from 4s after the last fault on\nclient pings 10.0.0.2', undefined],
    ['within 2s after the last fault\nclient# cat /nosuch', /^not once within 2 s after the last fault/],
    ['from 2s after the last fault on\nclient# cat /nosuch', /^not so \d+\.\d+ s after the last fault/],
  ])('%s', async (invariant, what) => {
    const found = await run(invariant, out)
    if (what === undefined) expect(found).toBeUndefined()
    else expect(found).toMatch(what)
  })

  test('a host without power makes none, and a command that hangs has failed', async () => {
    expect(
      await run(
        'always\nclient pings 10.0.0.2',
        'lab# poweroff client\nlab# wait 5s\nlab# poweron client\nlab# wait 3s',
      ),
    ).toBeUndefined()
    expect(await run('always\nclient# sleep 100', 'lab# wait 15s')).toMatch(/^a request failed/)
  })
})

test('what stops a run is told with its place', async () => {
  const article = read(golden('failback').replace('client# sleep 1;', 'client# iptables -A INPUT -m time -j DROP;'))
  await expect(explorationOf(article).explore(1)).rejects.toThrow(/not modelled/)
})

test('a starting point further down, and the replay of a shared seed', async () => {
  const text = golden('failback').replace('title:', 'seed: 5\ntitle:')
  const article = read(`${text}\n\`\`\`console\nr1# true\n\`\`\`\n`, 'x.md')
  const exploration = explorationOf(article, ['served'], { untilLine: Number.POSITIVE_INFINITY })
  expect(exploration.from.blocks).toBe(3)
  const schedule: Schedule = [
    { at: 10, verb: { verb: 'poweroff', host: 'r1' } },
    { at: 20, verb: { verb: 'poweron', host: 'r1' } },
  ]
  const { violations, beganNs } = await exploration.run(7, schedule)
  const [violation] = violations
  const replay = exploration.replay({
    invariant: exploration.invariants[0]!,
    together: exploration.invariants,
    seed: 7,
    schedule,
    violation: violation!,
    beganNs,
  })
  const again = read(replay)
  expect([again.front.seed, again.invariants.length, again.blocks.length]).toEqual([7, 1, 4])
  expect((await checkInvariants(openLab, again, 7)).violations).toEqual([violation])
})
