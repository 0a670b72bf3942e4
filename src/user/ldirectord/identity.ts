/** How services and servers are called: for ipvsadm, in the log, and to know them again. */
import { quotemeta } from './perl.ts'
import type { Fallback, Forward, Real, Virtual } from './types.ts'

/** `10.0.0.100:80`, or the mark. */
export function virtualName(virtual: Virtual): string {
  return virtual.protocol === 'fwm' ? virtual.mark! : `${virtual.server}:${virtual.port}`
}

/** The same as ipvsadm takes it: a mark may need its family. */
export function virtualOption(virtual: Virtual): string {
  const name = virtualName(virtual)
  return virtual.protocol === 'fwm' && virtual.family === 'AF_INET6' ? `${name} -6` : name
}

const PROTOCOL_OPTIONS = { tcp: '-t', udp: '-u', fwm: '-f' }

/** `-t 10.0.0.100:80`. */
export function serviceArguments(virtual: Virtual): string {
  return `${PROTOCOL_OPTIONS[virtual.protocol]} ${virtualOption(virtual)}`
}

const six = (virtual: Virtual) => (virtual.family === 'AF_INET6' ? '6' : '')

/** `tcp:10.0.0.100:80`. */
export function virtualId(virtual: Virtual): string {
  const protocol = virtual.protocol === 'fwm' ? `fwm${six(virtual)}` : virtual.protocol
  return `${protocol}:${virtualName(virtual)}`
}

/** As what `ipvsadm -L -n` prints is kept. */
export function listedName(virtual: Virtual): string {
  return `${virtualName(virtual)} ${virtual.protocol}${virtual.protocol === 'fwm' ? six(virtual) : ''}`
}

/** A real server and all that decides how it is checked: what has the same id is checked once. */
export function realId(real: Real | Fallback, virtual: Virtual): string {
  const own = real as Partial<Real>
  const request = own.request ?? virtual.request
  const receive = own.receive ?? virtual.receive
  let check = virtual.checktype
  if (check === 'negotiate' || check === 'combined') check += `:${virtual.service}`
  else if (check === 'external' || check === 'external-perl') check += `:${virtual.checkcommand}`
  return [
    check,
    virtual.protocol,
    real.server,
    real.port ?? '',
    virtual.virtualhost ?? '',
    virtual.checkport ?? '',
    own.weight ?? '1',
    real.forward,
    quotemeta(request),
    quotemeta(receive),
  ].join(':')
}

const FORWARD_OPTIONS: Record<Forward, string> = { masq: '-m', gate: '-g', ipip: '-i' }

/** -g, -m or -i. */
export function forwardOption(forward: Forward | undefined): string {
  return forward === undefined ? ' ' : FORWARD_OPTIONS[forward]
}

/** Services and the ports that they stand for, both ways. */
const SERVICES: [string, number][] = [
  ['ftp', 21],
  ['smtp', 25],
  ['dns', 53],
  ['http', 80],
  ['pop', 110],
  ['nntp', 119],
  ['imap', 143],
  ['ldap', 389],
  ['https', 443],
  ['submission', 587],
  ['ldaps', 636],
  ['imaps', 993],
  ['pops', 995],
  ['oracle', 1521],
  ['radius', 1812],
  ['http_proxy', 3128],
  ['mysql', 3306],
  ['sip', 5060],
  ['pgsql', 5432],
]

/** What `service=` may name, besides `none` and `simpletcp`. */
export const SERVICE_NAMES = new Set([...SERVICES.map(([name]) => name), 'none', 'simpletcp'])

/** The service that a port suggests. */
export function serviceOfPort(port: string): string {
  return SERVICES.find(([, number]) => String(number) === port)?.[0] ?? 'none'
}

/** Where a real server is checked; undefined for a firewall mark's server without a port whose service has none either. */
export function checkPort(virtual: Virtual, real: Real): number | undefined {
  if (virtual.checkport !== undefined) return Number(virtual.checkport)
  if (Number(real.port) > 0) return Number(real.port)
  return SERVICES.find(([name]) => name === virtual.service)?.[1]
}
