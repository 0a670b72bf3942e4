/**
 * Seeds explored by as many processes as there are cores. A worker is this program again, told by its environment; it
 * parses the article once, and is given seeds in small batches, so that none waits for the slowest.
 */
import { type ChildProcess, fork } from 'node:child_process'
import type { FaultKind } from '#article/explore'

/** Set for a worker: main.ts then does as `exploreWorker` says. */
export const WORKER = 'KAIDOKU_EXPLORE_WORKER'

/** What a worker is given first. */
export interface WorkerJob {
  file: string
  invariants: string[]
  kinds: FaultKind[]
  time: number
  atOnce?: number
  /** JSON has no Infinity: -1 is the article's end. */
  untilLine?: number
  budget?: number
}

/** What a seed came to. */
export interface SeedResult {
  seed: number
  /** The invariant that it breaks. */
  broken?: string
  /** Why the run couldn't go on. */
  stopped?: string
  /** That was our own bug: its stack. */
  bug?: string
}

const BATCH = 8

export interface PoolOptions {
  job: WorkerJob
  jobs: number
  first: number
  count: number
  onResult(result: SeedResult): void
  /** Asked before each batch: no more, then. */
  enough(): boolean
  signal: AbortSignal
}

/** Explores all seeds; resolves when they are done, were enough, or were aborted. */
export async function explorePool({ job, jobs, first, count, onResult, enough, signal }: PoolOptions): Promise<void> {
  let next = first
  const end = first + count
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const child: ChildProcess = fork(process.argv[1]!, [], {
        // Labs come and go: a large nursery lets most of a run die young.
        execArgv: [...process.execArgv, '--max-semi-space-size=64'],
        env: { ...process.env, [WORKER]: '1' },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      const stop = () => child.kill()
      signal.addEventListener('abort', stop, { once: true })
      let done = false
      const more = () => {
        if (next >= end || enough() || signal.aborted) {
          done = true
          child.disconnect()
          return
        }
        const from = next
        next = Math.min(end, next + BATCH)
        child.send({ from, to: next })
      }
      child.on('message', (message: { results: SeedResult[] } | 'ready') => {
        if (message !== 'ready') message.results.forEach(onResult)
        more()
      })
      child.on('error', reject)
      child.on('exit', (code, killed) => {
        signal.removeEventListener('abort', stop)
        if (done || signal.aborted) resolve()
        else reject(new Error(`a worker ended with ${killed ?? `status ${code}`}`))
      })
      child.send(job)
    })
  await Promise.all(Array.from({ length: Math.max(1, Math.min(jobs, Math.ceil(count / BATCH))) }, one))
}
