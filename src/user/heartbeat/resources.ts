/**
 * Who holds which resources. A node has its own (`local`) and its partner's (`foreign`) ones. Both tell what they hold and
 * whether they are done (`isstable`); one takes what nobody claims when the other is stable, or its own after ten
 * seconds of waiting for each other. heartbeat 3.0.6 heartbeat/hb_resource.c
 */
import type { HaConfig } from './configuration.ts'
import type { Level } from './log.ts'
import { HaMessage } from './message.ts'
import type { HaNode } from './nodes.ts'

export const NONE = 0
export const LOCAL = 1
export const FOREIGN = 2
export const ALL = 3
const NAMES = ['none', 'local', 'foreign', 'all']

/** Both have said that they start and wait for each other: so long at most. */
const WAIT_MS = 10_000
const STANDBY_REPLY_MS = 10_000
const STANDBY_WORK_MS = 3_600_000

type State = 'init' | 'starting' | 'both starting' | 'received' | 'stable' | 'shutdown'
/** The three steps of going standby: who gives up; `done` while the other takes. */
type Standby = 'not' | 'me' | 'other' | 'done'

/** What runs beside the master for the resources. */
export type Work =
  | { kind: 'notify'; message: HaMessage; status: string }
  | { kind: 'acquire'; alone: boolean }
  | { kind: 'standby'; giveUp: boolean; which: number; rsctype: number }
  | { kind: 'give up' }

export interface ResourceHost {
  readonly config: HaConfig
  readonly self: HaNode
  readonly nodes: HaNode[]
  nowMs(): number
  seconds(): number
  say(level: Level, text: string): void
  send(message: HaMessage): void
  later(ms: number, run: () => void): void
  /** Whether /etc/ha.d/rc.d has a script for such messages. */
  hasScript(type: string): boolean
  run(work: Work): void
  readonly working: number
  shuttingDown: boolean
  readonly linksUp: boolean
  finalShutdown(): void
}

export class Resources {
  readonly #host: ResourceHost
  hold = NONE
  state: State = 'init'
  #other = NONE
  #otherStable = false
  #takingOver = false
  #localDone = false
  #foreignDone = false
  #announced = false
  #needsFailback = false
  #needsShutdown = false
  #givingUp = false
  #standby: Standby = 'not'
  #standbyUntilMs = 0
  #standbyType = ALL
  #takeLocalAtMs = 0
  readonly #queue: HaMessage[] = []

  constructor(host: ResourceHost) {
    this.#host = host
  }

  /** What `cl_status rscstatus` prints. */
  describe(): string {
    return this.#stable() ? NAMES[this.hold]! : 'transition'
  }

  #stable(): boolean {
    const host = this.#host
    if (!host.config.niceFailback) return host.working === 0
    if (host.shuttingDown && this.state === 'init') return true
    return (
      this.#otherStable &&
      !this.#takingOver &&
      this.#standby === 'not' &&
      this.#standbyUntilMs === 0 &&
      host.working === 0 &&
      (this.state === 'stable' || this.state === 'shutdown' || this.state === 'init')
    )
  }

  #count(status: string): number {
    return this.#host.nodes.filter((node) => !node.ping && node.status === status).length
  }

  /** All nodes have been heard of, or are dead: work begins. */
  begin(): void {
    if (this.#count('dead') === 0) this.#foreignDone = true
    if (this.#host.config.niceFailback) {
      this.#host.send(HaMessage.of({ t: 'starting' }))
      this.state = 'starting'
    } else this.#acquire(false)
  }

  /** Looked at by the master several times a second. */
  poll(): void {
    if (!this.#host.config.niceFailback || this.state !== 'received') return
    if (this.#host.nowMs() <= this.#takeLocalAtMs) return
    this.state = 'stable'
    this.#acquire(false)
    this.#host.say('info', 'local resource transition completed.')
    this.#tell(true)
    this.#audit()
  }

  /** Before each message: a request to stand by that nobody answered is forgotten. */
  expire(): void {
    if (this.#standbyUntilMs === 0 || this.#host.nowMs() < this.#standbyUntilMs) return
    this.#standbyUntilMs = 0
    this.#otherStable = true
    this.#standby = 'not'
    this.#host.say('WARN', 'No reply to standby request.  Standby request cancelled.')
    this.shutdownIfNeeded()
  }

  #tell(stable: boolean, comment?: string): void {
    if (!this.#host.config.niceFailback) return
    this.#host.send(this.held(stable, comment))
  }

  /** The message that says what this node holds. */
  held(stable: boolean, comment?: string): HaMessage {
    const fields: Record<string, string> = {
      t: 'resource',
      rsc_hold: NAMES[this.hold]!,
      rtype: 'full',
      isstable: stable ? '1' : '0',
    }
    if (comment !== undefined) fields['info'] = comment
    return HaMessage.of(fields)
  }

  #announce(reason: string): void {
    if (this.#announced || !this.#localDone || !this.#foreignDone) return
    this.#host.say('info', `Initial resource acquisition complete (${reason})`)
    this.#announced = true
  }

  /** `starting`, `resource` and `shutdone` messages. */
  message(type: string, message: HaMessage, from: HaNode): void {
    this.shutdownIfNeeded()
    if (!this.#host.config.niceFailback) return
    const own = from === this.#host.self
    let next = this.state
    if (type === 'starting' && !own) {
      const after = this.#otherStarts()
      if (!after) return
      next = after
    }
    if (type === 'resource') {
      const after = this.#otherHolds(message, own)
      if (!after) return
      next = after
    }
    if (type === 'shutdone') next = this.#shutDone(own) ?? next
    this.state = next
    if (this.state === 'received' && this.#takeLocalAtMs === 0) this.#takeLocalAtMs = this.#host.nowMs() + WAIT_MS
    this.#audit()
    this.shutdownIfNeeded()
  }

  #otherStarts(): State | undefined {
    let next = this.state
    if (this.state === 'starting') {
      next = 'both starting'
      this.#foreignDone = true
      this.#announce('HB_R_BOTHSTARTING')
    } else if (this.state === 'init' || this.state === 'both starting') {
      this.#host.say('ERROR', `Received 'starting' message in state ${this.state === 'init' ? 0 : 2}`)
      return undefined
    }
    this.#otherStable = false
    if (this.#takingOver) this.#host.say('WARN', 'T_STARTING received during takeover.')
    this.#tell(this.state === 'stable')
    return next
  }

  #otherHolds(message: HaMessage, own: boolean): State | undefined {
    const host = this.#host
    const word = message.get('rsc_hold')
    if (word === undefined) {
      host.say('ERROR', 'resource message without rsc_hold field.')
      return undefined
    }
    const what = this.#decode(word)
    const full = message.get('rtype') === 'full'
    const update = (before: number) => (full || what === NONE ? what : what | before)
    let next = this.state
    if (this.state === 'starting' || this.state === 'both starting') {
      next = 'received'
      if (!host.config.autoFailback) {
        this.#foreignDone = true
        this.#announce('T_RESOURCES')
      }
    } else if (this.state === 'init') {
      host.say('ERROR', 'resource message received in state 0')
      return undefined
    }
    if (own) return this.#ownHolds(message, update, next)
    this.#other = update(this.#other)
    const stable = message.get('isstable')
    if (stable === '1' && !this.#otherStable) {
      host.say('info', 'remote resource transition completed.')
      this.#otherStable = true
      this.#tell(this.state === 'stable')
      this.#autoFailback()
    } else if (stable !== undefined && stable !== '1') this.#otherStable = false
    if (this.state !== 'stable' && this.state !== 'shutdown' && this.#otherStable) {
      host.say('info', 'remote resource transition completed.')
      this.#acquire(false)
      next = 'stable'
      this.#tell(true)
      this.#autoFailback()
      this.#foreignDone = true
      if (!host.config.autoFailback && this.#other & FOREIGN) this.#localDone = true
      this.#announce('T_RESOURCES(them)')
    }
    return next
  }

  #ownHolds(message: HaMessage, update: (before: number) => number, state: State): State {
    this.hold = update(this.hold)
    if (this.hold & LOCAL) {
      this.#localDone = true
      this.#announce('T_RESOURCES(us)')
    }
    const comment = message.get('info')
    if (comment === 'mach_down') {
      this.#host.say('info', 'mach_down takeover complete.')
      this.#takingOver = false
      this.hold |= FOREIGN
      this.#needsFailback = true
      this.#otherStable = true
      this.#foreignDone = true
      this.#announce('mach_down')
    }
    if (comment !== 'shutdown') return state
    this.state = 'shutdown'
    return 'shutdown'
  }

  #shutDone(own: boolean): State | undefined {
    if (own) {
      this.hold = NONE
      return 'shutdown'
    }
    this.#otherStable = true
    this.#other = NONE
    if (this.hold !== ALL && !this.#host.shuttingDown) {
      this.#standby = 'done'
      this.#goStandby(false, this.hold === FOREIGN ? LOCAL : this.hold === LOCAL ? FOREIGN : ALL)
    }
    return undefined
  }

  #decode(word: string): number {
    const at = NAMES.indexOf(word)
    if (at < 0) this.#host.say('ERROR', `encode_resources: bad resource type [${word}]`)
    return Math.max(0, at)
  }

  #audit(): void {
    const { config, shuttingDown } = this.#host
    if (!config.niceFailback) return
    const error = (text: string) => this.#host.say('ERROR', text)
    if (this.hold & LOCAL && this.#other & FOREIGN) error('Both machines own our resources!')
    if (this.#other & LOCAL && this.hold & FOREIGN) error('Both machines own foreign resources!')
    if (!this.#stable() || shuttingDown || this.state === 'shutdown') return
    if (!(this.hold & LOCAL) && !(this.#other & FOREIGN)) error('No one owns our local resources!')
    if (!(this.#other & LOCAL) && !(this.hold & FOREIGN)) error('No one owns foreign resources!')
  }

  /** With auto_failback the other gets its own back. */
  #autoFailback(): void {
    const host = this.#host
    if (host.shuttingDown || !(this.hold & FOREIGN) || !this.#needsFailback || !host.config.autoFailback) {
      this.#needsFailback = false
      this.shutdownIfNeeded()
      return
    }
    if (this.#standby !== 'not' || !this.#otherStable || this.state !== 'stable') {
      host.later(1000, () => this.#autoFailback())
      return
    }
    this.#standbyType = FOREIGN
    this.#askStandby('me')
    this.#needsFailback = false
  }

  #askStandby(step: Standby): void {
    this.#host.send(this.standbyMessage(step))
  }

  standbyMessage(step: Standby): HaMessage {
    return HaMessage.of({ t: 'ask_resources', rsc_hold: NAMES[this.#standbyType]!, info: step })
  }

  /** `ask_resources`: a node wants to give up resources, the other says that it may, the first that it has, the other that it took them. */
  asked(message: HaMessage): void {
    const host = this.#host
    if (!host.config.niceFailback) {
      host.say('info', 'Standby mode only implemented when nice_failback on')
      return
    }
    if (this.state === 'shutdown') return
    const [info, from, word] = [message.get('info'), message.get('src'), message.get('rsc_hold')]
    const which = word === undefined ? ALL : this.#decode(word)
    if (info === undefined || from === undefined) {
      host.say('ERROR', 'Received standby message without info/from')
      return
    }
    const own = from === host.self.name
    const now = host.nowMs()
    if (this.#standbyUntilMs !== 0 && now < this.#standbyUntilMs && info.toLowerCase() === 'me') {
      const left = Math.floor((this.#standbyUntilMs - now + 999) / 1000)
      host.say('WARN', `Standby in progress- new request from ${from} ignored [${left} seconds left]`)
      return
    }
    const before = this.#standby
    if (!this.#standbyStep(info.toLowerCase(), from, own, which, now)) {
      const state = ['not', 'me', 'other', 'done'].indexOf(before)
      host.say('ERROR', `Ignored standby message '${info}' from ${from} in state ${state}`)
    }
    this.shutdownIfNeeded()
  }

  /** False if the message doesn't belong to this step. */
  #standbyStep(info: string, from: string, own: boolean, which: number, now: number): boolean {
    const host = this.#host
    const name = NAMES[which]!
    switch (this.#standby) {
      case 'not':
        if (!this.#otherStable) {
          host.say('WARN', `standby message [${info}] from ${from} ignored.  Other side is in flux.`)
          return true
        }
        if (this.state !== 'stable') {
          host.say('WARN', `standby message [${info}] from ${from} ignored.  local resources in flux.`)
          return true
        }
        this.#standbyType = which
        if (info !== 'me') return false
        this.#otherStable = false
        host.say('info', `${from} wants to go standby [${name}]`)
        this.#standby = own ? 'me' : 'other'
        if (!own) this.#askStandby('other')
        this.#standbyUntilMs = now + (own ? STANDBY_REPLY_MS : STANDBY_WORK_MS)
        return true
      case 'me':
        if (!own) {
          this.#standbyType = which
          this.#standbyUntilMs = now + STANDBY_WORK_MS
          if (info !== 'other') return false
          host.say('info', `standby: ${from} can take our ${name} resources`)
          this.#goStandby(true, which)
          return true
        }
        if (info !== 'done') return false
        host.say('info', `Local standby process completed [${name}].`)
        this.#standby = 'done'
        this.hold &= ~this.#standbyType
        this.#standbyUntilMs = now + STANDBY_WORK_MS
        return true
      case 'other':
        this.#standbyType = which
        if (info !== 'done') return own && info === 'other'
        this.#standbyUntilMs = now + STANDBY_WORK_MS
        if (own) return false
        host.say('info', `standby: acquire [${name}] resources from ${from}`)
        this.#goStandby(false, which)
        this.#standby = 'done'
        return true
      case 'done':
        this.#standbyType = which
        if (info !== 'done') return false
        this.#standbyUntilMs = 0
        this.#standby = 'not'
        if (own) {
          host.say('info', `Standby resource acquisition done [${name}].`)
          if (host.config.autoFailback) {
            this.#localDone = true
            this.#announce('auto_failback')
          }
          this.hold |= which === LOCAL ? FOREIGN : which === FOREIGN ? LOCAL : which
        } else host.say('info', `Other node completed standby takeover of ${name} resources.`)
        this.#tell(true)
        return true
    }
  }

  /** Gives resources up, or takes what the other gave up: its foreign ones are our local ones. */
  #goStandby(giveUp: boolean, set: number): void {
    if (giveUp) {
      this.#otherStable = false
      this.hold &= ~set
      this.#tell(false, 'standby')
    }
    const which = set === ALL || giveUp ? set : set === FOREIGN ? LOCAL : FOREIGN
    this.#host.run({ kind: 'standby', giveUp, which, rsctype: this.#standbyType })
  }

  /** Asks for our own resources, or takes them if we are alone. */
  #acquire(anyway: boolean): void {
    const host = this.#host
    if (host.shuttingDown) return
    if (host.config.niceFailback) {
      if ((this.#other & FOREIGN || this.hold & LOCAL) && !anyway && this.#standby === 'not') {
        host.say('info', 'Local Resource acquisition completed. (none)')
        return
      }
      this.hold |= LOCAL
    }
    const up = this.#count('active') + (host.self.status === 'active' ? 0 : 1)
    host.run({ kind: 'acquire', alone: up < 2 })
  }

  /** Runs a message's script when nothing else is running. */
  queue(message: HaMessage): void {
    if (!this.#host.hasScript(message.get('t') ?? '')) return
    this.#queue.push(message.copy())
    this.next()
  }

  next(): void {
    if (this.#host.working !== 0) return
    const message = this.#queue.shift()
    if (message) this.#host.run({ kind: 'notify', message, status: this.#host.self.status })
    else this.shutdownIfNeeded()
  }

  /** One of the processes has ended. */
  ended(name: string): void {
    if (name === 'req_our_resources' || name === 'ip-request-resp') {
      this.#localDone = true
      this.#announce(name)
    } else if (!this.#host.config.niceFailback && name === 'status' && this.#count('dead') > 0) {
      this.#foreignDone = true
      this.#announce(name)
    }
    this.next()
    this.shutdownIfNeeded()
  }

  /** A node is dead: what it held is taken, unless it gave it up before. */
  nodeDied(node: HaNode): void {
    const host = this.#host
    if (!node.ping && this.#standby !== 'not') {
      host.say('info', 'Cancelling pending standby operation')
      this.#standby = 'not'
      this.#standbyUntilMs = 0
      if (!this.#otherStable && this.hold === ALL) this.#otherStable = true
      this.shutdownIfNeeded()
    }
    if (node.ping) {
      this.takeover(node)
      return
    }
    if (host.shuttingDown) {
      if (this.state !== 'shutdown' && this.state !== 'stable') this.giveUp()
      return
    }
    this.#needsFailback = true
    const gaveUp = node.heard && (host.config.niceFailback ? this.#other === NONE : !node.hasResources)
    if (!gaveUp) {
      host.send(HaMessage.of({ t: 'stonith', node: node.name, result: 'n_stnth' }))
      host.say('WARN', 'No STONITH device configured.')
      host.say('WARN', 'Shared disks are not protected.')
      this.takeover(node)
      return
    }
    host.say('info', `Dead node ${node.name} gave up resources.`)
    host.send(HaMessage.of({ t: 'stonith', node: node.name, result: 'unneeded' }))
    if (!host.config.niceFailback) {
      this.takeover(node)
      return
    }
    if (this.hold === ALL) {
      this.#otherStable = true
      return
    }
    if (!(this.hold & LOCAL)) this.#acquire(true)
    if (!(this.hold & FOREIGN)) this.takeover(node)
  }

  /** The other node has told that it is going. */
  otherShutDone(node: HaNode): void {
    node.hasResources = false
    this.#otherStable = false
    this.#other = NONE
    this.#host.say('info', `Received shutdown notice from '${node.name}'.`)
    this.takeover(node)
  }

  takeover(node: HaNode): void {
    const host = this.#host
    if (host.shuttingDown) {
      host.say('info', 'Resource takeover cancelled - shutdown in progress.')
      this.shutdownIfNeeded()
      return
    }
    if (!node.ping) host.say('info', `Resources being acquired from ${node.name}.`)
    const fields: Record<string, string> = {
      t: 'status',
      seq: '1',
      ts: host.seconds().toString(16),
      src: node.name,
      st: 'dead',
    }
    if (node.ping) fields['info'] = 'ping'
    this.queue(HaMessage.of(fields))
    if (!node.ping) {
      if (host.config.niceFailback) {
        this.hold |= FOREIGN
        this.#other = NONE
        this.#otherStable = true
        this.#takingOver = true
      }
      this.#acquire(true)
    }
    node.heard = true
  }

  shutdownIfNeeded(): void {
    if (this.#needsShutdown) this.giveUp()
  }

  /** The first part of an orderly end; it waits until nothing is in flux. */
  giveUp(): void {
    const host = this.#host
    if (!this.#stable()) {
      if (!this.#needsShutdown) {
        host.say('WARN', 'Shutdown delayed until current resource activity finishes.')
        this.#needsShutdown = true
      }
      return
    }
    this.#needsShutdown = false
    host.shuttingDown = true
    if (this.#givingUp) {
      host.say('info', 'Heartbeat shutdown already underway.')
      return
    }
    this.#givingUp = true
    this.hold = NONE
    this.state = 'shutdown'
    if (host.config.niceFailback) this.#tell(false, 'shutdown')
    host.run({ kind: 'give up' })
  }
}
