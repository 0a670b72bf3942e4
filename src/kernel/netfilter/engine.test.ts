/** The engine without its tools: batches are whole, chains call each other, sets find what is in them. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { KernelHost } from '#kernel/core'
import { type HookContext, NF_ACCEPT, NF_DROP, packetHooks } from '#kernel/net'
import { IPPROTO_TCP, Packet } from '#wire/inet'
import type { Expression, Verdict } from './expressions.ts'
import type { NftCommand, NftError, TableMessage } from './messages.ts'
import { nfTables } from './objects.ts'
import { IntervalStore, RangesStore } from './sets.ts'
import { bench } from './testing.cases.ts'
import { Transaction } from './transaction.ts'

let host: KernelHost

beforeEach(async () => {
  host = (await bench()).host
})

const run = (...commands: NftCommand[]): NftError[] => new Transaction(nfTables.of(host)).run(commands)
const where = { family: 'ip' as const, table: 't' }
const verdict = (code: Verdict['code'], chain?: string): Expression => ({
  expr: 'verdict',
  verdict: chain === undefined ? { code } : { code, chain },
})
const rule = (chain: string, ...expressions: Expression[]): NftCommand => ({
  cmd: 'newrule',
  ...where,
  chain,
  expressions,
})
const base: NftCommand = {
  cmd: 'newchain',
  ...where,
  chain: 'in',
  base: { type: 'filter', hook: 'LOCAL_IN', priority: 0 },
}
const chain = (name: string): NftCommand => ({ cmd: 'newchain', ...where, chain: name })
const port = (value: number): Expression[] => [
  { expr: 'cmp', load: { load: 'meta', key: 'l4proto' }, op: 'eq', value: IPPROTO_TCP },
  { expr: 'cmp', load: { load: 'payload', base: 'th', offset: 2, length: 2 }, op: 'eq', value },
]

function verdictOf(dstPort: number): number {
  const packet = new Packet()
  packet.etherType = 0x800
  packet.protocol = IPPROTO_TCP
  packet.dstPort = dstPort
  const hooks = packetHooks(host).localIn
  let answer = NF_ACCEPT
  for (const hook of hooks) {
    const context: HookContext = { host, hook: 'LOCAL_IN', packet, in: undefined, out: undefined }
    answer = hook.run(context)
    if (answer !== NF_ACCEPT) break
  }
  return answer
}

describe('a batch', () => {
  test('that fails leaves nothing behind', () => {
    expect(run({ cmd: 'newtable', ...where }, base, rule('in', verdict('drop')))).toEqual([])
    const before = JSON.stringify(dump())
    const errors = run(
      { cmd: 'delrule', ...where, chain: 'in' },
      chain('x'),
      rule('in', verdict('jump', 'x')),
      { cmd: 'newset', spec: { ...where, name: 's', keyType: ['mark'], keyLengths: [4], flags: {} } },
      { cmd: 'newelements', ...where, set: 's', elements: [{ key: [1] }] },
      { cmd: 'delchain', ...where, chain: 'nope' },
    )
    expect(errors).toEqual([{ index: 5, errno: 'ENOENT', at: 'chain' }])
    expect(JSON.stringify(dump())).toBe(before)
    expect(verdictOf(1)).toBe(NF_DROP)
  })

  test('tells of every command that can’t be done', () => {
    const errors = run({ cmd: 'deltable', family: 'ip', table: 'a' }, { cmd: 'newtable', ...where }, rule('b'))
    expect(errors.map(({ index, errno }) => [index, errno])).toEqual([
      [0, 'ENOENT'],
      [2, 'ENOENT'],
    ])
  })

  test('may not make chains call each other for ever', () => {
    const loop = [
      { cmd: 'newtable', ...where } as NftCommand,
      base,
      chain('a'),
      chain('b'),
      rule('a', verdict('jump', 'b')),
      rule('b', verdict('jump', 'a')),
    ]
    expect(run(...loop)).toEqual([])
    expect(run(rule('in', verdict('jump', 'a')))).toEqual([{ index: 0, errno: 'EMLINK', at: 'expression' }])
  })
})

function dump(): TableMessage[] {
  const answer = host.image.netlinkHandlers?.get('NFT_GETRULESET')?.(host, { type: 'NFT_GETRULESET' })
  return answer?.ok ? (answer.messages as TableMessage[]) : []
}

describe('a packet', () => {
  test('comes back from jump and return, and not from goto', () => {
    run(
      { cmd: 'newtable', ...where },
      base,
      chain('back'),
      chain('away'),
      rule('back', ...port(1), verdict('return')),
      rule('back', ...port(2), verdict('drop')),
      rule('away', ...port(9), verdict('accept')),
      rule('in', verdict('jump', 'back')),
      rule('in', ...port(3), verdict('goto', 'away')),
      rule('in', ...port(4), verdict('accept')),
      rule('in', verdict('drop')),
    )
    expect([1, 2, 3, 4, 5].map(verdictOf)).toEqual([NF_DROP, NF_DROP, NF_ACCEPT, NF_ACCEPT, NF_DROP])
  })

  test('meets the policy at the end, and nothing once the table is gone', () => {
    run({ cmd: 'newtable', ...where }, { ...base, policy: 'drop' } as NftCommand)
    expect(verdictOf(1)).toBe(NF_DROP)
    run({ cmd: 'newtable', ...where, flags: 1 })
    expect(verdictOf(1)).toBe(NF_ACCEPT)
    run({ cmd: 'newtable', ...where, flags: 0 })
    expect(verdictOf(1)).toBe(NF_DROP)
    run({ cmd: 'deltable', ...where })
    expect(packetHooks(host).localIn).toEqual([])
  })
})

describe('elements', () => {
  test('of intervals are found at their ends and not beyond, and don’t overlap', () => {
    const store = new IntervalStore(host)
    store.insert({ key: [10], end: [20] })
    store.insert({ key: [30] })
    store.insert({ key: [0], end: [5] })
    expect([0, 5, 6, 9, 10, 20, 21, 30, 31].map((value) => store.findOne(value) !== undefined)).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
      false,
      true,
      false,
    ])
    expect(store.overlaps({ key: [6], end: [9] })).toBe(false)
    expect(store.overlaps({ key: [6], end: [10] })).toBe(true)
    expect(store.overlaps({ key: [15], end: [16] })).toBe(true)
    expect(store.overlaps({ key: [0], end: [99] })).toBe(true)
  })

  test('of several ranges need all of them', () => {
    const store = new RangesStore(host)
    store.insert({ key: [1, 10], end: [5, 20] })
    expect(store.find([3, 15])).toBeDefined()
    expect(store.find([6, 15])).toBeUndefined()
    expect(store.find([3, 21])).toBeUndefined()
  })
})
