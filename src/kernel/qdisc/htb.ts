/**
 * Hierarchical token bucket: classes with a rate that they have for themselves, and a ceiling up to which they borrow what
 * others leave.
 *
 * A leaf that has packets is active. While it has tokens it stands in a row of its own level; while it has to borrow it stands
 * in a feed of its parent, which may stand in a row of the parent's level, and so on. Rows are served from the lowest level
 * and the smallest priority; within one, leaves take turns by quantum.
 *
 * Linux 6.1 net/sched/sch_htb.c.
 */
import { type Refusal, refuse } from '#kernel/net'
import { TC_ACT_SHOT, TC_ACT_STOLEN } from './actions.ts'
import { ClassHash } from './class-hash.ts'
import { FilterList } from './classifier.ts'
import { Fifo, Row } from './fifo.ts'
import { nsToTicks, Rate, type RateSpec, ticksToNs } from './rate.ts'
import {
  type Classes,
  type ClassMessage,
  count,
  type Data,
  type Item,
  isDrop,
  major,
  makeHandle,
  NET_XMIT_BYPASS,
  NET_XMIT_STOLEN,
  NET_XMIT_SUCCESS,
  newCounters,
  Sch,
  TC_H_ROOT,
} from './sch.ts'

const LEVELS = 8
const PRIORITIES = 8
const MINUTE_NS = 60e9
const INT_MAX = 2 ** 31 - 1

type Mode = 'can send' | 'may borrow' | "can't send"

/** Classes by number, and whose turn it is. */
class Feed {
  readonly classes: HtbClass[] = []
  /** Whose turn; undefined: the first, or whoever follows `lastId`. */
  turn: HtbClass | undefined = undefined
  lastId = 0

  add(cl: HtbClass): void {
    let at = this.classes.length
    while (at > 0 && this.classes[at - 1]!.classid > cl.classid) at--
    this.classes.splice(at, 0, cl)
  }

  remove(cl: HtbClass): void {
    const at = this.classes.indexOf(cl)
    if (at >= 0) this.classes.splice(at, 1)
  }

  /** The turn goes to the next; at the end to nobody. htb_next_rb_node(). */
  next(): void {
    if (this.turn === undefined) return
    this.turn = this.classes[this.classes.indexOf(this.turn) + 1]
  }
}

export class HtbClass {
  readonly classid: number
  readonly parent: HtbClass | undefined
  level = 0
  children = 0
  bound = 0
  readonly filters = new FilterList()
  leaf: Sch
  rate = new Rate({ rate: 1 })
  ceil = new Rate({ rate: 1 })
  given: Data = {}
  bufferNs = 0
  cbufferNs = 0
  tokens = 0
  ctokens = 0
  checkedNs = 0
  mode: Mode = 'can send'
  quantum = 0
  priority = 0
  readonly deficits: number[] = new Array(LEVELS).fill(0)
  /** Priorities in which it has something to send; bits. */
  activity = 0
  readonly feeds: Feed[] = []
  /** When its mode may change; it stands in the queue of its level then. */
  eventNs = 0
  waits = false
  readonly counters = newCounters()
  drops = 0
  overlimits = 0
  lends = 0
  borrows = 0

  constructor(classid: number, parent: HtbClass | undefined, leaf: Sch) {
    this.classid = classid
    this.parent = parent
    this.leaf = leaf
    for (let i = 0; i < PRIORITIES; i++) this.feeds.push(new Feed())
  }
}

export class Htb extends Sch {
  readonly kind = 'htb'
  #r2q = 10
  #default = 0
  #directLength = 0
  #directPackets = 0
  readonly #direct = new Row()
  readonly #classes = new ClassHash<HtbClass>()
  readonly filters = new FilterList()
  /** Rows by level and priority. */
  readonly #rows: Feed[][] = Array.from({ length: LEVELS }, () => Array.from({ length: PRIORITIES }, () => new Feed()))
  readonly #waiting: HtbClass[][] = Array.from({ length: LEVELS }, () => [])
  readonly #nextEvent: number[] = new Array(LEVELS).fill(0)
  #now = 0

  override classes: Classes = {
    find: (classid) => this.#classes.get(makeHandle(this.handle, classid)),
    leaf: (cl) => ((cl as HtbClass).level === 0 ? (cl as HtbClass).leaf : undefined),
    graft: (cl, sch) => {
      const own = cl as HtbClass
      const old = own.leaf
      own.leaf = sch ?? this.#defaultLeaf(own.classid)
      if (old.qlen > 0) old.reduceBacklog(old.qlen, old.backlog)
      old.reset()
      return old
    },
    list: () => this.#list(),
    change: (classid, parent, cl, options) => this.#changeClass(classid, parent, cl as HtbClass | undefined, options),
    remove: (cl) => this.#removeClass(cl as HtbClass),
    filters: (cl) => (cl === undefined ? this.filters : (cl as HtbClass).filters),
    bind: (cl, by) => {
      ;(cl as HtbClass).bound += by
    },
    emptied: (cl) => this.#deactivate(cl as HtbClass),
  }

  /** defaultClass: a minor number; r2q; directLength. */
  change(options: Data, fresh: boolean): Refusal | undefined {
    if (!fresh) return refuse('EOPNOTSUPP', 'Change operation not supported by specified qdisc')
    this.#r2q = (options['r2q'] as number | undefined) ?? 10
    this.#default = (options['defaultClass'] as number | undefined) ?? 0
    this.#directLength = (options['directLength'] as number | undefined) ?? this.device.txqlen
    this.#nextEvent.fill(0)
    return undefined
  }

  options(): Data {
    return {
      r2q: this.#r2q,
      defaultClass: this.#default,
      directPackets: this.#directPackets,
      directLength: this.#directLength,
    }
  }

  #defaultLeaf(classid: number): Sch {
    const leaf = new Fifo(this.tree, 'pfifo')
    leaf.hidden = true
    leaf.parent = classid
    return leaf
  }

  // Classes.

  #changeClass(classid: number, parentId: number, cl: HtbClass | undefined, options: Data): Refusal | undefined {
    const rate = options['rate'] as RateSpec
    const ceil = options['ceil'] as RateSpec
    const buffer = ticksToNs(options['bufferTicks'] as number)
    const cbuffer = ticksToNs(options['cbufferTicks'] as number)
    const parent = parentId === TC_H_ROOT ? undefined : this.#classes.get(makeHandle(this.handle, parentId))
    if (!rate?.rate || !ceil?.rate) return refuse('EINVAL')
    let own = cl
    if (own === undefined) {
      if (classid === 0 || major(classid) !== this.handle || this.#classes.has(classid)) return refuse('EINVAL')
      if (parent?.parent && parent.parent.level < 2) {
        this.device.host.log(3, 'htb: tree is too deep')
        return refuse('EINVAL')
      }
      if (parent && parent.level === 0) this.#becomeInner(parent)
      own = new HtbClass(classid, parent, this.#defaultLeaf(classid))
      if (parent) parent.children++
      own.tokens = buffer
      own.ctokens = cbuffer
      own.checkedNs = this.nowNs
      this.#classes.add(own)
    }
    own.given = { ...options }
    own.rate = new Rate(rate)
    own.ceil = new Rate(ceil)
    this.#setQuantum(own, options)
    own.bufferNs = buffer
    own.cbufferNs = cbuffer
    return undefined
  }

  #setQuantum(own: HtbClass, options: Data): void {
    if (own.level > 0) return
    const given = (options['quantum'] as number | undefined) ?? 0
    let quantum = Math.min(Math.floor(own.rate.bytesPerS / this.#r2q), INT_MAX)
    if (given > 0) quantum = given
    else if (quantum < 1000 || quantum > 200_000) {
      const what = quantum < 1000 ? 'small' : 'big'
      this.device.host.log(
        4,
        `HTB: quantum of class ${own.classid.toString(16).toUpperCase().padStart(5, '0')} is ${what}. Consider r2q change.`,
      )
      quantum = quantum < 1000 ? 1000 : 200_000
    }
    own.quantum = quantum
    own.priority = Math.min((options['prio'] as number | undefined) ?? 0, PRIORITIES - 1)
  }

  #becomeInner(parent: HtbClass): void {
    const { qlen, backlog } = parent.leaf
    parent.leaf.reset()
    parent.leaf.reduceBacklog(qlen, backlog)
    if (parent.activity !== 0) this.#deactivate(parent)
    if (parent.mode !== 'can send') this.#stopWaiting(parent)
    parent.mode = 'can send'
    parent.level = (parent.parent ? parent.parent.level : LEVELS) - 1
  }

  #removeClass(cl: HtbClass): Refusal | undefined {
    if (cl.children > 0 || cl.bound > 0) return refuse('EBUSY')
    if (cl.level === 0) {
      const { qlen, backlog } = cl.leaf
      if (!cl.leaf.hidden) this.tree.forget(cl.leaf)
      else cl.leaf.reset()
      cl.leaf.reduceBacklog(qlen, backlog)
    }
    this.#classes.delete(cl)
    const { parent } = cl
    if (cl.activity !== 0) this.#deactivate(cl)
    if (cl.mode !== 'can send') this.#stopWaiting(cl)
    if (parent && --parent.children === 0) {
      // The last child: the parent is a leaf again.
      if (parent.mode !== 'can send') this.#stopWaiting(parent)
      parent.level = 0
      parent.leaf = this.#defaultLeaf(parent.classid)
      parent.tokens = parent.bufferNs
      parent.ctokens = parent.cbufferNs
      parent.checkedNs = this.nowNs
      parent.mode = 'can send'
      this.#setQuantum(parent, parent.given)
    }
    return undefined
  }

  #list(): ClassMessage[] {
    return [...this.#classes].map((cl) => ({
      classid: cl.classid,
      parent: cl.parent?.classid ?? TC_H_ROOT,
      leaf: cl.level === 0 && !cl.leaf.hidden ? cl.leaf.handle : 0,
      options: { ...cl.given, quantum: cl.quantum, prio: cl.priority, level: cl.level },
      counters: cl.counters,
      queue: {
        qlen: cl.level === 0 ? cl.leaf.qlen : 0,
        backlog: cl.level === 0 ? cl.leaf.backlog : 0,
        drops: cl.drops,
        overlimits: cl.overlimits,
        requeues: 0,
      },
      xstats: {
        lended: cl.lends,
        borrowed: cl.borrows,
        giants: 0,
        tokens: clampTicks(cl.tokens),
        ctokens: clampTicks(cl.ctokens),
      },
    }))
  }

  // In.

  enqueue(item: Item): number {
    const target = this.#classify(item)
    if (target === 'direct') {
      if (this.#direct.length >= this.#directLength) return this.drop()
      this.#direct.push(item)
      this.#directPackets++
    } else if (typeof target === 'number') {
      if (target & NET_XMIT_BYPASS) this.drops++
      return target
    } else {
      const code = target.leaf.enqueue(item)
      if (code !== NET_XMIT_SUCCESS) {
        if (isDrop(code)) {
          this.drops++
          target.drops++
        }
        return code
      }
      this.#activate(target)
    }
    this.backlog += item.length
    this.qlen++
    return NET_XMIT_SUCCESS
  }

  #classify(item: Item): HtbClass | 'direct' | number {
    const { priority } = item.packet
    if (priority === this.handle) return 'direct'
    let list = this.filters
    const chosen = this.#classes.get(priority >>> 0)
    if (chosen) {
      if (chosen.level === 0) return chosen
      list = chosen.filters
    }
    item.timeNs = this.nowNs
    for (let found = list.classify(item, this.handle); found; found = list.classify(item, this.handle)) {
      if (found.verdict === TC_ACT_STOLEN) return NET_XMIT_SUCCESS | NET_XMIT_STOLEN
      if (found.verdict === TC_ACT_SHOT) return NET_XMIT_SUCCESS | NET_XMIT_BYPASS
      if (found.classid === this.handle) return 'direct'
      const cl = this.#classes.get(found.classid)
      if (!cl) break
      if (cl.level === 0) return cl
      if (cl.filters === list) break
      list = cl.filters
    }
    const fallback = this.#classes.get(makeHandle(this.handle, this.#default))
    return fallback === undefined || fallback.level > 0 ? 'direct' : fallback
  }

  #activate(cl: HtbClass): void {
    if (cl.activity !== 0) return
    cl.activity = 1 << cl.priority
    this.#activatePriorities(cl)
  }

  #deactivate(cl: HtbClass): void {
    if (cl.activity === 0) return
    this.#deactivatePriorities(cl)
    cl.activity = 0
  }

  #activatePriorities(from: HtbClass): void {
    let cl = from
    let mask = from.activity
    for (let above = cl.parent; cl.mode === 'may borrow' && above && mask !== 0; above = cl.parent) {
      for (let priority = 0; priority < PRIORITIES; priority++) {
        if ((mask & (1 << priority)) === 0) continue
        const feed = above.feeds[priority]!
        if (feed.classes.length > 0) mask &= ~(1 << priority)
        feed.add(cl)
      }
      above.activity |= mask
      cl = above
    }
    if (cl.mode === 'can send') for (const row of this.#rowsOf(cl, mask)) row.add(cl)
  }

  #deactivatePriorities(from: HtbClass): void {
    let cl = from
    let mask = from.activity
    for (let above = cl.parent; cl.mode === 'may borrow' && above && mask !== 0; above = cl.parent) {
      let emptied = 0
      for (let priority = 0; priority < PRIORITIES; priority++) {
        if ((mask & (1 << priority)) === 0) continue
        const feed = above.feeds[priority]!
        if (feed.turn === cl) {
          feed.lastId = cl.classid
          feed.turn = undefined
        }
        feed.remove(cl)
        if (feed.classes.length === 0) emptied |= 1 << priority
      }
      mask = emptied
      above.activity &= ~mask
      cl = above
    }
    if (cl.mode !== 'can send') return
    for (const row of this.#rowsOf(cl, mask)) {
      if (row.turn === cl) row.next()
      row.remove(cl)
    }
  }

  #rowsOf(cl: HtbClass, mask: number): Feed[] {
    return this.#rows[cl.level]!.filter((_row, priority) => (mask & (1 << priority)) !== 0)
  }

  // Tokens.

  /** What it may do, and how long until that changes. htb_class_mode(). */
  #modeOf(cl: HtbClass, elapsed: number): { mode: Mode; waitNs: number } {
    const ceil = cl.ctokens + elapsed
    if (ceil < 0) return { mode: "can't send", waitNs: -ceil }
    const own = cl.tokens + elapsed
    if (own >= 0) return { mode: 'can send', waitNs: elapsed }
    return { mode: 'may borrow', waitNs: -own }
  }

  #changeMode(cl: HtbClass, elapsed: number): number {
    const { mode, waitNs } = this.#modeOf(cl, elapsed)
    if (mode === cl.mode) return waitNs
    if (mode === "can't send") {
      cl.overlimits++
      this.overlimits++
    }
    if (cl.activity !== 0) {
      if (cl.mode !== "can't send") this.#deactivatePriorities(cl)
      cl.mode = mode
      if (mode !== "can't send") this.#activatePriorities(cl)
    } else cl.mode = mode
    return waitNs
  }

  #waitFor(cl: HtbClass, delayNs: number): void {
    cl.eventNs = this.#now + delayNs
    if (cl.eventNs === this.#now) cl.eventNs++
    if (this.#nextEvent[cl.level]! > cl.eventNs) this.#nextEvent[cl.level] = cl.eventNs
    const queue = this.#waiting[cl.level]!
    let at = queue.length
    while (at > 0 && queue[at - 1]!.eventNs > cl.eventNs) at--
    queue.splice(at, 0, cl)
    cl.waits = true
  }

  #stopWaiting(cl: HtbClass): void {
    if (!cl.waits) return
    cl.waits = false
    const queue = this.#waiting[cl.level]!
    const at = queue.indexOf(cl)
    if (at >= 0) queue.splice(at, 1)
  }

  /** A packet of a leaf was sent at some level: it and all above pay. htb_charge_class(). */
  #charge(leaf: HtbClass, level: number, item: Item): void {
    for (let cl: HtbClass | undefined = leaf; cl; cl = cl.parent) {
      const elapsed = Math.min(this.#now - cl.checkedNs, MINUTE_NS)
      if (cl.level >= level) {
        if (cl.level === level) cl.lends++
        cl.tokens = pay(cl.tokens, elapsed, cl.bufferNs, cl.rate.timeOf(item.length))
      } else {
        cl.borrows++
        cl.tokens += elapsed
      }
      cl.ctokens = pay(cl.ctokens, elapsed, cl.cbufferNs, cl.ceil.timeOf(item.length))
      cl.checkedNs = this.#now
      const before = cl.mode
      const waitNs = this.#changeMode(cl, 0)
      if (before !== cl.mode) {
        if (before !== 'can send') this.#stopWaiting(cl)
        if (cl.mode !== 'can send') this.#waitFor(cl, waitNs)
      }
      if (cl.level > 0) count(cl.counters, item)
    }
  }

  /** Whose time has come; when the next one's does, or 0. htb_do_events(). */
  #doEvents(level: number): number {
    const queue = this.#waiting[level]!
    for (;;) {
      const cl = queue[0]
      if (cl === undefined) return 0
      if (cl.eventNs > this.#now) return cl.eventNs
      this.#stopWaiting(cl)
      const waitNs = this.#changeMode(cl, Math.min(this.#now - cl.checkedNs, MINUTE_NS))
      if (cl.mode !== 'can send') this.#waitFor(cl, waitNs)
    }
  }

  // Out.

  protected take(): Item | undefined {
    const direct = this.#direct.shift()
    if (direct) return this.#sent(direct)
    if (this.qlen === 0) return undefined
    this.#now = this.nowNs
    let next = this.#now + 5e9
    for (let level = 0; level < LEVELS; level++) {
      let event = this.#nextEvent[level]!
      if (this.#now >= event) {
        event = this.#doEvents(level)
        if (event === 0) event = this.#now + 1e9
        this.#nextEvent[level] = event
      }
      if (next > event) next = event
      for (let priority = 0; priority < PRIORITIES; priority++) {
        if (this.#rows[level]![priority]!.classes.length === 0) continue
        const item = this.#takeFrom(priority, level)
        if (item) return this.#sent(item)
      }
    }
    this.watch(next)
    return undefined
  }

  #sent(item: Item): Item {
    this.qlen--
    this.backlog -= item.length
    count(this.counters, item)
    return item
  }

  /** The leaf whose turn it is. htb_lookup_leaf(). */
  #leafOf(priority: number, level: number): HtbClass | undefined {
    const stack: Feed[] = [this.#rows[level]![priority]!]
    for (let i = 0; i < 65535; i++) {
      const feed = stack[stack.length - 1]!
      if (feed.turn === undefined && feed.lastId !== 0) {
        feed.turn = feed.classes.find((cl) => cl.classid >= feed.lastId)
      }
      feed.lastId = 0
      if (feed.turn === undefined) {
        feed.turn = feed.classes[0]
        if (stack.length > 1) {
          stack.pop()
          stack[stack.length - 1]!.next()
        } else if (feed.turn === undefined) return undefined
        continue
      }
      const cl: HtbClass = feed.turn
      if (cl.level === 0) return cl
      stack.push(cl.feeds[priority]!)
    }
    return undefined
  }

  #takeFrom(priority: number, level: number): Item | undefined {
    const row = this.#rows[level]![priority]!
    let cl = this.#leafOf(priority, level)
    let start = cl
    let item: Item | undefined
    for (;;) {
      if (cl === undefined) return undefined
      if (cl.leaf.qlen === 0) {
        this.#deactivate(cl)
        if (row.classes.length === 0) return undefined
        const next = this.#leafOf(priority, level)
        if (cl === start) start = next
        cl = next
        continue
      }
      item = cl.leaf.dequeue()
      if (item) break
      // A leaf that has packets and gives none: others have their turn.
      this.#turnOf(cl, priority, level).next()
      cl = this.#leafOf(priority, level)
      if (cl === start) return undefined
    }
    count(cl.counters, item)
    cl.deficits[level]! -= item.length
    if (cl.deficits[level]! < 0) {
      cl.deficits[level]! += cl.quantum
      this.#turnOf(cl, priority, level).next()
    }
    if (cl.leaf.qlen === 0) this.#deactivate(cl)
    this.#charge(cl, level, item)
    return item
  }

  #turnOf(cl: HtbClass, priority: number, level: number): Feed {
    return level > 0 && cl.parent ? cl.parent.feeds[priority]! : this.#rows[0]![priority]!
  }

  override reset(): void {
    super.reset()
    this.#direct.clear()
    for (const cl of this.#classes) {
      if (cl.level === 0) cl.leaf.reset()
      cl.activity = 0
      cl.mode = 'can send'
      cl.waits = false
      for (const feed of cl.feeds) clear(feed)
    }
    for (const rows of this.#rows) for (const row of rows) clear(row)
    for (const queue of this.#waiting) queue.length = 0
  }
}

function clear(feed: Feed): void {
  feed.classes.length = 0
  feed.turn = undefined
  feed.lastId = 0
}

function pay(tokens: number, elapsed: number, most: number, cost: number): number {
  const left = Math.min(elapsed + tokens, most) - cost
  return left <= -MINUTE_NS ? 1 - MINUTE_NS : left
}

function clampTicks(ns: number): number {
  return Math.max(-(2 ** 31), Math.min(INT_MAX, nsToTicks(ns)))
}
