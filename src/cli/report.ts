/** A run as people read it. */
import { formatTime, type Violation } from '#article/explore'
import type { Invariant } from '#article/format'
import { type ArticleRun, type CommandRun, commandPassed, passed, type RunStopped } from '#article/runner'
import { paint, print, printError } from './terminal.ts'

/** One command: a mark, its prompt, and what differed. */
export function reportCommand(run: CommandRun, verbose: boolean): void {
  const good = commandPassed(run)
  const mark = good ? paint('green', '✓') : paint('red', '✗')
  const prompt = `${run.source.host}${run.source.prompt}`
  const [first = '', ...more] = run.source.command.split('\n')
  print(`${mark} ${paint('bold', prompt)} ${first}`)
  for (const line of more) print(`    > ${line}`)
  if (good) {
    if (verbose)
      for (const line of run.output.replace(/\n$/, '').split('\n')) if (run.output !== '') print(`    ${line}`)
    return
  }
  print(paint('dim', `  ${run.source.at.file}:${run.source.at.line}: - expected, + printed`))
  for (const { sign, text } of run.comparison?.diff ?? []) {
    const line = `  ${sign} ${text}`
    print(sign === '-' ? paint('red', line) : sign === '+' ? paint('green', line) : line)
  }
  if (run.timedOut)
    print(paint('red', `  stopped after ${run.block.limitS} s (limit=SECONDS in the block's info string allows more)`))
}

/** The closing line of one article. */
export function reportArticle(run: ArticleRun): void {
  const failed = run.commands.filter((command) => !commandPassed(command)).length
  const ended = run.commands.at(-1)
  const time = ended
    ? `, ${(ended.at + ended.took).toFixed(1)} s of ${run.backend === 'netns' ? 'real' : 'virtual'} time`
    : ''
  const skipped = run.skipped > 0 ? `, ${run.skipped} skipped here` : ''
  const total = `${run.commands.length - failed} of ${run.commands.length} commands as written${skipped}${time}`
  print(
    `${passed(run) ? paint('green', 'pass') : paint('red', 'FAIL')} ${run.article.file} on ${run.kernel || run.backend}: ${total}`,
  )
}

/** Whether an invariant held; if that isn't as it should be, what tells it. */
export function reportInvariant(invariant: Invariant, violation: Violation | undefined, good: boolean): void {
  const { name, statement, at, broken } = invariant
  const held = violation ? 'broken' : 'held'
  const should = broken && good ? ', as it is said to be' : ''
  print(
    `${good ? paint('green', '✓') : paint('red', '✗')} invariant ${paint('bold', name)} ${held}${should}: ${statement}`,
  )
  if (good) return
  print(paint('dim', `  ${at.file}:${at.line}`))
  if (!violation) return
  print(paint('red', `  at ${formatTime(violation.atNs)} s: ${violation.what}`))
  for (const line of violation.evidence) print(`    ${line}`)
}

/** Says what stopped a run; for our own bug with all that helps to find it. Gives the exit status, 3 for a bug. */
export function reportStop(stop: RunStopped): number {
  printError(`kaidoku: ${stop.message}`)
  if (stop.bug) printError(stop.cause.stack ?? '')
  const { article, commands } = stop.run
  print(`${paint('red', 'FAIL')} ${article.file}: stopped after ${commands.length} commands`)
  return stop.bug ? 3 : 1
}
