/** What the real one said of 240 configurations, right and wrong. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { setUp } from './setup.ts'
import { readText } from './testing.ts'

interface Recorded {
  config: string
  status: number
  stderr: string
  stdout: string
}

const recorded: Recorded[] = JSON.parse(
  readFileSync(new URL('golden/configurations.json', import.meta.url), 'utf8'),
) as Recorded[]

describe('as recorded from ldirectord 4.12.0', () => {
  test.each(recorded)('$config', ({ config, status, stderr }) => {
    const { failed, text } = readText(config)
    expect(text).toBe(stderr)
    expect(failed).toBe(status === 2)
  })
})

test('a service in full', () => {
  const { configuration, failed } = readText(`checktimeout = 7
quiescent=no
virtual = 10.0.0.100:http
\treal = 10.0.0.2->10.0.0.4:80 masq 5 "ask", "answer" l:2 u:9
\treal=10.0.0.9:8080 gate
    service=http
    request="index.html" # a comment
    receive="Te.t"
    virtualhost=www.lab
    persistent=300 seconds
    netmask=255.255.255.0
    scheduler=wlc
    fallback=127.0.0.1:8080 masq
`)
  expect(failed).toBe(false)
  const [virtual] = configuration.virtuals
  setUp(virtual!, configuration.globals)
  expect(virtual).toMatchObject({
    server: '10.0.0.100',
    port: '80',
    flags: '-t 10.0.0.100:80 -s wlc -p 300 -M 255.255.255.0 ',
    checktimeout: 7,
    negotiatetimeout: 7,
    fallback: { server: '127.0.0.1', port: '8080', forward: 'masq' },
  })
  expect(virtual!.reals.map(({ server, port, weight, url, receive }) => [server, port, weight, url, receive])).toEqual([
    ['10.0.0.2', '80', '5', 'http://10.0.0.2:80/ask', 'answer'],
    ['10.0.0.3', '80', '5', 'http://10.0.0.3:80/ask', 'answer'],
    ['10.0.0.4', '80', '5', 'http://10.0.0.4:80/ask', 'answer'],
    ['10.0.0.9', '8080', '1', 'http://10.0.0.9:8080/index.html', 'Te.t'],
  ])
  expect(virtual!.reals[0]).toMatchObject({ lower: '2', upper: '9', forward: 'masq' })
})

test.each([
  ['', '', '', '', 5, 30],
  ['', '', '3', '', 3, 3],
  ['', '', '', '4', 4, 4],
  ['', '', '3', '4', 3, 4],
  ['1', '', '3', '4', 1, 1],
  ['', '2', '3', '4', 2, 2],
  ['1', '2', '3', '4', 1, 2],
])('limits %s %s within %s %s are %i and %i', (check, negotiate, globalCheck, globalNegotiate, ...limits) => {
  const line = (indent: string, name: string, value: string) => (value === '' ? '' : `${indent}${name}=${value}\n`)
  const { configuration } = readText(
    line('', 'checktimeout', globalCheck) +
      line('', 'negotiatetimeout', globalNegotiate) +
      'virtual=10.0.0.1:80\n' +
      line('    ', 'checktimeout', check) +
      line('    ', 'negotiatetimeout', negotiate),
  )
  const virtual = configuration.virtuals[0]!
  setUp(virtual, configuration.globals)
  expect([virtual.checktimeout, virtual.negotiatetimeout]).toEqual(limits)
})

test('a mistake keeps what stands before it, and none is one of the program', () => {
  const { configuration, failed } = readText('checkinterval=3\nvirtual=10.0.0.1:80\n    real=10.0.0.2:80 gate\nx\n')
  expect(failed).toBe(true)
  expect(configuration.globals.checkinterval).toBe(3)
  expect(configuration.virtuals).toHaveLength(1)
})

test('a range without an end is refused', () => {
  expect(() => readText('virtual=10.0.0.1:80\n    real=10.0.0.2->10.9.0.2:80 gate\n')).toThrow(
    'a range of 589825 real servers',
  )
})
