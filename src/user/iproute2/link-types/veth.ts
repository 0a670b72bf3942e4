/** `type veth [peer ...]`. iproute2 6.1 ip/link_veth.c */
import { parseLinkWords } from '../link-words.ts'
import { duplicate, Refusal } from '../words.ts'
import type { LinkType } from './type.ts'

const help = `Usage: ip link <options> type veth [peer <options>]
To get <options> type 'ip link add help'
`

export const veth: LinkType = {
  help,
  parse(words, session) {
    if (words.current !== 'peer') throw new Refusal(help, 1)
    words.advance()
    const peer = parseLinkWords(session, words)
    if (peer.kind !== undefined) throw duplicate('type', peer.kind)
    peer.name ??= peer.device
    return { peer }
  },
}
