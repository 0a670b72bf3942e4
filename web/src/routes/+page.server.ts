/** The list: a query or two, however many entries there are. */
import { type BookmarkState, ENTRY_KINDS, type EntryKind, type ListQuery } from '#reading/library'
import { PAGE, pageOf, queryOf, word } from '$lib/server/desk.ts'
import { currentStore } from '$lib/server/room.ts'
import type { PageServerLoad } from './$types'

const MINE = {
  all: undefined,
  unread: 'unread',
  later: 'later',
  favourites: 'favourite',
  archive: 'archived',
} as const satisfies Record<string, BookmarkState | undefined>
type Shelf = keyof typeof MINE

export const load: PageServerLoad = async (event) => {
  const { url, locals, setHeaders } = event
  const kind = ENTRY_KINDS.find((each): each is EntryKind => each === word(url, 'kind'))
  const wanted = word(url, 'mine')
  const mine = locals.user && wanted !== undefined && wanted in MINE ? (wanted as Shelf) : undefined
  const sort = word(url, 'sort') === 'popular' ? ('popular' as const) : undefined
  const filter = { kind, site: word(url, 'site'), keyword: word(url, 'keyword'), sort, mine }
  setHeaders({ 'cache-control': 'private, no-cache' })
  try {
    const store = await currentStore()
    const state = mine && MINE[mine]
    const query: Partial<ListQuery> = {
      limit: PAGE,
      ...(kind ? { kind } : {}),
      ...(filter.site ? { site: filter.site } : {}),
      ...(filter.keyword ? { keyword: filter.keyword } : {}),
      ...(sort ? { order: 'popular' as const } : {}),
      ...(mine && locals.user ? { user: locals.user.handle, ...(state ? { state } : {}) } : {}),
    }
    const [list, facets] = await Promise.all([store.list(queryOf(event, query)), store.facets(locals.locale)])
    return { ...pageOf(list), facets, filter, closed: undefined }
  } catch (error) {
    // Such as another process in the folder: its message says what to do, and the articles can be read meanwhile.
    const closed = error instanceof Error ? error.message : String(error)
    const facets = { kinds: [], sites: [], keywords: [] }
    return { entries: [], newer: undefined, older: undefined, facets, filter, closed }
  }
}
