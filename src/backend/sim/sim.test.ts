/** The rhythm of a lab, whose output is whose, what stops a command, and that a seed repeats to the byte. */
import { describe, expect, test } from 'vitest'
import { parseArticle } from '#article/format'
import { runArticle, transcriptOf } from '#article/runner'
import { BudgetExceeded } from '#base/check'
import { SECOND } from '#base/sim'
import { parseVerb } from '#lab/faults'
import { parseLab } from '#lab/plan'
import { LabRefused } from '#lab/world'
import { completeWord, createSimBackend, SimLab, type SimLabOptions } from './index.ts'

const START = 1_767_225_600
const LAB = `
networks: { lan: {} }
hosts:
  client: { eth0: lan 10.0.0.1/24 }
  web: { eth0: lan 10.0.0.2/24 }
`
const { plan } = parseLab(LAB, 'lab.yaml')

function labOf(options: Partial<SimLabOptions> = {}): SimLab {
  return new SimLab(plan, { seed: 1, start: START, capture: true, ...options })
}

async function verb(lab: SimLab, line: string) {
  const parsed = parseVerb(line, plan)
  if (!parsed.ok) throw new Error(parsed.what)
  return lab.verb(parsed.verb)
}

describe('rhythm', () => {
  test('the first command at 0, each 0.3 s after the one before it ended, on any host; verbs too; files take no time', async () => {
    const lab = labOf()
    const first = await lab.command('client', 'sleep 2')
    lab.writeFile('web', '/root/x', 'y')
    const second = await lab.command('web', 'true')
    const third = await verb(lab, 'loss lan 5%')
    const fourth = await lab.command('client', 'date +%s')
    expect([first.at, second.at]).toEqual([0, first.took + 0.3])
    expect(first.took).toBeGreaterThanOrEqual(2)
    expect(first.took).toBeLessThan(2.1)
    expect(third.at).toBeCloseTo(second.at + second.took + 0.3, 9)
    expect(fourth.at).toBeCloseTo(third.at + 0.3, 9)
    expect(fourth.output).toBe(`${START + 2}\n`)
    expect(third).toMatchObject({ took: 0, status: 0, output: '' })
  })

  test('captures begin with the first command and end 1 s after the last', async () => {
    const lab = labOf()
    await lab.command('client', 'ping -i 0.1 10.0.0.2 >/dev/null & sleep 0.5')
    const last = await lab.command('web', 'true')
    const captures = await lab.finish()
    expect(captures.map((capture) => `${capture.host}:${capture.interface}`)).toEqual(['client:eth0', 'web:eth0'])
    const times = captures[0]!.frames.map(({ s, ns }) => s + ns / 1e9)
    const end = last.at + last.took + 1
    expect(times[0]).toBeLessThan(0.05)
    expect(times.at(-1)).toBeLessThanOrEqual(end)
    expect(times.at(-1)).toBeGreaterThan(end - 0.11)
    expect(lab.nowNs).toBe(Math.round(end * SECOND))
  })

  test('without a command nothing is captured, and no time passes', async () => {
    const lab = labOf()
    lab.writeFile('web', '/root/x', 'y')
    expect((await lab.finish()).map(({ frames }) => frames.length)).toEqual([0, 0])
    expect(lab.nowNs).toBe(0)
    expect(await labOf({ capture: false }).finish()).toEqual([])
  })
})

describe('a shell for the whole article', () => {
  test('variables, directory and jobs stay; input is empty; the terminal has 80 columns', async () => {
    const lab = labOf()
    await lab.command('client', 'x=5; cd /tmp; sleep 100 & p=$!')
    const { output } = await lab.command('client', 'echo $x $PWD; kill -0 $p && echo runs; cat; wc -c </dev/stdin')
    expect(output).toBe('5 /tmp\nruns\n0\n')
    expect(lab.directory('client')).toBe('/tmp')
    expect((await lab.command('web', 'echo "[$x]" $PWD')).output).toBe('[] /root\n')
    expect((await lab.command('client', 'exit 3')).status).toBe(3)
    expect((await lab.command('client', 'echo "[$x]"')).output).toBe('[]\n') // Another shell.
  })

  test('what a background job prints: its host’s command, or the one that ended at most 0.3 s ago, else the next', async () => {
    const lab = labOf()
    const outputs = [
      (await lab.command('client', '(sleep 0.2; echo soon; sleep 0.5; echo later; sleep 2; echo last) & echo now'))
        .output,
      (await lab.command('web', 'sleep 1')).output,
      (await lab.command('client', 'echo next')).output,
      (await lab.command('client', 'sleep 3')).output,
    ]
    expect(outputs).toEqual(['now\nsoon\n', '', 'later\nnext\n', 'last\n'])
  })

  test('output as it comes', async () => {
    const lab = labOf()
    const chunks: string[] = []
    const { output } = await lab.command('client', 'echo 1; sleep 1; echo 2 >&2', {
      onOutput: (text) => chunks.push(text),
    })
    expect(chunks).toEqual(['1\n', '2\n'])
    expect(output).toBe('1\n2\n')
  })

  test('a character in two pieces is one; one without its rest is replaced, and doesn’t reach the next command', async () => {
    const lab = labOf()
    expect((await lab.command('client', "printf '\\xe3\\x81'; sleep 1; printf '\\x82\\n'")).output).toBe('あ\n')
    expect((await lab.command('client', "printf 'x\\xe3\\x81'")).output).toBe('x\ufffd')
    expect((await lab.command('client', "printf '\\x82\\n'")).output).toBe('\ufffd\n')
  })

  test('files: executable with #!, on a host without power too, refused with the host’s name', async () => {
    const lab = labOf()
    lab.writeFile('client', '/usr/local/bin/hello', '#!/bin/sh\necho "hello $1"\n')
    lab.writeFile('client', '/etc/some/deep.conf', 'x\n')
    expect((await lab.command('client', 'hello you; stat -c %a /usr/local/bin/hello /etc/some/deep.conf')).output).toBe(
      'hello you\n755\n644\n',
    )
    await verb(lab, 'poweroff client')
    lab.writeFile('client', '/root/later', 'there\n')
    await verb(lab, 'poweron client')
    expect((await lab.command('client', 'cat /root/later')).output).toBe('there\n')
    expect(() => lab.writeFile('client', '/proc/nosuch', 'x')).toThrow(LabRefused)
    expect(() => lab.writeFile('client', '/etc', 'x')).toThrow(/^client:\/etc: EISDIR$/)
  })
})

describe('a command that meets its limit', () => {
  test.each([
    ['gets SIGINT', 'sleep 100', 130, 5],
    ['a second later SIGTERM', 'bash -c \'trap "" INT; while :; do sleep 0.1; done\'', 143, 6],
    ['and SIGKILL', 'bash -c \'trap "" INT TERM; while :; do sleep 0.1; done\'', 137, 7],
    ['also a loop of the shell itself', 'while :; do :; done', 130, 5],
    ['also a pipeline', 'sleep 100 | cat', 130, 5],
  ])('%s', async (_what, command, status, seconds) => {
    const lab = labOf()
    const result = await lab.command('client', command, { limitS: 5 })
    expect(result).toMatchObject({ timedOut: true, status })
    expect(result.took).toBeGreaterThanOrEqual(seconds)
    expect(result.took).toBeLessThan(seconds + 0.2)
    expect((await lab.command('client', 'echo goes on')).output).toBe('goes on\n')
  })

  test('not one that ends in time', async () => {
    expect(await labOf().command('client', 'sleep 4', { limitS: 5 })).toMatchObject({ timedOut: false, status: 0 })
  })
})

describe('a host without power', () => {
  test('answers with status 255; what it printed before is kept for its next command', async () => {
    const lab = labOf()
    await lab.command('client', '(sleep 0.5; echo before; sleep 3; echo never) &')
    await lab.command('web', 'sleep 1')
    await verb(lab, 'poweroff client')
    expect(await lab.command('client', 'echo x')).toMatchObject({ status: 255, took: 0, output: '', timedOut: false })
    await verb(lab, 'poweron client')
    expect((await lab.command('client', 'echo after; sleep 4')).output).toBe('before\nafter\n')
  })

  test('what `begin` began has ended; a new shell answers after the boot', async () => {
    const lab = labOf()
    const ended: number[] = []
    lab.begin('client', 'sleep 100', { onEnd: (status) => ended.push(status) })
    await lab.advance(SECOND)
    await verb(lab, 'poweroff client')
    expect(ended).toHaveLength(1)
    lab.begin('client', 'true', { onEnd: (status) => ended.push(status) })
    expect(ended[1]).toBe(255)
    await verb(lab, 'poweron client')
    let output = ''
    lab.begin('client', 'echo again', { onOutput: (text) => (output += text), onEnd: (status) => ended.push(status) })
    await lab.advance(lab.nowNs + SECOND)
    expect([output, ended[2]]).toEqual(['again\n', 0])
  })
})

test('begin and interrupt: Ctrl-C ends what runs, and the shell goes on', async () => {
  const lab = labOf()
  const ended: number[] = []
  lab.interrupt('client') // Nothing runs yet.
  lab.begin('client', 'ping 10.0.0.2', { onEnd: (status) => ended.push(status) })
  await lab.advance(3 * SECOND)
  expect(ended).toEqual([])
  lab.interrupt('client')
  await lab.advance(4 * SECOND)
  expect(ended).toEqual([0])
  expect((await lab.command('client', 'echo $?')).output).toBe('0\n')
})

describe('budgets', () => {
  const stop = (options: Partial<SimLabOptions>, command: string) =>
    labOf(options)
      .command('client', command, { limitS: 1e6 })
      .catch((error: unknown) => error)

  test.each<[string, SimLabOptions['budgets'], string]>([
    ['events', { events: 1000 }, 'while :; do ls >/dev/null; done'],
    ['virtual time', { untilNs: 10 * SECOND }, 'sleep 20'],
  ])('%s', async (name, budgets, command) => {
    const error = await stop({ budgets }, command)
    expect(error).toBeInstanceOf(BudgetExceeded)
    expect((error as BudgetExceeded).budget).toBe(name)
  })

  test('what the caller measures is asked for often, also where events are slow', async () => {
    let asked = 0
    const check = () => {
      if (++asked > 3) throw new BudgetExceeded('real time', 'enough')
    }
    expect(await stop({ budgets: { check } }, 'while :; do :; done')).toMatchObject({ budget: 'real time' })
  })

  test('a backend asks for them at each run', async () => {
    let asked = 0
    const backend = createSimBackend({ budgets: () => ({ events: 1e6 + ++asked }) })
    for (let i = 0; i < 2; i++) await backend.open(plan, { seed: 1, start: START, capture: false })
    expect(asked).toBe(2)
  })
})

test('the same seed gives the same bytes, twice; another seed others', async () => {
  const text = `---
title: T
lab:
  networks: { lan: { loss: 20%, delay: 3ms } }
  hosts: { a: { eth0: lan 10.0.0.1/24 }, b: { eth0: lan 10.0.0.2/24 } }
---
\`\`\`console
a# ping -i 0.2 -c 10 -W 1 b | tail -2; ip -s neigh; echo $RANDOM
lab# unplug b:eth0
b# ip -br link; dmesg | tail -3; ps
a# tcpdump -nn -c 3 -i eth0 & ping -c 2 -W 1 b
\`\`\`
`
  const { article } = parseArticle(text, 'x.md', { readFile: () => undefined })
  const backend = createSimBackend()
  const bytesOf = async (seed: number) => {
    const run = await runArticle(backend, article, { seed })
    const frames = run.captures.flatMap((capture) =>
      capture.frames.map(({ s, ns, bytes }) => `${s}.${ns} ${bytes.join()}`),
    )
    return JSON.stringify([transcriptOf(run).commands, frames])
  }
  const first = await bytesOf(1)
  expect(await bytesOf(1)).toBe(first)
  expect(await bytesOf(2)).not.toBe(first)
})

describe('completeWord', () => {
  const lab = labOf()
  lab.writeFile('client', '/usr/local/bin/kakunin', '#!/bin/sh\n')
  lab.writeFile('client', '/srv/data/one.txt', '')
  lab.writeFile('client', '/srv/data/.hidden', '')
  test.each([
    ['arpi', ['arping']],
    ['kaku', ['kakunin']],
    ['ls | arpi', ['arping']],
    ['x=$(arpi', ['arping']],
    ['unse', ['unset']],
    ['ip add', ['address']],
    ['ip -', expect.arrayContaining(['-brief'])],
    ['ip addr sho', expect.arrayContaining(['show'])],
    ['ping we', ['web']],
    ['ping -', expect.arrayContaining(['-c'])],
    ['cat /srv/', ['/srv/data/']],
    ['cat /srv/data/', ['/srv/data/one.txt']],
    ['cat /srv/data/.', ['/srv/data/.hidden']],
    ['/usr/local/bin/k', ['/usr/local/bin/kakunin']],
    ['cat /nosuch/', []],
    ['nosuchcommand zzz', []],
  ])('%s', (before, candidates) => {
    const found = completeWord(lab, 'client', before)
    expect(found.candidates).toEqual(candidates)
    expect(found.replace).toBe(/[^\s|(]*$/.exec(before)![0].length)
  })

  test('an empty line offers everything, sorted', () => {
    const { candidates } = completeWord(lab, 'client', '')
    expect(candidates).toEqual([...candidates].sort())
    for (const name of ['cd', 'ip', 'ping', 'tcpdump', 'kakunin']) expect(candidates).toContain(name)
  })
})
