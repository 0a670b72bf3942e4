/** `kaidoku`: the commands, and how they end. What a command needs is loaded when it is called. */
import { closest } from '#base/text'
import { UnreadableArticle } from './articles.ts'
import { type Command, UsageError } from './command.ts'
import { print, printError } from './terminal.ts'

/** Set for a worker of `explore`: see explore-pool.ts, which isn't loaded for a name. */
const WORKER = 'KAIDOKU_EXPLORE_WORKER'

const COMMANDS: Record<string, [summary: string, load: () => Promise<Command>]> = {
  run: [
    'run articles and compare what they print with what they say',
    async () => (await import('./commands/run.ts')).run,
  ],
  check: ['run many articles; JUnit', async () => (await import('./commands/check.ts')).check],
  update: ['write what commands print into articles', async () => (await import('./commands/update.ts')).update],
  compare: [
    'run articles on a real kernel as well, and show what differs',
    async () => (await import('./commands/compare.ts')).compare,
  ],
  explain: [
    "a packet's way through every host, and why it ended",
    async () => (await import('./commands/explain.ts')).explain,
  ],
  explore: [
    'let faults befall a lab, and see whether its invariants hold',
    async () => (await import('./commands/explore.ts')).explore,
  ],
  shell: ['type on the hosts of a lab', async () => (await import('./commands/shell.ts')).shell],
  export: [
    "write a run's captures as one pcapng file",
    async () => (await import('./commands/export.ts')).exportCommand,
  ],
  import: ['take in bookmarks', async () => (await import('./commands/import.ts')).importCommand],
  tool: ["programs of the simulated hosts, on one's own files", async () => (await import('./commands/tool.ts')).tool],
  serve: ['serve the reading room', async () => (await import('./commands/serve.ts')).serve],
}

const HELP = `Usage: kaidoku COMMAND [OPTION]... [OPERAND]...
Articles about systems, whose commands run.

${Object.entries(COMMANDS)
  .map(([name, [summary]]) => `  ${name.padEnd(8)} ${summary}`)
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

const EXPECTED = new Set(['NotModelled', 'BudgetExceeded', 'LabRefused'])

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
