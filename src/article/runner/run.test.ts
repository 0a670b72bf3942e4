/** Running an article, on a backend that answers what the test says. */
import { describe, expect, test } from 'vitest'
import { type Article, parseArticle } from '#article/format'
import { BudgetExceeded, NotModelled } from '#base/check'
import {
  acceptedLines,
  type Backend,
  type CommandResult,
  commandPassed,
  passed,
  RunStopped,
  runArticle,
  transcriptOf,
} from './index.ts'

type Answer = Partial<CommandResult> | Error

/** A backend that notes what it is asked, and prints what `answers` has for a command, else the command. */
function fakeBackend(answers: Record<string, Answer> = {}, name: Backend['name'] = 'sim', scripted = false) {
  const asked: string[] = []
  let clock = 0
  const answer = (words: string): CommandResult => {
    asked.push(words)
    const given = answers[words.replace(/^[^ ]* /, '')] ?? {}
    if (given instanceof Error) throw given
    const at = clock
    clock += 1
    return { at, took: 0.5, status: 0, output: '', timedOut: false, ...given }
  }
  const session = {
    kernel: 'fake-1',
    async command(host: string, command: string, options: { limitS?: number } = {}) {
      return answer(`${host}(${options.limitS}) ${command}`)
    },
    async verb(verb: object) {
      return answer(`lab ${JSON.stringify(verb)}`)
    },
    async writeFile(host: string, path: string, content: string) {
      answer(`${host} file ${path} ${content}`)
    },
    async finish() {
      asked.push('finish')
      return [{ host: 'a', interface: 'eth0', frames: [] }]
    },
    async close() {
      asked.push('close')
    },
  }
  const backend: Backend = {
    name,
    unavailable: async () => undefined,
    async open(plan, options) {
      asked.push(`open ${plan.hosts.length} ${JSON.stringify(options)}`)
      return session
    },
    async close() {},
  }
  if (scripted) {
    backend.script = async (_plan, steps, options) => {
      asked.push(`script ${steps.length} ${JSON.stringify(options)}`)
      const results = steps.map((step) =>
        answer(step.kind === 'command' ? `${step.host}(${step.limitS}) ${step.command}` : `- ${step.kind}`),
      )
      return { kernel: 'fake-script', results, captures: [] }
    }
  }
  return { backend, asked }
}

function articleOf(body: string): Article {
  const head = '---\ntitle: T\nlab:\n  networks: { lan: {} }\n  hosts: { a: { eth0: lan }, b: { eth0: lan } }\n---\n'
  const { article, mistakes } = parseArticle(head + body, 'x.md', { readFile: () => undefined })
  expect(mistakes.map(({ message }) => message)).toEqual([])
  return article
}

const block = (info: string, text: string) => `\n\`\`\`${info}\n${text}\n\`\`\`\n`

describe('runArticle', () => {
  test('gives every block in order, with its limit, and the whole to the session', async () => {
    const { backend, asked } = fakeBackend()
    const article = articleOf(
      block('console', 'a# one\nb$ two \\\n> three') +
        block('conf a:/etc/x', 'content') +
        block('console limit=300', 'lab# unplug b:eth0\na# four'),
    )
    const told: string[] = []
    const run = await runArticle(backend, article, {
      seed: 7,
      capture: false,
      onCommand: (command, index, total) => told.push(`${command.source.command} ${index}/${total}`),
    })
    expect(asked).toEqual([
      'open 2 {"seed":7,"start":1767225600,"capture":false}',
      'a(120) one',
      'b(120) two \\\nthree',
      'a file /etc/x content\n',
      'lab {"verb":"unplug","host":"b","interface":"eth0"}',
      'a(300) four',
      'finish',
      'close',
    ])
    expect(told).toEqual(['one 1/4', 'two \\\nthree 2/4', 'unplug b:eth0 3/4', 'four 4/4'])
    expect(run).toMatchObject({ backend: 'sim', kernel: 'fake-1', seed: 7, start: 1_767_225_600, skipped: 0 })
    expect(run.captures).toHaveLength(1)
  })

  test('compares what was printed, but not in a nocheck block; in any order where the block says so', async () => {
    const answers = { two: { output: 'y\nx\n' }, free: { output: 'anything\n', status: 3 } }
    const article = articleOf(
      block('console', 'a# two\nx\ny') +
        block('console unordered', 'a# two\nx\ny') +
        block('console nocheck', 'a# free\nsomething else'),
    )
    const run = await runArticle(fakeBackend(answers).backend, article)
    expect(run.commands.map(({ comparison }) => comparison?.equal)).toEqual([false, true, undefined])
    expect(run.commands.map(commandPassed)).toEqual([false, true, true])
    expect(passed(run)).toBe(false)
  })

  test('a command that met its limit hasn’t passed, whatever it printed', async () => {
    const article = articleOf(block('console', 'a# slow') + block('console nocheck', 'a# slow'))
    const run = await runArticle(fakeBackend({ slow: { timedOut: true, status: 130 } }).backend, article)
    expect(run.commands.map(commandPassed)).toEqual([false, false])
  })

  test.each([
    ['sim', ['plain', 'kernel', 'netns'], 1],
    ['netns', ['plain', 'sim'], 2],
    ['qemu', ['plain', 'sim', 'netns'], 1],
  ] as const)('what is skipped on %s', async (name, ran, skipped) => {
    const { backend, asked } = fakeBackend({}, name)
    const body = ['plain', 'sim', 'kernel', 'netns']
      .map((word) => block(word === 'plain' ? 'console' : `console skip=${word}`, `a# ${word}`))
      .join('')
    const run = await runArticle(backend, articleOf(body))
    expect(asked.slice(1, -2)).toEqual(ran.map((word) => `a(120) ${word}`))
    expect([run.commands.length, run.skipped]).toEqual([ran.length, skipped])
  })

  test('a whole script at once, where a backend takes one', async () => {
    const { backend, asked } = fakeBackend({ one: { output: '1\n' } }, 'qemu', true)
    const article = articleOf(block('console', 'a# one\n1') + block('conf a:/x', 'y') + block('console', 'b# two'))
    const run = await runArticle(backend, article)
    expect(asked[0]).toMatch(/^script 3 /)
    expect(asked).not.toContain('close')
    // A file has a result too, which is nobody's.
    expect(run.commands.map(({ source, at }) => `${source.command} ${at}`)).toEqual(['one 0', 'two 2'])
    expect([run.kernel, passed(run)]).toEqual(['fake-script', true])
  })

  test('an article without a lab runs nothing', async () => {
    const { backend, asked } = fakeBackend()
    const { article } = parseArticle('---\ntitle: T\nlab: none\n---\nText.\n', 'x.md', { readFile: () => undefined })
    expect((await runArticle(backend, article)).commands).toEqual([])
    expect(asked).toEqual([])
  })
})

describe('a run that stops', () => {
  const article = articleOf(block('console', 'a# one\nb# two\na# three') + block('conf b:/x', 'y'))
  const stopOf = async (answers: Record<string, Answer>) => {
    const { backend, asked } = fakeBackend(answers)
    const stop = await runArticle(backend, article).catch((error: unknown) => error)
    expect(stop).toBeInstanceOf(RunStopped)
    expect(asked.at(-1)).toBe('close')
    return stop as RunStopped
  }

  test.each([
    [new NotModelled('IPv6'), 'x.md:10: not modelled: IPv6', false],
    [new BudgetExceeded('events', 'the run used its 5 events'), 'x.md:10: the run used its 5 events', false],
    [new TypeError('x is not a function'), 'x.md:10: x is not a function', true],
  ])('by %s: where, why, and what had run', async (error, message, bug) => {
    const stop = await stopOf({ two: error })
    expect([stop.message, stop.bug, stop.cause]).toEqual([message, bug, error])
    expect(stop.source?.command).toBe('two')
    expect(stop.run.commands.map(({ source }) => source.command)).toEqual(['one'])
  })

  test('by a file: the article', async () => {
    const stop = await stopOf({ 'file /x y\n': new Error('ENOSPC') })
    expect([stop.message, stop.source]).toEqual(['x.md: ENOSPC', undefined])
  })
})

test('transcriptOf has what transcript.json promises', async () => {
  const { backend } = fakeBackend({ one: { output: '1\n', status: 4, took: 0.25 } })
  const run = await runArticle(backend, articleOf(block('console', 'a# one\n1\nb$ two')))
  expect(transcriptOf(run)).toEqual({
    article: 'x.md',
    backend: 'sim',
    kernel: 'fake-1',
    seed: 1,
    start: 1_767_225_600,
    commands: [
      { host: 'a', prompt: '#', command: 'one', at: 0, took: 0.25, status: 4, output: '1\n' },
      { host: 'b', prompt: '$', command: 'two', at: 1, took: 0.5, status: 0, output: '' },
    ],
  })
})

describe('acceptedLines', () => {
  const accepted = async (expected: string, output: string, info = 'console') => {
    const run = await runArticle(
      fakeBackend({ one: { output } }).backend,
      articleOf(block(info, `a# one\n${expected}`)),
    )
    return [...acceptedLines(run).values()]
  }

  test('nothing where all is as written, nor in a nocheck block', async () => {
    expect(await accepted('a...\n...', 'abc\nd\n')).toEqual([])
    expect(await accepted('x', 'y\n', 'console nocheck')).toEqual([])
  })

  test('lines that fit their pattern stay patterns; new ones get theirs', async () => {
    expect(await accepted('time=... ms\nold', 'time=0.031 ms\nnew\n64 bytes: time=0.5 ms\n')).toEqual([
      ['time=... ms', 'new', '64 bytes: time=... ms'],
    ])
  })

  test('what was printed and isn’t expected goes in; what wasn’t goes out', async () => {
    expect(await accepted('gone', '')).toEqual([[]])
    expect(await accepted('a\nc', 'a\nb\nc\n')).toEqual([['a', 'b', 'c']])
  })

  test('is written so that the next run passes', async () => {
    for (const [expected, output] of [
      ['a\n...\nz', 'a\n1\n2\n'],
      ['x', '12:00:00.123456 IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 7, seq 1, length 64\n'],
      ['rtt', 'rtt min/avg/max/mdev = 0.030/0.035/0.040/0.004 ms\n'],
      ['', '\n\nx\n\n'],
    ] as const) {
      const [lines = []] = await accepted(expected, output)
      expect(await accepted(lines.join('\n'), output)).toEqual([])
    }
  })
})
