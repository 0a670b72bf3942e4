/**
 * Reliable multicast: every message has a sequence number, what is missing is asked for again, and every tenth is
 * acknowledged. A node that was given up for dead and goes on counting has been cut off, not restarted: the cluster was
 * split. heartbeat 3.0.6 heartbeat/heartbeat.c: should_drop_message(), process_rexmit(); hb_rexmit.c
 */
import type { Level } from './log.ts'
import { HaMessage } from './message.ts'
import { ACK_EVERY, type HaNode, hexField, sameUuid } from './nodes.ts'

const HISTORY = 500
/** More than this many at once are given up. */
const LOST_MAX = 450
const REXMIT_BATCH = 50

export type Verdict = 'keep' | 'drop' | 'duplicate'

/** What the protocol asks of the master. */
export interface ProtocolHost {
  readonly self: HaNode
  readonly flowControl: boolean
  say(level: Level, text: string): void
  dump(message: HaMessage): void
  nowMs(): number
  /** Sends to the whole cluster. */
  send(message: HaMessage): void
  /** Puts bytes out once more, as they are. */
  resend(message: HaMessage): void
  later(ms: number, run: () => void): () => void
  randomBetween(least: number, most: number): number
  maxRexmitDelayMs: number
  /** A node is back that was cut off. */
  partitionHealed(): void
}

export class Protocol {
  readonly #host: ProtocolHost
  #nextSeq = 1
  #history: { seq: number; message: HaMessage; resentMs: number }[] = []
  readonly #requests = new Map<string, () => void>()

  constructor(host: ProtocolHost) {
    this.#host = host
  }

  takeSeq(): number {
    return this.#nextSeq++
  }

  remember(seq: number, message: HaMessage): void {
    this.#history.push({ seq, message: message.copy(), resentMs: Number.NEGATIVE_INFINITY })
    if (this.#history.length > HISTORY) this.#history.shift()
  }

  /** Forgets what was counted of a node. */
  reset(node: HaNode): void {
    for (const seq of node.missing) this.#cancel(node, seq)
    node.missing.clear()
    node.lastSeq = 0
    node.ackedSeq = 0
  }

  /** Whether a message is to be looked at. */
  judge(node: HaNode, message: HaMessage): Verdict {
    const host = this.#host
    const type = message.get('t')!
    const to = message.get('dest')
    const uuid = message.bytes('srcuuid')
    if (uuid?.length === 16) node.uuid = uuid
    if (type.startsWith('NS_')) {
      if (type === 'NS_nak_rexmit') return this.#refused(node, message, to)
      return to === undefined || to === host.self.name ? 'keep' : 'drop'
    }
    const seq = hexField(message, 'seq') ?? 0
    if (seq <= 0) {
      host.say('ERROR', 'should_drop_message: bad sequence number')
      host.dump(message)
      return 'drop'
    }
    const generation = hexField(message, 'hg') ?? 0
    const toUuid = message.bytes('destuuid')
    const ours = toUuid ? sameUuid(toUuid, host.self.uuid) : to === undefined || to === host.self.name
    const judged: Verdict = ours ? 'keep' : 'drop'
    if (generation < node.generation) {
      const what = `[${node.name}]? [gen = ${generation}, curgen = ${node.generation}]`
      host.say('ERROR', `should_drop_message: attempted replay attack ${what}`)
      return 'drop'
    }
    let restarted = false
    let healed = false
    if (type === 'status') {
      if (generation === node.generation && generation > 0) {
        if (node.status === 'dead') {
          if (seq <= node.statusSeq) return 'drop'
          healed = true
          this.#returned(node)
        }
      } else if (generation > node.generation) {
        restarted = true
        if (node.generation > 0) host.say('info', `Heartbeat restart on node ${node.name}`)
        this.reset(node)
        node.remoteS = 0
        node.lastMs = 0
        node.statusSeq = 0
        node.hasResources = true
      }
      node.generation = generation
    }
    if (node.lastSeq === 0 || seq === node.lastSeq + 1) {
      node.lastSeq = seq
      this.#acknowledge(node, seq)
      return judged
    }
    if (seq === node.lastSeq) return 'duplicate'
    if (seq > node.lastSeq) {
      this.#gap(node, seq)
      return judged
    }
    if (this.#found(node, seq)) return judged
    if (healed || restarted) {
      this.#acknowledge(node, seq)
      this.reset(node)
      node.lastSeq = seq
      return judged
    }
    return 'drop'
  }

  #returned(node: HaNode): void {
    const host = this.#host
    host.say('CRIT', `Cluster node ${node.name} returning after partition.`)
    host.say('info', 'For information on cluster partitions, See URL: http://linux-ha.org/wiki/Split_Brain')
    host.say('WARN', 'Deadtime value may be too small.')
    host.say('info', 'See FAQ for information on tuning deadtime.')
    host.say('info', 'URL: http://linux-ha.org/wiki/FAQ#Heavy_Load')
    host.partitionHealed()
  }

  #gap(node: HaNode, seq: number): void {
    const host = this.#host
    const lost = seq - (node.lastSeq + 1)
    host.say('WARN', `${lost} lost packet(s) for [${node.name}] [${node.lastSeq}:${seq}]`)
    if (lost > LOST_MAX) {
      this.reset(node)
      host.say('ERROR', 'lost a lot of packets!')
    } else {
      for (let one = node.lastSeq + 1; one < seq; one++) {
        node.missing.add(one)
        const least = host.maxRexmitDelayMs < 100 ? 0 : 50
        this.#ask(node, one, host.randomBetween(least, host.maxRexmitDelayMs))
      }
    }
    node.lastSeq = seq
  }

  /** Asks for what is missing, now and then, until it comes. */
  #ask(node: HaNode, seq: number, delayMs: number): void {
    const host = this.#host
    const key = `${node.name} ${seq}`
    const cancel = host.later(delayMs, () => {
      this.#requests.delete(key)
      if (node.status !== 'up' && node.status !== 'active') return
      const fields = { t: 'NS_rexmit', dest: node.name, firstseq: String(seq), lastseq: String(seq) }
      host.send(HaMessage.of(fields))
      this.#ask(node, seq, host.maxRexmitDelayMs)
    })
    this.#requests.set(key, cancel)
  }

  #cancel(node: HaNode, seq: number): void {
    const key = `${node.name} ${seq}`
    this.#requests.get(key)?.()
    this.#requests.delete(key)
  }

  #found(node: HaNode, seq: number): boolean {
    if (!node.missing.has(seq)) return false
    const first = Math.min(...node.missing)
    this.#cancel(node, seq)
    node.missing.delete(seq)
    if (node.missing.size === 0) this.#host.say('info', `No pkts missing from ${node.name}!`)
    if (seq === first) {
      const upTo = node.missing.size === 0 ? node.lastSeq : Math.min(...node.missing) - 1
      const rest = upTo % ACK_EVERY
      const due = (Math.floor(upTo / ACK_EVERY) - (rest >= node.ackTrigger ? 0 : 1)) * ACK_EVERY + node.ackTrigger
      if (due >= first) this.#acknowledge(node, due)
    }
    return true
  }

  #acknowledge(node: HaNode, seq: number): void {
    if (!this.#host.flowControl || seq % ACK_EVERY !== node.ackTrigger) return
    if (node.missing.size > 0 && seq > Math.min(...node.missing)) return
    this.#host.send(HaMessage.of({ t: 'NS_ackmsg', dest: node.name, ackseq: seq.toString(16) }))
  }

  /** NS_ackmsg: another node has all up to a number. */
  acknowledged(from: HaNode, message: HaMessage): void {
    const seq = hexField(message, 'ackseq')
    if (message.get('dest') !== this.#host.self.name || seq === undefined) return
    if (seq <= from.ackedSeq) return
    if (seq >= this.#nextSeq) {
      const hiseq = this.#nextSeq - 1
      this.#host.say('ERROR', `HBDoMsg_T_ACK: corrupted ackseq current hiseq = ${hiseq} ackseq =${seq} in this message`)
      return
    }
    from.ackedSeq = seq
  }

  /** NS_rexmit: what another node misses goes out again, for all. */
  requested(from: HaNode, message: HaMessage): void {
    const host = this.#host
    const first = Number.parseInt(message.get('firstseq') ?? '0', 10) || 0
    const last = Number.parseInt(message.get('lastseq') ?? '0', 10) || 0
    if (first <= 0 || last <= 0 || first > last) {
      host.say('ERROR', 'Invalid rexmit seqnos')
      host.dump(message)
      return
    }
    const now = host.nowMs()
    const hiseq = this.#nextSeq - 1
    let sent = 0
    for (let seq = first; seq <= last && seq - first <= HISTORY; seq++) {
      if (seq <= from.ackedSeq) continue
      if (seq > hiseq) {
        host.say('WARN', `Rexmit of seq ${seq} requested. ${hiseq} is max.`)
        continue
      }
      const found = this.#history.find((one) => one.seq === seq)
      if (!found) {
        this.#refuse(from, seq)
        continue
      }
      if (now - found.resentMs < host.maxRexmitDelayMs - 10) continue
      if (++sent > REXMIT_BATCH) return
      found.resentMs = now
      host.resend(found.message)
    }
  }

  #refuse(from: HaNode, seq: number): void {
    const host = this.#host
    const [low, high] = [(this.#history[0]?.seq ?? 1) - 1, this.#nextSeq - 1]
    const reason = seq <= low ? 'seqno too low' : 'seqno not found'
    host.say('ERROR', `Cannot rexmit pkt ${seq} for ${from.name}: ${reason}`)
    host.say('info', `fromnode =${from.name}, fromnode's ackseq = ${from.ackedSeq}`)
    host.say('info', 'hist information:')
    host.say('info', `hiseq =${high}, lowseq=${low},ackseq=${from.ackedSeq},lastmsg=${(high - 1) % HISTORY}`)
    host.send(HaMessage.of({ t: 'NS_nak_rexmit', firstseq: seq.toString(16), dest: from.name, info: reason }))
  }

  /** A node can't send again what we miss. */
  #refused(node: HaNode, message: HaMessage, to: string | undefined): Verdict {
    const seq = hexField(message, 'firstseq') ?? 0
    if (seq <= 0) this.#host.say('ERROR', 'should_drop_message: bad nak seq number')
    else {
      if (to === undefined || to === this.#host.self.name)
        this.#host.say('ERROR', `Irretrievably lost packet: node ${node.name} seq ${seq}`)
      this.#found(node, seq)
    }
    return 'drop'
  }
}
