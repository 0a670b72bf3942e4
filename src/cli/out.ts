/** What a run leaves on disk: captures and the transcript. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ArticleRun, type InterfaceCapture, transcriptOf } from '#article/runner'
import { PcapngWriter, PcapWriter } from '#wire/pcap'

/** Writes `HOST-IFACE.pcap` for every interface, and `transcript.json`. */
export async function writeRun(run: ArticleRun, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const capture of run.captures) {
    await writeFile(join(folder, `${capture.host}-${capture.interface}.pcap`), pcapOf(capture, run.start))
  }
  await writeFile(join(folder, 'transcript.json'), `${JSON.stringify(transcriptOf(run), null, 2)}\n`)
}

function pcapOf(capture: InterfaceCapture, start: number): Uint8Array {
  const writer = new PcapWriter()
  for (const { s, ns, bytes } of capture.frames) writer.writeBytes(start + s, ns, bytes)
  return writer.bytes()
}

/** All captures of a run as one pcapng file, in the order of time. */
export function pcapngOf(run: ArticleRun): Uint8Array {
  const writer = new PcapngWriter({
    application: 'kaidoku',
    comment: `${run.article.file} on ${run.kernel}, seed ${run.seed}`,
  })
  const frames = run.captures.flatMap((capture) => {
    const id = writer.addInterface({ name: `${capture.host}:${capture.interface}` })
    return capture.frames.map((frame) => ({ id, frame }))
  })
  frames.sort((a, b) => a.frame.s - b.frame.s || a.frame.ns - b.frame.ns)
  for (const { id, frame } of frames) writer.writeBytes(id, run.start + frame.s, frame.ns, frame.bytes)
  return writer.bytes()
}
