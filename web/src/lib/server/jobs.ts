/** What is done in the background of this process: it begins with the first who needs it, and ends with the server. */
import { type Jobs, startJobs } from '#reading/jobs'
import type { Store } from '#reading/store'
import { env } from '$env/dynamic/private'

let working: Promise<Jobs> | undefined

/** The queue, and those who work on it. */
export function jobsOf(store: Store): Promise<Jobs> {
  working ??= startJobs(store, {
    ...(env['DATABASE_URL'] ? { url: env['DATABASE_URL'] } : {}),
    allowPrivate: env['KAIDOKU_ALLOW_PRIVATE'] === '1',
    fetchPages: env['KAIDOKU_FETCH'] !== '0',
    periodic: env['KAIDOKU_FETCH'] !== '0',
  }).catch((error: unknown) => {
    working = undefined
    throw error
  })
  return working
}

/** Ends what is in hand; before the store is closed. */
export async function stopJobs(): Promise<void> {
  const jobs = await working?.catch(() => undefined)
  await jobs?.stop()
}
