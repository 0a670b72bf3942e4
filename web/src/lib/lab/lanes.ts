/**
 * Who speaks for whom, along time: for each host its advertisements (VRRP, heartbeat), the addresses that it holds beside
 * those of the plan, and when it had no power or no cable. Read off frames and off what kernels keep; nothing else is asked.
 */
import type { LabPlan } from '#lab/plan'
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
}

export interface Lane {
  host: string
  ticks: LaneTick[]
  bars: LaneBar[]
}

const ETH_P_IP = 0x0800
const IPPROTO_UDP = 17
const IPPROTO_VRRP = 112
/** heartbeat's port: ha-cluster in /etc/services. */
const HA_CLUSTER = 694

/** What a frame advertises, if it is of that kind; read with bounds, as a frame may be cut or forged. */
export function advertisement(bytes: Uint8Array): Omit<LaneTick, 'showMs'> | undefined {
  const at = 14
  if (bytes.length < at + 28 || bytes[12]! * 256 + bytes[13]! !== ETH_P_IP) return undefined
  const payload = at + (bytes[at]! & 15) * 4
  if (bytes.length < payload + 8) return undefined
  const protocol = bytes[at + 9]!
  if (protocol === IPPROTO_VRRP) {
    const [vrid, priority] = [bytes[payload + 1]!, bytes[payload + 2]!]
    return { kind: priority === 0 ? 'goodbye' : 'vrrp', title: `VRRP ${vrid}, priority ${priority}` }
  }
  const port = bytes[payload + 2]! * 256 + bytes[payload + 3]!
  if (protocol === IPPROTO_UDP && port === HA_CLUSTER) return { kind: 'heartbeat', title: 'heartbeat' }
  return undefined
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
    const lanes = this.#plan.hosts.map(({ name }): Lane => {
      const ticks = this.#ticks.get(name) ?? []
      return { host: name, ticks: ticks.slice(0, countUpTo(ticks, showMs)), bars: this.#bars(name, showMs) }
    })
    const speaks = lanes.some(({ ticks }) => ticks.length > 0)
    return speaks ? lanes.filter(({ ticks, bars }) => ticks.length > 0 || bars.length > 0) : []
  }

  #take({ bytes, showMs, from }: RecordedFrame): void {
    const found = advertisement(bytes)
    if (!found) return
    const ticks = this.#ticks.get(from.host) ?? []
    this.#ticks.set(from.host, ticks)
    ticks.push({ showMs, ...found })
  }

  #bars(host: string, showMs: number): LaneBar[] {
    const bars: LaneBar[] = []
    const open = new Map<string, LaneBar>()
    const begin = (key: string, bar: LaneBar) => {
      if (open.has(key)) return
      open.set(key, bar)
      bars.push(bar)
    }
    const end = (key: string, untilMs: number) => {
      const bar = open.get(key)
      if (bar) bar.untilMs = untilMs
      open.delete(key)
    }
    const plan = this.#plan.hosts.find(({ name }) => name === host)!
    const planned = [...plan.loopback, ...plan.interfaces.flatMap(({ addresses }) => addresses)]
    const own = new Set(planned.map(({ address, prefix }) => `${address}/${prefix}`))
    for (const { showMs: fromMs, event } of this.#recording.insides.get(host)?.get('addresses') ?? []) {
      if (fromMs > showMs) break
      const held = new Set(
        event.rows.map(({ cells }) => cells[1]!).filter((cell) => !own.has(cell) && !cell.startsWith('127.')),
      )
      for (const key of open.keys()) if (key.includes('/') && !held.has(key)) end(key, fromMs)
      for (const address of held) {
        begin(address, { fromMs, untilMs: showMs, kind: 'address', label: address.replace(/\/\d+$/u, '') })
      }
    }
    for (const { showMs: fromMs, event } of this.#recording.marks) {
      if (fromMs > showMs) break
      if (event.type === 'power' && event.host === host) {
        if (event.on) end('power', fromMs)
        else begin('power', { fromMs, untilMs: showMs, kind: 'off', label: '' })
      } else if (event.type === 'link' && event.end.host === host) {
        const key = `cable ${event.end.interface}`
        if (event.up) end(key, fromMs)
        else begin(key, { fromMs, untilMs: showMs, kind: 'unplugged', label: '' })
      }
    }
    return bars
  }
}
