/** `type vlan`. iproute2 6.1 ip/iplink_vlan.c */
import type { Session } from '../session.ts'
import { abbreviates, parseUnsigned, Refusal, type Words, wrongArgument } from '../words.ts'
import { onOff } from './fields.ts'
import { type LinkData, type LinkType, unknownWord } from './type.ts'

const help = `Usage: ... vlan id VLANID
		[ protocol VLANPROTO ]
		[ reorder_hdr { on | off } ]
		[ gvrp { on | off } ] [ mvrp { on | off } ]
		[ loose_binding { on | off } ]
		[ bridge_binding { on | off } ]
		[ ingress-qos-map QOS-MAP ]
		[ egress-qos-map QOS-MAP ]

VLANID := 0-4095
VLANPROTO: [ 802.1Q | 802.1ad ]
QOS-MAP := [ QOS-MAP ] QOS-MAPPING
QOS-MAPPING := FROM:TO
`

const SWITCHES: [word: string, bit: number][] = [
  ['reorder_hdr', 0x1],
  ['gvrp', 0x2],
  ['mvrp', 0x8],
  ['loose_binding', 0x4],
  ['bridge_binding', 0x10],
]

/** Pairs with colons, as many as there are; the word behind them is the next. */
function parseMap(words: Words, what: string): [number, number][] {
  const map: [number, number][] = []
  words.value()
  for (; words.more && words.current.includes(':'); words.advance()) {
    const [from = '', to = ''] = words.current.split(':', 2)
    const pair = [parseUnsigned(from), parseUnsigned(to)] as const
    if (pair[0] === undefined || pair[1] === undefined) throw wrongArgument(words.current, `invalid ${what}`)
    map.push([pair[0], pair[1]])
  }
  return map
}

function showMap({ out, newline }: Session, key: string, word: string, map: [number, number][]): void {
  out.openArray(key)
  out.text(`${newline}      ${word} { `)
  for (const [from, to] of map) {
    out.openObject()
    out.json('from', from)
    out.json('to', to)
    out.text(`${from}:${to} `)
    out.close()
  }
  out.close()
  out.text('} ')
}

export const vlan: LinkType = {
  help,
  parse(words) {
    const data: LinkData = {}
    let flags = 0
    let mask = 0
    while (words.more) {
      const word = words.current
      const found = SWITCHES.find(([name]) => abbreviates(word, name))
      if (abbreviates(word, 'protocol')) {
        const known = { '802.1q': '802.1Q', '802.1ad': '802.1ad' }[words.value().toLowerCase()]
        if (known === undefined) throw wrongArgument(words.current, 'protocol is invalid')
        data.protocol = known
      } else if (abbreviates(word, 'id')) {
        data.id = parseUnsigned(words.value(), 0xffff)
        if (data.id === undefined) throw wrongArgument(words.current, 'id is invalid')
      } else if (found) {
        mask |= found[1]
        flags = onOff(found[0], words.value()) ? flags | found[1] : flags & ~found[1]
      } else if (abbreviates(word, 'ingress-qos-map')) {
        data.ingress = parseMap(words, 'ingress-qos-map')
        continue
      } else if (abbreviates(word, 'egress-qos-map')) {
        data.egress = parseMap(words, 'egress-qos-map')
        continue
      } else if (abbreviates(word, 'help')) throw new Refusal(help, 1)
      else throw unknownWord('vlan', word, help)
      words.advance()
    }
    if (mask) Object.assign(data, { flags, mask })
    return data
  },
  print(session, data) {
    const { out } = session
    out.field('protocol', String(data.protocol), `protocol ${data.protocol} `)
    out.field('id', Number(data.id), `id ${data.id} `)
    const flags = data.flags as string[]
    out.openArray('flags')
    for (const flag of flags) out.json(undefined, flag)
    out.close()
    out.text(`<${flags.join(',')}> `)
    if (data.ingress) showMap(session, 'ingress_qos', 'ingress-qos-map', data.ingress as [number, number][])
    if (data.egress) showMap(session, 'egress_qos', 'egress-qos-map', data.egress as [number, number][])
  },
}
