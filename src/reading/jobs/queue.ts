/**
 * Work that waits: one face, two engines. With PGlite the process that holds the database works through a table of its own;
 * with PostgreSQL pg-boss does, and several processes may share. Either way a job is a row: whoever dies in the middle of one
 * leaves it, and it is taken again.
 */
import type { Store } from '#reading/store'

export interface QueuedJob {
  kind: string
  payload: Record<string, unknown>
  /** From 1. */
  attempt: number
}

/** What becomes of a job: nothing returned, it is done; `againAtMs`, it is put back, with another payload if given. */
export type Outcome = undefined | { againAtMs: number; payload?: Record<string, unknown> }
export type Handler = (job: QueuedJob, signal: AbortSignal) => Promise<Outcome>

export interface Queue {
  /** Adds a job; of one kind and key only one waits. */
  add(kind: string, payload: Record<string, unknown>, options?: { key?: string; runAtMs?: number }): Promise<void>
  /** Begins to work. */
  start(handlers: Readonly<Record<string, Handler>>): Promise<void>
  /** Takes no more; what is in hand is told to end, and comes again. */
  stop(): Promise<void>
  /** Resolves when nothing waits whose time has come: for tests and commands. */
  idle(): Promise<void>
}

/** How long a job may be in hand before somebody else takes it. */
export const LEASE_MS = 10 * 60 * 1000
export const ATTEMPTS_MAX = 8

/** When a job that failed is tried again: 30 seconds, a minute, two, up to six hours. */
export function retryAtMs(attempt: number, nowMs: number): number {
  return nowMs + Math.min(30_000 * 2 ** (attempt - 1), 6 * 60 * 60 * 1000)
}

const IDLE_MS = 2000

/** The table of one's own. */
export function createTableQueue(
  store: Pick<Store, 'jobs'>,
  options: { workers?: number; now?: () => number } = {},
): Queue {
  const now = options.now ?? Date.now
  const stopping = new AbortController()
  const running: Promise<void>[] = []
  const wake: (() => void)[] = []
  let busy = 0
  const wakeAll = () => {
    for (const one of wake.splice(0)) one()
  }
  const pause = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, IDLE_MS)
      timer.unref()
      wake.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  const work = async (handlers: Readonly<Record<string, Handler>>) => {
    const kinds = Object.keys(handlers)
    while (!stopping.signal.aborted) {
      busy++
      let worked = false
      try {
        const job = await store.jobs.take(kinds, now(), LEASE_MS)
        if (job) {
          worked = true
          await run(handlers[job.kind]!, job)
        }
      } catch (error) {
        if (!stopping.signal.aborted) console.error(`jobs: ${(error as Error).message}`) // The database, not the job.
      } finally {
        busy--
      }
      if (!worked && !stopping.signal.aborted) await pause()
    }
  }
  const run = async (
    handler: Handler,
    job: { id: number; kind: string; payload: Record<string, unknown>; attempts: number },
  ) => {
    try {
      const outcome = await handler({ kind: job.kind, payload: job.payload, attempt: job.attempts }, stopping.signal)
      await store.jobs.finish(job.id)
      if (outcome)
        await store.jobs.add({ kind: job.kind, payload: outcome.payload ?? job.payload, runAtMs: outcome.againAtMs })
    } catch (error) {
      // Told to end: it stays ours until its lease is over, or until the room opens again.
      if (stopping.signal.aborted) return
      await store.jobs.fail(
        job.id,
        (error as Error).message,
        job.attempts >= ATTEMPTS_MAX ? undefined : retryAtMs(job.attempts, now()),
      )
    }
  }
  return {
    async add(kind, payload, { key, runAtMs } = {}) {
      await store.jobs.add({ kind, payload, runAtMs: runAtMs ?? now(), ...(key === undefined ? {} : { key }) })
      wakeAll()
    },
    async start(handlers) {
      for (let i = 0; i < (options.workers ?? 3); i++) running.push(work(handlers))
    },
    async stop() {
      stopping.abort()
      wakeAll()
      await Promise.allSettled(running)
    },
    async idle() {
      for (let calm = 0; calm < 3; ) {
        wakeAll()
        await new Promise((resolve) => setTimeout(resolve, 20))
        calm = busy === 0 ? calm + 1 : 0
      }
    },
  }
}

/** pg-boss, in the same database, in a schema of its own. */
export function createBossQueue(url: string): Queue {
  let started: Promise<InstanceType<typeof import('pg-boss')>> | undefined
  const stopping = new AbortController()
  const queues = new Map<string, Promise<unknown>>()
  let busy = 0
  const boss = () => {
    started ??= (async () => {
      const { default: PgBoss } = await import('pg-boss')
      const made = new PgBoss({ connectionString: url, schema: 'pgboss', max: 4 })
      made.on('error', (error) => console.error(`jobs: ${error.message}`))
      await made.start()
      return made
    })()
    return started
  }
  const queue = async (kind: string) => {
    const made = await boss()
    let ready = queues.get(kind)
    if (!ready) {
      // `short`: of one key only one waits.
      ready = made.createQueue(kind, {
        name: kind,
        policy: 'standard',
        retryLimit: ATTEMPTS_MAX - 1,
        retryDelay: 30,
        retryBackoff: true,
        expireInSeconds: LEASE_MS / 1000,
      })
      queues.set(kind, ready)
    }
    await ready
    return made
  }
  const add: Queue['add'] = async (kind, payload, { key, runAtMs } = {}) => {
    const made = await queue(kind)
    await made.send(kind, payload, {
      ...(key === undefined ? {} : { singletonKey: key, singletonSeconds: 1 }),
      ...(runAtMs === undefined ? {} : { startAfter: new Date(runAtMs) }),
    })
  }
  return {
    add,
    async start(handlers) {
      for (const [kind, handler] of Object.entries(handlers)) {
        const made = await queue(kind)
        await made.work<Record<string, unknown>>(
          kind,
          { batchSize: 1, includeMetadata: true, pollingIntervalSeconds: 1 } as never,
          async (jobs) => {
            busy++
            try {
              for (const job of jobs) {
                const attempt = ((job as { retryCount?: number }).retryCount ?? 0) + 1
                const outcome = await handler({ kind, payload: job.data, attempt }, stopping.signal)
                if (outcome) await add(kind, outcome.payload ?? job.data, { runAtMs: outcome.againAtMs })
              }
            } finally {
              busy--
            }
          },
        )
      }
    },
    async stop() {
      stopping.abort()
      await (await started)?.stop({ graceful: true, timeout: 5000 })
    },
    async idle() {
      const made = await boss()
      for (let calm = 0; calm < 3; ) {
        await new Promise((resolve) => setTimeout(resolve, 500))
        let waiting = 0
        for (const kind of queues.keys()) waiting += await made.getQueueSize(kind, { before: 'active' })
        calm = busy === 0 && waiting === 0 ? calm + 1 : 0
      }
    },
  }
}
