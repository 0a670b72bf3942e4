/**
 * The panels beside the terminals, in the order of their tabs. To add one: a component that takes `{ desk }`, and a line
 * here; it is loaded when it is first looked at, and removed when another comes to the front.
 */
import type { Component } from 'svelte'
import { m } from '$lib/paraglide/messages'
import type { Desk } from './desk.svelte.ts'

export interface Panel {
  name: string
  label: () => string
  /** Undefined for packets: they are always there. */
  load?: () => Promise<{ default: Component<{ desk: Desk }> }>
}

export const PANELS: readonly Panel[] = [
  { name: 'packets', label: m.packets },
  { name: 'inside', label: m.inside, load: () => import('$lib/components/lab/Inside.svelte') },
  { name: 'lanes', label: m.lanes, load: () => import('$lib/components/lab/Lanes.svelte') },
]
