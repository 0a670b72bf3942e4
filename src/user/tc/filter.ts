/** `tc filter`. iproute2 6.1 tc/tc_filter.c */
import { NotModelled } from '#base/check'
import { type FilterMessage, TC_H_CLSACT, TC_H_MIN_EGRESS, TC_H_MIN_INGRESS, TC_H_ROOT } from '#kernel/qdisc'
import { EXIT_USAGE, parseUnsigned, Refusal, type Words } from '#user/iproute2'
import { FILTERS } from './filter-kinds.ts'
import { Complaint } from './kind.ts'
import type { Flags } from './qdisc.ts'
import type { TcSession } from './session.ts'
import { formatClassId, parseClassId } from './units.ts'

export const FILTER_HELP = `Usage: tc filter [ add | del | change | replace | show ] [ dev STRING ]
       tc filter [ add | del | change | replace | show ] [ block BLOCK_INDEX ]
       tc filter get dev STRING parent CLASSID protocol PROTO handle FILTERID pref PRIO FILTER_TYPE
       tc filter get block BLOCK_INDEX protocol PROTO handle FILTERID pref PRIO FILTER_TYPE
       [ pref PRIO ] protocol PROTO [ chain CHAIN_INDEX ]
       [ estimator INTERVAL TIME_CONSTANT ]
       [ root | ingress | egress | parent CLASSID ]
       [ handle FILTERID ] [ [ FILTER_TYPE ] [ help | OPTIONS ] ]

       tc filter show [ dev STRING ] [ root | ingress | egress | parent CLASSID ]
       tc filter show [ block BLOCK_INDEX ]
Where:
FILTER_TYPE := { rsvp | u32 | bpf | fw | route | etc. }
FILTERID := ... format depends on classifier, see there
OPTIONS := ... try tc filter add <desired FILTER_KIND> help
`

/** EtherTypes by the names that tc has for them. iproute2 6.1 lib/ll_proto.c */
const PROTOCOLS: Readonly<Record<string, number>> = {
  all: 3,
  ip: 0x800,
  ipv4: 0x800,
  arp: 0x806,
  ipv6: 0x86dd,
  '802.1Q': 0x8100,
  '802.1q': 0x8100,
}

function parseProtocol(word: string): number {
  const known = PROTOCOLS[word] ?? parseUnsigned(word, 0xffff, 0)
  if (known === undefined) throw wrong('invalid protocol', word)
  return known
}

export function formatProtocol(protocol: number): string {
  return Object.entries(PROTOCOLS).find(([, number]) => number === protocol)?.[0] ?? `[${protocol}]`
}

const wrong = (what: string, value: string) => new Refusal(`Error: argument "${value}" is wrong: ${what}\n`, EXIT_USAGE)
const DUPLICATE_PARENT = (word: string) => new Refusal(`Error: "${word}" is a duplicate parent ID\n`, 1)

interface Place {
  device: string
  parent: number
  preference: number
  protocol: number
  handle: string | undefined
}

/** The words that all commands share; whether the current one was one of them. */
function readPlace(words: Words, place: Place): boolean {
  const word = words.current
  if (word === 'dev') place.device = words.value()
  else if (word === 'root' || word === 'ingress' || word === 'egress') {
    if (place.parent) throw DUPLICATE_PARENT(word)
    if (word === 'root') place.parent = TC_H_ROOT
    else place.parent = ((TC_H_CLSACT & 0xffff0000) | (word === 'ingress' ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS)) >>> 0
  } else if (word === 'parent') {
    const parsed = parseClassId(words.value())
    if (parsed === undefined) throw wrong('Invalid parent ID', words.current)
    place.parent = parsed
  } else if (word === 'preference' || word === 'pref' || word === 'priority' || word === 'prio') {
    const parsed = parseUnsigned(words.value(), 0xffff)
    if (parsed === undefined) throw wrong('invalid priority value', words.current)
    place.preference = parsed
  } else if (word === 'protocol') place.protocol = parseProtocol(words.value())
  else if (word === 'handle') place.handle = words.value()
  else if (word === 'block' || word === 'chain' || word === 'estimator') throw new NotModelled(`tc filter ... ${word}`)
  else return false
  return true
}

/** add, change, replace; undefined: delete. */
export function modifyFilter(session: TcSession, words: Words, flags: Flags | undefined): number {
  const place: Place = { device: '', parent: 0, preference: 0, protocol: 0, handle: undefined }
  let kind: string | undefined
  for (; words.more && kind === undefined; words.advance()) {
    if (readPlace(words, place)) continue
    if (words.current === 'help') throw new Refusal(FILTER_HELP, EXIT_USAGE)
    kind = words.current
  }
  // What is added without a protocol is for all of them.
  if (place.protocol === 0 && flags?.create) place.protocol = 3
  const request: Record<string, unknown> = {
    type: flags === undefined ? 'RTM_DELTFILTER' : 'RTM_NEWTFILTER',
    parent: place.parent,
    preference: place.preference,
    protocol: place.protocol,
    handle: 0,
    ...flags,
  }
  if (kind !== undefined) {
    request['kind'] = kind
    const own = Object.hasOwn(FILTERS, kind) ? FILTERS[kind]! : undefined
    if (own) {
      const { handle, options } = own.parse(words, place.handle, place.protocol)
      request['handle'] = handle
      if (flags !== undefined) request['options'] = options
    } else if (words.more) {
      throw new Complaint(`Unknown filter "${kind}", hence option "${words.current}" is unparsable`)
    }
  } else if (place.handle !== undefined) {
    throw new Refusal('Must specify filter type when using "handle"\n', 1)
  }
  request['ifindex'] = place.device === '' ? 0 : session.device(place.device)
  session.ask(request as { type: string }, 'We have an error talking to the kernel\n')
  return 0
}

export function listFilters(session: TcSession, words: Words): number {
  const { out, options } = session
  const place: Place = { device: '', parent: 0, preference: 0, protocol: 0, handle: undefined }
  for (; words.more; words.advance()) {
    if (readPlace(words, place)) continue
    if (words.current === 'help') throw new Refusal(FILTER_HELP, EXIT_USAGE)
    throw new Refusal(` What is "${words.current}"? Try "tc filter help"\n`, 1)
  }
  if (options.json) throw new NotModelled('tc -json filter')
  if (place.device === '') return 0
  const ifindex = session.device(place.device)
  const asked = { type: 'RTM_GETTFILTER', ifindex, ...place }
  for (const message of session.ask<FilterMessage>(asked)) {
    out.raw('filter ')
    if (place.parent === 0 || place.parent !== message.parent) {
      if (message.parent === TC_H_ROOT) out.raw('root ')
      else out.raw(`parent ${formatClassId(message.parent)} `)
    }
    if (place.protocol === 0 || place.protocol !== message.protocol)
      out.raw(`protocol ${formatProtocol(message.protocol)} `)
    if (place.preference === 0 || place.preference !== message.preference) out.raw(`pref ${message.preference} `)
    out.raw(`${message.kind} chain 0 `)
    if (message.options) FILTERS[message.kind]!.print(session, message)
    out.raw('\n')
  }
  return 0
}
