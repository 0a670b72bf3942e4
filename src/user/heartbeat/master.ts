/**
 * The master control process: all that heartbeat decides. It never blocks but in its loop; what it wants written (log
 * lines, messages for the media) is queued, and goes out before it sleeps. heartbeat 3.0.6 heartbeat/heartbeat.c
 */

import { encodeLatin1 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { type Body, type OpenFile, POLLIN, type Signal, type Sys } from '#kernel/core'
import type { GlibcRandom } from '#user/libc'
import { type ApiView, answer } from './api.ts'
import type { AuthKeys } from './authkeys.ts'
import type { HaConfig, Medium } from './configuration.ts'
import type { HaLog, Level } from './log.ts'
import { Loop, type Source } from './loop.ts'
import { closeMedium, fifoChild, openMedium, readChild, tellClosed, writeChild } from './media.ts'
import { emitMessage, HaMessage, parseLines, parseMessage, signedLines } from './message.ts'
import { type HaNode, hexField } from './nodes.ts'
import { pidOrder } from './pid-order.ts'
import { Protocol, type ProtocolHost } from './protocol.ts'
import { type ResourceHost, Resources, type Work } from './resources.ts'
import { signalWords } from './signal-words.ts'
import { clientChild, workChild, workName } from './work.ts'

const REGISTER = '/run/heartbeat/register'
const VERSION_PROTOCOL = '1'
const POLL_MS = 250
const HOUR_MS = 3_600_000

// Lower is more urgent. heartbeat 3.0.6 include/heartbeat.h: PRI_*
const PRIORITY = {
  status: -105,
  read: -103,
  fifo: -102,
  poll: -100,
  default: 0,
  free: 1,
  client: 2,
  register: 300,
  audit: 302,
  cache: 303,
}

interface Channel {
  fd: number
  file: OpenFile
}

type Tracked =
  | { kind: 'core'; name: 'HBFIFO' | 'HBWRITE' | 'HBREAD'; medium: number }
  | { kind: 'work'; name: string }
  | { kind: 'client'; index: number }
  | { kind: 'other' }

export interface MasterSetup {
  log: HaLog
  config: HaConfig
  auth: AuthKeys
  nodes: HaNode[]
  random: GlibcRandom
  generation: number
  uuid: Uint8Array
}

export class Master implements ProtocolHost, ResourceHost, ApiView {
  readonly sys: Sys
  readonly config: HaConfig
  readonly nodes: HaNode[]
  readonly self: HaNode
  readonly flowControl = true
  readonly maxRexmitDelayMs: number
  shuttingDown = false
  linksUp = false
  readonly resources: Resources
  readonly #setup: MasterSetup
  readonly #log: HaLog
  readonly #loop: Loop
  readonly #protocol: Protocol
  readonly #tracked = new Map<number, Tracked>()
  readonly #writers: (Channel | undefined)[] = []
  readonly #callbacks = new Map<
    string,
    (type: string, from: HaNode, message: HaMessage, seq: number, sentS: number) => void
  >()
  #due: { writer: number; bytes: Uint8Array }[] = []
  #signals = { child: false, term: false, hup: false }
  #nextPollMs = 0
  #extraDeadtimes = 0
  #nodesKnown = false
  #up = false
  #complete = false
  #phase = 0
  #stopping = false
  #restart = false
  #core = 1
  #lastClient: number
  #lastS = 0
  readonly #clientPids: (number | undefined)[] = []
  /** Media of which one process has died and the other not yet. */
  readonly #recovering = new Set<number>()
  readonly #listening = new Map<number, { source: Source; fd: number }[]>()
  /** By their places in the table that all of them share: the master, the FIFO's reader, a writer and a reader for each medium. */
  readonly #processes: number[] = []

  constructor(sys: Sys, setup: MasterSetup) {
    this.sys = sys
    this.#setup = setup
    this.#log = setup.log
    this.config = setup.config
    this.nodes = setup.nodes
    this.self = setup.nodes.find(({ name }) => name === setup.log.node)!
    this.self.uuid = setup.uuid
    this.maxRexmitDelayMs = setup.config.maxRexmitDelayMs
    this.#lastClient = setup.config.clients.length - 1
    this.#loop = new Loop(sys)
    this.#protocol = new Protocol(this)
    this.resources = new Resources(this)
    this.#callbacks.set('NS_rexmit', (_, from, message) => {
      if (from !== this.self) this.#protocol.requested(from, message)
    })
    this.#callbacks.set('NS_ackmsg', (_, from, message) => this.#protocol.acknowledged(from, message))
    this.#callbacks.set('status', (_, from, message, seq, sentS) => this.#statusOf(from, message, seq, sentS))
    this.#callbacks.set('NS_st', (_, from, message, seq, sentS) => this.#statusOf(from, message, seq, sentS))
    this.#callbacks.set('reqnodes', (_, from) => this.#nodesAsked(from))
    this.#callbacks.set('repnodes', (_, from, message) => this.#nodesTold(from, message))
    this.#callbacks.set('shutdone', (_, from, message) => this.#shutDone(from, message))
  }

  // What the others ask.

  nowMs(): number {
    return this.#loop.ticks() * 10
  }

  seconds(): number {
    return this.sys.realtime().s
  }

  say(level: Level, text: string): void {
    this.#log.say(level, text)
  }

  dump(message: HaMessage): void {
    this.say('ERROR', `MSG: Dumping message with ${message.fields.length} fields`)
    for (const [i, { name, value }] of message.fields.entries()) {
      // Of bytes only their place in memory is shown, and how long they would be in either form.
      const lengths = `(${name.length + 4 + 4 * Math.ceil(value.length / 3) + 1} ${name.length + 4 + value.length})`
      const shown = typeof value === 'string' ? `${name}=${value}` : `(1)${name}=0x${this.#place(i)}${lengths}`
      this.say('ERROR', `MSG[${i}] : [${shown}]`)
    }
  }

  #place(i: number): string {
    const random = this.sys.getrandom(4)
    return `55${[...random].map((byte) => byte.toString(16).padStart(2, '0')).join('')}${(i * 32).toString(16).padStart(2, '0')}`
  }

  later(ms: number, run: () => void): () => void {
    const timer = this.#loop.timer(ms < 500 ? PRIORITY.poll : PRIORITY.default, ms, () => {
      run()
      return false
    })
    return () => this.#loop.remove(timer)
  }

  randomBetween(least: number, most: number): number {
    return least + Math.round((this.#setup.random.next() / 2 ** 31) * (most - least))
  }

  get working(): number {
    let count = 0
    for (const { kind } of this.#tracked.values()) if (kind === 'work') count++
    return count
  }

  hasScript(type: string): boolean {
    return type !== '' && !type.includes('/') && this.sys.stat(`/etc/ha.d/rc.d/${type}`).ok
  }

  // Its life.

  *serve(): Body<number> {
    const { sys } = this
    sys.setName('heartbeat', ['heartbeat: master control process'])
    this.#processes[0] = sys.pid
    if (!(yield* this.#startFifo())) return 1
    for (let i = 0; i < this.config.media.length; i++) if (!(yield* this.#startMedium(i))) return 1
    this.#handleSignals()
    // A child looks after the cache of nodes, which is only kept for other resource managers.
    this.#addDeadtime()
    this.#loop.timer(PRIORITY.default, 5000, () => this.#popDeadtime())
    this.#setLocalStatus('up')
    this.#sendStatus()
    this.#loop.add({
      priority: PRIORITY.cache,
      prepare: () => true,
      check: () => true,
      dispatch: () => this.#writeCache(),
    })
    this.#loop.add(this.#poller())
    this.#loop.timer(PRIORITY.status, this.config.keepaliveMs, () => {
      this.#sendStatus()
      return true
    })
    this.#loop.timer(PRIORITY.audit, this.config.initdeadMs, () => false)
    this.#loop.timer(PRIORITY.audit, 9000, () => true)
    for (const node of this.nodes) node.lastMs = this.nowMs()
    this.#loop.timer(PRIORITY.default, this.config.keepaliveMs, () => true)
    this.#loop.timer(PRIORITY.free, 500, () => true)
    yield* this.#loop.run(() => this.#settle())
    if (this.#restart) return yield* this.#startAnew()
    yield* this.#settle()
    return 0
  }

  /** Runs itself once more, when the others have surely noticed that it was gone. */
  *#startAnew(): Body<number> {
    this.say('info', 'Heartbeat restart triggered.')
    this.say('info', 'Restarting heartbeat.')
    this.say('info', 'Performing heartbeat restart exec.')
    yield* this.#settle()
    yield* this.sys.sleep((Math.floor((this.config.deadtimeMs + 999) / 1000) + 1) * 1e9)
    this.sys.unlink('/run/heartbeat.pid')
    this.sys.sigaction('SIGTERM', 'default')
    const done = yield* this.sys.exec('/usr/libexec/heartbeat/heartbeat', ['heartbeat'])
    return done.ok ? done.value : 1
  }

  #handleSignals(): void {
    this.sys.sigaction('SIGCHLD', () => {
      this.#signals.child = true
    })
    this.sys.sigaction('SIGTERM', () => {
      this.#signals.term = true
    })
    this.sys.sigaction('SIGHUP', () => {
      this.#signals.hup = true
    })
    for (const signal of ['SIGINT', 'SIGPIPE', 'SIGUSR1', 'SIGUSR2'] as Signal[]) this.sys.sigaction(signal, 'ignore')
  }

  /** Writes what is queued. */
  *#settle(): Body<void> {
    while (true) {
      yield* this.#log.flush()
      const next = this.#due.shift()
      if (!next) return
      const writer = this.#writers[next.writer]
      if (writer) yield* this.sys.sendTo(writer.fd, next.bytes, undefined, { dontWait: true })
    }
  }

  *#channel(): Body<{ own: Channel; other: number } | undefined> {
    const pair = this.sys.socketpair('AF_UNIX', 'SOCK_SEQPACKET', 0)
    if (!pair.ok) return undefined
    const [fd, other] = pair.value
    const { file } = this.sys.descriptors().find((one) => one.fd === fd)!
    return { own: { fd, file }, other }
  }

  *#startFifo(): Body<boolean> {
    const channel = yield* this.#channel()
    if (!channel) return false
    const pid = this.sys.fork((child) => fifoChild(child, this.#log.of(child), channel.other, this.#processes))
    this.#processes[1] = pid
    this.sys.close(channel.other)
    this.#track(pid, { kind: 'core', name: 'HBFIFO', medium: -1 })
    this.#listen(channel.own, PRIORITY.fifo, (bytes) => {
      const message = parseLines(String.fromCharCode(...bytes))
      if (message?.get('t') !== undefined) this.send(message)
    })
    return true
  }

  *#startMedium(index: number): Body<boolean> {
    const medium = this.config.media[index]!
    const sockets = yield* openMedium(this.sys, this.#log, medium)
    if (!sockets) {
      this.say('ERROR', `make_io_childpair: cannot open ${medium.type} ${medium.name}`)
      yield* this.#settle()
      return false
    }
    const write = yield* this.#channel()
    const read = yield* this.#channel()
    if (!write || !read) return false
    const { auth } = this.#setup
    const writer = this.sys.fork((child) => writeChild(child, this.#log.of(child), write.other, sockets, medium, auth))
    this.#processes[2 + 2 * index] = writer
    this.#track(writer, { kind: 'core', name: 'HBWRITE', medium: index })
    const reader = this.sys.fork((child) => readChild(child, this.#log.of(child), read.other, sockets, medium))
    this.#processes[3 + 2 * index] = reader
    this.#track(reader, { kind: 'core', name: 'HBREAD', medium: index })
    closeMedium(this.sys, this.#log, sockets, medium)
    for (const fd of [write.other, read.other]) this.sys.close(fd)
    this.#writers[index] = write.own
    const source = this.#listen(read.own, PRIORITY.read, (bytes) => this.#arrived(medium, bytes))
    this.#listening.set(index, [{ source, fd: read.own.fd }])
    return true
  }

  /**
   * A child's messages. Its queue is said to hold none, so that nothing arrives behind the loop's back; and therefore the
   * loop doesn't look at the descriptor while it sleeps: what comes waits until something else wakes it.
   */
  #listen(channel: Channel, priority: number, take: (bytes: Uint8Array) => void): Source {
    const pending = () => (channel.file.poll() & POLLIN) !== 0
    const { sys } = this
    const source: Source = {
      priority,
      prepare: pending,
      check: pending,
      *dispatch() {
        const got = yield* sys.receive(channel.fd, 65_536, { dontWait: true })
        if (!got.ok) return got.errno === 'EAGAIN'
        if (got.value.length === 0) return false
        take(got.value.bytes)
        return true
      },
    }
    this.#loop.add(source)
    return source
  }

  #track(pid: number, what: Tracked): void {
    this.#tracked.set(pid, what)
    if (what.kind === 'core') this.#core++
  }

  *#writeCache(): Body<boolean> {
    const pid = this.sys.fork(function* () {
      return 0
    })
    this.#track(pid, { kind: 'other' })
    return false
  }

  /** Looks at signals and at the clock, whenever the loop is awake but not more than four times a second without a signal. */
  #poller() {
    const pending = () => this.#signals.child || this.#signals.term || this.#signals.hup
    const master = this
    return {
      priority: PRIORITY.poll,
      prepare: () => this.#clockJumped() || pending(),
      check: () => this.nowMs() >= this.#nextPollMs,
      *dispatch(): Body<boolean> {
        master.#nextPollMs = master.nowMs() + POLL_MS
        yield* master.#processSignals()
        if (master.#stopping) return true
        master.#checkTimeouts()
        if (!master.linksUp) master.#checkLinks()
        master.resources.poll()
        return true
      },
    }
  }

  #clockJumped(): boolean {
    const now = this.seconds()
    const back = now < this.#lastS
    if (back) this.say('info', 'Clock jumped backwards. Compensating.')
    this.#lastS = now
    return back
  }

  *#processSignals(): Body<void> {
    if (this.#signals.term) {
      this.#signals.term = false
      this.#initiateShutdown()
    }
    if (this.#signals.hup) {
      this.#signals.hup = false
      throw new NotModelled('heartbeat: rereading its configuration')
    }
    while (this.#signals.child) {
      this.#signals.child = false
      for (;;) {
        const ended = yield* this.sys.waitpid(-1, { noHang: true })
        if (!ended.ok || !ended.value) break
        yield* this.#died(ended.value.pid, ended.value.exit, ended.value.signal)
      }
    }
  }

  *#died(pid: number, exit: number | undefined, signal: Signal | undefined): Body<void> {
    const what = this.#tracked.get(pid)
    this.#tracked.delete(pid)
    if (!what || what.kind === 'other') return
    if (!this.shuttingDown) this.#tellDeath(pid, what, exit, signal)
    if (what.kind === 'work') this.resources.ended(what.name)
    else if (what.kind === 'client') this.#clientDied(what.index, exit)
    else yield* this.#coreDied(pid, what.name, what.medium)
  }

  /** Of resources' processes only it is told if they were killed. */
  #tellDeath(
    pid: number,
    what: Exclude<Tracked, { kind: 'other' }>,
    exit: number | undefined,
    signal: Signal | undefined,
  ): void {
    const name = what.kind === 'client' ? this.config.clients[what.index]!.command : what.name
    if (signal) this.say('WARN', `Managed ${name} process ${pid} killed by signal ${signalWords(signal)}.`)
    else if (what.kind !== 'work') {
      this.say(exit === 0 ? 'info' : 'WARN', `Managed ${name} process ${pid} exited with return code ${exit}.`)
    }
  }

  /** The reader of the FIFO is replaced alone; of a medium's two processes the other one has to go first. */
  *#coreDied(pid: number, name: 'HBFIFO' | 'HBWRITE' | 'HBREAD', medium: number): Body<void> {
    this.#core--
    if (this.shuttingDown) {
      this.say('info', `Core process ${pid} exited. ${this.#core} remaining`)
      if (this.#core > 1) return
      this.say('info', `${this.self.name} Heartbeat shutdown complete.`)
      this.#stopping = true
      this.#loop.end()
      return
    }
    if (name === 'HBFIFO') {
      this.say('WARN', `Restarting ${name} process.`)
      yield* this.#startFifo()
      // One more is counted, though it has the old one's place.
      this.#processes.push(0)
      return
    }
    if (!this.#recovering.has(medium)) {
      this.#recovering.add(medium)
      const what = 'Beginning communications restart process for comm channel'
      this.say('ERROR', `${name} process died.  ${what} ${medium}.`)
      this.#stopMedium(medium)
      return
    }
    this.#recovering.delete(medium)
    this.say('ERROR', `Both comm processes for channel ${medium} have died.  Restarting.`)
    if (yield* this.#startMedium(medium)) this.say('info', 'Communications restart succeeded.')
    else throw new NotModelled(`heartbeat: medium ${medium} can't be opened again`)
  }

  #stopMedium(index: number): void {
    for (const [pid, what] of this.#tracked) {
      if (what.kind === 'core' && what.medium === index) this.sys.kill(pid, 'SIGKILL')
    }
    for (const { source, fd } of this.#listening.get(index) ?? []) {
      this.#loop.remove(source)
      this.sys.close(fd)
    }
    this.#listening.delete(index)
    const writer = this.#writers[index]
    if (writer) this.sys.close(writer.fd)
    this.#writers[index] = undefined
    tellClosed(this.#log, this.config.media[index]!)
  }

  // Messages.

  send(message: HaMessage): void {
    const type = message.get('t')
    if (type === undefined) return
    const to = message.get('dest')
    const known = to === undefined ? undefined : this.nodes.find(({ name }) => name === to.toLowerCase())?.uuid
    if (known) message.set('destuuid', known)
    const numbered = !type.startsWith('NS_')
    const seq = numbered ? this.#protocol.takeSeq() : 0
    message.set('src', this.self.name)
    message.set('srcuuid', this.#setup.uuid)
    if (numbered) message.set('seq', seq.toString(16))
    message.set('hg', this.#setup.generation.toString(16))
    message.set('ts', this.seconds().toString(16))
    if (numbered) message.set('ld', this.#load())
    message.set('ttl', String(this.config.hopfudge + this.nodes.length))
    const { auth } = this.#setup
    if (!this.config.netstring) {
      const signed = auth.sign(signedLines(message))
      if (signed) message.set('auth', `${signed.number} ${signed.token}`)
    }
    if (numbered) this.#protocol.remember(seq, message)
    // First it is heard by this node itself, then sent; what this node says to it goes out before.
    const bytes = emitMessage(message, auth.sign)
    this.#process(message, undefined)
    this.#toMedia(bytes)
  }

  resend(message: HaMessage): void {
    this.#toMedia(emitMessage(message, this.#setup.auth.sign))
  }

  #toMedia(bytes: Uint8Array): void {
    for (let writer = 0; writer < this.config.media.length; writer++) this.#due.push({ writer, bytes })
  }

  /** /proc/loadavg, without the end of its line. It is short, and reading it never blocks. */
  #load(): string {
    const body = readLoad(this.sys)
    for (;;) {
      const step = body.next()
      if (step.done) return step.value
    }
  }

  #arrived(medium: Medium, bytes: Uint8Array): void {
    const parsed = parseMessage(bytes)
    if (!parsed) return
    const { message, payload, number, token } = parsed
    const { auth } = this.#setup
    const own = auth.token(number, payload)
    if (own !== token) {
      if (!this.config.quietBadPackets) this.#forged(message, bytes, payload.length, number, token, own)
      return
    }
    this.#process(message, medium.name)
  }

  /** A signature of another key: said with all that came, up to the first zero byte. */
  #forged(
    message: HaMessage,
    bytes: Uint8Array,
    signedLength: number,
    number: number,
    token: string,
    own: string | undefined,
  ): void {
    if (own === undefined) this.say('WARN', `Invalid authentication [${number}] in message!`)
    else this.say('ERROR', `authtoken does not match, authtoken=${token}, authstr=${own}`)
    const text = String.fromCharCode(...bytes)
    const signature = text.slice(signedLength).replace(/^\d+:/, '')
    this.say('ERROR', `netstring authentication failed, s=${text.replace(/\0.*/s, '')}, autotoken=${signature}`)
    this.dump(message)
  }

  /** Every message, also this node's own. */
  #process(message: HaMessage, link: string | undefined): void {
    this.resources.expire()
    const [type, from, time] = [message.get('t'), message.get('src'), hexField(message, 'ts')]
    const iface = link ?? '?'
    if (type === undefined || from === undefined || message.get('ts') === undefined) {
      this.say('ERROR', `process_clustermsg: missing from/ts/type: iface ${iface}, from ${from ?? '<?>'}`)
      this.dump(message)
      return
    }
    if (message.get('seq') === undefined && !type.startsWith('NS_')) {
      this.say('ERROR', `process_clustermsg: missing seqno: iface ${iface}, from ${from}`)
      this.dump(message)
      return
    }
    if (!time) return
    const node = this.nodes.find(({ name }) => name === from.toLowerCase())
    if (!node) {
      this.say('ERROR', `process_status_message: bad node [${from}] in message`)
      this.dump(message)
      return
    }
    node.heard = true
    const verdict = this.#protocol.judge(node, message)
    if (verdict === 'drop') return
    const its = node.links.find(({ name }) => name === link)
    if (its) {
      its.lastMs = this.nowMs()
      if (its.status !== 'up') this.#linkChanged(node.name, its, 'up')
    }
    if (verdict === 'duplicate') return
    const callback = this.#callbacks.get(type) ?? this.#callbacks.get('')
    callback?.(type, node, message, hexField(message, 'seq') ?? 0, time)
    if (!this.linksUp) this.#checkLinks()
  }

  #linkChanged(node: string, link: { name: string; status: 'up' | 'dead' }, status: 'up' | 'dead'): void {
    link.status = status
    this.say('info', `Link ${node}:${link.name} ${status}.`)
    this.resources.queue(HaMessage.of({ t: 'ifstat', node, ifname: link.name, st: status }))
  }

  #statusOf(from: HaNode, message: HaMessage, seq: number, sentS: number): void {
    const status = message.get('st')
    if (status === undefined) {
      this.say('ERROR', 'HBDoMsg_T_STATUS: status update without st field')
      return
    }
    if (sentS < from.remoteS && seq < from.statusSeq) return
    const now = this.nowMs()
    if (from.lastMs !== 0) this.#late(from, now - from.lastMs)
    if (from.status.toLowerCase() !== status.toLowerCase() && from !== this.self) {
      this.say('info', `Status update for node ${from.name}: status ${status}`)
      from.status = status.slice(0, 31)
      this.resources.queue(message)
    }
    const dead = hexField(message, 'dt')
    if (dead !== undefined) from.deadMs = dead
    from.remoteS = sentS
    from.lastMs = now
    from.statusSeq = seq
  }

  #late(from: HaNode, ms: number): void {
    if (ms > this.config.deadtimeMs) {
      this.say('CRIT', `Late heartbeat: Node ${from.name}: interval ${ms} ms (> deadtime)`)
      if (from !== this.self) this.#nodeDead(from)
    } else if (ms > this.config.warntimeMs) {
      this.say('WARN', `Late heartbeat: Node ${from.name}: interval ${ms} ms`)
    }
  }

  // Life and death of nodes and links.

  #checkTimeouts(): void {
    const now = this.nowMs()
    let tooOld = 0
    for (const node of this.nodes) {
      tooOld = Math.max(0, now - (this.linksUp ? node.deadMs : this.config.initdeadMs))
      if (node.lastMs >= tooOld || node.status === 'dead') continue
      this.#nodeDead(node)
      if (this.#stopping) return
    }
    // By the last node's time, whoever's link it is.
    for (const node of this.nodes) {
      if (node === this.self) continue
      for (const link of node.links)
        if (link.lastMs < tooOld && link.status !== 'dead') this.#linkChanged(node.name, link, 'dead')
    }
  }

  #nodeDead(node: HaNode): void {
    this.say('WARN', `node ${node.name}: is dead`)
    if (node === this.self) {
      this.say('ERROR', 'No local heartbeat. Forcing restart.')
      this.say('info', 'See URL: http://linux-ha.org/wiki/FAQ#No_Local_Heartbeat')
      if (!this.shuttingDown) this.#causeRestart()
      return
    }
    node.status = 'dead'
    this.resources.nodeDied(node)
    node.remoteS = 0
    node.heard = false
    this.#protocol.reset(node)
  }

  partitionHealed(): void {
    this.#sendStatus()
    this.later(2000, () => this.#causeRestart())
  }

  /** Gives up all, and begins anew. */
  #causeRestart(): void {
    this.#restart = true
    this.resources.giveUp()
  }

  #checkLinks(): void {
    if (this.linksUp) return
    if (!this.nodes.every(({ heard, status }) => heard || status === 'dead')) return
    this.linksUp = true
    this.#askNodes(0)
  }

  #askNodes(start: number): void {
    if (this.#nodesKnown) return
    const from = start >= this.nodes.length ? 0 : start
    const at = this.nodes.findIndex(
      (node, i) => i >= from && node.status !== 'dead' && node !== this.self && !node.ping,
    )
    if (at < 0) {
      this.#nodesKnown = true
      this.#commNowUp()
      return
    }
    this.send(HaMessage.of({ t: 'reqnodes', dest: this.nodes[at]!.name }))
    this.#loop.timer(PRIORITY.default, 1000, () => {
      this.#askNodes(at)
      return false
    })
  }

  #nodesAsked(from: HaNode): void {
    if (from === this.self) {
      this.say('ERROR', 'HBDoMsg_T_REQNODES: get reqnodes msg from myself!')
      return
    }
    const nodelist = this.nodes.filter(({ ping }) => !ping).map(({ name }) => `${name} `)
    this.say('debug', 'get_delnodelist: delnodelist= ')
    this.send(HaMessage.of({ dest: from.name, t: 'repnodes', nodelist: nodelist.join(''), delnodelist: ' ' }))
  }

  #nodesTold(from: HaNode, message: HaMessage): void {
    if (from === this.self) return
    const told = (message.get('nodelist') ?? '').split(/[ \t]+/).filter((name) => name !== '')
    const own = this.nodes.filter(({ ping }) => !ping).map(({ name }) => name)
    if (told.length !== own.length || told.some((name) => !own.includes(name))) {
      throw new NotModelled(
        `heartbeat: nodes that know of different nodes (${own.join(' ')}; ${from.name}: ${told.join(' ')})`,
      )
    }
    this.#nodesKnown = true
    this.#commNowUp()
  }

  #commNowUp(): void {
    if (this.#up) return
    this.#up = true
    this.say('info', 'Comm_now_up(): updating status to active')
    this.#setLocalStatus('active')
    const { resources } = this
    this.resources.begin()
    for (const type of ['starting', 'resource']) {
      this.#callbacks.set(type, (which, from, message) => resources.message(which, message, from))
    }
    this.#callbacks.set('ask_resources', (_, __, message) => resources.asked(message))
    this.#callbacks.set('ip-request', (_, from, message) => {
      if (from !== this.self) resources.queue(message)
    })
    this.#callbacks.set('ip-request-resp', (_, __, message) => {
      if (!this.shuttingDown) resources.queue(message)
    })
    this.#callbacks.set('', (_, __, message) => resources.queue(message))
    this.#openRegister()
    if (!this.shuttingDown) for (let i = 0; i < this.config.clients.length; i++) this.#startClient(i)
    this.#complete = true
    if (this.shuttingDown) {
      this.shuttingDown = false
      this.#initiateShutdown()
    }
  }

  #setLocalStatus(status: string): void {
    this.self.status = status
    this.#sendStatus()
    this.say('info', `Local status now set to: '${status}'`)
  }

  #sendStatus(): void {
    const { status, deadMs } = this.self
    this.send(HaMessage.of({ t: 'status', st: status, dt: deadMs.toString(16), protocol: VERSION_PROTOCOL }))
  }

  /** For as long as it starts processes it asks for more patience. */
  #addDeadtime(): void {
    this.#extraDeadtimes++
    if (this.self.deadMs >= this.config.deadtimeMs + 2000) return
    this.self.deadMs = this.config.deadtimeMs + 2000
    this.#sendStatus()
  }

  #popDeadtime(): boolean {
    this.#extraDeadtimes--
    if (this.#extraDeadtimes <= 0) {
      this.#extraDeadtimes = 0
      this.self.deadMs = this.config.deadtimeMs
      this.#sendStatus()
    }
    return false
  }

  // Processes.

  run(work: Work): void {
    if (work.kind === 'give up') this.say('info', `Heartbeat shutdown in progress. (${this.sys.pid})`)
    const name = workName(work)
    const pid = this.sys.fork((child) =>
      workChild(child, this.#log.of(child), this.config, this.self.name, work, this.resources),
    )
    this.#track(pid, { kind: 'work', name })
  }

  #startClient(index: number): void {
    const client = this.config.clients[index]!
    if (client.user !== 'root') throw new NotModelled(`heartbeat: respawn as ${client.user}, everybody is root`)
    this.say('info', `Starting child client "${client.command}" (0,0)`)
    this.#addDeadtime()
    const pid = this.sys.fork((child) => clientChild(child, this.#log.of(child), client))
    this.#track(pid, { kind: 'client', index })
    this.#clientPids[index] = pid
    this.#popDeadtime()
  }

  #clientDied(index: number, exit: number | undefined): void {
    const { command } = this.config.clients[index]!
    this.#clientPids[index] = undefined
    if (!this.shuttingDown) {
      if (exit !== 100) {
        this.say('ERROR', `Respawning client "${command}":`)
        this.#startClient(index)
      }
      return
    }
    if (index !== this.#lastClient) return
    this.#lastClient--
    if (!this.#endClient()) this.finalShutdown()
  }

  /** Ends the client that was started last; false if none is left. */
  #endClient(): boolean {
    while (this.#lastClient >= 0) {
      const pid = this.#clientPids[this.#lastClient]
      const { command } = this.config.clients[this.#lastClient]!
      if (pid !== undefined) {
        this.say('info', `killing ${command} process group ${pid} with signal 15`)
        this.sys.kill(-pid, 'SIGTERM')
        return true
      }
      this.say('info', `client [${command}] is not running.`)
      this.#lastClient--
    }
    return false
  }

  // The end.

  #initiateShutdown(): void {
    this.shuttingDown = true
    if (!this.#complete) {
      this.say('WARN', 'Shutdown delayed until Communication is up.')
      return
    }
    this.#sendStatus()
    this.resources.giveUp()
    this.#loop.timer(PRIORITY.default, HOUR_MS, () => false)
  }

  #shutDone(from: HaNode, message: HaMessage): void {
    if (this.linksUp) this.resources.message('shutdone', message, from)
    if (from === this.self) this.later(1000, () => this.finalShutdown())
    else this.resources.otherShutDone(from)
  }

  finalShutdown(): void {
    this.sys.sigaction('SIGTERM', 'ignore')
    if (this.#phase === 0) {
      this.#phase = 1
      this.#sendStatus()
      if (this.#endClient()) return
    }
    if (this.#phase === 1) {
      this.#phase = 2
      this.#sendStatus()
      this.later(1000, () => this.finalShutdown())
      return
    }
    this.#phase = 3
    const core = [...this.#tracked].flatMap(([pid, what]) => (what.kind === 'core' ? [{ pid, name: what.name }] : []))
    for (const { pid, name } of pidOrder(this.sys.pid, core)) {
      this.say('info', `killing ${name} process ${pid} with signal 15`)
      this.sys.kill(pid, 'SIGTERM')
    }
  }

  // cl_status.

  #openRegister(): void {
    const { sys } = this
    const made = sys.socket('AF_UNIX', 'SOCK_SEQPACKET', 0)
    if (!made.ok) return
    const fd = made.value
    sys.unlink(REGISTER)
    if (!sys.bind(fd, { family: 'AF_UNIX', path: REGISTER }).ok || !sys.listen(fd, 10).ok) {
      this.say('debug', `Cannot open registration socket at ${REGISTER}`)
      return
    }
    this.#loop.fds.add(fd)
    const ready = () => this.#loop.readable.has(fd)
    const register = (client: number) => this.#serveClient(client)
    this.#loop.add({
      priority: PRIORITY.register,
      prepare: () => false,
      check: ready,
      *dispatch() {
        const got = yield* sys.accept(fd)
        if (got.ok) register(got.value.fd)
        return true
      },
    })
  }

  #serveClient(fd: number): void {
    const { sys } = this
    const loop = this.#loop
    const view = this
    loop.fds.add(fd)
    loop.add({
      priority: PRIORITY.client,
      prepare: () => false,
      check: () => loop.readable.has(fd),
      *dispatch() {
        const got = yield* sys.receive(fd, 4096, { dontWait: true })
        if (got.ok && got.value.length > 0) {
          const request = String.fromCharCode(...got.value.bytes).split('\0')
          yield* sys.sendTo(fd, encodeLatin1(answer(view, request)), undefined, { dontWait: true, noSignal: true })
          return true
        }
        if (!got.ok && got.errno === 'EAGAIN') return true
        loop.fds.delete(fd)
        sys.close(fd)
        return false
      },
    })
  }
}

function* readLoad(sys: Sys): Body<string> {
  const opened = yield* sys.open('/proc/loadavg')
  if (!opened.ok) return 'n/a'
  const got = yield* sys.read(opened.value, 64)
  sys.close(opened.value)
  return got.ok ? String.fromCharCode(...got.value).replace(/\n.*/s, '') : 'n/a'
}
