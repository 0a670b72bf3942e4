import { expect, test } from 'vitest'
import type { RandomStream } from '#base/sim'
import { forSeeds } from '#base/testing'
import { emitFrame, parseFrame } from '#wire/inet'
import { PcapngWriter, PcapWriter, readCapture } from './index.ts'

interface Written {
  timeNs: number
  bytes: Uint8Array
}

function frames(random: RandomStream): Written[] {
  let timeNs = 0
  return Array.from({ length: random.below(6) }, () => {
    timeNs += random.below(2 ** 32)
    return { timeNs, bytes: random.bytes(random.below(200)) }
  })
}

const START = 1_767_225_600

function pcap(list: Written[], nanosecond: boolean): Uint8Array {
  const writer = new PcapWriter({ startS: START, nanosecond })
  for (const { timeNs, bytes } of list) writer.write(timeNs, parseFrame(bytes))
  return writer.bytes()
}

function pcapng(list: Written[]): Uint8Array {
  const writer = new PcapngWriter({ startS: START, application: 'kaidoku', comment: '解読' })
  writer.addInterface({ name: 'web1-eth0' })
  writer.addInterface({ name: 'web1-eth1', comment: 'の' })
  for (const { timeNs, bytes } of list)
    writer.write(timeNs % 2, timeNs, parseFrame(bytes), timeNs % 3 === 0 ? 'seen' : undefined)
  return writer.bytes()
}

/** The other byte order of a pcap file. */
function swapped(bytes: Uint8Array): Uint8Array {
  const out = bytes.slice()
  const swap = (at: number, length: number) => out.subarray(at, at + length).reverse()
  swap(0, 4)
  swap(4, 2)
  swap(6, 2)
  for (let at = 8; at < 24; at += 4) swap(at, 4)
  const view = new DataView(bytes.buffer)
  for (let at = 24; at < bytes.length; at += 16 + view.getUint32(at + 8, true))
    for (let i = 0; i < 16; i += 4) swap(at + i, 4)
  return out
}

test('what is written is read', () => {
  forSeeds(300, (random) => {
    const list = frames(random)
    for (const nanosecond of [true, false]) {
      for (const file of [pcap(list, nanosecond), swapped(pcap(list, nanosecond))]) {
        const capture = readCapture(file)
        expect(capture.error).toBeUndefined()
        expect(capture).toMatchObject({ format: 'pcap', nanosecond, interfaces: [{ linkType: 1, snapLength: 262144 }] })
        expect(capture.frames.map(({ s, ns, bytes }) => [s, ns, Buffer.from(bytes).toString('hex')])).toEqual(
          list.map(({ timeNs, bytes }) => {
            const ns = timeNs % 1e9
            return [
              START + Math.floor(timeNs / 1e9),
              nanosecond ? ns : ns - (ns % 1000),
              Buffer.from(bytes).toString('hex'),
            ]
          }),
        )
      }
    }
    const capture = readCapture(pcapng(list))
    expect(capture.error).toBeUndefined()
    expect(capture).toMatchObject({
      format: 'pcapng',
      comment: '解読',
      interfaces: [{ name: 'web1-eth0' }, { name: 'web1-eth1', comment: 'の' }],
    })
    expect(
      capture.frames.map((frame) => [
        frame.interface,
        (frame.s - START) * 1e9 + frame.ns,
        frame.bytes.length,
        frame.comment,
      ]),
    ).toEqual(
      list.map(({ timeNs, bytes }) => [timeNs % 2, timeNs, bytes.length, timeNs % 3 === 0 ? 'seen' : undefined]),
    )
  })
})

test('a file cut short or written over keeps what came before; nothing throws', () => {
  forSeeds(2_000, (random) => {
    const list = frames(random)
    const file = random.below(2) === 0 ? pcap(list, true) : pcapng(list)
    const whole = readCapture(file).frames.length
    const cut = readCapture(file.subarray(0, random.below(file.length + 1)))
    expect(cut.frames.length).toBeLessThanOrEqual(whole)
    for (let i = 0; i < cut.frames.length; i++) expect(cut.frames[i]!.bytes.length).toBe(list[i]!.bytes.length)
    const broken = file.slice()
    for (let i = random.below(8); i >= 0; i--) broken[random.below(broken.length)] = random.below(256)
    const read = readCapture(broken)
    if (read.error) expect(read.error.offset).toBeLessThanOrEqual(file.length)
    readCapture(random.bytes(random.below(100)))
  })
})

test('frames are cut to the snapshot length, and a stream is drained', () => {
  const writer = new PcapWriter({ snapLength: 20 })
  const header = writer.drain()
  expect(header).toHaveLength(24)
  writer.write(5, parseFrame(new Uint8Array(60).fill(1)))
  const record = writer.drain()
  expect(record).toHaveLength(16 + 20)
  expect(writer.drain()).toHaveLength(0)
  const read = readCapture(Buffer.concat([header, record]))
  expect(read.frames[0]).toMatchObject({ s: 0, ns: 5, originalLength: 60 })
  expect(Uint8Array.from(read.frames[0]!.bytes)).toEqual(emitFrame(parseFrame(new Uint8Array(20).fill(1))))
})

test('many frames cost no more each than few', () => {
  const writer = new PcapWriter()
  const packet = parseFrame(new Uint8Array(100))
  for (let i = 0; i < 50_000; i++) writer.write(i, packet)
  expect(writer.length).toBe(24 + 50_000 * 116)
  expect(readCapture(writer.bytes()).frames).toHaveLength(50_000)
})
