/** What a host's network looks like from inside: addresses, neighbours, routes, sockets; for pages. */
import { type Host, type InsideRow, insideViews, type KernelImage } from '#kernel/core'
import { formatIpv4 } from '#wire/inet'
import { formatMac } from '#wire/link'
import { deviceByIndex, devices, netState } from './devices.ts'
import { RT_TABLE_MAIN } from './fib.ts'
import { NUD_NOARP, NUD_NONE, NUD_VALID, stateName } from './neighbour-states.ts'
import type { RouteMessage, SocketMessage } from './netlink.ts'
import { allSockets } from './netlink-diag.ts'
import { dumpRoutes } from './netlink-route.ts'

function addresses(host: Host): InsideRow[] {
  return devices(host).flatMap((device) =>
    device.inet.addresses.map(({ local, prefix }) => {
      const address = `${formatIpv4(local)}/${prefix}`
      return { key: `${device.name} ${address}`, cells: [device.name, address, device.operstate] }
    }),
  )
}

function neighbours(host: Host): InsideRow[] | undefined {
  const rows: InsideRow[] = []
  for (const { key, device, address, state } of netState.of(host).neighbours.all()) {
    // As `ip neigh` does: a group's address is no neighbour, and who hasn't answered has no address.
    if (state === NUD_NONE || state & NUD_NOARP) continue
    const name = formatIpv4(key)
    const mac = state & NUD_VALID ? formatMac(address) : ''
    rows.push({ key: `${device.name} ${name}`, cells: [name, device.name, mac, stateName(state)] })
  }
  return rows.length > 0 ? rows : undefined
}

function routeRow(host: Host, route: RouteMessage): InsideRow {
  const to = route.prefix === 0 ? 'default' : `${formatIpv4(route.dst)}/${route.prefix}`
  const via = route.nextHops.map((hop) => (hop.gateway ? formatIpv4(hop.gateway) : '')).join(' ')
  const by = route.nextHops.map((hop) => deviceByIndex(host, hop.ifindex)?.name ?? '').join(' ')
  return { key: `${to} ${route.metric}`, cells: [to, via, by, route.metric === 0 ? '' : String(route.metric)] }
}

function socketRow(socket: SocketMessage): InsideRow {
  const local = `${socket.local}:${socket.localPort}`
  const peer = `${socket.peer}:${socket.peerPort}`
  const queues = [socket.receiveQueue, socket.sendQueue].map(String)
  return {
    key: `${socket.netid} ${local} ${peer} ${socket.inode}`,
    cells: [socket.netid, socket.state, ...queues, local, peer],
  }
}

/** Adds the views of addresses, neighbours, routes and sockets. */
export function installInside(image: KernelImage): void {
  const views = insideViews(image)
  views.set('addresses', { columns: ['Device', 'Address', 'State'], look: addresses })
  views.set('neighbours', { columns: ['Address', 'Device', 'Lladdr', 'State'], look: neighbours })
  views.set('routes', {
    columns: ['Destination', 'Via', 'Device', 'Metric'],
    look(host) {
      const answer = dumpRoutes(host, RT_TABLE_MAIN)
      if (!answer.ok || answer.messages.length === 0) return undefined
      return (answer.messages as RouteMessage[]).map((route) => routeRow(host, route))
    },
  })
  views.set('sockets', {
    columns: ['Netid', 'State', 'Recv-Q', 'Send-Q', 'Local', 'Peer'],
    look(host) {
      const rows = allSockets(host)
        .filter(({ family }) => family === 'AF_INET' || family === 'AF_INET6')
        .map(socketRow)
      return rows.length > 0 ? rows : undefined
    },
  })
}
