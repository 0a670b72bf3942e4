/** UDP, and what stands on its ports: DNS, VXLAN. */
import { type Context, dissectData, protocol } from './dissector.ts'
import { dissectDns } from './dns.ts'
import { dissectEthernet } from './link.ts'
import { hex, secondsText, type TreeNode, type Window } from './tree.ts'

export function dissectUdp(context: Context, window: Window, into: TreeNode[]): void {
  const { bytes, at, end } = window
  const [src, dst] = [bytes[at]! * 256 + bytes[at + 1]!, bytes[at + 2]! * 256 + bytes[at + 3]!]
  const udp = protocol(
    context,
    window,
    'udp',
    `User Datagram Protocol, Src Port: ${src}, Dst Port: ${dst}`,
    at,
    8,
    into,
  )
  udp.number('udp.srcport', 'Source Port', at, 2)
  udp.number('udp.dstport', 'Destination Port', at + 2, 2)
  udp.hide('udp.port', src, at, 2)
  udp.hide('udp.port', dst, at + 2, 2)
  udp.number('udp.length', 'Length', at + 4, 2)
  const sum = udp.word(at + 6)
  const verdict = sum === 0 ? '[zero-value ignored]' : '[unverified]'
  udp.add('udp.checksum', `Checksum: ${hex(sum, 4)} ${verdict}`, sum, at + 6, 2)
  const [status, word] = sum === 0 ? [3, 'Not present'] : [2, 'Unverified']
  udp.add('udp.checksum.status', `[Checksum Status: ${word}]`, status, at + 6, 0)
  const stream = context.state.udpStream(ends(context.src, src, context.dst, dst), context.timeNs)
  udp.add('udp.stream', `[Stream index: ${stream.index}]`, stream.index, at + 8, 0)
  if (!context.quoted) {
    const times = udp.add('', '[Timestamps]', undefined, at, 0)
    const since = context.timeNs - stream.firstNs
    times.add('udp.time_relative', `[Time since first frame: ${secondsText(since)} seconds]`, since / 1e9, at, 0)
    const delta = context.timeNs - stream.lastNs
    times.add('udp.time_delta', `[Time since previous frame: ${secondsText(delta)} seconds]`, delta / 1e9, at, 0)
    stream.lastNs = context.timeNs
  }
  const from = at + 8
  if (from >= end) return
  const payload = bytes.slice(from, end)
  udp.add(
    'udp.payload',
    `UDP payload (${payload.length} byte${payload.length === 1 ? '' : 's'})`,
    payload,
    from,
    payload.length,
  )
  const inner = { ...window, at: from }
  if (src === 53 || dst === 53 || src === 5353 || dst === 5353)
    dissectDns(context, inner, undefined, src === 5353 || dst === 5353, into)
  else if (dst === 4789 && end - from >= 22) dissectVxlan(context, inner, into)
  else dissectData(context, window, from, end)
}

/** The same for both directions. */
export function ends(a: string, aPort: number, b: string, bPort: number): string {
  const [one, other] = [`${a} ${aPort}`, `${b} ${bPort}`]
  return one < other ? `${one} ${other}` : `${other} ${one}`
}

function dissectVxlan(context: Context, window: Window, into: TreeNode[]): void {
  const { at } = window
  const vxlan = protocol(context, window, 'vxlan', 'Virtual eXtensible Local Area Network', at, 8, into)
  const flags = vxlan.word(at)
  const set = [flags & 0x8000 ? 'GBP Extension' : '', flags & 0x0800 ? 'VXLAN Network ID (VNI)' : ''].filter(
    (name) => name !== '',
  )
  const tree = vxlan.add('vxlan.flags', `Flags: ${[hex(flags, 4), ...set].join(', ')}`, flags, at, 2)
  tree.flag('vxlan.flag_g', 'GBP Extension', at, 2, 0x8000, 'Defined', 'Not defined')
  tree.flag('vxlan.flag_i', 'VXLAN Network ID (VNI)', at, 2, 0x0800, 'True', 'False')
  tree.flag('vxlan.flag_d', "Don't Learn", at, 2, 0x0040, 'True', 'False')
  tree.flag('vxlan.flag_a', 'Policy Applied', at, 2, 0x0008, 'True', 'False')
  vxlan.number('vxlan.gbp', 'Group Policy ID', at + 2, 2)
  vxlan.number('vxlan.vni', 'VXLAN Network Identifier (VNI)', at + 4, 3)
  vxlan.number('vxlan.reserved8', 'Reserved', at + 7, 1)
  dissectEthernet(context, { ...window, at: at + 8 })
}
