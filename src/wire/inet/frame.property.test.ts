import { expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { nearlyFrame } from './frames.cases.ts'
import { emitFrame, emitIp, frameLength, parseFrame, parseIp, parseIpv6Packet, RAW_NONE, writeFrame } from './index.ts'

test('what is parsed is emitted unchanged, whatever it is', () => {
  let inFields = 0
  forSeeds(5_000, (random) => {
    const bytes = nearlyFrame(random)
    const packet = parseFrame(bytes)
    expect(frameLength(packet)).toBe(bytes.length)
    const again = emitFrame(packet)
    if (Buffer.compare(again, bytes) !== 0) expect(again).toEqual(bytes)
    const target = new Uint8Array(bytes.length + 9).fill(0xaa)
    expect(writeFrame(packet, target, 5)).toBe(5 + bytes.length)
    if (Buffer.compare(target.subarray(5, 5 + bytes.length), bytes) !== 0) expect(target).toEqual(bytes)
    expect(target[4]! + target[5 + bytes.length]!).toBe(2 * 0xaa)
    if (packet.raw === RAW_NONE) inFields++
    const six = parseIpv6Packet(bytes.subarray(14))
    expect(emitIp(six).length + (six.trailer?.length ?? 0)).toBe(Math.max(0, bytes.length - 14))
    const ip = parseIp(bytes.subarray(14))
    expect(emitIp(ip).length + (ip.trailer?.length ?? 0)).toBe(Math.max(0, bytes.length - 14))
  })
  if (process.env['KAIDOKU_SEED'] === undefined) expect(inFields).toBeGreaterThan(1_000)
})
