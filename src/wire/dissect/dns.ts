/** DNS, over UDP, TCP and multicast. RFC 1035; RFC 6891 for OPT. */

import { dnsTypeName, parseName } from '#wire/dns'
import { formatIpv4, formatIpv6, readIpv6 } from '#wire/inet'
import { type Context, dissectData, protocol } from './dissector.ts'
import { DNS_OPCODES, DNS_RCODES, DNS_TYPE_TEXTS } from './names.ts'
import { type Branch, hex, secondsText, type TreeNode, type Window } from './tree.ts'

const RECORDS_MAX = 200

/** @param length over TCP: where the two bytes of the message's length stand */
export function dissectDns(
  context: Context,
  window: Window,
  length: number | undefined,
  multicast: boolean,
  into: TreeNode[],
): void {
  const { bytes, at, end } = window
  if (end - at < 12) {
    dissectData(context, window, at, end, into)
    return
  }
  const flags = bytes[at + 2]! * 256 + bytes[at + 3]!
  const response = (flags & 0x8000) !== 0
  const name = multicast ? 'mdns' : 'dns'
  const title = multicast ? 'Multicast Domain Name System' : 'Domain Name System'
  const start = length ?? at
  const dns = protocol(context, window, name, `${title} (${response ? 'response' : 'query'})`, start, end - start, into)
  if (length !== undefined) dns.number('dns.length', 'Length', length, 2)
  const id = dns.number('dns.id', 'Transaction ID', at, 2, (value) => hex(value, 4))
  const opcode = DNS_OPCODES[(flags >>> 11) & 15] ?? 'Unknown'
  const rcode = DNS_RCODES[flags & 15] ?? 'Unknown'
  const said = response ? `${opcode} response, ${rcode}` : opcode
  const tree = dns.add('dns.flags', `Flags: ${hex(flags, 4)} ${said}`, flags, at + 2, 2)
  const bit = (key: string, label: string, mask: number, yes: string, no: string) =>
    tree.flag(`dns.flags.${key}`, label, at + 2, 2, mask, yes, no)
  bit('response', 'Response', 0x8000, 'Message is a response', 'Message is a query')
  tree.bits('dns.flags.opcode', 'Opcode', at + 2, 2, 0x7800, (value) => `${opcode} (${value})`)
  if (response)
    bit(
      'authoritative',
      'Authoritative',
      0x0400,
      'Server is an authority for domain',
      'Server is not an authority for domain',
    )
  bit('truncated', 'Truncated', 0x0200, 'Message is truncated', 'Message is not truncated')
  bit('recdesired', 'Recursion desired', 0x0100, 'Do query recursively', "Don't do query recursively")
  if (response)
    bit(
      'recavail',
      'Recursion available',
      0x0080,
      'Server can do recursive queries',
      "Server can't do recursive queries",
    )
  bit('z', 'Z', 0x0040, 'reserved - incorrect!', 'reserved (0)')
  if (response)
    bit(
      'authenticated',
      'Answer authenticated',
      0x0020,
      'Answer/authority portion was authenticated by the server',
      'Answer/authority portion was not authenticated by the server',
    )
  else bit('authenticated', 'AD bit', 0x0020, 'Set', 'Not set')
  bit('checkdisable', 'Non-authenticated data', 0x0010, 'Acceptable', 'Unacceptable')
  if (response) tree.bits('dns.flags.rcode', 'Reply code', at + 2, 2, 0x000f, (value) => `${rcode} (${value})`)
  const counts = [
    dns.number('dns.count.queries', 'Questions', at + 4, 2),
    dns.number('dns.count.answers', 'Answer RRs', at + 6, 2),
    dns.number('dns.count.auth_rr', 'Authority RRs', at + 8, 2),
    dns.number('dns.count.add_rr', 'Additional RRs', at + 10, 2),
  ]
  const message = bytes.subarray(at, end)
  let place = 12
  for (const [i, label] of ['Queries', 'Answers', 'Authoritative nameservers', 'Additional records'].entries()) {
    if (counts[i] === 0) continue
    const section = dns.add('', label, undefined, at + place, 0)
    const from = place
    for (let left = Math.min(counts[i]!, RECORDS_MAX); left > 0 && place < message.length; left--) {
      const next = i === 0 ? question(section, message, place, at) : record(section, message, place, at)
      if (next === undefined) {
        place = message.length
        break
      }
      place = next
    }
    section.node.length = place - from
  }
  if (!context.quoted) answers(context, dns, response, id, start)
}

function answers(context: Context, dns: Branch, response: boolean, id: number, at: number): void {
  const { queries } = context.state
  if (!response) {
    queries.set(`${context.src} ${context.dst} ${id}`, { frame: context.number, timeNs: context.timeNs })
    return
  }
  const asked = queries.get(`${context.dst} ${context.src} ${id}`)
  if (!asked) return
  const passed = context.timeNs - asked.timeNs
  dns.add('dns.response_to', `[Request In: ${asked.frame}]`, asked.frame, at, 0)
  dns.add('dns.time', `[Time: ${secondsText(passed)} seconds]`, passed / 1e9, at, 0)
}

const shown = (name: string) => (name === '.' || name === '' ? '<Root>' : name.replace(/\.$/u, ''))
const labels = (name: string) => (shown(name) === '<Root>' ? 0 : shown(name).split('.').length)
const typeText = (type: number) => {
  const text = DNS_TYPE_TEXTS[type] ?? dnsTypeName(type)
  return `${text} (${type})`
}

function question(section: Branch, message: Uint8Array, from: number, base: number): number | undefined {
  const name = parseName(message, from)
  if (!name || name.next + 4 > message.length) return undefined
  const at = base + from
  const length = name.next - from
  const type = section.word(base + name.next)
  const text = shown(name.name)
  const branch = section.add('', `${text}: type ${dnsTypeName(type)}, class IN`, undefined, at, length + 4)
  branch.add('dns.qry.name', `Name: ${text}`, text, at, length)
  branch.add('dns.qry.name.len', `[Name Length: ${text.length}]`, text.length, at, length)
  branch.add('dns.count.labels', `[Label Count: ${labels(name.name)}]`, labels(name.name), at, length)
  branch.number('dns.qry.type', 'Type', base + name.next, 2, typeText)
  branch.number(
    'dns.qry.class',
    'Class',
    base + name.next + 2,
    2,
    (value) => `${value === 1 ? 'IN' : 'Unknown'} (${hex(value, 4)})`,
  )
  return name.next + 4
}

function record(section: Branch, message: Uint8Array, from: number, base: number): number | undefined {
  const name = parseName(message, from)
  if (!name || name.next + 10 > message.length) return undefined
  const head = base + name.next
  const data = name.next + 10
  const size = section.word(head + 8)
  if (data + size > message.length) return undefined
  const type = section.word(head)
  const text = shown(name.name)
  const branch = section.add('', `${text}: type ${dnsTypeName(type)}`, undefined, base + from, data + size - from)
  branch.add('dns.resp.name', `Name: ${text}`, text, base + from, name.next - from)
  branch.number('dns.resp.type', 'Type', head, 2, typeText)
  if (type === 41) {
    branch.number('dns.rr.udp_payload_size', 'UDP payload size', head + 2, 2)
    branch.number('dns.resp.ext_rcode', 'Higher bits in extended RCODE', head + 4, 1, (value) => hex(value, 2))
    branch.number('dns.resp.edns0_version', 'EDNS0 version', head + 5, 1)
    branch.number('dns.resp.z', 'Z', head + 6, 2, (value) => hex(value, 4))
    branch
      .child()
      .flag(
        'dns.resp.z.do',
        'DO bit',
        head + 6,
        2,
        0x8000,
        'Accepts DNSSEC security RRs',
        'Cannot handle DNSSEC security RRs',
      )
    branch.number('dns.resp.len', 'Data length', head + 8, 2)
    return data + size
  }
  branch.node.text += ', class IN'
  branch.number(
    'dns.resp.class',
    'Class',
    head + 2,
    2,
    (value) => `${(value & 0x7fff) === 1 ? 'IN' : 'Unknown'} (${hex(value, 4)})`,
  )
  branch.number('dns.resp.ttl', 'Time to live', head + 4, 4, (value) => `${value} (${ago(value)})`)
  branch.number('dns.resp.len', 'Data length', head + 8, 2)
  const at = base + data
  const bytes = section.bytes
  const named = (field: string, label: string, short: string, place: number) => {
    const found = parseName(message, place)
    if (!found) return
    const value = shown(found.name)
    branch.add(field, `${label}: ${value}`, value, base + place, found.next - place)
    branch.node.text += `, ${short} ${value}`
  }
  if (type === 1 && size === 4) {
    const address = branch.ipv4('dns.a', 'Address', at)
    branch.node.text += `, addr ${formatIpv4(address)}`
  } else if (type === 28 && size === 16) {
    branch.ipv6('dns.aaaa', 'AAAA Address', at)
    branch.node.text += `, addr ${formatIpv6(readIpv6(bytes, at))}`
  } else if (type === 5) named('dns.cname', 'CNAME', 'cname', data)
  else if (type === 2) named('dns.ns', 'Name Server', 'ns', data)
  else if (type === 12) named('dns.ptr.domain_name', 'Domain Name', '', data)
  else if (type === 15 && size > 2) {
    branch.number('dns.mx.preference', 'Preference', at, 2)
    named('dns.mx.mail_exchange', 'Mail Exchange', `preference ${branch.word(at)}, mx`, data + 2)
  } else if (type === 16 && size > 1) {
    branch.number('dns.txt.length', 'TXT Length', at, 1)
    const value = Array.from(bytes.subarray(at + 1, Math.min(at + size, at + 1 + bytes[at]!)), (byte) =>
      String.fromCharCode(byte),
    ).join('')
    branch.add('dns.txt', `TXT: ${value}`, value, at + 1, value.length)
  } else if (type === 6) named('dns.soa.mname', 'Primary name server', 'mname', data)
  return data + size
}

/** `1 hour, 5 minutes`, as Wireshark says a number of seconds. */
function ago(seconds: number): string {
  if (seconds === 0) return '0 seconds'
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'day'],
    [Math.floor(seconds / 3600) % 24, 'hour'],
    [Math.floor(seconds / 60) % 60, 'minute'],
    [seconds % 60, 'second'],
  ]
  return parts
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}${count === 1 ? '' : 's'}`)
    .join(', ')
}
