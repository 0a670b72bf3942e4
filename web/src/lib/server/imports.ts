/** Imports of this server, one after the other; those that a kill left half way are taken up when it starts. */
import { runImport } from '#reading/carry'
import type { Store } from '#reading/store'
import { announce } from './webhooks.ts'

let last: Promise<void> = Promise.resolve()

/** Runs an import when those before it are done. */
export function startImport(store: Store, by: number, id: number): void {
  last = last
    .then(() => runImport(store, id))
    .then(() => announce(store, by, 'import.done', { id }))
    .catch((error: unknown) => console.error(`import ${id}: ${error instanceof Error ? error.message : error}`))
}

/** Takes up what a kill left. */
export async function resumeImports(store: Store): Promise<void> {
  for (const id of await store.imports.unfinished()) startImport(store, (await store.imports.open(id))?.userId ?? 0, id)
}
