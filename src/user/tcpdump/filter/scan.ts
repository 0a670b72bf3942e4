/** Words of the capture filter language. pcap-filter(7); libpcap 1.10.3 scanner.l. */

export type Token =
  | { kind: 'word'; text: string }
  /** A keyword or an operator. */
  | { kind: 'sign'; text: string }
  | { kind: 'number'; value: number }
  /** A dotted IPv4 address, of one to four parts. */
  | { kind: 'ipv4'; text: string }
  | { kind: 'ipv6'; text: string }
  | { kind: 'mac'; value: number }
  | { kind: 'end' }

/** A filter that libpcap would refuse; the message is what tcpdump prints. */
export class FilterError extends Error {
  override readonly name = 'FilterError'
}

/** What libpcap says of all that the grammar doesn't have. */
export const SYNTAX = "can't parse filter expression: syntax error"

const KEYWORDS = new Set(
  (
    'dst src link ether ppp slip fddi tr wlan arp rarp ip sctp tcp udp icmp igmp igrp pim vrrp carp radio ip6 icmp6 ah esp ' +
    'atalk aarp decnet lat sca moprc mopdl iso esis isis clnp stp ipx netbeui host net mask port portrange proto ' +
    'protochain gateway type subtype dir address1 address2 address3 address4 ra ta less greater byte broadcast ' +
    'multicast and or not len length inbound outbound ifindex vlan mpls pppoed pppoes geneve lane llc on ifname ' +
    'rset rulenum rnr srnr subrulenum reason action'
  ).split(' '),
)

const SYNONYMS: Record<string, string> = {
  'es-is': 'esis',
  'is-is': 'isis',
  addr1: 'address1',
  addr2: 'address2',
  addr3: 'address3',
  addr4: 'address4',
  length: 'len',
  '&&': 'and',
  '||': 'or',
  '!': 'not',
  '==': '=',
}

/** Named numbers: offsets, ICMP types, TCP flags. */
const NUMBERS: Record<string, number> = {
  icmptype: 0,
  icmpcode: 1,
  'icmp-echoreply': 0,
  'icmp-unreach': 3,
  'icmp-sourcequench': 4,
  'icmp-redirect': 5,
  'icmp-echo': 8,
  'icmp-routeradvert': 9,
  'icmp-routersolicit': 10,
  'icmp-timxceed': 11,
  'icmp-paramprob': 12,
  'icmp-tstamp': 13,
  'icmp-tstampreply': 14,
  'icmp-ireq': 15,
  'icmp-ireqreply': 16,
  'icmp-maskreq': 17,
  'icmp-maskreply': 18,
  icmp6type: 0,
  icmp6code: 1,
  'icmp6-destinationunreach': 1,
  'icmp6-packettoobig': 2,
  'icmp6-timeexceeded': 3,
  'icmp6-parameterproblem': 4,
  'icmp6-echo': 128,
  'icmp6-echoreply': 129,
  'icmp6-multicastlistenerquery': 130,
  'icmp6-multicastlistenerreportv1': 131,
  'icmp6-multicastlistenerdone': 132,
  'icmp6-routersolicit': 133,
  'icmp6-routeradvert': 134,
  'icmp6-neighborsolicit': 135,
  'icmp6-neighboradvert': 136,
  'icmp6-redirect': 137,
  tcpflags: 13,
  'tcp-fin': 1,
  'tcp-syn': 2,
  'tcp-rst': 4,
  'tcp-push': 8,
  'tcp-ack': 16,
  'tcp-urg': 32,
  'tcp-ece': 64,
  'tcp-cwr': 128,
}

const MAC =
  /^[0-9a-f]{1,2}(?:([:-])[0-9a-f]{1,2}(?:\1[0-9a-f]{1,2}){4}|(?:\.[0-9a-f]{1,2}){5})(?![:\w])|^[0-9a-f]{1,4}(?:\.[0-9a-f]{1,4}){2}(?![\w.])/i
const IPV6 = /^(?=[0-9a-f]*:)(?:[0-9a-f]{0,4}:){2,7}(?:[0-9a-f]{0,4}|\d+\.\d+\.\d+\.\d+)(?![\w:])/i
const IPV4 = /^\d+(?:\.\d+){1,3}(?![\w.])/
const WORD = /^[A-Za-z0-9](?:[-_.A-Za-z0-9]*[.A-Za-z0-9])?/
const NUMBER = /^(?:0x[0-9a-f]+|\d+)$/i
const SIGN = /^(?:>=|<=|!=|==|<<|>>|&&|\|\||[-()[\]:/+*%&|^<>=!])/

/** All tokens; the last is `end`. */
export function scan(text: string): Token[] {
  const tokens: Token[] = []
  let rest = text
  const take = (length: number) => {
    rest = rest.slice(length)
  }
  for (;;) {
    rest = rest.replace(/^[ \r\n\t]+/, '')
    if (rest === '') break
    if (rest[0] === '\\') {
      const escaped = /^\\[^ !()\n\t]+/.exec(rest)
      if (!escaped) throw new FilterError(SYNTAX)
      tokens.push({ kind: 'word', text: escaped[0].slice(1) })
      take(escaped[0].length)
      continue
    }
    const mac = MAC.exec(rest)
    if (mac && !/^\d+\.\d+\.\d+$/.test(mac[0])) {
      tokens.push({ kind: 'mac', value: macOf(mac[0]) })
      take(mac[0].length)
      continue
    }
    const ipv6 = IPV6.exec(rest)
    if (ipv6) {
      tokens.push({ kind: 'ipv6', text: ipv6[0] })
      take(ipv6[0].length)
      continue
    }
    const ipv4 = IPV4.exec(rest)
    if (ipv4) {
      tokens.push({ kind: 'ipv4', text: ipv4[0] })
      take(ipv4[0].length)
      continue
    }
    const sign = SIGN.exec(rest)
    if (sign) {
      tokens.push({ kind: 'sign', text: SYNONYMS[sign[0]] ?? sign[0] })
      take(sign[0].length)
      continue
    }
    const word = WORD.exec(rest)
    if (!word) throw new FilterError(SYNTAX)
    tokens.push(classify(word[0]))
    take(word[0].length)
  }
  tokens.push({ kind: 'end' })
  return tokens
}

function classify(text: string): Token {
  if (NUMBER.test(text)) {
    const value = /^0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : /^0\d/.test(text) ? Number.NaN : Number(text)
    if (Number.isNaN(value)) throw new FilterError(`number ${text} contains non-octal digit`)
    if (value > 0xffffffff) throw new FilterError(`number ${text} overflows 32 bits`)
    return { kind: 'number', value }
  }
  const number = NUMBERS[text]
  if (number !== undefined && Object.hasOwn(NUMBERS, text)) return { kind: 'number', value: number }
  const plain = Object.hasOwn(SYNONYMS, text) ? SYNONYMS[text]! : text
  return KEYWORDS.has(plain) ? { kind: 'sign', text: plain } : { kind: 'word', text }
}

function macOf(text: string): number {
  if (/^[0-9a-f]+(\.[0-9a-f]+){2}$/i.test(text))
    return text.split('.').reduce((mac, part) => mac * 65536 + Number.parseInt(part, 16), 0)
  return text.split(/[:.-]/).reduce((mac, part) => mac * 256 + Number.parseInt(part, 16), 0)
}
