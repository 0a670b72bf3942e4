/**
 * What an `invariant` block says. A block is named by its info string and holds one sentence that states what must stay
 * so, clauses that say which faults it is meant to bear, and for some a request: a prompt with a command as in a console
 * block, with the lines that it must print, or a phrase (`client gets http://10.0.0.100/`).
 *
 *     no request fails for longer than 3s, every 500ms
 *     faults befall director1, director2
 *     client# curl -s -m 1 http://10.0.0.100/
 *     web...
 *
 * The forms are the table below; each is a whole line, and letters' case and a full stop at its end don't matter.
 */
import { closest, parseDuration } from '#base/text'
import type { LabPlan, Mistakes, SourcePosition } from '#lab/plan'
import type { FaultScope, Invariant, InvariantRule, Probe } from './document.ts'

const EVERY_NS = 500e6
/** Requests more often than this would be a flood. */
const EVERY_MIN_NS = 1e6
/** Two owners may overlap for so long: what an announcement takes to make the other one yield. */
const OWNERS_NS = 1e9
const AT_ONCE_MAX = 16

const DURATION = '([\\d.]+ ?[a-z]+)'
const EVERY = `(?:,? every ${DURATION})?`
const TO = '(?: to ([^ ]+))?'

type Statement = (
  words: (string | undefined)[],
  read: Reader,
) => Exclude<InvariantRule, { probe: Probe }> | ((probe: Probe) => InvariantRule)

/** Turns words into values; a mistake is told and something harmless taken in its place. */
interface Reader {
  duration(text: string | undefined, otherwise: number): number
  every(text: string | undefined): number
  network(text: string | undefined): string | undefined
  endpoint(text: string | undefined): { address: string | undefined; port: number | undefined }
}

/** The sentences, and what each is. Those that answer with a function want a request. */
const STATEMENTS: [form: RegExp, written: string, Statement][] = [
  [
    new RegExp(`^no request fails for longer than ${DURATION}${EVERY}$`, 'i'),
    'no request fails for longer than DURATION[, every DURATION]',
    ([limit, every], read) => {
      const limitNs = read.duration(limit, 0)
      const everyNs = read.every(every)
      return (probe) => ({ kind: 'requests', limitNs, everyNs, probe })
    },
  ],
  [
    new RegExp(`^always${EVERY}$`, 'i'),
    'always[, every DURATION]',
    ([every], read) => {
      const everyNs = read.every(every)
      return (probe) => ({ kind: 'requests', limitNs: 0, everyNs, probe })
    },
  ],
  [
    new RegExp(`^within ${DURATION} after the last fault${EVERY}$`, 'i'),
    'within DURATION after the last fault[, every DURATION]',
    ([delay, every], read) => {
      const delayNs = read.duration(delay, 0)
      const everyNs = read.every(every)
      return (probe) => ({ kind: 'afterwards', mode: 'within', delayNs, everyNs, probe })
    },
  ],
  [
    new RegExp(`^from ${DURATION} after the last fault on${EVERY}$`, 'i'),
    'from DURATION after the last fault on[, every DURATION]',
    ([delay, every], read) => {
      const delayNs = read.duration(delay, 0)
      const everyNs = read.every(every)
      return (probe) => ({ kind: 'afterwards', mode: 'from', delayNs, everyNs, probe })
    },
  ],
  [
    new RegExp(`^no address(?: on ([^ ]+))? is answered for by two macs(?: for longer than ${DURATION})?$`, 'i'),
    'no address [on NETWORK] is answered for by two MACs [for longer than DURATION]',
    ([network, limit], read) => ({
      kind: 'owners',
      network: read.network(network),
      limitNs: read.duration(limit, OWNERS_NS),
    }),
  ],
  [
    new RegExp(`^no connection${TO} changes its server$`, 'i'),
    'no connection [to ADDRESS[:PORT]] changes its server',
    ([to], read) => ({ kind: 'connections', what: 'changes', ...read.endpoint(to) }),
  ],
  [
    new RegExp(`^no connection${TO} is reset$`, 'i'),
    'no connection [to ADDRESS[:PORT]] is reset',
    ([to], read) => ({ kind: 'connections', what: 'reset', ...read.endpoint(to) }),
  ],
]

const CLAUSES: [form: RegExp, written: string][] = [
  [/^faults befall (.+)$/i, 'faults befall HOST, HOST:INTERFACE, NETWORK'],
  [/^at most (\d{1,3}) faults? at a time$/i, 'at most N faults at a time'],
  [new RegExp(`^at least ${DURATION} between faults$`, 'i'), 'at least DURATION between faults'],
]

const ADDRESS = '\\d{1,3}(?:\\.\\d{1,3}){3}'
/** Requests in a phrase: what each is as a command. A second is what a client may wait. */
const PHRASES: [form: RegExp, written: string, command: (words: string[]) => string[]][] = [
  [new RegExp(`^pings (${ADDRESS})$`), 'pings ADDRESS', ([address]) => ['ping', '-nqc1', '-W1', address!]],
  [
    new RegExp(`^connects to (${ADDRESS}):(\\d{1,5})$`),
    'connects to ADDRESS:PORT',
    ([address, port]) => ['nc', '-z', '-w1', address!, port!],
  ],
  [/^gets (https?:\/\/[\w.:/?&=%~+,@-]+)$/, 'gets URL', ([url]) => ['curl', '-sf', '-m1', url!]],
]

interface Line {
  text: string
  at: SourcePosition
}

/** Parses a block; undefined if it can't be understood, and why has been told. */
export function parseInvariant(
  words: string[],
  at: SourcePosition,
  lines: Line[],
  plan: LabPlan | undefined,
  mistakes: Mistakes,
): Omit<Invariant, 'range' | 'blocksBefore'> | undefined {
  const [name = '', ...flags] = words
  const before = mistakes.list.length
  if (!/^[a-z][a-z0-9-]*$/.test(name)) {
    mistakes.add(at, `an invariant is not named \`${name}\``, 'write ```invariant NAME, such as one-owner')
  }
  for (const flag of flags) {
    if (flag !== 'broken') mistakes.add(at, `an invariant has no flag \`${flag}\``, 'there is `broken`')
  }
  if (!plan) {
    mistakes.add(at, 'the article has no lab, so nothing to watch', 'add `lab:` to the front matter')
    return undefined
  }
  const scope: FaultScope = { targets: undefined, atOnce: 1, gapNs: 0 }
  let statement: { text: string; at: SourcePosition; rule: ReturnType<Statement> } | undefined
  let probe: (Probe & { at: SourcePosition }) | undefined
  for (let i = 0; i < lines.length; i++) {
    const { text, at: here } = lines[i]!
    const line = text.trim().replace(/\.$/, '').replace(/\s+/g, ' ')
    if (line === '') continue
    const read = readerOf(plan, here, mistakes)
    const prompt = /^([a-z][a-z0-9-]*)[#$] (.+)$/.exec(text)
    if (prompt) {
      // The rest of the block is what it must print.
      const rest = lines.slice(i + 1).map((each) => each.text)
      while (rest.length > 0 && rest.at(-1)!.trim() === '') rest.pop()
      const again = lines.slice(i + 1).find((each) => /^[a-z][a-z0-9-]*[#$] /.test(each.text))
      if (again) mistakes.add(again.at, 'an invariant has one request', 'write a second invariant')
      if (probe) mistakes.add(here, 'an invariant has one request', 'write a second invariant')
      checkHost(prompt[1]!, plan, here, mistakes)
      probe = {
        host: prompt[1]!,
        command: prompt[2]!,
        argv: undefined,
        expected: rest.length > 0 ? rest : undefined,
        text,
        at: here,
      }
      break
    }
    const stated = STATEMENTS.find(([form]) => form.test(line))
    if (stated) {
      if (statement) mistakes.add(here, 'an invariant states one thing', 'write a second invariant')
      statement = { text: line, at: here, rule: stated[2](stated[0].exec(line)!.slice(1), read) }
      continue
    }
    if (readClause(line, scope, plan, here, mistakes)) continue
    const phrase = phraseOf(line)
    if (phrase) {
      if (probe) mistakes.add(here, 'an invariant has one request', 'write a second invariant')
      checkHost(phrase.host, plan, here, mistakes)
      probe = { ...phrase, at: here }
      continue
    }
    mistakes.add(here, `an invariant doesn't say \`${line}\``, hintFor(line, plan))
  }
  if (!statement) {
    if (mistakes.list.length === before)
      mistakes.add(at, 'the invariant states nothing', `write \`${STATEMENTS[0]![1]}\``)
    return undefined
  }
  const { rule, text } = statement
  const common = { name, at, broken: flags.includes('broken'), statement: text, scope }
  if (typeof rule !== 'function') {
    if (probe) mistakes.add(probe.at, 'this invariant needs no request', 'leave it out')
    return { ...common, rule }
  }
  if (!probe) {
    mistakes.add(statement.at, 'there is no request to make', 'write `HOST# COMMAND` below, or `HOST gets URL`')
    return undefined
  }
  const { at: _, ...made } = probe
  return { ...common, rule: rule(made) }
}

function readerOf(plan: LabPlan, at: SourcePosition, mistakes: Mistakes): Reader {
  const duration = (text: string | undefined, otherwise: number) => {
    if (text === undefined) return otherwise
    const ns = parseDuration(text)
    if (ns === undefined) mistakes.add(at, `\`${text}\` is no duration`, 'write it as 3s or 500ms')
    return ns ?? otherwise
  }
  return {
    duration,
    every(text) {
      const ns = duration(text, EVERY_NS)
      if (ns < EVERY_MIN_NS) mistakes.add(at, `every ${text} is too often`, 'write 1ms or more')
      return Math.max(ns, EVERY_MIN_NS)
    },
    network(text) {
      if (text === undefined) return undefined
      const names = plan.networks.map((network) => network.name)
      if (!names.includes(text)) {
        const like = closest(text, names)
        mistakes.add(
          at,
          `there is no network \`${text}\``,
          like ? `did you mean \`${like}\`?` : `there is ${names.join(', ')}`,
        )
      }
      return text
    },
    endpoint(text) {
      const parts = text === undefined ? undefined : new RegExp(`^(${ADDRESS})(?::(\\d{1,5}))?$`).exec(text)
      if (text !== undefined && !parts)
        mistakes.add(at, `\`${text}\` is no address`, 'write 10.0.0.100 or 10.0.0.100:80')
      return { address: parts?.[1], port: parts?.[2] === undefined ? undefined : Number(parts[2]) }
    },
  }
}

function phraseOf(line: string): Probe | undefined {
  const match = /^([a-z][a-z0-9-]*) (.+)$/.exec(line)
  for (const [form, , command] of match ? PHRASES : []) {
    const words = form.exec(match![2]!)
    if (!words) continue
    const argv = command(words.slice(1))
    return { host: match![1]!, command: argv.join(' '), argv, expected: undefined, text: line }
  }
  return undefined
}

function checkHost(name: string, plan: LabPlan, at: SourcePosition, mistakes: Mistakes): void {
  const names = plan.hosts.map((host) => host.name)
  if (names.includes(name)) return
  const like = closest(name, names)
  mistakes.add(at, `the lab has no host \`${name}\``, like ? `did you mean \`${like}\`?` : 'add it to `hosts:`')
}

function readClause(line: string, scope: FaultScope, plan: LabPlan, at: SourcePosition, mistakes: Mistakes): boolean {
  const [befall, atOnce, between] = CLAUSES.map(([form]) => form.exec(line))
  if (befall) {
    scope.targets = befall[1]!.split(/,? and |, ?/).filter((word) => word !== '')
    const known = targetsOf(plan)
    for (const target of scope.targets) {
      if (known.includes(target)) continue
      const like = closest(target, known)
      mistakes.add(
        at,
        `the lab has no \`${target}\``,
        like ? `did you mean \`${like}\`?` : 'name hosts, HOST:INTERFACE or networks',
      )
    }
    return true
  }
  if (atOnce) {
    scope.atOnce = Math.min(Number(atOnce[1]), AT_ONCE_MAX)
    if (scope.atOnce === 0) mistakes.add(at, 'without faults there is nothing to explore', 'write 1 or more')
    return true
  }
  if (between) {
    scope.gapNs = readerOf(plan, at, mistakes).duration(between[1], 0)
    return true
  }
  return false
}

/** All that a fault can befall, as it is named. */
export function targetsOf(plan: LabPlan): string[] {
  return [
    ...plan.hosts.flatMap(({ name, interfaces }) => [name, ...interfaces.map((iface) => `${name}:${iface.name}`)]),
    ...plan.networks.map(({ name }) => name),
  ]
}

/** The form that a line comes nearest to, or what can stand there. */
function hintFor(line: string, plan: LabPlan): string {
  const [first = ''] = line.toLowerCase().split(' ')
  if (plan.hosts.some(({ name }) => name === first)) {
    return `write \`${first}# COMMAND\`, or \`${first} ${PHRASES.map(([, written]) => written).join(`\`, \`${first} `)}\``
  }
  const forms = [...STATEMENTS, ...CLAUSES].map(([, written]) => written)
  const like = forms.filter((form) => form.startsWith(first))
  // By how many of its words a form shares with the line.
  const shared = (form: string) => form.split(/[ ,[\]]+/).filter((word) => line.includes(word)).length
  const best = (like.length > 0 ? like : forms).sort((a, b) => shared(b) - shared(a))[0]!
  return `did you mean \`${best}\`?`
}
