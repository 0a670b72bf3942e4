/**
 * A connection that IPVS forwards, or a template by which a client's next ones go to the same server.
 *
 * Linux 6.1 include/net/ip_vs.h: struct ip_vs_conn; net/netfilter/ipvs/ip_vs_conn.c.
 */
import { HZ, WheelTimer } from '#kernel/net'
import type { Packet } from '#wire/inet'
import type { App } from './app.ts'
import { bindApp } from './apps.ts'
import { bindDest, unbindDest } from './bind.ts'
import type { Dest } from './dest.ts'
import type { Engine } from './engine.ts'
import type { IpHeader } from './header.ts'
import { dropConntrack } from './nfct.ts'
import type { Ipvs } from './state.ts'
import { syncConn } from './sync.ts'
import {
  type Family,
  type InetAddr,
  IP_VS_CONN_F_FWD_MASK,
  IP_VS_CONN_F_HASHED,
  IP_VS_CONN_F_NFCT,
  IP_VS_CONN_F_NO_CPORT,
  IP_VS_CONN_F_ONE_PACKET,
  IP_VS_CONN_F_TEMPLATE,
  IP_VS_CTPL_S_ASSURED,
} from './uapi.ts'
import { bindXmit } from './xmit-bind.ts'

/** How far sequence numbers are moved behind a place. struct ip_vs_seq. */
export interface Seq {
  initSeq: number
  delta: number
  previousDelta: number
}

/** What sends a connection's packets on: a verdict. */
export type PacketXmit = (packet: Packet, cp: Conn, iph: IpHeader) => number

export class Conn {
  readonly ipvs: Ipvs
  readonly af: Family
  /** The family of `daddr`. */
  readonly daf: Family
  readonly protocol: number
  readonly caddr: InetAddr
  cport: number
  /** The firewall mark as an address, if `protocol` is 0: a template of a service of a mark. */
  readonly vaddr: InetAddr
  vport: number
  readonly daddr: InetAddr
  dport: number
  /** IP_VS_CONN_F_*. */
  flags: number
  readonly fwmark: number
  state = 0
  /** What was last told to a backup. */
  oldState = 0
  /** Jiffies that it lives on after each packet. */
  timeout = 3 * HZ
  inPkts = 0
  /** The connection that this one depends on: its template, or FTP's control connection. */
  control: Conn | undefined = undefined
  /** How many depend on this one. */
  nControl = 0
  dest: Dest | undefined = undefined
  packetXmit: PacketXmit | undefined = undefined
  app: App | undefined = undefined
  appData: unknown = undefined
  /** A template's, if it goes by what packets say. */
  pe: Engine | undefined = undefined
  peData: Uint8Array | undefined = undefined
  readonly inSeq: Seq = { initSeq: 0, delta: 0, previousDelta: 0 }
  readonly outSeq: Seq = { initSeq: 0, delta: 0, previousDelta: 0 }
  /** When it is told to a backup again, in jiffies; the lowest two bits count retries. */
  syncEndtime: number
  readonly timer: WheelTimer
  /** The chain that it stands in. */
  hash = 0
  next: Conn | undefined = undefined

  constructor(
    ipvs: Ipvs,
    af: Family,
    protocol: number,
    caddr: InetAddr,
    cport: number,
    vaddr: InetAddr,
    vport: number,
    daf: Family,
    daddr: InetAddr,
    dport: number,
    flags: number,
    fwmark: number,
  ) {
    this.ipvs = ipvs
    this.af = af
    this.protocol = protocol
    this.caddr = caddr
    this.cport = cport
    this.vaddr = vaddr
    this.vport = vport
    this.daf = daf
    this.daddr = daddr
    this.dport = dport
    this.flags = flags
    this.fwmark = fwmark
    const now = ipvs.jiffies
    this.syncEndtime = now - (now % 4)
    this.timer = new WheelTimer(ipvs.host, 'ipvs/conn', () => this.expire())
  }

  /** IP_VS_CONN_F_MASQ, _TUNNEL ... IP_VS_FWD_METHOD(). */
  get method(): number {
    return this.flags & IP_VS_CONN_F_FWD_MASK
  }

  get isTemplate(): boolean {
    return (this.flags & IP_VS_CONN_F_TEMPLATE) !== 0
  }

  get isOnePacket(): boolean {
    return (this.flags & IP_VS_CONN_F_ONE_PACKET) !== 0
  }

  /** Seconds that are left of it, as they are shown. */
  get expiresS(): number {
    return Math.max(0, Math.floor((this.timer.expires - this.ipvs.jiffies) / HZ))
  }

  /** A packet has been dealt with: from now on it lives its timeout. ip_vs_conn_put(). */
  put(): void {
    if (this.isOnePacket) {
      if (!this.timer.pending) this.expire()
      else this.timer.at(this.ipvs.jiffies)
    } else this.timer.at(this.ipvs.jiffies + this.timeout)
  }

  /** Depends on another from now on. ip_vs_control_add(). */
  controlAdd(control: Conn): void {
    this.controlDel()
    this.control = control
    control.nControl++
  }

  /** ip_vs_control_del(). */
  controlDel(): void {
    if (this.control === undefined) return
    this.control.nControl--
    this.control = undefined
  }

  /** Its template is worth keeping: a connection of it was established. ip_vs_control_assure_ct(). */
  assureTemplate(): void {
    const ct = this.control
    if (ct?.isTemplate && !(ct.state & IP_VS_CTPL_S_ASSURED)) ct.state |= IP_VS_CTPL_S_ASSURED
  }

  /** The timer fires as soon as it can. ip_vs_conn_expire_now(). */
  expireNow(): void {
    const now = this.ipvs.jiffies
    if (this.timer.pending && this.timer.expires > now) this.timer.at(now)
  }

  /** Ends it without waiting. ip_vs_conn_del(). */
  del(): void {
    if (!this.timer.pending) return
    this.timer.cancel()
    if (this.control) this.timeout = 0
    this.expire()
  }

  /** ip_vs_conn_expire(). */
  expire(): void {
    const { ipvs } = this
    if (this.nControl > 0 || !ipvs.conns.unlink(this)) {
      this.timeout = 60 * HZ
      if (ipvs.isMaster) syncConn(ipvs, this, ipvs.settings.syncThreshold[0]!)
      this.put()
      return
    }
    this.timer.destroy()
    const { control } = this
    if (control) {
      this.controlDel()
      // What controlled it goes too, if all of that was to be dropped and nothing else needs it.
      const drop = this.timeout === 0 && control.nControl === 0
      if (drop && (!control.isTemplate || !(control.state & IP_VS_CTPL_S_ASSURED))) control.del()
    }
    if (this.flags & IP_VS_CONN_F_NFCT && !this.isOnePacket && ipvs.enabled) dropConntrack(this)
    this.app?.unbind(this)
    unbindDest(this)
    ipvs.conns.count--
    if (this.flags & IP_VS_CONN_F_NO_CPORT) ipvs.conns.noCport--
  }

  /** The client's port has become known: an expected connection has begun. ip_vs_conn_fill_cport(). */
  fillCport(cport: number): void {
    const { conns } = this.ipvs
    if (!(this.flags & IP_VS_CONN_F_HASHED)) return
    conns.unhash(this)
    if (this.flags & IP_VS_CONN_F_NO_CPORT) {
      conns.noCport--
      this.flags &= ~IP_VS_CONN_F_NO_CPORT
      this.cport = cport
    }
    conns.hash(this)
  }
}

/**
 * A new connection, bound to a destination and in the table. ip_vs_conn_new().
 *
 * @param dest undefined: none yet (from a synchronisation), or none at all (a cache is bypassed)
 */
export function newConn(
  ipvs: Ipvs,
  af: Family,
  protocol: number,
  caddr: InetAddr,
  cport: number,
  vaddr: InetAddr,
  vport: number,
  daf: Family,
  daddr: InetAddr,
  dport: number,
  flags: number,
  dest: Dest | undefined,
  fwmark: number,
  pe?: Engine,
  peData?: Uint8Array,
): Conn {
  const cp = new Conn(ipvs, af, protocol, caddr, cport, vaddr, vport, daf, daddr, dport, flags, fwmark)
  if (cp.isTemplate && pe !== undefined) {
    cp.pe = pe
    cp.peData = peData
  }
  ipvs.conns.count++
  if (flags & IP_VS_CONN_F_NO_CPORT) ipvs.conns.noCport++
  bindDest(cp, dest)
  bindXmit(cp)
  bindApp(cp)
  if (ipvs.settings.conntrack !== 0) cp.flags |= IP_VS_CONN_F_NFCT
  ipvs.conns.hash(cp)
  return cp
}
