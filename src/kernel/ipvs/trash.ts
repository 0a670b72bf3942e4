/**
 * Real servers that were removed: their connections may still name them, and one that comes back finds its own again.
 * Linux 6.1 net/netfilter/ipvs/ip_vs_ctl.c: __ip_vs_del_dest(), ip_vs_trash_get_dest(), ip_vs_dest_trash_expire().
 */
import { HZ, WheelTimer } from '#kernel/net'
import type { Dest } from './dest.ts'
import type { Service } from './service.ts'
import type { Ipvs } from './state.ts'
import type { Family, InetAddr } from './uapi.ts'

/** How long one is remembered that nobody names, in jiffies. IP_VS_DEST_TRASH_PERIOD. */
const PERIOD = 120 * HZ

export class Trash {
  /** The latest first. */
  readonly dests: Dest[] = []
  readonly #ipvs: Ipvs
  readonly #timer: WheelTimer
  /** Ends the connections of servers that are gone, if net.ipv4.vs.expire_nodest_conn says so. */
  readonly #flushTimer: WheelTimer

  constructor(ipvs: Ipvs) {
    this.#ipvs = ipvs
    this.#timer = new WheelTimer(ipvs.host, 'ipvs/trash', () => this.#expire())
    this.#flushTimer = new WheelTimer(ipvs.host, 'ipvs/nodest', () => this.#flush())
  }

  add(dest: Dest): void {
    if (this.dests.length === 0) this.#timer.after(PERIOD / 2)
    this.dests.unshift(dest)
    dest.idleStart = 0
    if (this.#ipvs.settings.expireNodestConn !== 0 && !this.#flushTimer.pending) this.#flushTimer.after(1)
  }

  /** Takes one out that was the same service's. */
  take(svc: Service, af: Family, addr: InetAddr, port: number): Dest | undefined {
    const at = this.dests.findIndex(
      (dest) =>
        dest.af === af &&
        dest.addr === addr &&
        dest.port === port &&
        dest.vfwmark === svc.fwmark &&
        dest.protocol === svc.protocol &&
        (svc.fwmark !== 0 || (dest.vaddr === svc.addr && dest.vport === svc.port)),
    )
    return at < 0 ? undefined : this.dests.splice(at, 1)[0]
  }

  #expire(): void {
    const now = this.#ipvs.jiffies
    for (const dest of this.dests.slice()) {
      if (dest.refs > 0) continue
      if (dest.idleStart === 0) dest.idleStart = now
      else if (now >= dest.idleStart + PERIOD) this.dests.splice(this.dests.indexOf(dest), 1)
    }
    if (this.dests.length > 0) this.#timer.after(PERIOD / 2)
  }

  /** ip_vs_expire_nodest_conn_flush(). */
  #flush(): void {
    for (const cp of this.#ipvs.conns.list()) {
      if (cp.dest === undefined || cp.dest.available || cp.nControl > 0 || !cp.timer.pending) continue
      const { control } = cp
      cp.del()
      if (control && control.nControl === 0) control.del()
    }
  }

  end(): void {
    this.#timer.destroy()
    this.#flushTimer.destroy()
  }
}
