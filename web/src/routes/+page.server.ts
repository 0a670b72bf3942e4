/** The list: two queries, however many entries there are. */
import { ENTRY_KINDS, type EntryKind } from '#reading/library'
import { currentStore } from '$lib/server/room.ts'
import type { PageServerLoad } from './$types'

const PAGE = 40

export const load: PageServerLoad = async ({ url, locals, setHeaders }) => {
  const word = (name: string) => url.searchParams.get(name)?.slice(0, 300) || undefined
  const kind = ENTRY_KINDS.find((each): each is EntryKind => each === word('kind'))
  const filter = { kind, site: word('site'), keyword: word('keyword') }
  setHeaders({ 'cache-control': 'private, no-cache' })
  try {
    const store = await currentStore()
    const [list, facets] = await Promise.all([
      store.list({ lang: locals.locale, limit: PAGE, cursor: word('at'), ...filter }),
      store.facets(locals.locale),
    ])
    return { ...list, facets, filter, closed: undefined }
  } catch (error) {
    // Such as another process in the folder: its message says what to do, and the articles can be read meanwhile.
    const closed = error instanceof Error ? error.message : String(error)
    const facets = { kinds: [], sites: [], keywords: [] }
    return { entries: [], newer: undefined, older: undefined, facets, filter, closed }
  }
}
