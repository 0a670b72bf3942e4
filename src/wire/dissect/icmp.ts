/** ICMP: echoes and what answers them, errors and what they quote. */
import { internetChecksum } from '#base/bytes'
import { ICMP_CODE_NAMES, ICMP_TYPE_NAMES } from '#wire/inet'
import { type Context, dateText, dissectData, protocol } from './dissector.ts'
import { dissectIp } from './ip.ts'

import { type Branch, hex, secondsText, type TreeNode, type Window } from './tree.ts'

const QUERIES = new Set([0, 8, 13, 14, 15, 16, 17, 18])
const ERRORS = new Set([3, 4, 5, 11, 12])

/** A checksum with what was found, as Wireshark says it. */
export function checksumLine(branch: Branch, name: string, at: number, right: number | undefined, note = ''): void {
  const found = branch.word(at)
  const good =
    right === undefined ? undefined : found === right || ((found ^ right) === 0xffff && (found === 0 || right === 0))
  const verdict = good === undefined ? '[unverified]' : good ? '[correct]' : `incorrect, should be ${hex(right!, 4)}`
  const node = branch.add(`${name}.checksum`, `Checksum: ${hex(found, 4)} ${verdict}${note}`, found, at, 2).node
  node.check = good === undefined ? 'unverified' : good ? 'good' : 'bad'
  const [status, word] = good === undefined ? [2, 'Unverified'] : good ? [1, 'Good'] : [0, 'Bad']
  branch.add(`${name}.checksum.status`, `[Checksum Status: ${word}]`, status, at, 0)
}

export function dissectIcmp(context: Context, window: Window, into: TreeNode[]): void {
  const { bytes, at, end } = window
  const icmp = protocol(context, window, 'icmp', 'Internet Control Message Protocol', at, end - at, into)
  const type = icmp.number('icmp.type', 'Type', at, 1, (value) => `${value} (${ICMP_TYPE_NAMES[value] ?? 'Unknown'})`)
  const code = icmp.number('icmp.code', 'Code', at + 1, 1, (value) => {
    const name = ICMP_CODE_NAMES[type]?.[value]
    return name === undefined ? String(value) : `${value} (${name})`
  })
  checksumLine(
    icmp,
    'icmp',
    at + 2,
    context.quoted ? undefined : internetChecksum(bytes, at, end - at, -icmp.word(at + 2)),
  )
  if (QUERIES.has(type)) {
    const pair = (name: string, label: string, place: number) => {
      const value = icmp.word(place)
      const little = (value & 255) * 256 + (value >>> 8)
      icmp.add(`icmp.${name}`, `${label} (BE): ${value} (${hex(value, 4)})`, value, place, 2)
      icmp.add(`icmp.${name}_le`, `${label} (LE): ${little} (${hex(little, 4)})`, little, place, 2)
      return value
    }
    const ident = pair('ident', 'Identifier', at + 4)
    const seq = pair('seq', 'Sequence Number', at + 6)
    if (type === 8 || type === 0) echo(context, icmp, type, `${ident} ${seq}`, at)
    if (type === 8 || type === 0) dissectEchoData(context, icmp, window)
    else dissectData(context, window, at + 8, end, icmp.node.children)
    return
  }
  if (type === 5) icmp.ipv4('icmp.redir_gw', 'Gateway Address', at + 4)
  else if (type === 3 && code === 4) {
    icmp.raw('icmp.unused', 'Unused', at + 4, 2)
    icmp.number('icmp.mtu', 'MTU of next hop', at + 6, 2)
  } else if (type === 12) icmp.number('icmp.pointer', 'Pointer', at + 4, 1)
  else icmp.raw('icmp.unused', 'Unused', at + 4, 4)
  if (!ERRORS.has(type)) {
    dissectData(context, window, at + 8, end, icmp.node.children)
    return
  }
  const outer = context.quoted
  context.quoted = true
  dissectIp(context, { ...window, at: at + 8 }, icmp.node.children)
  context.quoted = outer
}

/** In one pass a request can't know its reply; a reply knows its request. */
function echo(context: Context, icmp: Branch, type: number, key: string, at: number): void {
  if (context.quoted) return
  const { echoes } = context.state
  if (type === 8) {
    echoes.set(`4 ${context.src} ${context.dst} ${key}`, { frame: context.number, timeNs: context.timeNs })
    return
  }
  const asked = echoes.get(`4 ${context.dst} ${context.src} ${key}`)
  if (!asked) return
  const ms = (context.timeNs - asked.timeNs) / 1e6
  icmp.add('icmp.resp_to', `[Request frame: ${asked.frame}]`, asked.frame, at, 0)
  icmp.add('icmp.resptime', `[Response time: ${ms.toFixed(3)} ms]`, ms, at, 0)
}

/** ping's data begins with the time at which it was sent, if it looks like one. */
function dissectEchoData(context: Context, icmp: Branch, window: Window): void {
  const { bytes, at, end } = window
  let from = at + 8
  if (end - from >= 16) {
    const little = (place: number) =>
      bytes[place]! + bytes[place + 1]! * 256 + bytes[place + 2]! * 65_536 + bytes[place + 3]! * 2 ** 24
    const stamp = little(from)
    if (little(from + 4) === 0 && Math.abs(stamp - Math.floor(context.timeS)) < 86_400) {
      icmp.add('icmp.data_time', `Timestamp from icmp data: ${dateText(stamp, 0)}`, stamp, from, 8)
      const relative = Math.round((context.timeS - stamp) * 1e9)
      const seconds = relative < 0 ? `-${secondsText(-relative)}` : secondsText(Math.round(relative / 1000) * 1000)
      icmp.add(
        'icmp.data_time_relative',
        `[Timestamp from icmp data (relative): ${seconds} seconds]`,
        relative / 1e9,
        from,
        8,
      )
      from += 8
    }
  }
  dissectData(context, window, from, end, icmp.node.children)
}
