/** Named counters, quotas and limits: objects that several rules share. */
import type { Host } from '#kernel/core'
import type { Expression } from './expressions.ts'
import type { NftCommand } from './messages.ts'
import type { ExpressionState, NamedObject, Table } from './objects.ts'
import { Counter, Limit, Quota } from './states.ts'

export function createObject(
  command: NftCommand & { cmd: 'newobject' },
  table: Table,
  handle: number,
  host: Host,
): NamedObject {
  const { type, name, spec } = command
  let state: ExpressionState | undefined
  let run: NamedObject['run']
  const expression = spec as Expression
  if (type === 'counter' && expression.expr === 'counter') {
    const counter = new Counter(expression.packets, expression.bytes)
    state = counter
    run = (_packet, length) => {
      counter.count(length)
      return true
    }
  } else if (type === 'quota' && expression.expr === 'quota') {
    const quota = new Quota(expression.bytes, expression.invert, expression.consumed)
    state = quota
    run = (_packet, length) => quota.passes(length)
  } else if (type === 'limit' && expression.expr === 'limit') {
    const limit = new Limit(host, expression)
    state = limit
    run = (_packet, length) => limit.passes(length)
  }
  return { table, type, name, handle, comment: command.comment, uses: 0, spec, state, run }
}
