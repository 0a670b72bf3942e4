/** Whatever is typed, tc answers: it never stops the run, and what it set can be shown. */
import { expect, test } from 'vitest'
import { decodeUtf8 } from '#base/bytes'
import { Simulator } from '#base/sim'
import { forSeeds } from '#base/testing'
import { createCapture, createHost, createImage } from '#kernel/core'
import { createEthernet, net, setDeviceUp } from '#kernel/net'
import { qdisc } from '#kernel/qdisc'
import { tc } from './index.ts'
import {
  formatClassId,
  formatG,
  formatRate,
  formatSize,
  parseClassId,
  parsePercent,
  parseRate,
  parseSize,
} from './units.ts'

const WORDS =
  `qdisc class filter add change replace del show dev eth0 lo root parent handle 1: 1:1 1:10 10: ffff: ingress clsact
  netem delay 10ms 1ms 25% loss 1% state gemodel duplicate corrupt reorder gap 3 limit 100 rate 1mbit distribution normal slot
  tbf burst 10k latency 50ms peakrate mtu 1540 htb default 10 classid ceil prio quantum fq_codel flows target interval ecn sfq
  perturb pfifo bfifo pfifo_fast bands priomap protocol ip u32 match dport 80 0xffff flowid fw matchall flower dst_ip 10.0.0.0/8
  action drop police pref -s -d -j -g x 0 -1 99999999999 ''`.split(/\s+/)

test('any words', () => {
  const image = createImage({ release: '6.1.0-test', profile: 'linux-6.1' })
  for (const room of [net, qdisc, tc]) image.install(room)
  const sim = new Simulator(1)
  const host = createHost({ sim, image, name: 'a', number: 1, startS: 0 })
  host.onNotModelled = () => {}
  const device = createEthernet(host, 'eth0', 0x020000000100)
  device.attach({ carrier: true, transmit() {} })
  setDeviceUp(device, true)
  let output = ''
  const run = (argv: string[]): number | undefined => {
    let status: number | undefined
    const out = createCapture({ onOutput: (bytes) => void (output += decodeUtf8(bytes)) })
    const files = [host.openPath('/dev/null', 2)!, out, out]
    host.spawn({ argv, path: '/usr/sbin/tc', files, onExit: (ended) => void (status = ended.exit) })
    sim.run(sim.nowNs + 1e9)
    return status
  }
  forSeeds(250, (random) => {
    const argv = [
      'tc',
      ['qdisc', 'class', 'filter'][random.below(3)]!,
      ['add', 'replace', 'change', 'del'][random.below(4)]!,
      'dev',
      'eth0',
    ]
    for (let i = random.below(10); i >= 0; i--) argv.push(WORDS[random.below(WORDS.length)]!)
    expect(run(argv), argv.join(' ')).toBeDefined()
    output = ''
    expect(run(['tc', '-s', '-d', 'qdisc']), argv.join(' ')).toBe(0)
    expect(output).toContain('dev eth0')
    expect(run(['tc', '-s', 'class', 'show', 'dev', 'eth0'])).toBe(0)
    expect(run(['tc', '-s', 'filter', 'show', 'dev', 'eth0'])).toBe(0)
    if (random.below(6) === 0) run(['tc', 'qdisc', 'del', 'dev', 'eth0', 'root'])
  })
})

test('units, as tc writes and reads them', () => {
  expect([1000, 125_000, 312_500, 1_250_000_000, 125].map((rate) => formatRate(rate))).toEqual([
    '8Kbit',
    '1Mbit',
    '2500Kbit',
    '10Gbit',
    '1Kbit',
  ])
  expect([1599, 1600, 5120, 15_360, 33_554_432, 100].map(formatSize)).toEqual([
    '1599b',
    '1600b',
    '5Kb',
    '15Kb',
    '32Mb',
    '100b',
  ])
  expect([33.3333, 0.1, 12.345, 1e-5].map((value) => formatG(value, 6))).toEqual(['33.3333', '0.1', '12.345', '1e-05'])
  expect(['1mbit', '100kbps', '8', '1Gbit', 'x'].map(parseRate)).toEqual([125_000, 100_000, 1, 125_000_000, undefined])
  expect(['5kb', '10k', '1540', '1mb', '5x'].map(parseSize)).toEqual([5120, 10_240, 1540, 1_048_576, undefined])
  expect(['100%', '50', '0.1%', '101%', 'x%'].map(parsePercent)).toEqual([
    4294967295,
    2147483648,
    4294967,
    undefined,
    undefined,
  ])
  expect(['1:10', '1:', ':1', 'root', 'ffff:fff1', '12345:1'].map(parseClassId)).toEqual([
    0x10010,
    0x10000,
    1,
    0xffffffff,
    0xfffffff1,
    undefined,
  ])
  expect([0x10010, 0x10000, 1, 0xfffffff1, 0].map(formatClassId)).toEqual(['1:10', '1:', ':1', 'ffff:fff1', 'none'])
})
