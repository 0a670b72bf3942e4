/** Our timers against QEMU's models, access by access, as `backend/qemu/devices.ts` heard them. Where these depart from the data sheet is said. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { AcpiPmTimer, Hpet, I8254, Mc146818 } from './index.ts'

interface Device {
  read(at: number): number
  write(at: number, value: number): void
}

/** Replays what was recorded; `mask` says which bits of a read can be compared. */
function replay(name: string, make: (time: { nowNs: number }) => Device, mask = (_at: number, _value: number) => ~0) {
  const time = { nowNs: 0 }
  const device = make(time)
  const lines = gunzipSync(readFileSync(join(import.meta.dirname, 'golden', `${name}.gz`)))
    .toString()
    .trim()
    .split('\n')
  const wrong: string[] = []
  lines.forEach((line, i) => {
    const [, step, at, what, value] = /^\+(\d+) ([0-9a-f]+)([=?])([0-9a-f]+)$/.exec(line)!
    time.nowNs += Number(step)
    const port = Number.parseInt(at!, 16)
    const said = Number.parseInt(value!, 16)
    if (what === '=') device.write(port, said)
    else {
      const ours = device.read(port)
      const compared = mask(port, said)
      if ((ours & compared) !== (said & compared))
        wrong.push(`${i}: ${line}, ours ${ours.toString(16)} at ${time.nowNs}`)
    }
  })
  expect(wrong.slice(0, 12)).toEqual([])
  return lines.length
}

describe('as QEMU has them', () => {
  test('i8254', () => {
    // QEMU has the output of modes 1, 2, 4 and 5 upside down, and no null count; and toggles refresh at each read.
    let mode = [-1, -1, -1] // Not programmed yet: what the machine began with isn't ours to know.
    let statusNext = [false, false, false]
    const device = (time: { nowNs: number }): Device => {
      const pit = new I8254(time)
      return {
        read(at) {
          return at === 0x61 ? pit.readPort61() : pit.read(at - 0x40)
        },
        write(at, value) {
          if (at === 0x61) return pit.writePort61(value)
          if (at === 0x43 && value >> 6 < 3 && value & 0x30) {
            mode = mode.with(value >> 6, (value >> 1) & 7)
            statusNext = statusNext.with(value >> 6, false)
          }
          if (at === 0x43 && value >> 6 === 3 && (value & 0x10) === 0) {
            statusNext = statusNext.map((next, i) => next || (value & (2 << i)) !== 0)
          }
          return pit.write(at - 0x40, value)
        },
      }
    }
    const honest = (channel: number) => mode[channel] === 0 || mode[channel] === 3
    const accesses = replay('pit', device, (at) => {
      if (at === 0x61) return honest(2) ? 0x23 : 0x03
      const channel = at - 0x40
      if (mode[channel] === -1) return 0
      if (!statusNext[channel]) return 0xff
      statusNext = statusNext.with(channel, false)
      return honest(channel) ? 0xbf : 0x3f
    })
    expect(accesses).toBeGreaterThanOrEqual(10_000)
  })

  test('MC146818', () => {
    const device = (time: { nowNs: number }): Device => {
      const rtc = new Mc146818(time, 1_767_225_600)
      return {
        read: (at) => (at === 0x70 ? rtc.readIndex() : rtc.readData()),
        write: (at, value) => (at === 0x70 ? rtc.writeIndex(value) : rtc.writeData(value)),
      }
    }
    expect(replay('rtc', device)).toBeGreaterThanOrEqual(10_000)
  })

  test('HPET', () => {
    const device = (time: { nowNs: number }): Device => {
      const hpet = new Hpet(time)
      return { read: (at) => hpet.read(at - 0xfed0_0000), write: (at, value) => hpet.write(at - 0xfed0_0000, value) }
    }
    expect(replay('hpet', device)).toBeGreaterThanOrEqual(10_000)
  })

  test('ACPI PM timer', () => {
    const device = (time: { nowNs: number }): Device => {
      const timer = new AcpiPmTimer(time)
      return {
        read: (at) => (at === 0x608 ? timer.read() : at === 0x600 ? timer.readStatus() : timer.readEnable()),
        write: (at, value) => (at === 0x600 ? timer.writeStatus(value) : timer.writeEnable(value)),
      }
    }
    expect(replay('pm-timer', device)).toBeGreaterThanOrEqual(10_000)
  })
})
