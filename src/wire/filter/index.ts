/**
 * Display filters, in Wireshark's language.
 *
 *     const made = compileFilter('tcp.port == 80 && ip.addr in {10.0.0.0/24}')
 *     if ('filter' in made) frames.filter((frame) => made.filter(dissector.next(frame)))
 *     else made.mistake // { at: 12, length: 2, what: '...' }
 */
export { completeFilter, type FilterCompletion } from './complete.ts'
export { compileFilter, type DisplayFilter } from './filter.ts'
export type { FilterMistake } from './scan.ts'
