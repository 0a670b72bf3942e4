/** A worker of `kaidoku explore`: takes a job, then batches of seeds, and answers what each came to. */
import { Exploration } from '#article/explore'
import { RunStopped } from '#article/runner'
import { readArticle } from './articles.ts'
import { openLab } from './explore-lab.ts'
import type { SeedResult, WorkerJob } from './explore-pool.ts'

/** Serves the parent until it goes away. */
export function exploreWorker(): void {
  // Ctrl-C goes to all of a terminal's processes; the parent says what happens.
  process.on('SIGINT', () => {})
  process.on('disconnect', () => process.exit(0))
  let exploration: Promise<Exploration> | undefined
  process.on('message', (message: WorkerJob | { from: number; to: number }) => {
    if ('file' in message) {
      exploration = explorationOf(message)
      exploration.then(
        () => process.send!('ready'),
        (error: Error) => {
          process.stderr.write(`kaidoku: ${error.stack}\n`)
          process.exit(3)
        },
      )
      return
    }
    void exploration!.then(async (made) => {
      const results: SeedResult[] = []
      for (let seed = message.from; seed < message.to; seed++) results.push(await resultOf(made, seed))
      if (process.connected) process.send!({ results })
    })
  })
}

async function explorationOf(job: WorkerJob): Promise<Exploration> {
  const article = await readArticle(job.file)
  const invariants = article.invariants.filter(({ name }) => job.invariants.includes(name))
  const untilLine = job.untilLine === -1 ? Number.POSITIVE_INFINITY : job.untilLine
  return new Exploration(openLab(job.budget), article, invariants, { ...job, untilLine })
}

/** What one seed comes to. */
export async function resultOf(exploration: Exploration, seed: number): Promise<SeedResult> {
  try {
    const failure = await exploration.explore(seed)
    return failure ? { seed, broken: failure.invariant.name } : { seed }
  } catch (error) {
    const { message, name, stack } = error as Error
    const expected =
      error instanceof RunStopped ? !error.bug : ['NotModelled', 'BudgetExceeded', 'LabRefused'].includes(name)
    return expected ? { seed, stopped: message } : { seed, stopped: message, bug: stack ?? '' }
  }
}
