import type { PageServerLoad } from './$types'

/** What can be taken home. */
export const load: PageServerLoad = () => ({
  files: ['kaidoku.json.gz', 'bookmarks.html', 'later.epub', 'feeds.opml'],
})
