/** TCP: a segment, and what it means in its connection. */
import { type Context, dissectData, protocol } from './dissector.ts'
import { dissectDns } from './dns.ts'
import { dissectHttp, looksLikeHttp, messageLength } from './http.ts'
import type { TcpSide, TcpStream } from './state.ts'
import { Branch, bitPicture, hex, secondsText, type TreeNode, type Window } from './tree.ts'
import { ends } from './udp.ts'

const [FIN, SYN, RST, PSH, ACK] = [1, 2, 4, 8, 16]
const FLAGS: [string, string, number][] = [
  ['res', 'Reserved', 0xe00],
  ['ae', 'Accurate ECN', 0x100],
  ['cwr', 'Congestion Window Reduced', 0x080],
  ['ece', 'ECN-Echo', 0x040],
  ['urg', 'Urgent', 0x020],
  ['ack', 'Acknowledgment', 0x010],
  ['push', 'Push', 0x008],
  ['reset', 'Reset', 0x004],
  ['syn', 'Syn', 0x002],
  ['fin', 'Fin', 0x001],
]
const SHORT = ['AE', 'CWR', 'ECE', 'URG', 'ACK', 'PSH', 'RST', 'SYN', 'FIN']
/** What is put together of an application's message, at most. */
const PENDING_MAX = 4 << 20
const UNACKED_MAX = 2000

/** The difference of two sequence numbers, which wrap. RFC 9293 section 3.4. */
const after = (a: number, b: number) => (a - b) | 0
const plus = (a: number, b: number) => (a + b) >>> 0

export function dissectTcp(context: Context, window: Window, into: TreeNode[]): void {
  const { bytes, at, end } = window
  const headerLength = (bytes[at + 12]! >>> 4) * 4
  if (headerLength < 20) {
    dissectData(context, window, at, end, into)
    return
  }
  const dataAt = Math.min(end, at + headerLength)
  const length = end - dataAt
  const tcp = protocol(context, window, 'tcp', '', at, dataAt - at, into)
  const [src, dst] = [tcp.word(at), tcp.word(at + 2)]
  const [seq, ack] = [tcp.word32(at + 4), tcp.word32(at + 8)]
  const flags = tcp.word(at + 12) & 0xfff
  const value = tcp.word(at + 14)
  const key = ends(context.src, src, context.dst, dst)
  const first = `${context.src} ${src}`
  const known = context.state.tcp.get(key)
  const anew =
    (flags & (SYN | ACK)) === SYN && known !== undefined && known.sides[known.first === first ? 0 : 1].baseSeq !== seq
  const stream = context.state.tcpStream(key, first, context.timeNs, anew && !context.quoted)
  const place = stream.first === first ? 0 : 1
  const [mine, other] = [stream.sides[place]!, stream.sides[1 - place]!]
  if (!context.quoted) begin(mine, other, seq, ack, flags)
  const relSeq = mine.baseSeq === undefined ? seq : (seq - mine.baseSeq) >>> 0
  const relAck = !(flags & ACK) ? ack : other.baseSeq === undefined ? ack : (ack - other.baseSeq) >>> 0
  const ackText = flags & ACK ? `, Ack: ${relAck}` : ''
  tcp.node.text = `Transmission Control Protocol, Src Port: ${src}, Dst Port: ${dst}, Seq: ${relSeq}${ackText}, Len: ${length}`
  tcp.number('tcp.srcport', 'Source Port', at, 2)
  tcp.number('tcp.dstport', 'Destination Port', at + 2, 2)
  tcp.hide('tcp.port', src, at, 2)
  tcp.hide('tcp.port', dst, at + 2, 2)
  tcp.add('tcp.stream', `[Stream index: ${stream.index}]`, stream.index, at, 0)
  if (!context.quoted)
    tcp.add(
      'tcp.completeness',
      `[Conversation completeness: ${completenessText(stream.completeness)}]`,
      stream.completeness,
      at,
      0,
    )
  tcp.add('tcp.len', `[TCP Segment Len: ${length}]`, length, at, 0)
  tcp.add('tcp.seq', `Sequence Number: ${relSeq}    (relative sequence number)`, relSeq, at + 4, 4)
  tcp.add('tcp.seq_raw', `Sequence Number (raw): ${seq}`, seq, at + 4, 4)
  const consumed = length + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0)
  const next = plus(relSeq, consumed)
  tcp.add('tcp.nxtseq', `[Next Sequence Number: ${next}    (relative sequence number)]`, next, at, 0)
  const relative = flags & ACK ? '    (relative ack number)' : ''
  tcp.add('tcp.ack', `Acknowledgment Number: ${relAck}${relative}`, relAck, at + 8, 4)
  tcp.add('tcp.ack_raw', `Acknowledgment number (raw): ${ack}`, ack, at + 8, 4)
  tcp.add(
    'tcp.hdr_len',
    `${bitPicture(bytes[at + 12]!, 0xf0, 8)} = Header Length: ${headerLength} bytes (${headerLength / 4})`,
    headerLength,
    at + 12,
    1,
  )
  flagTree(tcp, flags, at)
  tcp.add('tcp.window_size_value', `Window: ${value}`, value, at + 14, 2)
  const scaled = flags & SYN || mine.scale === undefined || other.scale === undefined ? 0 : mine.scale
  const size = value * 2 ** scaled
  tcp.add('tcp.window_size', `[Calculated window size: ${size}]`, size, at + 14, 2)
  if (!(flags & SYN)) {
    const factor = !mine.sawSyn ? -1 : mine.scale === undefined || other.scale === undefined ? -2 : 2 ** mine.scale
    const said = factor === -1 ? '-1 (unknown)' : factor === -2 ? '-2 (no window scaling used)' : String(factor)
    tcp.add('tcp.window_size_scalefactor', `[Window size scaling factor: ${said}]`, factor, at + 14, 2)
  }
  tcp.add('tcp.checksum', `Checksum: ${hex(tcp.word(at + 16), 4)} [unverified]`, tcp.word(at + 16), at + 16, 2)
  tcp.add('tcp.checksum.status', '[Checksum Status: Unverified]', 2, at + 16, 0)
  tcp.number('tcp.urgent_pointer', 'Urgent Pointer', at + 18, 2)
  const scale = dataAt > at + 20 ? options(tcp, at + 20, dataAt, other.baseSeq) : undefined
  if (context.quoted) {
    if (length > 0) payloadNode(tcp, dataAt, end)
    dissectData(context, window, dataAt, end, into)
    return
  }
  if (flags & SYN) {
    mine.sawSyn = true
    mine.scale = scale
  }
  const times = tcp.add('', '[Timestamps]', undefined, at, 0)
  const since = context.timeNs - stream.firstNs
  times.add(
    'tcp.time_relative',
    `[Time since first frame in this TCP stream: ${secondsText(since)} seconds]`,
    since / 1e9,
    at,
    0,
  )
  const delta = context.timeNs - stream.lastNs
  times.add(
    'tcp.time_delta',
    `[Time since previous frame in this TCP stream: ${secondsText(delta)} seconds]`,
    delta / 1e9,
    at,
    0,
  )
  stream.lastNs = context.timeNs
  const inOrder = mine.nextSeq === undefined || seq === mine.nextSeq || (flags & SYN) !== 0
  analyse(context, tcp, stream, mine, other, { seq, ack, flags, value, length, consumed, at })
  complete(stream, flags, length)
  if (length === 0) {
    if (flags & FIN) finishPending(context, mine, stream, into)
    return
  }
  payloadNode(tcp, dataAt, end)
  if (!inOrder) {
    segmentData(tcp, dataAt, end)
    return
  }
  application(context, window, tcp, stream, mine, { src, dst, dataAt, end, fin: (flags & FIN) !== 0 }, into)
}

function begin(mine: TcpSide, other: TcpSide, seq: number, ack: number, flags: number): void {
  if (flags & SYN) mine.baseSeq = seq
  // Joined in the middle: the first byte seen is byte 1.
  mine.baseSeq ??= plus(seq, -1)
  if (flags & ACK && other.baseSeq === undefined) other.baseSeq = plus(ack, -1)
}

const COMPLETENESS: Readonly<Record<number, string>> = {
  1: 'Incomplete, SYN_SENT',
  3: 'Incomplete, CLIENT_ESTABLISHED',
  7: 'Incomplete, ESTABLISHED',
  15: 'Incomplete, DATA',
}

function completenessText(value: number): string {
  if (COMPLETENESS[value]) return `${COMPLETENESS[value]} (${value})`
  if ((value & 7) === 7 && value >= 16) return `Complete, ${value & 8 ? 'WITH_DATA' : 'NO_DATA'} (${value})`
  return `Incomplete (${value})`
}

function complete(stream: TcpStream, flags: number, length: number): void {
  if (flags & SYN) stream.completeness |= flags & ACK ? 2 : 1
  else if (flags & ACK && (stream.completeness & 3) === 3 && !(flags & (RST | FIN))) stream.completeness |= 4
  if (length > 0) stream.completeness |= 8
  if (flags & FIN) stream.completeness |= 16
  if (flags & RST) stream.completeness |= 32
}

function flagTree(tcp: Branch, flags: number, at: number): void {
  const set = SHORT.filter((_, i) => flags & (0x100 >> i)).reverse()
  const tree = tcp.add('tcp.flags', `Flags: ${hex(flags, 3)} (${set.join(', ') || '<None>'})`, flags, at + 12, 2)
  for (const [name, label, mask] of FLAGS) {
    const on = (flags & mask) !== 0
    const high = mask > 0xff
    tree.add(
      `tcp.flags.${name}`,
      `${bitPicture(flags, mask, 12)} = ${label}: ${on ? 'Set' : 'Not set'}`,
      name === 'res' ? flags >>> 9 : on ? 1 : 0,
      high ? at + 12 : at + 13,
      1,
    )
  }
  const letters = 'RRRACEUAPRSF'
  const text = Array.from(letters, (letter, i) => (flags & (0x800 >> i) ? letter : '·')).join('')
  tree.add('tcp.flags.str', `[TCP Flags: ${text}]`, text, at + 12, 2)
}

const OPTION_NAMES: Readonly<Record<number, [string, string, string]>> = {
  0: ['eol', 'End of Option List (EOL)', 'End of Option List'],
  1: ['nop', 'No-Operation (NOP)', 'No-Operation'],
  2: ['mss', 'Maximum segment size', 'Maximum Segment Size'],
  3: ['wscale', 'Window scale', 'Window Scale'],
  4: ['sack_perm', 'SACK permitted', 'SACK Permitted'],
  5: ['sack', 'SACK', 'SACK'],
  8: ['timestamp', 'Timestamps', 'Time Stamp Option'],
}

/** The shift that the option of window scaling says, if there is one. */
function options(tcp: Branch, from: number, end: number, base: number | undefined): number | undefined {
  const { bytes } = tcp
  const tree = tcp.add('tcp.options', '', bytes.slice(from, end), from, end - from)
  const names: string[] = []
  let scale: number | undefined
  for (let at = from; at < end; ) {
    const kind = bytes[at]!
    const size = kind < 2 ? 1 : at + 1 < end ? bytes[at + 1]! : 0
    if (size === 0 || at + size > end || (kind >= 2 && size < 2)) break
    const [key, name, kindName] = OPTION_NAMES[kind] ?? ['unknown', 'Unknown', 'Unknown']
    const option = tree.add(`tcp.options.${key}`, `TCP Option - ${name}`, bytes.slice(at, at + size), at, size)
    names.push(name)
    option.number('tcp.option_kind', 'Kind', at, 1, (value) => `${kindName} (${value})`)
    if (kind >= 2) option.number('tcp.option_len', 'Length', at + 1, 1)
    if (kind === 2 && size === 4) {
      const mss = option.number('tcp.options.mss_val', 'MSS Value', at + 2, 2)
      option.node.text += `: ${mss} bytes`
    } else if (kind === 3 && size === 3) {
      scale = Math.min(14, option.number('tcp.options.wscale.shift', 'Shift count', at + 2, 1))
      option.add('tcp.options.wscale.multiplier', `[Multiplier: ${2 ** scale}]`, 2 ** scale, at + 2, 1)
      option.node.text += `: ${scale} (multiply by ${2 ** scale})`
    } else if (kind === 8 && size === 10) {
      const value = option.number('tcp.options.timestamp.tsval', 'Timestamp value', at + 2, 4)
      const echo = option.number('tcp.options.timestamp.tsecr', 'Timestamp echo reply', at + 6, 4)
      option.node.text += `: TSval ${value}, TSecr ${echo}`
    } else if (kind === 5) {
      const edges: number[] = []
      for (let edge = at + 2; edge + 8 <= at + size; edge += 8) {
        for (const [key, side, at] of [
          ['le', 'left', edge],
          ['re', 'right', edge + 4],
        ] as const) {
          const value = base === undefined ? option.word32(at) : (option.word32(at) - base) >>> 0
          option.add(
            `tcp.options.sack_${key}`,
            `${side} edge = ${value}${base === undefined ? '' : ' (relative)'}`,
            value,
            at,
            4,
          )
          edges.push(value)
        }
      }
      option.add('tcp.options.sack.count', `[TCP SACK Count: ${edges.length / 2}]`, edges.length / 2, at, 0)
      option.node.text += edges.map((edge, i) => (i % 2 === 0 ? ` ${edge}-` : String(edge))).join('')
    }
    if (kind === 0) break
    at += size
  }
  tree.node.text = `Options: (${end - from} bytes), ${names.join(', ')}`
  return scale
}

function payloadNode(tcp: Branch, at: number, end: number): void {
  tcp.add(
    'tcp.payload',
    `TCP payload (${end - at} byte${end - at === 1 ? '' : 's'})`,
    tcp.bytes.slice(at, end),
    at,
    end - at,
  )
}

function segmentData(tcp: Branch, at: number, end: number): void {
  tcp.add(
    'tcp.segment_data',
    `TCP segment data (${end - at} byte${end - at === 1 ? '' : 's'})`,
    tcp.bytes.slice(at, end),
    at,
    end - at,
  )
}

interface Segment {
  seq: number
  ack: number
  flags: number
  value: number
  length: number
  consumed: number
  at: number
}

/** What is unusual about a segment, and what it acknowledges. Kept to what one pass can know. */
function analyse(
  context: Context,
  tcp: Branch,
  stream: TcpStream,
  mine: TcpSide,
  other: TcpSide,
  segment: Segment,
): void {
  const { seq, ack, flags, value, length, consumed, at } = segment
  const plain = !(flags & (SYN | FIN | RST))
  const said: [string, string][] = []
  const say = (name: string, text: string) => said.push([`tcp.analysis.${name}`, text])
  const { nextSeq } = mine
  const keepAlive = nextSeq !== undefined && length <= 1 && plain && after(seq, nextSeq) === -1 && consumed <= 1
  let dup = 0
  if (value === 0 && plain) say('zero_window', 'TCP Zero Window segment')
  if (keepAlive) say('keep_alive', 'TCP keep-alive segment')
  if (nextSeq !== undefined && after(seq, nextSeq) > 0 && !(flags & RST))
    say('lost_segment', 'Previous segment(s) not captured (common at capture start)')
  const same = nextSeq !== undefined && length === 0 && plain && value > 0 && seq === nextSeq && ack === mine.lastAck
  if (same && value !== mine.window) say('window_update', 'TCP window update')
  if (same && value === mine.window) {
    dup = ++mine.dupAcks
    say('duplicate_ack', `Duplicate ACK (#${dup})`)
  } else if (ack !== mine.lastAck) mine.dupAcks = 0
  if (flags & ACK && other.nextSeq !== undefined && after(ack, other.nextSeq) > 0)
    say('ack_lost_segment', "ACKed segment that wasn't captured (common at capture start)")
  const again = nextSeq !== undefined && consumed > 0 && after(seq, nextSeq) < 0 && !keepAlive && !(flags & RST)
  if (again) {
    const reached = plus(seq, consumed)
    const quick = context.timeNs - other.lastTimeNs < 20e6
    if (other.dupAcks >= 2 && other.lastAck === seq && quick) {
      say('fast_retransmission', 'This frame is a (suspected) fast retransmission')
      say('retransmission', 'This frame is a (suspected) retransmission')
    } else if (context.timeNs - mine.lastTimeNs < (stream.rttNs ?? 3e6) && reached !== nextSeq)
      say('out_of_order', 'This frame is a (suspected) out-of-order segment')
    else if (other.lastAck !== undefined && after(reached, other.lastAck) <= 0) {
      say('spurious_retransmission', 'This frame is a (suspected) spurious retransmission')
      say('retransmission', 'This frame is a (suspected) retransmission')
    } else say('retransmission', 'This frame is a (suspected) retransmission')
  }
  // Those of acknowledgement come first.
  const facts: { first: boolean; say: (branch: Branch) => void }[] = []
  if (flags & ACK) {
    const acked = other.unacked.find((one) => one.end === ack)
    if (acked) {
      const rtt = context.timeNs - acked.timeNs
      const say = (branch: Branch) => {
        branch.add(
          'tcp.analysis.acks_frame',
          `[This is an ACK to the segment in frame: ${acked.frame}]`,
          acked.frame,
          at,
          0,
        )
        branch.add(
          'tcp.analysis.ack_rtt',
          `[The RTT to ACK the segment was: ${secondsText(rtt)} seconds]`,
          rtt / 1e9,
          at,
          0,
        )
      }
      facts.push({ first: true, say })
    }
    other.unacked = other.unacked.filter((one) => after(one.end, ack) > 0)
    if (stream.synNs !== undefined && !(flags & SYN)) stream.rttNs ??= context.timeNs - stream.synNs
  }
  if (flags & SYN && !(flags & ACK)) stream.synNs ??= context.timeNs
  const rtt = stream.rttNs
  if (consumed > 0 && !again && mine.unacked.length < UNACKED_MAX)
    mine.unacked.push({ end: plus(seq, consumed), frame: context.number, timeNs: context.timeNs })
  const reach = plus(seq, consumed)
  if (nextSeq === undefined || after(reach, nextSeq) > 0) {
    mine.nextSeq = reach
    mine.lastTimeNs = context.timeNs
  }
  if (length > 0) {
    const fact = (say: (branch: Branch) => void) => facts.push({ first: false, say })
    const flight = other.lastAck === undefined ? 0 : after(plus(seq, length), other.lastAck)
    mine.pushBytes += length
    const pushed = mine.pushBytes
    if (flags & PSH) mine.pushBytes = 0
    if (flight > 0)
      fact((branch) => branch.add('tcp.analysis.bytes_in_flight', `[Bytes in flight: ${flight}]`, flight, at, 0))
    fact((branch) =>
      branch.add('tcp.analysis.push_bytes_sent', `[Bytes sent since last PSH flag: ${pushed}]`, pushed, at, 0),
    )
  }
  if (flags & ACK) mine.lastAck = ack
  mine.window = value
  if (length === 0 && flags & ACK) mine.lastTimeNs = context.timeNs
  if (facts.length === 0 && said.length === 0) return
  const tree = tcp.add('tcp.analysis', '[SEQ/ACK analysis]', undefined, at, 0)
  for (const fact of facts.filter((one) => one.first)) fact.say(tree)
  if (rtt !== undefined) tree.add('tcp.analysis.initial_rtt', `[iRTT: ${secondsText(rtt)} seconds]`, rtt / 1e9, at, 0)
  for (const fact of facts.filter((one) => !one.first)) fact.say(tree)
  if (said.length > 0) {
    const notes = tree.add('tcp.analysis.flags', '[TCP Analysis Flags]', undefined, at, 0)
    for (const [name, text] of said) notes.add(name, `[${text}]`, undefined, at, 0)
    if (dup > 0) tree.add('tcp.analysis.duplicate_ack_num', `[Duplicate ACK #: ${dup}]`, dup, at, 0)
  }
}

interface Payload {
  src: number
  dst: number
  dataAt: number
  end: number
  fin: boolean
}

/** Messages of an application, put together where one takes several segments. */
function application(
  context: Context,
  window: Window,
  tcp: Branch,
  stream: TcpStream,
  mine: TcpSide,
  payload: Payload,
  into: TreeNode[],
): void {
  const { src, dst, dataAt, end } = payload
  const piece = window.bytes.slice(dataAt, end)
  const dns = src === 53 || dst === 53
  const http = !dns && (mine.pendingLength > 0 || looksLikeHttp(piece))
  if (!dns && !http) {
    dissectData(context, window, dataAt, end, into)
    return
  }
  const before = mine.pending
  mine.pending = [...before, { frame: context.number, bytes: piece }]
  mine.pendingLength += piece.length
  const whole = join(mine)
  const need = dns ? dnsLength(whole) : messageLength(whole, stream.http, payload.fin)
  if (need === undefined || need > whole.length) {
    segmentData(tcp, dataAt, end)
    if (mine.pendingLength > PENDING_MAX) forget(mine)
    return
  }
  const at =
    before.length === 0 ? { ...window, at: dataAt, end } : reassembled(context, tcp, mine, whole, dataAt, end, into)
  if (dns && before.length === 0) tcp.add('tcp.pdu.size', `[PDU Size: ${need}]`, need, dataAt, need)
  forget(mine)
  let from = at.at
  for (let size: number | undefined = need; size !== undefined && size > 0 && from + size <= at.end; ) {
    const one = { ...at, at: from, end: from + size }
    if (dns) dissectDns(context, { ...one, at: from + 2 }, from, false, into)
    else dissectHttp(context, one, stream.http, into)
    from += size
    const rest = at.bytes.subarray(from, at.end)
    size =
      rest.length === 0
        ? undefined
        : dns
          ? dnsLength(rest)
          : looksLikeHttp(rest)
            ? messageLength(rest, stream.http, payload.fin)
            : undefined
  }
  if (from >= at.end) return
  const rest = at.bytes.slice(from, at.end)
  if (!dns && !looksLikeHttp(rest)) dissectData(context, at, from, at.end, into)
  else {
    mine.pending = [{ frame: context.number, bytes: rest }]
    mine.pendingLength = rest.length
  }
}

const dnsLength = (bytes: Uint8Array) => (bytes.length < 2 ? undefined : 2 + bytes[0]! * 256 + bytes[1]!)

function forget(side: TcpSide): void {
  side.pending = []
  side.pendingLength = 0
}

function join(side: TcpSide): Uint8Array {
  if (side.pending.length === 1) return side.pending[0]!.bytes
  const whole = new Uint8Array(side.pendingLength)
  let at = 0
  for (const { bytes } of side.pending) {
    whole.set(bytes, at)
    at += bytes.length
  }
  return whole
}

function reassembled(
  context: Context,
  tcp: Branch | undefined,
  side: TcpSide,
  whole: Uint8Array,
  dataAt: number,
  end: number,
  into: TreeNode[],
): Window {
  if (tcp) segmentData(tcp, dataAt, end)
  const source = context.sources.push({ name: 'Reassembled TCP', bytes: whole }) - 1
  const count = side.pending.length
  const list = side.pending.map(({ frame, bytes }) => `#${frame}(${bytes.length})`).join(', ')
  const node: TreeNode = {
    name: 'tcp.segments',
    text: `[${count} Reassembled TCP Segments (${whole.length} bytes): ${list}]`,
    value: whole,
    at: 0,
    length: whole.length,
    source,
    children: [],
  }
  into.push(node)
  const tree = new Branch(node, whole)
  let at = 0
  for (const { frame, bytes } of side.pending) {
    tree.add(
      'tcp.segment',
      `[Frame: ${frame}, payload: ${at}-${at + bytes.length - 1} (${bytes.length} bytes)]`,
      frame,
      at,
      bytes.length,
    )
    at += bytes.length
  }
  tree.add('tcp.segment.count', `[Segment count: ${count}]`, count, 0, 0)
  tree.add('tcp.reassembled.length', `[Reassembled TCP length: ${whole.length}]`, whole.length, 0, 0)
  return { bytes: whole, source, at: 0, end: whole.length }
}

/** A message that only the connection's end ends. */
function finishPending(context: Context, mine: TcpSide, stream: TcpStream, into: TreeNode[]): void {
  if (mine.pendingLength === 0) return
  const whole = join(mine)
  if (looksLikeHttp(whole) && messageLength(whole, stream.http, true) === whole.length) {
    const window = reassembled(context, undefined, mine, whole, 0, 0, into)
    dissectHttp(context, window, stream.http, into)
  }
  forget(mine)
}
