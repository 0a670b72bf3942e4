/** The language: what is read, what is refused, and that segments mean the same as bytes and as words. */
import { describe, expect, test } from 'vitest'
import { describeFrame, liveFlows } from './decode.ts'
import { randomScript } from './random.ts'
import { inputsOf, parseScript } from './script.ts'
import { readScripts } from './scripts.ts'
import { checksum, finishChecksum, PEER_ISN, parseSegment } from './segment.ts'
import { differencesOf, renderScript } from './transcript.ts'

const fault = (what: string) => new Error(what)
const bytesOf = (text: string) => {
  const { template, checksum: kind } = parseSegment(text, fault)
  const { bytes, patches } = template(8080, 40_000, 300)
  finishChecksum(bytes, kind)
  return { bytes, patches }
}

describe('segments', () => {
  test('have their fields where they belong', () => {
    const { bytes, patches } = bytesOf('P. 1:6(5) ack 11 win 512 tos 2 <nop,nop,ts now 7>')
    const view = new DataView(bytes.buffer)
    expect([view.getUint16(34), view.getUint16(36)]).toEqual([40_000, 8080])
    expect(view.getUint32(38)).toBe((PEER_ISN + 1) >>> 0)
    expect([view.getUint32(42), bytes[46], bytes[47], view.getUint16(48), bytes[15]]).toEqual([11, 0x80, 0x18, 512, 2])
    expect([...bytes.slice(54)]).toEqual([1, 1, 8, 10, 0, 0, 1, 44, 0, 0, 0, 7, 0, 1, 2, 3, 4])
    expect(patches.map(({ what, at }) => `${what}${at}`)).toEqual(['p36', 't62', 'i42'])
    expect(checksum(bytes.subarray(14, 34))).toBe(0)
  })

  test('an ICMP message quotes the kernel’s header', () => {
    const { bytes, patches } = bytesOf('icmp frag-needed mtu 1000 of 1')
    expect([bytes[34], bytes[35], bytes[40]! * 256 + bytes[41]!]).toEqual([3, 4, 1000])
    expect(checksum(bytes.subarray(34))).toBe(0)
    expect(patches.map(({ what, at }) => `${what}${at}`)).toEqual(['p62', 'i66'])
  })

  test.each([
    ['P. 1:6(5) win 512', 'go together'],
    ['P 1:6(5) ack 1', 'go together'],
    ['X 1:6(5)', 'flag'],
    ['. 1:6', 'SEQUENCE'],
    ['. 1:1(0) ack 1 win many', 'what is win'],
    ['. 1:1(0) ack 1 <mss>', 'option'],
    ['. 1:1(0) ack 1 <teapot 1>', 'no such option'],
    ['icmp teapot of 1', 'icmp KIND'],
  ])('%s is refused', (text, why) => {
    expect(() => parseSegment(text, fault)).toThrow(why)
  })

  test('what the kernel sends is told in words, and broken checksums and strange bytes too', () => {
    const { bytes } = bytesOf('P. 1:6(5) ack 11 win 512 <mss 1460,sackOK,nop,wscale 7>')
    const view = new DataView(bytes.buffer)
    view.setUint16(34, 8080)
    view.setUint16(36, 40_000)
    view.setUint32(38, 1001)
    view.setUint32(42, (PEER_ISN + 11) >>> 0)
    const [flow] = liveFlows([{ name: '', localPort: 8080, peerPort: 40_000 }])
    flow!.isn = 1000
    const text = 'P. 1:6(5) ack 11 win 512 <mss 1460,sackOK,nop,wscale 7,eol>'
    expect(describeFrame(flow, bytes)).toContain(text.slice(0, -1).replace(',eol', ''))
    bytes[bytes.length - 1]! ^= 255
    expect(describeFrame(flow, bytes)).toContain('[other bytes from 5]')
    expect(describeFrame(flow, bytes)).toContain('[bad checksum]')
  })
})

describe('scripts', () => {
  test.each([
    ['0 teapot s\n', 'no such call'],
    ['1 socket s\n0.5 socket t\n', 'backwards'],
    ['0 socket s\nmtu 1000\n', 'before the first'],
    ['colour blue\n', 'no such setting'],
    ['0 < b: R 1:1(0)\n', 'no such flow'],
  ])('%j is refused', (text, why) => {
    expect(() => parseScript(text, 'x')).toThrow(why)
  })

  test('times may be relative to what was done before', () => {
    const steps = inputsOf(parseScript('0.1 socket s\n+0.2 bind s 1\n5 > R 1:1(0) win 0\n+0.3 listen s 1\n', 'x'))
    expect(steps.map(({ atNs }) => atNs / 1e6)).toEqual([100, 300, 600])
  })

  test('written down again, they are what they were', () => {
    for (const script of readScripts()) {
      const empty = { results: new Map<number, string>(), frames: [] }
      const again = parseScript(renderScript(script, empty), script.file)
      expect(inputsOf(again).map(({ text, atNs }) => `${atNs} ${text}`)).toEqual(
        inputsOf(script).map(({ text, atNs }) => `${atNs} ${text}`),
      )
    }
  })

  test('a run that does nothing departs from all of them', () => {
    for (const script of readScripts()) {
      expect(differencesOf(script, { results: new Map(), frames: [] })).not.toEqual([])
    }
  })

  test('each has a summary of its own', () => {
    const summaries = readScripts().map(({ summary }) => summary)
    expect(new Set(summaries).size).toBe(summaries.length)
  })
})

test('one made by chance can be read', () => {
  expect(parseScript(randomScript(1), 'chance').steps.length).toBeGreaterThan(5)
})
