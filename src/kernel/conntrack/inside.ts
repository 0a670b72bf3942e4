/** What is tracked, for pages. */
import { type InsideRow, insideViews, type KernelImage } from '#kernel/core'
import { type ConnectionView, connections } from './view.ts'

function end(address: string, port: number): string {
  return port === 0 ? address : `${address}:${port}`
}

function row({ id, protocol, state, original, reply, replied, assured }: ConnectionView): InsideRow {
  const status = assured ? 'ASSURED' : replied ? '' : 'UNREPLIED'
  return {
    key: String(id),
    cells: [
      protocol,
      state,
      `${end(original.src, original.srcPort)} → ${end(original.dst, original.dstPort)}`,
      `${end(reply.src, reply.srcPort)} → ${end(reply.dst, reply.dstPort)}`,
      status,
    ],
  }
}

/** Adds the view of tracked connections. */
export function installInside(image: KernelImage): void {
  insideViews(image).set('conntrack', {
    columns: ['Protocol', 'State', 'Original', 'Reply', 'Status'],
    look(host) {
      const rows = connections(host).map(row)
      return rows.length > 0 ? rows : undefined
    },
  })
}
