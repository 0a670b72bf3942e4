/** `ip tunnel`. iproute2 6.1 ip/iptunnel.c, ip/tunnel.c */
import { NotModelled } from '#base/check'
import { strerror } from '#kernel/core'
import type { LinkMessage } from '#kernel/net'
import { formatIpv4 } from '#wire/inet'
import { endpoint, keyWord, tosWord, ttlWord } from './link-types/tunnels.ts'
import type { Session } from './session.ts'
import { EXIT_USAGE, Refusal, type Words } from './words.ts'

export const tunnelHelp = `Usage: ip tunnel { add | change | del | show | prl | 6rd } [ NAME ]
        [ mode { gre | ipip | isatap | sit | vti } ]
        [ remote ADDR ] [ local ADDR ]
        [ [i|o]seq ] [ [i|o]key KEY ] [ [i|o]csum ]
        [ prl-default ADDR ] [ prl-nodefault ADDR ] [ prl-delete ADDR ]
        [ 6rd-prefix ADDR ] [ 6rd-relay_prefix ADDR ] [ 6rd-reset ]
        [ ttl TTL ] [ tos TOS ] [ [no]pmtudisc ] [ dev PHYS_DEV ]

Where: NAME := STRING
       ADDR := { IP_ADDRESS | any }
       TOS  := { STRING | 00..ff | inherit | inherit/STRING | inherit/00..ff }
       TTL  := { 1..255 | inherit }
       KEY  := { DOTTED_QUAD | NUMBER }
`

interface Flags {
  csum: boolean
  key: boolean
  seq: boolean
}

interface Given {
  name: string
  protocol: number | undefined
  params: Record<string, unknown> & { iFlags?: Flags; oFlags?: Flags }
}

const MODES: Readonly<Record<string, number>> = {
  ipip: 4,
  'ip/ip': 4,
  ipv4: 4,
  ip4ip4: 4,
  gre: 47,
  'gre/ip': 47,
  sit: 41,
  'ipv6/ip': 41,
  any: 0,
}
const NONE: Flags = { csum: false, key: false, seq: false }

function parse(session: Session, words: Words): Given {
  const given: Given = { name: '', protocol: undefined, params: {} }
  const { params } = given
  for (; words.more; words.advance()) {
    const word = words.current
    const flag = /^([io]?)(key|seq|csum)$/.exec(word)
    if (word === 'mode') {
      const mode = words.value()
      if (mode === 'isatap' || mode === 'vti') throw new NotModelled(`ip tunnel mode ${mode}`)
      const protocol = MODES[mode]
      if (protocol === undefined) throw new Refusal(`Unknown tunnel mode "${mode}"\n`, EXIT_USAGE)
      if (given.protocol !== undefined && given.protocol !== protocol) {
        throw new Refusal('You managed to ask for more than one tunnel mode.\n', EXIT_USAGE)
      }
      given.protocol = protocol
    } else if (flag) {
      const [, way = '', what] = flag as unknown as [string, string, keyof Flags]
      const key = what === 'key' ? keyWord(words, word) : 0
      for (const side of way === '' ? (['i', 'o'] as const) : ([way] as ('i' | 'o')[])) {
        params[`${side}Flags`] = { ...NONE, ...params[`${side}Flags`], [what]: true }
        if (what === 'key') params[`${side}Key`] = key
      }
    } else if (word === 'nopmtudisc' || word === 'pmtudisc') params['pmtudisc'] = word === 'pmtudisc'
    else if (word === 'remote' || word === 'local') params[word] = endpoint(words)
    else if (word === 'dev') params['link'] = session.device(words.value())
    else if (word === 'ttl' || word === 'hoplimit' || word === 'hlim') params['ttl'] = ttlWord(words)
    else if (word === 'tos' || word === 'tclass' || word === 'dsfield') params['tos'] = tosWord(words, session)
    else if (/^(prl|6rd)-/.test(word)) throw new NotModelled(`ip tunnel ... ${word}`)
    else {
      const name = word === 'name' ? words.value() : word
      if (name === 'help') throw new Refusal(tunnelHelp, EXIT_USAGE)
      if (given.name !== '') throw new Refusal(`Error: duplicate "name": "${name}" is the second value.\n`, EXIT_USAGE)
      if (name === '' || name.length > 15 || /[/\s]/.test(name)) {
        throw new Refusal(`Error: argument "${name}" is wrong: "name" not a valid ifname\n`, EXIT_USAGE)
      }
      given.name = name
    }
  }
  return given
}

/** What a name that begins as a fallback's does means, if no mode was given. */
function guess(given: Given): void {
  if (given.protocol !== undefined) return
  if (/^gre/.test(given.name)) given.protocol = 47
  else if (/^ipip/.test(given.name)) given.protocol = 4
  else if (/^sit/.test(given.name)) given.protocol = 41
}

function check(given: Given): void {
  const { params, protocol } = given
  const keyed = params.iFlags?.key || params.oFlags?.key
  if ((protocol === 4 || protocol === 41) && keyed) {
    throw new Refusal('Keys are not allowed with ipip and sit tunnels\n', 1)
  }
  if (params['ttl'] && params['pmtudisc'] === false) throw new Refusal('ttl != 0 and nopmtudisc are incompatible\n', 1)
  // A key of a multicast group is the group, if nobody says otherwise.
  const remote = (params['remote'] as number | undefined) ?? 0
  if (protocol === 47 && remote >>> 28 === 0xe) {
    for (const side of ['i', 'o'] as const) {
      if (params[`${side}Flags`]?.key) continue
      params[`${side}Flags`] = { ...NONE, ...params[`${side}Flags`], key: true }
      params[`${side}Key`] = remote
    }
  }
}

function ask(
  session: Session,
  what: 'add' | 'change' | 'delete',
  base: string,
  request: Record<string, unknown>,
): number {
  const answer = session.sys.netlink(request as { type: string })
  if (answer.ok) return 0
  throw new Refusal(`${what === 'change' ? 'add' : what} tunnel "${base}" failed: ${strerror(answer.errno)}\n`, 1)
}

export function addTunnel(session: Session, words: Words): number {
  const given = parse(session, words)
  guess(given)
  check(given)
  const base = { 4: 'tunl0', 47: 'gre0', 41: 'sit0' }[given.protocol ?? -1]
  if (base === undefined) throw new Refusal('cannot determine tunnel mode (ipip, gre, vti or sit)\n', 1)
  const params = { pmtudisc: true, ...given.params, protocol: given.protocol === 47 ? 47 : given.protocol }
  const request: Record<string, unknown> = { type: 'SIOCADDTUNNEL', device: base, params }
  if (given.name !== '') request['name'] = given.name
  return ask(session, 'add', base, request)
}

export function changeTunnel(session: Session, words: Words): number {
  const given = parse(session, words)
  check(given)
  return ask(session, 'change', given.name, { type: 'SIOCCHGTUNNEL', device: given.name, params: given.params })
}

export function deleteTunnel(session: Session, words: Words): number {
  const given = parse(session, words)
  return ask(session, 'delete', given.name, { type: 'SIOCDELTUNNEL', device: given.name })
}

export function showTunnels(session: Session, words: Words): number {
  const given = parse(session, words)
  const { out, options } = session
  if (options.json) throw new NotModelled('ip -json tunnel')
  for (const link of session.ask<LinkMessage>({ type: 'RTM_GETLINK' })) {
    if (link.kind !== 'ipip' && link.kind !== 'gre' && link.kind !== 'sit') continue
    if (given.name !== '' && given.name !== link.name) continue
    showTunnel(session, link)
    out.text('\n')
  }
  return 0
}

const SHOWN: Readonly<Record<number, string>> = { 4: 'ip', 41: 'ipv6', 47: 'gre', 0: 'any' }

function showTunnel(session: Session, link: LinkMessage): void {
  const { out, options } = session
  const data = link.data as Record<string, number> & { pmtudisc: boolean; iFlags: Flags; oFlags: Flags }
  const address = (value: number) => (value === 0 ? 'any' : formatIpv4(value))
  const protocol = link.kind === 'gre' ? 47 : data['protocol']!
  out.text(`${link.name}: ${SHOWN[protocol]}/ip remote ${address(data['remote']!)} local ${address(data['local']!)}`)
  if (data['link']) out.text(` dev ${session.deviceName(data['link'])}`)
  out.text(data['ttl'] ? ` ttl ${data['ttl']}` : ' ttl inherit')
  const tos = data['tos']!
  if (tos) {
    out.text(' tos')
    if (tos & 1) out.text(' inherit')
    if (tos & ~1) out.text(`${tos & 1 ? '/' : ' '}${session.names.dsfield(tos & ~1)}`)
  }
  if (!data.pmtudisc) out.text(' nopmtudisc')
  if (protocol === 41) out.text(' 6rd-prefix 2002::/16')
  const { iFlags, oFlags } = data
  if (iFlags.key && oFlags.key && data['iKey'] === data['oKey']) out.text(` key ${data['iKey']}`)
  else {
    if (iFlags.key) out.text(` ikey ${data['iKey']}`)
    if (oFlags.key) out.text(` okey ${data['oKey']}`)
  }
  const notes: [boolean, string][] = [
    [iFlags.seq, 'Drop packets out of sequence.'],
    [iFlags.csum, 'Checksum in received packet is required.'],
    [oFlags.seq, 'Sequence packets on output.'],
    [oFlags.csum, 'Checksum output packets.'],
  ]
  for (const [on, text] of notes) if (on) out.text(`${session.newline}  ${text}`)
  if (options.stats) showCounters(session, link)
}

/** tnl_print_stats() */
function showCounters(session: Session, { stats }: LinkMessage): void {
  const { out } = session
  const row = (values: number[], widths: number[]) =>
    values.map((value, i) => String(value).padEnd(widths[i]!)).join(' ')
  out.text(`${session.newline}RX: Packets    Bytes        Errors CsumErrs OutOfSeq Mcasts\n`)
  const rx = [stats.rxPackets, stats.rxBytes, stats.rxErrors, stats.rxFrame ?? 0, stats.rxFifo ?? 0, stats.multicast]
  out.text(`    ${row(rx, [10, 12, 6, 8, 8, 8])}\n`)
  out.text('TX: Packets    Bytes        Errors DeadLoop NoRoute  NoBufs\n')
  const tx = [stats.txPackets, stats.txBytes, stats.txErrors, stats.collisions, stats.txCarrier, stats.txDropped]
  out.text(`    ${row(tx, [10, 12, 6, 8, 8, 6])}`)
}
