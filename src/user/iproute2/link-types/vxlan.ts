/** `type vxlan`. iproute2 6.1 ip/iplink_vxlan.c */
import { NotModelled } from '#base/check'
import { formatIpv4, parseIpv4 } from '#wire/inet'
import type { Session } from '../session.ts'
import { parseUnsigned, Refusal, type Words, wrongArgument } from '../words.ts'
import { tosWord } from './tunnels.ts'
import { type LinkData, type LinkType, unknownWord } from './type.ts'

const help = `Usage: ... vxlan id VNI
		[ { group | remote } IP_ADDRESS ]
		[ local ADDR ]
		[ ttl TTL ]
		[ tos TOS ]
		[ df DF ]
		[ flowlabel LABEL ]
		[ dev PHYS_DEV ]
		[ dstport PORT ]
		[ srcport MIN MAX ]
		[ [no]learning ]
		[ [no]proxy ]
		[ [no]rsc ]
		[ [no]l2miss ]
		[ [no]l3miss ]
		[ ageing SECONDS ]
		[ maxaddress NUMBER ]
		[ [no]udpcsum ]
		[ [no]udp6zerocsumtx ]
		[ [no]udp6zerocsumrx ]
		[ [no]remcsumtx ] [ [no]remcsumrx ]
		[ [no]external ] [ gbp ] [ gpe ]
		[ [no]vnifilter ]

Where:	VNI	:= 0-16777215
	ADDR	:= { IP_ADDRESS | any }
	TOS	:= { NUMBER | inherit }
	TTL	:= { 1..255 | auto | inherit }
	DF	:= { unset | set | inherit }
	LABEL := 0-1048575
`

const NO_PORT = `vxlan: destination port not specified
Will use Linux kernel default (non-standard value)
Use 'dstport 4789' to get the IANA assigned value
Use 'dstport 0' to get default and quiet this message
`

const number = (words: Words, what: string, max = 0xffffffff) => {
  const value = parseUnsigned(words.value(), max)
  if (value === undefined) throw wrongArgument(words.current, what)
  return value
}

/** Words that are on, and off with `no` in front. */
const SWITCHES: Readonly<Record<string, string>> = {
  learning: 'learning',
  proxy: 'proxy',
  rsc: 'rsc',
  l2miss: 'l2miss',
  l3miss: 'l3miss',
  udpcsum: 'udpChecksum',
}

const NOT_MODELLED = new Set(
  'flowlabel label udp6zerocsumtx noudp6zerocsumtx udp6zerocsumrx noudp6zerocsumrx remcsumtx noremcsumtx remcsumrx noremcsumrx external noexternal gbp gpe vnifilter novnifilter'.split(
    ' ',
  ),
)

function address(words: Words, multicast: boolean, what: string): number {
  const text = words.value()
  if (text === 'any') return 0
  const value = parseIpv4(text)
  if (value === undefined) throw new Refusal(`Error: inet address is expected rather than "${text}".\n`, 1)
  if ((value >>> 28 === 0xe) !== multicast && value !== 0) throw wrongArgument(text, what)
  return value
}

/** A number, or a word for 0. */
function unlessWord(words: Words, word: string, what: string): number {
  if (words.following !== word) return number(words, what)
  words.advance()
  return 0
}

function deviceWord(words: Words, session: Session): number {
  const index = session.findDevice(words.value())
  if (index === undefined) throw new Refusal(`Cannot find device "${words.current}"\n`, 255)
  return index
}

function ttl(words: Words): number {
  const text = words.value()
  if (text === 'inherit') return -1
  if (text === 'auto') return 0
  const value = parseUnsigned(text, 255)
  if (value === undefined) throw wrongArgument(text, 'invalid TTL')
  return value
}

function parseWord(words: Words, session: Session, data: LinkData): void {
  const word = words.current
  const plain = word.replace(/^no/, '')
  if (word === 'id' || word === 'vni') data['id'] = number(words, 'invalid id', 0xffffff)
  else if (word === 'group') data['remote'] = address(words, true, 'invalid group address')
  else if (word === 'remote') data['remote'] = address(words, false, 'invalid remote address')
  else if (word === 'local') data['local'] = address(words, false, 'invalid local address')
  else if (word === 'dev') data['link'] = deviceWord(words, session)
  else if (word === 'ttl' || word === 'hoplimit') data['ttl'] = ttl(words)
  else if (word === 'tos' || word === 'dsfield') data['tos'] = tosWord(words, session)
  else if (word === 'df') {
    const df = words.value()
    if (!['unset', 'set', 'inherit'].includes(df)) throw wrongArgument(df, "DF must be 'unset', 'set', or 'inherit'")
    data['df'] = df
  } else if (word === 'ageing') data['ageing'] = unlessWord(words, 'none', 'ageing timer')
  else if (word === 'maxaddress') data['maxAddresses'] = unlessWord(words, 'unlimited', 'max addresses')
  else if (word === 'port' || word === 'srcport') {
    data['sourceLow'] = number(words, 'min port', 0xffff)
    data['sourceHigh'] = number(words, 'max port', 0xffff)
  } else if (word === 'dstport') {
    const port = number(words, 'dst port', 0xffff)
    data['port'] = port === 0 ? 8472 : port
  } else if (Object.hasOwn(SWITCHES, plain)) data[SWITCHES[plain]!] = plain === word
  else if (NOT_MODELLED.has(word)) throw new NotModelled(`ip link add type vxlan ${word}`)
  else if (word === 'help') throw new Refusal(help, 255)
  else throw unknownWord('vxlan', word, help)
}

export const vxlan: LinkType = {
  help,
  parse(words, session, given) {
    const data: LinkData = {}
    for (; words.more; words.advance()) parseWord(words, session, data)
    const remote = (data['remote'] as number | undefined) ?? 0
    if (remote >>> 28 === 0xe && data['link'] === undefined) {
      throw new Refusal("vxlan: 'group' requires 'dev' to be specified\n", 1)
    }
    const name = given.device ?? given.name
    const isNew = name === undefined ? data['id'] !== undefined : session.findDevice(name) === undefined
    if (isNew && data['port'] === undefined) session.out.error(NO_PORT)
    return data
  },
  print(session, data) {
    const { out } = session
    const value = (key: string) => data[key] as number
    out.field('id', value('id'), `id ${value('id')} `)
    if (value('remote')) {
      const word = value('remote') >>> 28 === 0xe ? 'group' : 'remote'
      out.field(word, formatIpv4(value('remote')), `${word} ${formatIpv4(value('remote'))} `)
    }
    if (value('local')) out.field('local', formatIpv4(value('local')), `local ${formatIpv4(value('local'))} `)
    if (value('link')) {
      const name = session.deviceName(value('link'))
      out.field('link', name, `dev ${name} `)
    }
    out.openObject('port_range')
    out.field('low', value('sourceLow'), `srcport ${value('sourceLow')} `)
    out.field('high', value('sourceHigh'), `${value('sourceHigh')} `)
    out.close()
    out.field('port', value('port'), `dstport ${value('port')} `)
    const on = (key: string, name: string, text: string) => {
      out.json(name, data[key] === true)
      out.text(text)
    }
    on('learning', 'learning', data['learning'] ? '' : 'nolearning ')
    for (const key of ['proxy', 'rsc', 'l2miss', 'l3miss']) on(key, key, data[key] ? `${key} ` : '')
    showRest(session, data)
  },
}

function showRest(session: Session, data: LinkData): void {
  const { out } = session
  const value = (key: string) => data[key] as number
  const tos = value('tos')
  if (tos) out.field('tos', `0x${tos.toString(16)}`, tos === 1 ? 'tos inherit ' : `tos 0x${tos.toString(16)} `)
  const hops = value('ttl')
  if (hops === -1) out.field('ttl', 'inherit', 'ttl inherit ')
  else if (hops > 0) out.field('ttl', hops, `ttl ${hops} `)
  else out.field('ttl', 0, 'ttl auto ')
  const df = data['df'] as string
  out.field('df', df, df === 'unset' ? '' : `df ${df} `)
  const ageing = value('ageing')
  out.field('ageing', ageing, ageing === 0 ? 'ageing none ' : `ageing ${ageing} `)
  if (value('maxAddresses')) out.field('limit', value('maxAddresses'), `maxaddr ${value('maxAddresses')} `)
  out.field('udp_csum', data['udpChecksum'] === true, data['udpChecksum'] ? 'udpcsum ' : 'noudpcsum ')
  out.field('udp_zero_csum6_tx', false, 'noudp6zerocsumtx ')
  out.field('udp_zero_csum6_rx', false, 'noudp6zerocsumrx ')
}
