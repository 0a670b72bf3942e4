/** Captures to take home: pcapng, an interface for each end of a cable, to the nanosecond. */
import { PcapngWriter } from '#wire/pcap'
import type { RecordedFrame } from './recording.ts'
import { START_S } from './trees.ts'

/** The ends that frames crossed, as `HOST:INTERFACE`, in order of name. */
export function endsOf(frames: readonly RecordedFrame[]): string[] {
  const ends = new Set<string>()
  for (const { from, arrivals } of frames) {
    ends.add(`${from.host}:${from.interface}`)
    for (const { to } of arrivals) ends.add(`${to.host}:${to.interface}`)
  }
  return [...ends].sort()
}

/** What crossed one end, or every end. */
export function captureOf(frames: readonly RecordedFrame[], end?: string): Uint8Array {
  const writer = new PcapngWriter({ startS: START_S, application: 'Kaidoku' })
  const ids = new Map<string, number>()
  for (const name of end === undefined ? endsOf(frames) : [end]) ids.set(name, writer.addInterface({ name }))
  const rows: { atNs: number; id: number; bytes: Uint8Array }[] = []
  for (const { atNs, from, arrivals, bytes } of frames) {
    const sent = ids.get(`${from.host}:${from.interface}`)
    if (sent !== undefined) rows.push({ atNs, id: sent, bytes })
    for (const arrival of arrivals) {
      const came = ids.get(`${arrival.to.host}:${arrival.to.interface}`)
      if (came !== undefined) rows.push({ atNs: arrival.atNs, id: came, bytes })
    }
  }
  rows.sort((a, b) => a.atNs - b.atNs)
  for (const { atNs, id, bytes } of rows) {
    const s = Math.floor(atNs / 1e9)
    writer.writeBytes(id, START_S + s, atNs - s * 1e9, bytes)
  }
  return writer.bytes()
}

/** Gives the reader a file. */
export function saveFile(name: string, bytes: BlobPart, type: string): void {
  const url = URL.createObjectURL(new Blob([bytes], { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
