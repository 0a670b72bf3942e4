/** What targets of rules do to a packet's connection: NOTRACK, CT, and the answers that REJECT sends. */
import type { Packet } from '#wire/inet'
import {
  Conn,
  ctDirection,
  type HelperRef,
  IP_CT_DIR_ORIGINAL,
  IP_CT_RELATED,
  IP_CT_RELATED_REPLY,
  IP_CT_UNTRACKED,
  IPS_TEMPLATE,
} from './conn.ts'

/** -j NOTRACK: the packet has no connection, and gets none. */
export function untrack(packet: Packet): void {
  packet.ct = undefined
  packet.ctInfo = IP_CT_UNTRACKED
}

/** What an answer to a packet (REJECT's reset or ICMP error) belongs to: the packet's connection, the other way. nf_conntrack_attach(). */
export function attachAnswer(answer: Packet, packet: Packet): void {
  if (packet.ct === undefined) return
  answer.ct = packet.ct
  answer.ctInfo = ctDirection(packet.ctInfo) === IP_CT_DIR_ORIGINAL ? IP_CT_RELATED_REPLY : IP_CT_RELATED
}

/** What the CT target puts on a packet before it is tracked; the connection that it begins gets these. nf_ct_tmpl_alloc(). */
export interface TemplateOptions {
  zone?: number
  helper?: HelperRef
  /** IPCT_* that are reported, whatever the sysctl says. */
  events?: number
}

/** A template: set it as a packet's `ct` in the raw table. */
export function createTemplate(options: TemplateOptions): Conn {
  const template = new Conn(0, 0, 0, 0, 0, 0, 0, 0, options.zone ?? 0, true)
  template.status = IPS_TEMPLATE
  template.helper = options.helper
  template.eventMask = options.events ?? 0
  return template
}
