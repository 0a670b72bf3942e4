/** Whatever is typed: `ip` and `ss` end with a status, or say what isn't modelled. */
import { test } from 'vitest'
import { NotModelled } from '#base/check'
import { forSeeds } from '#base/testing'
import type { Sys } from '#kernel/core'
import { ip } from './ip.ts'
import { ss } from './ss.ts'

const WORDS =
  `ip a addr address l link r route ru rule n neigh maddr add del delete change replace append show s list flush get set
  dev eth0 lo nosuch up down to from via 10.0.0.1 10.0.0.0/24 10/8 default all any 300.1.1.1 ::1 /33 1.2.3.4/255.255.0.0 -1 0x10 4294967296
  table main local 100 scope host link global proto static kernel type unicast blackhole dummy veth peer name nexthop weight 3 onlink
  metric mtu lock 1400 advmss rtt 100ms src tos 0x10 oif iif mark pref priority lookup not fwmark 1/2 goto 10 prohibit uidrange 1-2
  lladdr 02:00:00:00:00:01 1:2:3 zz nud stale permanent proxy unused label eth0:* brd + - broadcast peer valid_lft forever 100 preferred_lft
  -s -d -j -p -br -o -4 -6 -r -h -batch -family inet -- -c promisc on off address txqueuelen group alias master nomaster help sport = :80
  dport ( ) or and ! dst state established -t -u -a -n -l -H -e`
    .trim()
    .split(/\s+/)

const OBJECTS = ['a', 'l', 'r', 'ru', 'n']
const COMMANDS = ['add', 'del', 'show', 'get', 'set', 'flush', 'replace']

const LINK = {
  type: 'RTM_NEWLINK',
  ifindex: 2,
  name: 'eth0',
  flags: 0x11043,
  mtu: 1500,
  minMtu: 68,
  maxMtu: 65535,
  qdisc: 'noqueue',
  operstate: 'UP',
  group: 'default',
  txqlen: 1000,
  linkType: 'ether',
  address: 1,
  broadcast: 0xffffffffffff,
  promiscuity: 0,
  carrierChanges: 0,
  stats: {},
}

function fakeSys(): Sys {
  return {
    env: new Map(),
    netlink(request: { type: string; name?: string }) {
      if (request.type !== 'RTM_GETLINK') return { ok: true, messages: [] }
      const known = request.name === undefined || request.name === 'eth0'
      return known ? { ok: true, messages: [LINK] } : { ok: false, errno: 'ENODEV' }
    },
    isatty: () => false,
    readdir: () => ({ ok: true, value: [] }),
    *open() {
      return { ok: false, errno: 'ENOENT' }
    },
    *write(_fd: number, bytes: Uint8Array) {
      return { ok: true, value: bytes.length }
    },
  } as unknown as Sys
}

test.each([
  ['ip', ip],
  ['ss', ss],
] as const)('%s', (name, program) => {
  forSeeds(4000, (random) => {
    const any = (list: readonly string[]) => list[random.below(list.length)]!
    const words = Array.from({ length: random.below(9) }, () => any(WORDS))
    // Most begin as a command would, so that they come far.
    if (name === 'ip' && random.below(4) > 0) words.unshift(any(OBJECTS), any(COMMANDS))
    const body = program(fakeSys(), [name, ...words])
    try {
      for (let step = body.next(); !step.done; step = body.next());
    } catch (error) {
      if (!(error instanceof NotModelled)) throw new Error(`${name} ${words.join(' ')}`, { cause: error })
    }
  })
})
