import { expect, test } from 'vitest'
import { defaults, LONG_OPTIONS, parseHpingOptions } from './options.ts'

function parse(line: string) {
  const parsed = parseHpingOptions(line.split(' '))
  return parsed.ok ? parsed.options : parsed
}

test.each([
  ['-SA -p ++79 -c 3 -i u100 web', { flags: 18, destinationPort: 79, portStep: 'sent', count: 3, intervalNs: 100_000 }],
  ['-2 -i u999999 web', { intervalNs: 999_999_000 }],
  ['-2 -i u1000000 web', { intervalNs: 0 }],
  ['-2 -s 5000 -k -d 40 -e hello web', { mode: 'udp', sourcePort: 5000, keepPort: true, dataSize: 40 }],
  ['--icmp-ts web', { mode: 'icmp', icmpType: 13 }],
  ['-C 5 --icmp-gw 10.0.0.9 web', { mode: 'icmp', icmpType: 5, icmpGateway: 0x0a000009 }],
  ['-1 -m 32 -t 300 web', { fragment: true, virtualMtu: 32, ttl: 44 }],
  ['-M 4294967297 -O 31 -w 65537 web', { sequence: 1, tcpOffset: 15, window: 1 }],
  ['-T -1 web', { traceroute: true, ttl: 1 }],
  ['-8 1-9 -S web', { mode: 'scan', scanPorts: '1-9', flags: 2 }],
  ['-9 sig', { mode: 'listen', signature: 'sig' }],
])('%s', (line, expected) => {
  expect(parse(line)).toMatchObject(expected)
})

test('each option that takes nothing changes something, but for those of a terminal', () => {
  const idle = LONG_OPTIONS.filter((name) => {
    const parsed = parseHpingOptions([`--${name}`, 'web'])
    return parsed.ok && JSON.stringify(parsed.options) === JSON.stringify({ ...defaults(), host: 'web' })
  })
  expect(idle).toEqual(['bind', 'unbind'])
})
