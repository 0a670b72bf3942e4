/** `-L -c`: /proc/net/ip_vs_conn in other words. */
import { type Body, readTextFile, type Sys } from '#kernel/core'
import { IPPROTO_TCP, IPPROTO_UDP, parseIpv4, parseIpv6 } from '#wire/inet'
import { Fail } from './fail.ts'
import type { Format, Names } from './format.ts'
import { type Address, AF_INET, AF_INET6 } from './request.ts'
import { IPPROTO_SCTP } from './values.ts'

const CONNECTIONS = '/proc/net/ip_vs_conn'
const PROTOCOLS: Record<string, number> = { TCP: IPPROTO_TCP, UDP: IPPROTO_UDP, SCTP: IPPROTO_SCTP }

function row(cells: readonly string[], widths: readonly number[]): string {
  return `${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' ')}\n`
}

const PE_WIDTHS = [3, 6, 11, 18, 18, 16, 18]
const PE_TITLE_WIDTHS = [3, 6, 11, 18, 18, 18, 16]
const WIDTHS = [3, 6, 11, 18, 18]

/** All connections, in the kernel's order. */
export function* formatConnections(sys: Sys, format: Format, names: Names): Body<string> {
  const file = yield* readTextFile(sys, CONNECTIONS)
  if (!file.ok) throw new Fail(`cannot open file ${CONNECTIONS}`, 1)
  const [heading, ...lines] = file.value.split('\n')
  if (!heading) throw new Fail(`unexpected input from ${CONNECTIONS}`, 1)
  const cells = ['pro', 'expire', 'state', 'source', 'virtual', 'destination']
  let text = 'IPVS connection entries\n'
  text += format.peData ? row([...cells, 'pe name', 'pe_data'], PE_TITLE_WIDTHS) : row(cells, WIDTHS)
  for (const line of lines) if (line !== '') text += yield* connection(line, format, names)
  return text
}

function* connection(line: string, format: Format, names: Names): Body<string> {
  const [pro = '', from = '', fport = '', to = '', tport = '', dest = '', dport = '', state = '', expires = '', ...pe] =
    line.trim().split(/\s+/)
  const protocol = PROTOCOLS[pro] ?? 0
  const name = (address: { af: number; addr: Address }, port: string) =>
    names.of(address.af, address.addr, Number.parseInt(port, 16), protocol)
  const source = yield* name(parseProcAddress(from), fport)
  const virtual = yield* name(parseProcAddress(to), tport)
  const destination = yield* name(parseProcAddress(dest), dport)
  const seconds = Number(expires)
  const two = (value: number) => String(value).padStart(2, '0')
  const cells = [pro, `${two(Math.trunc(seconds / 60))}:${two(seconds % 60)}`, state, source, virtual, destination]
  return format.peData && pe.length >= 2 ? row([...cells, pe[0]!, pe[1]!], PE_WIDTHS) : row(cells, WIDTHS)
}

/** Eight hexadecimal digits, a dotted quad, or IPv6. */
function parseProcAddress(text: string): { af: number; addr: Address } {
  const v6 = parseIpv6(text)
  if (v6) return { af: AF_INET6, addr: v6 }
  return { af: AF_INET, addr: parseIpv4(text) ?? Number.parseInt(text, 16) }
}
