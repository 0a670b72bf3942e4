/** uptime, free, watch, dmesg, hostname, and the tools of kmod: what they say of the host as a whole. */

import { decodeUtf8 } from '#base/bytes'
import { getopt } from '#base/text'
import { type Body, readAll, readTextFile, type Sys, strerror, writeText } from '#kernel/core'
import { brokenDown } from '#user/shell'
import { bySysfs } from './sysfs-order.ts'

const two = (n: number) => String(n).padStart(2, '0')

/** HH:MM:SS of a time of day, UTC. */
function clock(s: number): string {
  return [Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60, Math.floor(s) % 60].map(two).join(':')
}

export function* uptime(sys: Sys, argv: string[]): Body<number> {
  const { options } = getopt(argv, 'phsV', [
    { name: 'pretty', as: 'p' },
    { name: 'since', as: 's' },
    { name: 'help', as: 'h' },
    { name: 'version', as: 'V' },
  ])
  const help =
    '\nUsage:\n uptime [options]\n\nOptions:\n -p, --pretty   show uptime in pretty format\n -h, --help     display this help and exit\n -s, --since    system up since\n -V, --version  output version information and exit\n\nFor more details see uptime(1).\n'
  const now = sys.realtime()
  const text = yield* readTextFile(sys, '/proc/uptime')
  const up = Math.floor(Number(text.ok ? text.value.split(' ')[0] : 0))
  const [days, hours, minutes] = [Math.floor(up / 86_400), Math.floor(up / 3600) % 24, Math.floor(up / 60) % 60]
  for (const { option, message } of options) {
    if (message !== undefined) {
      yield* writeText(sys, 2, `${message}\n${help}`)
      return 1
    }
    if (option === 'h') yield* writeText(sys, 1, help)
    else if (option === 'V') yield* writeText(sys, 1, 'uptime from procps-ng 4.0.2\n')
    else if (option === 'p') {
      const weeks = Math.floor(days / 7)
      const parts = [
        [weeks, 'week'],
        [days % 7, 'day'],
        [hours, 'hour'],
        [minutes, 'minute'],
      ] as const
      const said = parts.filter(([n]) => n > 0).map(([n, unit]) => `${n} ${unit}${n === 1 ? '' : 's'}`)
      yield* writeText(sys, 1, `up ${said.join(', ') || '0 minutes'}\n`)
    } else yield* writeText(sys, 1, `${isoTime(Math.floor(now.s - up), ' ')}\n`)
    return 0
  }
  const load = yield* readTextFile(sys, '/proc/loadavg')
  const loads = load.ok ? load.value.split(' ').slice(0, 3) : ['0.00', '0.00', '0.00']
  const since = `${days > 0 ? `${days} day${days === 1 ? '' : 's'}, ` : ''}${hours > 0 ? `${String(hours).padStart(2)}:${two(minutes)}` : `${minutes} min`}`
  yield* writeText(sys, 1, ` ${clock(now.s)} up ${since},  0 user,  load average: ${loads.join(', ')}\n`)
  return 0
}

/** YYYY-MM-DD HH:MM:SS in UTC. */
function isoTime(s: number, between: string): string {
  const day = Math.floor(s / 86_400)
  const { year, month, day: dayOfMonth } = brokenDown(s)
  return `${year}-${two(month + 1)}-${two(dayOfMonth)}${between}${clock(s - day * 86_400)}`
}

export function* free(sys: Sys, argv: string[]): Body<number> {
  const { options } = getopt(argv, 'bkmghtwlV', [
    { name: 'human', as: 'h' },
    { name: 'bytes', as: 'b' },
    { name: 'mebi', as: 'm' },
    { name: 'gibi', as: 'g' },
    { name: 'kibi', as: 'k' },
    { name: 'help' },
    { name: 'version', as: 'V' },
    { name: 'total', as: 't' },
  ])
  const mistake = options.find(({ message }) => message !== undefined)
  if (mistake || options.some(({ option }) => option === 'help')) {
    const help =
      '\nUsage:\n free [options]\n\nOptions:\n -b, --bytes         show output in bytes\n -k, --kibi          show output in kibibytes\n -m, --mebi          show output in mebibytes\n -g, --gibi          show output in gibibytes\n -h, --human         show human-readable output\n -t, --total         show total for RAM + swap\n     --help     display this help and exit\n -V, --version  output version information and exit\n\nFor more details see free(1).\n'
    yield* writeText(sys, mistake ? 2 : 1, mistake ? `${mistake.message}\n${help}` : help)
    return mistake ? 1 : 0
  }
  const text = yield* readTextFile(sys, '/proc/meminfo')
  const kb = (name: string) => Number((text.ok && new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text.value)?.[1]) || 0)
  const has = (letter: string) => options.some(({ option }) => option === letter)
  const show = (value: number): string => {
    if (has('b')) return String(value * 1024)
    if (has('m')) return String(Math.floor(value / 1024))
    if (has('g')) return String(Math.floor(value / 1024 / 1024))
    if (!has('h')) return String(value)
    let amount = value
    const units = ['Ki', 'Mi', 'Gi', 'Ti']
    let unit = 0
    while (amount >= 1024 && unit < units.length - 1) {
      amount /= 1024
      unit++
    }
    if (value === 0) return '0B'
    return `${amount < 10 ? (Math.floor(amount * 10) / 10).toFixed(1) : Math.floor(amount)}${units[unit]}`
  }
  const cache = kb('Buffers') + kb('Cached') + kb('SReclaimable')
  const total = kb('MemTotal')
  const available = kb('MemAvailable')
  const row = (name: string, values: number[]) =>
    `${name.padEnd(8)}${values.map((value) => show(value).padStart(12)).join('')}`
  const head = `        ${['total', 'used', 'free', 'shared', 'buff/cache', 'available'].map((name) => name.padStart(12)).join('')}`
  const swap = kb('SwapTotal')
  const lines = [
    head,
    row('Mem:', [total, total - available, kb('MemFree'), kb('Shmem'), cache, available]),
    row('Swap:', [swap, swap - kb('SwapFree'), kb('SwapFree')]),
  ]
  if (has('t'))
    lines.push(row('Total:', [total + swap, total - available + swap - kb('SwapFree'), kb('MemFree') + kb('SwapFree')]))
  yield* writeText(sys, 1, `${lines.join('\n')}\n`)
  return 0
}

const WATCH_HELP = `
Usage:
 watch [options] command

Options:
  -d, --differences[=<permanent>]
                         highlight changes between updates
  -e, --errexit          exit if command has a non-zero exit
  -g, --chgexit          exit when output from command changes
  -n, --interval <secs>  seconds to wait between updates
  -t, --no-title         turn off header
  -x, --exec             pass command to exec instead of "sh -c"

 -h, --help     display this help and exit
 -v, --version  output version information and exit

For more details see watch(1).
`

/** Shows a command's output full screen, again and again, until a signal ends it. */
export function* watch(sys: Sys, argv: string[]): Body<number> {
  const long = [
    { name: 'interval', as: 'n', argument: 'required' as const },
    { name: 'no-title', as: 't' },
    { name: 'errexit', as: 'e' },
    { name: 'chgexit', as: 'g' },
    { name: 'differences', as: 'd', argument: 'optional' as const },
    { name: 'exec', as: 'x' },
    { name: 'help', as: 'h' },
    { name: 'version', as: 'v' },
  ]
  const { options, operands } = getopt(argv, '+n:teghvd::xcbpw', long)
  const has = (letter: string) => options.some(({ option }) => option === letter)
  const mistake = options.find(({ message }) => message !== undefined)
  if (mistake || has('h') || operands.length === 0) {
    yield* writeText(sys, has('h') ? 1 : 2, `${mistake ? `${mistake.message}\n` : ''}${WATCH_HELP}`)
    return has('h') ? 0 : 1
  }
  if (has('v')) {
    yield* writeText(sys, 1, 'watch from procps-ng 4.0.2\n')
    return 0
  }
  const given = options.find(({ option }) => option === 'n')?.value
  const interval = given === undefined ? 2 : Number(given)
  if (!Number.isFinite(interval) || interval < 0) {
    yield* writeText(sys, 2, `watch: failed to parse argument: '${given}': Invalid argument\n`)
    return 1
  }
  const seconds = Math.max(0.1, interval)
  const command = operands.join(' ')
  const { columns, rows } = sys.terminalSize(1) ?? { columns: 80, rows: 24 }
  let stopped = false
  sys.sigaction('SIGINT', () => {
    stopped = true
  })
  sys.sigaction('SIGTERM', () => {
    stopped = true
  })
  yield* writeText(sys, 1, '\u001b[?1049h\u001b[H\u001b[2J')
  let last: string[] | undefined
  let status = 0
  while (!stopped) {
    const pipe = sys.pipe()
    if (!pipe.ok) break
    const child = sys.fork(function* (inner) {
      inner.dup2(pipe.value.write, 1)
      inner.dup2(pipe.value.write, 2)
      inner.close(pipe.value.read)
      inner.close(pipe.value.write)
      const run = has('x') ? operands : ['sh', '-c', command]
      for (const folder of (inner.env.get('PATH') ?? '/usr/sbin:/usr/bin:/sbin:/bin').split(':')) {
        const path = run[0]!.includes('/') ? run[0]! : `${folder}/${run[0]}`
        if (!inner.access(path, 'x').ok) continue
        const ran = yield* inner.exec(path, run)
        if (ran.ok) return ran.value
      }
      yield* writeText(inner, 2, `watch: unable to execute '${run[0]}': No such file or directory\n`)
      return 127
    })
    sys.close(pipe.value.write)
    const got = yield* readAll(sys, pipe.value.read)
    sys.close(pipe.value.read)
    const ended = yield* sys.waitpid(child)
    status = ended.ok ? (ended.value?.exit ?? 1) : 1
    const room = rows - (has('t') ? 0 : 2)
    const lines = (got.ok ? decodeUtf8(got.value) : '')
      .split('\n')
      .flatMap((line) => folded(line, columns))
      .slice(0, room)
    const now = sys.realtime()
    let screen = '\u001b[H'
    if (!has('t')) {
      const right = `${sys.hostname}: ${asctime(now.s)}`
      const left = `Every ${seconds.toFixed(1)}s: ${command}`
      screen += `${left.slice(0, Math.max(0, columns - right.length - 1)).padEnd(columns - right.length)}${right}\u001b[K\r\n\u001b[K\r\n`
    }
    screen += lines.map((line, i) => (has('d') && last ? lit(line, last[i] ?? '') : line) + '\u001b[K').join('\r\n')
    yield* writeText(sys, 1, `${screen}\u001b[J`)
    if ((has('e') && status !== 0) || (has('g') && last && last.join('\n') !== lines.join('\n'))) break
    last = lines
    yield* sys.sleep(seconds * 1e9)
  }
  yield* writeText(sys, 1, '\u001b[?1049l')
  return has('e') ? status : 0
}

function folded(line: string, columns: number): string[] {
  if (line.length <= columns) return [line]
  const rows: string[] = []
  for (let at = 0; at < line.length; at += columns) rows.push(line.slice(at, at + columns))
  return rows
}

/** A line with what differs from the one before it in reverse video. */
function lit(line: string, before: string): string {
  let text = ''
  let on = false
  for (let i = 0; i < line.length; i++) {
    const differs = line[i] !== before[i]
    if (differs !== on) text += differs ? '\u001b[7m' : '\u001b[27m'
    on = differs
    text += line[i]
  }
  return on ? `${text}\u001b[27m` : text
}

/** `Thu Jan  1 00:00:00 2026`. */
function asctime(s: number): string {
  const day = Math.floor(s / 86_400)
  const { year, month, day: dayOfMonth } = brokenDown(s)
  const weekday = 'ThuFriSatSunMonTueWed'.slice((day % 7) * 3, (day % 7) * 3 + 3)
  const name = 'JanFebMarAprMayJunJulAugSepOctNovDec'.slice(month * 3, month * 3 + 3)
  return `${weekday} ${name} ${String(dayOfMonth).padStart(2)} ${clock(s - day * 86_400)} ${year}`
}

const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug']

export function* dmesg(sys: Sys, argv: string[]): Body<number> {
  const long = [
    { name: 'ctime', as: 'T' },
    { name: 'notime', as: 't' },
    { name: 'decode', as: 'x' },
    { name: 'level', as: 'l', argument: 'required' as const },
    { name: 'raw', as: 'r' },
    { name: 'follow', as: 'w' },
    { name: 'follow-new', as: 'W' },
    { name: 'clear', as: 'C' },
    { name: 'read-clear', as: 'c' },
    { name: 'help', as: 'h' },
    { name: 'version', as: 'V' },
    { name: 'kernel', as: 'k' },
    { name: 'nopager', as: 'P' },
    { name: 'color', as: 'L', argument: 'optional' as const },
    { name: 'syslog', as: 'S' },
  ]
  const { options } = getopt(argv, 'TtxrwWCcn:l:hVkPSL::H', long)
  const mistake = options.find(({ message }) => message !== undefined)
  if (mistake) {
    yield* writeText(sys, 2, `${mistake.message}\nTry 'dmesg --help' for more information.\n`)
    return 1
  }
  const has = (letter: string) => options.some(({ option }) => option === letter)
  if (has('h')) {
    yield* writeText(
      sys,
      1,
      "\nUsage:\n dmesg [options]\n\nDisplay or control the kernel ring buffer.\n\nOptions:\n -c, --read-clear            read and clear all messages\n -C, --clear                 clear the kernel ring buffer\n -l, --level <list>          restrict output to defined levels\n -r, --raw                   print the raw message buffer\n -T, --ctime                 show human-readable timestamp (may be inaccurate!)\n -t, --notime                don't show any timestamp with messages\n -w, --follow                wait for new messages\n -W, --follow-new            wait and print only new messages\n -x, --decode                decode facility and level to readable string\n\n -h, --help                  display this help\n -V, --version               display version\n\nFor more details see dmesg(1).\n",
    )
    return 0
  }
  if (has('V')) {
    yield* writeText(sys, 1, 'dmesg from util-linux 2.38.1\n')
    return 0
  }
  if (has('c') || has('C') || has('n')) {
    yield* writeText(sys, 2, 'dmesg: clear kernel buffer failed: not modelled\n')
    if (!has('c')) return 1
  }
  const wanted = options.find(({ option }) => option === 'l')?.value?.split(',')
  const unknown = wanted?.find((level) => !LEVELS.includes(level))
  if (unknown !== undefined) {
    yield* writeText(sys, 2, `dmesg: unknown level '${unknown}'\n`)
    return 1
  }
  const now = sys.realtime()
  const bootS = now.s + now.ns / 1e9 - sys.monotonicNs() / 1e9
  const format = ({ timeNs, level, text }: { timeNs: number; level: number; text: string }): string => {
    const us = Math.floor(timeNs / 1000)
    const stamp = `${String(Math.floor(us / 1e6)).padStart(5)}.${String(us % 1e6).padStart(6, '0')}`
    if (has('r')) return `<${level}>[${stamp}] ${text}\n`
    const decoded = has('x') ? `kern  :${LEVELS[level]!.padEnd(6)}: ` : ''
    const time = has('t') ? '' : has('T') ? `[${asctime(Math.floor(bootS + timeNs / 1e9))}] ` : `[${stamp}] `
    return `${decoded}${time}${text}\n`
  }
  const fits = ({ level }: { level: number }) => !wanted || wanted.includes(LEVELS[level]!)
  let seen = sys.klog().length
  if (!has('W')) yield* writeText(sys, 1, sys.klog().filter(fits).map(format).join(''))
  while (has('w') || has('W')) {
    // /dev/kmsg wakes its readers; a tenth of a second is what an operator wouldn't notice.
    yield* sys.sleep(1e8)
    const log = sys.klog()
    yield* writeText(sys, 1, log.slice(seen).filter(fits).map(format).join(''))
    seen = log.length
  }
  return 0
}

// Linux 6.1 include/uapi/linux/if.h.
const IFF_UP = 0x1
const IFF_LOOPBACK = 0x8

const HOSTNAME_HELP = `Usage: hostname [-b] {hostname|-F file}         set host name (from file)
       hostname [-a|-A|-d|-f|-i|-I|-s|-y]       display formatted name
       hostname                                 display host name

Program options:
    -b, --boot             set default hostname if none available
    -d, --domain           DNS domain name
    -f, --fqdn, --long     long host name (FQDN)
    -F, --file             read host name or NIS domain name from given file
    -i, --ip-address       addresses for the host name
    -I, --all-ip-addresses all addresses for the host
    -s, --short            short host name
`

export function* hostname(sys: Sys, argv: string[]): Body<number> {
  const long = [
    { name: 'fqdn', as: 'f' },
    { name: 'long', as: 'f' },
    { name: 'short', as: 's' },
    { name: 'domain', as: 'd' },
    { name: 'ip-address', as: 'i' },
    { name: 'all-ip-addresses', as: 'I' },
    { name: 'file', as: 'F', argument: 'required' as const },
    { name: 'boot', as: 'b' },
    { name: 'help', as: 'h' },
    { name: 'version', as: 'V' },
  ]
  const { options, operands } = getopt(argv, 'bdfF:hiIsVaAy', long)
  const mistake = options.find(({ message }) => message !== undefined)
  const has = (letter: string) => options.some(({ option }) => option === letter)
  if (mistake || has('h')) {
    yield* writeText(sys, mistake ? 2 : 1, `${mistake ? `${mistake.message}\n` : ''}${HOSTNAME_HELP}`)
    return mistake ? 255 : 0
  }
  if (has('V')) {
    yield* writeText(sys, 1, 'hostname 3.23\n')
    return 0
  }
  const file = options.find(({ option }) => option === 'F')?.value
  let name: string | undefined = operands[0]
  if (file !== undefined) {
    const text = yield* readTextFile(sys, file)
    if (!text.ok) {
      yield* writeText(sys, 2, `hostname: ${strerror(text.errno)}\n`)
      return 1
    }
    name = text.value
      .split('\n')
      .find((line) => line.trim() !== '' && !line.startsWith('#'))
      ?.trim()
  }
  if (name !== undefined) {
    // The kernel would take any bytes; the tool doesn't.
    const good = name.split('.').every((label) => /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$/.test(label))
    const set = good ? sys.sethostname(name) : undefined
    if (set?.ok) return 0
    const why = !set || set.errno === 'EINVAL' ? 'the specified hostname is invalid' : strerror(set.errno)
    yield* writeText(sys, 2, `hostname: ${why}\n`)
    return 1
  }
  const own = sys.hostname
  let said = own
  if (has('s')) said = own.split('.')[0] ?? own
  else if (has('d')) said = own.includes('.') ? own.slice(own.indexOf('.') + 1) : ''
  else if (has('i') || has('I')) {
    const hosts = yield* readTextFile(sys, '/etc/hosts')
    const lines = hosts.ok ? hosts.value.split('\n').map((line) => line.replace(/#.*/, '').trim().split(/\s+/)) : []
    const found = lines.filter(([, ...names]) => names.includes(own)).map(([address]) => address)
    if (has('i')) {
      if (found.length === 0) {
        yield* writeText(sys, 2, 'hostname: Name or service not known\n')
        return 1
      }
      said = found.join(' ')
    } else {
      const links = sys.netlink({ type: 'RTM_GETLINK' })
      const usable = new Set<number>()
      for (const { ifindex, flags } of (links.ok ? links.messages : []) as { ifindex: number; flags: number }[]) {
        if ((flags & IFF_UP) !== 0 && (flags & IFF_LOOPBACK) === 0) usable.add(ifindex)
      }
      const answer = sys.netlink({ type: 'RTM_GETADDR' })
      const messages = answer.ok ? (answer.messages as { local: number; ifindex: number }[]) : []
      said = messages
        .filter(({ ifindex }) => usable.has(ifindex))
        .map(({ local }) => `${[24, 16, 8, 0].map((shift) => (local >>> shift) & 255).join('.')} `)
        .join('')
    }
  }
  if (said !== '' || !has('d')) yield* writeText(sys, 1, `${said}\n`)
  return 0
}

const MODPROBE_HELP = `Usage:
	modprobe [options] [-i] [-b] modulename
	modprobe [options] -a [-i] [-b] modulename [modulename...]
	modprobe [options] -r [-i] modulename
	modprobe [options] -r -a [-i] modulename [modulename...]
	modprobe [options] -c
`

export function* modprobe(sys: Sys, argv: string[]): Body<number> {
  const long = [
    { name: 'remove', as: 'r' },
    { name: 'all', as: 'a' },
    { name: 'quiet', as: 'q' },
    { name: 'verbose', as: 'v' },
    { name: 'dry-run', as: 'n' },
    { name: 'help', as: 'h' },
    { name: 'version', as: 'V' },
  ]
  const { options, operands } = getopt(argv, 'raqvnhVbi', long)
  const has = (letter: string) => options.some(({ option }) => option === letter)
  if (options.some(({ message }) => message !== undefined) || has('h')) {
    yield* writeText(sys, has('h') ? 1 : 2, MODPROBE_HELP)
    return has('h') ? 0 : 1
  }
  const { release } = sys.uname()
  if (operands.length === 0) {
    yield* writeText(sys, 2, 'modprobe: ERROR: missing parameters. See -h.\n')
    return 1
  }
  const listed = yield* readTextFile(sys, `/lib/modules/${release}/modules.dep`)
  const builtin = yield* readTextFile(sys, `/lib/modules/${release}/modules.builtin`)
  const known = `${listed.ok ? listed.value : ''}\n${builtin.ok ? builtin.value : ''}`
  const text = yield* readTextFile(sys, '/proc/modules')
  const loaded = new Set(text.ok ? text.value.split('\n').map((line) => line.split(' ')[0]) : [])
  let status = 0
  for (const name of has('r') || has('a') ? operands : operands.slice(0, 1)) {
    const file = new RegExp(`(^|/)${name.replaceAll(/[-_]/g, '[-_]')}\\.ko\\b`, 'm')
    if (file.test(known)) continue
    // What is there already stays, as if something used it.
    const request = { type: 'FINIT_MODULE', name }
    if (has('r') ? loaded.has(name.replaceAll('-', '_')) : has('n') || sys.netlink(request).ok) continue
    status = 1
    if (has('q')) continue
    yield* writeText(
      sys,
      2,
      has('r')
        ? `modprobe: FATAL: Module ${name} not found.\n`
        : `modprobe: FATAL: Module ${name} not found in directory /lib/modules/${release}\n`,
    )
  }
  return status
}

export function* lsmod(sys: Sys): Body<number> {
  const text = yield* readTextFile(sys, '/proc/modules')
  const lines = text.ok ? text.value.split('\n').filter((line) => line !== '') : []
  const rows = lines.map((line) => {
    const [name = '', size = '', users = '', by = ''] = line.split(' ')
    const used = by === '-' ? '' : bySysfs(by.replace(/,$/, '').split(',')).join(',')
    return `${name.padEnd(19)} ${size.padStart(8)}  ${users}${used === '' ? '' : ` ${used}`}\n`
  })
  yield* writeText(sys, 1, `Module                  Size  Used by\n${rows.join('')}`)
  return 0
}

export function* rmmod(sys: Sys, argv: string[]): Body<number> {
  const names = argv.slice(1).filter((word) => !word.startsWith('-'))
  if (names.length === 0) {
    yield* writeText(sys, 2, 'rmmod: ERROR: missing module name.\n')
    return 1
  }
  const text = yield* readTextFile(sys, '/proc/modules')
  const loaded = new Set(text.ok ? text.value.split('\n').map((line) => line.split(' ')[0]) : [])
  let status = 0
  for (const name of names) {
    status = 1
    yield* writeText(
      sys,
      2,
      loaded.has(name)
        ? `rmmod: ERROR: Module ${name} is in use\n`
        : `rmmod: ERROR: Module ${name} is not currently loaded\n`,
    )
  }
  return status
}
