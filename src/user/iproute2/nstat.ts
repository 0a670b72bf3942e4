/** nstat of iproute2 6.1: the kernel's counters of /proc/net/snmp and /proc/net/netstat, and what they grew by. */
import { getopt } from '#base/text'
import { type Body, O_CREAT, O_TRUNC, O_WRONLY, readTextFile, type Sys, writeText } from '#kernel/core'

const HELP = `Usage: nstat [OPTION] [ PATTERN [ PATTERN ] ]
   -h, --help          this message
   -a, --ignore        ignore history
   -j, --json          format output in JSON
   -n, --nooutput      do history only
   -p, --pretty        pretty print
   -r, --reset         reset history
   -s, --noupdate      don't update history
   -V, --version       output version information
   -z, --zeros         show entries with zero activity
`

const HISTORY = '/tmp/.nstat.u0'
/** What counts nothing, and is never shown. iproute2 misc/nstat.c: useless_numbers. */
const SETTINGS = new Set([
  'IpForwarding',
  'IpDefaultTTL',
  'TcpRtoAlgorithm',
  'TcpRtoMin',
  'TcpRtoMax',
  'TcpMaxConn',
  'TcpCurrEstab',
])

export function* nstat(sys: Sys, argv: string[]): Body<number> {
  const long = [
    { name: 'help', as: 'h' },
    { name: 'ignore', as: 'a' },
    { name: 'json', as: 'j' },
    { name: 'nooutput', as: 'n' },
    { name: 'pretty', as: 'p' },
    { name: 'reset', as: 'r' },
    { name: 'noupdate', as: 's' },
    { name: 'version', as: 'V' },
    { name: 'zeros', as: 'z' },
  ]
  const { options, operands } = getopt(argv, 'hvVzrnasjp', long)
  const has = (letter: string) => options.some(({ option }) => option === letter)
  const mistake = options.find(({ message }) => message !== undefined)
  if (mistake || has('h')) {
    yield* writeText(sys, mistake ? 2 : 1, `${mistake ? `${mistake.message}\n` : ''}${HELP}`)
    return mistake ? 255 : 0
  }
  if (has('V') || has('v')) {
    yield* writeText(sys, 1, 'nstat utility, iproute2-6.1.0, libbpf 1.1.0\n')
    return 0
  }
  const now = new Map<string, number>()
  for (const path of ['/proc/net/netstat', '/proc/net/snmp6', '/proc/net/snmp']) {
    const text = yield* readTextFile(sys, path)
    if (text.ok) for (const [name, value] of countersOf(text.value)) now.set(name, value)
  }
  const before = new Map<string, number>()
  if (!has('r') && !has('a')) {
    const text = yield* readTextFile(sys, HISTORY)
    for (const line of text.ok ? text.value.split('\n') : []) {
      const [name, value] = line.trim().split(/\s+/)
      if (name && value) before.set(name, Number(value))
    }
  }
  const names = [...now.keys()].sort((a, b) => place(a) - place(b))
  const rows = names.flatMap((name) => {
    const value = now.get(name)! - (before.get(name) ?? 0)
    if (operands.length > 0 && !operands.some((pattern) => globMatches(pattern, name))) return []
    if (value === 0 && !has('z')) return []
    return SETTINGS.has(name) ? [] : [{ name, value }]
  })
  if (has('j')) {
    const body = rows.map(({ name, value }) => `"${name}":${value}`).join(has('p') ? ',\n        ' : ',')
    yield* writeText(sys, 1, has('p') ? `{\n    "kernel": {\n        ${body}\n    }\n}\n` : `{"kernel":{${body}}}\n`)
  } else if (!has('n')) {
    yield* writeText(sys, 1, `#kernel\n${rows.map(({ name, value }) => line(name, value)).join('')}`)
  }
  if (!has('s')) {
    const opened = yield* sys.open(HISTORY, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    if (opened.ok) {
      yield* writeText(sys, opened.value, `#kernel\n${names.map((name) => line(name, now.get(name)!)).join('')}`)
      sys.close(opened.value)
    }
  }
  return 0
}

/** A counter and its rate, which only the daemon of `nstat -d` would know. */
function line(name: string, value: number): string {
  return `${name.padEnd(32)}${String(value).padEnd(19)}0.0\n`
}

/** Lines come in pairs: names behind a prefix, and their values behind the same. */
function countersOf(text: string): [string, number][] {
  const lines = text.split('\n')
  const counters: [string, number][] = []
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [prefix = '', ...names] = lines[i]!.trim().split(/\s+/)
    const [, ...values] = lines[i + 1]!.trim().split(/\s+/)
    names.forEach((name, j) => {
      counters.push([prefix.replace(/:$/, '') + name, Number(values[j] ?? 0)])
    })
  }
  return counters
}

/** Ip, Icmp, Tcp, Udp as /proc/net/snmp has them, then the extensions. */
function place(name: string): number {
  return /^(Tcp|Ip|MPTcp)Ext|^MPTcp/.test(name) ? 1 : 0
}

function globMatches(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`).test(name)
}
