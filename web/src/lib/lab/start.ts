/** Starts the lab's worker. Its address is known to the server too, so that the page can fetch it before it runs. */
import workerUrl from './worker.ts?worker&url'

export { workerUrl }

/** A new worker; the lab is built by what it is told first. */
export function startWorker(): Worker {
  return new Worker(workerUrl, { type: 'module', name: 'lab' })
}
