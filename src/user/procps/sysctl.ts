/** sysctl of procps-ng 4.0.2: reads and writes below /proc/sys. */
import { getopt } from '#base/text'
import { type Body, O_TRUNC, O_WRONLY, readTextFile, type Sys, strerror, writeText } from '#kernel/core'

export const SYSCTL_HELP = `
Usage:
 sysctl [options] [variable[=value] ...]

Options:
  -a, --all            display all variables
  -A                   alias of -a
  -X                   alias of -a
      --deprecated     include deprecated parameters to listing
      --dry-run        Print the key and values but do not write
  -b, --binary         print value without new line
  -e, --ignore         ignore unknown variables errors
  -N, --names          print variable names without values
  -n, --values         print only values of the given variable(s)
  -p, --load[=<file>]  read values from file
  -f                   alias of -p
      --system         read values from all system directories
  -r, --pattern <expression>
                       select setting that match expression
  -q, --quiet          do not echo variable set
  -w, --write          enable writing a value to variable
  -o                   does nothing
  -x                   does nothing
  -d                   alias of -h

 -h, --help     display this help and exit
 -V, --version  output version information and exit

For more details see sysctl(8).
`

const LONG = [
  { name: 'all', as: 'a' },
  { name: 'deprecated' },
  { name: 'dry-run' },
  { name: 'binary', as: 'b' },
  { name: 'ignore', as: 'e' },
  { name: 'names', as: 'N' },
  { name: 'values', as: 'n' },
  { name: 'load', as: 'p', argument: 'optional' as const },
  { name: 'system' },
  { name: 'pattern', as: 'r', argument: 'required' as const },
  { name: 'quiet', as: 'q' },
  { name: 'write', as: 'w' },
  { name: 'help', as: 'h' },
  { name: 'version', as: 'V' },
]

/** Listed only with --deprecated. procps-ng src/sysctl.c. */
const DEPRECATED = new Set(['base_reachable_time', 'retrans_time'])

interface Settings {
  names: boolean
  values: boolean
  binary: boolean
  ignore: boolean
  quiet: boolean
  write: boolean
  dryRun: boolean
  deprecated: boolean
  pattern: RegExp | undefined
}

export function* sysctl(sys: Sys, argv: string[]): Body<number> {
  const { options, operands } = getopt(argv, 'bneNwfp::qoxaAXr:Vdh', LONG)
  const settings: Settings = {
    names: false,
    values: false,
    binary: false,
    ignore: false,
    quiet: false,
    write: false,
    dryRun: false,
    deprecated: false,
    pattern: undefined,
  }
  let all = false
  const files: string[] = []
  for (const { option, value, message } of options) {
    if (message !== undefined) {
      yield* writeText(sys, 2, `${message}\n${SYSCTL_HELP}`)
      return 1
    }
    if (option === 'h' || option === 'd') {
      yield* writeText(sys, 1, SYSCTL_HELP)
      return 0
    }
    if (option === 'V') {
      yield* writeText(sys, 1, 'sysctl from procps-ng 4.0.2\n')
      return 0
    }
    if (option === 'a' || option === 'A' || option === 'X') all = true
    else if (option === 'N') settings.names = true
    else if (option === 'n') settings.values = true
    else if (option === 'b') settings.binary = settings.values = true
    else if (option === 'e') settings.ignore = true
    else if (option === 'q') settings.quiet = true
    else if (option === 'w') settings.write = true
    else if (option === 'dry-run') settings.dryRun = true
    else if (option === 'deprecated') settings.deprecated = true
    else if (option === 'r') settings.pattern = compiled(value ?? '')
    else if (option === 'p' || option === 'f') files.push(value ?? operands.shift() ?? '/etc/sysctl.conf')
    else if (option === 'system') files.push(...systemFiles(sys))
  }
  let status = 0
  if (all) {
    for (const path of walk(sys, '/proc/sys', settings)) status |= yield* show(sys, path, settings, true)
    return status
  }
  for (const file of files) status |= yield* load(sys, file, settings, files.length > 1)
  if (files.length > 0) return status
  if (operands.length === 0) {
    yield* writeText(sys, 2, "sysctl: no variables specified\nTry `sysctl --help' for more information.\n")
    return 1
  }
  for (const operand of operands) {
    const equals = operand.indexOf('=')
    if (equals >= 0) status |= yield* set(sys, operand.slice(0, equals), operand.slice(equals + 1), settings)
    else if (settings.write) {
      yield* writeText(sys, 2, 'sysctl: command line(0): invalid syntax, continuing...\n')
      status = 1
    } else status |= yield* showKey(sys, operand, settings)
  }
  return status
}

/** A pattern; one that is no regular expression matches nothing, and isn't told of. */
function compiled(pattern: string): RegExp {
  try {
    return new RegExp(pattern)
  } catch {
    return /$^/
  }
}

/** `net.ipv4.conf.eth0/1.x` and `net/ipv4/...`: the first separator says which is which. */
function pathOf(key: string): string {
  const name = key.trim()
  const dot = name.indexOf('.')
  const slash = name.indexOf('/')
  if (slash >= 0 && (dot < 0 || slash < dot)) return `/proc/sys/${name}`
  return `/proc/sys/${name.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'))}`
}

function keyOf(path: string): string {
  return path.slice('/proc/sys/'.length).replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/'))
}

function* showKey(sys: Sys, key: string, settings: Settings): Body<number> {
  const path = pathOf(key)
  const stat = sys.stat(path)
  if (!stat.ok) {
    if (settings.ignore && stat.errno === 'ENOENT') return 0
    yield* writeText(sys, 2, `sysctl: cannot stat ${path}: ${strerror(stat.errno)}\n`)
    return 1
  }
  if (stat.value.type !== 'directory') return yield* show(sys, path, settings, false)
  let status = 0
  for (const below of walk(sys, path, settings)) status |= yield* show(sys, below, settings, true)
  return status
}

function* show(sys: Sys, path: string, settings: Settings, listing: boolean): Body<number> {
  const key = keyOf(path)
  if (settings.pattern && !settings.pattern.test(key)) return 0
  const stat = sys.stat(path)
  if (stat.ok && (stat.value.mode & 0o444) === 0) {
    if (listing) return 0 // Write-only ones, such as route/flush, are passed over in lists.
    yield* writeText(sys, 2, `sysctl: permission denied on key '${key}'\n`)
    return 1
  }
  if (settings.names) {
    yield* writeText(sys, 1, `${key}\n`)
    return 0
  }
  const got = yield* readTextFile(sys, path)
  if (!got.ok) {
    if (listing && got.errno === 'EIO') return 0
    yield* writeText(sys, 2, `sysctl: reading key "${key}": ${strerror(got.errno)}\n`)
    return 1
  }
  for (const line of got.value.replace(/\n$/, '').split('\n')) {
    const text = settings.values ? line : `${key} = ${line}`
    yield* writeText(sys, 1, settings.binary ? text : `${text}\n`)
  }
  return 0
}

function* set(sys: Sys, rawKey: string, rawValue: string, settings: Settings): Body<number> {
  const path = pathOf(rawKey)
  const key = keyOf(path)
  const value = rawValue.trim()
  const stat = sys.stat(path)
  if (!stat.ok) {
    if (settings.ignore && stat.errno === 'ENOENT') return 0
    yield* writeText(sys, 2, `sysctl: cannot stat ${path}: ${strerror(stat.errno)}\n`)
    return 1
  }
  const fail = function* (text: string): Body<number> {
    yield* writeText(sys, 2, `sysctl: ${text}\n`)
    return 1
  }
  // What can't be written is told of, and counts as no failure: so the tool does it.
  if (stat.value.type === 'directory' || (stat.value.mode & 0o200) === 0) {
    yield* fail(`setting key "${key}": Invalid argument`)
    return 0
  }
  if (!settings.dryRun) {
    const opened = yield* sys.open(path, O_WRONLY | O_TRUNC)
    if (!opened.ok) return yield* fail(`setting key "${key}": ${strerror(opened.errno)}`)
    const written = yield* writeText(sys, opened.value, `${value}\n`)
    sys.close(opened.value)
    if (!written.ok) return yield* fail(`setting key "${key}": ${strerror(written.errno)}`)
  }
  if (settings.quiet) return 0
  yield* writeText(sys, 1, settings.names ? `${key}\n` : settings.values ? `${value}\n` : `${key} = ${value}\n`)
  return 0
}

function* load(sys: Sys, file: string, settings: Settings, announce: boolean): Body<number> {
  const got = yield* readTextFile(sys, file === '-' ? '/dev/stdin' : file)
  if (!got.ok) {
    yield* writeText(sys, 2, `sysctl: cannot open "${file}": ${strerror(got.errno)}\n`)
    return 1
  }
  if (announce) yield* writeText(sys, 1, `* Applying ${file} ...\n`)
  let status = 0
  const lines = got.value.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!.trim()
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    const equals = line.indexOf('=')
    if (equals < 0) {
      yield* writeText(sys, 2, `sysctl: ${file}(${i + 1}): invalid syntax, continuing...\n`)
      continue
    }
    const ignored = line.startsWith('-') // A failure of such a line doesn't count.
    const failed = yield* set(sys, line.slice(ignored ? 1 : 0, equals), line.slice(equals + 1), settings)
    if (!ignored) status |= failed
  }
  return status
}

function systemFiles(sys: Sys): string[] {
  const files = [
    '/run/sysctl.d',
    '/etc/sysctl.d',
    '/usr/local/lib/sysctl.d',
    '/usr/lib/sysctl.d',
    '/lib/sysctl.d',
  ].flatMap((folder) => {
    const names = sys.readdir(folder)
    return names.ok
      ? names.value
          .filter((name) => name.endsWith('.conf'))
          .sort()
          .map((name) => `${folder}/${name}`)
      : []
  })
  return sys.stat('/etc/sysctl.conf').ok ? [...files, '/etc/sysctl.conf'] : files
}

function walk(sys: Sys, folder: string, settings: Settings): string[] {
  const names = sys.readdir(folder)
  if (!names.ok) return []
  return names.value
    .filter((name) => name !== '.' && name !== '..')
    .sort()
    .flatMap((name) => {
      const path = `${folder}/${name}`
      const stat = sys.stat(path)
      if (stat.ok && stat.value.type === 'directory') return walk(sys, path, settings)
      return DEPRECATED.has(name) && !settings.deprecated ? [] : [path]
    })
}
