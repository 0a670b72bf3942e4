/**
 * /proc/net/{if_inet6,ipv6_route,snmp6,tcp6,udp6,raw6,icmp6,igmp6,anycast6,sockstat6}, and what `ss` asks.
 * Linux 6.1 net/ipv6/addrconf.c: if6_seq_show(); net/ipv6/ip6_fib.c: ipv6_route_native_seq_show(); net/ipv6/mcast.c,
 * datagram.c: __ip6_dgram_sock_seq_show().
 */

import { formatHex } from '#base/bytes'
import type { Host, KernelImage } from '#kernel/core'
import { deviceByIndex, formatProcTcp6, type SocketMessage, socketDumpers } from '#kernel/net'
import { formatIpv6, IN6_ANY, type Ipv6Address, ipv6Bytes } from '#wire/inet'
import { sourceScope } from './address-select.ts'
import { Counters6, formatSnmp6 } from './counters.ts'
import { link6 } from './inet6dev.ts'
import type { Inet6Socket } from './sockets/inet6.ts'
import { state6 } from './state.ts'

const hex = (value: number, width: number) => value.toString(16).padStart(width, '0')
const plain = (address: Ipv6Address) => formatHex(ipv6Bytes(address)).replaceAll(' ', '')

/** IPV6_ADDR_*SCOPE of an address, as this file has it. */
function ifScope(address: Ipv6Address): number {
  if (address.w0 === 0 && address.w1 === 0 && address.w2 === 0 && address.w3 === 1) return 0x10
  const scope = sourceScope(address)
  return scope === 2 ? 0x20 : scope === 5 ? 0x40 : 0
}

function formatIfInet6(host: Host): string {
  const state = state6.peek(host)
  if (!state) return ''
  return state.net.devices
    .flatMap((device) => link6(device)?.addresses.map((own) => ({ own, device })) ?? [])
    .map(({ own, device }) => {
      const numbers = [device.ifindex, own.prefix, ifScope(own.address), own.flags & 0xff].map((value) => hex(value, 2))
      return `${plain(own.address)} ${numbers.join(' ')} ${device.name.padStart(8)}\n`
    })
    .join('')
}

function formatIpv6Route(host: Host): string {
  const state = state6.peek(host)
  if (!state) return ''
  const lines: string[] = []
  const nothing = plain(IN6_ANY)
  for (const table of state.allTables()) {
    for (const route of table.routes) {
      const gateway = route.gateway
      let flags = 1
      if (gateway !== undefined) flags |= 2
      if (route.type === 'local') flags |= 0x80200000
      if (route.type === 'anycast') flags |= 0x80100000
      if (route.type === 'unreachable' || route.type === 'blackhole' || route.type === 'prohibit') flags |= 0x200
      if (route.fromRa) flags |= 0x40000
      if (route.defaultRouter) flags |= 0x10000
      if (route.expiresNs !== Number.POSITIVE_INFINITY) flags |= 0x400000
      flags |= route.preference << 27
      lines.push(
        [
          plain(route.dst),
          hex(route.prefix, 2),
          route.src ? plain(route.src) : nothing,
          hex(route.srcPrefix, 2),
          gateway ? plain(gateway) : nothing,
          hex(route.metric, 8),
          hex(1, 8),
          hex(0, 8),
          hex(flags >>> 0, 8),
          (route.device?.name ?? 'lo').padStart(8),
        ].join(' '),
      )
    }
    // The end of each table's tree is a route that leads nowhere.
    lines.push(`${nothing} 00 ${nothing} 00 ${nothing} ffffffff 00000001 00000000 00200200 ${'lo'.padStart(8)}`)
  }
  return lines.map((line) => `${line}\n`).join('')
}

function formatIgmp6(host: Host): string {
  const state = state6.peek(host)
  if (!state) return ''
  return state.net.devices
    .flatMap((device) => link6(device)?.groups.map((group) => ({ group, device })) ?? [])
    .map(({ group, device }) => {
      const flags = hex(group.flags, 8).toUpperCase()
      return `${String(device.ifindex).padEnd(4)} ${device.name.padEnd(15)} ${plain(group.address)} ${String(group.users).padStart(5)} ${flags} 0\n`
    })
    .join('')
}

function formatAnycast6(host: Host): string {
  const state = state6.peek(host)
  if (!state) return ''
  return state.net.devices
    .flatMap((device) => link6(device)?.anycasts.map((own) => ({ own, device })) ?? [])
    .map(
      ({ own, device }) =>
        `${String(device.ifindex).padEnd(4)} ${device.name.padEnd(15)} ${plain(own.address)} ${String(own.users).padStart(5)}\n`,
    )
    .join('')
}

/** Four words as they lie in the memory of a little-endian machine. */
function swapped(address: Ipv6Address): string {
  return [address.w0, address.w1, address.w2, address.w3]
    .map((word) =>
      hex((((word & 255) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0, 8),
    )
    .join('')
    .toUpperCase()
}

const HEAD =
  '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n'

function socketLine(slot: number, socket: Inet6Socket, localPort: number, peerPort: number): string {
  const port = (value: number) => hex(value, 4).toUpperCase()
  const local = `${swapped(socket.receiveAddress)}:${port(localPort)}`
  const peer = `${swapped(socket.peerAddress)}:${port(peerPort)}`
  const memory = `00000000:${hex(socket.received.memory, 8).toUpperCase()}`
  return `${String(slot).padStart(5)}: ${local} ${peer} ${socket.connected ? '01' : '07'} ${memory} 00:00000000 00000000     0        0 ${socket.inode} 2 0000000000000000 ${socket.drops}\n`
}

function allOf<T>(map: Map<number, T[]> | undefined): T[] {
  return [...(map?.values() ?? [])].flat()
}

function formatUdp6(host: Host): string {
  const sockets = allOf(state6.peek(host)?.sockets?.udp)
  const lines = sockets.map((socket) => ({ slot: socket.number & 4095, socket })).sort((a, b) => a.slot - b.slot)
  return HEAD + lines.map(({ slot, socket }) => socketLine(slot, socket, socket.number, socket.peerPort)).join('')
}

function formatIcmp6(host: Host): string {
  const sockets = allOf(state6.peek(host)?.sockets?.ping)
  return HEAD + sockets.map((socket) => socketLine(socket.number & 63, socket, socket.number, 0)).join('')
}

function formatRaw6(host: Host): string {
  const sockets = state6.peek(host)?.sockets?.raw ?? []
  return HEAD + sockets.map((socket) => socketLine(socket.number & 255, socket, socket.number, 0)).join('')
}

function formatSockstat6(host: Host): string {
  const state = state6.peek(host)
  const { sockets, fragments } = state ?? {}
  return `TCP6: inuse 0
UDP6: inuse ${allOf(sockets?.udp).length}
UDPLITE6: inuse 0
RAW6: inuse ${sockets?.raw.length ?? 0}
FRAG6: inuse ${fragments?.queues.size ?? 0} memory ${fragments?.memory ?? 0}
`
}

const NOTHING = new Counters6()

function message(host: Host, socket: Inet6Socket, netid: string, port: string): SocketMessage {
  const device = socket.boundDevice === 0 ? undefined : deviceByIndex(host, socket.boundDevice)
  const suffix = device ? `%${device.name}` : ''
  // A socket for both families is for any address, not for IPv6's: `*`.
  const any = netid === 'udp' && !socket.onlyIpv6 ? '*' : '[::]'
  const address = (value: Ipv6Address, none: string) => (value === IN6_ANY ? none : `[${formatIpv6(value)}]`)
  return {
    type: 'INET_DIAG',
    family: 'AF_INET6',
    netid,
    state: socket.connected ? 'ESTAB' : 'UNCONN',
    receiveQueue: socket.received.memory,
    sendQueue: 0,
    local: address(socket.receiveAddress, any) + suffix,
    localPort: port,
    peer: address(socket.peerAddress, any),
    peerPort: socket.peerPort === 0 ? '*' : String(socket.peerPort),
    inode: socket.inode,
    ifindex: socket.boundDevice,
    uid: 0,
  }
}

function dump(host: Host): SocketMessage[] {
  const sockets = state6.peek(host)?.sockets
  if (!sockets) return []
  return [
    ...sockets.raw.map((socket) => message(host, socket, 'raw', String(socket.number))),
    ...allOf(sockets.ping).map((socket) => message(host, socket, 'icmp6', String(socket.number))),
    ...allOf(sockets.udp).map((socket) => message(host, socket, 'udp', String(socket.number))),
  ]
}

/** Installs the files, and the answers to `ss`. */
export function installProc6(image: KernelImage): void {
  image.proc('/proc/net/if_inet6', { read: formatIfInet6 })
  image.proc('/proc/net/ipv6_route', { read: formatIpv6Route })
  image.proc('/proc/net/igmp6', { read: formatIgmp6 })
  image.proc('/proc/net/anycast6', { read: formatAnycast6 })
  image.proc('/proc/net/snmp6', { read: (host) => formatSnmp6(state6.peek(host)?.counters ?? NOTHING) })
  image.proc('/proc/net/tcp6', { read: formatProcTcp6 })
  image.proc('/proc/net/udp6', { read: formatUdp6 })
  image.proc('/proc/net/icmp6', { read: formatIcmp6 })
  image.proc('/proc/net/raw6', { read: formatRaw6 })
  image.proc('/proc/net/sockstat6', { read: formatSockstat6 })
  socketDumpers(image).push(dump)
}
