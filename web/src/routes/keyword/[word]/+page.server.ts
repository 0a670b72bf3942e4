import { MEDIA, type Medium } from '#reading/library'
import { followsOf, listFor, storeFor, word } from '$lib/server/desk.ts'
import type { PageServerLoad } from './$types'

/** What has a keyword, and others too, if several are asked for. */
export const load: PageServerLoad = async (event) => {
  const { url, params } = event
  const first = params.word.slice(0, 100)
  const and = url.searchParams
    .getAll('and')
    .slice(0, 8)
    .map((each) => each.slice(0, 100))
  const sort = word(url, 'sort') === 'popular' ? ('popular' as const) : ('new' as const)
  const medium = MEDIA.find((each): each is Medium => each === word(url, 'medium'))
  const store = await storeFor(event)
  const [list, count, following] = await Promise.all([
    listFor(event, { keyword: [first, ...and], order: sort, ...(medium ? { medium } : {}) }),
    store.keywords.count(first),
    followsOf(event, 'keyword', first),
  ])
  // What else these have, from what the page shows: one looks there to narrow it.
  const beside = new Map<string, number>()
  const chosen = new Set([first, ...and].map((each) => each.toLowerCase()))
  for (const entry of list.entries)
    for (const name of entry.keywords)
      if (!chosen.has(name.toLowerCase())) beside.set(name, (beside.get(name) ?? 0) + 1)
  return {
    word: count?.name ?? first,
    and,
    sort,
    medium,
    following,
    counts: MEDIA.map((each) => ({ medium: each, count: count?.counts[each] ?? 0 })),
    beside: [...beside]
      .map(([name, n]) => ({ name, count: n }))
      .sort((a, b) => b.count - a.count || a.name.localeCompare(b.name))
      .slice(0, 20),
    ...list,
  }
}
