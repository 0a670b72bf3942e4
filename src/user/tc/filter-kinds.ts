/** u32, fw, matchall and flower: their words. iproute2 6.1 tc/f_u32.c, f_fw.c, f_matchall.c, f_flower.c */
import type { FilterMessage, U32Key } from '#kernel/qdisc'
import { parseUnsigned, type Words } from '#user/iproute2'
import { formatIpv4, parseIpv4 } from '#wire/inet'
import { formatMac, parseMac } from '#wire/link'
import { parseActions, parsePolice, printActions, printOldPolice } from './actions.ts'
import { Complaint } from './kind.ts'
import type { TcSession } from './session.ts'
import { formatClassId, parseClassId } from './units.ts'

export interface FilterKind {
  parse(
    words: Words,
    handle: string | undefined,
    protocol: number,
  ): { handle: number; options: Record<string, unknown> }
  print(session: TcSession, message: FilterMessage): void
}

function classWord(words: Words, what = 'flowid'): number {
  const parsed = parseClassId(words.value())
  if (parsed === undefined) throw new Complaint(`Illegal "${what}"`)
  return parsed
}

function number(words: Words, what: string, max = 0xffffffff): number {
  const parsed = parseUnsigned(words.value(), max, 0)
  if (parsed === undefined) throw new Complaint(`Illegal "${what}"`)
  return parsed
}

/** Joins a key to one of the same place. pack_key() */
function pack(keys: U32Key[], value: number, mask: number, offset: number, nextHeader = false): void {
  const wanted = (value & mask) >>> 0
  const same = keys.find((key) => key.offset === offset && (key.nextHeader ?? false) === nextHeader)
  if (same === undefined) {
    keys.push(nextHeader ? { value: wanted, mask, offset, nextHeader } : { value: wanted, mask, offset })
    return
  }
  if (((same.value ^ wanted) & same.mask & mask) !== 0) throw new Complaint('Illegal "match"')
  same.value = (same.value | wanted) >>> 0
  same.mask = (same.mask | mask) >>> 0
}

/** 16 or 8 bits within a word of 32. */
function packPart(keys: U32Key[], value: number, mask: number, offset: number, bits: 8 | 16, nextHeader = false): void {
  const shift = bits === 16 ? (2 - (offset & 3)) * 8 : (3 - (offset & 3)) * 8
  const place = (x: number) => (x * 2 ** shift) >>> 0
  pack(keys, place(value), place(mask), offset & ~3, nextHeader)
}

function parseMatch(words: Words, keys: U32Key[]): void {
  const kind = words.value()
  if (kind === 'u32' || kind === 'u16' || kind === 'u8') {
    const [value, mask] = [hexOrNumber(words), hexOrNumber(words)]
    let offset = 0
    let nextHeader = false
    if (words.following === 'at') {
      words.advance()
      const at = words.value()
      nextHeader = at.startsWith('nexthdr')
      const parsed = Number(nextHeader ? at.slice(8) || 0 : at)
      if (Number.isNaN(parsed)) throw new Complaint('Illegal "match"')
      offset = parsed
    }
    if (kind === 'u32') pack(keys, value, mask, offset, nextHeader)
    else packPart(keys, value, mask, offset, kind === 'u16' ? 16 : 8, nextHeader)
    return
  }
  const field = words.value()
  if (kind === 'ip' && (field === 'src' || field === 'dst')) {
    const [address = '', length = '32'] = words.value().split('/')
    const ip = parseIpv4(address)
    const prefix = Number(length)
    if (ip === undefined || !(prefix >= 0 && prefix <= 32)) throw new Complaint('Illegal "match"')
    const mask = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0
    pack(keys, ip, mask, field === 'src' ? 12 : 16)
    return
  }
  const at = FIELDS[`${kind} ${field}`]
  if (at === undefined) throw new Complaint('Illegal "match"')
  const [value, mask] = [hexOrNumber(words), hexOrNumber(words)]
  packPart(keys, value, mask, at.offset, at.bits, at.nextHeader)
}

const FIELDS: Readonly<Record<string, { offset: number; bits: 8 | 16; nextHeader?: boolean }>> = {
  'ip tos': { offset: 1, bits: 8 },
  'ip dsfield': { offset: 1, bits: 8 },
  'ip ihl': { offset: 0, bits: 8 },
  'ip protocol': { offset: 9, bits: 8 },
  'ip sport': { offset: 20, bits: 16 },
  'ip dport': { offset: 22, bits: 16 },
  'ip icmp_type': { offset: 20, bits: 8 },
  'ip icmp_code': { offset: 21, bits: 8 },
  'tcp src': { offset: 0, bits: 16, nextHeader: true },
  'tcp dst': { offset: 2, bits: 16, nextHeader: true },
  'udp src': { offset: 0, bits: 16, nextHeader: true },
  'udp dst': { offset: 2, bits: 16, nextHeader: true },
}

/** u32's values are hexadecimal with 0x, octal with 0, else decimal. */
function hexOrNumber(words: Words): number {
  return number(words, 'match')
}

const hex8 = (value: number) => (value >>> 0).toString(16).padStart(8, '0')

const u32: FilterKind = {
  parse(words, handle) {
    const keys: U32Key[] = []
    const options: Record<string, unknown> = { keys }
    for (; words.more; words.advance()) {
      const word = words.current
      if (word === 'match') parseMatch(words, keys)
      else if (word === 'flowid' || word === 'classid') options['classid'] = classWord(words)
      else if (word === 'police') options['actions'] = [parsePolice(words)]
      else if (word === 'action') options['actions'] = parseActions(words)
      else if (word === 'skip_hw' || word === 'skip_sw') options[word] = true
      else throw new Complaint(`What is "${word}"?`)
    }
    if (options['actions'] && keys.length > 0)
      options['oldPolice'] = (options['actions'] as { old?: boolean }[])[0]?.old
    let number32 = 0
    if (handle !== undefined) {
      const [table = '0', , node = '0'] = handle.split(':')
      number32 = Number.parseInt(table || '0', 16) * 2 ** 20 + Number.parseInt(node || '0', 16)
    }
    return { handle: number32, options }
  },
  print({ out, options: { stats } }, { options, actions, classid }) {
    const { table, node, divisor, keys, counts } = options as {
      table: number
      node?: number
      divisor?: number
      keys?: U32Key[]
      counts?: { hits: number; successes: number; keys: number[] }
    }
    if (divisor !== undefined) {
      out.raw(`fh ${table.toString(16)}: ht divisor ${divisor} `)
      return
    }
    const hexTable = table.toString(16)
    out.raw(`fh ${hexTable}::${node!.toString(16)} order ${node} key ht ${hexTable} bkt 0 `)
    if (classid) out.raw(`*flowid ${formatClassId(classid)} `)
    else if (actions?.length) out.raw('terminal flowid not_set ')
    out.raw('not_in_hw')
    if (stats) out.raw(` (rule hit ${counts!.hits} success ${counts!.successes})`)
    keys!.forEach(({ value, mask, offset, nextHeader }, i) => {
      out.raw(`\n  match ${hex8(value)}/${hex8(mask)} at ${nextHeader ? 'nexthdr+' : ''}${offset}`)
      if (stats) out.raw(` (success ${counts!.keys[i]} ) `)
    })
    if (!actions?.length) return
    out.raw('\n')
    if ((options as { oldPolice?: boolean })['oldPolice']) printOldPolice(out, actions[0]!, stats)
    else printActions(out, actions, stats)
  },
}

const fw: FilterKind = {
  parse(words, handle) {
    const options: Record<string, unknown> = {}
    let mark = 0
    if (handle !== undefined) {
      const [value = '', mask] = handle.split('/')
      const parsed = parseUnsigned(value)
      const parsedMask = mask === undefined ? undefined : parseUnsigned(mask)
      if (parsed === undefined || (mask !== undefined && parsedMask === undefined)) {
        throw new Complaint('Illegal "handle"')
      }
      mark = parsed
      if (parsedMask !== undefined) options['mask'] = parsedMask
    }
    for (; words.more; words.advance()) {
      const word = words.current
      if (word === 'classid' || word === 'flowid') options['classid'] = classWord(words, 'classid')
      else if (word === 'action') options['actions'] = parseActions(words)
      else if (word === 'police') options['actions'] = [parsePolice(words)]
      else throw new Complaint(`What is "${word}"?`)
    }
    return { handle: mark, options }
  },
  print({ out, options: { stats } }, { handle, options, classid, actions }) {
    const mask = (options as { mask: number }).mask
    out.raw(`handle 0x${handle.toString(16)}${mask === 0xffffffff ? '' : `/0x${mask.toString(16)}`} `)
    if (classid) out.raw(`classid ${formatClassId(classid)} `)
    if (actions?.length) printActions(out, actions, stats)
  },
}

const matchall: FilterKind = {
  parse(words, handle) {
    const options: Record<string, unknown> = {}
    for (; words.more; words.advance()) {
      const word = words.current
      if (word === 'classid' || word === 'flowid') options['classid'] = classWord(words, 'classid')
      else if (word === 'action') options['actions'] = parseActions(words)
      else if (word === 'skip_hw' || word === 'skip_sw') options[word] = true
      else throw new Complaint(`What is "${word}"?`)
    }
    return { handle: handle === undefined ? 0 : (parseUnsigned(handle) ?? 0), options }
  },
  print({ out, options: { stats } }, { handle, options, classid, actions }) {
    out.raw(`handle 0x${handle.toString(16)} `)
    if (classid) out.raw(`flowid ${formatClassId(classid)} `)
    if ((options as { skip_hw?: boolean }).skip_hw) out.raw('\n  skip_hw')
    out.raw('\n  not_in_hw')
    const { hits } = (options as { counts: { hits: number } }).counts
    if (stats) out.raw(` (rule hit ${hits})`)
    if (actions?.length) printActions(out, actions, stats)
  },
}

const PROTOCOL_NAMES: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, sctp: 132 }
const ETHER_NAMES: Readonly<Record<number, string>> = { 2048: 'ipv4', 34525: 'ipv6', 2054: 'arp' }

function prefixWord(words: Words): { address: number; prefix: number } {
  const [text = '', length = '32'] = words.value().split('/')
  const address = parseIpv4(text)
  const prefix = Number(length)
  if (address === undefined || !(prefix >= 0 && prefix <= 32)) throw new Complaint(`Illegal "${words.current}"`)
  const mask = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0
  return { address: (address & mask) >>> 0, prefix }
}

const flower: FilterKind = {
  parse(words, handle, protocol) {
    const keys: Record<string, unknown> = {}
    const options: Record<string, unknown> = { keys }
    if (protocol !== 3) keys['ethType'] = protocol
    for (; words.more; words.advance()) {
      const word = words.current
      if (word === 'classid' || word === 'flowid') options['classid'] = classWord(words, 'classid')
      else if (word === 'action') options['actions'] = parseActions(words)
      else if (word === 'skip_hw' || word === 'skip_sw') options[word] = true
      else if (word === 'ip_proto') {
        const name = words.value()
        const known = PROTOCOL_NAMES[name] ?? parseUnsigned(name, 255)
        if (known === undefined) throw new Complaint('Illegal "ip_proto"')
        keys['ipProto'] = known
      } else if (word === 'src_ip' || word === 'dst_ip') keys[word === 'src_ip' ? 'srcIp' : 'dstIp'] = prefixWord(words)
      else if (word === 'src_port' || word === 'dst_port') {
        keys[word === 'src_port' ? 'srcPort' : 'dstPort'] = number(words, word, 65535)
      } else if (word === 'src_mac' || word === 'dst_mac') {
        keys[word === 'src_mac' ? 'srcMac' : 'dstMac'] = parseMac(words.value())
      } else throw new Complaint(`What is "${word}"?`)
    }
    return { handle: handle === undefined ? 0 : (parseUnsigned(handle) ?? 0), options }
  },
  print({ out, options: { stats } }, { handle, options, classid, actions }) {
    const { keys, skip_hw } = options as { keys: Record<string, unknown>; skip_hw?: boolean }
    out.raw(`handle 0x${handle.toString(16)} `)
    if (classid) out.raw(`classid ${formatClassId(classid)} `)
    const line = (name: string, value: unknown) => {
      if (value !== undefined) out.raw(`\n  ${name} ${value}`)
    }
    const prefix = (value: unknown) => {
      if (value === undefined) return undefined
      const { address, prefix: length } = value as { address: number; prefix: number }
      return length === 32 ? formatIpv4(address) : `${formatIpv4(address)}/${length}`
    }
    line('dst_mac', keys['dstMac'] === undefined ? undefined : formatMac(keys['dstMac'] as number))
    line('src_mac', keys['srcMac'] === undefined ? undefined : formatMac(keys['srcMac'] as number))
    const ether = keys['ethType'] as number | undefined
    if (ether !== undefined) line('eth_type', ETHER_NAMES[ether] ?? ether.toString(16).padStart(4, '0'))
    const ipProto = keys['ipProto'] as number | undefined
    if (ipProto !== undefined) {
      const name = Object.entries(PROTOCOL_NAMES).find(([, value]) => value === ipProto)?.[0]
      line('ip_proto', name ?? ipProto.toString(16).padStart(2, '0'))
    }
    line('dst_ip', prefix(keys['dstIp']))
    line('src_ip', prefix(keys['srcIp']))
    line('dst_port', keys['dstPort'])
    line('src_port', keys['srcPort'])
    if (skip_hw) out.raw('\n  skip_hw')
    out.raw('\n  not_in_hw')
    if (actions?.length) printActions(out, actions, stats)
  },
}

export const FILTERS: Readonly<Record<string, FilterKind>> = { u32, fw, matchall, flower }
