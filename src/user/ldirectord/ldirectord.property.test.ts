/** Hostile input: no configuration, listing, pattern or answer of a server is anything but read or refused. */
import { expect, test } from 'vitest'
import { NotModelled } from '#base/check'
import type { RandomStream } from '#base/sim'
import { forSeeds } from '#base/testing'
import { parseElement } from './checks/ldap.ts'
import { compilePattern, localtime, quotemeta } from './perl.ts'
import { setUp } from './setup.ts'
import { readText } from './testing.ts'

const NAMES =
  'virtual virtual6 real real6 request receive checktype checkcommand checktimeout negotiatetimeout checkcount failurecount checkinterval checkport login passwd scheduler persistent schedflags netmask protocol ops service httpmethod virtualhost fallback fallback6 fallbackcommand quiescent emailalert emailalertfreq emailalertstatus monitorfile cleanstop smtp servicename comment autoreload callback logfile execute fork supervised maintenancedir readdquiescent load secret database'.split(
    ' ',
  )
const VALUES =
  '10.0.0.1:80|10.0.0.2:80 gate|10.0.0.2->10.0.0.9:80 masq 3 "a","b"|[::1]:80|5|yes|no|"x"|""|http|connect|255.255.255.0|localhost:http|all,none|65536|-1|\\|"|->|:|*(+'.split(
    '|',
  )

function line(random: RandomStream): string {
  const pick = (list: string[]) => list[random.below(list.length)]!
  const indent = [' '.repeat(random.below(6)), '\t', ''][random.below(3)]
  const junk = () => Array.from({ length: random.below(12) }, () => String.fromCharCode(random.below(128))).join('')
  const value = random.below(4) === 0 ? junk() : pick(VALUES)
  return random.below(8) === 0 ? junk() : `${indent}${pick(NAMES)}${pick(['=', ' = ', ''])}${value}`
}

test('a configuration is read, or refused with a line of it', () => {
  forSeeds(2000, (random) => {
    const count = 1 + random.below(12)
    const text = `virtual=10.0.0.1:80\n${Array.from({ length: count }, () => `${line(random)}\n`).join('')}`
    try {
      const { configuration, failed, text: told } = readText(text)
      for (const virtual of configuration.virtuals) setUp(virtual, configuration.globals)
      if (!failed) return
      const number = Number(/at line (\d+): /.exec(told)?.[1])
      expect(number).toBeGreaterThan(0)
      expect(number).toBeLessThanOrEqual(text.split('\n').length)
    } catch (error) {
      if (!(error instanceof NotModelled)) throw error
    }
  })
})

test('a pattern is compiled or refused, and quoting makes any text a pattern of itself', () => {
  forSeeds(2000, (random) => {
    const text = Array.from({ length: random.below(20) }, () => 'ab.*+?()[]{}|\\^$d1:-'[random.below(20)]).join('')
    try {
      compilePattern(text).test('aab.d1')
    } catch (error) {
      if (!(error instanceof NotModelled)) throw error
    }
    expect(compilePattern(`^${quotemeta(text)}$`).test(text)).toBe(true)
  })
})

test('no bytes of an LDAP server throw', () => {
  forSeeds(2000, (random) => {
    const bytes = random.bytes(random.below(40))
    if (random.below(2) === 0 && bytes.length > 1) bytes[1] = bytes.length - 2
    const element = parseElement(bytes)
    if (element) expect(element.length).toBeLessThanOrEqual(bytes.length)
    element?.children()
  })
})

test('times of day are those of the calendar', () => {
  forSeeds(500, (random) => {
    const seconds = random.below(4e9)
    const date = new Date(seconds * 1000).toUTCString()
    const [, weekday, day, month, year, time] = /^(\w+), (\d+) (\w+) (\d+) (\S+)/.exec(date)!
    expect(localtime(seconds)).toBe(`${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`)
  })
})
