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

const inside = (atNs: number, ...cells: string[]): LabEvent => ({
  type: 'inside',
  atNs,
  host: 'a',
  view: 'neighbours',
  columns: ['Address'],
  rows: cells.map((cell) => ({ key: cell, cells: [cell] })),
})

test('looking into a host delays nothing: all else is where it would be', () => {
  const without = asked()
  const watched = new Recording()
  watched.append({ type: 'output', atNs: 0, host: 'a', text: 'a# ' })
  watched.append(inside(0))
  // In a silence, which isn't longer for being looked at in the middle; before and after a frame.
  watched.append(inside(100_000_000, 'x'))
  watched.append(inside(300_000_000, 'y'))
  watched.append(frame(0, 300_000_000, 'a'))
  watched.append(arrival(0, 300_000_000, 'b'))
  watched.append(inside(300_000_000, 'z'))
  watched.append(arrival(0, 300_000_000, 'c'))
  watched.append(inside(300_020_000, 'y', 'z'))
  watched.append(frame(1, 300_020_000, 'b'))
  watched.append(arrival(1, 300_020_000, 'a'))
  watched.append(inside(300_040_000))
  watched.append({ type: 'output', atNs: 300_040_000, host: 'a', text: 'b is at 2\r\n' })
  expect(watched.frames).toEqual(without.frames)
  expect(watched.outputs).toEqual(without.outputs)
  expect(watched.endMs).toBe(without.endMs)
  watched.append(inside(2_300_000_000, 'late'))
  watched.passTo(2_300_000_000)
  without.passTo(2_300_000_000)
  expect(watched.endMs).toBe(without.endMs)
  expect(watched.nowNs).toBe(without.nowNs)
  for (let ms = 0; ms <= without.endMs; ms += 50) expect(watched.timeAt(ms)).toBe(without.timeAt(ms))
})

test('what a host kept at a moment, and before that', () => {
  const recording = asked()
  const learned = recording.frames[1]!.arrivals[0]!
  recording.append(inside(300_040_000, '10.0.0.2'))
  const first = recording.insides.get('a')!.get('neighbours')![0]!
  // Not before the answer was seen to arrive.
  expect(first.showMs).toBeGreaterThanOrEqual(learned.showMs + LEG_MS)
  recording.passTo(2_000_000_000)
  recording.append(inside(2_000_000_000, '10.0.0.2', '10.0.0.3'))
  recording.append(inside(2_000_000_000, '10.0.0.3'))
  const cells = (found: ReturnType<Recording['insideAt']>) =>
    [found?.now, found?.before].map((one) => one?.event.rows.map((row) => row.cells[0]))
  expect(recording.insideAt('a', 'neighbours', first.showMs - 1)).toBeUndefined()
  expect(cells(recording.insideAt('a', 'neighbours', first.showMs))).toEqual([['10.0.0.2'], undefined])
  // What was only there for no time is not what there was before.
  expect(cells(recording.insideAt('a', 'neighbours', recording.endMs))).toEqual([['10.0.0.3'], ['10.0.0.2']])
  expect(recording.insideAt('a', 'routes', recording.endMs)).toBeUndefined()
  expect(recording.insideAt('b', 'neighbours', recording.endMs)).toBeUndefined()
})
