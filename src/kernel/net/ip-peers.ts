/**
 * What is remembered about other hosts, for limiting what they are told. Linux 6.1 net/ipv4/inetpeer.c.
 *
 * The kernel forgets a peer at the earliest when it has more than inet_peer_threshold (65,664 on a machine of some size)
 * of them; so does this.
 */
import type { Host } from '#kernel/core'
import { inetState } from './ip-state.ts'
import { HZ, jiffiesOf } from './jiffies.ts'

/** Linux 6.1 net/ipv4/inetpeer.c: XRLIM_BURST_FACTOR. */
const BURST_FACTOR = 6
const PEERS_MAX = 65_664

/** All times in jiffies. */
export interface Peer {
  rateTokens: number
  rateLast: number
  redirects: number
  /** Fragments that it sent, for `ipfrag_max_dist`. */
  fragments: number
}

export type Peers = Map<number, Peer>

/** The peer of that address, made if there is none. inet_getpeer(). */
export function peerOf(host: Host, address: number): Peer {
  const state = inetState.of(host)
  state.peers ??= new Map()
  let peer = state.peers.get(address)
  if (!peer) {
    // Long enough ago that the first calculation of tokens is at its most.
    peer = { rateTokens: 0, rateLast: jiffiesOf(host) - 60 * HZ, redirects: 0, fragments: 0 }
    if (state.peers.size >= PEERS_MAX) state.peers.delete(state.peers.keys().next().value as number)
    state.peers.set(address, peer)
  }
  return peer
}

/** Whether a message that costs `timeout` jiffies may be sent to a peer now. inet_peer_xrlim_allow(). */
export function peerAllows(host: Host, peer: Peer, timeout: number): boolean {
  const now = jiffiesOf(host)
  const tokens = Math.min(peer.rateTokens + now - peer.rateLast, BURST_FACTOR * timeout)
  peer.rateLast = now
  const allowed = tokens >= timeout
  peer.rateTokens = allowed ? tokens - timeout : tokens
  return allowed
}
