/**
 * Segments as scripts write them, and as bytes. Sequence numbers count from each side's first one; what only shows while a
 * script runs (the kernel's port, its first sequence number, its timestamps) is put into a template as patches.
 */

/** The other end's first sequence number: near the end of the space, so that every longer script sees it wrap. */
export const PEER_ISN = 0xffff_0000

const LOCAL_IP = [10, 0, 0, 1]
const PEER_IP = [10, 0, 0, 2]
const LOCAL_MAC = [2, 0, 0, 0, 1, 0]
const PEER_MAC = [2, 0, 0, 0, 2, 0]

/** What a runner has to put in: p the flow's local port, i the kernel's first sequence number, t its clock's base, l its last timestamp. */
export interface Patch {
  what: 'p' | 'i' | 't' | 'l'
  at: number
}

/** A segment or ICMP message to be sent, as parsed. */
export interface ScriptSegment {
  flow: string
  /** The bytes for given ports. */
  template(localPort: number, peerPort: number, nowMs: number): { bytes: Uint8Array; patches: Patch[] }
  checksum: 'tcp' | 'icmp'
}

const FLAG_LETTERS: [letter: string, bit: number][] = [
  ['F', 1],
  ['S', 2],
  ['R', 4],
  ['P', 8],
  ['.', 16],
  ['U', 32],
  ['E', 64],
  ['W', 128],
]

type Fault = (what: string) => Error

/** The byte at a place of a stream, on both sides: data that went astray shows. */
export function patternByte(position: number): number {
  return ((position % 251) + 251) % 251
}

interface Option {
  bytes: number[]
  /** Offsets within the option, and what belongs there. */
  patches: Patch[]
  nowAt?: number
}

function word32(value: number): number[] {
  const word = value >>> 0
  return [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]
}

function parseOption(text: string, fault: Fault): Option {
  const [name, ...rest] = text.trim().split(/\s+/)
  const number = (word: string | undefined) => {
    if (word === undefined || !/^\d+$/.test(word)) throw fault(`option ${text}`)
    return Number(word)
  }
  const plain = (...bytes: number[]): Option => ({ bytes, patches: [] })
  switch (name) {
    case 'nop':
      return plain(1)
    case 'eol':
      return plain(0)
    case 'mss':
      return plain(2, 4, number(rest[0]) >> 8, number(rest[0]) & 255)
    case 'wscale':
      return plain(3, 3, number(rest[0]))
    case 'sackOK':
      return plain(4, 2)
    case 'sack': {
      const option = plain(5, 2 + 8 * rest.length)
      for (const block of rest) {
        const [, from, to] = /^(\d+):(\d+)$/.exec(block) ?? []
        if (from === undefined) throw fault(`option ${text}`)
        for (const edge of [from, to]) {
          option.patches.push({ what: 'i', at: option.bytes.length })
          option.bytes.push(...word32(Number(edge)))
        }
      }
      return option
    }
    case 'ts': {
      const option = plain(8, 10)
      if (rest[0] === 'now') option.nowAt = 2
      option.bytes.push(...word32(rest[0] === 'now' ? 0 : number(rest[0])))
      if (rest[1] === 'last') option.patches.push({ what: 'l', at: 6 })
      else if (number(rest[1]) > 0) option.patches.push({ what: 't', at: 6 })
      option.bytes.push(...word32(rest[1] === 'last' ? 0 : number(rest[1])))
      return option
    }
    case 'opt': {
      const data = [...Buffer.from(rest[1] ?? '', 'hex')]
      return plain(number(rest[0]), 2 + data.length, ...data)
    }
  }
  throw fault(`no such option: ${text}`)
}

/** Reads `[FLOW:] FLAGS SEQ:END(LENGTH) [ack N] [win N] [urg N] [ttl N] [tos N] [<OPTION,...>]`, or `icmp ...`. */
export function parseSegment(source: string, fault: Fault): ScriptSegment {
  let text = source
  let flow = ''
  const named = /^([a-z]\w*):\s+/.exec(text)
  if (named) {
    flow = named[1]!
    text = text.slice(named[0].length)
  }
  if (text.startsWith('icmp ')) return parseIcmp(flow, text, fault)
  const options: Option[] = []
  text = text.replace(/<([^>]*)>/, (_, list: string) => {
    for (const each of list.split(',')) options.push(parseOption(each, fault))
    return ''
  })
  const words = text.trim().split(/\s+/)
  const flagText = words.shift() ?? ''
  let flags = 0
  for (const letter of flagText === '-' ? '' : flagText) {
    const found = FLAG_LETTERS.find(([each]) => each === letter)
    if (!found) throw fault(`no such flag: ${letter}`)
    flags |= found[1]
  }
  const [, seqText, , lengthText] = /^(\d+):(\d+)\((\d+)\)$/.exec(words.shift() ?? '') ?? []
  if (seqText === undefined) throw fault('SEQUENCE:END(LENGTH)')
  const sequence = Number(seqText)
  const length = Number(lengthText)
  const field: Record<string, number> = { ack: -1, win: 65535, urg: 0, ttl: 64, tos: 0 }
  while (words.length > 0) {
    const name = words.shift()!
    const value = words.shift()
    if (!(name in field) || value === undefined || Number.isNaN(Number(value))) throw fault(`what is ${name}?`)
    field[name] = Number(value)
  }
  if (field['ack']! >= 0 !== ((flags & 16) !== 0)) throw fault('`.` and ack go together')

  const optionBytes: number[] = []
  const optionPatches: Patch[] = []
  let nowAt = -1
  for (const option of options) {
    for (const patch of option.patches) optionPatches.push({ what: patch.what, at: 54 + optionBytes.length + patch.at })
    if (option.nowAt !== undefined) nowAt = 54 + optionBytes.length + option.nowAt
    optionBytes.push(...option.bytes)
  }
  while (optionBytes.length % 4 !== 0) optionBytes.push(0)
  if (optionBytes.length > 40) throw fault('more than 40 bytes of options')

  return {
    flow,
    checksum: 'tcp',
    template(localPort, peerPort, nowMs) {
      const total = 54 + optionBytes.length + length
      const bytes = new Uint8Array(total)
      const view = new DataView(bytes.buffer)
      writeIp(bytes, total - 14, 6, field['ttl']!, field['tos']!)
      view.setUint16(34, peerPort)
      view.setUint16(36, localPort)
      view.setUint32(38, (PEER_ISN + sequence) >>> 0)
      const patches: Patch[] = [{ what: 'p', at: 36 }, ...optionPatches]
      if (flags & 16) {
        view.setUint32(42, field['ack']!)
        patches.push({ what: 'i', at: 42 })
      }
      bytes[46] = (5 + optionBytes.length / 4) << 4
      bytes[47] = flags
      view.setUint16(48, field['win']!)
      view.setUint16(52, field['urg']!)
      bytes.set(optionBytes, 54)
      if (nowAt >= 0) view.setUint32(nowAt, nowMs)
      // The stream's first byte comes behind the SYN.
      for (let i = 0; i < length; i++) bytes[54 + optionBytes.length + i] = patternByte(sequence - 1 + i)
      return { bytes, patches }
    },
  }
}

const ICMP: Record<string, [type: number, code: number]> = {
  'net-unreachable': [3, 0],
  'host-unreachable': [3, 1],
  'protocol-unreachable': [3, 2],
  'port-unreachable': [3, 3],
  'frag-needed': [3, 4],
  'source-route-failed': [3, 5],
  'admin-prohibited': [3, 13],
  'source-quench': [4, 0],
  'time-exceeded': [11, 0],
  'parameter-problem': [12, 0],
}

/** `icmp KIND [mtu N] of SEQUENCE`: about a segment of the kernel's. */
function parseIcmp(flow: string, text: string, fault: Fault): ScriptSegment {
  const [, kind, mtu, sequence] = /^icmp ([a-z-]+)(?: mtu (\d+))? of (\d+)$/.exec(text) ?? []
  const numbers = ICMP[kind ?? '']
  if (!numbers) throw fault(`icmp KIND [mtu N] of SEQUENCE; kinds: ${Object.keys(ICMP).join(' ')}`)
  return {
    flow,
    checksum: 'icmp',
    template(localPort, peerPort) {
      const bytes = new Uint8Array(14 + 20 + 8 + 20 + 8)
      const view = new DataView(bytes.buffer)
      writeIp(bytes, bytes.length - 14, 1, 64, 0)
      bytes[34] = numbers[0]
      bytes[35] = numbers[1]
      view.setUint16(40, Number(mtu ?? 0))
      // The quoted header is the kernel's, to us.
      const quoted = bytes.subarray(42)
      const quotedView = new DataView(quoted.buffer, quoted.byteOffset)
      quoted.set([0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6])
      quoted.set(LOCAL_IP, 12)
      quoted.set(PEER_IP, 16)
      quotedView.setUint16(10, checksum(quoted.subarray(0, 20)))
      quotedView.setUint16(20, localPort)
      quotedView.setUint16(22, peerPort)
      quotedView.setUint32(24, Number(sequence))
      return {
        bytes,
        patches: [
          { what: 'p', at: 62 },
          { what: 'i', at: 66 },
        ],
      }
    },
  }
}

function writeIp(bytes: Uint8Array, length: number, protocol: number, ttl: number, tos: number): void {
  bytes.set([...LOCAL_MAC, ...PEER_MAC, 8, 0, 0x45, tos, length >> 8, length & 255, 0, 0, 0x40, 0, ttl, protocol])
  bytes.set(PEER_IP, 26)
  bytes.set(LOCAL_IP, 30)
  const sum = checksum(bytes.subarray(14, 34))
  bytes[24] = sum >> 8
  bytes[25] = sum & 255
}

/** The Internet checksum. RFC 1071. */
export function checksum(bytes: Uint8Array, start = 0): number {
  let sum = start
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) + (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff
}

/** Sums a finished template's transport checksum. */
export function finishChecksum(bytes: Uint8Array, kind: 'tcp' | 'icmp'): void {
  const segment = bytes.subarray(34)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  if (kind === 'icmp') {
    view.setUint16(36, 0)
    view.setUint16(36, checksum(segment))
    return
  }
  view.setUint16(50, 0)
  const pseudo = new Uint8Array([...PEER_IP, ...LOCAL_IP, 0, 6, segment.length >> 8, segment.length & 255])
  view.setUint16(50, checksum(segment, ~checksum(pseudo) & 0xffff))
}

/** The letters of a segment's flags, in the order of tcpdump. */
export function flagText(flags: number): string {
  const text = FLAG_LETTERS.filter(([letter, bit]) => letter !== '.' && (flags & bit) !== 0)
    .map(([letter]) => letter)
    .join('')
  return text + (flags & 16 ? '.' : '') || '-'
}
