/**
 * What tests share: properties over seeds, golden files, and transcripts of real commands.
 *
 *     forSeeds(1000, (random, seed) => expect(emitFrame(parseFrame(random.bytes(60)))).toHaveLength(60))
 *     expectGolden(new URL('golden/arp/expected.txt', import.meta.url), printed)
 */

export { expectGolden, readGolden } from './golden.ts'
export { forSeeds } from './seeds.ts'
export {
  formatOutcome,
  formatTranscript,
  type Outcome,
  parseTranscript,
  type TranscriptCase,
} from './transcript.ts'
