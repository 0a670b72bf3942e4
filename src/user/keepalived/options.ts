/** keepalived's command line. keepalived 2.2.7 core/main.c: parse_cmdline(), usage() */
import type { Sys } from '#kernel/core'
import type { Stdio } from '#user/libc'
import { printHelp, printVersion } from './help.ts'

export interface Options {
  configFile: string
  /** -n, -l, -D, -d. */
  stay: boolean
  console: boolean
  detail: boolean
  dump: boolean
  vrrp: boolean
  checkers: boolean
  all: boolean
  keepVrrp: boolean
  keepIpvs: boolean
  releaseVips: boolean
  dontRespawn: boolean
  monitorAddresses: boolean
  test: boolean
  testFile: string | undefined
  pidFile: string
  vrrpPidFile: string
  checkersPidFile: string
  configId: string | undefined
  namespace: string | undefined
  genhash: string[] | undefined
}

interface Spec {
  short?: string
  long: string
  argument?: 'needed' | 'optional'
}

const SPECS: Spec[] = [
  { long: 'use-file', short: 'f', argument: 'needed' },
  { long: 'vrrp', short: 'P' },
  { long: 'check', short: 'C' },
  { long: 'no_bfd', short: 'B' },
  { long: 'all' },
  { long: 'log-console', short: 'l' },
  { long: 'log-detail', short: 'D' },
  { long: 'log-facility', short: 'S', argument: 'needed' },
  { long: 'log-file', short: 'g', argument: 'optional' },
  { long: 'all-config', short: 'e' },
  { long: 'flush-log-file' },
  { long: 'no-syslog', short: 'G' },
  { long: 'umask', short: 'u', argument: 'needed' },
  { long: 'release-vips', short: 'X' },
  { long: 'dont-release-vrrp', short: 'V' },
  { long: 'dont-release-ipvs', short: 'I' },
  { long: 'dont-respawn', short: 'R' },
  { long: 'dont-fork', short: 'n' },
  { long: 'dump-conf', short: 'd' },
  { long: 'pid', short: 'p', argument: 'needed' },
  { long: 'vrrp_pid', short: 'r', argument: 'needed' },
  { long: 'genhash', short: 'T' },
  { long: 'checkers_pid', short: 'c', argument: 'needed' },
  { long: 'address-monitoring', short: 'a' },
  { long: 'bfd_pid', short: 'b', argument: 'needed' },
  { long: 'snmp', short: 'x' },
  { long: 'snmp-agent-socket', short: 'A', argument: 'needed' },
  { long: 'core-dump', short: 'm' },
  { long: 'core-dump-pattern', short: 'M', argument: 'optional' },
  { long: 'namespace', short: 's', argument: 'needed' },
  { long: 'config-id', short: 'i', argument: 'needed' },
  { long: 'signum', argument: 'needed' },
  { long: 'config-test', short: 't', argument: 'optional' },
  { long: 'config-fd', argument: 'needed' },
  { long: 'perf', argument: 'optional' },
  { long: 'version', short: 'v' },
  { long: 'help', short: 'h' },
]

const SIGNUMS: Record<string, number> = { STOP: 15, RELOAD: 1, DATA: 10, STATS: 12, STATS_CLEAR: 35, JSON: 36 }
const FACILITIES = /^(local)?[0-7]$|^(user|daemon)$/

function defaults(): Options {
  return {
    configFile: '/etc/keepalived/keepalived.conf',
    stay: false,
    console: false,
    detail: false,
    dump: false,
    vrrp: true,
    checkers: true,
    all: false,
    keepVrrp: false,
    keepIpvs: false,
    releaseVips: false,
    dontRespawn: false,
    monitorAddresses: false,
    test: false,
    testFile: undefined,
    pidFile: '/run/keepalived.pid',
    vrrpPidFile: '/run/vrrp.pid',
    checkersPidFile: '/run/checkers.pid',
    configId: undefined,
    namespace: undefined,
    genhash: undefined,
  }
}

/** One option and its argument, as getopt_long(3) finds them. */
interface Found {
  spec: Spec | undefined
  value: string | undefined
  /** What is said if there is none such, or its argument is missing. */
  shown: string
  missing?: boolean
}

function* find(argv: readonly string[], operands: string[]): Generator<Found & { next: number }> {
  for (let i = 1; i < argv.length; i++) {
    const word = argv[i]!
    if (word === '--') {
      operands.push(...argv.slice(i + 1))
      return
    }
    if (word.startsWith('--')) {
      const [name, said] = /^--([^=]*)(?:=(.*))?$/s.exec(word)!.slice(1) as [string, string | undefined]
      const fitting = SPECS.filter(({ long }) => long.startsWith(name))
      const spec = SPECS.find(({ long }) => long === name) ?? (fitting.length === 1 ? fitting[0] : undefined)
      if (!spec || (said !== undefined && !spec.argument)) {
        yield { spec: undefined, value: undefined, shown: word, next: i }
        continue
      }
      let value = said
      if (spec.argument === 'needed' && value === undefined) value = argv[++i]
      const missing = spec.argument === 'needed' && !value
      yield { spec, value, shown: `--${spec.long}`, missing, next: i }
      continue
    }
    if (!word.startsWith('-') || word === '-') {
      operands.push(word)
      continue
    }
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!
      const spec = SPECS.find(({ short }) => short === letter)
      if (!spec?.argument) {
        yield { spec, value: undefined, shown: `-${letter}`, next: i }
        continue
      }
      const rest = word.slice(at + 1)
      let value: string | undefined = rest === '' ? undefined : rest
      if (spec.argument === 'needed' && value === undefined) value = argv[++i]
      yield { spec, value, shown: `-${letter}`, missing: spec.argument === 'needed' && value === undefined, next: i }
      break
    }
  }
}

/** What is asked for, or the status to end with. */
export function parseOptions(sys: Sys, io: Stdio, argv: readonly string[]): Options | number {
  const options = defaults()
  const operands: string[] = []
  let bad = false
  for (const { spec, value, shown, missing, next } of find(argv, operands)) {
    if (!spec) {
      io.error(`Unknown option ${shown}\n`)
      bad = true
      continue
    }
    if (missing) {
      io.error(`Missing parameter for option ${shown}\n`)
      bad = true
      continue
    }
    switch (spec.long) {
      case 'help':
        printHelp(io, argv[0]!)
        return 0
      case 'version':
        printVersion(sys, io)
        return 0
      case 'signum': {
        const number = SIGNUMS[value!]
        if (number === undefined) {
          io.error(`Unknown sigfunc ${value}\n`)
          return 1
        }
        io.print(`${number}\n`)
        return 0
      }
      case 'genhash':
        options.genhash = argv.slice(next + 1)
        return options
      case 'log-file':
        io.error('-g requires configure option --enable-log-file\n')
        bad = true
        break
      case 'log-facility':
        if (!FACILITIES.test(value!)) io.error(`Invalid log facility '${value}'\n`)
        break
      default:
        set(options, spec.long, value)
    }
  }
  if (operands.length > 0) io.print(`Unexpected argument(s): ${operands.map((each) => `${each} `).join('')}\n`)
  return bad ? 1 : options
}

function set(options: Options, name: string, value: string | undefined): void {
  switch (name) {
    case 'use-file':
      options.configFile = value!
      break
    case 'vrrp':
      options.checkers = false
      break
    case 'check':
      options.vrrp = false
      break
    case 'all':
      options.all = options.vrrp = options.checkers = true
      break
    case 'log-console':
      options.console = true
      break
    case 'log-detail':
      options.detail = true
      break
    case 'release-vips':
      options.releaseVips = true
      break
    case 'dont-release-vrrp':
      options.keepVrrp = true
      break
    case 'dont-release-ipvs':
      options.keepIpvs = true
      break
    case 'dont-respawn':
      options.dontRespawn = true
      break
    case 'dont-fork':
      options.stay = true
      break
    case 'dump-conf':
      options.dump = true
      break
    case 'pid':
      options.pidFile = value!
      break
    case 'vrrp_pid':
      options.vrrpPidFile = value!
      break
    case 'checkers_pid':
      options.checkersPidFile = value!
      break
    case 'address-monitoring':
      options.monitorAddresses = true
      break
    case 'namespace':
      options.namespace = value!
      break
    case 'config-id':
      options.configId = value!
      break
    case 'config-test':
      options.test = options.stay = options.dontRespawn = true
      options.testFile = value
      break
    default:
      break // It changes nothing that a lab can see.
  }
}

/** The command line, as the log has it: in lines of about a hundred letters. lib/scheduler.c: log_command_line() */
export function commandLines(argv: readonly string[]): string[] {
  const title = 'Command line'
  const most = 100 - title.length
  let rest = argv.map((word) => `'${word}'`).join(' ')
  const lines: string[] = []
  while (rest !== '') {
    rest = rest.replace(/^ +/, '')
    let end = rest.length
    if (end > most) {
      end = rest[most] === ' ' ? most : rest.lastIndexOf(' ', most)
      if (end <= 0) end = most
    }
    lines.push(`${lines.length === 0 ? `${title}: ` : ' '.repeat(title.length + 2)}${rest.slice(0, end)}`)
    rest = rest.slice(end)
  }
  return lines
}

/** As getopt_long(3) leaves the words: what is no option comes last. */
export function permuted(argv: readonly string[]): string[] {
  const operands: string[] = []
  for (const _ of find(argv, operands));
  if (argv.includes('--')) return [...argv]
  const left = [...operands]
  const options = argv.slice(1).filter((word) => {
    const at = left.indexOf(word)
    if (at < 0) return true
    left.splice(at, 1)
    return false
  })
  return [argv[0]!, ...options, ...operands]
}
