/**
 * Cold start: `kaidoku run` on a small article as a process of its own, again and again; what a reader waits for, and
 * what the process needs at most. Wall-clock time, so the machine should have nothing else to do; the fastest run says most.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'

interface Start {
  firstMs: number
  peakKb: number
}

/** Printed when the process ends, after what the article printed. */
const TELL = `data:text/javascript,process.on('exit',()=>console.error('peak_kb='+process.resourceUsage().maxRSS))`

function start(article: string): Promise<Start> {
  return new Promise((resolve, reject) => {
    const began = performance.now()
    let firstMs = 0
    let errors = ''
    const child = spawn(process.execPath, ['--import', TELL, 'bin/kaidoku.js', 'run', '-q', article], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.once('data', () => {
      firstMs = performance.now() - began
    })
    child.stderr.on('data', (data) => {
      errors += String(data)
    })
    child.on('error', reject)
    child.on('close', (status) => {
      const peak = /peak_kb=(\d+)/.exec(errors)
      if (status !== 0 || !peak) reject(new Error(`start: kaidoku ended with ${status}: ${errors}`))
      else resolve({ firstMs, peakKb: Number(peak[1]) })
    })
  })
}

/** Runs the workload, once more than asked: the first run fills the file cache and doesn't count. */
export async function startBench(options: Record<string, string>): Promise<Record<string, number | string>> {
  const runs = Number(options['runs'] ?? 9)
  const article = options['article'] ?? 'src/backend/conformance/ip/ttl.md'
  readFileSync(article) // Says at once if it isn't there.
  await start(article)
  const starts: Start[] = []
  for (let i = 0; i < runs; i++) starts.push(await start(article))
  const times = starts.map(({ firstMs }) => firstMs).sort((a, b) => a - b)
  return {
    article,
    runs,
    first_output_ms: Math.round(times[runs >> 1]!),
    fastest_ms: Math.round(times[0]!),
    peak_kb: Math.max(...starts.map(({ peakKb }) => peakKb)),
  }
}
