/**
 * The cache of the two locality-based schedulers: what they remember of each address that clients asked for. Every minute it is
 * looked through if it has grown too large, and every half hour for what nobody asked for within the expiration.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_lblc.c: ip_vs_lblc_check_expire(); ip_vs_lblcr.c has its twin.
 */
import { defineState, fail, type Host, type KernelImage, OK, parseIntegers } from '#kernel/core'
import { HZ, jiffiesOf, WheelTimer } from '#kernel/net'
import type { Dest } from '../dest.ts'
import type { Service } from '../service.ts'
import type { InetAddr } from '../uapi.ts'
import { foldAddress, hash32 } from './hash.ts'

const CHECK_INTERVAL = 60 * HZ
/** In a table that is too large, who wasn't asked for so long goes. */
const ENTRY_TIMEOUT = 6 * 60 * HZ
const CHECKS_PER_FULL_ONE = 30
const DEFAULT_EXPIRATION = 24 * 60 * 60 * HZ
const TABLE_BITS = 10
const TABLE_SIZE = 1 << TABLE_BITS
const MAX_ENTRIES = TABLE_SIZE * 16
const INT_MAX = 2 ** 31 - 1

/** The setting of how long unused entries stay, in jiffies; each scheduler has its own. */
export interface Expiration {
  of(host: Host): number
  install(image: KernelImage): void
}

/** net.ipv4.vs.NAME, in seconds. proc_dointvec_jiffies(). */
export function expirationSysctl(name: string): Expiration {
  const setting = defineState(() => ({ jiffies: DEFAULT_EXPIRATION }))
  const of = (host: Host) => setting.peek(host)?.jiffies ?? DEFAULT_EXPIRATION
  const most = Math.floor(INT_MAX / HZ)
  return {
    of,
    install(image) {
      image.sysctl({
        name: `net.ipv4.vs.${name}`,
        get: (host) => String(Math.trunc(of(host) / HZ)),
        set(host, _instance, text) {
          const parsed = parseIntegers(text, 1)
          if (!parsed.ok) return parsed
          const seconds = parsed.value[0]!
          if (Math.abs(seconds) > most) return fail('EINVAL')
          setting.of(host).jiffies = seconds * HZ
          return OK
        },
      })
    },
  }
}

export interface LocalityEntry {
  /** Jiffies when it was last asked for. */
  lastUse: number
  /** The servers that it holds on to. */
  dests: Dest[]
}

export class LocalityTable<Entry extends LocalityEntry> {
  readonly #svc: Service
  readonly #expiration: Expiration
  readonly #entries = new Map<InetAddr, Entry>()
  readonly #timer: WheelTimer
  /** The bucket at which the last look ended, and the looks since the last full one. */
  #rover = 0
  #looks = 1

  constructor(svc: Service, name: string, expiration: Expiration) {
    this.#svc = svc
    this.#expiration = expiration
    this.#timer = new WheelTimer(svc.ipvs.host, `ipvs ${name}`, () => this.#look())
    this.#timer.after(CHECK_INTERVAL)
  }

  get(addr: InetAddr): Entry | undefined {
    return this.#entries.get(addr)
  }

  get full(): boolean {
    return this.#entries.size >= (MAX_ENTRIES * 3) / 2
  }

  add(addr: InetAddr, entry: Entry): void {
    this.#entries.set(addr, entry)
  }

  delete(addr: InetAddr): void {
    const entry = this.#entries.get(addr)
    if (entry === undefined) return
    for (const dest of entry.dests) dest.refs--
    this.#entries.delete(addr)
  }

  /** Its service ends. */
  destroy(): void {
    this.#timer.destroy()
    for (const addr of [...this.#entries.keys()]) this.delete(addr)
  }

  #look(): void {
    const host = this.#svc.ipvs.host
    const now = jiffiesOf(host)
    const excess = this.#entries.size - MAX_ENTRIES
    if (this.#looks % CHECKS_PER_FULL_ONE === 0) {
      this.#looks = 1
      this.#drop(now - this.#expiration.of(host), TABLE_SIZE * MAX_ENTRIES)
    } else if (excess <= 0) this.#looks++
    else this.#drop(now - ENTRY_TIMEOUT, Math.min(Math.floor((excess * 4) / 3), MAX_ENTRIES / 2))
    this.#timer.after(CHECK_INTERVAL)
  }

  /** Goes from bucket to bucket, and stops behind the one with which `goal` entries are gone that weren't used since. */
  #drop(since: number, goal: number): void {
    const buckets = new Map<number, InetAddr[]>()
    for (const [addr, entry] of this.#entries) {
      if (entry.lastUse > since) continue
      const hash = hash32(foldAddress(this.#svc.af, addr), TABLE_BITS)
      const bucket = buckets.get(hash)
      if (bucket === undefined) buckets.set(hash, [addr])
      else bucket.push(addr)
    }
    let left = goal
    for (let i = 0; i < TABLE_SIZE && left > 0; i++) {
      this.#rover = (this.#rover + 1) % TABLE_SIZE
      const bucket = buckets.get(this.#rover) ?? []
      for (const addr of bucket) this.delete(addr)
      left -= bucket.length
    }
  }
}

/** More active connections than weight, while another server has less than half of its own. is_overloaded(). */
export function isOverburdened(dest: Dest, svc: Service): boolean {
  return dest.activeConns > dest.weight && svc.destinations.some((other) => other.activeConns * 2 < other.weight)
}
