/** `kaidoku`: the commands, and how they end. What a command needs is loaded when it is called. */
import { closest } from '#base/text'
import { UnreadableArticle } from './articles.ts'
import { UsageError } from './command.ts'
import { COMMANDS } from './commands.ts'
import { print, printError } from './terminal.ts'

/** Set for a worker of `explore`: see explore-pool.ts, which isn't loaded for a name. */
const WORKER = 'KAIDOKU_EXPLORE_WORKER'

const HELP = `Usage: kaidoku COMMAND [OPTION]... [OPERAND]...
Articles about systems, whose commands run.

${Object.entries(COMMANDS)
  .map(([name, [summary]]) => `  ${name.padEnd(11)} ${summary}`)
  .join('\n')}

kaidoku COMMAND --help says more.`

async function main(words: string[]): Promise<number> {
  const [name, ...rest] = words
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const command = rest[0] !== undefined ? COMMANDS[rest[0]] : undefined
    if (command) return (await command[1]()).run(['--help'])
    print(HELP)
    return name === undefined ? 2 : 0
  }
  if (name === '--version') {
    print('kaidoku 0.1.0')
    return 0
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!command) {
    const like = closest(name, Object.keys(COMMANDS))
    throw new UsageError(`kaidoku: there is no command '${name}'${like ? `; did you mean '${like}'?` : ''}`)
  }
  return (await command[1]()).run(rest)
}

const EXPECTED = new Set([
  ...['NotModelled', 'BudgetExceeded', 'LabRefused'],
  // Of the library: what its own rules, the network or a file don't allow.
  ...['LibraryError', 'Refusal', 'PeopleError', 'DatabaseBusy', 'BackupError', 'ExchangeError', 'FetchError'],
])

// A reader that goes away (`kaidoku run ... | head`) ends the run without a complaint.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

try {
  if (process.env[WORKER] !== undefined && process.send) (await import('./explore-worker.ts')).exploreWorker()
  else process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof UnreadableArticle) process.exitCode = 2
  else if (error instanceof UsageError) {
    printError(error.message)
    if (!error.message.includes(':')) printError('Try kaidoku --help.')
    process.exitCode = 2
  } else {
    // What is nobody's bug is told in a line: where the run stopped, and why.
    const { message, cause } = error as Error
    const known = EXPECTED.has((error as Error).name) || EXPECTED.has((cause as Error | undefined)?.name ?? '')
    const { stack } = (cause instanceof Error ? cause : error) as Error
    printError(`kaidoku: ${message}`)
    if (!known) printError(stack ?? '')
    process.exitCode = known ? 1 : 3
  }
}
