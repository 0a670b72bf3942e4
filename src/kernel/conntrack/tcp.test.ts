/** TCP's tracker, fed by hand: what each packet makes of the connection. `>` is the client's, `<` the server's. */
import { expect, test } from 'vitest'
import { SimLab } from '#backend/sim'
import type { HookContext } from '#kernel/net'
import { parseLab } from '#lab/plan'
import { IPPROTO_TCP, Packet } from '#wire/inet'
import { type Conn, conntrackState, TCP_STATES } from './index.ts'
import { confirmHook, trackIn } from './track.ts'

const FLAGS: Record<string, number> = { F: 1, S: 2, R: 4, P: 8, A: 16, U: 32 }
const lab = new SimLab(parseLab('networks: { lan: {} }\nhosts: { r: { eth0: lan 10.0.0.1/24 } }', 'lab.yaml').plan, {
  seed: 1,
  start: 0,
  capture: false,
})
const host = lab.world.host('r').kernel

interface More {
  seq?: number
  ack?: number
  length?: number
  window?: number
  options?: number[]
}

/** Feeds packets; gives, for each, what became of it: the state (with * once assured), INVALID, or 'gone'. */
function feed(packets: [direction: '>' | '<', flags: string, more?: More][], port: number): string[] {
  const state = conntrackState.of(host)
  return packets.map(([direction, flags, more = {}]) => {
    const packet = new Packet()
    const there = direction === '>'
    Object.assign(packet, {
      etherType: 0x0800,
      protocol: IPPROTO_TCP,
      src: there ? 1 : 2,
      dst: there ? 2 : 1,
      srcPort: there ? port : 80,
      dstPort: there ? 80 : port,
      tcpFlags: [...flags].reduce((bits, letter) => bits | FLAGS[letter]!, 0),
      seq: more.seq ?? (there ? 100 : 500),
      ack: more.ack ?? 0,
      window: more.window ?? 1000,
      buffer: new Uint8Array(more.length ?? 0),
      length: more.length ?? 0,
    })
    if (more.options) packet.tcpOptions = Uint8Array.from(more.options)
    const context: HookContext = { host, hook: 'PRE_ROUTING', packet, in: undefined, out: undefined }
    expect(trackIn(state, context)).toBe(1)
    confirmHook(state, context)
    const conn = packet.ct as Conn | undefined
    if (conn === undefined) return 'INVALID'
    if (conn.status & 0x200) return 'gone'
    return TCP_STATES[conn.tcp!.state]! + (conn.status & 4 ? '*' : '')
  })
}

const OPEN: [direction: '>' | '<', flags: string, more?: More][] = [
  ['>', 'S'],
  ['<', 'SA', { ack: 101 }],
  ['>', 'A', { seq: 101, ack: 501 }],
]

const CASES: [name: string, packets: [direction: '>' | '<', flags: string, more?: More][], states: string[]][] = [
  ['opened', OPEN, ['SYN_SENT', 'SYN_RECV', 'ESTABLISHED*']],
  [
    'closed by the client',
    [
      ...OPEN,
      ['>', 'FA', { seq: 101, ack: 501 }],
      ['<', 'A', { seq: 501, ack: 102 }],
      ['<', 'FA', { seq: 501, ack: 102 }],
      ['>', 'A', { seq: 102, ack: 502 }],
    ],
    ['SYN_SENT', 'SYN_RECV', 'ESTABLISHED*', 'FIN_WAIT*', 'CLOSE_WAIT*', 'LAST_ACK*', 'TIME_WAIT*'],
  ],
  [
    'refused',
    [
      ['>', 'S'],
      ['<', 'RA', { seq: 0, ack: 101 }],
    ],
    ['SYN_SENT', 'gone'],
  ],
  ['an answer to nothing', [['<', 'SA', { ack: 101 }]], ['INVALID']],
  ['a reset of nothing', [['>', 'R']], ['INVALID']],
  [
    'nonsense',
    [
      ['>', 'SF'],
      ['>', ''],
      ['>', 'FPU'],
      ['>', 'SR'],
    ],
    ['INVALID', 'INVALID', 'INVALID', 'INVALID'],
  ],
  [
    'taken up in the middle',
    [
      ['>', 'PA', { seq: 900, ack: 5000, length: 10 }],
      ['<', 'A', { seq: 5000, ack: 910 }],
      ['>', 'A', { seq: 910, ack: 5000 }],
    ],
    ['ESTABLISHED', 'ESTABLISHED', 'ESTABLISHED*'],
  ],
  [
    'data beyond the window',
    [...OPEN, ['>', 'PA', { seq: 200000, ack: 501, length: 10 }], ['>', 'PA', { seq: 101, ack: 501, length: 10 }]],
    ['SYN_SENT', 'SYN_RECV', 'ESTABLISHED*', 'INVALID', 'ESTABLISHED*'],
  ],
  [
    'an acknowledgement of what was never sent',
    [...OPEN, ['>', 'A', { seq: 101, ack: 9000 }]],
    ['SYN_SENT', 'SYN_RECV', 'ESTABLISHED*', 'INVALID'],
  ],
  [
    'a scaled window',
    [
      ['>', 'S', { options: [3, 3, 7, 0] }],
      ['<', 'SA', { ack: 101, options: [3, 3, 7, 0] }],
      ['>', 'A', { seq: 101, ack: 501, window: 500 }],
      ['<', 'PA', { seq: 60501, ack: 101, length: 100 }],
      ['<', 'PA', { seq: 200000, ack: 101, length: 100 }],
    ],
    ['SYN_SENT', 'SYN_RECV', 'ESTABLISHED*', 'ESTABLISHED*', 'INVALID'],
  ],
  [
    'a window that only one side scales',
    [
      ['>', 'S', { options: [3, 3, 7, 0] }],
      ['<', 'SA', { ack: 101 }],
      ['>', 'A', { seq: 101, ack: 501, window: 500 }],
      ['<', 'PA', { seq: 60501, ack: 101, length: 100 }],
    ],
    ['SYN_SENT', 'SYN_RECV', 'ESTABLISHED*', 'INVALID'],
  ],
  [
    'a forged reset',
    [...OPEN, ['>', 'R', { seq: 1 }], ['<', 'R', { seq: 100 }], ['<', 'R', { seq: 501 }]],
    ['SYN_SENT', 'SYN_RECV', 'ESTABLISHED*', 'INVALID', 'INVALID', 'CLOSE*'],
  ],
  [
    'a reset that is only near',
    [...OPEN, ['<', 'R', { seq: 510 }]],
    ['SYN_SENT', 'SYN_RECV', 'ESTABLISHED*', 'ESTABLISHED*'],
  ],
  [
    'both open at once',
    [
      ['>', 'S'],
      ['<', 'S'],
      ['>', 'SA', { ack: 501 }],
      ['<', 'A', { seq: 501, ack: 101 }],
    ],
    ['SYN_SENT', 'SYN_SENT2', 'SYN_RECV', 'ESTABLISHED*'],
  ],
  [
    'opened again from TIME_WAIT',
    [
      ...OPEN,
      ['>', 'FA', { seq: 101, ack: 501 }],
      ['<', 'FA', { seq: 501, ack: 102 }],
      ['>', 'A', { seq: 102, ack: 502 }],
      ['>', 'S', { seq: 70000 }],
    ],
    ['SYN_SENT', 'SYN_RECV', 'ESTABLISHED*', 'FIN_WAIT*', 'LAST_ACK*', 'TIME_WAIT*', 'SYN_SENT'],
  ],
  [
    'a SYN in the middle, and both sides agree on it',
    [...OPEN, ['>', 'S', { seq: 9000 }], ['<', 'SA', { seq: 8000, ack: 9001 }], ['>', 'A', { seq: 9001, ack: 8001 }]],
    ['SYN_SENT', 'SYN_RECV', 'ESTABLISHED*', 'ESTABLISHED*', 'SYN_RECV*', 'ESTABLISHED*'],
  ],
  [
    'a challenge is not the last ACK',
    [
      ...OPEN,
      ['>', 'FA', { seq: 101, ack: 501 }],
      ['<', 'FA', { seq: 501, ack: 102 }],
      ['>', 'S', { seq: 9000 }],
      ['<', 'A', { seq: 502, ack: 102 }],
    ],
    ['SYN_SENT', 'SYN_RECV', 'ESTABLISHED*', 'FIN_WAIT*', 'LAST_ACK*', 'LAST_ACK*', 'LAST_ACK*'],
  ],
]

test.each(CASES.map((one, i) => [...one, 1000 + i] as const))('%s', (_name, packets, states, port) => {
  expect(feed(packets as never, port)).toEqual(states)
})

test('liberal: what doesn’t fit the window passes', () => {
  const { settings } = conntrackState.of(host)
  settings.tcpBeLiberal = 1
  const far: [direction: '>', flags: string, more: More] = ['>', 'PA', { seq: 200000, ack: 501, length: 10 }]
  expect(feed([...OPEN, far], 2000)[3]).toBe('ESTABLISHED*')
  settings.tcpBeLiberal = 0
})

test('retransmissions and unacknowledged data shorten the timeout', () => {
  const state = conntrackState.of(host)
  const left = (port: number) => {
    const conn = state.list().find((one) => one.original.srcPort === port)!
    return (conn.timeout - state.jiffies) / 250
  }
  feed(OPEN, 3000)
  expect(left(3000)).toBe(432000)
  feed([['>', 'PA', { seq: 101, ack: 501, length: 10 }]], 3000)
  expect(left(3000)).toBe(300)
  feed([['<', 'A', { seq: 501, ack: 111 }]], 3000)
  expect(left(3000)).toBe(432000)
  feed(new Array(4).fill(['>', 'A', { seq: 111, ack: 501 }]), 3000)
  expect(left(3000)).toBe(300)
})
