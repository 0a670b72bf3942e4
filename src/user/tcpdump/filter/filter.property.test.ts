import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { NotModelled } from '#base/check'
import { RandomStream } from '#base/sim'
import { forSeeds } from '#base/testing'
import { emitFrame, parseFrame } from '#wire/inet'
import { PcapWriter, readCapture } from '#wire/pcap'
import { FILTERS, likelyFrame, likelyPacket } from '../corpus.cases.ts'
import { compileFilter, type Filter } from './filter.ts'
import { type Names, NO_NAMES } from './names.ts'

const NAMES: Names = { ...NO_NAMES, protocol: (name) => ({ tcp: 6, udp: 17, icmp: 1 })[name] }
const installed = spawnSync('tcpdump', ['--version']).status === 0

function compiled(text: string): Filter {
  const result = compileFilter(text, { names: NAMES })
  if (!result.ok) throw new Error(`${text}: ${result.message}`)
  return result.filter
}

describe.skipIf(!installed)('beside the real tcpdump', () => {
  const random = new RandomStream(7, 'filters')
  const frames = Array.from({ length: 600 }, () => likelyFrame(random))
  const writer = new PcapWriter({ nanosecond: false })
  frames.forEach((bytes, i) => {
    writer.writeBytes(i, 0, bytes)
  })
  test('every filter lets the same frames pass', () => {
    const directory = mkdtempSync(join(tmpdir(), 'kaidoku-filter-'))
    try {
      const [input, output] = [join(directory, 'in.pcap'), join(directory, 'out.pcap')]
      writeFileSync(input, writer.bytes())
      for (const text of FILTERS) {
        // -O: libpcap's optimizer drops loads, and so lets some frames pass that are cut short.
        const run = spawnSync('tcpdump', ['-O', '-r', input, '-w', output, '--', text])
        expect(run.status, `${text}: ${run.stderr}`).toBe(0)
        const real = readCapture(Uint8Array.from(readFileSync(output))).frames.map((frame) => frame.s)
        const filter = compiled(text)
        const ours = frames.flatMap((bytes, i) => (filter.bytes(bytes) ? [i] : []))
        expect(`${text}: ${ours}`).toBe(`${text}: ${real}`)
      }
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

test('fields and bytes decide alike', () => {
  const filters = FILTERS.map(compiled)
  forSeeds(500, (random) => {
    const packet = likelyPacket(random)
    if (packet.vlanTci >= 0) return // Live, the tag stands beside the frame.
    const bytes = emitFrame(packet)
    filters.forEach((filter, i) => {
      if (filter.packet(packet) !== filter.bytes(bytes))
        expect(`${FILTERS[i]}: ${filter.packet(packet)}`).toBe(`${FILTERS[i]}: ${filter.bytes(bytes)}`)
    })
  })
})

const WORDS =
  'host net port portrange src dst or and not ( ) ! && || 10.0.0.1 10 10.0.0.0/8 / 80 0x10 1-5 - ether arp ip ip6 tcp udp icmp vlan ip[8] tcp[13] & | < > = != <= + * << len less greater proto broadcast multicast inbound mask 255.0.0.0 [ ] : , foo \\tcp 02:00:00:00:00:01 fe80::1 icmptype tcp-syn ^ %'.split(
    ' ',
  )

test('no text throws anything but NotModelled, or hangs', () => {
  const frames = Array.from({ length: 5 }, (_, i) => likelyFrame(new RandomStream(i, 'hang')))
  let good = 0
  forSeeds(5_000, (random) => {
    const words = Array.from({ length: random.below(12) }, () =>
      random.below(20) === 0 ? String.fromCharCode(...random.bytes(3)) : WORDS[random.below(WORDS.length)]!,
    )
    const text = words.join(random.below(10) === 0 ? '' : ' ')
    for (const live of [true, false]) {
      try {
        const result = compileFilter(text, { live, names: NAMES })
        if (!result.ok) continue
        good++
        for (const bytes of frames) {
          result.filter.bytes(bytes)
          result.filter.packet(parseFrame(bytes))
        }
      } catch (error) {
        if (!(error instanceof NotModelled)) throw error
      }
    }
  })
  if (process.env['KAIDOKU_SEED'] === undefined) expect(good).toBeGreaterThan(50)
  expect(compileFilter('('.repeat(100_000)).ok).toBe(false)
  expect(compileFilter(`${'not '.repeat(100_000)}arp`).ok).toBe(false)
})

test('mistakes are worded as libpcap words them', () => {
  const message = (text: string, live = false) => {
    const result = compileFilter(text, { live, names: NAMES })
    return result.ok ? 'compiles' : result.message
  }
  expect(message('foo')).toBe("can't parse filter expression: syntax error")
  expect(message('10.0.0.1')).toBe("can't parse filter expression: syntax error")
  expect(message('host nosuch')).toBe("unknown host 'nosuch'")
  expect(message('port nosuch')).toBe("unknown port 'nosuch'")
  expect(message('tcp host 10.0.0.1')).toBe("'tcp' modifier applied to host")
  expect(message('net 10.0.0.1/8')).toBe('non-network bits set in "10.0.0.1/8"')
  expect(message('net 10.0.0.0/33')).toBe('mask length must be <= 32')
  expect(message('host 10.0.0.0/8')).toBe('Mask syntax for networks only')
  expect(message('port 70000')).toBe('illegal port number 70000 > 65535')
  expect(message('host 02:00:00:00:00:01')).toBe('ethernet address used in non-ether expression')
  expect(message('inbound')).toBe('inbound/outbound not supported on Ethernet when reading savefiles')
  expect(message('inbound', true)).toBe('compiles')
})
