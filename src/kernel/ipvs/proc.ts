/** /proc/net/ip_vs*. Linux 6.1 net/netfilter/ipvs/ip_vs_ctl.c: ip_vs_info_seq_show(), ip_vs_stats_show(); ip_vs_conn.c: ip_vs_conn_seq_show(). */
import type { Host, KernelImage } from '#kernel/core'
import type { Conn } from './conn.ts'
import { CONN_TABLE_SIZE } from './conn-table.ts'
import type { Dest } from './dest.ts'
import { forwardName, protocolName } from './names.ts'
import { stateName } from './proto.ts'
import type { Service } from './service.ts'
import { ipvsState } from './state.ts'
import type { Stats } from './stats.ts'
import { AF_INET6, type InetAddr, IP_VS_CONN_F_SYNC } from './uapi.ts'

const hex = (value: number, digits: number) => value.toString(16).toUpperCase().padStart(digits, '0')

/** Eight groups in full: %pI6. */
function whole(address: InetAddr): string {
  // A firewall mark stands in the first word.
  const words = typeof address === 'number' ? [address, 0, 0, 0] : [address.w0, address.w1, address.w2, address.w3]
  const text = words.map((word) => word.toString(16).padStart(8, '0'))
  return text.map((word) => `${word.slice(0, 4)}:${word.slice(4)}`).join(':')
}

function addressText(address: InetAddr, v6: boolean): string {
  return v6 ? whole(address) : hex(address as number, 8)
}

function serviceLine(svc: Service): string {
  const { fwmark, addr, port, netmask, timeout } = svc
  const name = svc.scheduler?.name ?? 'none'
  const ops = svc.onePacket ? 'ops ' : ''
  let line: string
  if (fwmark !== 0) line = `FWM  ${hex(fwmark, 8)} ${name} ${ops}`
  else if (svc.af === AF_INET6) line = `${protocolName(svc.protocol)}  [${whole(addr)}]:${hex(port, 4)} ${name} `
  else line = `${protocolName(svc.protocol)}  ${hex(addr as number, 8)}:${hex(port, 4)} ${name} ${ops} `
  // The mask is told in the byte order of the machine that it isn't in, when it is a prefix's length.
  const mask = svc.af === AF_INET6 ? swapped(netmask) : netmask
  return `${line}${svc.persistent ? `persistent ${timeout} ${hex(mask, 8)}` : ''}\n`
}

function swapped(value: number): number {
  return (((value & 255) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0
}

function destLine(dest: Dest): string {
  const v6 = dest.af === AF_INET6
  const address = v6 ? `[${whole(dest.addr)}]` : hex(dest.addr as number, 8)
  const method = forwardName(dest.connFlags).padEnd(7)
  const column = (value: number, width: number) => String(value).padEnd(width)
  const counts = `${column(dest.weight, 6)} ${column(dest.activeConns, 10)} ${column(dest.inactConns, 10)}`
  return `  -> ${address}:${hex(dest.port, 4)}      ${method} ${counts}\n`
}

function services(host: Host): string {
  const ipvs = ipvsState.peek(host)
  const head =
    `IP Virtual Server version 1.2.1 (size=${CONN_TABLE_SIZE})\n` +
    'Prot LocalAddress:Port Scheduler Flags\n' +
    '  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n'
  const lines = (ipvs?.services.list() ?? []).map((svc) => serviceLine(svc) + svc.destinations.map(destLine).join(''))
  return head + lines.join('')
}

/** What both listings of connections begin a line with. */
function connStart(cp: Conn): string {
  const v6 = cp.af === AF_INET6
  const client = `${addressText(cp.caddr, v6)} ${hex(cp.cport, 4)}`
  const service = `${addressText(cp.vaddr, v6)} ${hex(cp.vport, 4)}`
  const server = `${addressText(cp.daddr, cp.daf === AF_INET6)} ${hex(cp.dport, 4)}`
  return `${protocolName(cp.protocol).padEnd(3)} ${client} ${service} ${server} ${stateName(cp).padEnd(11)}`
}

function connections(host: Host): string {
  const head = 'Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n'
  const all = ipvsState.peek(host)?.conns.list() ?? []
  const engine = ({ pe, peData }: Conn) => (pe && peData ? ` ${pe.name} ${String.fromCharCode(...peData)}` : '')
  return head + all.map((cp) => `${connStart(cp)} ${String(cp.expiresS).padStart(7)}${engine(cp)}\n`).join('')
}

function origins(host: Host): string {
  const head = 'Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires\n'
  const all = ipvsState.peek(host)?.conns.list() ?? []
  const origin = (cp: Conn) => (cp.flags & IP_VS_CONN_F_SYNC ? 'SYNC' : 'LOCAL').padEnd(6)
  return head + all.map((cp) => `${connStart(cp)} ${origin(cp)} ${String(cp.expiresS).padStart(7)}\n`).join('')
}

/** Helpers, and how many connections each has. */
function helpers(host: Host): string {
  const ipvs = ipvsState.peek(host)
  const conns = ipvs?.conns.list() ?? []
  const apps = [...(ipvs?.protocols.values() ?? [])].flatMap((one) => one.apps)
  const lines = apps.map((app) => {
    const used = conns.filter((cp) => cp.app === app).length
    const numbers = `${String(app.port).padEnd(7)} ${String(used).padEnd(6)}`
    return `${protocolName(app.protocol).padEnd(3)}  ${numbers} ${app.name.padEnd(17)}\n`
  })
  return `prot port    usecnt name\n${lines.join('')}`
}

/** Five counters, or rates, in hexadecimal. */
function row(values: (number | bigint)[]): string {
  return values
    .map((value, i) =>
      value
        .toString(16)
        .toUpperCase()
        .padStart(i < 3 ? 8 : 16),
    )
    .join(' ')
}

function rates(stats: Stats | undefined): { counts: string; rates: string } {
  const shown = stats?.show()
  if (shown === undefined) return { counts: row([0, 0, 0, 0, 0]), rates: row([0, 0, 0, 0, 0]) }
  const { conns, inPkts, outPkts, inBytes, outBytes, cps, inPps, outPps, inBps, outBps } = shown
  return { counts: row([conns, inPkts, outPkts, inBytes, outBytes]), rates: row([cps, inPps, outPps, inBps, outBps]) }
}

function statistics(host: Host): string {
  const shown = rates(ipvsState.peek(host)?.totStats)
  return (
    '   Total Incoming Outgoing         Incoming         Outgoing\n' +
    '   Conns  Packets  Packets            Bytes            Bytes\n' +
    `${shown.counts}\n\n` +
    ' Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n' +
    `${shown.rates}\n`
  )
}

function statisticsPerCpu(host: Host): string {
  const stats = ipvsState.peek(host)?.totStats
  const shown = rates(stats)
  return (
    '       Total Incoming Outgoing         Incoming         Outgoing\n' +
    'CPU    Conns  Packets  Packets            Bytes            Bytes\n' +
    `  0 ${row([...(stats?.now ?? [0, 0, 0, 0, 0])])}\n` +
    `  ~ ${shown.counts}\n\n` +
    '     Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n' +
    `    ${shown.rates}\n`
  )
}

/** Installs them. */
export function installIpvsProc(image: KernelImage): void {
  image.proc('/proc/net/ip_vs', { read: services })
  image.proc('/proc/net/ip_vs_app', { read: helpers })
  image.proc('/proc/net/ip_vs_conn', { read: connections })
  image.proc('/proc/net/ip_vs_conn_sync', { read: origins })
  image.proc('/proc/net/ip_vs_stats', { read: statistics })
  image.proc('/proc/net/ip_vs_stats_percpu', { read: statisticsPerCpu })
}
