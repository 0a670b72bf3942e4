/** `tc class`. iproute2 6.1 tc/tc_class.c */
import { NotModelled } from '#base/check'
import { TC_H_ROOT, type TrafficClassMessage } from '#kernel/qdisc'
import { EXIT_USAGE, Refusal, type Words } from '#user/iproute2'
import { CLASS_KINDS, KINDS } from './kinds.ts'
import type { Flags } from './qdisc.ts'
import type { TcSession } from './session.ts'
import { showStatistics } from './statistics.ts'
import { formatClassId, parseClassId } from './units.ts'

export const CLASS_HELP = `Usage: tc class [ add | del | change | replace | show ] dev STRING
       [ classid CLASSID ] [ root | parent CLASSID ]
       [ [ QDISC_KIND ] [ help | OPTIONS ] ]

       tc class show [ dev STRING ] [ root | parent CLASSID ]
Where:
QDISC_KIND := { prio | cbq | etc. }
OPTIONS := ... try tc class add <desired QDISC_KIND> help
`

const wrong = (what: string, value: string) => new Refusal(`Error: argument "${value}" is wrong: ${what}\n`, EXIT_USAGE)

/** add, change, replace; undefined: delete. */
export function modifyClass(session: TcSession, words: Words, flags: Flags | undefined): number {
  let device = ''
  let classid = 0
  let parent = 0
  let kind: string | undefined
  for (; words.more && kind === undefined; words.advance()) {
    const word = words.current
    if (word === 'dev') device = words.value()
    else if (word === 'classid' || word === 'parent') {
      const value = words.value()
      const parsed = parseClassId(value)
      if (parsed === undefined) throw wrong(word === 'classid' ? 'invalid class ID' : 'invalid parent ID', value)
      if (word === 'classid') classid = parsed
      else parent = parsed
    } else if (word === 'root') {
      if (parent) throw new Refusal('Error: "root" is duplicate parent ID.\n', 1)
      parent = TC_H_ROOT
    } else if (word === 'estimator') throw new NotModelled('tc class ... estimator')
    else if (word === 'help') throw new Refusal(CLASS_HELP, EXIT_USAGE)
    else kind = word
  }
  let options: Record<string, unknown> | undefined
  if (kind !== undefined) {
    const own = CLASS_KINDS[kind]
    if (own) options = own.parse(words, false)
    else if (!Object.hasOwn(KINDS, kind) || words.more || kind !== 'prio')
      throw new Refusal(`Error: Qdisc "${kind}" is classless.\n`, 1)
  }
  const request: Record<string, unknown> = {
    type: flags === undefined ? 'RTM_DELTCLASS' : 'RTM_NEWTCLASS',
    ifindex: device === '' ? 0 : session.device(device),
    classid,
    parent,
    ...flags,
  }
  if (kind !== undefined) request['kind'] = kind
  if (options !== undefined) request['options'] = options
  session.ask(request as { type: string })
  return 0
}

export function listClasses(session: TcSession, words: Words): number {
  const { out, options } = session
  let device = ''
  let qdisc = 0
  let classid = 0
  let parent = 0
  for (; words.more; words.advance()) {
    const word = words.current
    if (word === 'dev') device = words.value()
    else if (word === 'qdisc' || word === 'classid' || word === 'parent') {
      const parsed = parseClassId(words.value())
      if (parsed === undefined) throw wrong(word === 'parent' ? 'invalid parent ID' : 'invalid class ID', words.current)
      if (word === 'qdisc') qdisc = parsed
      else if (word === 'classid') classid = parsed
      else parent = parsed
    } else if (word === 'root') parent = TC_H_ROOT
    else if (word === 'help') throw new Refusal(CLASS_HELP, EXIT_USAGE)
    else throw new Refusal(`What is "${word}"? Try "tc class help".\n`, 1)
  }
  if (device === '') return 0
  const ifindex = session.device(device)
  const messages = session.ask<TrafficClassMessage>({ type: 'RTM_GETTCLASS', ifindex } as { type: string })
  const shown = messages.filter(
    (message) =>
      (classid === 0 || message.classid === classid) &&
      (qdisc === 0 || ((message.classid ^ qdisc) & 0xffff0000) === 0) &&
      (parent === 0 || inside(message, parent)),
  )
  if (options.graph) {
    showGraph(session, shown)
    return 0
  }
  for (const message of shown) showClass(session, message)
  out.end()
  return 0
}

/** Of a discipline: of a class's number only the first half is looked at. */
function inside(message: TrafficClassMessage, parent: number): boolean {
  return parent === TC_H_ROOT || ((message.classid ^ parent) & 0xffff0000) === 0
}

function showClass(session: TcSession, message: TrafficClassMessage): void {
  const { out, options } = session
  out.raw(`class ${message.kind} ${formatClassId(message.classid)} `)
  if (message.parent === TC_H_ROOT && message.kind === 'htb') out.raw('root ')
  else {
    const parent = message.parent === TC_H_ROOT ? message.classid & 0xffff0000 : message.parent
    out.raw(`parent ${formatClassId(parent >>> 0)} `)
  }
  if (message.leaf) out.raw(`leaf ${(message.leaf >>> 16).toString(16)}: `)
  const kind = CLASS_KINDS[message.kind]
  if (message.options && kind) kind.print(out, message.options, options)
  out.raw('\n')
  if (!options.stats) return
  if (message.counters && message.queue) showStatistics(out, message.counters, message.queue)
  if (message.xstats && kind?.printXstats) {
    kind.printXstats(out, message.xstats)
    out.raw('\n')
  }
}

/** `tc -g class show`: as a tree. */
function showGraph(session: TcSession, messages: readonly TrafficClassMessage[]): void {
  const { out, options } = session
  const branch = (parent: number, indent: string) => {
    for (const message of messages.filter((each) => each.parent === parent)) {
      out.raw(`${indent}+---(${formatClassId(message.classid)}) ${message.kind} `)
      const kind = CLASS_KINDS[message.kind]
      if (message.options && kind) kind.print(out, message.options, options)
      out.raw('\n')
      branch(message.classid, `${indent}     `)
    }
  }
  branch(TC_H_ROOT, '')
}
