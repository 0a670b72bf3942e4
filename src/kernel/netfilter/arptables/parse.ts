/** The words of `arptables`. iptables 1.8.9 iptables/xtables-arp.c, xshared.c. */
import { NotModelled } from '#base/check'
import { maskOf, parseIpv4 } from '#wire/inet'
import { parseMac } from '#wire/link'
import type { Names } from '../iptables/names.ts'
import { UsageError, type Command as XtCommand } from '../iptables/parse.ts'
import { number } from '../xt/words.ts'
import type { MangleInfo } from './mangle.ts'
import { type ArpRule, emptyRule, OPERATIONS, wholeMac } from './rule.ts'

type Command = XtCommand | 'version' | 'help'

export interface CommandLine {
  command: Command
  table: string
  chain: string | undefined
  /** A rule's number, a chain's new name, or a policy. */
  second: string | undefined
  rule: ArpRule
  numeric: boolean
  verbose: boolean
  lineNumbers: boolean
  /** What was warned of. */
  warnings: string
}

const COMMANDS: Record<string, Command> = {
  A: 'append',
  C: 'check',
  D: 'delete',
  I: 'insert',
  R: 'replace',
  L: 'list',
  S: 'list-rules',
  F: 'flush',
  Z: 'zero',
  N: 'new-chain',
  X: 'delete-chain',
  E: 'rename-chain',
  P: 'policy',
  V: 'version',
  h: 'help',
}

/** Commands that can do without a chain. */
const CHAIN_OPTIONAL = new Set('LSFZXVh')
const LONG: Record<string, string> = {
  append: 'A',
  check: 'C',
  delete: 'D',
  insert: 'I',
  replace: 'R',
  list: 'L',
  'list-rules': 'S',
  flush: 'F',
  zero: 'Z',
  'new-chain': 'N',
  'delete-chain': 'X',
  'rename-chain': 'E',
  policy: 'P',
  version: 'V',
  help: 'h',
  'source-ip': 's',
  src: 's',
  source: 's',
  'destination-ip': 'd',
  dst: 'd',
  destination: 'd',
  'in-interface': 'i',
  'out-interface': 'o',
  jump: 'j',
  table: 't',
  verbose: 'v',
  numeric: 'n',
  exact: 'x',
  'line-numbers': '0',
  'h-length': 'l',
  opcode: 'opcode',
  'h-type': 'h-type',
  'proto-type': 'proto-type',
  'source-mac': 'source-mac',
  'src-mac': 'source-mac',
  'destination-mac': 'destination-mac',
  'dst-mac': 'destination-mac',
}
const WITHOUT_VALUE = new Set(['v', 'n', 'x', '0'])
const MANGLE = ['mangle-ip-s', 'mangle-ip-d', 'mangle-mac-s', 'mangle-mac-d', 'mangle-target']

/** Reads a command line; throws UsageError. */
export function parseArptables(argv: readonly string[], names: Names): CommandLine {
  const line: Omit<CommandLine, 'command'> & { command: Command | undefined } = {
    command: undefined,
    table: 'filter',
    chain: undefined,
    second: undefined,
    rule: emptyRule(),
    numeric: false,
    verbose: false,
    lineNumbers: false,
    warnings: '',
  }
  const words = argv.slice(1)
  const { rule } = line
  let at = 0
  let inverted = false
  let mangle: MangleInfo | undefined

  const take = (option: string, given: string | undefined): string => {
    if (given !== undefined) return given
    if (at >= words.length) throw new UsageError(`option "${option}" requires an argument`)
    if (words[at] === '!' && at + 1 < words.length) {
      line.warnings +=
        'Using intrapositioned negation (`--option ! this`) is deprecated in favor of extrapositioned (`! --option this`).\n'
      inverted = true
      at++
    }
    return words[at++]!
  }
  const optional = (): string | undefined => {
    const next = words[at]
    return next !== undefined && !next.startsWith('-') && next !== '!' ? words[at++] : undefined
  }
  const address = (text: string): ArpRule['source'] => {
    const [host = '', mask] = text.split('/')
    const value = parseIpv4(host) ?? names.host(host)?.[0]
    if (value === undefined) throw new UsageError(`host/network \`${host}' not found`)
    if (mask === undefined) return { value, mask: 0xffffffff, inverted }
    const bits = number(mask, 32)
    const whole = bits === undefined ? parseIpv4(mask) : maskOf(bits)
    if (whole === undefined) throw new UsageError(`invalid mask \`${mask}' specified`)
    return { value: (value & whole) >>> 0, mask: whole, inverted }
  }
  const mac = (text: string, which: string) => {
    const [one = '', mask] = text.split('/')
    const value = parseMac(one)
    if (value === undefined) throw new UsageError(`Problem with specified ${which} mac`)
    wholeMac(mask)
    return { value, inverted }
  }

  const option = (name: string, shown: string, given: string | undefined): void => {
    if (Object.hasOwn(COMMANDS, name)) {
      if (line.command !== undefined) throw new UsageError(`Cannot use -${name} with -${letterOf(line.command)}\n`)
      line.command = COMMANDS[name]!
      line.chain = given ?? (CHAIN_OPTIONAL.has(name) ? optional() : take(shown, undefined))
      if (name === 'E' || name === 'P') {
        line.second = optional()
        if (line.second === undefined) throw new UsageError(`-${name} requires old-chain-name and new-chain-name`)
      } else if ('IDRLSZ'.includes(name) && /^\d+$/.test(words[at] ?? '')) line.second = words[at++]
      return
    }
    if (WITHOUT_VALUE.has(name)) {
      if (name === 'v') line.verbose = true
      else if (name === 'n') line.numeric = true
      else if (name === '0') line.lineNumbers = true
      return
    }
    const value = take(shown, given)
    switch (name) {
      case 't':
        line.table = value
        break
      case 's':
        rule.source = address(value)
        break
      case 'd':
        rule.target = address(value)
        break
      case 'i':
        Object.assign(rule, { in: value, inInverted: inverted })
        break
      case 'o':
        Object.assign(rule, { out: value, outInverted: inverted })
        break
      case 'l':
        if (number(value) !== 6) throw new UsageError('Only harware address length of 6 is supported currently.')
        break
      case 'opcode': {
        const named = OPERATIONS.findIndex((each) => each.toLowerCase() === value.toLowerCase())
        const code = named >= 0 ? named + 1 : number(value, 65535)
        if (code === undefined) throw new UsageError('Problem with specified opcode')
        rule.opcode = { value: code, inverted }
        break
      }
      case 'h-type': {
        const type =
          value.toLowerCase() === 'ethernet'
            ? 1
            : /^(0x)?[0-9a-f]+$/i.test(value)
              ? Number.parseInt(value, 16)
              : undefined
        if (type === undefined || type > 65535) throw new UsageError('Problem with specified hardware type')
        rule.hardware = { value: type, inverted }
        break
      }
      case 'proto-type': {
        const type = value.toLowerCase() === 'ipv4' ? 0x800 : number(value, 65535)
        if (type === undefined) throw new UsageError('Problem with specified protocol type')
        rule.protocol = { value: type, inverted }
        break
      }
      case 'source-mac':
        rule.sourceMac = mac(value, 'source')
        break
      case 'destination-mac':
        rule.targetMac = mac(value, 'destination')
        break
      case 'j':
        if (['ACCEPT', 'DROP', 'RETURN'].includes(value)) rule.jump = { verdict: value }
        else if (value === 'mangle') {
          mangle = { verdict: 'ACCEPT' }
          rule.jump = { mangle }
        } else if (['MARK', 'CLASSIFY', 'QUEUE'].includes(value)) throw new NotModelled(`arptables -j ${value}`)
        else rule.jump = { chain: value }
        break
      default:
        readMangle(mangle!, name, value, names)
    }
    inverted = false
  }

  while (at < words.length) {
    const word = words[at++]!
    if (word === '!') {
      inverted = true
      continue
    }
    if (word.startsWith('--')) {
      const [name = '', ...rest] = word.slice(2).split('=')
      const given = rest.length > 0 ? rest.join('=') : undefined
      const short = Object.hasOwn(LONG, name) ? LONG[name]! : MANGLE.includes(name) && mangle ? name : undefined
      if (short === undefined) throw new UsageError(`unknown option "${word}"`)
      option(short, `--${name}`, given)
    } else if (word.startsWith('-') && word.length > 1) {
      for (let i = 1; i < word.length; i++) {
        const letter = word[i]!
        if (letter === 'm') throw new NotModelled('arptables -m')
        if (letter === 'p') throw new NotModelled('arptables -p')
        if (!Object.hasOwn(COMMANDS, letter) && !WITHOUT_VALUE.has(letter) && !'sdiojtl'.includes(letter)) {
          throw new UsageError(`unknown option "-${letter}"`)
        }
        // A value may be glued on.
        const glued = !WITHOUT_VALUE.has(letter) && !Object.hasOwn(COMMANDS, letter) ? word.slice(i + 1) : ''
        option(letter, `-${letter}`, glued === '' ? undefined : glued)
        if (glued !== '') break
      }
    } else throw new UsageError(`Bad argument \`${word}'`, { named: false })
  }
  const { command } = line
  if (command === undefined) throw new UsageError('no command specified')
  if (rule.out !== '' && line.chain === 'INPUT') throw new UsageError("Can't use -o with INPUT\n")
  if (rule.in !== '' && line.chain === 'OUTPUT') throw new UsageError("Can't use -i with OUTPUT\n")
  return { ...line, command }
}

function letterOf(command: Command): string {
  return Object.entries(COMMANDS).find(([, one]) => one === command)![0]
}

function readMangle(mangle: MangleInfo, option: string, value: string, names: Names): void {
  const ip = () => {
    const address = parseIpv4(value) ?? names.host(value)?.[0]
    if (address === undefined) throw new UsageError(`host/network \`${value}' not found`)
    return address
  }
  const mac = (which: string) => {
    const address = parseMac(value)
    if (address === undefined) throw new UsageError(`invalid ${which} MAC`)
    return address
  }
  if (option === 'mangle-ip-s') mangle.sourceIp = ip()
  else if (option === 'mangle-ip-d') mangle.targetIp = ip()
  else if (option === 'mangle-mac-s') mangle.sourceMac = mac('source')
  else if (option === 'mangle-mac-d') mangle.targetMac = mac('target')
  else if (value === 'ACCEPT' || value === 'DROP' || value === 'CONTINUE') mangle.verdict = value
  else throw new UsageError('bad target for --mangle-target')
}
