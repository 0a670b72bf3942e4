/**
 * A packet of no connection: a service is found for it, a server chosen, a connection made.
 * Linux 6.1 net/netfilter/ipvs/ip_vs_core.c: ip_vs_schedule(), ip_vs_sched_persist(), ip_vs_leave().
 */
import { icmp6Error } from '#kernel/ipv6'
import { addressType, icmpError, type NetDevice, NF_ACCEPT, NF_DROP } from '#kernel/net'
import {
  ICMP_DEST_UNREACH,
  ICMP_PORT_UNREACH,
  ICMPV6_DEST_UNREACH,
  IPPROTO_UDP,
  type Packet,
  prefixIpv6,
} from '#wire/inet'
import { type Conn, newConn } from './conn.ts'
import { countConn, countIn } from './count.ts'
import type { Dest } from './dest.ts'
import { tellScheduled } from './explain.ts'
import type { IpHeader } from './header.ts'
import { isUnicast6 } from './ipv6.ts'
import type { ProtocolData } from './proto.ts'
import type { Service } from './service.ts'
import type { Ipvs } from './state.ts'
import { checkTemplate } from './template.ts'
import {
  AF_INET,
  FTPDATA,
  FTPPORT,
  type InetAddr,
  IP_VS_CONN_F_BYPASS,
  IP_VS_CONN_F_ONE_PACKET,
  IP_VS_CONN_F_TEMPLATE,
  IP_VS_DIR_INPUT,
  IPPROTO_IP,
} from './uapi.ts'

const ICMPV6_PORT_UNREACH = 4

/** Not for a service to take after all; nobody to take it; an error. */
type Unscheduled = 'ignored' | 'none' | 'error'

/** Who wants to talk to whom, as a client's packet says it. */
interface Ends {
  caddr: InetAddr
  cport: number
  vaddr: InetAddr
  vport: number
}

function endsOf(iph: IpHeader): Ends {
  if (!iph.inverse) return { caddr: iph.saddr, cport: iph.sport, vaddr: iph.daddr, vport: iph.dport }
  return { caddr: iph.daddr, cport: iph.dport, vaddr: iph.saddr, vport: iph.sport }
}

/** What a service of one-packet scheduling gives its connections. */
function packetFlags(svc: Service, iph: IpHeader): number {
  return svc.onePacket && iph.protocol === IPPROTO_UDP ? IP_VS_CONN_F_ONE_PACKET : 0
}

/** The part of a client's address that its template goes by. */
function clientNet(svc: Service, caddr: InetAddr): InetAddr {
  if (typeof caddr === 'number') return (caddr & svc.netmask) >>> 0
  return prefixIpv6(caddr, svc.netmask)
}

function findTemplate(
  svc: Service,
  protocol: number,
  caddr: InetAddr,
  vaddr: InetAddr,
  vport: number,
  data: Uint8Array | undefined,
): Conn | undefined {
  const { conns } = svc.ipvs
  if (svc.engine !== undefined && data !== undefined) {
    return conns.templateByData(svc.af, protocol, caddr, vaddr, vport, svc.engine, data)
  }
  return conns.templateGet(svc.af, protocol, caddr, 0, vaddr, vport)
}

/** A server begins: its client's answers will find it. ip_vs_new_conn_out(). */
export function beginFromServer(dest: Dest, packet: Packet, iph: IpHeader): Conn | undefined {
  const { svc } = dest
  if (svc.fwmark !== 0 || svc.port === 0 || iph.sport <= 0) return undefined
  const { ipvs } = svc
  const { saddr, sport, daddr, dport, protocol, af } = iph
  let template: Conn | undefined
  if (svc.persistent) {
    const data = svc.engine?.read(packet, iph)
    if (svc.engine !== undefined && data === undefined) return undefined
    const caddr = clientNet(svc, daddr)
    template = findTemplate(svc, protocol, caddr, svc.addr, svc.port, data)
    if (template === undefined || !checkTemplate(template, dest)) {
      const flags = IP_VS_CONN_F_TEMPLATE
      const { engine, addr, port } = svc
      template = newConn(ipvs, af, protocol, caddr, 0, addr, port, dest.af, saddr, sport, flags, dest, 0, engine, data)
      template.timeout = svc.timeout
    }
  }
  const flags = packetFlags(svc, iph)
  const cp = newConn(ipvs, af, protocol, daddr, dport, svc.addr, svc.port, dest.af, saddr, sport, flags, dest, 0)
  if (template !== undefined) {
    cp.controlAdd(template)
    template.put()
  }
  countConn(cp, svc)
  return cp
}

/** The server that the client's template names, or a new template. */
function persistent(svc: Service, packet: Packet, iph: IpHeader, ends: Ends): Conn | Unscheduled {
  const { ipvs } = svc
  let { protocol } = iph
  let { vaddr } = ends
  let vport = 0
  const own = ends.vport === svc.port
  if (own) {
    // FTP's data goes to any port: its template is for all.
    if (svc.port !== FTPPORT) vport = ends.vport
  } else if (svc.fwmark !== 0) {
    protocol = IPPROTO_IP
    vaddr = svc.fwmark
  }
  const caddr = clientNet(svc, ends.caddr)
  const { engine } = svc
  const data = engine?.read(packet, iph)
  if (engine !== undefined && data === undefined) return 'error'
  let template = findTemplate(svc, protocol, caddr, vaddr, vport, data)
  let dest: Dest | undefined
  if (template === undefined || !checkTemplate(template, undefined)) {
    dest = svc.scheduler?.schedule(svc, packet, iph)
    if (dest === undefined) return 'none'
    const dport = own && svc.port !== FTPPORT ? dest.port : 0
    const flags = IP_VS_CONN_F_TEMPLATE
    const { af, addr } = dest
    template = newConn(
      ipvs,
      svc.af,
      protocol,
      caddr,
      0,
      vaddr,
      vport,
      af,
      addr,
      dport,
      flags,
      dest,
      packet.mark,
      engine,
      data,
    )
    template.timeout = svc.timeout
    tellScheduled(svc, packet, dest, 'a new template')
  } else {
    dest = template.dest!
    tellScheduled(svc, packet, dest, 'its template')
  }
  const dport = own && dest.port !== 0 ? dest.port : ends.vport
  const cp = newConn(
    ipvs,
    svc.af,
    iph.protocol,
    ends.caddr,
    ends.cport,
    ends.vaddr,
    ends.vport,
    dest.af,
    dest.addr,
    dport,
    packetFlags(svc, iph),
    dest,
    packet.mark,
  )
  cp.controlAdd(template)
  template.put()
  countConn(cp, svc)
  return cp
}

/** ip_vs_schedule(). */
function schedule(
  svc: Service,
  packet: Packet,
  iph: IpHeader,
  data: ProtocolData,
  from: NetDevice | undefined,
): Conn | Unscheduled {
  const { ipvs } = svc
  if (iph.sport < 0) return 'ignored'
  const ends = endsOf(iph)
  if (ends.cport === FTPDATA) return 'ignored'
  if (from === undefined || from.loops) {
    // Perhaps the answer of a server on this host.
    iph.inverse = !iph.inverse
    const known = data.protocol.inGet(ipvs, iph)
    iph.inverse = !iph.inverse
    if (known !== undefined) return 'ignored'
  }
  if (svc.persistent) return persistent(svc, packet, iph, ends)
  if (svc.fwmark === 0 && ends.vport !== svc.port) {
    if (svc.port === 0) {
      ipvs.host.log(3, 'IPVS: Schedule: port zero only supported in persistent services, check your ipvs configuration')
    }
    return 'none'
  }
  const dest = svc.scheduler?.schedule(svc, packet, iph)
  if (dest === undefined) return 'none'
  const { caddr, cport, vaddr, vport } = ends
  const flags = packetFlags(svc, iph)
  const { af, addr } = dest
  const dport = dest.port || vport
  const cp = newConn(ipvs, svc.af, iph.protocol, caddr, cport, vaddr, vport, af, addr, dport, flags, dest, packet.mark)
  tellScheduled(svc, packet, dest, undefined)
  countConn(cp, svc)
  return cp
}

/** A cache's service without a cache: the packet goes to where it was going. */
function mayBypass(ipvs: Ipvs, svc: Service, iph: IpHeader): boolean {
  if (ipvs.settings.cacheBypass === 0 || svc.fwmark === 0 || iph.inverse || iph.icmp) return false
  const { daddr } = iph
  return typeof daddr === 'number' ? addressType(ipvs.host, daddr) === 'unicast' : isUnicast6(daddr)
}

/** Nobody can take it: past all servers, on to this host, or refused. ip_vs_leave(). */
function leave(svc: Service, packet: Packet, data: ProtocolData, iph: IpHeader, from: NetDevice | undefined): number {
  const { ipvs } = svc
  if (iph.sport < 0) return NF_DROP
  const dport = iph.inverse ? iph.sport : iph.dport
  if (mayBypass(ipvs, svc, iph)) {
    const flags = IP_VS_CONN_F_BYPASS | packetFlags(svc, iph)
    const nowhere = svc.af === AF_INET ? 0 : iph.daddr
    const { saddr, sport, daddr } = iph
    const cp = newConn(
      ipvs,
      svc.af,
      iph.protocol,
      saddr,
      sport,
      daddr,
      iph.dport,
      svc.af,
      nowhere,
      0,
      flags,
      undefined,
      packet.mark,
    )
    countIn(cp, packet)
    data.protocol.transition?.(cp, IP_VS_DIR_INPUT, packet, data)
    const verdict = cp.packetXmit!(packet, cp, iph)
    if (!cp.isOnePacket) cp.inPkts++
    cp.put()
    return verdict
  }
  // What isn't FTP's is not for an FTP service to refuse.
  if (svc.port === FTPPORT && dport !== FTPPORT) return NF_ACCEPT
  if (iph.icmp) return NF_DROP
  if (svc.af === AF_INET) icmpError(packet, from, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0)
  else icmp6Error(packet, from, ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH, 0)
  return NF_DROP
}

/**
 * A new connection for a packet, or the verdict of a packet that gets none. ip_vs_try_to_schedule().
 *
 * @param from the device that the packet came in by; undefined: it was made here
 */
export function tryToSchedule(
  ipvs: Ipvs,
  packet: Packet,
  iph: IpHeader,
  data: ProtocolData,
  from: NetDevice | undefined,
): Conn | number {
  if (iph.fragoffs !== 0) return NF_ACCEPT
  const begins = data.protocol.mayBegin(ipvs, packet, iph)
  if (begins !== 'try') return begins
  const { vaddr, vport } = endsOf(iph)
  const svc = ipvs.services.find(iph.af, packet.mark, iph.protocol, vaddr, vport)
  if (svc === undefined) return NF_ACCEPT
  if (ipvs.defence.drops()) return NF_DROP
  const made = schedule(svc, packet, iph, data, from)
  if (made === 'ignored') return NF_ACCEPT
  if (made === 'error') return NF_DROP
  return made === 'none' ? leave(svc, packet, data, iph, from) : made
}
