/**
 * Fault exploration: a failover lab of three hosts, thirty virtual seconds a seed, in one process. By CPU time; what
 * two cores do in a minute is twice one's.
 */
import { readFileSync } from 'node:fs'
import { Exploration, FAULT_KINDS } from '#article/explore'
import { parseArticle } from '#article/format'
import { DEFAULT_START } from '#article/runner'
import { SimLab } from '#backend/sim'

const ARTICLE = 'src/article/explore/golden/failover.md'

/** Runs the workload, after a few seeds that don't count: by then most of the code is compiled. */
export async function exploreBench(options: Record<string, string>): Promise<Record<string, number | string>> {
  const seeds = Number(options['seeds'] ?? 200)
  const file = options['article'] ?? ARTICLE
  const { article, mistakes } = parseArticle(readFileSync(file, 'utf8'), file)
  if (mistakes.length > 0) throw mistakes[0]!
  const open = (plan: ConstructorParameters<typeof SimLab>[0], seed: number) =>
    new SimLab(plan, { seed, start: DEFAULT_START, capture: false })
  const exploration = new Exploration(open, article, article.invariants, { kinds: FAULT_KINDS, time: 300 })
  for (let seed = 1; seed <= 20; seed++) await exploration.explore(seed)
  const began = process.cpuUsage()
  let broken = 0
  for (let seed = 1; seed <= seeds; seed++) if (await exploration.explore(seed)) broken++
  const used = process.cpuUsage(began)
  const cpuMs = (used.user + used.system) / 1000
  return {
    article: file,
    seeds,
    broken,
    cpu_ms_per_seed: Math.round((cpuMs / seeds) * 10) / 10,
    seeds_per_minute_2_cores: Math.round((seeds / cpuMs) * 120_000),
  }
}
