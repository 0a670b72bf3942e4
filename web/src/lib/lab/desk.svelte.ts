/**
 * What the parts of the lab's page share beside the lab itself: the host and the packet that are looked at, which panel
 * is in front, and how the room is divided. How it is divided is remembered by the browser, for all articles.
 */
import type { LabView } from '$lib/article.ts'
import type { Lab } from './lab.svelte.ts'
import type { RecordedFrame } from './recording.ts'

/** Shares of the page, in hundredths: the lab's of its width, the picture's and the terminals' of the lab's height. */
export interface Layout {
  lab: number
  picture: number
  terminals: number
}

export const USUAL: Layout = { lab: 52, picture: 30, terminals: 33 }
const KEY = 'kaidoku-layout'
/** Nothing is made so small that it can't be found again. */
export const LEAST = 8
const LEAST_LAB = 25
const MOST_LAB = 80

export class Desk {
  readonly view: LabView
  readonly hosts: string[]
  lab = $state.raw<Lab>()
  /** The host whose terminal and tables are shown. */
  active = $state('')
  selected = $state.raw<RecordedFrame>()
  /** Which packets are listed: a display filter. */
  filter = $state('')
  /** The panel beside the terminals; on a narrow screen there is room for one thing at a time, `shown`. */
  below = $state('packets')
  shown = $state('picture')
  layout = $state<Layout>({ ...USUAL })
  /** Set by the panel of terminals: shows a host's and puts the cursor into it. */
  focusTerminal: (host: string) => void = () => {}

  constructor(view: LabView) {
    this.view = view
    this.hosts = view.plan.hosts.map(({ name }) => name)
    this.active = this.hosts[0] ?? ''
  }

  /** Brings a panel to the front, by its name in `panels.ts`. */
  see(panel: string): void {
    this.shown = panel
    if (panel !== 'picture' && panel !== 'terminals') this.below = panel
  }

  /** Shows a packet. */
  look(frame: RecordedFrame | undefined): void {
    this.selected = frame
    if (frame) this.see('packets')
  }

  /** Goes to a host's terminal. */
  type(host: string): void {
    this.active = host
    this.shown = 'terminals'
    this.focusTerminal(host)
  }

  /** Moves one border; what is on its other side gives way. */
  divide(border: keyof Layout, share: number): void {
    const { layout } = this
    if (border === 'lab') layout.lab = between(share, LEAST_LAB, MOST_LAB)
    else if (border === 'picture') {
      const both = layout.picture + layout.terminals
      layout.picture = between(share, LEAST, both - LEAST)
      layout.terminals = both - layout.picture
    } else layout.terminals = between(share, LEAST, 100 - LEAST - layout.picture)
  }

  /** As it was left last time. */
  remember(): void {
    try {
      const kept: Partial<Layout> = JSON.parse(localStorage.getItem(KEY) ?? '{}')
      for (const border of ['lab', 'picture', 'terminals'] as const) {
        const share = kept[border]
        if (typeof share === 'number' && Number.isFinite(share)) this.layout[border] = share
      }
      this.divide('lab', this.layout.lab)
      this.layout.picture = between(this.layout.picture, LEAST, 100 - 2 * LEAST)
      this.divide('terminals', this.layout.terminals)
    } catch {
      this.layout = { ...USUAL } // Storage that is forbidden, or holds something else.
    }
  }

  keep(): void {
    try {
      localStorage.setItem(KEY, JSON.stringify(this.layout))
    } catch {
      // Then it is forgotten.
    }
  }
}

const between = (share: number, least: number, most: number) => Math.max(least, Math.min(most, share))
