/**
 * Packets that one looks for first: a connection's beginning and end, a refusal, an address announced. Marked on the bar of
 * time.
 */
import { summarise } from './summary.ts'

const known = new WeakMap<Uint8Array, boolean>()

export function isOfInterest(bytes: Uint8Array): boolean {
  let is = known.get(bytes)
  if (is === undefined) {
    is = judge(bytes)
    known.set(bytes, is)
  }
  return is
}

function judge(bytes: Uint8Array): boolean {
  const { protocol, text } = summarise(bytes)
  if (protocol === 'tcp') return /SYN|FIN|RST/u.test(text)
  if (protocol === 'icmp') return !/echo|ping/u.test(text)
  return protocol === 'arp' && text.includes('announces')
}
