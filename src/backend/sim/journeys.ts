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

/** Ways that are kept if nobody says how much; of more the first are. */
const JOURNEYS_MAX = 200_000
/** Steps of one way: a packet that two switches in a loop pass on and on has no end of them. */
const STEPS_MAX = 2000

/**
 * What can happen to a packet. `rule`, `hook` and `conntrack` name what was passed in `about` and its outcome in `more`;
 * `other` has its name in `about` and its text in `more`.
 */
export type StepKind =
  | 'leaves'
  | 'enters'
  | 'ignored'
  | 'switch'
  | 'switched'
  | 'lost'
  | 'full'
  | 'hook'
  | 'conntrack'
  | 'rule'
  | 'route'
  | 'no-route'
  | 'forward'
  | 'deliver'
  | 'send'
  | 'drop'
  | 'endless'
  | 'other'

/** One thing that was done with a packet; `describeStep` says it. */
export interface JourneyStep {
  /** Virtual nanoseconds. */
  atNs: number
  /** A host, a namespace of one, or a network. */
  where: string
  kind: StepKind
  /** An interface, the end of a cable, a chain, a route, a reason. */
  about: string
  more: string
  /** A frame's, a rule's, or the time to live. */
  number: number
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
  /** Its steps were given up, to make room for those of later packets. */
  forgotten: boolean
}

export interface JourneysOptions {
  /**
   * How many steps to keep, the newest, for a page that runs for hours and has a list of its own. Without it the first ways
   * are kept, and listed.
   */
  newest?: number
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
  readonly #newest: number | undefined
  // All ways in order of their beginnings, from #oldest on; only if the newest are kept.
  #order: Journey[] = []
  #oldest = 0
  #steps = 0
  #count = 0
  // What a host is dealing with: good for the event in which it came in.
  #current: Journey | undefined
  #currentEvent = -1
  #currentHost: Host | undefined

  constructor(world: World, { newest }: JourneysOptions = {}) {
    this.#world = world
    this.#newest = newest
    this.#ends = [
      waysTrace.listen(({ host, event }) => this.#way(host, event)),
      deviceTrace.listen((event) => this.#device(event)),
      world.frames.listen(({ port, direction, packet }) => {
        const end = `${port.host}:${port.iface}`
        if (direction === 'in') this.#switched(packet, port.network.name, end)
        else this.#step(this.#of(packet), port.network.name, { kind: 'switched', about: end })
      }),
      world.losses.listen(({ port, packet, why }) => {
        const kind = why === 'lost' ? 'lost' : 'full'
        this.#step(this.#of(packet), port.network.name, { kind, about: `${port.host}:${port.iface}`, end: true })
      }),
    ]
  }

  /** Ends the listening; what was heard stays. */
  close(): void {
    for (const end of this.#ends) end()
  }

  /** All frames, in order; none if only the newest ways are kept. */
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
    const journey: Journey = { frames: [], steps: [], cause: undefined, results: [], forgotten: false }
    if (this.#newest !== undefined) this.#order.push(journey)
    else if (++this.#count > JOURNEYS_MAX) return journey
    this.#packets.set(packet, journey)
    if (host !== undefined && this.#currentEvent === this.#world.sim.events && this.#currentHost === host) {
      journey.cause = this.#current
      this.#current?.results.push(journey)
    }
    return journey
  }

  #step(journey: Journey, where: string, said: Said): void {
    if (journey.forgotten || journey.steps.length > STEPS_MAX) return
    const { kind, about = '', more = '', number = 0, end = false } = journey.steps.length < STEPS_MAX ? said : ENDLESS
    journey.steps.push({ atNs: this.#world.sim.nowNs, where, kind, about, more, number, end })
    this.#steps++
    if (this.#newest !== undefined && this.#steps > this.#newest) this.#forget(this.#newest)
  }

  /** Gives up the oldest ways, and their ties: a long conversation is one chain of causes. */
  #forget(newest: number): void {
    while (this.#steps > newest && this.#oldest < this.#order.length - 1) {
      const journey = this.#order[this.#oldest++]!
      this.#steps -= journey.steps.length
      for (const number of journey.frames) this.#frames.delete(number)
      journey.steps = []
      journey.cause = undefined
      journey.results = []
      journey.forgotten = true
    }
    if (this.#oldest < 1000 || this.#oldest < this.#order.length / 2) return
    this.#order = this.#order.slice(this.#oldest)
    this.#oldest = 0
  }

  #switched(packet: Packet, network: string, from: string): void {
    const journey = this.#of(packet)
    const number = packet.frame
    if (this.#newest !== undefined) {
      if (!journey.forgotten) this.#keep(number, journey)
    } else if (this.#list.length < JOURNEYS_MAX) {
      const atNs = this.#world.sim.nowNs
      this.#list.push({ number, atNs, network, from, summary: summaryOf(emitFrame(packet)) })
      this.#keep(number, journey)
    }
    this.#step(journey, network, { kind: 'switch', about: from, number })
  }

  #keep(number: number, journey: Journey): void {
    this.#frames.set(number, journey)
    journey.frames.push(number)
  }

  #device({ device, direction, packet }: DeviceEvent): void {
    if (direction === 'out') {
      this.#step(this.#of(packet, device.host), device.host.name, { kind: 'leaves', about: device.name })
      return
    }
    const journey = this.#of(packet)
    this.#currentHost = device.host
    this.#currentEvent = this.#world.sim.events
    this.#current = journey
    const end = packet.packetType === 3 && device.rxHandler === undefined
    this.#step(journey, device.host.name, { kind: end ? 'ignored' : 'enters', about: device.name, end })
  }

  #way(host: Host, event: IpEvent): void {
    const said = saidOf(event)
    if (said !== undefined) this.#step(this.#of(event.packet, host), host.name, said)
  }
}

/** A step before it has a place and a time. */
type Said = Pick<JourneyStep, 'kind'> & Partial<JourneyStep>

const ENDLESS: Said = { kind: 'endless' }

/** What a step says; undefined for those that say no more than others do. */
function saidOf(event: IpEvent): Said | undefined {
  switch (event.kind) {
    case 'receive':
      return undefined
    case 'hook':
      return { kind: 'hook', about: event.hook, more: event.verdict }
    case 'conntrack':
      return { kind: 'conntrack', about: event.what, more: event.text }
    case 'rule': {
      const verdict = event.verdict === '' ? '' : ` => ${event.verdict}`
      const about = `${event.family} ${event.table} ${event.chain}`
      return { kind: 'rule', about, number: event.number, more: `${event.text}${verdict}` }
    }
    case 'route':
      return event.route
        ? { kind: 'route', about: routeText(event.route) }
        : { kind: 'no-route', about: event.error ?? 'unreachable' }
    case 'forward':
      return { kind: 'forward', number: event.packet.ttl }
    case 'deliver':
      return { kind: 'deliver' }
    case 'output':
      return { kind: 'send', about: routeText(event.route) }
    case 'drop':
      return { kind: 'drop', about: event.reason, end: true }
    default: {
      // Steps that other rooms add have their text with them.
      const { kind, text = '' } = event as { kind: string; text?: string }
      return { kind: 'other', about: kind, more: text }
    }
  }
}

/** A step in words. */
export function describeStep({ kind, about, more, number }: JourneyStep): string {
  switch (kind) {
    case 'leaves':
      return `leaves by ${about}`
    case 'enters':
      return `comes in by ${about}`
    case 'ignored':
      return `comes in by ${about}, addressed to another: ignored`
    case 'switch':
      return `reaches the switch from ${about}, as frame ${number}`
    case 'switched':
      return `leaves the switch towards ${about}`
    case 'lost':
      return `lost on its way to ${about}`
    case 'full':
      return `no room in the queue towards ${about}`
    case 'conntrack':
      return `conntrack: ${about}${more === '' ? '' : ` ${more}`}`
    case 'rule':
      return `${about}, rule ${number}: ${more}`
    case 'route':
      return `route: ${about}`
    case 'no-route':
      return `no route: ${about}`
    case 'forward':
      return `forwarded, time to live ${number} left`
    case 'deliver':
      return 'delivered here'
    case 'send':
      return `sent: ${about}`
    case 'drop':
      return `dropped: ${about}`
    case 'endless':
      return '... and so on: more is not kept'
    case 'hook':
    case 'other':
      return more === '' ? about : `${about}: ${more}`
  }
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
    lines.push(`${((step.atNs - begin) / 1e9).toFixed(6).padStart(10)}  ${name}  ${describeStep(step)}`)
  }
  for (const result of journey.results) if (result !== journey) lines.push(`brings about ${nameOf(result, titles)}`)
  return lines.map((line) => `${line}\n`).join('')
}

function nameOf(journey: Journey, titles: (frame: number) => string | undefined): string {
  const first = journey.frames[0]
  if (first === undefined) return 'a packet that reached no switch'
  return `frame ${first}: ${titles(first) ?? ''}`
}
