/**
 * The connections of a host, by protocol and client: one chain holds what is found from either side.
 * Linux 6.1 net/netfilter/ipvs/ip_vs_conn.c.
 */
import type { RandomStream } from '#base/sim'
import { addressKey } from '#kernel/conntrack'
import type { Conn } from './conn.ts'
import { type Engine, sameData } from './engine.ts'
import {
  type Family,
  type InetAddr,
  IP_VS_CONN_F_HASHED,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_NO_CPORT,
  IP_VS_CONN_F_ONE_PACKET,
  IP_VS_CONN_F_TEMPLATE,
} from './uapi.ts'

/** CONFIG_IP_VS_TAB_BITS of a Debian kernel. */
const TABLE_BITS = 12
export const CONN_TABLE_SIZE = 2 ** TABLE_BITS

function hashOf(protocol: number, addr: InetAddr, port: number): number {
  let h = Math.imul(addressKey(addr) ^ 0x9e3779b9, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 15) ^ port, 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 13) ^ protocol, 0x27d4eb2f)
  return (h ^ (h >>> 15)) & (CONN_TABLE_SIZE - 1)
}

/** Of what a persistence engine has read. */
function hashOfData(data: Uint8Array): number {
  let h = 0x811c9dc5
  for (const byte of data) h = Math.imul(h ^ byte, 0x01000193)
  return (h ^ (h >>> 15)) & (CONN_TABLE_SIZE - 1)
}

export class ConnTable {
  /** Of all, those that aren't in the chains too (one packet each). */
  count = 0
  /** Those that don't know their client's port yet. */
  noCport = 0
  readonly #chains: (Conn | undefined)[] = new Array(CONN_TABLE_SIZE).fill(undefined)

  /** ip_vs_conn_hash(). */
  hash(cp: Conn): void {
    if (cp.flags & (IP_VS_CONN_F_ONE_PACKET | IP_VS_CONN_F_HASHED)) return
    cp.flags |= IP_VS_CONN_F_HASHED
    cp.hash = cp.peData ? hashOfData(cp.peData) : hashOf(cp.protocol, cp.caddr, cp.cport)
    cp.next = this.#chains[cp.hash]
    this.#chains[cp.hash] = cp
  }

  /** ip_vs_conn_unhash(). */
  unhash(cp: Conn): boolean {
    if (!(cp.flags & IP_VS_CONN_F_HASHED)) return false
    cp.flags &= ~IP_VS_CONN_F_HASHED
    let one = this.#chains[cp.hash]
    if (one === cp) this.#chains[cp.hash] = cp.next
    else {
      while (one !== undefined && one.next !== cp) one = one.next
      if (one !== undefined) one.next = cp.next
    }
    // `next` stays: who walks the chain goes on behind it.
    return true
  }

  /** Takes one away that ends; false if it has ended. ip_vs_conn_unlink(). */
  unlink(cp: Conn): boolean {
    return (cp.flags & IP_VS_CONN_F_ONE_PACKET) !== 0 || this.unhash(cp)
  }

  #findIn(
    af: Family,
    protocol: number,
    caddr: InetAddr,
    cport: number,
    vaddr: InetAddr,
    vport: number,
  ): Conn | undefined {
    let cp = this.#chains[hashOf(protocol, caddr, cport)]
    for (; cp !== undefined; cp = cp.next) {
      if (
        cp.cport === cport &&
        cp.vport === vport &&
        cp.caddr === caddr &&
        cp.vaddr === vaddr &&
        cp.protocol === protocol &&
        cp.af === af &&
        (cport === 0) === ((cp.flags & IP_VS_CONN_F_NO_CPORT) !== 0)
      ) {
        return cp
      }
    }
    return undefined
  }

  /** By a client's packet. ip_vs_conn_in_get(). */
  inGet(
    af: Family,
    protocol: number,
    caddr: InetAddr,
    cport: number,
    vaddr: InetAddr,
    vport: number,
  ): Conn | undefined {
    const found = this.#findIn(af, protocol, caddr, cport, vaddr, vport)
    if (found !== undefined || this.noCport === 0) return found
    return this.#findIn(af, protocol, caddr, 0, vaddr, vport)
  }

  /** By a server's packet: `saddr` and `sport` are the server's, or the service's where addresses don't change. ip_vs_conn_out_get(). */
  outGet(
    af: Family,
    protocol: number,
    saddr: InetAddr,
    sport: number,
    caddr: InetAddr,
    cport: number,
  ): Conn | undefined {
    let cp = this.#chains[hashOf(protocol, caddr, cport)]
    for (; cp !== undefined; cp = cp.next) {
      if (cp.cport !== cport || cp.caddr !== caddr || cp.protocol !== protocol || cp.af !== af) continue
      const masq = cp.method === IP_VS_CONN_F_MASQ
      if ((masq ? cp.dport : cp.vport) === sport && (masq ? cp.daddr : cp.vaddr) === saddr) return cp
    }
    return undefined
  }

  /** A template. ip_vs_ct_in_get(). */
  templateGet(
    af: Family,
    protocol: number,
    caddr: InetAddr,
    cport: number,
    vaddr: InetAddr,
    vport: number,
  ): Conn | undefined {
    let cp = this.#chains[hashOf(protocol, caddr, cport)]
    for (; cp !== undefined; cp = cp.next) {
      if (
        cp.af === af &&
        cp.caddr === caddr &&
        cp.vaddr === vaddr &&
        cp.vport === vport &&
        cp.cport === cport &&
        cp.flags & IP_VS_CONN_F_TEMPLATE &&
        cp.protocol === protocol
      ) {
        return cp
      }
    }
    return undefined
  }

  /** A template of an engine: the client's port, and the service's in the end, say nothing. ip_vs_sip_ct_match(). */
  templateByData(
    af: Family,
    protocol: number,
    caddr: InetAddr,
    vaddr: InetAddr,
    vport: number,
    engine: Engine,
    data: Uint8Array,
  ): Conn | undefined {
    let cp = this.#chains[hashOfData(data)]
    for (; cp !== undefined; cp = cp.next) {
      if (cp.pe !== engine || cp.af !== af || cp.protocol !== protocol || !(cp.flags & IP_VS_CONN_F_TEMPLATE)) continue
      if (cp.caddr === caddr && cp.vaddr === vaddr && cp.vport === vport && sameData(cp.peData, data)) return cp
    }
    return undefined
  }

  /** All in the order of the chains, as they are now. */
  list(): Conn[] {
    const all: Conn[] = []
    for (const head of this.#chains) for (let cp = head; cp !== undefined; cp = cp.next) all.push(cp)
    return all
  }

  /** A chain by chance. */
  *someChain(random: RandomStream): Generator<Conn> {
    for (let cp = this.#chains[random.below(CONN_TABLE_SIZE)]; cp !== undefined; cp = cp.next) yield cp
  }
}
