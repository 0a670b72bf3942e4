/** The progress meter. curl 7.88.1 lib/progress.c */

export const METER_HEADING =
  '  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n' +
  '                                 Dload  Upload   Total   Spent    Left  Speed\n'

/** Five columns for any number of bytes. max5data() */
export function five(bytes: number): string {
  const K = 1024
  const M = K * K
  const G = K * M
  const value = Math.floor(bytes)
  if (value < 100_000) return String(value).padStart(5)
  if (value < 10_000 * K) return `${String(Math.floor(value / K)).padStart(4)}k`
  if (value < 100 * M) return `${String(Math.floor(value / M)).padStart(2)}.${Math.floor((value % M) / (M / 10))}M`
  if (value < 10_000 * M) return `${String(Math.floor(value / M)).padStart(4)}M`
  if (value < 100 * G) return `${String(Math.floor(value / G)).padStart(2)}.${Math.floor((value % G) / (G / 10))}G`
  return `${String(Math.floor(value / G)).padStart(4)}G`
}

function clock(seconds: number): string {
  if (seconds <= 0) return '--:--:--'
  const two = (value: number) => String(value).padStart(2, '0')
  const hours = Math.floor(seconds / 3600)
  if (hours > 99) return `${String(Math.floor(hours / 24)).padStart(3)}d ${two(hours % 24)}h`
  return `${String(hours).padStart(2)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
}

export interface Progress {
  received: number
  /** -1: unknown. */
  receiveTotal: number
  sent: number
  sendTotal: number
  elapsedNs: number
  /** Over the last five seconds. */
  currentSpeed: number
}

export function meterLine(p: Progress): string {
  const seconds = p.elapsedNs / 1e9
  const down = seconds > 0 ? Math.floor(p.received / seconds) : 0
  const up = seconds > 0 ? Math.floor(p.sent / seconds) : 0
  const percent = (part: number, all: number) => (all > 0 ? Math.floor((part * 100) / all) : 0)
  const receiveTotal = p.receiveTotal >= 0 ? p.receiveTotal : p.received
  const sendTotal = p.sendTotal >= 0 ? p.sendTotal : p.sent
  const all = receiveTotal + sendTotal
  const known = p.receiveTotal >= 0 || p.sendTotal > 0
  const estimate = (total: number, speed: number) => (total > 0 && speed > 0 ? Math.floor(total / speed) : 0)
  const total = Math.max(
    p.receiveTotal >= 0 ? estimate(p.receiveTotal, down) : 0,
    p.sendTotal >= 0 ? estimate(p.sendTotal, up) : 0,
  )
  const spent = Math.floor(seconds)
  const three = (value: number) => String(value).padStart(3)
  return (
    `\r${three(known ? percent(p.received + p.sent, all) : 0)} ${five(known ? all : 0 + p.received + p.sent)}  ` +
    `${three(p.receiveTotal >= 0 ? percent(p.received, receiveTotal) : 0)} ${five(p.received)}  ` +
    `${three(p.sendTotal >= 0 ? percent(p.sent, sendTotal) : 0)} ${five(p.sent)}  ` +
    `${five(down)}  ${five(up)} ${clock(total)} ${clock(spent)} ${clock(total > 0 ? total - spent : 0)} ${five(p.currentSpeed)}`
  )
}
