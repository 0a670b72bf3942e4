/** Runs an article on a backend: every block in order, what was printed beside what was expected. */
import type { Article, ConsoleBlock, ConsoleCommand } from '#article/format'
import { assert, BudgetExceeded, NotModelled } from '#base/check'
import { parseVerb } from '#lab/faults'
import type { LabPlan } from '#lab/plan'
import { LabRefused } from '#lab/world'
import {
  type Backend,
  type CommandResult,
  DEFAULT_START,
  type InterfaceCapture,
  type ScriptStep,
  type SessionOptions,
} from './backend.ts'
import { patternOf } from './lines.ts'
import { type Comparison, compareOutput } from './match.ts'

export interface CommandRun extends CommandResult {
  /** The command as the article has it, and its block. */
  source: ConsoleCommand
  block: ConsoleBlock
  /** Undefined in a `nocheck` block. */
  comparison: Comparison | undefined
}

export interface ArticleRun {
  article: Article
  backend: string
  kernel: string
  seed: number
  start: number
  commands: CommandRun[]
  /** Commands in blocks that this backend skips. */
  skipped: number
  captures: InterfaceCapture[]
}

export interface RunOptions extends Partial<SessionOptions> {
  /** Called after each command. */
  onCommand?: (run: CommandRun, index: number, total: number) => void
}

/** A run that ended before its article did: what isn't modelled, a budget, a lab that was refused; or our own bug. */
export class RunStopped extends Error {
  override readonly name = 'RunStopped'
  override readonly cause: Error
  /** What had run until then. */
  readonly run: ArticleRun
  /** The command that stopped it; undefined if a file did, or the lab itself. */
  readonly source: ConsoleCommand | undefined
  constructor(run: ArticleRun, source: ConsoleCommand | undefined, cause: Error) {
    const at = source ? `${source.at.file}:${source.at.line}` : run.article.file
    super(`${at}: ${cause instanceof NotModelled ? 'not modelled: ' : ''}${cause.message}`)
    this.cause = cause
    this.run = run
    this.source = source
  }

  /** Whether nobody but us can mend it. */
  get bug(): boolean {
    const { cause } = this
    return !(cause instanceof NotModelled || cause instanceof BudgetExceeded || cause instanceof LabRefused)
  }
}

/** Whether a run printed all that its article says, within its limits. */
export function passed(run: ArticleRun): boolean {
  return run.commands.every(commandPassed)
}

/** Whether one command printed what its article says. */
export function commandPassed(run: CommandRun): boolean {
  return !run.timedOut && (run.comparison?.equal ?? true)
}

/** Whether a backend leaves a block out. `kernel` stands for every real one. */
export function skips(block: ConsoleBlock, backend: string): boolean {
  return block.skip.includes(backend) || (backend !== 'sim' && block.skip.includes('kernel'))
}

interface Step {
  step: ScriptStep
  source?: ConsoleCommand
  block?: ConsoleBlock
}

/** The steps that an article's blocks come to on a backend. */
export function stepsOf(article: Article, plan: LabPlan, backend: string): { steps: Step[]; skipped: number } {
  const steps: Step[] = []
  let skipped = 0
  for (const block of article.blocks) {
    if (block.kind === 'file') {
      steps.push({ step: { kind: 'file', host: block.host, path: block.path, content: block.content } })
      continue
    }
    if (skips(block, backend)) {
      skipped += block.commands.length
      continue
    }
    for (const source of block.commands) {
      if (source.host !== 'lab') {
        const { host, command } = source
        steps.push({ step: { kind: 'command', host, command, limitS: block.limitS }, source, block })
        continue
      }
      const parsed = parseVerb(source.command, plan)
      assert(parsed.ok, `${source.at.file}:${source.at.line}: an article with a mistake isn't run`)
      steps.push({ step: { kind: 'verb', verb: parsed.verb }, source, block })
    }
  }
  return { steps, skipped }
}

/** Runs an article that has no mistakes. An article without a lab runs nothing. Throws RunStopped. */
export async function runArticle(backend: Backend, article: Article, options: RunOptions = {}): Promise<ArticleRun> {
  const session: SessionOptions = {
    seed: options.seed ?? 1,
    start: options.start ?? DEFAULT_START,
    capture: options.capture ?? true,
  }
  const run: ArticleRun = {
    article,
    backend: backend.name,
    kernel: '',
    seed: session.seed,
    start: session.start,
    commands: [],
    skipped: 0,
    captures: [],
  }
  const plan = article.lab
  if (!plan) return run
  const { steps, skipped } = stepsOf(article, plan, backend.name)
  run.skipped = skipped
  const total = steps.filter((step) => step.source).length
  const took = ({ source, block }: Step, result: CommandResult) => {
    if (!source || !block) return
    const comparison = block.nocheck ? undefined : compareOutput(source.expected, result.output, block.unordered)
    const command: CommandRun = { ...result, source, block, comparison }
    run.commands.push(command)
    options.onCommand?.(command, run.commands.length, total)
  }
  let running: ConsoleCommand | undefined
  try {
    if (backend.script) {
      const script = steps.map(({ step }) => step)
      const { kernel, captures, results } = await backend.script(plan, script, session)
      run.kernel = kernel
      run.captures = captures
      steps.forEach((step, i) => {
        took(step, results[i]!)
      })
      return run
    }
    const lab = await backend.open(plan, session)
    try {
      run.kernel = lab.kernel
      for (const item of steps) {
        const { step } = item
        running = item.source
        if (step.kind === 'file') await lab.writeFile(step.host, step.path, step.content)
        else if (step.kind === 'verb') took(item, await lab.verb(step.verb))
        else took(item, await lab.command(step.host, step.command, { limitS: step.limitS }))
      }
      running = undefined
      run.captures = await lab.finish()
    } finally {
      await lab.close()
    }
  } catch (error) {
    throw error instanceof Error ? new RunStopped(run, running, error) : error
  }
  return run
}

/** What `transcript.json` holds. */
export interface Transcript {
  article: string
  backend: string
  kernel: string
  seed: number
  /** Seconds since the epoch at virtual time zero. */
  start: number
  commands: {
    host: string
    prompt: string
    command: string
    /** Virtual seconds. */
    at: number
    took: number
    status: number
    output: string
  }[]
}

/** A run as `transcript.json` has it. */
export function transcriptOf(run: ArticleRun): Transcript {
  return {
    article: run.article.file,
    backend: run.backend,
    kernel: run.kernel,
    seed: run.seed,
    start: run.start,
    commands: run.commands.map(({ source, at, took, status, output }) => ({
      host: source.host,
      prompt: source.prompt,
      command: source.command,
      at,
      took,
      status,
      output,
    })),
  }
}

/**
 * The article with what was printed written into it where it differs. Lines that fit their pattern stay as they are.
 */
export function acceptedLines(run: ArticleRun): Map<ConsoleCommand, string[]> {
  const changes = new Map<ConsoleCommand, string[]>()
  for (const command of run.commands) {
    if (!command.comparison || command.comparison.equal) continue
    changes.set(command.source, keepPatterns(command.source.expected, command.comparison))
  }
  return changes
}

/** The printed lines, but where an expected line with `...` fits the one that took its place, that line. */
function keepPatterns(expected: string[], comparison: Comparison): string[] {
  const patterns = expected.filter((line) => line.includes('...') && line !== '...')
  return comparison.diff
    .filter((line) => line.sign !== '-')
    .map(({ text }) => {
      const fitting = patterns.findIndex((pattern) => compareOutput([pattern], text, false).equal)
      return fitting >= 0 ? patterns.splice(fitting, 1)[0]! : patternOf(text)
    })
}
