/** Virtual services come, change and go. Linux 6.1 net/netfilter/ipvs/ip_vs_ctl.c: ip_vs_add_service(), ip_vs_edit_service(). */
import type { Errno, Host } from '#kernel/core'
import { HZ } from '#kernel/net'
import { IPPROTO_TCP } from '#wire/inet'
import type { ServiceFields, ServiceKey } from './control.ts'
import { removeDest } from './edit-dest.ts'
import type { Engine } from './engine.ts'
import { registerHooks, unregisterHooks } from './hooks.ts'
import { loadEngine, loadScheduler } from './module.ts'
import type { Scheduler } from './scheduler.ts'
import { Service } from './service.ts'
import type { Ipvs } from './state.ts'
import { AF_INET, AF_INET6, type Family, FTPPORT, IP_VS_SVC_F_HASHED } from './uapi.ts'

/** What a service names: both may be none. */
interface Named {
  scheduler: Scheduler | undefined
  engine: Engine | undefined
}

/** Finds them, and loads their modules. */
function named(host: Host, af: Family, fields: ServiceFields): Named | Errno {
  const { schedName, peName = '' } = fields
  const scheduler = schedName === 'none' ? undefined : loadScheduler(host, schedName)
  if (scheduler === undefined && schedName !== 'none') {
    host.log(6, `IPVS: Scheduler module ip_vs_${schedName} not found`)
    return 'ENOENT'
  }
  const engine = peName === '' ? undefined : loadEngine(host, peName)
  if (engine === undefined && peName !== '') {
    host.log(6, `IPVS: persistence engine module ip_vs_pe_${peName} not found`)
    return 'ENOENT'
  }
  // IPv6's mask is the length of a prefix.
  if (af === AF_INET6 && (fields.netmask < 1 || fields.netmask > 128)) return 'EINVAL'
  return { scheduler, engine }
}

/** How many services a family has now. */
function count(ipvs: Ipvs, af: Family, by: 1 | -1): void {
  const { services } = ipvs
  const before = af === AF_INET ? services.count4 : services.count6
  if (af === AF_INET) services.count4 += by
  else services.count6 += by
  if (before === 0) registerHooks(ipvs, af)
  else if (before + by === 0) unregisterHooks(ipvs, af)
}

/** ip_vs_add_service(). */
export function addService(ipvs: Ipvs, key: ServiceKey, fields: ServiceFields): Errno | undefined {
  const { af, fwmark = 0 } = key
  const found = named(ipvs.host, af, fields)
  if (typeof found === 'string') return found
  const svc =
    fwmark !== 0
      ? new Service(ipvs, af, IPPROTO_TCP, 0, 0, fwmark)
      : new Service(ipvs, af, key.protocol ?? IPPROTO_TCP, key.addr ?? 0, key.port ?? 0, 0)
  svc.flags = fields.flags & fields.flagsMask & ~IP_VS_SVC_F_HASHED
  svc.timeout = fields.timeout * HZ
  svc.netmask = fields.netmask
  const failed = found.scheduler?.init?.(svc)
  if (failed) return failed
  svc.scheduler = found.scheduler
  svc.engine = found.engine
  const { services } = ipvs
  if (svc.port === FTPPORT) services.ftp++
  else if (svc.port === 0) services.anyPort++
  if (svc.engine) services.engines++
  ipvs.startStats(svc.stats)
  count(ipvs, af, 1)
  svc.flags |= IP_VS_SVC_F_HASHED
  services.add(svc)
  ipvs.enabled = true
  return undefined
}

/** ip_vs_edit_service(). */
export function editService(ipvs: Ipvs, svc: Service, fields: ServiceFields): Errno | undefined {
  const found = named(ipvs.host, svc.af, fields)
  if (typeof found === 'string') return found
  const { scheduler, engine } = found
  const old = svc.scheduler
  if (scheduler !== old) {
    svc.scheduler = undefined
    old?.done?.(svc)
    const failed = scheduler?.init?.(svc)
    if (failed) {
      if (old?.init?.(svc) === undefined) svc.scheduler = old
      return failed
    }
    svc.scheduler = scheduler
  }
  svc.flags = (svc.flags & ~fields.flagsMask) | (fields.flags & fields.flagsMask) | IP_VS_SVC_F_HASHED
  svc.timeout = fields.timeout * HZ
  svc.netmask = fields.netmask
  ipvs.services.engines += (engine ? 1 : 0) - (svc.engine ? 1 : 0)
  svc.engine = engine
  return undefined
}

/** ip_vs_unlink_service(), __ip_vs_del_service(). */
export function deleteService(ipvs: Ipvs, svc: Service): void {
  const { services } = ipvs
  services.remove(svc)
  svc.flags &= ~IP_VS_SVC_F_HASHED
  count(ipvs, svc.af, -1)
  ipvs.stopStats(svc.stats)
  const { scheduler } = svc
  svc.scheduler = undefined
  scheduler?.done?.(svc)
  for (const dest of svc.destinations.slice()) removeDest(ipvs, svc, dest, false)
  if (svc.port === FTPPORT) services.ftp--
  else if (svc.port === 0) services.anyPort--
  if (svc.engine) services.engines--
}

/** ip_vs_flush(). */
export function flushServices(ipvs: Ipvs): void {
  for (const svc of ipvs.services.list()) deleteService(ipvs, svc)
}

/** ip_vs_zero_service(). */
export function zeroService(svc: Service): void {
  for (const dest of svc.destinations) dest.stats.zero()
  svc.stats.zero()
}
