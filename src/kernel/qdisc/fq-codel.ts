/**
 * fq_codel: a queue with CoDel for each flow, served in turns, new flows first.
 * RFC 8290. Linux 6.1 net/sched/sch_fq_codel.c.
 */
import { type Refusal, refuse } from '#kernel/net'
import { ETH_P_IP, ETH_P_IPV6 } from '#wire/inet'
import { type CodelQueue, type CodelSettings, CodelState, codelDequeue, codelTime } from './codel.ts'
import { Row } from './fifo.ts'
import { flowHash } from './flows.ts'
import { count, type Data, type Item, NET_XMIT_CN, NET_XMIT_SUCCESS, Sch } from './sch.ts'

interface Flow {
  readonly row: Row
  readonly state: CodelState
  backlog: number
  deficit: number
  listed: boolean
}

export class FqCodel extends Sch {
  readonly kind = 'fq_codel'
  #limit = 10 * 1024
  #flowCount = 1024
  #quantum: number
  #memoryLimit = 32 << 20
  #dropBatch = 64
  readonly #settings: CodelSettings
  readonly #flows = new Map<number, Flow>()
  #fresh: Flow[] = []
  #old: Flow[] = []
  #newFlowCount = 0
  #overLimit = 0
  #maxPacket = 0
  #marks = 0
  #ceMarks = 0
  #memory = 0
  #seed: number | undefined

  constructor(tree: ConstructorParameters<typeof Sch>[0]) {
    super(tree)
    const ether = tree.device.looks.linkType === 'ether' || tree.device.looks.linkType === 'loopback'
    this.#quantum = tree.device.mtu + (ether ? 14 : 0)
    this.#settings = {
      target: codelTime(5e6),
      interval: codelTime(100e6),
      ceThreshold: Number.POSITIVE_INFINITY,
      mtu: this.#quantum,
      ecn: true,
    }
    this.canBypass = true
  }

  /** limit, flows, quantum, targetUs, intervalUs, memoryLimit, ecn, ceThresholdUs, dropBatch. */
  change(options: Data, fresh: boolean): Refusal | undefined {
    const number = (name: string) => options[name] as number | undefined
    if (number('flows') !== undefined) {
      if (!fresh) return refuse('EINVAL')
      if (number('flows')! < 1 || number('flows')! > 65536) return refuse('EINVAL')
      this.#flowCount = number('flows')!
    }
    if (number('targetUs') !== undefined) this.#settings.target = codelTime(number('targetUs')! * 1000)
    if (number('intervalUs') !== undefined) this.#settings.interval = codelTime(number('intervalUs')! * 1000)
    if (number('ceThresholdUs') !== undefined) this.#settings.ceThreshold = codelTime(number('ceThresholdUs')! * 1000)
    if (number('limit') !== undefined) this.#limit = number('limit')!
    if (options['ecn'] !== undefined) this.#settings.ecn = options['ecn'] as boolean
    if (number('quantum') !== undefined) this.#quantum = Math.max(256, number('quantum')!)
    if (number('dropBatch') !== undefined) this.#dropBatch = Math.max(1, number('dropBatch')!)
    if (number('memoryLimit') !== undefined) this.#memoryLimit = Math.min(2 ** 31, number('memoryLimit')!)
    this.canBypass = this.#limit >= 1
    while (this.qlen > this.#limit || this.#memory > this.#memoryLimit) {
      const item = this.dequeue()
      if (item === undefined) break
      this.reduceBacklog(1, item.length)
    }
    return undefined
  }

  options(): Data {
    const { target, interval, ceThreshold, ecn } = this.#settings
    const shown: Data = {
      limit: this.#limit,
      flows: this.#flowCount,
      quantum: this.#quantum,
      targetUs: Math.floor((target * 1024) / 1000),
      intervalUs: Math.floor((interval * 1024) / 1000),
      memoryLimit: this.#memoryLimit,
      ecn,
      dropBatch: this.#dropBatch,
    }
    if (Number.isFinite(ceThreshold)) shown['ceThresholdUs'] = Math.floor((ceThreshold * 1024) / 1000)
    return shown
  }

  override xstats(): Data {
    return {
      maxpacket: this.#maxPacket,
      dropOverlimit: this.#overLimit,
      newFlowCount: this.#newFlowCount,
      ecnMark: this.#marks,
      ceMark: this.#ceMarks,
      newFlows: this.#fresh.length,
      oldFlows: this.#old.length,
    }
  }

  #flowOf(item: Item): Flow {
    const { host, name } = this.device
    this.#seed ??= host.sim.random(`${host.name}/${name}/flows`).uint32()
    const index = Math.floor((flowHash(item.packet, this.#seed) * this.#flowCount) / 2 ** 32)
    let flow = this.#flows.get(index)
    if (flow === undefined) {
      flow = { row: new Row(), state: new CodelState(), backlog: 0, deficit: 0, listed: false }
      this.#flows.set(index, flow)
    }
    return flow
  }

  enqueue(item: Item): number {
    const flow = this.#flowOf(item)
    item.timeNs = this.nowNs
    flow.row.push(item)
    flow.backlog += item.length
    this.backlog += item.length
    if (!flow.listed) {
      flow.listed = true
      this.#fresh.push(flow)
      this.#newFlowCount++
      flow.deficit = this.#quantum
    }
    this.#memory += truesize(item)
    this.qlen++
    if (this.qlen <= this.#limit && this.#memory <= this.#memoryLimit) return NET_XMIT_SUCCESS
    return this.#dropFattest(flow, item.length)
  }

  /** Half of what the fattest flow has, or a batch of packets. fq_codel_drop(). */
  #dropFattest(own: Flow, ownLength: number): number {
    let fattest = own
    for (const flow of this.#flows.values()) if (flow.backlog > fattest.backlog) fattest = flow
    const threshold = Math.floor(fattest.backlog / 2)
    const before = { qlen: this.qlen, backlog: this.backlog }
    let bytes = 0
    let packets = 0
    do {
      const item = fattest.row.shift()
      if (item === undefined) break
      bytes += item.length
      this.#memory -= truesize(item)
      packets++
      this.drops++
    } while (packets < this.#dropBatch && bytes < threshold)
    fattest.state.count += packets
    fattest.backlog -= bytes
    this.backlog -= bytes
    this.qlen -= packets
    this.#overLimit += packets
    const lost = before.qlen - this.qlen
    if (fattest === own) {
      this.reduceBacklog(lost - 1, before.backlog - this.backlog - ownLength)
      return NET_XMIT_CN
    }
    this.reduceBacklog(lost, before.backlog - this.backlog)
    return NET_XMIT_SUCCESS
  }

  protected take(): Item | undefined {
    for (;;) {
      const fromNew = this.#fresh.length > 0
      const list = fromNew ? this.#fresh : this.#old
      const flow = list[0]
      if (flow === undefined) return undefined
      if (flow.deficit <= 0) {
        flow.deficit += this.#quantum
        list.shift()
        this.#old.push(flow)
        continue
      }
      let dropped = 0
      let droppedBytes = 0
      const queue: CodelQueue = {
        take: () => {
          const item = flow.row.shift()
          if (item) {
            flow.backlog -= item.length
            this.backlog -= item.length
            this.#memory -= truesize(item)
            this.qlen--
          }
          return item
        },
        backlog: () => this.backlog,
        drop: (item) => {
          this.drops++
          dropped++
          droppedBytes += item.length
        },
        mark,
        marked: (ce) => {
          if (ce) this.#ceMarks++
          else this.#marks++
        },
      }
      const item = codelDequeue(flow.state, this.#settings, queue, this.nowNs)
      if (item === undefined) {
        list.shift()
        // A new flow that has nothing left waits its turn once, lest it come back as new.
        if (fromNew && this.#old.length > 0) this.#old.push(flow)
        else flow.listed = false
        if (dropped > 0) this.reduceBacklog(dropped, droppedBytes)
        continue
      }
      if (item.length > this.#maxPacket) this.#maxPacket = item.length
      count(this.counters, item)
      flow.deficit -= item.length
      if (dropped > 0) this.reduceBacklog(dropped, droppedBytes)
      return item
    }
  }

  override reset(): void {
    super.reset()
    this.#flows.clear()
    this.#fresh = []
    this.#old = []
    this.#memory = 0
  }
}

/** What a packet takes in memory: struct sk_buff, and its data in a power of two. */
function truesize({ length }: Item): number {
  let data = 512
  while (data < length + 64 + 320) data *= 2
  return data + 256
}

/** INET_ECN_set_ce(). */
export function mark({ packet }: Item): boolean {
  if (packet.etherType !== ETH_P_IP && packet.etherType !== ETH_P_IPV6) return false
  if ((packet.tos & 3) === 0) return false
  packet.tos |= 3
  return true
}
