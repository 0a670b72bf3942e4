import { readFileSync } from 'node:fs'
import { appendFile, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { DEFAULT_START } from '#article/runner'
import { completeWord, SimLab } from '#backend/sim'
import { NotModelled } from '#base/check'
import { LAB_HELP, parseVerb } from '#lab/faults'
import { type LabPlan, parseLab } from '#lab/plan'
import { readArticle, UnreadableArticle } from '../articles.ts'
import { budgetsOf } from '../budgets.ts'
import { defineCommand, integer, Mistaken, type OptionType, text, UsageError } from '../command.ts'
import { paint, print, printError } from '../terminal.ts'

const TICK_MS = 10
const HISTORY_MAX = 1000

const factor: OptionType<number> = (value) =>
  /^\d{1,6}(\.\d+)?$/.test(value) && Number(value) > 0 ? Number(value) : new Mistaken('a number above 0')

export const shell = defineCommand({
  name: 'shell',
  help: `Usage: kaidoku shell [OPTION]... ARTICLE|LAB
Type on the hosts of an article's lab, or of a lab file; simulated, so nothing here is touched.

  -H, --host=NAME     the host to begin on (default the first)
  -s, --seed=NUMBER   the seed of all chance (default 1)
  -x, --speed=FACTOR  virtual seconds in a second of yours (default 1)
  -h, --help          show this text

At a prompt: @HOST goes to another host, @lab to the lab's console (unplug, poweroff, loss ...), @ lists them. Tab
completes, arrows bring back what was typed, Ctrl-C ends what runs, Ctrl-D leaves. Virtual time passes while a command
runs, and waits while you think. Commands may also come from a pipe.

Exit status: that of the last command.`,
  options: { host: text, seed: integer, speed: factor },
  async main({ operands, options }) {
    const [file] = operands
    if (file === undefined || operands.length > 1) throw new UsageError('kaidoku shell: name one article or lab file')
    const plan = await readPlan(file)
    const names = plan.hosts.map((host) => host.name)
    if (options.host !== undefined && !names.includes(options.host)) {
      throw new UsageError(`kaidoku shell: there is no host '${options.host}'; there is ${names.join(', ')}`)
    }
    const lab = new SimLab(plan, {
      seed: options.seed ?? 1,
      start: DEFAULT_START,
      capture: false,
      budgets: budgetsOf(Infinity),
    })
    return new Session(lab, plan, options.host ?? names[0]!, options.speed ?? 1).run()
  },
})

/** The lab of an article, or a lab file. */
async function readPlan(file: string): Promise<LabPlan> {
  if (file.endsWith('.md')) {
    const article = await readArticle(file)
    if (!article.lab) throw new UsageError(`kaidoku: ${file}: an article without a lab`)
    return article.lab
  }
  let source: string
  try {
    source = readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(
      `kaidoku: ${file}: ${(error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : (error as Error).message}`,
    )
  }
  const { plan, mistakes } = parseLab(source, file)
  if (mistakes.length === 0) return plan
  for (const mistake of mistakes) printError(mistake.message)
  throw new UnreadableArticle(file)
}

class Session {
  readonly #lab: SimLab
  readonly #plan: LabPlan
  readonly #names: string[]
  readonly #speed: number
  readonly #interactive = process.stdin.isTTY === true
  readonly #historyFile = join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'kaidoku-history')
  #host: string
  #status = 0
  #running = false

  constructor(lab: SimLab, plan: LabPlan, host: string, speed: number) {
    this.#lab = lab
    this.#plan = plan
    this.#names = plan.hosts.map((each) => each.name)
    this.#host = host
    this.#speed = speed
  }

  async run(): Promise<number> {
    const history = this.#interactive ? await this.#readHistory() : []
    const input = createInterface({
      input: process.stdin,
      output: this.#interactive ? process.stdout : undefined,
      terminal: this.#interactive,
      history,
      historySize: HISTORY_MAX,
      removeHistoryDuplicates: true,
      completer: (line: string) => this.#complete(line),
    } as Parameters<typeof createInterface>[0])
    if (this.#interactive) {
      print(`${this.#lab.kernel}: ${this.#names.join(', ')}. @HOST changes host, @lab breaks things, Ctrl-D leaves.`)
      input.on('SIGINT', () => {
        if (this.#running) this.#lab.interrupt(this.#host)
        else {
          // As a shell does: a new line, nothing run.
          process.stdout.write('^C\n')
          ;(input as Interface & { line: string; cursor: number }).line = ''
          ;(input as Interface & { line: string; cursor: number }).cursor = 0
          this.#ask(input)
        }
      })
    }
    this.#ask(input)
    for await (const line of input) {
      await this.#line(line)
      this.#ask(input)
    }
    if (this.#interactive) print()
    return this.#status
  }

  #ask(input: Interface): void {
    if (!this.#interactive) return
    input.setPrompt(`${paint(this.#host === 'lab' ? 'yellow' : 'green', this.#host)}# `)
    input.prompt()
  }

  async #line(line: string): Promise<void> {
    // Piped lines may be an article's: `HOST# command`.
    const prompted = /^([a-z][a-z0-9-]*)[#$] (.*)$/.exec(line)
    let command = line
    if (prompted && !this.#interactive && (this.#names.includes(prompted[1]!) || prompted[1] === 'lab')) {
      this.#host = prompted[1]!
      command = prompted[2]!
    }
    const word = command.trim()
    if (word === '') return
    if (this.#interactive) this.#remember(command)
    if (word.startsWith('@')) this.#go(word.slice(1))
    else if (this.#host === 'lab') await this.#verb(word)
    else await this.#command(command)
  }

  #go(name: string): void {
    if (name === '') print([...this.#names, 'lab'].join('  '))
    else if (name === 'lab' || this.#names.includes(name)) this.#host = name
    else printError(`there is no host '${name}'; there is ${this.#names.join(', ')}`)
  }

  async #verb(line: string): Promise<void> {
    if (line === 'help' || line === '?') {
      print(LAB_HELP)
      return
    }
    const parsed = parseVerb(line, this.#plan)
    if (!parsed.ok) {
      this.#status = 1
      printError(`${parsed.what}; ${parsed.hint}`)
      return
    }
    await this.#lab.verb(parsed.verb)
    this.#status = 0
  }

  async #command(command: string): Promise<void> {
    const write = (chunk: string) => process.stdout.write(chunk)
    if (!this.#interactive) {
      // Nobody watches: as fast as it computes.
      const result = await this.#lab.command(this.#host, command, { onOutput: write })
      this.#status = result.status
      return
    }
    let done = false
    this.#running = true
    this.#lab.begin(this.#host, command, {
      onOutput: write,
      onEnd: (status) => {
        this.#status = status
        done = true
      },
    })
    const began = performance.now()
    const beganNs = this.#lab.nowNs
    while (!done) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS))
      try {
        await this.#lab.advance(Math.round(beganNs + (performance.now() - began) * this.#speed * 1e6))
      } catch (error) {
        if (!(error instanceof NotModelled)) throw error
        printError(`kaidoku: not modelled: ${error.message}`) // It ended the program that asked; the lab goes on.
      }
    }
    this.#running = false
  }

  /** Hosts behind @, verbs and places on the lab's console, and on a host what `completeWord` knows. */
  #complete(line: string): [string[], string] {
    const word = /\S*$/.exec(line)![0]
    if (line.startsWith('@'))
      return matching(
        [...this.#names, 'lab'].map((name) => `@${name}`),
        word,
      )
    if (this.#host === 'lab') {
      const verbs = LAB_HELP.split('\n').map((help) => help.split(' ')[0]!)
      const ends = this.#plan.hosts.flatMap((host) => host.interfaces.map((iface) => `${host.name}:${iface.name}`))
      const networks = this.#plan.networks.map((network) => network.name)
      return matching(line.includes(' ') ? [...ends, ...this.#names, ...networks] : verbs, word)
    }
    const { candidates } = completeWord(this.#lab, this.#host, line)
    return [candidates.map((candidate) => (candidate.endsWith('/') ? candidate : `${candidate} `)), word]
  }

  async #readHistory(): Promise<string[]> {
    const saved = await readFile(this.#historyFile, 'utf8').catch(() => '')
    return saved.split('\n').filter(Boolean).slice(-HISTORY_MAX).reverse()
  }

  #remember(line: string): void {
    appendFile(this.#historyFile, `${line}\n`).catch(() => {}) // Without a home there is no history.
  }
}

function matching(candidates: string[], word: string): [string[], string] {
  return [
    [...new Set(candidates.filter((candidate) => candidate.startsWith(word)))].map((candidate) => `${candidate} `),
    word,
  ]
}
