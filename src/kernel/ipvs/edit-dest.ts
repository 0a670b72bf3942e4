/** Real servers come, change and go. Linux 6.1 net/netfilter/ipvs/ip_vs_ctl.c: ip_vs_add_dest(), __ip_vs_update_dest(). */
import { conntrackNeed } from '#kernel/conntrack'
import type { Errno, Host } from '#kernel/core'
import { addressType } from '#kernel/net'
import type { DestFields } from './control.ts'
import { Dest } from './dest.ts'
import { isUsableIpv6 } from './ipv6.ts'
import type { Service } from './service.ts'
import type { Ipvs } from './state.ts'
import {
  AF_INET,
  type Family,
  FTPPORT,
  type InetAddr,
  IP_VS_CONN_F_DEST_MASK,
  IP_VS_CONN_F_FWD_MASK,
  IP_VS_CONN_F_INACTIVE,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_NOOUTPUT,
  IP_VS_CONN_F_TUNNEL_TYPE_GUE,
  IP_VS_DEST_CF_AVAILABLE,
} from './uapi.ts'

const INT_MAX = 2 ** 31 - 1

/** What neither adding nor editing takes; the log says why. */
function wrong(host: Host, fields: DestFields, caller: string): Errno | undefined {
  const say = (text: string) => host.log(3, `IPVS: ${caller}(): ${text}`)
  if (fields.weight < 0) {
    say('server weight less than zero')
    return 'ERANGE'
  }
  if (fields.lThresh > fields.uThresh) {
    say('lower threshold is higher than upper threshold')
    return 'ERANGE'
  }
  if (fields.uThresh > INT_MAX) return 'EINVAL'
  if (fields.tunType === IP_VS_CONN_F_TUNNEL_TYPE_GUE && !fields.tunPort) {
    say('tunnel port is zero')
    return 'EINVAL'
  }
  return undefined
}

/** A new one has an address that packets can be sent to. ip_vs_new_dest(). */
function usable(host: Host, addr: InetAddr): boolean {
  if (typeof addr !== 'number') return isUsableIpv6(host, addr)
  const type = addressType(host, addr)
  return type === 'local' || type === 'unicast'
}

/** ip_vs_add_dest(). */
export function addDest(
  ipvs: Ipvs,
  svc: Service,
  af: Family,
  addr: InetAddr,
  port: number,
  fields: DestFields,
): Errno | undefined {
  const refused = wrong(ipvs.host, fields, 'ip_vs_add_dest')
  if (refused) return refused
  if (svc.findDest(af, addr, port)) return 'EEXIST'
  let dest = ipvs.trash.take(svc, af, addr, port)
  if (dest === undefined) {
    if (!usable(ipvs.host, addr)) return 'EINVAL'
    dest = new Dest(ipvs, svc, af, addr, port)
  }
  update(ipvs, svc, dest, fields)
  if (af !== svc.af) ipvs.mixedAddressFamilyDests++
  dest.lastWeight = fields.weight
  ipvs.startStats(dest.stats)
  svc.destinations.unshift(dest)
  svc.scheduler?.addDest?.(svc, dest)
  return undefined
}

/** ip_vs_edit_dest(). */
export function editDest(
  ipvs: Ipvs,
  svc: Service,
  af: Family,
  addr: InetAddr,
  port: number,
  fields: DestFields,
): Errno | undefined {
  const refused = wrong(ipvs.host, fields, 'ip_vs_edit_dest')
  if (refused) return refused
  const dest = svc.findDest(af, addr, port)
  if (!dest) return 'ENOENT'
  update(ipvs, svc, dest, fields)
  svc.scheduler?.updDest?.(svc, dest)
  return undefined
}

/** FTP's helper changes what is said, which connection tracking must know of. ip_vs_register_conntrack(). */
function trackFor(ipvs: Ipvs, svc: Service): void {
  if (svc.conntracked) return
  svc.conntracked = true
  conntrackNeed(ipvs.host, svc.af === AF_INET ? 'ip' : 'ip6')
}

/** What both have in common. __ip_vs_update_dest(). */
function update(ipvs: Ipvs, svc: Service, dest: Dest, fields: DestFields): void {
  if (fields.weight !== 0) dest.lastWeight = fields.weight
  dest.weight = fields.weight
  let flags = (fields.fwdMethod & IP_VS_CONN_F_DEST_MASK) | IP_VS_CONN_F_INACTIVE
  ipvs.realServers.remove(dest)
  dest.tunType = fields.tunType ?? 0
  dest.tunPort = fields.tunPort ?? 0
  dest.tunFlags = fields.tunFlags ?? 0
  if ((flags & IP_VS_CONN_F_FWD_MASK) !== IP_VS_CONN_F_MASQ) flags |= IP_VS_CONN_F_NOOUTPUT
  else if (svc.port === FTPPORT) trackFor(ipvs, svc)
  dest.connFlags = flags
  ipvs.realServers.add(dest)
  if (dest.svc !== svc) {
    dest.stats.zero()
    dest.svc = svc
  }
  dest.cflags |= IP_VS_DEST_CF_AVAILABLE
  if (dest.uThreshold !== fields.uThresh || dest.lThreshold !== fields.lThresh) {
    dest.uThreshold = fields.uThresh
    dest.lThreshold = fields.lThresh
    dest.lThresholdVal = fields.lThresh || fields.uThresh - (fields.uThresh >> 2)
    dest.updateOverload(0)
  }
  dest.route = undefined
}

/** ip_vs_del_dest(). */
export function deleteDest(ipvs: Ipvs, svc: Service, af: Family, addr: InetAddr, port: number): Errno | undefined {
  const dest = svc.findDest(af, addr, port)
  if (!dest) return 'ENOENT'
  removeDest(ipvs, svc, dest, true)
  return undefined
}

/** Takes one out. `tell`: its service lives on, and the scheduler must know. __ip_vs_unlink_dest(), __ip_vs_del_dest(). */
export function removeDest(ipvs: Ipvs, svc: Service, dest: Dest, tell: boolean): void {
  dest.cflags &= ~IP_VS_DEST_CF_AVAILABLE
  const index = svc.destinations.indexOf(dest)
  svc.destinations.splice(index, 1)
  if (dest.af !== svc.af) ipvs.mixedAddressFamilyDests--
  if (tell) svc.scheduler?.delDest?.(svc, dest, index)
  ipvs.stopStats(dest.stats)
  ipvs.realServers.remove(dest)
  ipvs.trash.add(dest)
}
