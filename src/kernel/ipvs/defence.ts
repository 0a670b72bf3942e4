/**
 * What a director does when it has too much to do: forget connections by chance (drop_entry), drop packets (drop_packet),
 * trust clients less (secure_tcp). Each is off (0), automatic (1, and 2 while memory is short), or on (3).
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_ctl.c: update_defense_level(); ip_vs_conn.c: ip_vs_random_dropentry(), todrop_entry().
 */
import { HZ, jiffiesOf, WheelTimer } from '#kernel/net'
import { IPPROTO_TCP } from '#wire/inet'
import type { Conn } from './conn.ts'
import { CONN_TABLE_SIZE } from './conn-table.ts'
import type { Ipvs } from './state.ts'
import {
  IP_VS_CTPL_S_ASSURED,
  IP_VS_SCTP_S_ESTABLISHED,
  IP_VS_SCTP_S_INIT,
  IP_VS_SCTP_S_INIT1,
  IP_VS_TCP_S_ESTABLISHED,
  IP_VS_TCP_S_SYN_RECV,
  IP_VS_TCP_S_SYNACK,
  IPPROTO_SCTP,
} from './uapi.ts'

/** Free pages of 4 kB of a machine of the lab: nothing here uses its memory up. */
const FREE_PAGES = 215_000
/** The work's second, as the wheel rounds it. */
const PERIOD = Math.floor(HZ / 8 + 1) * 8
/** Connections that had more packets aren't forgotten. */
const MOST_PACKETS = 8

export class Defence {
  readonly #ipvs: Ipvs
  readonly #timer: WheelTimer
  /** Whether connections are forgotten now. */
  #dropEntry = false
  /** One packet of so many is dropped; 0: none. */
  #dropRate = 0
  #dropCounter = 0
  #oldSecureTcp = 0
  readonly #first: number
  /** The rounds that were done. */
  #round = 0
  /** By packets of a connection: how many are spared until the next is forgotten. */
  readonly #spared: number[] = new Array(MOST_PACKETS + 1).fill(0)

  constructor(ipvs: Ipvs) {
    this.#ipvs = ipvs
    this.#first = Math.floor((jiffiesOf(ipvs.host) + HZ) / 8 + 1) * 8
    this.#timer = new WheelTimer(ipvs.host, 'ipvs/defence', () => this.#work())
  }

  /** The rounds until now; nothing runs for them unless connections are forgotten. */
  #rounds(): number {
    const passed = this.#ipvs.jiffies - this.#first
    return passed < 0 ? 0 : Math.floor(passed / PERIOD) + 1
  }

  /** A mode goes to 2 while memory is short, and back to 1. Whether it defends now. */
  #follow(key: 'dropEntry' | 'dropPacket' | 'secureTcp', short: boolean): boolean {
    const { settings } = this.#ipvs
    if (settings[key] === 1 || settings[key] === 2) settings[key] = short ? 2 : 1
    return settings[key] >= 2
  }

  /** Settings have changed, or a second has passed. */
  update(): void {
    const { settings } = this.#ipvs
    const short = FREE_PAGES < settings.amemthresh
    this.#dropEntry = this.#follow('dropEntry', short)
    if (!this.#follow('dropPacket', short)) this.#dropRate = 0
    else if (settings.dropPacket === 3) this.#dropRate = settings.amDroprate
    else {
      this.#dropRate = Math.trunc(settings.amemthresh / (settings.amemthresh - FREE_PAGES))
      this.#dropCounter = this.#dropRate
    }
    const secure = this.#follow('secureTcp', short)
    if (secure !== this.#oldSecureTcp >= 2) this.#ipvs.protocol(IPPROTO_TCP)!.secure = secure
    this.#oldSecureTcp = settings.secureTcp
    this.#round = this.#rounds()
    if (this.#dropEntry && !this.#timer.pending) this.#timer.at(this.#first + this.#round * PERIOD - 1)
  }

  #work(): void {
    this.update()
    if (this.#dropEntry) this.#forgetSome()
  }

  /** Whether this packet, which would begin a connection, is dropped. ip_vs_todrop(). */
  drops(): boolean {
    if (this.#ipvs.settings.dropPacket === 0 && this.#dropRate === 0) return false
    if (this.#round !== this.#rounds()) this.update()
    if (this.#dropRate === 0 || --this.#dropCounter > 0) return false
    this.#dropCounter = this.#dropRate
    return true
  }

  /** A 32nd of the table each second. */
  #forgetSome(): void {
    const { host, conns } = this.#ipvs
    const random = host.sim.random(`${host.name}/ipvs drop_entry`)
    for (let i = 0; i < CONN_TABLE_SIZE >> 5; i++) {
      for (const cp of conns.someChain(random)) if (cp.nControl === 0 && this.#mayForget(cp)) cp.del()
    }
  }

  #mayForget(cp: Conn): boolean {
    if (cp.isTemplate) return cp.dest?.svc.onePacket ? this.#unlucky(cp) : !(cp.state & IP_VS_CTPL_S_ASSURED)
    if (cp.protocol === IPPROTO_TCP) {
      if (cp.state === IP_VS_TCP_S_SYN_RECV || cp.state === IP_VS_TCP_S_SYNACK) return true
      return cp.state === IP_VS_TCP_S_ESTABLISHED && this.#unlucky(cp)
    }
    if (cp.protocol === IPPROTO_SCTP) {
      if (cp.state === IP_VS_SCTP_S_INIT1 || cp.state === IP_VS_SCTP_S_INIT) return true
      return cp.state === IP_VS_SCTP_S_ESTABLISHED && this.#unlucky(cp)
    }
    return this.#unlucky(cp)
  }

  /** One that rested for a minute and had few packets: the fewer, the likelier. */
  #unlucky(cp: Conn): boolean {
    if (cp.timeout + this.#ipvs.jiffies < cp.timer.expires + 60 * HZ) return false
    const packets = cp.inPkts
    if (packets > MOST_PACKETS || packets <= 0) return false
    if (--this.#spared[packets]! > 0) return false
    this.#spared[packets] = packets
    return true
  }

  end(): void {
    this.#timer.destroy()
  }
}
