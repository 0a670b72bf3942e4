/** What the file may be, and how it is called. */
export const OWN_EXPORTS = {
  everything: 'kaidoku.json.gz',
  netscape: 'bookmarks.html',
  csv: 'bookmarks.csv',
  opml: 'feeds.opml',
  epub: 'kaidoku.epub',
} as const
export type OwnExport = keyof typeof OWN_EXPORTS
