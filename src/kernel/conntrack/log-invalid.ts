/**
 * net.netfilter.nf_conntrack_log_invalid: packets that can't be tracked, told to the kernel's log where a logger is set.
 * Linux 6.1 net/netfilter/nf_conntrack_proto.c: nf_l4proto_log_invalid().
 */
import type { HookContext } from '#kernel/net'
import type { ConntrackState } from './state.ts'

/** Writes a packet into the log; net/netfilter/nf_log_syslog.c does, once a LOG rule has brought it. */
export type PacketLogger = (context: HookContext, prefix: string) => void

const IPPROTO_RAW = 255

/** Who writes packets into the log: the room that has the LOG target puts its function in. */
export const packetLogger: { log: PacketLogger | undefined } = { log: undefined }

/** Tells of an invalid packet, if it is asked for. */
export function logInvalid(state: ConntrackState, context: HookContext, protocol: number, text: string): void {
  const { logInvalid: wanted } = state.settings
  if (state.watched) state.tell(context.packet, 'invalid', text)
  if (wanted === 0 || (wanted !== protocol && wanted !== IPPROTO_RAW)) return
  packetLogger.log?.(context, `nf_ct_proto_${protocol}: ${text} `)
}
