/** `kaidoku` as it is called: few calls, since each is a process. */
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readCapture } from '#wire/pcap'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const KAIDOKU = join(ROOT, 'bin', 'kaidoku.js')
const folder = mkdtempSync(join(tmpdir(), 'kaidoku-cli-'))

const HEAD = `---
title: T
lab:
  networks: { lan: {} }
  hosts: { a: { eth0: lan 10.0.0.1/24 }, b: { eth0: lan 10.0.0.2/24 } }
---
`
const block = (text: string) => `\`\`\`console\n${text}\n\`\`\`\n`

function article(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return name
}

interface Called {
  status: number | null
  out: string
  err: string
}

function kaidoku(words: string[], input = '', env: Record<string, string> = {}): Promise<Called> {
  return new Promise((done) => {
    const child = execFile(
      process.execPath,
      [KAIDOKU, ...words],
      { cwd: folder, env: { ...process.env, ...env }, maxBuffer: 1 << 26 },
      (error, out, err) => done({ status: error ? ((error as { code?: number }).code ?? null) : 0, out, err }),
    )
    child.stdin!.end(input)
  })
}

beforeAll(async () => {
  const { build } = await import(new URL('../../scripts/build.js', import.meta.url).href)
  await build(['cli'])
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

describe('the list of commands', () => {
  test('help, version, mistakes', async () => {
    const [help, bare, version, unknown, option, of] = await Promise.all([
      kaidoku(['--help']),
      kaidoku([]),
      kaidoku(['--version']),
      kaidoku(['chekc']),
      kaidoku(['run', '--sed=1', 'x.md']),
      kaidoku(['help', 'run']),
    ])
    expect(help).toMatchObject({ status: 0, err: '' })
    expect(help.out).toMatch(/^Usage: kaidoku COMMAND[\s\S]*\n {2}check .*\n/)
    expect(bare.status).toBe(2)
    expect(version).toEqual({ status: 0, out: 'kaidoku 0.1.0\n', err: '' })
    expect(unknown).toEqual({
      status: 2,
      out: '',
      err: "kaidoku: there is no command 'chekc'; did you mean 'check'?\n",
    })
    expect(option).toEqual({
      status: 2,
      out: '',
      err: "kaidoku run: unrecognized option '--sed' (did you mean --seed?)\n",
    })
    expect(of.out).toMatch(/^Usage: kaidoku run /)
  })
})

describe('run', () => {
  test('0 all as written, 1 a difference, 2 a mistake; no colour in a pipe', async () => {
    article('good.md', HEAD + block('a# echo hi\nhi\nb# ping -c 1 a | tail -1\nrtt ...'))
    article('bad.md', HEAD + block('a# echo hi\nho'))
    article('wrong.md', `${HEAD}${block('c# echo hi')}\n${block('lab# unplug a')}`)
    const [good, bad, wrong, missing] = await Promise.all([
      kaidoku(['run', '-o', 'left', 'good.md']),
      kaidoku(['run', 'bad.md'], '', { FORCE_COLOR: '1' }),
      kaidoku(['run', 'wrong.md', 'good.md']),
      kaidoku(['run', 'missing.md']),
    ])
    expect(good).toMatchObject({ status: 0 })
    expect(good.out).toMatch(
      /^✓ a# echo hi\n✓ b# ping.*\npass good\.md on linux-6\.1 simulated: 2 of 2 commands as written, [\d.]+ s of virtual time\n$/,
    )
    expect(bad.status).toBe(1)
    expect(bad.out).toContain('✗ a# echo hi\n  bad.md:8: - expected, + printed\n  - ho\n  + hi\nFAIL bad.md')
    expect(good.out + bad.out).not.toContain('\u001b')
    expect(wrong.status).toBe(2) // And the other one ran.
    expect(wrong.err).toMatch(/^wrong\.md:8:1: .*\nwrong\.md:\d+:\d+: .*\n$/)
    expect(wrong.out).toContain('pass good.md')
    expect(missing).toEqual({ status: 2, out: '', err: 'kaidoku: missing.md: no such file\n' })
    expect(readdirSync(join(folder, 'left')).sort()).toEqual(['a-eth0.pcap', 'b-eth0.pcap', 'transcript.json'])
    const transcript = JSON.parse(readFileSync(join(folder, 'left', 'transcript.json'), 'utf8'))
    expect(transcript).toMatchObject({ article: 'good.md', backend: 'sim', seed: 1, start: 1_767_225_600 })
    expect(transcript.commands[0]).toMatchObject({
      host: 'a',
      prompt: '#',
      command: 'echo hi',
      at: 0,
      status: 0,
      output: 'hi\n',
    })
    const capture = readCapture(readFileSync(join(folder, 'left', 'b-eth0.pcap')))
    expect(capture.frames.length).toBe(4) // ARP and echo, there and back.
  })

  test('a reader that goes away ends it without a complaint', async () => {
    article('long.md', HEAD + block('a# seq 200000'))
    const status = await new Promise<[number | null, string]>((done) => {
      const child = spawn('bash', ['-o', 'pipefail', '-c', `${process.execPath} ${KAIDOKU} run -v long.md | head -3`], {
        cwd: folder,
      })
      let err = ''
      child.stderr.on('data', (chunk) => (err += chunk))
      child.on('close', (code) => done([code, err]))
    })
    expect(status).toEqual([0, ''])
  })
})

test('check: all are run, whatever stops one; JUnit; 1 unless something can’t be read', async () => {
  article('loop.md', HEAD + block('a# while :; do :; done'))
  article(
    'refused.md',
    HEAD.replace('10.0.0.1/24 }', '10.0.0.1/24, sysctl: { net.ipv4.nosuch: 1 } }') + block('a# true'),
  )
  article('fine.md', HEAD + block('a# echo $RANDOM\n...'))
  article('README.md', 'No article.\n')
  const { status, out, err } = await kaidoku([
    'check',
    '-n',
    '2',
    '-j',
    'report.xml',
    '--budget=0.3',
    'loop.md',
    'refused.md',
    'fine.md',
  ])
  expect(err).toBe(
    'kaidoku: loop.md:8: the run used its 0.3 s of real time; --budget allows more\n'.repeat(2) +
      'kaidoku: refused.md: a: sysctl net.ipv4.nosuch = 1: no such setting\n'.repeat(2),
  )
  expect(out).toMatch(
    /^(FAIL loop\.md: stopped after 0 commands\n){2}(FAIL refused\.md: .*\n){2}(pass fine\.md .*\n){2}1 passed, 2 failed\n$/,
  )
  expect(status).toBe(1)
  const report = readFileSync(join(folder, 'report.xml'), 'utf8')
  expect(report.match(/<testsuite /g)).toHaveLength(6)
  expect(report.match(/<error type="BudgetExceeded"/g)).toHaveLength(2)
  expect(report.match(/<error type="LabRefused"/g)).toHaveLength(2)
})

test('update: shown first, then written; then it passes, and nothing else has changed', async () => {
  const text = `${HEAD}Text.\n\n${block('a# echo 1\nold\na# ping -c 1 b | tail -1')}\nMore.\n`
  article('update.md', text)
  const dry = await kaidoku(['update', '-n', 'update.md'])
  expect(dry).toMatchObject({ status: 0, err: '' })
  expect(dry.out).toContain('2 commands would be written')
  expect(readFileSync(join(folder, 'update.md'), 'utf8')).toBe(text)
  expect((await kaidoku(['update', 'update.md'])).out).toContain('2 commands written')
  expect(readFileSync(join(folder, 'update.md'), 'utf8')).toBe(
    text.replace('old\na# ping -c 1 b | tail -1', '1\na# ping -c 1 b | tail -1\nrtt min/avg/max/mdev = ... ms'),
  )
  expect((await kaidoku(['check', '-s', '9', 'update.md'])).status).toBe(0)
})

test('export: one pcapng of all interfaces, to a file or a pipe', async () => {
  article('export.md', HEAD + block('a# ping -c 1 b >/dev/null'))
  const { status, err } = await kaidoku(['export', 'export.md'])
  expect([status, err]).toEqual([0, 'kaidoku: 8 frames of 2 interfaces in export.pcapng\n'])
  const bytes = readFileSync(join(folder, 'export.pcapng'))
  expect(bytes.readUInt32LE(0)).toBe(0x0a0d0d0a)
  expect(bytes.includes('a:eth0') && bytes.includes('b:eth0')).toBe(true)
})

test('shell: lines from a pipe, an article’s prompts too; the last status is its own', async () => {
  article('lab.yaml', 'networks: { lan: {} }\nhosts: { a: { eth0: lan 10.0.0.1/24 }, b: { eth0: lan 10.0.0.2/24 } }\n')
  const [typed, mistaken] = await Promise.all([
    kaidoku(
      ['shell', 'lab.yaml'],
      'echo on $(hostname)\nb# hostname\nlab# unplug a:eth0\na# cat /sys/class/net/eth0/carrier\n@b\nexit 4\n',
    ),
    kaidoku(['shell', '-H', 'c', 'lab.yaml']),
  ])
  expect(typed).toEqual({ status: 4, out: 'on a\nb\n0\n', err: '' })
  expect(mistaken).toEqual({ status: 2, out: '', err: "kaidoku shell: there is no host 'c'; there is a, b\n" })
})

test('compare with an article that is none, and real commands without --yes', async () => {
  const [compared, netns] = await Promise.all([
    kaidoku(['compare', 'nosuch.md']),
    kaidoku(['run', '-b', 'netns', 'good.md']),
  ])
  expect(compared).toMatchObject({ status: 2, err: 'kaidoku: nosuch.md: no such file\n' })
  expect(netns.status).toBe(2)
  expect(netns.err).toMatch(
    /^kaidoku: (netns: .*|the articles' commands will run as root .*; say --yes if that is meant)\n$/,
  )
})

describe('explore', () => {
  const TAKEN = block('a# ip addr add 10.0.0.9/32 dev eth0\nb# ip addr add 10.0.0.9/32 dev lo')
  const INVARIANT =
    '```invariant reached\nno request fails for longer than 1s\nfaults befall b\na pings 10.0.0.2\n```\n'

  test('finds, shrinks and saves; what is saved passes run and fails check', async () => {
    const name = article('explored.md', HEAD + TAKEN + INVARIANT)
    const found = await kaidoku(['explore', '-n', '20', '-j', '2', '--faults=poweroff', '--junit=explored.xml', name])
    expect(found.err).toBe('')
    expect(found.status).toBe(1)
    expect(found.out).toMatch(
      /^FAIL reached: no request fails for longer than 1s\n {2}broken with \d+ seeds, first \d+: /,
    )
    expect(found.out).toMatch(/\n +\d+\.\d+ {2}poweroff b\n/)
    expect(found.out).toMatch(/: 20 seeds, \d+ broken, \d+ seeds a minute\n$/)
    expect(readFileSync(join(folder, 'explored.xml'), 'utf8')).toContain('failures="1"')
    const saved = 'explored-reached-broken.md'
    expect((await kaidoku(['run', '-q', saved])).status).toBe(0)
    const checked = await kaidoku(['check', saved])
    expect([checked.status, checked.out]).toEqual([1, expect.stringContaining('✗ invariant reached broken')])
    const held = await kaidoku(['check', name])
    expect([held.status, held.out]).toEqual([0, expect.stringContaining('✓ invariant reached held')])
  }, 60_000)

  test('an article without invariants, and one whose invariant never holds', async () => {
    const none = await kaidoku(['explore', article('none.md', HEAD + TAKEN)])
    expect([none.status, none.err]).toEqual([2, expect.stringContaining('it states no invariant')])
    const never = await kaidoku([
      'explore',
      article('never.md', HEAD + TAKEN + INVARIANT.replace('10.0.0.2', '10.0.0.7')),
    ])
    expect([never.status, never.out]).toEqual([1, expect.stringContaining('is broken without any fault')])
  }, 60_000)
})
