import { expect, test } from 'vitest'
import type { LabEvent } from './protocol.ts'
import { LEG_MS, Recording, shortened } from './recording.ts'

const end = (host: string) => ({ host, interface: 'eth0' })
const frame = (id: number, atNs: number, host: string): LabEvent => ({
  type: 'frame',
  id,
  atNs,
  network: 'lan',
  from: end(host),
  bytes: new Uint8Array(60),
})
const arrival = (id: number, atNs: number, host: string): LabEvent => ({ type: 'arrival', id, atNs, to: end(host) })

/** One asks three, one answers: as a recording would get it. */
function asked(): Recording {
  const recording = new Recording()
  const events: LabEvent[] = [
    { type: 'output', atNs: 0, host: 'a', text: 'a# ' },
    frame(0, 300_000_000, 'a'),
    arrival(0, 300_000_000, 'b'),
    arrival(0, 300_000_000, 'c'),
    frame(1, 300_020_000, 'b'),
    arrival(1, 300_020_000, 'a'),
    { type: 'output', atNs: 300_040_000, host: 'a', text: 'b is at 2\r\n' },
  ]
  for (const event of events) recording.append(event)
  return recording
}

test('an answer is shown after its question came in, and a printed line after the answer', () => {
  const { frames, outputs } = asked()
  const [question, answer] = frames
  expect(question!.arrivals.map(({ showMs }) => showMs - question!.showMs)).toEqual([LEG_MS, LEG_MS])
  expect(answer!.showMs).toBeGreaterThanOrEqual(question!.arrivals[0]!.showMs + LEG_MS)
  expect(outputs.get('a')!.at(-1)!.showMs).toBeGreaterThanOrEqual(answer!.arrivals[0]!.showMs + LEG_MS)
})

test('what happens at one moment is shown at one moment', () => {
  const recording = new Recording()
  for (const id of [0, 1, 2]) recording.append(frame(id, 1_000, `h${id}`))
  expect(new Set(recording.frames.map(({ showMs }) => showMs)).size).toBe(1)
})

test('silence is shortened, and never grows without end', () => {
  expect(shortened(20_000)).toBe(0)
  expect(shortened(1e9)).toBeGreaterThan(shortened(1e7))
  expect(shortened(1e9)).toBeLessThan(500)
  expect(shortened(86_400e9)).toBeLessThanOrEqual(700)
})

test('places are in order, whatever came, and times can be read back from them', () => {
  const recording = asked()
  recording.passTo(2_300_000_000)
  const places = [...recording.frames, ...[...recording.outputs.values()].flat()].map(({ showMs }) => showMs)
  expect(Math.max(...places)).toBeLessThanOrEqual(recording.endMs)
  expect(recording.timeAt(recording.endMs)).toBe(2_300_000_000)
  expect(recording.timeAt(0)).toBe(0)
  expect(recording.timeAt(recording.frames[1]!.showMs)).toBe(300_020_000)
  let before = 0
  for (let ms = 0; ms <= recording.endMs; ms += 7) {
    const time = recording.timeAt(ms)
    expect(time).toBeGreaterThanOrEqual(before)
    before = time
  }
})

test('a step goes to the next event and back again', () => {
  const recording = asked()
  const [question, answer] = recording.frames
  expect(recording.neighbour(0, 1)).toBe(question!.showMs)
  expect(recording.neighbour(question!.showMs, 1)).toBe(answer!.showMs)
  expect(recording.neighbour(answer!.showMs, -1)).toBe(question!.showMs)
  expect(recording.neighbour(question!.showMs, -1)).toBe(0)
  expect(recording.neighbour(recording.endMs, 1)).toBe(recording.endMs)
})
