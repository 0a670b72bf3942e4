/** /proc/net/snmp, netstat, route, udp, raw, icmp, packet, sockstat. Linux 6.1 net/ipv4/proc.c, fib_trie.c, udp.c, raw.c. */
import type { Host, KernelImage } from '#kernel/core'
import { devices } from './devices.ts'
import { type FibAlias, RT_TABLE_MAIN } from './fib.ts'
import { groupsOf, igmpVersion } from './igmp.ts'
import { IpCounters } from './ip-counters.ts'
import { inetState } from './ip-state.ts'
import { formatDevMcast } from './netlink-fdb.ts'
import type { InetSocket } from './sockets/inet.ts'
import { counterOf, TcpCounters } from './tcp/counters.ts'
import { tcpState } from './tcp/index.ts'
import { formatProcTcp, formatTcpSockstat, tcpSocketCount } from './tcp/proc.ts'

const NONE = Object.freeze(new IpCounters())
const NO_TCP = Object.freeze(new TcpCounters())

const ICMP_NAMES: [string, number][] = [
  ['DestUnreachs', 3],
  ['TimeExcds', 11],
  ['ParmProbs', 12],
  ['SrcQuenchs', 4],
  ['Redirects', 5],
  ['Echos', 8],
  ['EchoReps', 0],
  ['Timestamps', 13],
  ['TimestampReps', 14],
  ['AddrMasks', 17],
  ['AddrMaskReps', 18],
]

type Row = [name: string, value: number]

function twoLines(head: string, rows: Row[]): string {
  return `${head}: ${rows.map(([name]) => name).join(' ')}\n${head}: ${rows.map(([, value]) => value).join(' ')}\n`
}

function ipRows(host: Host, c: IpCounters): Row[] {
  const state = inetState.of(host)
  return [
    ['Forwarding', state.net.confAll.forwarding ? 1 : 2],
    ['DefaultTTL', state.sysctls.defaultTtl],
    ['InReceives', c.inReceives],
    ['InHdrErrors', c.inHdrErrors],
    ['InAddrErrors', c.inAddrErrors],
    ['ForwDatagrams', c.forwDatagrams],
    ['InUnknownProtos', c.inUnknownProtos],
    ['InDiscards', c.inDiscards],
    ['InDelivers', c.inDelivers],
    ['OutRequests', c.outRequests],
    ['OutDiscards', c.outDiscards],
    ['OutNoRoutes', c.outNoRoutes],
    ['ReasmTimeout', c.reasmTimeout],
    ['ReasmReqds', c.reasmReqds],
    ['ReasmOKs', c.reasmOks],
    ['ReasmFails', c.reasmFails],
    ['FragOKs', c.fragOks],
    ['FragFails', c.fragFails],
    ['FragCreates', c.fragCreates],
  ]
}

function icmpRows(c: IpCounters): Row[] {
  const by = (prefix: string, types: number[]): Row[] =>
    ICMP_NAMES.map(([name, type]) => [`${prefix}${name}`, types[type] ?? 0])
  return [
    ['InMsgs', c.icmpInMsgs],
    ['InErrors', c.icmpInErrors],
    ['InCsumErrors', c.icmpInCsumErrors],
    ...by('In', c.icmpIn),
    ['OutMsgs', c.icmpOutMsgs],
    ['OutErrors', c.icmpOutErrors],
    ['OutRateLimitGlobal', c.icmpRatelimitGlobal],
    ['OutRateLimitHost', c.icmpRatelimitHost],
    ...by('Out', c.icmpOut),
  ]
}

/** Types that occurred, sixteen a line. icmpmsg_put(). */
function icmpMessages(c: IpCounters): string {
  const rows: Row[] = []
  c.icmpIn.forEach((value, type) => {
    rows.push([`InType${type}`, value])
  })
  c.icmpOut.forEach((value, type) => {
    rows.push([`OutType${type}`, value])
  })
  const used = rows.filter(([, value]) => value !== 0)
  let text = ''
  for (let i = 0; i < used.length; i += 16) text += twoLines('IcmpMsg', used.slice(i, i + 16))
  return text
}

function tcpRows(c: TcpCounters): Row[] {
  return [
    ['RtoAlgorithm', 1],
    ['RtoMin', 200],
    ['RtoMax', 120000],
    ['MaxConn', -1],
    ['ActiveOpens', c.ActiveOpens],
    ['PassiveOpens', c.PassiveOpens],
    ['AttemptFails', c.AttemptFails],
    ['EstabResets', c.EstabResets],
    ['CurrEstab', c.CurrEstab],
    ['InSegs', c.InSegs],
    ['OutSegs', c.OutSegs],
    ['RetransSegs', c.RetransSegs],
    ['InErrs', c.InErrs],
    ['OutRsts', c.OutRsts],
    ['InCsumErrors', c.InCsumErrors],
  ]
}

function udpRows(c: IpCounters): Row[] {
  return [
    ['InDatagrams', c.udpInDatagrams],
    ['NoPorts', c.udpNoPorts],
    ['InErrors', c.udpInErrors],
    ['OutDatagrams', c.udpOutDatagrams],
    ['RcvbufErrors', c.udpRcvbufErrors],
    ['SndbufErrors', c.udpSndbufErrors],
    ['InCsumErrors', c.udpInCsumErrors],
    ['IgnoredMulti', c.udpIgnoredMulti],
    ['MemErrors', c.udpMemErrors],
  ]
}

/** /proc/net/snmp. */
export function formatSnmp(host: Host): string {
  const c = inetState.of(host).counters ?? NONE
  return (
    twoLines('Ip', ipRows(host, c)) +
    twoLines('Icmp', icmpRows(c)) +
    icmpMessages(c) +
    twoLines('Tcp', tcpRows(tcpState.peek(host)?.counters ?? NO_TCP)) +
    twoLines('Udp', udpRows(c)) +
    twoLines('UdpLite', udpRows(NONE))
  )
}

/** /proc/net/netstat: the counters of TcpExt are TCP's, but for IPReversePathFilter and ArpFilter. */
export function formatNetstat(host: Host): string {
  const state = inetState.of(host)
  const c = state.counters ?? NONE
  const known: Record<string, number> = { IPReversePathFilter: c.ipReversePathFilter, ArpFilter: c.arpFilter }
  const counters = tcpState.peek(host)?.counters ?? NO_TCP
  const tcp: Row[] = TCP_EXT.map((name) => [name, known[name] ?? counterOf(counters, name)])
  const ip: Row[] = [
    ['InNoRoutes', c.inNoRoutes],
    ['InTruncatedPkts', c.inTruncatedPkts],
    ['InMcastPkts', c.inMcastPkts],
    ['OutMcastPkts', c.outMcastPkts],
    ['InBcastPkts', c.inBcastPkts],
    ['OutBcastPkts', c.outBcastPkts],
    ['InOctets', c.inOctets],
    ['OutOctets', c.outOctets],
    ['InMcastOctets', c.inMcastOctets],
    ['OutMcastOctets', c.outMcastOctets],
    ['InBcastOctets', c.inBcastOctets],
    ['OutBcastOctets', c.outBcastOctets],
    ['InCsumErrors', c.inCsumErrors],
    ['InNoECTPkts', c.inNoEctPkts],
    ['InECT1Pkts', c.inEct1Pkts],
    ['InECT0Pkts', c.inEct0Pkts],
    ['InCEPkts', c.inCePkts],
    ['ReasmOverlaps', c.reasmOverlaps],
  ]
  return twoLines('TcpExt', tcp) + twoLines('IpExt', ip)
}

/** An address as it lies in the memory of a little-endian machine. */
function swapped(address: number): string {
  const bytes = [address & 255, (address >>> 8) & 255, (address >>> 16) & 255, address >>> 24]
  return bytes.map((byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join('')
}

function hex4(value: number): string {
  return value.toString(16).padStart(4, '0').toUpperCase()
}

function routeLine(alias: FibAlias): string {
  const { info, prefix, key, type } = alias
  const nextHop = info.nextHops[0]!
  let flags = 1 // RTF_UP
  if (type === 'unreachable' || type === 'prohibit') flags |= 0x200
  if (nextHop.gateway) flags |= 2
  if (prefix === 32) flags |= 4
  const mask = prefix === 0 ? 0 : (-1 << (32 - prefix)) >>> 0
  const advmss = info.metrics?.['advmss'] ?? 0
  return [
    nextHop.device?.name ?? '*',
    swapped(key),
    swapped(nextHop.gateway),
    hex4(flags),
    0,
    0,
    info.metric | 0,
    swapped(mask),
    advmss ? advmss + 40 : 0,
    info.metrics?.['window'] ?? 0,
    (info.metrics?.['rtt'] ?? 0) >> 3,
  ].join('\t')
}

/** /proc/net/route: the main table; once it is merged with local, the kernel still shows main alone. */
export function formatProcRoute(host: Host): string {
  const lines = ['Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT']
  for (const alias of inetState.of(host).main?.aliases ?? []) {
    if (alias.info.table !== RT_TABLE_MAIN || alias.type === 'broadcast' || alias.type === 'multicast') continue
    lines.push(routeLine(alias))
  }
  return lines.map((line) => `${line.padEnd(127)}\n`).join('')
}

function socketFields(socket: InetSocket, peerPort: number): string {
  const local = `${swapped(socket.receiveAddress)}:${hex4(socket.number)}`
  const peer = `${swapped(socket.peerAddress)}:${hex4(peerPort)}`
  const state = socket.connected ? '01' : '07'
  const memory = `00000000:${socket.received.memory.toString(16).padStart(8, '0').toUpperCase()}`
  // Pointers are hidden from user space; who hashes them prints noise, and so does this not.
  return `${local} ${peer} ${state} ${memory} 00:00000000 00000000     0        0 ${socket.inode} 2 0000000000000000 ${socket.drops}`
}

const SOCKET_HEAD =
  'sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops'

/** /proc/net/udp; a line's number is its place in a hash of 4,096. */
function formatUdp(host: Host): string {
  const all = [...(inetState.of(host).sockets?.udp.values() ?? [])].flat()
  const sockets = all.filter((socket) => socket.insideOf === undefined)
  const lines = sockets
    .map((socket) => ({ slot: socket.number & 4095, socket }))
    .sort((a, b) => a.slot - b.slot)
    .map(({ slot, socket }) => `${String(slot).padStart(5)}: ${socketFields(socket, socket.peerPort)}`.padEnd(127))
  return [`   ${SOCKET_HEAD}`.padEnd(127), ...lines].map((line) => `${line}\n`).join('')
}

function formatIcmp(host: Host): string {
  const sockets = [...(inetState.of(host).sockets?.ping.values() ?? [])].flat()
  const lines = sockets
    .map((socket) => ({ slot: socket.number & 63, socket }))
    .sort((a, b) => a.slot - b.slot)
    .map(({ slot, socket }) => `${String(slot).padStart(5)}: ${socketFields(socket, 0)}`.padEnd(127))
  return [`  ${SOCKET_HEAD}`.padEnd(127), ...lines].map((line) => `${line}\n`).join('')
}

function formatRaw(host: Host): string {
  const lines = (inetState.of(host).sockets?.raw ?? []).map(
    (socket) => `${String(socket.number & 255).padStart(4)}: ${socketFields(socket, 0)}`,
  )
  return [`  ${SOCKET_HEAD}`, ...lines].map((line) => `${line}\n`).join('')
}

function formatPacket(host: Host): string {
  const lines = (inetState.of(host).sockets?.packet ?? []).map((socket) => {
    const type = socket.type === 'SOCK_RAW' ? 3 : 2
    const protocol = socket.protocol.toString(16).padStart(4, '0')
    const fields = [
      '0000000000000000',
      '3     ',
      String(type).padEnd(4),
      `${protocol}  `,
      String(socket.device?.ifindex ?? 0).padEnd(5),
      '1',
      String(socket.received.memory).padEnd(6),
      '0     ',
      String(socket.inode).padEnd(6),
    ]
    return fields.join(' ')
  })
  return ['sk               RefCnt Type Proto  Iface R Rmem   User   Inode', ...lines]
    .map((line) => `${line}\n`)
    .join('')
}

function formatSockstat(host: Host): string {
  const state = inetState.of(host)
  const tables = state.sockets
  const udp = [...(tables?.udp.values() ?? [])].flat().length
  const raw = tables?.raw.length ?? 0
  const used =
    tcpSocketCount(host) + udp + raw + (tables?.packet.length ?? 0) + [...(tables?.ping.values() ?? [])].flat().length
  const fragments = state.fragments
  return `sockets: used ${used}
${formatTcpSockstat(host)}
UDP: inuse ${udp} mem 0
UDPLITE: inuse 0
RAW: inuse ${raw}
FRAG: inuse ${fragments?.queues.size ?? 0} memory ${fragments?.memory ?? 0}
`
}

/** /proc/net/igmp: a line for each device, and one for each of its groups. igmp_mc_seq_show(). */
function formatIgmp(host: Host): string {
  let text = 'Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n'
  for (const device of devices(host)) {
    const groups = groupsOf(device)
    if (groups.length === 0) continue
    const version = `V${igmpVersion(device)}`
    text += `${device.ifindex}\t${device.name.padEnd(10)}: ${String(groups.length).padStart(5)} ${version.padStart(7)}\n`
    for (const { address, users, timer, reporter } of groups) {
      const left = (timer?.left ?? 0).toString(16).padStart(8, '0').toUpperCase()
      const running = timer?.pending ? 1 : 0
      text += `\t\t\t\t${swapped(address)} ${String(users).padStart(5)} ${running}:${left}\t\t${reporter ? 1 : 0}\n`
    }
  }
  return text
}

/** Installs the files. */
export function installProcInet(image: KernelImage): void {
  image.proc('/proc/net/snmp', { read: formatSnmp })
  image.proc('/proc/net/netstat', { read: formatNetstat })
  image.proc('/proc/net/tcp', { read: formatProcTcp })
  image.proc('/proc/net/igmp', { read: formatIgmp })
  image.proc('/proc/net/dev_mcast', { read: formatDevMcast })
  image.proc('/proc/net/route', { read: formatProcRoute })
  image.proc('/proc/net/udp', { read: formatUdp })
  image.proc('/proc/net/icmp', { read: formatIcmp })
  image.proc('/proc/net/raw', { read: formatRaw })
  image.proc('/proc/net/packet', { read: formatPacket })
  image.proc('/proc/net/sockstat', { read: formatSockstat })
}

/** The names of TcpExt, in the kernel's order. Linux 6.1 net/ipv4/proc.c: snmp4_net_list[]. */
const TCP_EXT =
  `SyncookiesSent SyncookiesRecv SyncookiesFailed EmbryonicRsts PruneCalled RcvPruned OfoPruned OutOfWindowIcmps
LockDroppedIcmps ArpFilter TW TWRecycled TWKilled PAWSActive PAWSEstab DelayedACKs DelayedACKLocked DelayedACKLost
ListenOverflows ListenDrops TCPHPHits TCPPureAcks TCPHPAcks TCPRenoRecovery TCPSackRecovery TCPSACKReneging
TCPSACKReorder TCPRenoReorder TCPTSReorder TCPFullUndo TCPPartialUndo TCPDSACKUndo TCPLossUndo TCPLostRetransmit
TCPRenoFailures TCPSackFailures TCPLossFailures TCPFastRetrans TCPSlowStartRetrans TCPTimeouts TCPLossProbes
TCPLossProbeRecovery TCPRenoRecoveryFail TCPSackRecoveryFail TCPRcvCollapsed TCPBacklogCoalesce TCPDSACKOldSent
TCPDSACKOfoSent TCPDSACKRecv TCPDSACKOfoRecv TCPAbortOnData TCPAbortOnClose TCPAbortOnMemory TCPAbortOnTimeout
TCPAbortOnLinger TCPAbortFailed TCPMemoryPressures TCPMemoryPressuresChrono TCPSACKDiscard TCPDSACKIgnoredOld
TCPDSACKIgnoredNoUndo TCPSpuriousRTOs TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure TCPSackShifted TCPSackMerged
TCPSackShiftFallback TCPBacklogDrop PFMemallocDrop TCPMinTTLDrop TCPDeferAcceptDrop IPReversePathFilter
TCPTimeWaitOverflow TCPReqQFullDoCookies TCPReqQFullDrop TCPRetransFail TCPRcvCoalesce TCPOFOQueue TCPOFODrop
TCPOFOMerge TCPChallengeACK TCPSYNChallenge TCPFastOpenActive TCPFastOpenActiveFail TCPFastOpenPassive
TCPFastOpenPassiveFail TCPFastOpenListenOverflow TCPFastOpenCookieReqd TCPFastOpenBlackhole TCPSpuriousRtxHostQueues
BusyPollRxPackets TCPAutoCorking TCPFromZeroWindowAdv TCPToZeroWindowAdv TCPWantZeroWindowAdv TCPSynRetrans
TCPOrigDataSent TCPHystartTrainDetect TCPHystartTrainCwnd TCPHystartDelayDetect TCPHystartDelayCwnd
TCPACKSkippedSynRecv TCPACKSkippedPAWS TCPACKSkippedSeq TCPACKSkippedFinWait2 TCPACKSkippedTimeWait
TCPACKSkippedChallenge TCPWinProbe TCPKeepAlive TCPMTUPFail TCPMTUPSuccess TCPDelivered TCPDeliveredCE
TCPAckCompressed TCPZeroWindowDrop TCPRcvQDrop TCPWqueueTooBig TCPFastOpenPassiveAltKey TcpTimeoutRehash
TcpDuplicateDataRehash TCPDSACKRecvSegs TCPDSACKIgnoredDubious TCPMigrateReqSuccess TCPMigrateReqFailure`.split(/\s+/)
