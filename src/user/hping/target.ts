/** Whom to send to, from which address, by which interface. */
import type { Body, Sys } from '#kernel/core'
import type { AddressMessage, LinkMessage } from '#kernel/net'
import { lookupHost } from '#user/libc'

export interface Outgoing {
  name: string
  ifindex: number
  address: number
  mtu: number
}

/** A name's IPv4 address. */
export function* resolve(sys: Sys, name: string): Body<number | undefined> {
  const found = yield* lookupHost(sys, name, { family: 'AF_INET' })
  const first = found.ok ? found.value.addresses[0] : undefined
  return first?.family === 'AF_INET' ? first.address : undefined
}

/** The address that the kernel would send from: a UDP socket's, once connected. */
export function* sourceTowards(sys: Sys, destination: number): Body<number> {
  const socket = sys.socket('AF_INET', 'SOCK_DGRAM', 0)
  if (!socket.ok) return 0
  let source = 0
  const connected = yield* sys.connect(socket.value, { family: 'AF_INET', address: destination, port: 11111 })
  if (connected.ok) {
    const name = sys.getsockname(socket.value)
    if (name.ok && name.value.family === 'AF_INET') source = name.value.address
  }
  sys.close(socket.value)
  return source
}

/**
 * The interface: the first that is up whose name has what was asked for in it, else the one that has the source address,
 * else the loopback.
 */
export function findInterface(sys: Sys, wanted: string | undefined, source: number): Outgoing | undefined {
  const links = sys.netlink({ type: 'RTM_GETLINK' })
  const addresses = sys.netlink({ type: 'RTM_GETADDR' })
  if (!links.ok || !addresses.ok) return undefined
  const v4 = (addresses.messages as AddressMessage[]).filter(({ local }) => typeof local === 'number')
  const up = (links.messages as LinkMessage[]).filter(({ flags }) => (flags & 1) !== 0)
  const made = (link: LinkMessage, address: number): Outgoing => {
    return { name: link.name, ifindex: link.ifindex, address, mtu: link.mtu }
  }
  for (const link of up) {
    const own = v4.filter(({ ifindex }) => ifindex === link.ifindex)
    if (wanted !== undefined) {
      if (own[0] && link.name.includes(wanted)) return made(link, own[0].local as number)
    } else {
      const exact = own.find(({ local }) => local === source)
      if (exact) return made(link, exact.local as number)
    }
  }
  const lo = up.find(({ name }) => name === 'lo')
  return lo && made(lo, 0x7f000001)
}
