/**
 * Trees against tshark's, line by line: names, lines, places. Recorded by `record.py` beside the captures, which says what is
 * left out.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { readCapture } from '#wire/pcap'
import { type Dissection, Dissector, dateText, FIELDS, type TreeNode } from './index.ts'

const golden = (name: string) => new URL(`golden/${name}`, import.meta.url)

function linesOf({ nodes }: Dissection): string[] {
  const lines: string[] = []
  const visit = (node: TreeNode, depth: number) => {
    // What is put together of fragments stands elsewhere than where Wireshark says: among the bytes of the frame.
    const place = node.length > 0 && !node.name.startsWith('ip.fragment') ? `${node.at}+${node.length}` : ''
    const text = node.hidden ? '' : node.text.replace(/^\[(.*)\]$/u, '$1')
    lines.push(`${'  '.repeat(depth)}${node.name}|${text}|${place}${node.hidden ? '|hidden' : ''}`)
    for (const child of node.children) visit(child, depth + 1)
  }
  for (const node of nodes) visit(node, 0)
  return lines
}

describe.each(['lab', 'vrrp'])('%s.pcap', (name) => {
  const recorded = readFileSync(golden(`${name}.txt`), 'utf8')
    .split(/^===== (?:\d+)\n/mu)
    .slice(1)
  const dissector = new Dissector()
  const frames = readCapture(readFileSync(golden(`${name}.pcap`))).frames.map(({ interface: _, ...frame }) =>
    dissector.next(frame),
  )
  test.each(frames.flatMap((frame, i) => (recorded[i]?.trim() ? [[frame.number, frame, recorded[i]!] as const] : [])))(
    'frame %i',
    (_, frame, wanted) => {
      expect(linesOf(frame).join('\n')).toBe(wanted.trimEnd())
    },
  )
})

test('dates', () => {
  expect(dateText(1_767_225_600, 1_024_000)).toBe('Jan  1, 2026 00:00:00.001024000 UTC')
  expect(dateText(951_782_400, 0)).toBe('Feb 29, 2000 00:00:00.000000000 UTC')
  expect(dateText(1_798_761_599, 999_999_999)).toBe('Dec 31, 2026 23:59:59.999999999 UTC')
})

/** Lines without a name, and what Wireshark names otherwise. */
const known = new Set([
  '',
  'icmpv6.opt.data',
  'icmpv6.rd.ta',
  'icmpv6.rd.da',
  'ieee8021ad.etype',
  'ip.options',
  'media',
])

test('no bytes throw, every node lies in its source, and every name is known', () => {
  const unknown = new Set<string>()
  const seen = readCapture(readFileSync(golden('lab.pcap'))).frames
  forSeeds(300, (random) => {
    const dissector = new Dissector()
    for (let i = 0; i < 8; i++) {
      const bytes =
        random.below(4) === 0 ? random.bytes(random.below(120)) : seen[random.below(seen.length)]!.bytes.slice()
      for (let flips = random.below(6); flips > 0 && bytes.length > 0; flips--)
        bytes[random.below(bytes.length)] = random.below(256)
      const cut = random.below(3) === 0 ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes
      const { nodes, sources } = dissector.next({ s: 0, ns: i, bytes: cut })
      const visit = (node: TreeNode) => {
        expect(node.at + node.length, node.name).toBeLessThanOrEqual(sources[node.source]!.bytes.length)
        if (!known.has(node.name.replace(/^(ip\.options)\..*/u, '$1')) && !FIELDS.has(node.name)) unknown.add(node.name)
        node.children.forEach(visit)
      }
      nodes.forEach(visit)
    }
  })
  expect([...unknown]).toEqual([])
})
