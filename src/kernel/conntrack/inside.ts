/** What is tracked, for pages. */
import { type InsideRow, insideViews, type KernelImage } from '#kernel/core'
import { type ConnectionView, connections } from './view.ts'

function end(address: string, port: number): string {
  return port === 0 ? address : `${address}:${port}`
}

/** A direction's addresses; of ICMP, whose query it is, for it has no ports. */
function ends(protocol: string, { src, dst, srcPort, dstPort }: ConnectionView['original']): string {
  if (protocol.startsWith('icmp')) return `${src} → ${dst} id ${srcPort}`
  return `${end(src, srcPort)} → ${end(dst, dstPort)}`
}

function row({ id, protocol, state, original, reply, replied, assured }: ConnectionView): InsideRow {
  const status = assured ? 'ASSURED' : replied ? '' : 'UNREPLIED'
  return {
    key: String(id),
    cells: [protocol, state, ends(protocol, original), ends(protocol, reply), status],
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
