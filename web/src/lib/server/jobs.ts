/** What is done in the background of this process: it begins with the first who needs it, and ends with the server. */
import { announce, type Jobs, startJobs } from '#reading/jobs'
import type { Store } from '#reading/store'
import { env } from '$env/dynamic/private'

let working: Promise<Jobs> | undefined

/** The queue, and those who work on it. */
export function jobsOf(store: Store): Promise<Jobs> {
  working ??= startJobs(store, {
    ...(env['DATABASE_URL'] ? { url: env['DATABASE_URL'] } : {}),
    allowPrivate: allowPrivate(),
    fetchPages: env['KAIDOKU_FETCH'] !== '0',
    periodic: env['KAIDOKU_FETCH'] !== '0',
  }).catch((error: unknown) => {
    working = undefined
    throw error
  })
  return working
}

/** Whether addresses of private networks are asked, and told. */
export const allowPrivate = () => env['KAIDOKU_ALLOW_PRIVATE'] === '1'

/** Tells a user's webhooks of what happened; nobody waits for it. */
export function tell(store: Store, by: number, event: string, data: object): void {
  jobsOf(store)
    .then(({ queue }) => announce(store, queue, by, event, data))
    .catch((error: unknown) => console.error(`webhooks: ${error instanceof Error ? error.message : error}`))
}

/** Ends what is in hand; before the store is closed. */
export async function stopJobs(): Promise<void> {
  const jobs = await working?.catch(() => undefined)
  await jobs?.stop()
}
