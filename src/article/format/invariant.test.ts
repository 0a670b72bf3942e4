import { describe, expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { parseArticle } from './index.ts'

const FRONT = `---
title: T
lab:
  networks: { lan: {}, wan: {} }
  hosts:
    client: { eth0: lan 10.0.0.1/24 }
    web: { eth0: lan 10.0.0.2/24, eth1: wan 10.1.0.2/24 }
---
`
const parse = (lines: string, info = 'it') =>
  parseArticle(`${FRONT}\`\`\`invariant ${info}\n${lines}\n\`\`\`\n`, 'x.md')
const only = (lines: string) => {
  const { article, mistakes } = parse(lines)
  expect(mistakes.map((each) => each.message)).toEqual([])
  return article.invariants[0]!
}

const PROBE = { host: 'client', argv: undefined, expected: undefined }

describe('sentences', () => {
  test.each([
    [
      'No request fails for longer than 3s, every 100ms.\nclient# x | y',
      { kind: 'requests', limitNs: 3e9, everyNs: 1e8, probe: { ...PROBE, command: 'x | y', text: 'client# x | y' } },
    ],
    [
      'always\nclient pings 10.0.0.9',
      {
        kind: 'requests',
        limitNs: 0,
        everyNs: 5e8,
        probe: {
          ...PROBE,
          command: 'ping -nqc1 -W1 10.0.0.9',
          argv: ['ping', '-nqc1', '-W1', '10.0.0.9'],
          text: 'client pings 10.0.0.9',
        },
      },
    ],
    [
      'within 1 min after the last fault, every 2s\nclient# x\n\n one ...\n...\n',
      {
        kind: 'afterwards',
        mode: 'within',
        delayNs: 60e9,
        everyNs: 2e9,
        probe: { ...PROBE, command: 'x', expected: ['', ' one ...', '...'], text: 'client# x' },
      },
    ],
    [
      'from 10s after the last fault on\nclient# x',
      {
        kind: 'afterwards',
        mode: 'from',
        delayNs: 10e9,
        everyNs: 5e8,
        probe: { ...PROBE, command: 'x', text: 'client# x' },
      },
    ],
    ['no address is answered for by two MACs', { kind: 'owners', network: undefined, limitNs: 1e9 }],
    [
      'no address on wan is answered for by two macs for longer than 0.5s',
      { kind: 'owners', network: 'wan', limitNs: 5e8 },
    ],
    ['no connection changes its server', { kind: 'connections', what: 'changes', address: undefined, port: undefined }],
    [
      'no connection to 10.0.0.100:80 changes its server',
      { kind: 'connections', what: 'changes', address: '10.0.0.100', port: 80 },
    ],
    [
      'no connection to 10.0.0.100 is reset',
      { kind: 'connections', what: 'reset', address: '10.0.0.100', port: undefined },
    ],
  ])('%s', (lines, rule) => expect(only(lines).rule).toEqual(rule))

  test('and clauses', () => {
    expect(only('no connection is reset').scope).toEqual({ targets: undefined, atOnce: 1, gapNs: 0 })
    const lines =
      'faults befall web, client:eth0 and lan\nat most 2 faults at a time\nat least 5s between faults.\nno connection is reset'
    expect(only(lines).scope).toEqual({ targets: ['web', 'client:eth0', 'lan'], atOnce: 2, gapNs: 5e9 })
  })
})

describe('mistakes are located', () => {
  const AT = (line: number, text: string) => `x.md:${9 + line}:1: ${text}`
  test.each([
    [
      '',
      'it',
      AT(0, 'the invariant states nothing; write `no request fails for longer than DURATION[, every DURATION]`'),
    ],
    ['no connection is reset', '', AT(0, 'an invariant is not named ``; write ```invariant NAME, such as one-owner')],
    ['no connection is reset', 'it soon', AT(0, 'an invariant has no flag `soon`; there is `broken`')],
    ['always', 'it', AT(1, 'there is no request to make; write `HOST# COMMAND` below, or `HOST gets URL`')],
    ['always\nwebb# x', 'it', AT(2, 'the lab has no host `webb`; did you mean `web`?')],
    ['always\nclient# x\nweb# y', 'it', AT(3, 'an invariant has one request; write a second invariant')],
    ['no connection is reset\nalways', 'it', AT(2, 'an invariant states one thing; write a second invariant')],
    ['no connection is reset\nclient pings 10.0.0.1', 'it', AT(2, 'this invariant needs no request; leave it out')],
    ['no address on lam is answered for by two MACs', 'it', AT(1, 'there is no network `lam`; did you mean `lan`?')],
    [
      'no address is answered for by two MACs within 3s',
      'it',
      AT(
        1,
        "an invariant doesn't say `no address is answered for by two MACs within 3s`; did you mean `no address [on NETWORK] is answered for by two MACs [for longer than DURATION]`?",
      ),
    ],
    [
      'client fetches http://web/',
      'it',
      AT(
        1,
        "an invariant doesn't say `client fetches http://web/`; write `client# COMMAND`, or `client pings ADDRESS`, `client connects to ADDRESS:PORT`, `client gets URL`",
      ),
    ],
    [
      'no request fails for longer than 3 apples\nclient# x',
      'it',
      AT(1, '`3 apples` is no duration; write it as 3s or 500ms'),
    ],
    ['always, every 10us\nclient# x', 'it', AT(1, 'every 10us is too often; write 1ms or more')],
    ['no connection to web is reset', 'it', AT(1, '`web` is no address; write 10.0.0.100 or 10.0.0.100:80')],
    [
      'no connection is reset\nfaults befall web:eth7',
      'it',
      AT(2, 'the lab has no `web:eth7`; did you mean `web:eth0`?'),
    ],
    [
      'no connection is reset\nat most 0 faults at a time',
      'it',
      AT(2, 'without faults there is nothing to explore; write 1 or more'),
    ],
  ])('%s', (lines, info, message) => expect(parse(lines, info).mistakes.map((each) => each.message)).toContain(message))

  test('two of one name, and an article without a lab', () => {
    const block = '```invariant it\nno connection is reset\n```\n'
    expect(parseArticle(FRONT + block + block, 'x.md').mistakes.map((each) => each.what)).toEqual([
      'there are two invariants `it`',
    ])
    expect(parseArticle(`---\ntitle: T\n---\n${block}`, 'x.md').mistakes.map((each) => each.what)).toEqual([
      'the article has no lab, so nothing to watch',
    ])
  })
})

test('it knows where it stands: in the text, and behind how many blocks', () => {
  const block = '> ```invariant it broken\n> no connection is reset\n> ```'
  const text = `${FRONT}\`\`\`console\nweb# true\n\`\`\`\n${block}\n\n\`\`\`console\nweb# true\n\`\`\`\n`
  const { article, mistakes } = parseArticle(text, 'x.md')
  expect(mistakes).toEqual([])
  const [invariant] = article.invariants
  expect([invariant!.blocksBefore, article.blocks.length, invariant!.broken]).toEqual([1, 2, true])
  expect(text.slice(...invariant!.range)).toBe(block.slice(2))
  expect(article.text).toBe(text)
})

test('nothing throws, whatever stands in a block', () => {
  const words = [
    'no',
    'request',
    'always',
    'address',
    'connection',
    'to',
    'every',
    '3s',
    '500ms',
    ',',
    'client#',
    'web',
    'pings',
    'gets',
    'http://x/',
    'faults befall',
    'lan',
    'is reset',
    'changes its server',
    'after the last fault',
    'within',
    'from',
    '\n',
    '\n',
    '.',
    '`',
    '',
    '\\',
    '[',
  ]
  forSeeds(1500, (random) => {
    const text = Array.from({ length: random.below(14) }, () => words[random.below(words.length)]).join(' ')
    for (const { at } of parse(text).mistakes) expect(at.line).toBeGreaterThan(0)
  })
})
