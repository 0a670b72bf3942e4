/** JUnit's XML, as continuous integration reads it: an article is a suite, a command a test case. */
import { type ArticleRun, type CommandRun, commandPassed, type RunStopped } from '#article/runner'

export interface CheckedArticle {
  file: string
  /** One for each seed; undefined if the article couldn't be read. */
  runs: ArticleRun[] | undefined
  /** Runs that ended before the article did. */
  stopped: RunStopped[]
  /** Invariants that didn't hold, or held where they were said not to. */
  broken: { name: string; statement: string; line: number; what: string }[]
}

export function formatJunit(articles: CheckedArticle[]): string {
  const suites = articles.flatMap(({ file, runs, stopped, broken }) =>
    runs
      ? [
          ...runs.map((run) => suiteOf(run)),
          ...stopped.map((error) => suiteOf(error.run, error)),
          ...(broken.length > 0 ? [brokenSuite(file, broken)] : []),
        ]
      : [unreadable(file)],
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="kaidoku">\n${suites.join('')}</testsuites>\n`
}

/** What `explore` found: an invariant is a test case. */
export function formatExploreJunit(
  file: string,
  invariants: readonly { name: string; statement: string; at: { line: number } }[],
  broken: readonly { name: string; what: string; saved: string | undefined }[],
): string {
  const cases = invariants.map(({ name, statement, at }) => {
    const head = `    <testcase classname="${escaped(file)}" name="${escaped(`${name}: ${statement}`)}" file="${escaped(file)}" line="${at.line}"`
    const found = broken.find((each) => each.name === name)
    if (!found) return `${head}/>\n`
    const where = found.saved === undefined ? '' : escaped(`${found.saved} replays it`)
    return `${head}>\n      <failure message="${escaped(found.what)}">${where}</failure>\n    </testcase>\n`
  })
  const counts = `tests="${cases.length}" failures="${broken.length}" errors="0" skipped="0"`
  const suite = `  <testsuite name="${escaped(`${file} (explore)`)}" ${counts}>\n${cases.join('')}  </testsuite>\n`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="kaidoku">\n${suite}</testsuites>\n`
}

function suiteOf(run: ArticleRun, stopped?: RunStopped): string {
  const failures = run.commands.filter((command) => !commandPassed(command)).length
  const time = run.commands.reduce((sum, command) => sum + command.took, 0)
  const name = escaped(`${run.article.file} (${run.backend}, seed ${run.seed})`)
  const cases = run.commands.map((command) => caseOf(run, command)).join('')
  const tests = run.commands.length + (stopped ? 1 : 0)
  const counts = `tests="${tests}" failures="${failures}" errors="${stopped ? 1 : 0}" skipped="0"`
  return `  <testsuite name="${name}" ${counts} time="${time.toFixed(3)}">\n${cases}${stopped ? stoppedCase(stopped) : ''}  </testsuite>\n`
}

function brokenSuite(file: string, broken: CheckedArticle['broken']): string {
  const cases = broken.map(
    ({ name, statement, line, what }) =>
      `    <testcase classname="${escaped(file)}" name="${escaped(`${name}: ${statement}`)}" file="${escaped(file)}" line="${line}">\n      <failure message="${escaped(what)}"/>\n    </testcase>\n`,
  )
  const counts = `tests="${broken.length}" failures="${broken.length}" errors="0" skipped="0"`
  return `  <testsuite name="${escaped(`${file} (invariants)`)}" ${counts}>\n${cases.join('')}  </testsuite>\n`
}

function stoppedCase({ run, source, cause }: RunStopped): string {
  const name = escaped(source ? `${source.host}${source.prompt} ${source.command}` : 'begins')
  const line = source ? ` line="${source.at.line}"` : ''
  return `    <testcase classname="${escaped(run.article.file)}" name="${name}" file="${escaped(run.article.file)}"${line}>\n      <error type="${cause.name}" message="${escaped(cause.message)}"/>\n    </testcase>\n`
}

function caseOf(run: ArticleRun, command: CommandRun): string {
  const { source } = command
  const name = escaped(`${source.host}${source.prompt} ${source.command}`)
  const head = `    <testcase classname="${escaped(run.article.file)}" name="${name}" file="${escaped(source.at.file)}" line="${source.at.line}" time="${command.took.toFixed(3)}"`
  if (commandPassed(command)) return `${head}/>\n`
  const diff = command.comparison?.diff.map(({ sign, text }) => `${sign} ${text}`).join('\n') ?? ''
  const message = command.timedOut ? 'met its limit' : 'printed something else'
  return `${head}>\n      <failure message="${message}">${escaped(diff)}</failure>\n    </testcase>\n`
}

function unreadable(file: string): string {
  const name = escaped(file)
  return `  <testsuite name="${name}" tests="1" failures="0" errors="1" skipped="0">\n    <testcase classname="${name}" name="reads">\n      <error message="it can't be read, or has mistakes"/>\n    </testcase>\n  </testsuite>\n`
}

function escaped(text: string): string {
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd') // XML has no way to write them.
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;')
}
