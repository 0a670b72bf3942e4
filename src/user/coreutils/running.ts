/** sleep, timeout, nohup, stdbuf, env, nice, xargs: what waits for or runs other programs. */
import {
  type Body,
  O_APPEND,
  O_CREAT,
  O_WRONLY,
  SIGNALS,
  type Signal,
  type Sys,
  strerror,
  type WaitStatus,
} from '#kernel/core'
import { encodeText } from '#user/shell'
import { defineTool, Io, parseInterval, quote, Reader } from './tool.ts'

/** Finds a program in PATH and becomes it; returns the status of env(1) and its like if that fails. */
export function* become(sys: Sys, name: string, words: readonly string[]): Body<number> {
  const quoted = new Io(sys, name).quote(words[0]!)
  const file = words[0]!
  const path = sys.env.get('PATH') ?? '/usr/bin:/bin'
  const places = file.includes('/') ? [file] : path.split(':').map((directory) => `${directory || '.'}/${file}`)
  let errno: Parameters<typeof strerror>[0] = 'ENOENT'
  for (const place of places) {
    if (!file.includes('/') && !sys.stat(place).ok) continue
    const done = yield* sys.exec(place, [...words])
    if (done.ok) return done.value
    errno = done.errno
  }
  yield* sys.write(
    2,
    encodeText(
      `${name}: ${name === 'timeout' || name === 'nohup' || name === 'stdbuf' || name === 'nice' ? `failed to run command ${quoted}` : name === 'xargs' ? file : quoted}: ${strerror(errno)}\n`,
    ),
  )
  return errno === 'ENOENT' ? 127 : 126
}

/** Runs a program to its end. */
export function* runProgram(
  sys: Sys,
  name: string,
  words: readonly string[],
  prepare?: (child: Sys) => Body<void>,
): Body<WaitStatus> {
  const pid = sys.fork(function* (child) {
    if (prepare) yield* prepare(child)
    return yield* become(child, name, words)
  })
  for (;;) {
    const status = yield* sys.waitpid(pid)
    if (status.ok && status.value) return status.value
    if (!status.ok && status.errno !== 'EINTR') return { pid, exit: 127 }
  }
}

/** TERM, SIGTERM, 15; undefined if it is none. */
export function parseSignal(text: string): Signal | undefined {
  if (/^\d+$/.test(text))
    return Object.entries(SIGNALS).find(([, number]) => number === Number(text))?.[0] as Signal | undefined
  const name = text.toUpperCase()
  const full = name.startsWith('SIG') ? name : `SIG${name}`
  return full in SIGNALS ? (full as Signal) : undefined
}

export const sleep = defineTool({
  name: 'sleep',
  short: '+',
  help: `Usage: sleep NUMBER[SUFFIX]...
Wait for NUMBER seconds, or minutes (m), hours (h), days (d); for the sum of several.`,
  *run(io, _options, operands) {
    if (operands.length === 0) return yield* io.usage('missing operand', 1)
    let total = 0
    let wrong = false
    for (const operand of operands) {
      const seconds = parseInterval(operand)
      if (seconds === undefined) {
        yield* io.fail(`invalid time interval ${io.quote(operand)}`)
        wrong = true
      } else total += seconds
    }
    if (wrong) {
      yield* io.err(`Try '${io.name} --help' for more information.\n`)
      return 1
    }
    const untilNs = io.sys.monotonicNs() + total * 1e9
    for (;;) {
      const left = untilNs - io.sys.monotonicNs()
      if (left <= 0) return 0
      const done = yield* io.sys.sleep(left)
      if (done.ok) return 0
    }
  },
})

export const timeout = defineTool({
  name: 'timeout',
  usageStatus: 125,
  short: '+k:s:v',
  long: [
    { name: 'kill-after', as: 'k', argument: 'required' },
    { name: 'signal', as: 's', argument: 'required' },
    { name: 'foreground' },
    { name: 'preserve-status' },
    { name: 'verbose', as: 'v' },
  ],
  help: `Usage: timeout [OPTION] DURATION COMMAND [ARG]...
  or:  timeout [OPTION]
Run COMMAND, and end it if it runs longer than DURATION.

      --preserve-status    exit with COMMAND's status even then
      --foreground         COMMAND may read from the terminal
  -k, --kill-after=DURATION   also send KILL if it still runs so much later
  -s, --signal=SIGNAL      send this and not TERM
  -v, --verbose            say which signal is sent

Exit status: 124 if the time was up, 125 if timeout itself fails, 126 or 127 if COMMAND can't be run, 137 after KILL, else COMMAND's.`,
  *run(io, options, operands) {
    const { sys } = io
    if (operands.length < 2)
      return operands.length === 0
        ? yield* io.usage('missing operand', 125)
        : yield* io.usage(`missing operand after ${io.quote(operands[0]!)}`, 125)
    const seconds = parseInterval(operands[0]!)
    if (seconds === undefined) return yield* io.usage(`invalid time interval ${io.quote(operands[0]!)}`, 125)
    const signal = parseSignal(options.get('s') ?? 'TERM')
    if (!signal) return yield* io.usage(`${io.quote(options.get('s')!)}: invalid signal`, 125)
    const killAfter = options.has('k') ? parseInterval(options.get('k')!) : undefined
    if (options.has('k') && killAfter === undefined)
      return yield* io.usage(`invalid time interval ${io.quote(options.get('k')!)}`, 125)
    if (!options.has('foreground')) sys.setpgid(0, 0)
    let due = 0
    let passed: Signal | undefined
    sys.sigaction('SIGALRM', () => due++)
    for (const one of ['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGTERM'] as const) sys.sigaction(one, () => (passed = one))
    sys.sigaction('SIGTTIN', 'ignore')
    sys.sigaction('SIGTTOU', 'ignore')
    const pid = sys.fork(function* (child) {
      for (const one of ['SIGALRM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGTERM', 'SIGTTIN', 'SIGTTOU'] as const)
        child.sigaction(one, 'default')
      return yield* become(child, 'timeout', operands.slice(1))
    })
    if (seconds > 0) sys.setitimer(Math.min(seconds, 1e9) * 1e9, 0)
    const send = (what: Signal) => {
      sys.kill(pid, what)
      if (!options.has('foreground') && what !== 'SIGKILL') {
        // The whole group, but not timeout itself.
        sys.sigaction(what, 'ignore')
        sys.kill(0, what)
      }
      if (what !== 'SIGKILL' && what !== 'SIGCONT') sys.kill(pid, 'SIGCONT')
    }
    let timedOut = false
    let handled = 0
    for (;;) {
      const status = yield* sys.waitpid(pid)
      if (status.ok && status.value) {
        const { exit, signal: by } = status.value
        if (timedOut && !options.has('preserve-status')) return by === 'SIGKILL' ? 137 : 124
        return exit ?? 128 + SIGNALS[by!]
      }
      if (!status.ok && status.errno !== 'EINTR') return 125
      if (due > handled) {
        handled = due
        const what = timedOut ? 'SIGKILL' : signal
        if (options.has('v'))
          yield* io.err(`${io.name}: sending signal ${what.slice(3)} to command ${io.quote(operands[1]!)}\n`)
        timedOut = true
        send(what)
        if (what !== 'SIGKILL' && killAfter !== undefined) sys.setitimer(killAfter * 1e9, 0)
      } else if (passed) {
        send(passed)
        passed = undefined
      }
    }
  },
})

export const nohup = defineTool({
  name: 'nohup',
  usageStatus: 125,
  short: '+',
  help: `Usage: nohup COMMAND [ARG]...
Run COMMAND, which ignores SIGHUP.

Output that would go to a terminal goes to 'nohup.out'.`,
  *run(io, _options, operands) {
    const { sys } = io
    if (operands.length === 0) return yield* io.usage('missing operand', 125)
    const [input, output, errors] = [sys.isatty(0), sys.isatty(1), sys.isatty(2)]
    if (input) {
      const nothing = yield* sys.open('/dev/null', O_WRONLY)
      if (nothing.ok) {
        sys.dup2(nothing.value, 0)
        sys.close(nothing.value)
      }
    }
    if (output) {
      const opened = yield* sys.open('nohup.out', O_CREAT | O_WRONLY | O_APPEND, 0o600)
      if (!opened.ok) {
        yield* io.fail(`failed to open 'nohup.out': ${strerror(opened.errno)}`, 125)
        return 125
      }
      yield* io.err(`${io.name}: ${input ? 'ignoring input and ' : ''}appending output to 'nohup.out'\n`)
      sys.dup2(opened.value, 1)
      sys.close(opened.value)
    } else if (input) yield* io.err(`${io.name}: ignoring input${errors ? ' and redirecting stderr to stdout' : ''}\n`)
    if (errors) sys.dup2(1, 2)
    sys.sigaction('SIGHUP', 'ignore')
    return yield* become(sys, 'nohup', operands)
  },
})

export const stdbuf = defineTool({
  name: 'stdbuf',
  usageStatus: 125,
  short: '+i:o:e:',
  long: [
    { name: 'input', as: 'i', argument: 'required' },
    { name: 'output', as: 'o', argument: 'required' },
    { name: 'error', as: 'e', argument: 'required' },
  ],
  help: `Usage: stdbuf OPTION... COMMAND
Run COMMAND with other buffers for its standard streams.

  -i, --input=MODE    -o, --output=MODE    -e, --error=MODE

MODE is L (lines), 0 (none) or a size.`,
  *run(io, options, operands) {
    if (operands.length === 0) return yield* io.usage('missing operand', 125)
    if (options.all.length === 0) return yield* io.usage('you must specify a buffering mode option', 125)
    for (const letter of ['i', 'o', 'e'] as const) {
      const mode = options.get(letter)
      if (mode !== undefined) io.sys.env.set(`_STDBUF_${letter.toUpperCase()}`, mode)
    }
    return yield* become(io.sys, 'stdbuf', operands)
  },
})

export const env = defineTool({
  name: 'env',
  usageStatus: 125,
  short: '+iu:C:S:0v',
  long: [
    { name: 'ignore-environment', as: 'i' },
    { name: 'unset', as: 'u', argument: 'required' },
    { name: 'chdir', as: 'C', argument: 'required' },
    { name: 'split-string', as: 'S', argument: 'required' },
    { name: 'null', as: '0' },
  ],
  help: `Usage: env [OPTION]... [-] [NAME=VALUE]... [COMMAND [ARG]...]
Run COMMAND with these in its environment, or print the environment.

  -i, --ignore-environment  begin with none
  -u, --unset=NAME          without that one
  -C, --chdir=DIR           in that directory
  -S, --split-string=S      split S into words
  -0, --null                lines end with NUL`,
  *run(io, options, given) {
    const { sys } = io
    let operands = [...given]
    if (options.has('S')) operands = [...options.get('S')!.trim().split(/\s+/), ...operands]
    if (options.has('i') || operands[0] === '-') sys.env.clear()
    if (operands[0] === '-') operands.shift()
    for (const name of options.values('u')) sys.env.delete(name)
    while (operands.length > 0 && operands[0]!.includes('=')) {
      const word = operands.shift()!
      const at = word.indexOf('=')
      sys.env.set(word.slice(0, at), word.slice(at + 1))
    }
    if (operands.length === 0) {
      for (const [name, value] of sys.env) yield* io.out(`${name}=${value}${options.has('0') ? '\0' : '\n'}`)
      return 0
    }
    const directory = options.get('C')
    if (directory !== undefined) {
      const done = sys.chdir(directory)
      if (!done.ok) {
        yield* io.fail(`cannot change directory to ${quote(directory)}: ${strerror(done.errno)}`, 125)
        return 125
      }
    }
    return yield* become(sys, 'env', operands)
  },
})

export const nice = defineTool({
  name: 'nice',
  usageStatus: 125,
  short: '+n:',
  long: [{ name: 'adjustment', as: 'n', argument: 'required' }],
  help: `Usage: nice [OPTION] [COMMAND [ARG]...]
Run COMMAND with another niceness, which makes no difference on the simulated machine.

  -n, --adjustment=N   add N (10)`,
  *run(io, _options, operands) {
    if (operands.length === 0) {
      yield* io.out('0\n')
      return 0
    }
    return yield* become(io.sys, 'nice', operands)
  },
})

/** Words as xargs splits its input: blanks, quotes, backslashes. */
function splitWords(text: string): string[] | string {
  const words: string[] = []
  let word: string | undefined
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!
    if (char === '\\') word = (word ?? '') + (text[++i] ?? '')
    else if (char === '"' || char === "'") {
      const end = text.indexOf(char, i + 1)
      const line = text.indexOf('\n', i + 1)
      if (end < 0 || (line >= 0 && line < end))
        return `unmatched ${char === '"' ? 'double' : 'single'} quote; by default quotes are special to xargs unless you use the -0 option`
      word = (word ?? '') + text.slice(i + 1, end)
      i = end
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + char
  }
  if (word !== undefined) words.push(word)
  return words
}

/** What a command line of Linux may take at least, as xargs sees it. */
const LINE_MAX = 131072

export const xargs = defineTool({
  name: 'xargs',
  version: 'xargs (GNU findutils) 4.9.0',
  short: '+0a:d:E:I:i::L:l::n:P:prs:tx',
  long: [
    { name: 'null', as: '0' },
    { name: 'arg-file', as: 'a', argument: 'required' },
    { name: 'delimiter', as: 'd', argument: 'required' },
    { name: 'replace', as: 'i', argument: 'optional' },
    { name: 'max-lines', as: 'l', argument: 'optional' },
    { name: 'max-args', as: 'n', argument: 'required' },
    { name: 'max-procs', as: 'P', argument: 'required' },
    { name: 'no-run-if-empty', as: 'r' },
    { name: 'verbose', as: 't' },
    { name: 'exit', as: 'x' },
    { name: 'max-chars', as: 's', argument: 'required' },
  ],
  help: `Usage: xargs [OPTION]... COMMAND [INITIAL-ARGS]...
Run COMMAND with INITIAL-ARGS and the words of standard input.

  -0, --null                words end with NUL
  -a, --arg-file=FILE       words from FILE
  -d, --delimiter=CHARACTER words end with that
  -I R                      replace R in INITIAL-ARGS by each line
  -L, --max-lines=MAX       no more than MAX lines for one COMMAND
  -n, --max-args=MAX        no more than MAX words for one COMMAND
  -P, --max-procs=MAX       up to MAX at the same time
  -r, --no-run-if-empty     not at all without words
  -t, --verbose             print commands`,
  *run(io, options, operands) {
    const { sys } = io
    let fd = 0
    if (options.has('a')) {
      const opened = yield* sys.open(options.get('a')!)
      if (!opened.ok) {
        yield* io.fail(`Cannot open input file '${options.get('a')}': ${strerror(opened.errno)}`)
        return 1
      }
      fd = opened.value
    }
    const text = yield* new Reader(sys, fd).rest()
    const replace = options.get('I') ?? (options.has('i') ? (options.get('i') ?? '{}') : undefined)
    const delimiter = options.has('0')
      ? '\0'
      : options.has('d')
        ? options.get('d')!.replace('\\n', '\n').replace('\\t', '\t').replace('\\0', '\0')
        : undefined
    let batches: string[][]
    const lines = () => text.split('\n').filter((line) => line.trim() !== '')
    let words: string[]
    if (delimiter !== undefined) {
      words = text.split(delimiter)
      if (words[words.length - 1] === '') words.pop()
    } else {
      const split = splitWords(text)
      if (typeof split === 'string') {
        yield* io.fail(split)
        return 1
      }
      words = split
    }
    if (replace !== undefined)
      batches = (delimiter !== undefined ? words : lines().map((line) => line.trim())).map((line) => [line])
    else if (options.has('L') || options.has('l')) {
      const most = Number(options.get('L') ?? options.get('l') ?? 1)
      const all = lines()
        .map((line) => splitWords(line))
        .map((line) => (typeof line === 'string' ? [] : line))
      batches = []
      for (let i = 0; i < all.length; i += most) batches.push(all.slice(i, i + most).flat())
    } else {
      const most = Number(options.get('n') ?? Number.POSITIVE_INFINITY)
      batches = []
      let batch: string[] = []
      let length = 0
      for (const word of words) {
        if (batch.length >= most || length + word.length + 1 > LINE_MAX) {
          batches.push(batch)
          batch = []
          length = 0
        }
        batch.push(word)
        length += word.length + 1
      }
      if (batch.length > 0) batches.push(batch)
      if (batches.length === 0 && !options.has('r')) batches.push([])
    }
    const command = operands.length > 0 ? operands : ['echo']
    const most = Math.max(1, Number(options.get('P') ?? 1))
    const running = new Set<number>()
    let status = 0
    let stop = false
    const reap = function* (): Body<void> {
      const done = yield* sys.waitpid(-1)
      if (!done.ok || !done.value) {
        if (!done.ok && done.errno === 'EINTR') return
        running.clear()
        return
      }
      running.delete(done.value.pid)
      const { exit, signal } = done.value
      if (signal) {
        yield* io.fail(`${command[0]}: terminated by signal ${SIGNALS[signal]}`, 125)
        status = 125
        stop = true
      } else if (exit === 255) {
        yield* io.fail(`${command[0]}: exited with status 255; aborting`, 124)
        status = 124
        stop = true
      } else if (exit === 126 || exit === 127) {
        status = exit
        stop = true
      } else if (exit) status = 123
    }
    for (const batch of batches) {
      while (running.size >= most) yield* reap()
      if (stop) break
      const line =
        replace === undefined ? [...command, ...batch] : command.map((word) => word.replaceAll(replace, batch[0]!))
      if (options.has('t')) yield* io.err(`${line.join(' ')}\n`)
      running.add(
        sys.fork(function* (child) {
          const nothing = yield* child.open('/dev/null')
          if (nothing.ok && fd === 0) child.dup2(nothing.value, 0)
          return yield* become(child, 'xargs', line)
        }),
      )
    }
    while (running.size > 0) yield* reap()
    return status
  },
})
