/** What the page that is open does at each action of the key table. */
import { type Action, findAction, type Place } from './table.ts'

type Handlers = Partial<Record<Action, (key: string) => void>>

let current: { place: Place; handlers: Handlers } | undefined

/** For the life of a component: `$effect(() => listenFor('list', { 'next-entry': ... }))`. */
export function listenFor(place: Place, handlers: Handlers): () => void {
  const mine = { place, handlers }
  current = mine
  return () => {
    if (current === mine) current = undefined
  }
}

/** Where a help should begin. */
export const placeNow = (): Place | undefined => current?.place

/** For the window: leaves alone what is typed into a field, and what a modifier makes another's key. */
export function dispatchKey(event: KeyboardEvent, general: Handlers): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
  const target = event.target as HTMLElement | null
  if (target?.closest('input:not([type="range"]), textarea, select, [contenteditable], dialog')) return
  const action = findAction(event.key, current ? ['everywhere', current.place] : ['everywhere'])
  const handler = action && (current?.handlers[action] ?? general[action])
  if (!handler) return
  event.preventDefault()
  handler(event.key)
}
