/** The counters behind a discipline or a class. iproute2 6.1 tc/tc_util.c: print_tcstats2_attr() */
import type { Counters, QueueStats } from '#kernel/qdisc'
import type { Output } from '#user/iproute2'
import { formatSize } from './units.ts'

export function showStatistics(out: Output, counters: Counters, queue: QueueStats): void {
  out.field('bytes', counters.bytes, ` Sent ${counters.bytes} bytes`)
  out.field('packets', counters.packets, ` ${counters.packets} pkt`)
  out.field('drops', queue.drops, ` (dropped ${queue.drops}`)
  out.field('overlimits', queue.overlimits, `, overlimits ${queue.overlimits}`)
  out.field('requeues', queue.requeues, ` requeues ${queue.requeues}) `)
  out.text('\n')
  out.field('backlog', queue.backlog, ` backlog ${formatSize(queue.backlog)}`)
  out.field('qlen', queue.qlen, ` ${queue.qlen}p`)
  out.text(` requeues ${queue.requeues}\n`)
}
