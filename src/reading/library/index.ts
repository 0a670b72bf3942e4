/**
 * The library's words: entries and their addresses, bookmarks, comments and tags; the excerpt; the cursor of a page.
 *
 *     parseAddress('https://Example.jp/a?utm_source=x#top') // { url: 'https://example.jp/a', site: 'example.jp' }
 *     parseComment('[linux] 後で読む') // { tags: ['linux'], comment: '後で読む' }
 */
export * from './address.ts'
export * from './article-file.ts'
export * from './bookmarks.ts'
export * from './comment.ts'
export * from './cursor.ts'
export * from './entry.ts'
export * from './excerpt.ts'
export * from './judge.ts'
