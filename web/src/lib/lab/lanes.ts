/**
 * Who speaks for whom, along time: for each host its advertisements (VRRP, heartbeat), the addresses that it holds beside
 * those of the plan, and when it had no power or no cable. Read off frames and off what kernels keep; nothing else is asked.
 */
import type { HostPlan, LabPlan } from '#lab/plan'
import { countUpTo, type RecordedFrame, type Recording } from './recording.ts'

export interface LaneTick {
  showMs: number
  kind: 'vrrp' | 'heartbeat' | 'goodbye'
  title: string
}

export interface LaneBar {
  fromMs: number
  untilMs: number
  kind: 'address' | 'off' | 'unplugged'
  label: string
  /** Addresses that are held at the same time stand above each other: from 0 on. */
  row: number
}

export interface Lane {
  host: string
  ticks: LaneTick[]
  bars: LaneBar[]
}

const ETH_P_IP = 0x0800
const IPPROTO_UDP = 17
const IPPROTO_AH = 51
const IPPROTO_VRRP = 112
const VRRP_ADVERTISEMENT = 1
/** heartbeat's port: ha-cluster in /etc/services. */
const HA_CLUSTER = 694

/** What a frame advertises, if it is of that kind; read with bounds, as a frame may be cut or forged. */
export function advertisement(bytes: Uint8Array): Omit<LaneTick, 'showMs'> | undefined {
  const at = 14
  if (bytes.length < at + 20 || bytes[12]! * 256 + bytes[13]! !== ETH_P_IP || bytes[at]! >> 4 !== 4) return undefined
  // The rest of a datagram in fragments has no header to read.
  if (((bytes[at + 6]! & 0x1f) << 8) + bytes[at + 7]! !== 0) return undefined
  let payload = at + (bytes[at]! & 15) * 4
  let protocol = bytes[at + 9]!
  // VRRP may be authenticated by IPsec.
  if (protocol === IPPROTO_AH && bytes.length >= payload + 2) {
    protocol = bytes[payload]!
    payload += (bytes[payload + 1]! + 2) * 4
  }
  if (bytes.length < payload + 8) return undefined
  if (protocol === IPPROTO_VRRP && (bytes[payload]! & 15) === VRRP_ADVERTISEMENT) {
    const [vrid, priority] = [bytes[payload + 1]!, bytes[payload + 2]!]
    return { kind: priority === 0 ? 'goodbye' : 'vrrp', title: `VRRP ${vrid}, priority ${priority}` }
  }
  const port = bytes[payload + 2]! * 256 + bytes[payload + 3]!
  if (protocol === IPPROTO_UDP && port === HA_CLUSTER) return { kind: 'heartbeat', title: 'heartbeat' }
  return undefined
}

/** So few of a lane's ticks that each is seen: of those nearer than `apartMs` one; a farewell always. */
export function thinned(ticks: readonly LaneTick[], apartMs: number): LaneTick[] {
  const last: Partial<Record<LaneTick['kind'], number>> = {}
  return ticks.filter(({ kind, showMs }) => {
    if (kind !== 'goodbye' && showMs - (last[kind] ?? Number.NEGATIVE_INFINITY) < apartMs) return false
    last[kind] = showMs
    return true
  })
}

/** The lanes of a recording up to a moment; only hosts that have something to show, the plan's order. */
export class Lanes {
  readonly #recording: Recording
  readonly #plan: LabPlan
  readonly #ticks = new Map<string, LaneTick[]>()
  #read = 0

  constructor(recording: Recording, plan: LabPlan) {
    this.#recording = recording
    this.#plan = plan
  }

  by(showMs: number): Lane[] {
    const { frames } = this.#recording
    for (; this.#read < frames.length; this.#read++) this.#take(frames[this.#read]!)
    const ticksOf = (name: string) => {
      const ticks = this.#ticks.get(name) ?? []
      return ticks.slice(0, countUpTo(ticks, showMs))
    }
    const spoken = this.#plan.hosts.map((plan) => ({ plan, ticks: ticksOf(plan.name) }))
    if (spoken.every(({ ticks }) => ticks.length === 0)) return []
    return spoken
      .map(({ plan, ticks }): Lane => ({ host: plan.name, ticks, bars: this.#bars(plan, showMs) }))
      .filter(({ ticks, bars }) => ticks.length > 0 || bars.length > 0)
  }

  #take({ bytes, showMs, from }: RecordedFrame): void {
    const found = advertisement(bytes)
    if (!found) return
    const ticks = this.#ticks.get(from.host) ?? []
    this.#ticks.set(from.host, ticks)
    ticks.push({ showMs, ...found })
  }

  #bars(plan: HostPlan, untilMs: number): LaneBar[] {
    const bars = new Bars(untilMs)
    const planned = [...plan.loopback, ...plan.interfaces.flatMap(({ addresses }) => addresses)]
    const own = new Set(planned.map(({ address, prefix }) => `${address}/${prefix}`))
    const marks = this.#recording.marks.filter(({ event }) => event.type === 'power' || event.type === 'link')
    const tables = this.#recording.insides.get(plan.name)?.get('addresses') ?? []
    // Both in order: whoever loses power has no address from then on, whenever it is looked at next.
    const all = [...marks, ...tables].sort((a, b) => a.showMs - b.showMs)
    for (const { showMs, event } of all) {
      if (showMs > untilMs) break
      if (event.type === 'inside') {
        const cells = event.rows.map((row) => row.cells[1]!)
        bars.hold(new Set(cells.filter((cell) => !own.has(cell) && !cell.startsWith('127.'))), showMs)
      } else if (event.type === 'power' && event.host === plan.name) {
        if (!event.on) bars.hold(new Set(), showMs)
        if (event.on) bars.end('power', showMs)
        else bars.begin('power', showMs, 'off', '')
      } else if (event.type === 'link' && event.end.host === plan.name) {
        const key = `cable ${event.end.interface}`
        if (event.up) bars.end(key, showMs)
        else bars.begin(key, showMs, 'unplugged', event.end.interface)
      }
    }
    return bars.all
  }
}

/** Bars that open and close; what is open lasts to the end. */
class Bars {
  readonly all: LaneBar[] = []
  readonly #open = new Map<string, LaneBar>()
  readonly #held = new Set<string>()
  readonly #untilMs: number

  constructor(untilMs: number) {
    this.#untilMs = untilMs
  }

  begin(key: string, fromMs: number, kind: LaneBar['kind'], label: string): void {
    if (this.#open.has(key)) return
    const taken = new Set([...this.#open.values()].filter((bar) => bar.kind === kind).map(({ row }) => row))
    let row = 0
    while (kind === 'address' && taken.has(row)) row++
    const bar = { fromMs, untilMs: this.#untilMs, kind, label, row }
    this.#open.set(key, bar)
    this.all.push(bar)
  }

  end(key: string, atMs: number): void {
    const bar = this.#open.get(key)
    if (bar) bar.untilMs = atMs
    this.#open.delete(key)
  }

  /** These addresses are held from now on, and no others. */
  hold(addresses: Set<string>, atMs: number): void {
    for (const address of this.#held) if (!addresses.has(address)) this.#release(address, atMs)
    for (const address of addresses) {
      this.#held.add(address)
      this.begin(address, atMs, 'address', address.replace(/\/\d+$/u, ''))
    }
  }

  #release(address: string, atMs: number): void {
    this.#held.delete(address)
    this.end(address, atMs)
  }
}
