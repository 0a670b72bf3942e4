/** VRRP's lines beside the real tcpdump's: golden/vrrp.json has frames, right and wrong ones, and what 4.99.3 printed of them. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parseHex } from '#base/bytes'
import { LINKTYPE_ETHERNET } from '#wire/pcap'
import { FrameFormatter } from './format.ts'

const NONE = { host: () => undefined, host6: () => undefined, port: () => undefined, interface: () => undefined }
const golden = JSON.parse(readFileSync(fileURLToPath(new URL('golden/vrrp.json', import.meta.url)), 'utf8')) as {
  frames: string[]
  lines: Record<string, string>
}

test.each(Object.keys(golden.lines))('tcpdump %s', (flags) => {
  const verbose = flags.includes('vv') ? 2 : flags.includes('v') ? 1 : 0
  const formatter = new FrameFormatter(
    {
      ...{ linkType: LINKTYPE_ETHERNET, link: flags.includes('e'), verbose, quiet: flags.includes('q') },
      ...{ numeric: true, absolute: false, noChecksums: flags.includes('K'), hasDump: false, stamps: 1 },
      ...{ nanosecond: false, numbers: false, hex: 0, hexAscii: 0, ascii: 0 },
    },
    NONE,
  )
  const snap = flags.includes('s44') ? 44 : 262_144
  const printed = golden.frames.map((hex) => {
    const bytes = parseHex(hex)!
    return formatter.format({ s: 0, ns: 0, bytes: bytes.slice(0, snap), length: bytes.length })
  })
  expect(printed.join('')).toBe(golden.lines[flags])
})
