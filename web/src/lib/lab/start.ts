/** Starts the lab's worker. Its address is known to the server too, so that the page can fetch it before it runs. */
import workerUrl from './worker.ts?worker&url'

export { workerUrl }

// A page that was opened as an article starts its worker with its script, while its components come to life.
let early = typeof Worker !== 'undefined' && location.pathname.includes('/articles/') ? create() : undefined

function create(): Worker {
  performance.mark('lab-started')
  return new Worker(workerUrl, { type: 'module', name: 'lab' })
}

/** A worker that knows of no lab yet; the first thing that it is told builds one. */
export function startWorker(): Worker {
  const worker = early ?? create()
  early = undefined
  return worker
}
