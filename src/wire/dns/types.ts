/** Numbers of the DNS and their names. RFC 1035 section 3.2; IANA's "Domain Name System (DNS) Parameters". */

export const DNS_TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  NULL: 10,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  RP: 17,
  AAAA: 28,
  LOC: 29,
  SRV: 33,
  NAPTR: 35,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  SSHFP: 44,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  NSEC3: 50,
  TLSA: 52,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
  CAA: 257,
}

const TYPE_NAMES = new Map(Object.entries(DNS_TYPES).map(([name, number]) => [number, name]))

/** `A`, or `TYPE1234`. */
export function dnsTypeName(type: number): string {
  return TYPE_NAMES.get(type) ?? `TYPE${type}`
}

/** The number of `A` or `TYPE1234`, in any case. */
export function dnsTypeNumber(name: string): number | undefined {
  const upper = name.toUpperCase()
  const known = DNS_TYPES[upper]
  if (known !== undefined && Object.hasOwn(DNS_TYPES, upper)) return known
  const match = /^TYPE(\d{1,5})$/.exec(upper)
  return match && Number(match[1]) < 65536 ? Number(match[1]) : undefined
}

const CLASSES: [number, string][] = [
  [1, 'IN'],
  [3, 'CH'],
  [4, 'HS'],
  [254, 'NONE'],
  [255, 'ANY'],
]

export function dnsClassName(value: number): string {
  return CLASSES.find(([number]) => number === value)?.[1] ?? `CLASS${value}`
}

export function dnsClassNumber(name: string): number | undefined {
  const upper = name.toUpperCase()
  const long: Record<string, string> = { CHAOS: 'CH', HESIOD: 'HS' }
  return CLASSES.find(([, known]) => known === (long[upper] ?? upper))?.[0]
}

/** What the header's four bits say went wrong, as dig writes it. */
const RCODES = 'NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH NOTZONE'.split(' ')

export function dnsRcodeName(rcode: number): string {
  return RCODES[rcode] ?? (rcode === 16 ? 'BADVERS' : rcode === 23 ? 'BADCOOKIE' : `RESERVED${rcode}`)
}

const OPCODES = 'QUERY IQUERY STATUS RESERVED3 NOTIFY UPDATE'.split(' ')

export function dnsOpcodeName(opcode: number): string {
  return OPCODES[opcode] ?? `RESERVED${opcode}`
}
