/** Messages as dig writes them, in columns of tabs. BIND 9.18 lib/dns/masterdump.c: dns_master_style_default, indent(). */
import {
  type DnsMessage,
  type DnsRecord,
  dnsClassName,
  dnsOpcodeName,
  dnsRcodeName,
  dnsTypeName,
  formatDnsData,
} from '#wire/dns'

const TTL_COLUMN = 24
const CLASS_COLUMN = 32
const TYPE_COLUMN = 40
const DATA_COLUMN = 48

/** Text that goes on to a column: by tabs, and by one blank if it is beyond. */
class Line {
  text = ''
  #column = 0

  put(text: string): void {
    this.text += text
    this.#column += text.length
  }

  to(column: number): void {
    const target = Math.max(column, this.#column + 1)
    const tabs = Math.floor(target / 8) - Math.floor(this.#column / 8)
    if (tabs > 0) {
      this.text += '\t'.repeat(tabs)
      this.#column = Math.floor(target / 8) * 8
    }
    this.text += ' '.repeat(target - this.#column)
    this.#column = target
  }
}

export function formatRecord(record: DnsRecord, options: { ttl?: boolean; class?: boolean } = {}): string {
  const line = new Line()
  line.put(record.name)
  if (options.ttl !== false) {
    line.to(TTL_COLUMN)
    line.put(String(record.ttl))
  }
  if (options.class !== false) {
    line.to(CLASS_COLUMN)
    line.put(dnsClassName(record.class))
  }
  line.to(TYPE_COLUMN)
  line.put(dnsTypeName(record.type))
  line.to(DATA_COLUMN)
  line.put(formatDnsData(record.data))
  return `${line.text}\n`
}

export function formatQuestions(message: DnsMessage): string {
  let text = ''
  for (const question of message.questions) {
    const line = new Line()
    line.put(question.name)
    line.to(CLASS_COLUMN)
    line.put(dnsClassName(question.class))
    line.to(TYPE_COLUMN)
    line.put(dnsTypeName(question.type))
    text += `;${line.text}\n`
  }
  return text
}

export function formatHeader(message: DnsMessage): string {
  const flags = [
    message.response && 'qr',
    message.authoritative && 'aa',
    message.truncated && 'tc',
    message.recursionDesired && 'rd',
    message.recursionAvailable && 'ra',
    message.authenticData && 'ad',
    message.checkingDisabled && 'cd',
  ].filter((flag) => flag !== false)
  const update = message.opcode === 5
  const names = update ? ['ZONE', 'PREREQ', 'UPDATE'] : ['QUERY', 'ANSWER', 'AUTHORITY']
  const rcode = message.rcode | ((message.edns?.extendedRcode ?? 0) << 4)
  return (
    `;; ->>HEADER<<- opcode: ${dnsOpcodeName(message.opcode)}, status: ${dnsRcodeName(rcode)}, id: ${message.id}\n` +
    `;; flags:${flags.map((flag) => ` ${flag}`).join('')}; ${names[0]}: ${message.questions.length}, ` +
    `${names[1]}: ${message.answers.length}, ${names[2]}: ${message.authorities.length}, ` +
    `ADDITIONAL: ${message.additionals.length + (message.edns ? 1 : 0)}\n`
  )
}

const EXTENDED_ERRORS: Record<number, string> = {
  0: 'Other',
  3: 'Stale Answer',
  4: 'Forged Answer',
  14: 'Not Ready',
  15: 'Blocked',
  17: 'Filtered',
  18: 'Prohibited',
  20: 'Not Authoritative',
  21: 'Not Supported',
  22: 'No Reachable Authority',
  23: 'Network Error',
}

export function formatEdns(message: DnsMessage): string {
  const { edns } = message
  if (!edns) return ''
  let text = `\n;; OPT PSEUDOSECTION:\n; EDNS: version: ${edns.version}, flags:${edns.dnssecOk ? ' do' : ''}; udp: ${edns.udpSize}\n`
  for (const { code, data } of edns.options) {
    const hex = Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join('')
    if (code === 10) text += `; COOKIE: ${hex}\n`
    else if (code === 15 && data.length >= 2) {
      const number = (data[0]! << 8) | data[1]!
      text += `; EDE: ${number}${EXTENDED_ERRORS[number] ? ` (${EXTENDED_ERRORS[number]})` : ''}\n`
    } else text += `; OPT=${code}: ${hex.replace(/../g, '$& ').trimEnd()}\n`
  }
  return text
}
