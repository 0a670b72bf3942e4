/**
 * Source hashing: a client's address finds its place among 256, of which each server has as many in a row as its weight, in turn.
 * With sh-port its port is added to the address. Who meets a server that takes nothing gets none, or with sh-fallback looks on.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_sh.c.
 */
import type { Dest } from '../dest.ts'
import { type Scheduler, schedulerError } from '../scheduler.ts'
import type { Service } from '../service.ts'
import { IP_VS_SVC_F_SCHED_SH_FALLBACK, IP_VS_SVC_F_SCHED_SH_PORT } from '../uapi.ts'
import { isWilling } from './choose.ts'
import { clientAddress, clientPort, foldAddress, hash32 } from './hash.ts'

/** CONFIG_IP_VS_SH_TAB_BITS of Debian's kernel. */
const TABLE_BITS = 8
const TABLE_SIZE = 1 << TABLE_BITS

/** A server of weight 0 has a place in each turn too: whoever meets it there must look on, or go without. */
function deal(svc: Service): void {
  const table: (Dest | undefined)[] = []
  const { destinations } = svc
  let at = 0
  let dealt = 0
  for (let i = 0; i < TABLE_SIZE; i++) {
    const dest = destinations[at]
    table.push(dest)
    if (dest === undefined || ++dealt < dest.weight) continue
    dealt = 0
    at = (at + 1) % destinations.length
  }
  svc.schedData = table
}

export const sh: Scheduler = {
  name: 'sh',
  init(svc) {
    deal(svc)
    return undefined
  },
  addDest: deal,
  delDest: deal,
  updDest: deal,
  schedule(svc, _packet, iph) {
    const table = svc.schedData as (Dest | undefined)[]
    const port = svc.flags & IP_VS_SVC_F_SCHED_SH_PORT ? clientPort(iph) : 0
    const hash = hash32(port + foldAddress(svc.af, clientAddress(iph)), TABLE_BITS)
    const dest = table[hash]
    if (dest !== undefined && isWilling(dest)) return dest
    if (svc.flags & IP_VS_SVC_F_SCHED_SH_FALLBACK && dest !== undefined) {
      // The kernel's way around begins at twice the hash: its own offset is added to it once more.
      for (let i = 0; i < TABLE_SIZE; i++) {
        const next = table[(2 * hash + i) % TABLE_SIZE]!
        if (isWilling(next)) return next
      }
    }
    schedulerError(svc, 'no destination available')
    return undefined
  },
}
