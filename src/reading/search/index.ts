/**
 * Searching Japanese and English: what is indexed, the language of queries, and lit-up excerpts.
 *
 *     tokensOf('ＬＶＳの冗長化') // Set { 'lvs', 'の', '冗', 'の冗', '長', '冗長', '化', '長化' }
 *     parseQuery('冗長化 site:example.jp -"static routing"').node
 *     litExcerpt(text, ['冗長化']) // [{ text: '…', lit: false }, ..., { text: '冗長化', lit: true }, ...]
 */
export * from './fold.ts'
export * from './light.ts'
export * from './query.ts'
export * from './tokens.ts'
