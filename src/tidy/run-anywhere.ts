/** An article's run as text, for whoever compares engines: the same in Node and in a browser. */
import { parseArticle } from '#article/format'
import { DEFAULT_START, runArticle, transcriptOf } from '#article/runner'
import { createSimBackend } from '#backend/sim'
import { formatHex } from '#base/bytes'

/** The transcript, and every frame of every capture with its stamp. */
export async function runAsText(text: string, file: string, seed: number): Promise<string> {
  const { article, mistakes } = parseArticle(text, file)
  if (mistakes.length > 0) throw mistakes[0]!
  const run = await runArticle(createSimBackend(), article, { seed, start: DEFAULT_START, capture: true })
  const frames = run.captures.map(({ host, interface: iface, frames }) => ({
    port: `${host}:${iface}`,
    frames: frames.map(({ s, ns, bytes }) => `${s}.${String(ns).padStart(9, '0')} ${formatHex(bytes)}`),
  }))
  return JSON.stringify({ transcript: transcriptOf(run), frames })
}
