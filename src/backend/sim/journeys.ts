/**
 * The ways of a lab's packets: what every host and network did with each, and why it ended where it did.
 *
 *     const journeys = new Journeys(lab.world)
 *     await lab.command('client', 'ping -c 1 web')
 *     journeys.list() // frames, numbered in the order in which they reached a switch
 *     journeys.of(3)  // the whole way of the packet that frame 3 is a part of
 *
 * A packet is one object on its way through a host and over a switch, where it gets a number; a copy that a switch makes has
 * the same number. So steps are told apart by object within a host, and by number between hosts. What a host sends while
 * it deals with a packet (a reset, an ICMP error, the packet in a tunnel's wrapping) is said to come of it.
 */
import type { Host } from '#kernel/core'
import { type DeviceEvent, deviceTrace, type IpEvent, type Route, waysTrace } from '#kernel/net'
import type { World } from '#lab/world'
import { dissect, emitFrame, formatIpv4, type Packet } from '#wire/inet'

/** Ways that are kept; of more the first are. */
const JOURNEYS_MAX = 200_000
/** Steps of one way: a packet that two switches in a loop pass on and on has no end of them. */
const STEPS_MAX = 2000

/** One thing that was done with a packet. */
export interface JourneyStep {
  /** Virtual nanoseconds. */
  atNs: number
  /** A host, a namespace of one, or a network. */
  where: string
  text: string
  /** Whether the way ends here, at least for this copy. */
  end: boolean
}

/** A packet's way, from where it was made to where it ended. */
export interface Journey {
  /** The numbers of its frames, in the order in which they reached switches. */
  frames: number[]
  steps: JourneyStep[]
  /** The way of the packet that it comes of, and those that came of it. */
  cause: Journey | undefined
  results: Journey[]
}

/** A frame as lists show it. */
export interface JourneyFrame {
  number: number
  atNs: number
  network: string
  /** The end that it came from, HOST:INTERFACE. */
  from: string
  summary: string
}

export class Journeys {
  readonly #world: World
  readonly #packets = new WeakMap<Packet, Journey>()
  readonly #frames = new Map<number, Journey>()
  readonly #list: JourneyFrame[] = []
  readonly #ends: (() => void)[]
  #count = 0
  // What a host is dealing with: good for the event in which it came in.
  #current: Journey | undefined
  #currentEvent = -1
  #currentHost: Host | undefined

  constructor(world: World) {
    this.#world = world
    this.#ends = [
      waysTrace.listen(({ host, event }) => this.#way(host, event)),
      deviceTrace.listen((event) => this.#device(event)),
      world.frames.listen(({ port, direction, packet }) => {
        const end = `${port.host}:${port.iface}`
        if (direction === 'in') this.#switched(packet, port.network.name, end)
        else this.#step(this.#of(packet), port.network.name, `leaves the switch towards ${end}`)
      }),
      world.losses.listen(({ port, packet, why }) => {
        const text = why === 'lost' ? 'lost on its way to' : 'no room in the queue towards'
        this.#step(this.#of(packet), port.network.name, `${text} ${port.host}:${port.iface}`, true)
      }),
    ]
  }

  /** Ends the listening; what was heard stays. */
  close(): void {
    for (const end of this.#ends) end()
  }

  /** All frames, in order. */
  list(): readonly JourneyFrame[] {
    return this.#list
  }

  /** The way that a frame is a part of; undefined if there is no such frame. */
  of(frame: number): Journey | undefined {
    return this.#frames.get(frame)
  }

  #of(packet: Packet, host?: Host): Journey {
    const known = this.#packets.get(packet) ?? (packet.frame > 0 ? this.#frames.get(packet.frame) : undefined)
    if (known) {
      this.#packets.set(packet, known)
      return known
    }
    const journey: Journey = { frames: [], steps: [], cause: undefined, results: [] }
    if (++this.#count > JOURNEYS_MAX) return journey
    this.#packets.set(packet, journey)
    if (host !== undefined && this.#currentEvent === this.#world.sim.events && this.#currentHost === host) {
      journey.cause = this.#current
      this.#current?.results.push(journey)
    }
    return journey
  }

  #step(journey: Journey, where: string, text: string, end = false): void {
    if (journey.steps.length > STEPS_MAX) return
    if (journey.steps.length === STEPS_MAX) {
      journey.steps.push({ atNs: this.#world.sim.nowNs, where, text: '... and so on: more is not kept', end: false })
    } else journey.steps.push({ atNs: this.#world.sim.nowNs, where, text, end })
  }

  #switched(packet: Packet, network: string, from: string): void {
    const journey = this.#of(packet)
    const number = packet.frame
    if (this.#list.length < JOURNEYS_MAX) {
      const atNs = this.#world.sim.nowNs
      this.#list.push({ number, atNs, network, from, summary: summaryOf(emitFrame(packet)) })
      this.#frames.set(number, journey)
      journey.frames.push(number)
    }
    this.#step(journey, network, `reaches the switch from ${from}, as frame ${number}`)
  }

  #device({ device, direction, packet }: DeviceEvent): void {
    if (direction === 'out') {
      this.#step(this.#of(packet, device.host), device.host.name, `leaves by ${device.name}`)
      return
    }
    const journey = this.#of(packet)
    this.#currentHost = device.host
    this.#currentEvent = this.#world.sim.events
    this.#current = journey
    const end = packet.packetType === 3 && device.rxHandler === undefined
    this.#step(
      journey,
      device.host.name,
      `comes in by ${device.name}${end ? ', addressed to another: ignored' : ''}`,
      end,
    )
  }

  #way(host: Host, event: IpEvent): void {
    const { packet } = event
    const text = textOf(event)
    if (text === undefined) return
    this.#step(this.#of(packet, host), host.name, text, event.kind === 'drop')
  }
}

/** What a step says; undefined for those that say no more than others do. */
function textOf(event: IpEvent): string | undefined {
  switch (event.kind) {
    case 'receive':
      return undefined
    case 'hook':
      return `${event.hook}: ${event.verdict}`
    case 'conntrack':
      return `conntrack: ${event.what}${event.text === '' ? '' : ` ${event.text}`}`
    case 'rule':
      return `${event.family} ${event.table} ${event.chain}, rule ${event.number}: ${event.text}${
        event.verdict === '' ? '' : ` => ${event.verdict}`
      }`
    case 'route':
      return event.route ? `route: ${routeText(event.route)}` : `no route: ${event.error ?? 'unreachable'}`
    case 'forward':
      return `forwarded, time to live ${event.packet.ttl} left`
    case 'deliver':
      return 'delivered here'
    case 'output':
      return `sent: ${routeText(event.route)}`
    case 'drop':
      return `dropped: ${event.reason}`
    default:
      return textOfStep(event as { kind: string; text?: string })
  }
}

/** Steps that other rooms add have their text with them. */
function textOfStep(event: { kind: string; text?: string }): string {
  return event.text === undefined ? event.kind : `${event.kind}: ${event.text}`
}

function routeText(route: Route): string {
  if (route.type === 'local') return 'local'
  const via = route.gateway === 0 ? '' : ` via ${formatIpv4(route.gateway)}`
  return `${route.type}${via} dev ${route.device.name}`
}

/** A frame in one line: between whom, and the title of what stands behind the (outermost) network header. */
export function summaryOf(bytes: Uint8Array): string {
  const layers = dissect(bytes).filter((layer) => layer.name !== 'data')
  const network = layers.find((layer) => layer.name === 'ip' || layer.name === 'ipv6')
  const behind = network && layers[layers.indexOf(network) + 1]
  const inner = behind ?? network ?? layers[layers.length - 1]
  if (inner === undefined) return `${bytes.length} bytes`
  const value = (name: string) => inner.fields.find((field) => field.name === name)?.value
  if (inner.name === 'arp') {
    return `${value('arp.src.proto_ipv4') ?? '?'} > ${value('arp.dst.proto_ipv4') ?? '?'} ${inner.title}`
  }
  if (network === undefined) return inner.title
  const between = network.title.replace(/^.*?, Src: (\S+), Dst: (\S+).*$/, '$1 > $2')
  if (inner === network) return `${between} ${network.title.replace(/, Src:.*$/, '')}`
  const type = value(`${inner.name}.type`)
  return `${between} ${inner.title}${type === undefined ? '' : `, ${type}`}`
}

/** A way as text, a step a line, with the time since its first and where. */
export function formatJourney(journey: Journey, titles: (frame: number) => string | undefined): string {
  const lines: string[] = []
  const begin = journey.steps[0]?.atNs ?? 0
  const width = Math.max(0, ...journey.steps.map(({ where }) => where.length))
  if (journey.cause !== undefined) lines.push(`comes of ${nameOf(journey.cause, titles)}`)
  let where = ''
  for (const step of journey.steps) {
    const name = step.where === where ? ''.padEnd(width) : step.where.padEnd(width)
    where = step.where
    lines.push(`${((step.atNs - begin) / 1e9).toFixed(6).padStart(10)}  ${name}  ${step.text}`)
  }
  for (const result of journey.results) if (result !== journey) lines.push(`brings about ${nameOf(result, titles)}`)
  return lines.map((line) => `${line}\n`).join('')
}

function nameOf(journey: Journey, titles: (frame: number) => string | undefined): string {
  const first = journey.frames[0]
  if (first === undefined) return 'a packet that reached no switch'
  return `frame ${first}: ${titles(first) ?? ''}`
}
