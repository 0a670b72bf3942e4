/**
 * Views into a running kernel, for who watches it: a page beside an article's terminals. Each room shows what it keeps
 * as a table; what it costs is paid only while somebody looks.
 *
 *     insideViews(image).set('neighbours', { columns: ['address', 'device'], look: (host) => [{ key, cells }] })
 */
import type { Host } from './host.ts'
import type { KernelImage } from './image.ts'
import type { KernelHost } from './kernel.ts'

/** A line of a view. */
export interface InsideRow {
  /** What it is about: two looks' rows of one key are the same thing, changed or not. */
  key: string
  /** One for each of the view's columns. */
  cells: string[]
  /** A number for pictures: a share, a count. */
  weight?: number
  /** The row that it stands under: a server under its service. */
  under?: string
}

export interface InsideView {
  /** The columns' names, in the field's own words. */
  columns: readonly string[]
  /** What there is to see at this moment; undefined if the host has nothing of the kind. */
  look(host: Host): InsideRow[] | undefined
}

/** What runs, unless nothing but init does; a host that was never asked has no processes at all. */
const processes: InsideView = {
  columns: ['PID', 'parent', 'state', 'command'],
  look(host) {
    const all = [...((host as KernelHost).runningMachine?.processes.values() ?? [])].filter(({ body }) => body)
    if (all.length === 0) return undefined
    return all.map(({ pid, parent, state, argv }) => {
      // Whether it runs or sleeps is another thing at each look.
      const stands = state === 'R' ? 'S' : state
      return { key: String(pid), cells: [String(pid), String(parent?.pid ?? 0), stands, argv.join(' ')] }
    })
  },
}

/** What processes have open, beyond their terminals. */
const openFiles: InsideView = {
  columns: ['PID', 'command', 'FD', 'file'],
  look(host) {
    const rows: InsideRow[] = []
    for (const { pid, argv, body, descriptors } of (host as KernelHost).runningMachine?.processes.values() ?? []) {
      if (!body) continue
      for (const [number, descriptor] of descriptors.entries()) {
        const path = descriptor?.file.description
        if (path === undefined || path.startsWith('/dev/')) continue
        rows.push({ key: `${pid} ${number}`, cells: [String(pid), argv[0] ?? '', String(number), path] })
      }
    }
    return rows.length > 0 ? rows : undefined
  },
}

/** An image's views by name, in the order in which rooms add them; after what the core itself keeps. */
export function insideViews(image: KernelImage): Map<string, InsideView> {
  return image.slot<Map<string, InsideView>>(
    'kernel/core inside views',
    () =>
      new Map([
        ['processes', processes],
        ['open files', openFiles],
      ]),
  )
}
