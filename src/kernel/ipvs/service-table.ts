/**
 * The virtual services of a host, found by mark or by address; listed in the order of the kernel's two hash tables.
 *
 * The kernel mixes an address of its memory into the hash, so that its order is a machine's own; here that is 0.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_ctl.c: ip_vs_svc_hash(), ip_vs_service_find().
 */
import { IPPROTO_TCP } from '#wire/inet'
import type { Service } from './service.ts'
import { type Family, FTPDATA, FTPPORT, type InetAddr } from './uapi.ts'

const TABLE_SIZE = 256
/** What programs without privilege may bind: net.ipv4.ip_unprivileged_port_start. */
const UNPRIVILEGED = 1024

function addressHash(protocol: number, addr: InetAddr, port: number): number {
  const fold = typeof addr === 'number' ? addr : addr.w0 ^ addr.w1 ^ addr.w2 ^ addr.w3
  return (protocol ^ fold ^ (port >> 8) ^ port) & (TABLE_SIZE - 1)
}

export class ServiceTable {
  readonly #byAddress: Service[][] = []
  readonly #byMark: Service[][] = []
  /** IPv4's and IPv6's. */
  count4 = 0
  count6 = 0
  /** Services of FTP's port, and of all ports. */
  ftp = 0
  anyPort = 0
  /** Services whose servers may begin connections. */
  engines = 0

  add(svc: Service): void {
    const [table, at] = this.#place(svc)
    const chain = table[at] ?? []
    chain.unshift(svc)
    table[at] = chain
  }

  remove(svc: Service): void {
    const [table, at] = this.#place(svc)
    const chain = table[at] ?? []
    chain.splice(chain.indexOf(svc), 1)
  }

  #place(svc: Service): [Service[][], number] {
    if (svc.fwmark !== 0) return [this.#byMark, svc.fwmark & (TABLE_SIZE - 1)]
    return [this.#byAddress, addressHash(svc.protocol, svc.addr, svc.port)]
  }

  byMark(af: Family, fwmark: number): Service | undefined {
    return this.#byMark[fwmark & (TABLE_SIZE - 1)]?.find((svc) => svc.fwmark === fwmark && svc.af === af)
  }

  byAddress(af: Family, protocol: number, addr: InetAddr, port: number): Service | undefined {
    return this.#byAddress[addressHash(protocol, addr, port)]?.find(
      (svc) => svc.af === af && svc.addr === addr && svc.port === port && svc.protocol === protocol,
    )
  }

  /** The service that a packet is for: by its mark, its port, FTP's data, any port. ip_vs_service_find(). */
  find(af: Family, fwmark: number, protocol: number, vaddr: InetAddr, vport: number): Service | undefined {
    if (fwmark !== 0) {
      const svc = this.byMark(af, fwmark)
      if (svc) return svc
    }
    let svc = this.byAddress(af, protocol, vaddr, vport)
    if (!svc && protocol === IPPROTO_TCP && this.ftp > 0 && (vport === FTPDATA || vport >= UNPRIVILEGED)) {
      svc = this.byAddress(af, protocol, vaddr, FTPPORT)
    }
    if (!svc && this.anyPort > 0) svc = this.byAddress(af, protocol, vaddr, 0)
    return svc
  }

  list(): Service[] {
    const all: Service[] = []
    for (const table of [this.#byAddress, this.#byMark]) {
      for (let at = 0; at < TABLE_SIZE; at++) all.push(...(table[at] ?? []))
    }
    return all
  }
}
