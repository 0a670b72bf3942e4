/**
 * A network: one learning switch. It learns where a source address is, forgets it after 300 s, floods what it doesn't
 * know in the order of its ports, and never sends a frame back to where it came from; as Linux's bridge without STP does.
 * Linux 6.1 net/bridge/br_input.c: br_handle_frame(), br_handle_frame_finish(); br_fdb.c.
 */
import { SECOND, type Simulator } from '#base/sim'
import type { Attached } from '#kernel/net'
import { MAC_BROADCAST, type Packet } from '#wire/inet'
import { Cable, type End } from './cable.ts'

/** BR_DEFAULT_AGEING_TIME: 300 s. Linux 6.1 include/linux/if_bridge.h. */
const AGEING_NS = 300 * SECOND
/**
 * 01:80:c2:00:00:01 to 0f: what a bridge never forwards. The address before them is STP's, and passes a bridge that runs
 * none. Linux 6.1 net/bridge/br_input.c: br_handle_frame().
 */
const RESERVED = 0x0180c2000001
/** What waits for a paused host: a tap device's queue, as a virtual machine's card has it. Linux 6.1 include/uapi/linux/if_tun.h: TUN_READQ_SIZE. */
const HELD_MAX = 500
/** The bit of an Ethernet address that says group: the lowest of its first byte. */
const GROUP = 2 ** 40

interface Learnt {
  port: SwitchPort
  seenNs: number
}

/** What a network does to a frame where it leaves the switch. */
export interface Shape {
  delayNs: number
  rateBps: number
  loss: number
}

/** Listens to frames at the switch's end of a cable. in: from the host. */
export type FrameTap = (port: SwitchPort, direction: 'in' | 'out', packet: Packet) => void

export class Switch {
  readonly name: string
  readonly ports: SwitchPort[] = []
  readonly shape: Shape
  /** Set while somebody looks. */
  tap: FrameTap | undefined = undefined
  readonly sim: Simulator
  readonly #learnt = new Map<number, Learnt>()

  constructor(sim: Simulator, name: string, shape: Shape) {
    this.sim = sim
    this.name = name
    this.shape = { ...shape }
  }

  /** A new port with its cable; `latencyNs` is the cable's, from the host to the switch. */
  addPort(host: string, iface: string, latencyNs: number): SwitchPort {
    const name = `${this.name}/${host}:${iface}`
    const toSwitch = { delayNs: latencyNs, rateBps: Number.POSITIVE_INFINITY, loss: 0 }
    const cable = new Cable(this.sim, name, toSwitch, this.shape)
    const port = new SwitchPort(this, host, iface, cable)
    // What leaves the switch is seen as it leaves: after delay, rate and loss.
    cable.b.wire.deliver = (packet) => {
      // A card that is down has no link: the frame never leaves.
      const card = cable.a.attached
      if (!card || card.up === false) return
      this.tap?.(port, 'out', packet)
      if (port.held !== undefined) {
        if (port.held.length < HELD_MAX) port.held.push(packet)
        return
      }
      this.sim.owner = port.owner
      card.receive(packet)
    }
    cable.b.attach(port)
    this.ports.push(port)
    return port
  }

  /** Changes delay, rate or loss for what is sent from now on. */
  reshape(change: Partial<Shape>): void {
    Object.assign(this.shape, change)
    for (const port of this.ports) {
      port.end.wire.delayNs = this.shape.delayNs
      port.end.wire.rateBps = this.shape.rateBps
      port.end.wire.loss = this.shape.loss
    }
  }

  receive(from: SwitchPort, packet: Packet): void {
    this.tap?.(from, 'in', packet)
    const now = this.sim.nowNs
    const source = packet.macSrc
    // A group address or zero as a source: such a frame is dropped. br_handle_frame(): is_valid_ether_addr().
    if (source === 0 || isGroup(source)) return
    const known = this.#learnt.get(source)
    if (known) {
      known.port = from
      known.seenNs = now
    } else this.#learnt.set(source, { port: from, seenNs: now })

    const target = packet.macDst
    if (!isGroup(target)) {
      const learnt = this.#learnt.get(target)
      if (learnt && now - learnt.seenNs <= AGEING_NS) {
        if (learnt.port !== from) learnt.port.end.transmit(packet)
        return
      }
    } else if (target !== MAC_BROADCAST && target >= RESERVED && target <= RESERVED + 14) return
    this.#flood(from, packet)
  }

  /** What was learnt at a port is forgotten when it loses its carrier. br_fdb.c: br_fdb_delete_by_port(). */
  forget(port: SwitchPort): void {
    for (const [mac, learnt] of this.#learnt) if (learnt.port === port) this.#learnt.delete(mac)
  }

  #flood(from: SwitchPort, packet: Packet): void {
    let last: SwitchPort | undefined
    for (const port of this.ports) {
      if (port === from || !port.up) continue
      if (last) last.end.transmit(packet.clone())
      last = port
    }
    last?.end.transmit(packet)
  }
}

/** A port of a switch, with the cable to one interface of a host. */
export class SwitchPort implements Attached {
  readonly network: Switch
  readonly host: string
  readonly iface: string
  readonly cable: Cable
  up = false
  /** Whose the card is, in the simulator's books; 0 while those aren't kept. */
  owner = 0
  /** Frames that wait while the host is paused. */
  held: Packet[] | undefined = undefined

  constructor(network: Switch, host: string, iface: string, cable: Cable) {
    this.network = network
    this.host = host
    this.iface = iface
    this.cable = cable
  }

  /** The switch's end of the cable. */
  get end(): End {
    return this.cable.b
  }

  receive(packet: Packet): void {
    this.network.receive(this, packet)
  }

  carrierChanged(on: boolean): void {
    this.up = on
    if (!on) this.network.forget(this)
  }
}

function isGroup(mac: number): boolean {
  return Math.floor(mac / GROUP) % 2 === 1
}
