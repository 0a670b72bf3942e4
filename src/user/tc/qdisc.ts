/** `tc qdisc`. iproute2 6.1 tc/tc_qdisc.c */
import { NotModelled } from '#base/check'
import { type QdiscMessage, TC_H_INGRESS, TC_H_ROOT } from '#kernel/qdisc'
import { EXIT_USAGE, Refusal, type Words } from '#user/iproute2'
import { Complaint } from './kind.ts'
import { KINDS } from './kinds.ts'
import type { TcSession } from './session.ts'
import { showStatistics } from './statistics.ts'
import { formatClassId, parseClassId, parseHandle } from './units.ts'

export const QDISC_HELP = `Usage: tc qdisc [ add | del | replace | change | show ] dev STRING
       [ handle QHANDLE ] [ root | ingress | clsact | parent CLASSID ]
       [ estimator INTERVAL TIME_CONSTANT ]
       [ stab [ help | STAB_OPTIONS] ]
       [ ingress_block BLOCK_INDEX ] [ egress_block BLOCK_INDEX ]
       [ [ QDISC_KIND ] [ help | OPTIONS ] ]

       tc qdisc { show | list } [ dev STRING ] [ QDISC_ID ] [ invisible ]
Where:
QDISC_KIND := { [p|b]fifo | tbf | prio | cbq | red | etc. }
OPTIONS := ... try tc qdisc add <desired QDISC_KIND> help
STAB_OPTIONS := ... try tc qdisc add stab help
QDISC_ID := { root | ingress | handle QHANDLE | parent CLASSID }
`

/** NLM_F_*. */
export interface Flags {
  create?: boolean
  exclusive?: boolean
  replace?: boolean
}

const wrong = (what: string, value: string) => new Refusal(`Error: argument "${value}" is wrong: ${what}\n`, EXIT_USAGE)

/** add, change, replace; undefined: delete. */
export function modifyQdisc(session: TcSession, words: Words, flags: Flags | undefined): number {
  let device = ''
  let handle = 0
  let parent = 0
  let kind: string | undefined
  for (; words.more && kind === undefined; words.advance()) {
    const word = words.current
    if (word === 'dev') {
      if (device) throw new Refusal(`Error: duplicate "dev": "${words.value()}" is the second value.\n`, EXIT_USAGE)
      device = words.value()
    } else if (word === 'handle') {
      const value = words.value()
      const parsed = parseHandle(value)
      if (parsed === undefined) throw wrong('invalid qdisc ID', value)
      handle = parsed
    } else if (word === 'root') {
      if (parent) throw new Refusal('Error: "root" is duplicate parent ID\n', 1)
      parent = TC_H_ROOT
    } else if (word === 'clsact' || word === 'ingress') {
      if (parent) throw new Refusal(`Error: "${word}" is a duplicate parent ID\n`, 1)
      parent = TC_H_INGRESS
      handle = 0xffff0000
      kind = word
    } else if (word === 'parent') {
      const value = words.value()
      if (parent) throw new Refusal('Error: "parent" is the second value.\n', EXIT_USAGE)
      const parsed = parseClassId(value)
      if (parsed === undefined) throw wrong('invalid parent ID', value)
      parent = parsed
    } else if (word === 'stab' || word === 'estimator' || word.endsWith('_block'))
      throw new NotModelled(`tc qdisc ... ${word}`)
    else if (word === 'help') throw new Refusal(QDISC_HELP, EXIT_USAGE)
    else kind = word
  }
  const options = kind === undefined ? undefined : readOptions(kind, words)
  const request: Record<string, unknown> = {
    type: flags === undefined ? 'RTM_DELQDISC' : 'RTM_NEWQDISC',
    ifindex: device === '' ? 0 : session.device(device),
    handle,
    parent,
    ...flags,
  }
  if (kind !== undefined) request['kind'] = kind
  if (options !== undefined) request['options'] = options
  session.ask(request as { type: string })
  return 0
}

function readOptions(kind: string, words: Words): Record<string, unknown> | undefined {
  const own = Object.hasOwn(KINDS, kind) ? KINDS[kind]! : undefined
  if (own !== undefined) return own.parse(words, false)
  if (words.more) throw new Complaint(`Unknown qdisc "${kind}", hence option "${words.current}" is unparsable`)
  return undefined
}

export function listQdiscs(session: TcSession, words: Words): number {
  const { out, options } = session
  let device = ''
  let handle: number | undefined
  let parent: number | undefined
  for (; words.more; words.advance()) {
    const word = words.current
    if (word === 'dev') device = words.value()
    else if (word === 'ingress' || word === 'clsact') parent = TC_H_INGRESS
    else if (word === 'root') parent = TC_H_ROOT
    else if (word === 'handle') {
      handle = parseHandle(words.value())
      if (handle === undefined) throw wrong('invalid qdisc ID', words.current)
    } else if (word === 'parent') {
      parent = parseClassId(words.value())
      if (parent === undefined) throw wrong('invalid parent ID', words.current)
    } else if (word === 'help') throw new Refusal(QDISC_HELP, EXIT_USAGE)
    else throw new Refusal(`What is "${word}"? Try "tc qdisc help".\n`, 1)
  }
  const request: { type: string; ifindex?: number } = { type: 'RTM_GETQDISC' }
  if (device) request.ifindex = session.device(device)
  out.begin(options.json)
  for (const message of session.ask<QdiscMessage>(request)) {
    if (handle !== undefined && handle !== message.handle) continue
    if (parent !== undefined && parent !== message.parent) continue
    out.openObject()
    showQdisc(session, message, device !== '')
    out.close()
  }
  out.end()
  return 0
}

function showQdisc(session: TcSession, message: QdiscMessage, one: boolean): void {
  const { out, options } = session
  out.field('kind', message.kind, `qdisc ${message.kind}`)
  const handle = `${(message.handle >>> 16).toString(16)}:`
  out.field('handle', handle, ` ${handle} `)
  if (!one) {
    const name = session.deviceName(message.ifindex)
    out.field('dev', name, `dev ${name} `)
  }
  if (message.parent === TC_H_ROOT) out.field('root', true, 'root ')
  else {
    const parent = formatClassId(message.parent)
    out.field('parent', parent, `parent ${parent} `)
  }
  if (message.refcnt !== 1) out.field('refcnt', message.refcnt, `refcnt ${message.refcnt} `)
  out.openObject('options')
  KINDS[message.kind]?.print(out, message.options, options)
  out.close()
  out.text('\n')
  if (!options.stats) return
  showStatistics(out, message.counters, message.queue)
  if (message.xstats && KINDS[message.kind]?.printXstats) {
    KINDS[message.kind]!.printXstats!(out, message.xstats)
    out.text('\n')
  }
}
