/** A rule as one line, for who is told of it: as its tool would write it. */
import type { Host } from '#kernel/core'
import { dumpTables, ruleMessage } from './dump.ts'
import { TABLES } from './iptables/builtin.ts'
import { Names } from './iptables/names.ts'
import { Printer } from './iptables/print.ts'
import { fromExpressions } from './iptables/rule.ts'
import { printRule } from './nft/print.ts'
import { nfTables, type Rule } from './objects.ts'

const NAMES = new Names({ services: '', protocols: '', hosts: '', networks: '' })
const PLAIN = { numeric: true, verbose: false, exact: false, lineNumbers: false }

/** The rule's text: iptables' where it is one of iptables' tables and could have come from it, else nft's. */
export function describeRule(rule: Rule, host: Host): string {
  const { image } = host
  const { table, name } = rule.chain
  const message = ruleMessage(rule)
  const empty = { ok: true as const, messages: [] }
  if (table.family === 'ip' && TABLES.has(table.name)) {
    const own = fromExpressions(message, image)
    if (own) {
      return new Printer(image, NAMES, PLAIN, () => empty).save(name, own, 'none').trimEnd()
    }
  }
  const tables = dumpTables(nfTables.of(host), table.family)
  const whole = tables.find((one) => one.name === table.name)!
  return printRule(message, whole, {
    handles: false,
    stateless: true,
    numeric: false,
    services: false,
    around: {
      interfaceName: () => undefined,
      interfaceIndex: () => undefined,
      service: () => undefined,
      host: () => undefined,
    },
    xt: {
      numeric: true,
      serviceName: () => undefined,
      userName: () => undefined,
      groupName: () => undefined,
      basics: { family: table.family, protocol: 0, protocolInverted: false },
      netlink: () => empty,
    },
    image,
  })
}
