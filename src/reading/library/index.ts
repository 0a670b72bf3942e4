/**
 * The library's words: entries, sites, keywords; the cursor of a page; and the bookmarks file that browsers export.
 *
 *     const { bookmarks, errors } = parseNetscapeBookmarks(text)
 *     bookmarks[0] // { line: 12, href: 'https://lwn.net/', title: 'LWN', keywords: ['news'], folders: ['Linux'], ... }
 */
export * from './article-file.ts'
export * from './bookmarks.ts'
export * from './cursor.ts'
export * from './entry.ts'
