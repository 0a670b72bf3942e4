/** ICMP. tcpdump 4.99.3 print-icmp.c. */
import { internetChecksum } from '#base/bytes'
import { NotModelled } from '#base/check'
import { isIcmpError } from '#wire/inet'
import { type IpPlace, printIp, rightChecksum } from './ip.ts'
import type { Printer } from './printer.ts'

/** `*`: the quoted packet's destination. */
const UNREACHABLE: Record<number, string> = {
  0: 'net * unreachable',
  1: 'host * unreachable',
  5: '* unreachable - source route failed',
  6: 'net * unreachable - unknown',
  7: 'host * unreachable - unknown',
  8: '* unreachable - source host isolated',
  9: 'net * unreachable - admin prohibited',
  10: 'host * unreachable - admin prohibited',
  11: 'net * unreachable - tos prohibited',
  12: 'host * unreachable - tos prohibited',
  13: 'host * unreachable - admin prohibited filter',
  14: 'host * unreachable - host precedence violation',
  15: 'host * unreachable - precedence cutoff',
}

const PLAIN: Record<number, string> = {
  4: 'source quench',
  10: 'router solicitation',
  15: 'information request',
  16: 'information reply',
  17: 'address mask request',
}

/** How much of it has to be there, for types that are looked at whole. */
const WHOLE: Record<number, number> = { 9: 8, 11: 28, 14: 20 }

export function printIcmp(printer: Printer, at: number, length: number, place: IpPlace): void {
  const { options } = printer
  printer.protocol = 'icmp'
  const type = printer.u8(at)
  const code = printer.u8(at + 1)
  const least = WHOLE[type]
  if (least !== undefined && !printer.has(at, least)) {
    printer.truncated() // Unlike other types, these don't end the printing of the frame.
    return
  }
  printer.put(`ICMP ${describe(printer, at, type, code)}, length ${length}`)
  if (options.verbose > 0 && !place.fragment && printer.has(at, length)) {
    const found = printer.u16(at + 2)
    if (internetChecksum(printer.bytes, at, length) !== 0) {
      const right = rightChecksum(printer.bytes, at, length, at + 2)
      printer.put(` (wrong icmp cksum ${found.toString(16)} (->${right.toString(16)})!)`)
    }
  }
  if (options.verbose > 0 && isIcmpError(type)) {
    printer.put('\n\t')
    const quoted = at + 8
    // Extensions may stand behind the quotation.
    printIp(printer, quoted, printer.u16(quoted + 2))
  }
  if (options.verbose > 0 && length > 156 && (type === 3 || type === 11 || type === 12)) {
    const extension = at + 136
    if (
      printer.u8(at + 5) !== 0 ||
      (printer.has(extension, length - 136) && internetChecksum(printer.bytes, extension, length - 136) === 0)
    )
      throw new NotModelled('tcpdump: ICMP extensions')
  }
}

function describe(printer: Printer, at: number, type: number, code: number): string {
  const quoted = at + 8
  const target = () => printer.address(quoted + 16)
  switch (type) {
    case 0:
    case 8:
      return `echo ${type === 8 ? 'request' : 'reply'}, id ${printer.u16(at + 4)}, seq ${printer.u16(at + 6)}`
    case 3: {
      const usual = UNREACHABLE[code]
      if (usual !== undefined) return usual.replace('*', target)
      if (code === 2) return `${target()} protocol ${printer.u8(quoted + 9)} unreachable`
      if (code === 3) return unreachablePort(printer, quoted)
      if (code === 4) {
        const mtu = printer.u16(at + 6)
        return `${target()} unreachable - need to frag${mtu > 0 ? ` (mtu ${mtu})` : ''}`
      }
      return `${target()} unreachable - #${code}`
    }
    case 5: {
      const gateway = () => printer.address(at + 4)
      if (code > 3) return `redirect-#${code} ${target()} to ${gateway()}`
      return `redirect${code > 1 ? '-tos' : ''} ${target()} to ${code % 2 === 0 ? 'net' : 'host'} ${gateway()}`
    }
    case 9:
      return routers(printer, at)
    case 11:
      if (code === 0) return 'time exceeded in-transit'
      return code === 1 ? 'ip reassembly time exceeded' : `time exceeded-#${code}`
    case 12:
      return code !== 0 ? `parameter problem - code ${code}` : `parameter problem - octet ${printer.u8(at + 4)}`
    case 13:
      return `time stamp query id ${printer.u16(at + 4)} seq ${printer.u16(at + 6)}`
    case 14: {
      const ids = `id ${printer.u16(at + 4)} seq ${printer.u16(at + 6)}`
      const times = [at + 8, at + 12, at + 16].map((place) => clock(printer.u32(place)))
      return `time stamp reply ${ids}: org ${times[0]}, recv ${times[1]}, xmit ${times[2]}`
    }
    case 18:
      return `address mask is 0x${printer
        .u32(at + 8)
        .toString(16)
        .padStart(8, '0')}`
    default:
      return PLAIN[type] ?? `type-#${type}`
  }
}

function unreachablePort(printer: Printer, quoted: number): string {
  const protocol = printer.u8(quoted + 9)
  const port = printer.u16(quoted + (printer.u8(quoted) & 15) * 4 + 2)
  const target = printer.address(quoted + 16)
  if (protocol === 6) return `${target} tcp port ${printer.portName(port, 'tcp')} unreachable`
  if (protocol === 17) return `${target} udp port ${printer.portName(port, 'udp')} unreachable`
  return `${target} protocol ${protocol} port ${port} unreachable`
}

function routers(printer: Printer, at: number): string {
  const lifetime = printer.u16(at + 6)
  const two = (value: number) => String(value).padStart(2, '0')
  const [h, m, s] = [Math.floor(lifetime / 3600), Math.floor((lifetime % 3600) / 60), lifetime % 60]
  const time = lifetime < 60 ? String(s) : lifetime < 3600 ? `${m}:${two(s)}` : `${h}:${two(m)}:${two(s)}`
  const count = printer.u8(at + 4)
  const size = printer.u8(at + 5)
  let text = `router advertisement lifetime ${time} ${count}:`
  if (size !== 2) return `${text} [size ${size}]`
  for (let i = 0; i < count; i++) text += ` {${printer.address(at + 8 + 8 * i)} ${printer.u32(at + 12 + 8 * i)}}`
  return text
}

/** Milliseconds since midnight. */
function clock(ms: number): string {
  const pad = (value: number, width: number) => String(value).padStart(width, '0')
  const s = Math.floor(ms / 1000)
  return `${pad(Math.floor(s / 3600), 2)}:${pad(Math.floor((s % 3600) / 60), 2)}:${pad(s % 60, 2)}.${pad(ms % 1000, 3)}`
}
