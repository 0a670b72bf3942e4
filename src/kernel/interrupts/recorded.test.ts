/** What the real kernel shows of interrupts on machines with other parameters and devices, but for counts. */
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { CONFIGURATIONS, DEVICE_CONFIGURATIONS, readRecords } from '#backend/qemu'
import { decodeUtf8 } from '#base/bytes'
import { Simulator } from '#base/sim'
import { createHost } from '#kernel/core'
import { createDebian12 } from '#lab/catalogue'
import { allocateVectors } from './index.ts'

const at = (name: string) => fileURLToPath(new URL(`../../backend/qemu/configurations/${name}`, import.meta.url))
const records = { ...readRecords(at('recorded.json.gz')).said, ...readRecords(at('devices.json.gz')).said }
const image = createDebian12()

function hostOf(name: string) {
  const { machine, devices, cmdline = '' } = DEVICE_CONFIGURATIONS[name] ?? CONFIGURATIONS[name]!
  return createHost({
    sim: new Simulator(1),
    image,
    name: 'host',
    number: 1,
    startS: 1_767_225_600,
    hardware: {
      type: machine,
      cpus: CONFIGURATIONS[name]?.cpus ?? 1,
      memoryMb: 512,
      hpet: CONFIGURATIONS[name]?.hpet ?? true,
      devices,
      cmdline: cmdline.split(' ').filter((word) => word !== ''),
      flaws: {},
    },
  })
}

function read(host: ReturnType<typeof hostOf>, path: string): string {
  const file = host.openPath(path, 0)!
  let text = ''
  for (;;) {
    const got = file.read(65_536)
    if (!got.ok || got.value.length === 0) return text
    text += decodeUtf8(got.value)
  }
}

/** Counts are of ten digits, right-aligned. */
const withoutCounts = (text: string) =>
  text
    .trimEnd()
    .replaceAll(/^(\s*\w+:)((?: [ \d]{9}\d)+)/gm, (_, name, counts) => name + ' N'.repeat(counts.length / 11))

describe.each(Object.keys(records).filter((name) => !name.includes('acpi-off')))('%s', (name) => {
  test('/proc/interrupts', () => {
    expect(withoutCounts(read(hostOf(name), '/proc/interrupts'))).toBe(
      withoutCounts(records[name]!['cat /proc/interrupts']!),
    )
  })
  test('/proc/softirqs', () => {
    expect(withoutCounts(read(hostOf(name), '/proc/softirqs'))).toBe(
      withoutCounts(records[name]!['cat /proc/softirqs']!),
    )
  })
})

describe('vectors', () => {
  const requests = Array.from({ length: 4 }, (_, i) => ({ irq: 16 + i, cpus: [i % 2] }))
  test.each([
    ['linux-2.6.18', [0x39, 0x41, 0x49, 0x51]],
    ['linux-2.6.32', [0x49, 0x51, 0x59, 0x61]],
    ['linux-6.1', [0x21, 0x21, 0x22, 0x22]],
  ] as const)('%s', (kernel, vectors) => {
    expect(allocateVectors(kernel, 2, requests).map(({ vector }) => vector)).toEqual(vectors)
  })
  test('2.6.18 runs out of what others have for each processor', () => {
    const many = Array.from({ length: 400 }, (_, i) => ({ irq: i, cpus: [i % 2] }))
    expect(allocateVectors('linux-2.6.18', 2, many).length).toBeLessThan(192)
    expect(allocateVectors('linux-6.1', 2, many).length).toBe(400)
  })
})
