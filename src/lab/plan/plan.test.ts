import { describe, expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { parseLab } from './index.ts'

/** The mistakes of a lab, as `LINE:COLUMN what; hint`. */
const mistakesOf = (text: string) =>
  parseLab(text, 'x').mistakes.map(({ at, what, hint }) => `${at.line}:${at.column} ${what}; ${hint}`)

const host = (settings: string) => `networks: { lan: {} }\nhosts:\n  a: { ${settings} }\n`
const network = (settings: string) => `networks:\n  lan: { ${settings} }\nhosts: { a: { eth0: lan } }\n`

describe('a plan is complete', () => {
  test('numbers, addresses, settings and defaults', () => {
    const { plan, mistakes } = parseLab(
      `networks:
  lan: {}
  wan: { delay: 10ms, rate: 100mbit, loss: 0.1% }
hosts:
  client: { eth0: lan 10.0.0.1/24 }
  director:
    eth0: lan 10.0.0.2/24 10.0.0.100/32
    eth1: wan
    lo: 10.0.0.101/32
    gateway: 10.0.0.1
    sysctl: { net.ipv4.ip_forward: 1, net/ipv4/conf/eth0.100/rp_filter: 010 }`,
      'x',
    )
    expect(mistakes).toEqual([])
    expect(plan).toEqual({
      networks: [
        { name: 'lan', delayNs: 0, rateBps: Number.POSITIVE_INFINITY, loss: 0 },
        { name: 'wan', delayNs: 10e6, rateBps: 100e6, loss: 0.001 },
      ],
      hosts: [
        {
          name: 'client',
          number: 1,
          interfaces: [
            {
              name: 'eth0',
              network: 'lan',
              mac: '02:00:00:00:01:00',
              addresses: [{ address: '10.0.0.1', prefix: 24 }],
            },
          ],
          loopback: [],
          gateway: undefined,
          sysctl: [],
          ipv6: false,
          kernel: 'linux-6.1',
          machine: 'pc',
        },
        {
          name: 'director',
          number: 2,
          interfaces: [
            {
              name: 'eth0',
              network: 'lan',
              mac: '02:00:00:00:02:00',
              addresses: [
                { address: '10.0.0.2', prefix: 24 },
                { address: '10.0.0.100', prefix: 32 },
              ],
            },
            { name: 'eth1', network: 'wan', mac: '02:00:00:00:02:01', addresses: [] },
          ],
          loopback: [{ address: '10.0.0.101', prefix: 32 }],
          gateway: '10.0.0.1',
          sysctl: [
            ['net.ipv4.ip_forward', '1'],
            ['net/ipv4/conf/eth0.100/rp_filter', '010'], // As it was written.
          ],
          ipv6: false,
          kernel: 'linux-6.1',
          machine: 'pc',
        },
      ],
    })
  })

  test('a machine of its own', () => {
    const text = `hosts:
  a: { machine: q35 }
  b: { machine: { type: q35, cpus: 2, memory: 1024M, hpet: off, devices: ["e1000e,bus=rp1"], cmdline: nohz=off notsc, flaws: { tsc: 5ppm } } }`
    const plain = { type: 'q35', cpus: 1, memoryMb: 768, hpet: true, devices: [], cmdline: [], flaws: {} }
    const { plan } = parseLab(text, 'lab.yaml')
    expect(plan.hosts.map(({ machine, hardware }) => [machine, hardware])).toEqual([
      ['q35', plain],
      [
        'q35',
        {
          ...plain,
          cpus: 2,
          memoryMb: 1024,
          hpet: false,
          devices: ['e1000e,bus=rp1'],
          cmdline: ['nohz=off', 'notsc'],
          flaws: { tsc: '5ppm' },
        },
      ],
    ])
  })

  test('a host without anything, and a network without settings', () => {
    expect(mistakesOf('networks:\n  lan:\nhosts:\n  a:\n')).toEqual([])
  })
})

describe('mistakes are located, and say what would do', () => {
  test.each([
    ['', ['1:1 the lab has no hosts; add `hosts:`, or say `lab: none`']],
    [
      'hosts: 3',
      [
        '1:8 `hosts` must be a map; write `name: value`, one a line',
        '1:1 the lab has no hosts; add `hosts:`, or say `lab: none`',
      ],
    ],
    ['netwroks: {}\nhosts: { a: {} }', ['1:1 a lab has no `netwroks`; did you mean `networks`?']],
    [network('dealy: 1ms'), ['2:10 a network has no `dealy`; did you mean `delay`?']],
    [network('delay: fast'), ['2:17 `fast` is no delay; write it as 10ms, 250us or 1s']],
    [network('delay: 1constructor'), ['2:17 `1constructor` is no delay; write it as 10ms, 250us or 1s']],
    [network('rate: 0'), ['2:16 `0` is no rate; write it as 100mbit, 1gbit or 64kbit']],
    [network('loss: 101%'), ['2:16 `101%` is no loss; write it as 5% or 0.1%']],
    [network('loss: [1]'), ['2:16 `loss` must be a text or a number; write one value']],
    [host('eth0: lam 10.0.0.1/24'), ['3:14 there is no network `lam`; did you mean `lan`?']],
    [host('eth0: internet'), ['3:14 there is no network `internet`; add it to `networks:`']],
    [host('gatway: 10.0.0.1'), ['3:16 there is no network `10.0.0.1`; did you mean `gateway`?']],
    [host('eth0: lan 10.0.0.1'), ['3:14 `10.0.0.1` is no address with a prefix; write it as 10.0.0.1/24']],
    [host('eth0: lan 10.0.0.1/33'), ['3:14 `10.0.0.1/33` is no address with a prefix; write it as 10.0.0.1/24']],
    [host('eth0: lan 10.0.0.1/24/8'), ['3:14 `10.0.0.1/24/8` is no address with a prefix; write it as 10.0.0.1/24']],
    [host('eth0: lan fe80::1/64'), ['3:6 `a` has the address fe80::1 without IPv6; say `ipv6: true`']],
    [
      host('gateway: 10.0.0.1'),
      ["3:17 the gateway 10.0.0.1 is on none of `a`'s networks; give an interface an address beside it"],
    ],
    [host('gateway: there'), ['3:17 `there` is no IP address; write it as 10.0.0.1 or 2001:db8::1']],
    [host('ipv6: yes'), ["3:14 ipv6 can't be `yes`; write true or false"]],
    [host('kernel: linux-7'), ['3:16 no kernel `linux-7`; there is linux-6.1, linux-2.6.32, linux-2.6.18, netbsd']],
    [
      host('ETH0: lan'),
      ["3:8 `ETH0` is neither an interface's name nor a setting; there is gateway, sysctl, ipv6, kernel, machine, lo"],
    ],
    [host('machine: amiga'), ['3:17 no machine `amiga`; there is pc, q35']],
    [host('machine: { cpus: 0 }'), ['3:25 `0` CPUs; write a number from 1 to 8']],
    [
      host('machine: { devices: [e1000e, "nvme,drive=x", "loader,addr=0", "e1000,romfile=r"] }'),
      [
        '3:37 `nvme,drive=x` is no device; write it as e1000e or pcie-root-port,id=rp1,chassis=1',
        '3:53 `loader,addr=0` is no device; write it as e1000e or pcie-root-port,id=rp1,chassis=1',
        '3:70 `e1000,romfile=r` is no device; write it as e1000e or pcie-root-port,id=rp1,chassis=1',
      ],
    ],
    [
      host("machine: { cmdline: nohz=off 'x', hpte: off }"),
      [expect.stringMatching(/is no kernel parameter/), '3:42 a machine has no `hpte`; did you mean `hpet`?'],
    ],
    [host('sysctl: { ip_forward: 1 }'), ['3:18 `ip_forward` is no sysctl; write it as net.ipv4.ip_forward']],
    [host('eth0: *x'), expect.arrayContaining([expect.stringMatching(/^3:14 /)])],
    ['hosts: { lab: {} }', ["1:10 a host can't be called `lab`; choose another name"]],
    [
      'hosts: { Web: {} }',
      ['1:10 `Web` is no host name; use a-z, 0-9 and -, beginning with a letter, at most 31 characters'],
    ],
    ['hosts: { a: {}, a: {} }', [expect.stringMatching(/^1:17 not YAML: Map keys must be unique/)]],
    ['hosts: {', [expect.stringMatching(/^1:\d+ not YAML: /)]],
  ])('%j', (text, expected) => expect(mistakesOf(text)).toEqual(expected))

  test('all at once, in the order of the file', () => {
    const found = mistakesOf(`networks: { lan: { loss: 5 } }
hosts:
  a: { eth0: lna, eth1: lan 1.2.3/8 }
  b: { kernel: x }`)
    expect(found.map((each) => each.split(' ')[0])).toEqual(['1:26', '3:14', '3:25', '4:16'])
  })

  test('more hosts than there are MAC addresses for', () => {
    const many = (n: number) => `hosts:\n${Array.from({ length: n }, (_, i) => `  h${i}: {}\n`).join('')}`
    expect(mistakesOf(many(255))).toEqual([])
    expect(mistakesOf(many(256))).toEqual([
      '257:3 more than 255 hosts; make the lab smaller: MAC addresses have one byte for the host',
    ])
  })

  test('a hundred mistakes are enough', () => {
    const text = `hosts:\n${Array.from({ length: 200 }, (_, i) => `  H${i}: {}\n`).join('')}`
    expect(mistakesOf(text)).toHaveLength(100)
  })
})

test('a YAML bomb is refused, and quickly', () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 9 }, (_, i) => `b${i}: &b${i} [${'*a,'.repeat(9)}*a]\n`).join('')}hosts: *b8\n`
  expect(mistakesOf(bomb).length).toBeGreaterThan(0)
})

test('no text throws, and a plan without mistakes has hosts', () => {
  const words = [
    'networks',
    'hosts',
    ':',
    ' ',
    '\n',
    '  ',
    '{',
    '}',
    'lan',
    'a',
    'eth0',
    ',',
    '[',
    '&x',
    '*x',
    '!!js',
    '10.0.0.1/24',
    '"',
    '- ',
    '|',
    '#',
    '\0',
    '__proto__',
    'constructor',
    '<<',
  ]
  forSeeds(1500, (random) => {
    const text = Array.from({ length: random.below(30) }, () => words[random.below(words.length)]).join('')
    const { plan, mistakes } = parseLab(text, 'x')
    if (mistakes.length === 0) expect(plan.hosts.length).toBeGreaterThan(0)
    for (const { at } of mistakes) expect(at.line > 0 && at.column > 0).toBe(true)
  })
})
