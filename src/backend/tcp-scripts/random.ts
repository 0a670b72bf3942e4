/**
 * Scripts made by chance, for what nobody thought of: a connection over a network that loses, delays and reorders, with a
 * peer that behaves. The simulated kernel plays the other side while the script is made up; then a real one judges it.
 */
import { type RandomStream, Simulator } from '#base/sim'
import { learnFlow } from './decode.ts'
import { inputsOf, parseScript } from './script.ts'
import { Player } from './sim.ts'

/** What the peer has got of the kernel's stream: [from, to) beyond what it acknowledged. */
type Block = [from: number, to: number]

interface Network {
  rttMs: number
  jitterMs: number
  loss: number
  reorder: number
  /** Segments for one ACK. */
  stretch: number
  sack: boolean
  timestamps: boolean
  window: number
}

interface Reaction {
  atMs: number
  /** Undefined: a segment of the kernel's reaches the peer. */
  text?: string
  segment?: Block
  fin?: boolean
}

class RandomPeer {
  readonly #random: RandomStream
  readonly #network: Network
  readonly #lines: string[]
  readonly #player: Player
  readonly #queue: Reaction[] = []
  #seen = 0
  #next = 1
  #blocks: Block[] = []
  #unacked = 0
  /** The peer's own stream. */
  #sent = 1
  #nowMs = 200

  constructor(seed: number) {
    const random = new Simulator(seed).random('tcp script')
    this.#random = random
    const pick = <T>(...choices: T[]) => choices[random.below(choices.length)]!
    this.#network = {
      rttMs: pick(2, 10, 30, 100),
      jitterMs: pick(0, 0, 1, 5),
      loss: pick(0, 0.02, 0.05, 0.1, 0.3),
      reorder: pick(0, 0, 0.05, 0.2),
      stretch: pick(1, 2, 2, 4),
      sack: random.below(4) > 0,
      timestamps: random.below(2) > 0,
      window: pick(512, 512, 200, 60),
    }
    const { sack, timestamps } = this.#network
    const options = [`mss ${timestamps ? 1012 : 1000}`]
    if (sack) options.push('sackOK')
    if (timestamps) options.push('ts 1 0')
    options.push('nop', 'wscale 7')
    const congestion = pick('cubic', 'cubic', 'reno')
    this.#lines = [
      `# Chance, seed ${seed}: ${JSON.stringify(this.#network).replace(/["{}]/g, '').replaceAll(',', ', ')}`,
      `sysctl net.ipv4.tcp_congestion_control = ${congestion}`,
      '',
      '0 socket s',
      '0 bind s 8080',
      '0 listen s 5',
      `0.1 < S 0:0(0) win 65535 <${options.join(',')}>`,
      `0.2 < . 1:1(0) ack 1 win 512${this.#options([])}`,
      '0.2 c = accept s',
    ]
    const script = parseScript(`${this.#lines.join('\n')}\n`, `seed ${seed}`)
    this.#player = new Player(script)
    this.#player.advance(0)
    for (const step of inputsOf(script)) this.#player.perform(step)
    this.#seen = this.#player.frames.length
  }

  #options(blocks: Block[]): string {
    const options: string[] = []
    if (this.#network.timestamps) options.push('nop', 'nop', 'ts now last')
    if (blocks.length > 0) options.push('nop', 'nop', `sack ${blocks.map(([a, b]) => `${a}:${b}`).join(' ')}`)
    return options.length > 0 ? ` <${options.join(',')}>` : ''
  }

  #push(reaction: Reaction): void {
    this.#queue.push(reaction)
    this.#queue.sort((a, b) => a.atMs - b.atMs)
  }

  #line(text: string): void {
    const line = `${(this.#nowMs / 1000).toFixed(3)} ${text}`
    this.#lines.push(line)
    const header = this.#lines.filter((each) => /^(sysctl|flow|mtu)/.test(each)).join('\n')
    const listen = '0 socket s\n0 listen s 1\n'
    const [, , step] = inputsOf(parseScript(`${header}\n${listen}${line}\n`, 'random'))
    this.#player.perform(step!)
  }

  /** The kernel's new frames set out for the peer. */
  #watch(): void {
    const { rttMs, jitterMs, loss, reorder } = this.#network
    const frames = this.#player.frames
    for (; this.#seen < frames.length; this.#seen++) {
      const frame = frames[this.#seen]!
      const flow = learnFlow(this.#player.flows as never, frame)
      const view = new DataView(frame.bytes.buffer, frame.bytes.byteOffset)
      const length = 14 + view.getUint16(16) - 34 - 4 * (frame.bytes[46]! >> 4)
      const from = (view.getUint32(38) - (flow?.isn ?? 0)) >>> 0
      const fin = (frame.bytes[47]! & 1) !== 0
      if ((length === 0 && !fin) || this.#random.fraction() < loss) continue
      const late = this.#random.fraction() < reorder ? rttMs / 4 + 3 : 0
      const way = rttMs + late + (jitterMs > 0 ? this.#random.below(jitterMs) : 0)
      this.#push({ atMs: Math.ceil(frame.atNs / 1e6 + way), segment: [from, from + length + (fin ? 1 : 0)], fin })
    }
  }

  #acknowledge(last: Block | undefined): void {
    this.#unacked = 0
    if (this.#random.fraction() < this.#network.loss / 2) return // The ACK is lost.
    const ordered = last ? [...this.#blocks].sort((a, b) => Number(inside(last, b)) - Number(inside(last, a))) : []
    const blocks = this.#network.sack ? ordered.slice(0, 3) : []
    this.#line(
      `< . ${this.#sent}:${this.#sent}(0) ack ${this.#next} win ${this.#network.window}${this.#options(blocks)}`,
    )
  }

  /** A segment of the kernel's reaches the peer, which answers as a receiver does. */
  #arrive(segment: Block): void {
    const [from, to] = segment
    if (to <= this.#next) {
      const duplicate: Block[] = this.#network.sack ? [segment] : []
      const text = `< . ${this.#sent}:${this.#sent}(0) ack ${this.#next} win ${this.#network.window}`
      this.#line(`${text}${this.#options([...duplicate, ...this.#blocks.slice(0, 2)])}`)
      return
    }
    if (from > this.#next) {
      this.#blocks = merge([...this.#blocks, segment])
      this.#acknowledge(segment)
      return
    }
    const filled = this.#blocks.length > 0
    this.#next = to
    while (this.#blocks.length > 0 && this.#blocks[0]![0] <= this.#next) {
      this.#next = Math.max(this.#next, this.#blocks.shift()![1])
    }
    if (++this.#unacked >= this.#network.stretch || filled) this.#acknowledge(this.#blocks[0])
    else this.#push({ atMs: this.#nowMs + 40, text: 'late' })
  }

  play(): string {
    const random = this.#random
    for (let i = 1 + random.below(6); i > 0; i--) {
      const atMs = 300 + random.below(1500)
      this.#push({ atMs, text: `send c ${1 + random.below(random.below(3) === 0 ? 500 : 60_000)}` })
    }
    for (let i = random.below(4); i > 0; i--) this.#push({ atMs: 300 + random.below(2000), text: 'data' })
    if (random.below(2) > 0) this.#push({ atMs: 1500 + random.below(1000), text: 'close c' })
    const endMs = 6000
    this.#watch()
    for (let steps = 0; steps < 400; steps++) {
      const next = this.#queue[0]
      const untilMs = Math.min(next?.atMs ?? endMs, endMs)
      const before = this.#player.frames.length
      this.#player.advance(untilMs * 1e6, true)
      if (this.#player.frames.length > before) {
        this.#watch()
        continue
      }
      if (!next || next.atMs >= endMs) break
      this.#queue.shift()
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      if (next.segment) this.#arrive(next.segment)
      else if (next.text === 'late') {
        if (this.#unacked > 0) this.#acknowledge(this.#blocks[0])
      } else if (next.text === 'data') {
        const length = 1 + random.below(1000)
        this.#line(`< P. ${this.#sent}:${this.#sent + length}(${length}) ack ${this.#next} win 512${this.#options([])}`)
        this.#sent += length
        if (random.below(2) > 0) this.#line('recv c 10000')
      } else {
        this.#line(next.text!)
        if (next.text === 'close c') this.#closed = true
      }
      if (!this.#closed && random.below(8) === 0)
        this.#line('info c ca_state cwnd ssthresh lost retrans sacked reordering rto')
      this.#watch()
    }
    this.#nowMs = Math.max(this.#nowMs, endMs)
    if (!this.#closed) this.#line('info c ca_state cwnd ssthresh rto rtt total_retrans')
    this.#line('end')
    return `${this.#lines.join('\n')}\n`
  }
  #closed = false
}

function inside(inner: Block, outer: Block): boolean {
  return inner[0] >= outer[0] && inner[1] <= outer[1]
}

function merge(blocks: Block[]): Block[] {
  const merged: Block[] = []
  for (const [from, to] of blocks.sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1)
    if (last && from <= last[1]) last[1] = Math.max(last[1], to)
    else merged.push([from, to])
  }
  return merged
}

/** A script made by chance, without what is expected. */
export function randomScript(seed: number): string {
  return new RandomPeer(seed).play()
}
