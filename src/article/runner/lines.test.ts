/** Which lines are equal: what may differ between two real runs, and what must not. */
import { describe, expect, test } from 'vitest'
import { Names } from './canonical.ts'
import { differsAsSaid, linesEqual, patternOf } from './lines.ts'

const CHOSEN = new Set(['02:00:00:00:01:00', '40000'])
const names = () => new Names((word) => CHOSEN.has(word))
const equal = (a: string, b: string) => linesEqual(a, b, names(), names())

describe('equal', () => {
  test.each([
    ['the same', 'the same'],
    [
      '64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=0.031 ms',
      '64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=12.5 ms',
    ],
    ['rtt min/avg/max/mdev = 0.030/0.035/0.040/0.004 ms', 'rtt min/avg/max/mdev = 1.030/10.035/99.040/0.104 ms'],
    [
      '3 packets transmitted, 3 received, 0% packet loss, time 2003ms',
      '3 packets transmitted, 3 received, 0% packet loss, time 2043ms',
    ],
    ['real\t0m0.003s', 'real\t0m1.234s'],
    [
      '00:00:01.000123 IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 7, seq 1, length 64',
      '00:00:03.900000 IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 4321, seq 1, length 64',
    ],
    ['10.0.0.9 dev eth0  used 3/12/0 probes 6 FAILED', '10.0.0.9 dev eth0  used 5/10/1 probes 6 FAILED'],
    ['cache expires 296sec', 'cache expires 290sec'],
    ['IP 10.0.0.1.33000 > 10.0.0.2.80', 'IP 10.0.0.1.50123 > 10.0.0.2.80'],
    ['ether 02:12:34:56:78:9a', 'ether 06:aa:bb:cc:dd:ee'],
    ['(tos 0x0, ttl 64, id 4711, offset 0, flags [DF])', '(tos 0x0, ttl 64, id 1, offset 0, flags [DF])'],
    ['cksum 0x1234 (correct)', 'cksum 0xabcd (correct)'],
    ['users:(("nc",pid=301,fd=3))', 'users:(("nc",pid=12345,fd=3))'],
    ['expires   9sec x', 'expires  11sec x'], // Where a number may be shorter, so may the blanks.
  ])('%s', (a, b) => expect([equal(a, b), equal(b, a)]).toEqual([true, true]))
})

describe('different', () => {
  test.each([
    ['the same', 'the  same'],
    ['icmp_seq=1 ttl=64 time=0.031 ms', 'icmp_seq=2 ttl=64 time=0.031 ms'],
    ['icmp_seq=1 ttl=64 time=0.031 ms', 'icmp_seq=1 ttl=63 time=0.031 ms'],
    ['time=0.031 ms', 'time=0.031 us'],
    ['3 packets transmitted, 3 received', '3 packets transmitted, 2 received'],
    ['cache expires 296sec', 'cache expires 276sec'], // More than 3 s, and than 5 %.
    ['expires 10sec', 'expires 14sec'],
    ['00:00:01.000000 IP', '00:00:05.000000 IP'],
    ['10.0.0.1.33000', '10.0.0.2.33000'],
    ['10.0.0.1.80', '10.0.0.1.81'],
    ['10.0.0.1.40000', '10.0.0.1.33000'], // 40000 was chosen.
    ['ether 02:00:00:00:01:00', 'ether 02:00:00:00:02:00'],
    ['cksum 0x1234 (correct)', 'cksum 0x1234 (incorrect'],
    ['02:11:22:33:44:55', '02:11:22:33:44'],
    ['reachable_time 30000', 'reachable_time 30001'],
    ['mtu 1500', 'mtu 1400'],
    ['', 'x'],
  ])('%s | %s', (a, b) => expect([equal(a, b), equal(b, a)]).toEqual([false, false]))
})

test('timers: within 3 s, or 5 % of the larger', () => {
  expect([equal('expires 3sec', 'expires 6sec'), equal('expires 3sec', 'expires 7sec')]).toEqual([true, false])
  expect([equal('expires 950sec', 'expires 1000sec'), equal('expires 949sec', 'expires 1000sec')]).toEqual([
    true,
    false,
  ])
})

test('what has an identity has one name in all lines of a run', () => {
  const [a, b] = [names(), names()]
  expect(linesEqual('10.0.0.1.33000', '10.0.0.1.50000', a, b)).toBe(true)
  expect(linesEqual('10.0.0.1.33001', '10.0.0.1.50001', a, b)).toBe(true)
  expect(linesEqual('10.0.0.1.33000', '10.0.0.1.50001', a, b)).toBe(false)
  // Lines that are the same to the byte count as seen, too.
  expect(linesEqual('10.0.0.1.33005', '10.0.0.1.33005', a, b)).toBe(true)
  expect(linesEqual('10.0.0.1.33005', '10.0.0.1.33006', a, b)).toBe(false)
})

test.each([
  ['used ...', 'used 1/2/3', 'used 4/5/6', true],
  ['age ... x', 'age 5 x', 'age 612 x', true],
  ['state ...', 'state UP', 'state DOWN', false],
  ['...', 'a 1', 'b 2', false],
  ['no dots', 'a 1', 'a 2', false],
])('differsAsSaid %s: %s, %s: %s', (pattern, a, b, said) => expect(differsAsSaid(pattern, a, b)).toBe(said))

test.each([
  ['64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=0.031 ms', '64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=... ms'],
  ['64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=10 ms', '64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=... ms'],
  ['rtt min/avg/max/mdev = 0.030/0.035/0.040/0.004 ms', 'rtt min/avg/max/mdev = ... ms'],
  [
    '1 packets transmitted, 1 received, 0% packet loss, time 0ms',
    '1 packets transmitted, 1 received, 0% packet loss, time 0ms',
  ],
  [
    '3 packets transmitted, 3 received, 0% packet loss, time 2003ms',
    '3 packets transmitted, 3 received, 0% packet loss, time ...ms',
  ],
  ['12:00:00.123456 ARP, Request who-has 10.0.0.2', '... ARP, Request who-has 10.0.0.2'],
  [
    'Unicast reply from 10.0.0.2 [02:00:00:00:02:00]  0.612ms',
    'Unicast reply from 10.0.0.2 [02:00:00:00:02:00]  ...ms',
  ],
  ['eth0             UP             10.0.0.1/24', 'eth0             UP             10.0.0.1/24'],
])('patternOf %s', (line, pattern) => expect(patternOf(line)).toBe(pattern))
