/** What a run leaves on disk: captures and the transcript. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ArticleRun, type InterfaceCapture, transcriptOf } from '#article/runner'
import { writePcap } from '#wire/pcap'

/** Writes `HOST-IFACE.pcap` for every interface, and `transcript.json`. */
export async function writeRun(run: ArticleRun, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const capture of run.captures) {
    await writeFile(join(folder, `${capture.host}-${capture.interface}.pcap`), pcapOf(capture, run.start))
  }
  await writeFile(join(folder, 'transcript.json'), `${JSON.stringify(transcriptOf(run), null, 2)}\n`)
}

function pcapOf(capture: InterfaceCapture, start: number): Uint8Array {
  return writePcap(capture.frames.map(({ s, ns, bytes }) => ({ seconds: start + s, nanoseconds: ns, bytes })))
}
