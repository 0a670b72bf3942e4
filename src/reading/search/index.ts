/**
 * Searching Japanese and English: what is indexed, the language of queries, and lit-up excerpts.
 *
 *     tokensOf('ＬＶＳの冗長化') // Set { 'lvs', 'の', '冗', 'の冗', '長', '冗長', '化', '長化' }
 */
export * from './fold.ts'
export * from './tokens.ts'
