/** Real servers by address and port, for packets that come from them. Linux 6.1 net/netfilter/ipvs/ip_vs_ctl.c: ip_vs_rs_hash(). */
import { addressKey } from '#kernel/conntrack'
import type { Dest } from './dest.ts'
import {
  type Family,
  type InetAddr,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_CONN_F_TUNNEL_TYPE_GUE,
} from './uapi.ts'

export class RealServers {
  readonly #chains = new Map<number, Dest[]>()

  add(dest: Dest): void {
    if (dest.inRsTable) return
    const { method } = dest
    if (method !== IP_VS_CONN_F_MASQ && method !== IP_VS_CONN_F_TUNNEL) return
    dest.inRsTable = true
    const key = addressKey(dest.addr)
    this.#chains.set(key, [dest, ...(this.#chains.get(key) ?? [])])
  }

  remove(dest: Dest): void {
    if (!dest.inRsTable) return
    dest.inRsTable = false
    const key = addressKey(dest.addr)
    const rest = (this.#chains.get(key) ?? []).filter((one) => one !== dest)
    if (rest.length === 0) this.#chains.delete(key)
    else this.#chains.set(key, rest)
  }

  /** One that gets packets with its own address. ip_vs_find_real_service(). */
  find(af: Family, protocol: number, addr: InetAddr, port: number): Dest | undefined {
    return this.#chains
      .get(addressKey(addr))
      ?.find(
        (dest) =>
          dest.af === af &&
          dest.addr === addr &&
          dest.port === port &&
          dest.method === IP_VS_CONN_F_MASQ &&
          (dest.protocol === protocol || dest.vfwmark !== 0),
      )
  }

  /** One at the other end of a tunnel. ip_vs_find_tunnel(). */
  findTunnel(af: Family, addr: InetAddr, tunPort: number): Dest | undefined {
    return this.#chains
      .get(addressKey(addr))
      ?.find(
        (dest) =>
          dest.af === af &&
          dest.addr === addr &&
          dest.method === IP_VS_CONN_F_TUNNEL &&
          dest.tunPort === tunPort &&
          (dest.tunType === IP_VS_CONN_F_TUNNEL_TYPE_GUE) === (tunPort !== 0),
      )
  }
}
