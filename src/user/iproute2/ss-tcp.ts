/** What `ss -o` and `ss -i` tell of a TCP socket. iproute2 6.1 misc/ss.c: tcp_timer_print(), tcp_stats_print(), print_ms_timer(). */
import type { SocketMessage, TcpInfo } from '#kernel/net'

/** `timer:(on,200ms,0)`; nothing if none runs. */
export function timerText(socket: SocketMessage): string {
  const { timer } = socket
  return timer ? ` timer:(${timer.kind},${milliseconds(timer.expiresMs)},${timer.retransmits})` : ''
}

/** `1min59sec`, `57sec`, `1.200ms`, `136ms`: what is too small beside the larger is left out. */
export function milliseconds(timeout: number): string {
  let seconds = Math.floor(timeout / 1000)
  const minutes = Math.floor(seconds / 60)
  seconds %= 60
  let rest = timeout % 1000
  let text = ''
  if (minutes > 0) {
    rest = 0
    text += `${minutes}min`
    if (minutes > 9) seconds = 0
  }
  if (seconds > 0) {
    if (seconds > 9) rest = 0
    text += `${seconds}${rest > 0 ? '.' : 'sec'}`
  }
  if (rest > 0) text += `${String(rest).padStart(3, '0')}ms`
  return text
}

/** C's %g: six significant digits. */
function general(value: number): string {
  return String(Number(value.toPrecision(6)))
}

/** One value after another, as long as it isn't zero. options: whether -o asks for what was agreed on. */
export function infoText(info: TcpInfo, state: string, options: boolean): string {
  const words: string[] = []
  const some = (name: string, value: number, text = String(value)) => {
    if (value) words.push(`${name}:${text}`)
  }
  const rate = (name: string, value: number | undefined) => {
    if (value) words.push(`${name} ${value.toFixed(0)}bps`)
  }
  if (options) {
    if (info.timestamps) words.push('ts')
    if (info.sack) words.push('sack')
    if (info.ecn) words.push('ecn')
    if (info.ecnSeen) words.push('ecnseen')
  }
  if (info.congestion !== '') words.push(info.congestion)
  if (info.wscale) words.push(`wscale:${info.sndWscale},${info.rcvWscale}`)
  // Three seconds, the value before anything was measured, was no news when that was the beginning.
  const rto = state === 'LISTEN' ? 0 : info.rto / 1000
  if (rto !== 3000) some('rto', rto, general(rto))
  some('backoff', info.backoff)
  if (info.rtt > 0) words.push(`rtt:${general(info.rtt / 1000)}/${general(info.rttvar / 1000)}`)
  some('ato', info.ato / 1000, general(info.ato / 1000))
  if (state !== 'LISTEN') {
    some('mss', info.sndMss)
    some('pmtu', info.pmtu)
    some('rcvmss', info.rcvMss)
    some('advmss', info.advmss)
  }
  some('cwnd', info.sndCwnd)
  if (info.sndSsthresh < 0xffff) some('ssthresh', info.sndSsthresh)
  some('bytes_sent', info.bytesSent)
  some('bytes_retrans', info.bytesRetrans)
  some('bytes_acked', info.bytesAcked)
  some('bytes_received', info.bytesReceived)
  some('segs_out', info.segsOut)
  some('segs_in', info.segsIn)
  some('data_segs_out', info.dataSegsOut)
  some('data_segs_in', info.dataSegsIn)
  if (info.rtt > 0 && info.sndMss > 0 && info.sndCwnd > 0) {
    rate('send', (info.sndCwnd * info.sndMss * 8e6) / info.rtt)
  }
  if (state !== 'LISTEN') {
    some('lastsnd', info.lastDataSentMs)
    some('lastrcv', info.lastDataRecvMs)
    some('lastack', info.lastAckRecvMs)
    rate('pacing_rate', info.pacingRate === undefined ? undefined : info.pacingRate * 8)
  }
  rate('delivery_rate', info.deliveryRate * 8)
  some('delivered', info.delivered)
  if (info.rateAppLimited && state !== 'LISTEN') words.push('app_limited')
  if (info.busyTime > 0) words.push(`busy:${Math.floor(info.busyTime / 1000)}ms`)
  if (state !== 'LISTEN') some('unacked', info.unacked)
  if (info.retrans > 0 || info.totalRetrans > 0) words.push(`retrans:${info.retrans}/${info.totalRetrans}`)
  some('lost', info.lost)
  if (state !== 'LISTEN') some('sacked', info.sacked)
  some('dsack_dups', info.dsackDups)
  if (info.reordering !== 3) some('reordering', info.reordering)
  some('reord_seen', info.reordSeen)
  some('rcv_rtt', info.rcvRtt / 1000, general(info.rcvRtt / 1000))
  if (state !== 'LISTEN') {
    some('rcv_space', info.rcvSpace)
    some('rcv_ssthresh', info.rcvSsthresh)
  }
  some('notsent', info.notsentBytes)
  if (info.minRtt > 0 && info.minRtt !== 0xffffffff) words.push(`minrtt:${general(info.minRtt / 1000)}`)
  some('rcv_ooopack', info.rcvOooPack)
  if (state !== 'LISTEN') some('snd_wnd', info.sndWnd)
  return words.map((word) => ` ${word}`).join('')
}
