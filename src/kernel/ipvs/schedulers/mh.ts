/**
 * Maglev hashing: each server has its own order of preference among 4093 places (from two hashes of its address and port: where
 * it begins, and how far it skips), and in turn, as often as its weight says, they take their next free one. So a server that
 * goes leaves most places of the others alone. A server that is quiesced keeps its places: the weight that counts is the last
 * that wasn't 0.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_mh.c; Eisenbud and others, "Maglev: A Fast and Reliable Software Network Load Balancer",
 * 2016, section 3.4.
 */
import type { Dest } from '../dest.ts'
import { type Scheduler, schedulerError } from '../scheduler.ts'
import type { Service } from '../service.ts'
import { type InetAddr, IP_VS_SVC_F_SCHED_MH_FALLBACK, IP_VS_SVC_F_SCHED_MH_PORT } from '../uapi.ts'
import { isWilling } from './choose.ts'
import { clientAddress, clientPort, foldAddress, hsiphash } from './hash.ts'
import { greatestCommonDivisor, highestWeight } from './weights.ts'

/** CONFIG_IP_VS_MH_TAB_INDEX is Debian's 12: a table of this prime, and turns of at most 6 bits. */
const TABLE_SIZE = 4093
const TURN_BITS = 6
/** The keys of the two hashes. generate_hash_secret(). */
const KEY_OFFSET = 2654435761
const KEY_SKIP = 2654446892

type Table = (Dest | undefined)[]

const lastWeight = (dest: Dest) => dest.lastWeight

function hash(svc: Service, addr: InetAddr, port: number, key: number, offset = 0): number {
  return hsiphash((offset + port + foldAddress(svc.af, addr)) | 0, key)
}

/** One that takes places: which it would like next, and how many it may take before the others' turn. */
interface Chooser {
  dest: Dest
  place: number
  skip: number
  turns: number
}

/** Heavy weights are shifted down, so that no turn is longer than the table likes; the lightest still has one. */
function choosers(svc: Service): Chooser[] {
  const common = greatestCommonDivisor(svc.destinations, lastWeight)
  if (common === 0) return []
  const bits = 32 - Math.clz32(highestWeight(svc.destinations, lastWeight) / common)
  const shift = Math.max(0, bits - TURN_BITS)
  return svc.destinations
    .filter((dest) => dest.lastWeight > 0)
    .map((dest) => ({
      dest,
      place: hash(svc, dest.addr, dest.port, KEY_OFFSET) % TABLE_SIZE,
      skip: (hash(svc, dest.addr, dest.port, KEY_SKIP) % (TABLE_SIZE - 1)) + 1,
      turns: Math.floor(dest.lastWeight / common) >> shift || 1,
    }))
}

function populate(svc: Service): void {
  const table: Table = new Array(TABLE_SIZE).fill(undefined)
  svc.schedData = table
  const all = choosers(svc)
  if (all.length === 0) return
  for (let taken = 0; ; ) {
    for (const one of all) {
      for (let turn = 0; turn < one.turns; turn++) {
        while (table[one.place] !== undefined) one.place = (one.place + one.skip) % TABLE_SIZE
        table[one.place] = one.dest
        if (++taken === TABLE_SIZE) return
      }
    }
  }
}

export const mh: Scheduler = {
  name: 'mh',
  init(svc) {
    if (svc.destinations.length > TABLE_SIZE) return 'EINVAL'
    populate(svc)
    return undefined
  },
  addDest: populate,
  delDest: populate,
  updDest: populate,
  schedule(svc, _packet, iph) {
    const table = svc.schedData as Table
    const port = svc.flags & IP_VS_SVC_F_SCHED_MH_PORT ? clientPort(iph) : 0
    const addr = clientAddress(iph)
    const place = hash(svc, addr, port, KEY_OFFSET) % TABLE_SIZE
    const dest = table[place]
    if (dest !== undefined && isWilling(dest)) return dest
    if (svc.flags & IP_VS_SVC_F_SCHED_MH_FALLBACK && dest !== undefined) {
      for (let i = 0; i < TABLE_SIZE; i++) {
        const offset = (place + i) % TABLE_SIZE
        const next = table[hash(svc, addr, port, KEY_OFFSET, offset) % TABLE_SIZE]
        if (next !== undefined && isWilling(next)) return next
      }
    }
    schedulerError(svc, 'no destination available')
    return undefined
  },
}
