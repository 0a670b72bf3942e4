/**
 * Destination hashing, for proxies and firewalls: the address that a client asks for finds its place among 256, which were
 * dealt out in turn when a server last came or went, without regard to weight.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_dh.c.
 */
import type { Dest } from '../dest.ts'
import { type Scheduler, schedulerError } from '../scheduler.ts'
import type { Service } from '../service.ts'
import { isWilling } from './choose.ts'
import { foldAddress, hash32 } from './hash.ts'

/** IP_VS_DH_TAB_BITS, which no configuration sets. */
const TABLE_BITS = 8

function deal(svc: Service): void {
  const table: (Dest | undefined)[] = []
  const { destinations } = svc
  for (let i = 0; i < 1 << TABLE_BITS; i++) table.push(destinations[i % destinations.length])
  svc.schedData = table
}

export const dh: Scheduler = {
  name: 'dh',
  init(svc) {
    deal(svc)
    return undefined
  },
  addDest: deal,
  delDest: deal,
  schedule(svc, _packet, iph) {
    const table = svc.schedData as (Dest | undefined)[]
    const dest = table[hash32(foldAddress(svc.af, iph.daddr), TABLE_BITS)]
    if (dest?.available && isWilling(dest)) return dest
    schedulerError(svc, 'no destination available')
    return undefined
  },
}
