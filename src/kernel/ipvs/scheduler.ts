/**
 * What chooses a real server. Each scheduler is a file in `schedulers/`, listed in `schedulers/index.ts`.
 *
 * A service's `destinations` are in the kernel's order: the newest first. What a scheduler remembers is `svc.schedData`,
 * made by `init`.
 *
 * Linux 6.1 include/net/ip_vs.h: struct ip_vs_scheduler; net/netfilter/ipvs/ip_vs_sched.c.
 */
import type { Errno, KernelImage } from '#kernel/core'
import { logLimited } from '#kernel/net'
import { formatIpv4, formatIpv6, type Packet } from '#wire/inet'
import type { Dest } from './dest.ts'
import type { IpHeader } from './header.ts'
import { protocolName } from './names.ts'
import type { Service } from './service.ts'

export interface Scheduler {
  readonly name: string
  /** The module's size, as lsmod shows it. */
  readonly moduleSize?: number
  /** A service begins to use it. */
  init?(svc: Service): Errno | undefined
  /** A service ends, or takes another. */
  done?(svc: Service): void
  /** It is in `svc.destinations` already. */
  addDest?(svc: Service, dest: Dest): void
  /** It was taken out of `svc.destinations`, where it stood at `index`. */
  delDest?(svc: Service, dest: Dest, index: number): void
  /** Its weight, method or thresholds may have changed. */
  updDest?(svc: Service, dest: Dest): void
  /** undefined: nobody can take it; `schedulerError` says so in the log. */
  schedule(svc: Service, packet: Packet, iph: IpHeader): Dest | undefined
  /** Its sysctls, if it has any. */
  install?(image: KernelImage): void
}

/** ip_vs_scheduler_err(). */
export function schedulerError(svc: Service, message: string): void {
  const name = svc.scheduler?.name ?? 'none'
  const { addr, port, fwmark } = svc
  let what: string
  if (fwmark !== 0) what = `FWM ${fwmark} 0x${fwmark.toString(16).toUpperCase().padStart(8, '0')}`
  else {
    const text = typeof addr === 'number' ? formatIpv4(addr) : `[${formatIpv6(addr)}]`
    what = `${protocolName(svc.protocol)} ${text}:${port}`
  }
  logLimited(svc.ipvs.host, 3, [`${name}: ${what} - ${message}`], 'IPVS: ')
}
