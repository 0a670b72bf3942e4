/** `type macvlan`. iproute2 6.1 ip/iplink_macvlan.c */
import { NotModelled } from '#base/check'
import { abbreviates, parseUnsigned, Refusal, wrongArgument } from '../words.ts'
import type { LinkData, LinkType } from './type.ts'

const MODES = ['private', 'vepa', 'bridge', 'passthru', 'source']

const help = `Usage: ... macvlan mode MODE [ flag MODE_FLAG ] [ bcqueuelen BC_QUEUE_LEN ]

MODE: private | vepa | bridge | passthru
MODE_FLAG: null | nopromisc
BC_QUEUE_LEN: how many broadcast and multicast frames may wait: [0-4294967295]
`

export const macvlan: LinkType = {
  help,
  parse(words) {
    const data: LinkData = {}
    for (; words.more; words.advance()) {
      const word = words.current
      if (abbreviates(word, 'mode')) {
        const mode = words.value()
        if (!MODES.includes(mode)) {
          const known = '"private", "vepa", "bridge", "passthru" or "source"'
          throw new Refusal(`Error: argument of "mode" must be ${known}, not "${mode}"\n`, 1)
        }
        data.mode = mode
      } else if (abbreviates(word, 'flag')) {
        const flag = words.value()
        if (flag === 'nopromisc') data.flags = 1
        else if (flag === 'null') data.flags = 0
        else if (flag === 'nodst') throw new NotModelled('macvlan: nodst')
        else throw new Refusal(`Error: argument of "flag" must be "nopromisc", "nodst" or "null", not "${flag}"\n`, 1)
      } else if (abbreviates(word, 'macaddr')) throw new NotModelled('macvlan: macaddr')
      else if (abbreviates(word, 'nopromisc')) data.flags = 1
      else if (word === 'bcqueuelen') {
        data.bcqueuelen = parseUnsigned(words.value())
        if (data.bcqueuelen === undefined) throw wrongArgument(words.current, 'invalid bcqueuelen')
      } else if (abbreviates(word, 'help')) throw new Refusal(help, 1)
      else throw new Refusal(`macvlan: unknown option "${word}"?\n${help}`, 1)
    }
    return data
  },
  print({ out }, data) {
    out.field('mode', String(data.mode), `mode ${data.mode} `)
    if (data.flags === 1) out.field('nopromisc', true, 'nopromisc ')
    out.field('bcqueuelen', Number(data.bcqueuelen), `bcqueuelen ${data.bcqueuelen} `)
    out.field('usedbcqueuelen', Number(data.usedbcqueuelen), `usedbcqueuelen ${data.usedbcqueuelen} `)
  },
}
