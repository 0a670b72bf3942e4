/** What was behind a line of output: the frames that its host sent and got from the line before to this one. */
import type { RecordedFrame, Recording } from './recording.ts'

export interface Why {
  host: string
  fromNs: number
  untilNs: number
  frames: RecordedFrame[]
}

const FRAMES_MAX = 200

/** Of a block's command and a line of what it printed; undefined if that wasn't recorded. */
export function whyLine(recording: Recording, block: number, index: number, line: number): Why | undefined {
  let begin: { showMs: number; atNs: number; host: string } | undefined
  let end: { showMs: number; atNs: number; output: string } | undefined
  // The newest run of it counts.
  for (const { showMs, atNs, event } of recording.marks) {
    if ((event.type !== 'command' && event.type !== 'finished') || event.block !== block || event.index !== index)
      continue
    if (event.type === 'command') begin = { showMs, atNs, host: event.host }
    else end = { showMs, atNs, output: event.output }
  }
  if (!begin || !end || end.showMs < begin.showMs) return undefined
  const { host } = begin
  const lines = end.output.split('\n')
  const [before, text] = [lines.slice(0, line).join('\n').length, lines.slice(0, line + 1).join('\n').length]
  // What the terminal showed of it, without the prompt and the command that stand before.
  const shown = (recording.outputs.get(host) ?? []).filter(
    ({ showMs }) => showMs >= begin.showMs && showMs <= end.showMs,
  )
  const total = shown.reduce((sum, output) => sum + output.text.replaceAll('\r', '').length, 0)
  let passed = -Math.max(0, total - end.output.length)
  let [fromMs, untilMs] = [begin.showMs, end.showMs]
  for (const output of shown) {
    passed += output.text.replaceAll('\r', '').length
    if (passed <= before) fromMs = output.showMs
    if (passed >= text) {
      untilMs = output.showMs
      break
    }
  }
  const mine = (frame: RecordedFrame) => frame.from.host === host || frame.arrivals.some(({ to }) => to.host === host)
  const between = (from: number) =>
    recording.frames.filter((frame) => frame.showMs >= from && frame.showMs <= untilMs && mine(frame))
  let frames = between(fromMs)
  // A line that came with others: what led to all of them.
  if (frames.length === 0) {
    fromMs = begin.showMs
    frames = between(fromMs)
  }
  return {
    host,
    fromNs: recording.timeAt(fromMs),
    untilNs: recording.timeAt(untilMs),
    frames: frames.slice(0, FRAMES_MAX),
  }
}
