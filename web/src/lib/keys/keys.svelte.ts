/** What the page that is open does at each action of the key table. */
import { type KeyMap, rowsOf } from './maps.ts'
import { type Action, findMeaning, type Place, type Row } from './table.ts'

type Handlers = Partial<Record<Action, (key: string) => void>>

/** How long the beginning of a chord waits for its end. */
const CHORD_MS = 1500

let current: { place: Place; handlers: Handlers } | undefined
let rows: readonly Row[] = rowsOf('kaidoku')
let pending = ''
let forget: ReturnType<typeof setTimeout> | undefined

/** What has been pressed of a chord, for the page to show. */
export const chord = $state({ begun: '' })

/** From now on, keys are as this map has them. */
export function useKeyMap(map: KeyMap): void {
  rows = rowsOf(map)
}

/** The keys as they are now, for the help. */
export const rowsNow = (): readonly Row[] => rows

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
  if (event.defaultPrevented || event.metaKey || event.altKey || event.isComposing) return
  if (event.key === 'Shift' || event.key === 'Control') return
  const target = event.target as HTMLElement | null
  if (target?.closest('input:not([type="range"]):not([type="checkbox"]), textarea, select, [contenteditable], dialog'))
    return
  // Enter on a link or a button is the browser's own.
  if (event.key === 'Enter' && target?.closest('a, button, summary')) {
    if (!target.matches('a[data-entry]')) return
  }
  const key = (event.ctrlKey ? 'Ctrl-' : '') + (event.key === ' ' ? 'Space' : event.key)
  const places: Place[] = current ? [current.place, 'everywhere', 'go'] : ['everywhere', 'go']
  const begun = pending
  const chorded = begun ? findMeaning(rows, `${begun} ${key}`, places) : undefined
  const meaning = chorded ?? findMeaning(rows, key, places)
  wait(meaning === 'begun' ? (chorded ? `${begun} ${key}` : key) : '')
  if (!meaning) return
  if (meaning === 'begun') {
    event.preventDefault()
    return
  }
  const handler = current?.handlers[meaning.action] ?? general[meaning.action]
  if (!handler) return
  event.preventDefault()
  handler(event.key)
}

function wait(begun: string) {
  clearTimeout(forget)
  pending = begun
  chord.begun = begun
  if (begun) forget = setTimeout(() => wait(''), CHORD_MS)
}
