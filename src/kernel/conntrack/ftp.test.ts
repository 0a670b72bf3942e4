/** The FTP helper: what it expects of what is said, line by line. */
import { beforeEach, expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import { forSeeds } from '#base/testing'
import type { HookContext } from '#kernel/net'
import { parseLab } from '#lab/plan'
import { formatIpv4, IPPROTO_TCP, Packet, parseIpv4 } from '#wire/inet'
import { type ConntrackState, conntrackState, createTemplate, findHelper } from './index.ts'
import { confirmHook, trackIn } from './track.ts'

const CLIENT = parseIpv4('10.0.0.1')!
const SERVER = parseIpv4('10.0.0.2')!
let state: ConntrackState
let port = 1000
const seqs = { '>': 0, '<': 0 }

function send(direction: '>' | '<', flags: number, text = ''): 'sent' | 'dropped' {
  const packet = new Packet()
  const there = direction === '>'
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0))
  Object.assign(packet, {
    etherType: 0x0800,
    protocol: IPPROTO_TCP,
    src: there ? CLIENT : SERVER,
    dst: there ? SERVER : CLIENT,
    srcPort: there ? port : 21,
    dstPort: there ? 21 : port,
    tcpFlags: flags,
    seq: seqs[direction],
    ack: flags & 16 ? seqs[there ? '<' : '>'] : 0,
    window: 60000,
    buffer: bytes,
    length: bytes.length,
    ct: createTemplate({ helper: findHelper('ftp', IPPROTO_TCP)! }),
  })
  seqs[direction] += bytes.length + (flags & 2 ? 1 : 0)
  const { host } = state
  const context: HookContext = { host, hook: 'PRE_ROUTING', packet, in: undefined, out: undefined }
  expect(trackIn(state, context)).toBe(1)
  return confirmHook(state, context) === 1 ? 'sent' : 'dropped'
}

function expected(): string[] {
  return state.expectations.map(
    (one) => `${formatIpv4(one.src as number)} > ${formatIpv4(one.dst as number)}:${one.dstPort}`,
  )
}

const lab = new SimLab(parseLab('networks: { lan: {} }\nhosts: { r: { eth0: lan 10.0.0.9/24 } }', 'lab.yaml').plan, {
  seed: 1,
  start: 0,
  capture: false,
})

beforeEach(() => {
  state = conntrackState.of(lab.world.host('r').kernel)
  state.cleanup(() => true)
  port++
  seqs['>'] = 100
  seqs['<'] = 500
  send('>', 2)
  send('<', 18)
  send('>', 16)
  send('<', 24, '220 ready\r\n')
  send('>', 24, 'USER a\r\n')
})

const ACTIVE = ['10.0.0.2 > 10.0.0.1:5001']
const PASSIVE = ['10.0.0.1 > 10.0.0.2:5001']

test.each<[direction: '>' | '<', line: string, expects: string[]]>([
  ['>', 'PORT 10,0,0,1,19,137\r\n', ACTIVE],
  ['>', 'port 10,0,0,1,19,137\r\n', ACTIVE],
  ['>', 'EPRT |1|10.0.0.1|5001|\r\n', ACTIVE],
  ['<', '227 Entering Passive Mode (10,0,0,2,19,137)\r\n', PASSIVE],
  ['<', '227 10,0,0,2,19,137\r\n', PASSIVE],
  ['<', '229 Extended (|||5001|)\r\n', PASSIVE],
  ['>', 'PORT 10,0,0,77,19,137\r\n', []], // Somebody else's address.
  ['>', 'LIST\r\n', []],
  ['<', '227 from the wrong side', []],
  ['<', 'PORT 10,0,0,2,19,137\r\n', []],
])('%s %j', (direction, line, expects) => {
  const whole = !line.includes('wrong')
  expect(send(direction, 24, line)).toBe(whole ? 'sent' : 'dropped')
  expect(expected()).toEqual(expects)
})

test('half a command is dropped, so that it comes again whole', () => {
  expect(send('>', 24, 'PORT 10,0,')).toBe('dropped')
  seqs['>'] -= 10
  expect(send('>', 24, 'PORT 10,0,0,1,19,137\r\n')).toBe('sent')
  expect(expected()).toEqual(ACTIVE)
})

test('what doesn’t begin a line is not a command', () => {
  send('>', 24, 'NOOP ')
  send('>', 24, 'PORT 10,0,0,1,19,137\r\n')
  expect(expected()).toEqual([])
})

test('a second announcement takes the place of the first', () => {
  send('>', 24, 'PORT 10,0,0,1,19,137\r\n')
  send('>', 24, 'PORT 10,0,0,1,19,138\r\n')
  expect(expected()).toEqual(['10.0.0.2 > 10.0.0.1:5002'])
})

test('they end with their connection', () => {
  send('>', 24, 'PORT 10,0,0,1,19,137\r\n')
  state.cleanup(() => true)
  expect(expected()).toEqual([])
})

test('nothing that is said makes it throw', () => {
  const words = [
    'PORT ',
    'EPRT ',
    '227 ',
    '229 (',
    '|',
    '1',
    ',',
    '10',
    '.',
    '\r\n',
    '999999999999',
    '|||',
    ')',
    ' ',
    'x',
  ]
  forSeeds(300, (random) => {
    const line = Array.from({ length: random.below(14) }, () => words[random.below(words.length)]!).join('')
    if (send(random.below(2) === 0 ? '>' : '<', 24, line) === 'dropped') return
    expect(state.expectations.length).toBeLessThanOrEqual(2)
    for (const one of state.expectations) {
      expect(one.dstPort).toBeGreaterThanOrEqual(0)
      expect(one.dstPort).toBeLessThan(65536)
    }
  })
})
