/** Starts the lab's worker. Its address is known to the server too, so that a page can start it before all else. */
import workerUrl from './worker.ts?worker&url'

export { workerUrl }

/** A worker that knows of no lab yet; the first thing that it is told builds one. */
export function startWorker(): Worker {
  const page = window as typeof window & { kaidokuLab?: Worker }
  const worker = page.kaidokuLab ?? new Worker(workerUrl, { type: 'module', name: 'lab' })
  page.kaidokuLab = undefined
  return worker
}
