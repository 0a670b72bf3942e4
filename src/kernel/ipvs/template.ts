/** Templates: whether the server that one names may still be used. Linux 6.1 net/netfilter/ipvs/ip_vs_conn.c: ip_vs_check_template(). */
import type { Conn } from './conn.ts'
import type { Dest } from './dest.ts'

/** No packet is for it: what is left of a template whose server is gone. */
const NOBODY = 0xffff

/**
 * Whether it may be used; one that may not is made unfindable, and ends when its time is over.
 *
 * @param expected the only server that will do; undefined: any
 */
export function checkTemplate(template: Conn, expected: Dest | undefined): boolean {
  const { dest, ipvs } = template
  const quiescent = ipvs.settings.expireQuiescentTemplate !== 0 && dest?.weight === 0
  if (dest?.available && !quiescent && (expected === undefined || dest === expected)) return true
  if (template.vport !== NOBODY && ipvs.conns.unhash(template)) {
    template.dport = NOBODY
    template.vport = NOBODY
    template.cport = 0
    ipvs.conns.hash(template)
  }
  return false
}
