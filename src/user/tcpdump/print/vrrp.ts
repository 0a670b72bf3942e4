/** VRRP's advertisements. tcpdump 4.99.3 print-vrrp.c. */
import { internetChecksum } from '#base/bytes'
import { type IpPlace, pseudoHeader } from './ip.ts'
import type { Printer } from './printer.ts'

const IPPROTO_VRRP = 112
const AUTH_TYPES: Record<number, string> = { 0: 'none', 1: 'simple', 2: 'ah' }
const AUTH_SIMPLE = 1
const AUTH_LENGTH = 8

export function printVrrp(printer: Printer, at: number, length: number, place: IpPlace): void {
  printer.protocol = 'vrrp'
  printer.put('VRRP')
  const first = printer.u8(at)
  const version = first >>> 4
  const type = first & 15
  printer.put(`v${version}, ${type === 1 ? 'Advertisement' : `unknown type (${type})`}`)
  const ttl = printer.u8(place.at + (place.six ? 7 : 8))
  if (ttl !== 255) printer.put(`, (ttl ${ttl})`)
  if (version < 2 || version > 3 || type !== 1) return
  printer.put(`, vrid ${printer.u8(at + 1)}, prio ${printer.u8(at + 2)}`)
  let auth = 0
  if (version === 2) {
    auth = printer.u8(at + 4)
    printer.put(`, authtype ${AUTH_TYPES[auth] ?? `#${auth}`}`)
    printer.put(`, intvl ${printer.u8(at + 5)}s, length ${length}`)
  } else printer.put(`, intvl ${printer.u16(at + 4) & 0xfff}cs, length ${length}`)
  if (printer.options.verbose > 0) printAddresses(printer, at, length, place, version === 2 && auth === AUTH_SIMPLE)
}

function printAddresses(printer: Printer, at: number, length: number, place: IpPlace, hasPassword: boolean): void {
  const version = printer.u8(at) >>> 4
  const count = printer.u8(at + 3)
  if (printer.has(at, length)) {
    const pseudo = version === 3 ? pseudoHeader(printer, place, IPPROTO_VRRP, length) : 0
    if (internetChecksum(printer.bytes, at, length, pseudo) !== 0) {
      printer.put(`, (bad vrrp cksum ${printer.u16(at + 6).toString(16)})`)
    }
  }
  printer.put(`, addrs${count > 1 ? `(${count})` : ''}:`)
  const width = place.six ? 16 : 4
  let next = at + 8
  for (let i = 0; i < count; i++) {
    const address = place.six ? printer.address6(next) : printer.address(next)
    printer.put(`${i === 0 ? ' ' : ','}${address}`)
    next += width
  }
  if (!hasPassword) return
  printer.put(' auth "')
  for (let i = 0; i < AUTH_LENGTH; i++) {
    const byte = printer.u8(next + i)
    if (byte === 0) break
    printer.put(shown(byte))
  }
  printer.put('"')
}

/** A byte of text; what can't be printed is spelled out. addrtoname.c: fn_print_char() */
function shown(byte: number): string {
  const low = byte & 0x7f
  const meta = byte > 0x7f ? 'M-' : ''
  return low < 0x20 || low === 0x7f
    ? `${meta}^${String.fromCharCode(low ^ 0x40)}`
    : `${meta}${String.fromCharCode(low)}`
}
