/**
 * What tests share: properties over seeds, and golden files.
 *
 *     forSeeds(1000, (random, seed) => expect(emitFrame(parseFrame(random.bytes(60)))).toHaveLength(60))
 *     expectGolden(new URL('golden/arp/expected.txt', import.meta.url), printed)
 */

export { expectGolden, readGolden } from './golden.ts'
export { forSeeds } from './seeds.ts'
