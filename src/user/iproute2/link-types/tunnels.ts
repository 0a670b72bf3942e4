/** `type ipip`, `sit`, `gre`, `gretap`. iproute2 6.1 ip/link_iptnl.c, link_gre.c, tunnel.c */
import { formatIpv4, parseIpv4 } from '#wire/inet'
import type { Session } from '../session.ts'
import { parseUnsigned, Refusal, type Words, wrongArgument } from '../words.ts'
import { type LinkData, type LinkType, unknownWord } from './type.ts'

const iptunnelHelp = (kind: string) => `Usage: ... ${kind === 'sit' ? 'sit' : 'ipip'} [ remote ADDR ]
		[ local ADDR ]
		[ ttl TTL ]
		[ tos TOS ]
		[ [no]pmtudisc ]
		[ 6rd-prefix ADDR ]
		[ 6rd-relay_prefix ADDR ]
		[ 6rd-reset ]
		[ dev PHYS_DEV ]
		[ fwmark MARK ]
		[ external ]
		[ noencap ]
		[ encap { fou | gue | none } ]
		[ encap-sport PORT ]
		[ encap-dport PORT ]
		[ [no]encap-csum ]
		[ [no]encap-csum6 ]
		[ [no]encap-remcsum ]
		[ mode { ip6ip | ipip | mplsip | any } ]
		[ isatap ]

Where:	ADDR := { IP_ADDRESS | any }
	TOS  := { NUMBER | inherit }
	TTL  := { 1..255 | inherit }
	MARK := { 0x0..0xffffffff }
`

const greHelp = (kind: string) => `Usage: ... ${kind} [ remote ADDR ]
		[ local ADDR ]
		[ [no][i|o]seq ]
		[ [i|o]key KEY | no[i|o]key ]
		[ [no][i|o]csum ]
		[ ttl TTL ]
		[ tos TOS ]
		[ [no]pmtudisc ]
		[ [no]ignore-df ]
		[ dev PHYS_DEV ]
		[ fwmark MARK ]
		[ external ]
		[ noencap ]
		[ encap { fou | gue | none } ]
		[ encap-sport PORT ]
		[ encap-dport PORT ]
		[ [no]encap-csum ]
		[ [no]encap-csum6 ]
		[ [no]encap-remcsum ]
Where:	ADDR := { IP_ADDRESS | any }
	TOS  := { NUMBER | inherit }
	TTL  := { 1..255 | inherit }
	KEY  := { DOTTED_QUAD | NUMBER }
	MARK := { 0x0..0xffffffff }
`

/** `any`, or an address. */
export function endpoint(words: Words): number {
  const text = words.value()
  if (text === 'any' || text === 'default') return 0
  const address = parseIpv4(text)
  if (address === undefined) throw new Refusal(`Error: inet address is expected rather than "${text}".\n`, 1)
  return address
}

/** `inherit`, or 1 to 255. */
export function ttlWord(words: Words): number {
  const text = words.value()
  if (text === 'inherit') return 0
  const ttl = parseUnsigned(text, 255)
  if (ttl === undefined) throw wrongArgument(text, 'invalid TTL\n')
  return ttl
}

/** `inherit`, `inherit/TOS` or a TOS in hexadecimal. */
export function tosWord(words: Words, session: Session): number {
  let text = words.value()
  let tos = 0
  if (text === 'inherit' || text.startsWith('inherit/')) {
    if (text === 'inherit') return 1
    tos = 1
    text = text.slice(8)
  }
  const value = session.names.parseDsfield(text)
  if (value === undefined) throw wrongArgument(words.current, 'bad TOS value')
  return tos | value
}

/** A number, or the dotted form of one. tnl_parse_key() */
export function keyWord(words: Words, name: string): number {
  const text = words.value()
  const dotted = text.includes('.') ? parseIpv4(text) : parseUnsigned(text)
  if (dotted === undefined)
    throw new Refusal(`invalid value for "${name}": "${text}"; it should be an unsigned integer\n`, 255)
  return dotted
}

/** Words that all tunnels know; whether the current one was one of them. */
function common(words: Words, session: Session, data: LinkData): boolean {
  const word = words.current
  if (word === 'remote') data['remote'] = endpoint(words)
  else if (word === 'local') data['local'] = endpoint(words)
  else if (word === 'dev') data['link'] = session.device(words.value())
  else if (word === 'ttl' || word === 'hoplimit' || word === 'hlim') data['ttl'] = ttlWord(words)
  else if (word === 'tos' || word === 'tclass' || word === 'tc' || word === 'dsfield')
    data['tos'] = tosWord(words, session)
  else if (word === 'pmtudisc' || word === 'nopmtudisc') data['pmtudisc'] = word === 'pmtudisc'
  else if (word === 'fwmark') {
    const mark = parseUnsigned(words.value())
    if (mark === undefined) throw wrongArgument(words.current, 'invalid fwmark\n')
    data['fwmark'] = mark
  } else return false
  return true
}

function showEnds(session: Session, data: LinkData): void {
  const { out } = session
  for (const end of ['remote', 'local'] as const) {
    const address = data[end] as number
    const text = address === 0 ? 'any' : formatIpv4(address)
    out.field(end, text, `${end} ${text} `)
  }
  if (data['link']) {
    const name = session.deviceName(data['link'] as number)
    out.field('link', name, `dev ${name} `)
  }
  const ttl = data['ttl'] as number
  out.field('ttl', ttl, ttl === 0 ? 'ttl inherit ' : `ttl ${ttl} `)
  const tos = data['tos'] as number
  if (tos === 1) out.field('tos', 'inherit', 'tos inherit ')
  else if (tos !== 0) out.field('tos', `0x${tos.toString(16)}`, `tos 0x${tos.toString(16)} `)
}

const PROTOCOLS: Readonly<Record<string, number>> = {
  'ipv4/ipv4': 4,
  ipip: 4,
  ip4ip4: 4,
  'ipv6/ipv4': 41,
  ip6ip: 41,
  ip6ip4: 41,
  any: 0,
  'any/ipv4': 0,
}

function iptunnel(kind: 'ipip' | 'sit'): LinkType {
  return {
    help: iptunnelHelp(kind),
    parse(words, session) {
      const data: LinkData = {}
      for (; words.more; words.advance()) {
        if (common(words, session, data)) continue
        if (words.current === 'mode') {
          const protocol = PROTOCOLS[words.value()]
          if (protocol === undefined) throw wrongArgument(words.current, 'Unknown mode.\n')
          data['protocol'] = protocol
        } else if (words.current === 'help') throw new Refusal(iptunnelHelp(kind), 255)
        else throw unknownWord(kind, words.current, iptunnelHelp(kind))
      }
      return data
    },
    print(session, data) {
      const { out } = session
      const protocol = { 0: 'any', 4: 'ipip', 41: 'ip6ip' }[data['protocol'] as number] ?? 'any'
      out.field('proto', protocol, `${protocol} `)
      showEnds(session, data)
      out.field('pmtudisc', data['pmtudisc'] === true, data['pmtudisc'] ? 'pmtudisc ' : 'nopmtudisc ')
      if (kind === 'sit') {
        out.openObject('6rd')
        out.field('prefix', '2002::', '6rd-prefix 2002::')
        out.field('prefixlen', 16, '/16 ')
        out.close()
      }
    },
  }
}

/** `[no][i|o]key`, `seq`, `csum`. */
function greFlag(words: Words, data: LinkData): boolean {
  const match = /^(no)?([io]?)(key|seq|csum)$/.exec(words.current)
  if (!match) return false
  const [, no, way, what] = match as unknown as [string, string | undefined, string, 'key' | 'seq' | 'csum']
  const key = what === 'key' && no === undefined ? keyWord(words, words.current) : 0
  for (const side of way === '' ? (['i', 'o'] as const) : ([way] as ('i' | 'o')[])) {
    const flags = { csum: false, key: false, seq: false, ...(data[`${side}Flags`] as object | undefined) }
    data[`${side}Flags`] = { ...flags, [what]: no === undefined }
    if (what === 'key') data[`${side}Key`] = key
  }
  return true
}

function gre(kind: 'gre' | 'gretap' | 'erspan'): LinkType {
  return {
    help: greHelp(kind),
    parse(words, session) {
      const data: LinkData = {}
      for (; words.more; words.advance()) {
        if (common(words, session, data) || greFlag(words, data)) continue
        if (words.current === 'ignore-df' || words.current === 'noignore-df')
          data['ignoreDf'] = words.current === 'ignore-df'
        else if (words.current === 'help') throw new Refusal(greHelp(kind), 255)
        else throw unknownWord(kind, words.current, greHelp(kind))
      }
      return data
    },
    print(session, data) {
      const { out } = session
      showEnds(session, data)
      if (data['pmtudisc']) out.json('pmtudisc', true)
      else out.field('pmtudisc', false, 'nopmtudisc ')
      const iFlags = data['iFlags'] as Record<string, boolean>
      const oFlags = data['oFlags'] as Record<string, boolean>
      const key = (name: string, value: number) => out.field(name, formatIpv4(value), `${name} ${formatIpv4(value)} `)
      if (iFlags['key'] && data['iKey']) key('ikey', data['iKey'] as number)
      if (oFlags['key'] && data['oKey']) key('okey', data['oKey'] as number)
      for (const what of ['seq', 'csum']) {
        if (iFlags[what]) out.field(`i${what}`, true, `i${what} `)
        if (oFlags[what]) out.field(`o${what}`, true, `o${what} `)
      }
      if (data['ignoreDf']) out.field('ignore_df', true, 'ignore-df ')
      if (kind === 'erspan') {
        if (!oFlags['key']) key('okey', 0)
        out.field('erspan_index', 0, 'erspan_index 0 ')
        out.field('erspan_ver', 1, 'erspan_ver 1 ')
      }
    },
  }
}

export const ipip = iptunnel('ipip')
export const sit = iptunnel('sit')
export const greType = gre('gre')
export const gretap = gre('gretap')
export const erspan = gre('erspan')
