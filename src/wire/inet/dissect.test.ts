import { expect, test } from 'vitest'
import { parseHex } from '#base/bytes'
import { forSeeds } from '#base/testing'
import { nearlyFrame } from './frames.cases.ts'
import { dissect, emitFrame, type Field, IP_DF, Packet, parseFrame } from './index.ts'

function echo(): Packet {
  const packet = new Packet()
  Object.assign(packet, { macDst: 0x020000000200, macSrc: 0x020000000100, etherType: 0x0800, ttl: 64, protocol: 1 })
  Object.assign(packet, { src: 0x0a000001, dst: 0x0a000002, fragment: IP_DF, icmpType: 8, icmpRest: 0x00010002 })
  packet.buffer = new Uint8Array(8)
  packet.length = 8
  return packet
}

test('an echo request', () => {
  const layers = dissect(emitFrame(echo()))
  expect(layers.map((layer) => layer.title)).toEqual([
    'Ethernet II, Src: 02:00:00:00:01:00 (02:00:00:00:01:00), Dst: 02:00:00:00:02:00 (02:00:00:00:02:00)',
    'Internet Protocol Version 4, Src: 10.0.0.1, Dst: 10.0.0.2',
    'Internet Control Message Protocol',
    'Data (8 bytes)',
  ])
  const field = (name: string) => layers.flatMap((layer) => layer.fields).find((candidate) => candidate.name === name)
  expect(field('ip.ttl')).toEqual({ name: 'ip.ttl', label: 'Time to live', value: '64', offset: 22, length: 1 })
  expect(field('ip.checksum')?.check).toBe('good')
  expect(field('icmp.checksum')?.check).toBe('good')
  expect(field('icmp.type')?.value).toBe('8 (Echo (ping) request)')
})

test('a wrong checksum is told', () => {
  const packet = echo()
  packet.checksum = 0x1234
  const icmp = dissect(emitFrame(packet)).find((layer) => layer.name === 'icmp')
  expect(icmp?.fields.find((field) => field.name === 'icmp.checksum')).toMatchObject({
    check: 'bad',
    value: '0x1234 [incorrect, should be 0xf7fc]',
  })
})

test('kinds of ARP', () => {
  const title = (arp: Partial<Packet>) =>
    dissect(emitFrame(Object.assign(new Packet(), { etherType: 0x0806, macDst: 0xffffffffffff }, arp)))[1]?.title
  expect(title({ arpOp: 1, arpSpa: 1, arpTpa: 2 })).toBe('Address Resolution Protocol (request)')
  expect(title({ arpOp: 2, arpSpa: 1, arpTpa: 2 })).toBe('Address Resolution Protocol (reply)')
  expect(title({ arpOp: 1, arpSpa: 0, arpTpa: 2 })).toBe('Address Resolution Protocol (ARP Probe)')
  expect(title({ arpOp: 1, arpSpa: 2, arpTpa: 2 })).toBe('Address Resolution Protocol (ARP Announcement)')
})

test('an ICMP error shows what it quotes, cut short as it is', () => {
  const error = echo()
  Object.assign(error, { icmpType: 11, icmpCode: 0, icmpRest: 0 })
  error.buffer = emitFrame(echo()).subarray(14, 14 + 28)
  error.length = 28
  expect(dissect(emitFrame(error)).map((layer) => layer.name)).toEqual(['eth', 'ip', 'icmp', 'ip', 'icmp'])
})

test('a neighbour solicitation', () => {
  const text =
    '33 33 ff 00 00 02 02 00 00 00 01 00 86 dd 60 00 00 00 00 20 3a ff fe 80 00 00 00 00 00 00 00 00 00 ff fe 00 01 00 ' +
    'ff 02 00 00 00 00 00 00 00 00 00 01 ff 00 00 02 87 00 00 00 00 00 00 00 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 ' +
    '00 02 01 01 02 00 00 00 01 00'
  const layers = dissect(parseHex(text.replaceAll(' ', ''))!)
  expect(layers.map((layer) => layer.title).slice(1)).toEqual([
    'Internet Protocol Version 6, Src: fe80::ff:fe00:100, Dst: ff02::1:ff00:2',
    'Internet Control Message Protocol v6 (Neighbor Solicitation)',
  ])
  const shown = layers[2]?.fields.map(({ label, value }) => `${label}: ${value}`)
  expect(shown).toContain('Target address: 2001:db8::2')
  expect(shown).toContain('Source link-layer address: 02:00:00:00:01:00')
})

test('no bytes throw, and every field lies within its layer or frame', () => {
  forSeeds(2_000, (random) => {
    const bytes = nearlyFrame(random)
    const check = (field: Field) => {
      expect(field.offset).toBeGreaterThanOrEqual(0)
      expect(field.offset + field.length).toBeLessThanOrEqual(bytes.length)
      field.children?.forEach(check)
    }
    let covered = 0
    for (const layer of dissect(bytes)) {
      expect(layer.offset).toBe(covered)
      covered = layer.offset + layer.length
      layer.fields.forEach(check)
    }
    expect(covered).toBe(bytes.length)
  })
})

test('the page’s bytes and the packet agree', () => {
  expect(parseHex(Buffer.from(emitFrame(parseFrame(emitFrame(echo())))).toString('hex'))).toEqual(emitFrame(echo()))
})
