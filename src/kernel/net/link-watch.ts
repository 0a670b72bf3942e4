/**
 * What happens when a carrier comes or goes: the operational state follows, packets may pass or not, and the protocols are
 * told. An event that isn't urgent waits until a second after the one before it.
 *
 * Linux 6.1 net/core/link_watch.c: linkwatch_fire_event(), linkwatch_run_queue(), rfc2863_policy().
 */
import { defineState, type Host } from '#kernel/core'
import { IFF_MASTER, IFF_SLAVE, type NetDevice, type Operstate } from './device.ts'
import { carrierNotify } from './device-events.ts'
import { HZ, jiffiesOf, wheelNs } from './jiffies.ts'

class LinkWatch {
  readonly #host: Host
  #pending: NetDevice[] = []
  /** Jiffies before which nothing runs that isn't urgent. */
  #nextEvent = 0
  #slot = -1
  #soonSlot = -1

  constructor(host: Host) {
    this.#host = host
  }

  event(device: NetDevice): void {
    if (this.#host.sim.nowNs === this.#host.bootedNs) {
      follow(device) // While the lab is being built, nobody has counted seconds yet.
      return
    }
    if (!this.#pending.includes(device)) this.#pending.push(device)
    const now = jiffiesOf(this.#host)
    const delay = this.#nextEvent - now
    if (!urgent(device) && delay > 0 && delay <= HZ) this.#arm(now + delay)
    else if (device.driver === undefined) this.#run(delay > 0)
    else this.#soon()
  }

  /** A virtual device's carrier may come and go within one request: what counts is how it is afterwards. */
  #soon(): void {
    const { sim } = this.#host
    if (this.#soonSlot < 0) this.#soonSlot = sim.slot('link_watch, at once', { fire: () => this.#runNow() })
    if (sim.due(this.#soonSlot) === Number.POSITIVE_INFINITY) sim.arm(this.#soonSlot, sim.nowNs)
  }

  #runNow(): void {
    this.#run(this.#nextEvent > jiffiesOf(this.#host))
  }

  #arm(expires: number): void {
    const { sim } = this.#host
    if (this.#slot < 0) this.#slot = sim.slot('link_watch', this)
    if (sim.due(this.#slot) === Number.POSITIVE_INFINITY) sim.arm(this.#slot, wheelNs(this.#host, expires))
  }

  fire(): void {
    this.#run(false)
  }

  #run(urgentOnly: boolean): void {
    const now = jiffiesOf(this.#host)
    if (!urgentOnly) this.#nextEvent = now + HZ
    const work = this.#pending
    this.#pending = []
    for (const device of work) {
      if (urgentOnly && !urgent(device)) this.#pending.push(device)
      else follow(device)
    }
    if (this.#pending.length > 0) this.#arm(Math.max(this.#nextEvent, now + 1))
  }
}

/** Is it up now while nothing can be sent, or is it stacked? Such an event doesn't wait. Linux: linkwatch_urgent_event(). */
function urgent(device: NetDevice): boolean {
  if (!device.running) return false
  if (device.iflink !== device.ifindex || (device.flags & (IFF_MASTER | IFF_SLAVE)) !== 0) return true
  return device.carrier && !device.active
}

/** What its operational state is to be. RFC 2863. Linux: default_operstate(). */
export function rfc2863(device: NetDevice): Operstate {
  if (!device.carrier) return device.iflink === device.ifindex ? 'DOWN' : 'LOWERLAYERDOWN'
  return device.dormant ? 'DORMANT' : 'UP'
}

function follow(device: NetDevice): void {
  if (!device.registered) return
  device.operstate = rfc2863(device)
  if (!device.up) return
  device.active = device.carrier
  carrierNotify(device)
}

const linkWatch = defineState((host) => new LinkWatch(host), { per: 'machine' })

/** The driver has said that the carrier came or went. */
export function carrierEvent(device: NetDevice): void {
  linkWatch.of(device.host).event(device)
}
