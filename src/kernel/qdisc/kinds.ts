/** The kinds of disciplines that `tc qdisc add` knows. */
import type { DeviceQdiscs } from './device-qdiscs.ts'
import { Fifo, NoQueue, PfifoFast } from './fifo.ts'
import { FqCodel } from './fq-codel.ts'
import { Htb } from './htb.ts'
import { Ingress } from './ingress.ts'
import { Netem } from './netem.ts'
import { Prio } from './prio.ts'
import type { Sch } from './sch.ts'
import { Sfq } from './sfq.ts'
import { Tbf } from './tbf.ts'

export const KINDS: Readonly<Record<string, (tree: DeviceQdiscs) => Sch>> = {
  pfifo: (tree) => new Fifo(tree, 'pfifo'),
  bfifo: (tree) => new Fifo(tree, 'bfifo'),
  noqueue: (tree) => new NoQueue(tree),
  pfifo_fast: (tree) => new PfifoFast(tree),
  fq_codel: (tree) => new FqCodel(tree),
  htb: (tree) => new Htb(tree),
  netem: (tree) => new Netem(tree),
  prio: (tree) => new Prio(tree),
  sfq: (tree) => new Sfq(tree),
  tbf: (tree) => new Tbf(tree),
  ingress: (tree) => new Ingress(tree, 'ingress'),
  clsact: (tree) => new Ingress(tree, 'clsact'),
}

/** What Linux has, and this doesn't. */
export const NOT_MODELLED: ReadonlySet<string> = new Set(
  'cake cbq cbs choke codel drr dsmark etf ets fq fq_pie gred hfsc hhf mqprio multiq mq pie plug qfq red sfb skbprio taprio teql0'.split(
    ' ',
  ),
)
