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
  /** Its timestamp. */
  stamp?: number
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
  /** What was acknowledged last. */
  #acked = 1
  /** The peer's own stream. */
  #sent = 1
  #nowMs = 200
  #lastMs = 200
  #arrivedMs = 0
  /** The kernel's timestamp that is echoed: of the last segment in sequence. RFC 7323. */
  #echo: number | 'last' = 'last'

  constructor(seed: number) {
    const random = new Simulator(seed).random('tcp script')
    this.#random = random
    const pick = <T>(...choices: T[]) => choices[random.below(choices.length)]!
    this.#network = {
      rttMs: pick(10, 20, 40, 100),
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
    if (this.#network.timestamps) options.push('nop', 'nop', `ts now ${this.#echo}`)
    if (blocks.length > 0) options.push('nop', 'nop', `sack ${blocks.map(([a, b]) => `${a}:${b}`).join(' ')}`)
    return options.length > 0 ? ` <${options.join(',')}>` : ''
  }

  #push(reaction: Reaction): void {
    this.#queue.push(reaction)
    this.#queue.sort((a, b) => a.atMs - b.atMs)
  }

  #line(text: string): void {
    // Some way from each other, and from being a millisecond apart, which decides whether TCP waits for more to send: an
    // emulated machine isn't quick enough for closer calls.
    // Nor late in a millisecond, in which the kernel's timestamps count.
    for (let moved = true; moved; ) {
      const gapMs = this.#nowMs - this.#lastMs
      const wanted = gapMs < 0.7 ? 0.7 : gapMs > 0.8 && gapMs < 1.4 ? 1.4 : 0
      moved = wanted > 0 || this.#nowMs % 1 > 0.6
      if (wanted > 0) this.#nowMs = this.#lastMs + wanted + this.#random.below(97) / 1000
      else if (moved) this.#nowMs = Math.ceil(this.#nowMs) + this.#random.below(97) / 1000
    }
    this.#lastMs = this.#nowMs
    const line = `${(this.#nowMs / 1000).toFixed(6)} ${text}`
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
      const way = rttMs + late + this.#random.below(1500 + jitterMs * 1000) / 1000
      let atMs = Math.ceil(1000 * (frame.atNs / 1e6 + way)) / 1000
      // Nothing overtakes but what is meant to.
      if (reorder === 0) atMs = Math.max(atMs, this.#arrivedMs)
      if (late === 0) this.#arrivedMs = Math.max(this.#arrivedMs, atMs)
      const stamp = ((flow?.last ?? 0) - (flow?.base ?? 0)) >>> 0
      this.#push({ atMs, segment: [from, from + length + (fin ? 1 : 0)], stamp })
    }
  }

  #acknowledge(last: Block | undefined): void {
    this.#unacked = 0
    this.#acked = this.#next
    if (this.#random.fraction() < this.#network.loss / 2) return // The ACK is lost.
    const ordered = last ? [...this.#blocks].sort((a, b) => Number(inside(last, b)) - Number(inside(last, a))) : []
    const blocks = this.#network.sack ? ordered.slice(0, 3) : []
    this.#line(
      `< . ${this.#sent}:${this.#sent}(0) ack ${this.#next} win ${this.#network.window}${this.#options(blocks)}`,
    )
  }

  /** A segment of the kernel's reaches the peer, which answers as a receiver does. */
  #arrive(segment: Block, stamp: number): void {
    const [from, to] = segment
    if (from <= this.#acked && stamp > 0) this.#echo = stamp
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
      if (next.segment) this.#arrive(next.segment, next.stamp ?? 0)
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
      if (!this.#closed && random.below(8) === 0) {
        this.#line('info c ca_state cwnd ssthresh lost retrans sacked reordering rto')
        this.#line('memory c')
      }
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

/** A script of one that receives: segments that overtake, repeat and overlap, and a program that reads when it likes. */
export function randomReceiverScript(seed: number): string {
  const random = new Simulator(seed).random('tcp receiver script')
  const pick = <T>(...choices: T[]) => choices[random.below(choices.length)]!
  const timestamps = random.below(2) > 0
  const sack = random.below(4) > 0
  const most = pick(100, 500, 1448, 1448)
  const disorder = pick(0, 0.05, 0.2, 0.5)
  const buffer = pick(0, 0, 8000, 20_000, 60_000)
  const options = ['mss 1460', ...(sack ? ['sackOK'] : []), ...(timestamps ? ['ts 1 0'] : []), 'nop', 'wscale 7']
  const stamp = timestamps ? ' <nop,nop,ts now last>' : ''
  const lines = [
    `# Chance, receiver ${seed}: segments to ${most}, disorder ${disorder}, buffer ${buffer || 'as it is'}`,
    '',
    '0 socket s',
    ...(buffer > 0 ? [`0 set s SO_RCVBUF ${buffer}`] : []),
    '0 bind s 8080',
    '0 listen s 5',
    `0.1 < S 0:0(0) win 65535 <${options.join(',')}>`,
    `0.2 < . 1:1(0) ack 1 win 512${stamp}`,
    '0.2 c = accept s',
  ]
  let atMs = 300
  const line = (text: string) => {
    atMs += pick(1.1, 1.1, 2.2, 10, 47) + random.below(300) / 1000
    if (atMs % 1 > 0.6) atMs = Math.ceil(atMs)
    lines.push(`${(atMs / 1000).toFixed(6)} ${text}`)
  }
  const late: [number, number][] = []
  let next = 1
  const segment = (from: number, to: number) =>
    line(`< ${random.below(3) === 0 ? 'P' : ''}. ${from}:${to}(${to - from}) ack 1 win 512${stamp}`)
  for (let i = 20 + random.below(80); i > 0; i--) {
    const length = random.below(3) === 0 ? 1 + random.below(most) : most
    const luck = random.fraction()
    if (late.length > 0 && luck < 0.3) segment(...late.splice(random.below(late.length), 1)[0]!)
    else if (luck > 1 - disorder) {
      late.push([next, next + length])
      next += length
    } else if (luck > 1 - disorder * 1.3 && next > 2000) segment(next - 1 - random.below(1500), next + length)
    else {
      segment(next, next + length)
      next += length
    }
    if (random.below(5) === 0) line(`recv c ${pick(100, 1000, 5000, 100_000)}`)
    if (random.below(6) === 0) {
      line('info c rcv_ssthresh rcv_space rcv_mss')
      line('memory c')
      line('unread c')
    }
  }
  for (const each of late) segment(...each)
  line('recv c 1000000')
  line('memory c')
  if (random.below(2) > 0) line(`< F. ${next}:${next}(0) ack 1 win 512${stamp}`)
  line('recv c 10')
  atMs += 500
  line('end')
  return `${lines.join('\n')}\n`
}
