/** A shell on a terminal: prompts, edited lines, history, job notices. */
import type { Body } from '#kernel/core'
import { type Completions, complete } from './completion.ts'
import { ExitShell } from './errors.ts'
import { endStatus, handleInteractiveSignals, runExitTrap, runSource } from './execute.ts'
import { LineEditor } from './line-editor.ts'
import type { Shell } from './shell.ts'
import { decodeText } from './text.ts'

/** Prompts, reads, runs, until the end of the input or `exit`. */
export function* runInteractive(shell: Shell, completions: Completions): Body<number> {
  const { sys } = shell
  shell.notices = true
  shell.monitor = true
  shell.options.add('monitor').add('history').add('histexpand').add('emacs')
  shell.shopt.add('expand_aliases')
  shell.ownsTerminal = sys.isatty(0)
  if (shell.ownsTerminal) {
    // A group of its own, which has the terminal.
    sys.setpgid(0, 0)
    sys.tcsetpgrp(sys.getpgid())
  }
  handleInteractiveSignals(shell, () => {
    shell.interrupted = true
  })
  if (shell.variables.get('PS1') === undefined) shell.variables.set('PS1', '\\h# ')
  if (shell.variables.get('PS2') === undefined) shell.variables.set('PS2', '> ')
  const left = { text: '' }
  let warned = false
  for (;;) {
    const text = yield* readCommand(shell, completions, left)
    if (text === undefined || (text === '' && shell.exiting)) {
      const stopped = shell.jobs.jobs.some((job) => job.stopped)
      if (stopped && !warned) {
        yield* shell.print('There are stopped jobs.\n', 2)
        warned = true
        continue
      }
      yield* shell.print('exit\n', 2)
      return yield* runExitTrap(shell, shell.status)
    }
    if (text.trim() !== '') {
      if (shell.history[shell.history.length - 1]?.text !== text)
        shell.history.push({ text: text.includes('<<') ? text : text.replace(/;?\n/g, '; ') })
      warned = false
    }
    try {
      yield* runSource(shell, text)
    } catch (thrown) {
      if (thrown instanceof ExitShell) return yield* runExitTrap(shell, thrown.status)
      shell.status = yield* endStatus(shell, thrown)
    }
    shell.interrupted = false
    yield* notify(shell)
  }
}

/** A command, which may take several lines; empty after Ctrl-C, undefined at the end. */
function* readCommand(shell: Shell, completions: Completions, left: { text: string }): Body<string | undefined> {
  let text = ''
  for (;;) {
    const prompt = yield* shell.expandText(decodePrompt(shell, shell.variables.get(text === '' ? 'PS1' : 'PS2') ?? ''))
    const line = yield* readLine(shell, completions, prompt, left)
    if (line === undefined) return text === '' ? undefined : text
    if (line === 'interrupted') {
      shell.status = 130
      return ''
    }
    text += `${text === '' ? '' : '\n'}${line.text}`
    if (/(^|[^\\])(\\\\)*\\$/.test(line.text)) continue
    if (!shell.parse(text).mistake?.incomplete) return text
  }
}

function* readLine(
  shell: Shell,
  completions: Completions,
  prompt: string,
  left: { text: string },
): Body<{ text: string } | 'interrupted' | undefined> {
  if (shell.sys.isatty(0)) {
    const editor = new LineEditor(shell.sys, {
      prompt,
      history: shell.history,
      complete: (line, cursor) => complete(shell, completions, line, cursor),
    })
    const typed = yield* editor.read(left)
    return typed.kind === 'line' ? { text: typed.text } : typed.kind === 'interrupt' ? 'interrupted' : undefined
  }
  yield* shell.print(prompt, 2)
  const bytes: number[] = []
  for (;;) {
    const got = yield* shell.sys.read(0, 1)
    if (!got.ok && got.errno === 'EINTR') return 'interrupted'
    if (!got.ok || got.value.length === 0)
      return bytes.length > 0 ? { text: decodeText(Uint8Array.from(bytes)) } : undefined
    if (got.value[0] === 10) return { text: decodeText(Uint8Array.from(bytes)) }
    bytes.push(got.value[0]!)
  }
}

/** \h, \w and the like in a prompt. bash(1), "PROMPTING". */
function decodePrompt(shell: Shell, prompt: string): string {
  const directory = () => {
    const path = shell.variables.get('PWD') ?? shell.sys.getcwd()
    const home = shell.variables.get('HOME')
    return home && home !== '/' && (path === home || path.startsWith(`${home}/`)) ? `~${path.slice(home.length)}` : path
  }
  const simple: Record<string, () => string> = {
    h: () => shell.sys.hostname.split('.')[0]!,
    H: () => shell.sys.hostname,
    w: directory,
    W: () => directory().replace(/^.*\/(?=.)/, ''),
    u: () => 'root',
    $: () => '#',
    s: () => shell.name,
    j: () => String(shell.jobs.jobs.length),
    '!': () => String(shell.history.length + 1),
    '#': () => String(shell.history.length + 1),
    n: () => '\n',
    r: () => '\r',
    e: () => '\x1b',
    a: () => '\x07',
    '\\': () => '\\',
    '[': () => '',
    ']': () => '',
  }
  return prompt.replace(/\\(.)/g, (whole, letter: string) => simple[letter]?.() ?? whole)
}

/** Says which jobs have ended or stopped since the last prompt. */
function* notify(shell: Shell): Body<void> {
  yield* shell.reapChildren()
  for (const job of [...shell.jobs.jobs]) {
    if (shell.jobs.isDone(job)) {
      const status = shell.jobs.lastStatus(job)
      // A job that was interrupted at the keyboard is no news.
      if (status.signal !== 'SIGINT' && status.signal !== 'SIGPIPE')
        yield* shell.print(`${shell.jobs.describe(job)}\n`, 2)
      shell.jobs.remove(job)
    } else if (job.stopped && !job.notified) {
      job.notified = true
      yield* shell.print(`\n${shell.jobs.describe(job)}\n`, 2)
    }
  }
}
