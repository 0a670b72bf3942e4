/**
 * Runs articles on a backend, compares what their commands print with what they say, and accepts what they printed.
 *
 *     const run = await runArticle(createSimBackend(), article, { seed: 7 })
 *     if (!passed(run)) await writeFile(article.file, updateArticle(article, acceptedLines(run)))
 */
export * from './backend.ts'
export { canonicalFrame, Names } from './canonical.ts'
export { compareRuns, formatTotals, type LineDifference, type PacketDifference, type RunComparison } from './compare.ts'
export { type Comparison, compareOutput, lineMatches, outputLines } from './match.ts'
export {
  type ArticleRun,
  acceptedLines,
  type CommandRun,
  commandPassed,
  passed,
  type RunOptions,
  RunStopped,
  runArticle,
  skips,
  stepsOf,
  type Transcript,
  transcriptOf,
} from './run.ts'
