/** What `ip` prints for given answers of a kernel: each expected text was printed by iproute2 6.1.0 for such a kernel. */
import { describe, expect, test } from 'vitest'
import type { NetlinkAnswer, Sys } from '#kernel/core'
import type { NetRequest } from '#kernel/net'
import { ip } from './ip.ts'

const STATS = {
  rxPackets: 0,
  txPackets: 0,
  rxBytes: 0,
  txBytes: 0,
  rxErrors: 0,
  txErrors: 0,
  rxDropped: 0,
  txDropped: 0,
  multicast: 0,
  collisions: 0,
  rxOverrun: 0,
  txCarrier: 0,
}
const LIMITS = {
  numTxQueues: 1,
  numRxQueues: 1,
  gsoMaxSize: 65536,
  gsoMaxSegs: 65535,
  tsoMaxSize: 524280,
  tsoMaxSegs: 65535,
  groMaxSize: 65536,
}
const LINK = {
  type: 'RTM_NEWLINK',
  qdisc: 'noqueue',
  group: 'default',
  txqlen: 1000,
  promiscuity: 0,
  allmulti: 0,
  carrierChanges: 2,
  stats: STATS,
  ...LIMITS,
}
const LINKS = [
  {
    ...LINK,
    ifindex: 1,
    name: 'lo',
    flags: 0x10049,
    mtu: 65536,
    minMtu: 0,
    maxMtu: 0,
    operstate: 'UNKNOWN',
    linkType: 'loopback',
    address: 0,
    broadcast: 0,
  },
  {
    ...LINK,
    ifindex: 2,
    name: 'eth0',
    flags: 0x11043,
    mtu: 1500,
    minMtu: 68,
    maxMtu: 65535,
    operstate: 'UP',
    linkType: 'ether',
    address: 0x4a9ce89b8811,
    broadcast: 0xffffffffffff,
  },
]
const ADDRESS = { type: 'RTM_NEWADDR', family: 'AF_INET', flags: 0x80, validS: 0xffffffff, preferredS: 0xffffffff }
const ADDRESSES = [
  { ...ADDRESS, ifindex: 1, local: 0x7f000001, address: 0x7f000001, prefix: 8, scope: 254, label: 'lo' },
  {
    ...ADDRESS,
    ifindex: 2,
    local: 0x0a000001,
    address: 0x0a000001,
    prefix: 24,
    broadcast: 0x0a0000ff,
    scope: 0,
    label: 'eth0',
  },
]
const ROUTE = {
  type: 'RTM_NEWROUTE',
  family: 'AF_INET',
  table: 254,
  protocol: 3,
  scope: 0,
  routeType: 'unicast',
  tos: 0,
  metric: 0,
}
const hop = (gateway?: number, weight = 1) => ({
  ifindex: 2,
  weight,
  flags: 0,
  ...(gateway !== undefined && { gateway }),
})
const ROUTES = [
  { ...ROUTE, dst: 0, prefix: 0, nextHops: [hop(0x0a000002)] },
  { ...ROUTE, dst: 0x01020300, prefix: 24, nextHops: [hop(0x0a000002, 2), hop(0x0a000003)] },
  { ...ROUTE, dst: 0x02020202, prefix: 32, routeType: 'blackhole', nextHops: [] },
  { ...ROUTE, dst: 0x02020203, prefix: 32, routeType: 'unreachable', metric: 5, nextHops: [] },
  { ...ROUTE, dst: 0x0a000000, prefix: 24, protocol: 2, scope: 253, prefSrc: 0x0a000001, nextHops: [hop()] },
]
const TABLE_100 = [
  {
    ...ROUTE,
    table: 100,
    dst: 0x03030303,
    prefix: 32,
    protocol: 4,
    scope: 253,
    prefSrc: 0x0a000001,
    nextHops: [hop()],
    metrics: { mtu: 1400, advmss: 1000, rtt: 800 },
    lockedMetrics: ['advmss'],
  },
]
const NEIGHBOURS = [
  {
    type: 'RTM_NEWNEIGH',
    family: 'AF_INET',
    ifindex: 2,
    dst: 0x0a000002,
    lladdr: 0x6eaafbb5bbc1,
    state: 'REACHABLE',
    flags: 0,
    usedS: 0,
    confirmedS: 0,
    updatedS: 0,
    references: 1,
    probes: 4,
  },
]
const RULE = { type: 'RTM_NEWRULE', family: 'AF_INET', action: 'table', protocol: 2 }
const RULES = [
  { ...RULE, priority: 0, table: 255 },
  { ...RULE, priority: 32766, table: 254 },
  { ...RULE, priority: 32767, table: 253 },
]

function kernel(request: NetRequest): NetlinkAnswer {
  const r = request as unknown as Record<string, unknown>
  switch (r.type) {
    case 'RTM_GETLINK': {
      const found = LINKS.filter((l) => (r.ifindex ? l.ifindex === r.ifindex : r.name ? l.name === r.name : true))
      return found.length > 0 ? { ok: true, messages: found } : { ok: false, errno: 'ENODEV' }
    }
    case 'RTM_GETADDR':
      return { ok: true, messages: ADDRESSES }
    case 'RTM_GETROUTE':
      if (r.get) {
        const route = {
          ...ROUTE,
          dst: r.dst,
          prefix: 32,
          prefSrc: 0x0a000001,
          uid: 0,
          nextHops: [hop()],
          cache: { flags: [] },
        }
        return { ok: true, messages: [route] }
      }
      return { ok: true, messages: r.table === 100 ? TABLE_100 : ROUTES }
    case 'RTM_GETNEIGH':
      return { ok: true, messages: NEIGHBOURS }
    case 'RTM_GETRULE':
      return { ok: true, messages: RULES }
  }
  asked.push(r)
  return { ok: true, messages: [] }
}

let asked: Record<string, unknown>[] = []

function run(command: string): { out: string; err: string; status: number } {
  asked = []
  const text = { 1: '', 2: '' }
  const sys = {
    netlink: kernel,
    *open() {
      return { ok: false, errno: 'ENOENT' }
    },
    *write(fd: 1 | 2, bytes: Uint8Array) {
      text[fd] += new TextDecoder().decode(bytes)
      return { ok: true, value: bytes.length }
    },
  } as unknown as Sys
  const body = ip(sys, command.split(' '))
  for (;;) {
    const step = body.next()
    if (step.done) return { out: text[1], err: text[2], status: step.value }
  }
}

describe('what is shown', () => {
  test.each([
    [
      'ip a',
      `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 4a:9c:e8:9b:88:11 brd ff:ff:ff:ff:ff:ff
    inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0
       valid_lft forever preferred_lft forever
`,
    ],
    [
      'ip -d a show lo',
      `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00 promiscuity 0  allmulti 0 minmtu 0 maxmtu 0 numtxqueues 1 numrxqueues 1 gso_max_size 65536 gso_max_segs 65535 tso_max_size 524280 tso_max_segs 65535 gro_max_size 65536 
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
`,
    ],
    [
      'ip -s -s link show eth0',
      `2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP mode DEFAULT group default qlen 1000
    link/ether 4a:9c:e8:9b:88:11 brd ff:ff:ff:ff:ff:ff
    RX:  bytes packets errors dropped  missed   mcast           
             0       0      0       0       0       0 
    RX errors:  length    crc   frame    fifo overrun
                     0      0       0       0       0 
    TX:  bytes packets errors dropped carrier collsns           
             0       0      0       0       0       0 
    TX errors: aborted   fifo  window heartbt transns
                     0      0       0       0       2 
`,
    ],
    ['ip -br a', 'lo               UNKNOWN        127.0.0.1/8 \neth0             UP             10.0.0.1/24 \n'],
    [
      'ip -br l',
      'lo               UNKNOWN        00:00:00:00:00:00 <LOOPBACK,UP,LOWER_UP> \neth0             UP             4a:9c:e8:9b:88:11 <BROADCAST,MULTICAST,UP,LOWER_UP> \n',
    ],
    [
      'ip -o a',
      `1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
2: eth0    inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0\\       valid_lft forever preferred_lft forever
`,
    ],
    [
      'ip -j a',
      '[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"mtu":65536,"qdisc":"noqueue","operstate":"UNKNOWN","group":"default","txqlen":1000,"link_type":"loopback","address":"00:00:00:00:00:00","broadcast":"00:00:00:00:00:00","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host","label":"lo","valid_life_time":4294967295,"preferred_life_time":4294967295}]},{"ifindex":2,"ifname":"eth0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1500,"qdisc":"noqueue","operstate":"UP","group":"default","txqlen":1000,"link_type":"ether","address":"4a:9c:e8:9b:88:11","broadcast":"ff:ff:ff:ff:ff:ff","addr_info":[{"family":"inet","local":"10.0.0.1","prefixlen":24,"broadcast":"10.0.0.255","scope":"global","label":"eth0","valid_life_time":4294967295,"preferred_life_time":4294967295}]}]\n',
    ],
    [
      'ip -j -p -br a',
      `[ {
        "ifname": "lo",
        "operstate": "UNKNOWN",
        "addr_info": [ {
                "local": "127.0.0.1",
                "prefixlen": 8
            } ]
    },{
        "ifname": "eth0",
        "operstate": "UP",
        "addr_info": [ {
                "local": "10.0.0.1",
                "prefixlen": 24
            } ]
    } ]
`,
    ],
    [
      'ip r',
      `default via 10.0.0.2 dev eth0 
1.2.3.0/24 
\tnexthop via 10.0.0.2 dev eth0 weight 2 
\tnexthop via 10.0.0.3 dev eth0 weight 1 
blackhole 2.2.2.2 
unreachable 2.2.2.3 metric 5 
10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1 
`,
    ],
    [
      'ip -j r',
      '[{"dst":"default","gateway":"10.0.0.2","dev":"eth0","flags":[]},{"dst":"1.2.3.0/24","flags":[],"nexthops":[{"gateway":"10.0.0.2","dev":"eth0","weight":2,"flags":[]},{"gateway":"10.0.0.3","dev":"eth0","weight":1,"flags":[]}]},{"type":"blackhole","dst":"2.2.2.2","flags":[]},{"type":"unreachable","dst":"2.2.2.3","metric":5,"flags":[]},{"dst":"10.0.0.0/24","dev":"eth0","protocol":"kernel","scope":"link","prefsrc":"10.0.0.1","flags":[]}]\n',
    ],
    [
      'ip r show table 100',
      '3.3.3.3 dev eth0 proto static scope link src 10.0.0.1 mtu 1400 rtt 100ms advmss lock 1000 \n',
    ],
    ['ip r show dev eth0 proto kernel', '10.0.0.0/24 scope link src 10.0.0.1 \n'],
    ['ip r show default', 'default via 10.0.0.2 dev eth0 \n'],
    [
      'ip r show match 10.0.0.7',
      'default via 10.0.0.2 dev eth0 \n10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1 \n',
    ],
    ['ip r show root 2.0.0.0/8', 'blackhole 2.2.2.2 \nunreachable 2.2.2.3 metric 5 \n'],
    ['ip route get 10.0.0.2', '10.0.0.2 dev eth0 src 10.0.0.1 uid 0 \n    cache \n'],
    [
      'ip -j -p route get 10.0.0.9',
      `[ {
        "dst": "10.0.0.9",
        "dev": "eth0",
        "prefsrc": "10.0.0.1",
        "flags": [ ],
        "uid": 0,
        "cache": [ ]
    } ]
`,
    ],
    ['ip n', '10.0.0.2 dev eth0 lladdr 6e:aa:fb:b5:bb:c1 REACHABLE \n'],
    ['ip -s n', '10.0.0.2 dev eth0 lladdr 6e:aa:fb:b5:bb:c1  ref 1 used 0/0/0probes 4 REACHABLE \n'],
    ['ip n s dev eth0', '10.0.0.2 lladdr 6e:aa:fb:b5:bb:c1 REACHABLE \n'],
    ['ip n s nud stale', ''],
    ['ip rule', '0:\tfrom all lookup local\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n'],
    ['ip -d rule show table main', '32766:\tfrom all lookup main proto kernel\n'],
  ])('%s', (command, expected) => {
    expect(run(command)).toEqual({ out: expected, err: '', status: 0 })
  })
})

describe('what is refused', () => {
  test.each([
    ['ip foo', 'Object "foo" is unknown, try "ip help".\n', 1],
    ['ip a foo', 'Command "foo" is unknown, try "ip address help".\n', 255],
    ['ip n foo', 'Command "foo" is unknown, try "ip neigh help".\n', 255],
    ['ip a s foo', 'Device "foo" does not exist.\n', 1],
    ['ip l s nosuch', 'Cannot find device "nosuch"\n', 1],
    ['ip a add 10.0.0.x/24 dev eth0', 'Error: any valid prefix is expected rather than "10.0.0.x/24".\n', 1],
    ['ip a add 10.0.0.9/24', 'Not enough information: "dev" argument is required.\n', 1],
    ['ip a add 1.2.3.4 foo 1 dev eth0', 'Error: either "local" is duplicate, or "foo" is a garbage.\n', 255],
    ['ip a flush', 'Flush requires arguments.\n', 1],
    ['ip r add foo', 'Error: any valid prefix is expected rather than "foo".\n', 1],
    ['ip r add 10.5.0.0/16 via foo', 'Error: inet address is expected rather than "foo".\n', 1],
    ['ip r add 1.1.1.1 table foo', 'Error: argument "foo" is wrong: "table" value is invalid\n\n', 255],
    ['ip r add 1.1.1.1 metric foo', 'Error: argument "foo" is wrong: "metric" value is invalid\n\n', 255],
    ['ip r get', 'need at least a destination address\n', 1],
    ['ip r flush', '"ip route flush" requires arguments.\n', 1],
    ['ip ru add', '"ip rule add" requires arguments.\n', 1],
    ['ip n add 10.0.0.5', 'Device and destination are required arguments.\n', 255],
    ['ip n s nud foo', 'Error: argument "foo" is wrong: nud state is bad\n', 255],
    ['ip l set eth0 mtu foo', 'Error: argument "foo" is wrong: Invalid "mtu" value\n\n', 255],
    ['ip l set eth0 foo', 'Error: either "dev" is duplicate, or "foo" is a garbage.\n', 255],
    ['ip l set dev', 'Command line is not complete. Try option "help"\n', 255],
    ['ip l set', 'Not enough information: "dev" argument is required.\n', 255],
    ['ip l set eth0 address 1:2', 'Invalid address length 2 - must be 6 bytes\n', 1],
    ['ip l add', 'Not enough information: "type" argument is required\n', 1],
    ['ip -z', 'Option "-z" is unknown, try "ip -help".\n', 255],
  ])('%s', (command, err, status) => {
    expect(run(command)).toEqual({ out: '', err, status })
    expect(asked).toEqual([])
  })
})

describe('what the kernel is asked', () => {
  test.each([
    [
      'ip a add 10.1.0.5/16 brd + dev eth0',
      {
        type: 'RTM_NEWADDR',
        family: 'AF_INET',
        ifindex: 2,
        local: 0x0a010005,
        address: 0x0a010005,
        prefix: 16,
        broadcast: 0x0a01ffff,
        scope: 0,
        create: true,
        exclusive: true,
      },
    ],
    [
      'ip a del 10.1.0.5/16 dev eth0',
      { type: 'RTM_DELADDR', family: 'AF_INET', ifindex: 2, local: 0x0a010005, address: 0x0a010005, prefix: 16 },
    ],
    ['ip l set eth0 up mtu 1400', { type: 'RTM_SETLINK', ifindex: 2, flags: 1, change: 1, mtu: 1400 }],
    ['ip l set dev eth0 arp off', { type: 'RTM_SETLINK', ifindex: 2, flags: 0x80, change: 0x80 }],
    [
      'ip r add default via 10.0.0.2',
      {
        type: 'RTM_NEWROUTE',
        family: 'AF_INET',
        dst: 0,
        prefix: 0,
        table: 254,
        protocol: 3,
        scope: 0,
        routeType: 'unicast',
        nextHops: [{ gateway: 0x0a000002 }],
        create: true,
        exclusive: true,
      },
    ],
    ['ip r del 10/8', { type: 'RTM_DELROUTE', family: 'AF_INET', dst: 0x0a000000, prefix: 8, table: 254, scope: 255 }],
    [
      'ip r replace 10.9.0.0/16 dev eth0 metric 7',
      {
        type: 'RTM_NEWROUTE',
        family: 'AF_INET',
        dst: 0x0a090000,
        prefix: 16,
        table: 254,
        protocol: 3,
        scope: 253,
        routeType: 'unicast',
        metric: 7,
        nextHops: [{ ifindex: 2 }],
        create: true,
        replace: true,
      },
    ],
    [
      'ip n add 10.0.0.5 lladdr 2:0:0:0:0:5 dev eth0 nud stale',
      {
        type: 'RTM_NEWNEIGH',
        family: 'AF_INET',
        ifindex: 2,
        dst: 0x0a000005,
        lladdr: 0x020000000005,
        state: 'STALE',
        create: true,
        exclusive: true,
      },
    ],
    [
      'ip rule add from 10.0.0.0/8 fwmark 0x10/0xf0 lookup 100 pref 50',
      {
        type: 'RTM_NEWRULE',
        family: 'AF_INET',
        src: 0x0a000000,
        srcPrefix: 8,
        fwmark: 16,
        fwmask: 0xf0,
        table: 100,
        action: 'table',
        priority: 50,
        create: true,
        exclusive: true,
      },
    ],
  ])('%s', (command, request) => {
    expect(run(command)).toEqual({ out: '', err: '', status: 0 })
    expect(asked).toEqual([request])
  })
})
