import { siteOf } from '#reading/library'
import { followsOf, listFor, word } from '$lib/server/desk.ts'
import type { PageServerLoad } from './$types'

/** What is of one site: the newest, or the most bookmarked. */
export const load: PageServerLoad = async (event) => {
  const host = siteOf(event.params.host.slice(0, 300))
  const sort = word(event.url, 'sort') === 'popular' ? ('popular' as const) : ('new' as const)
  const [list, following] = await Promise.all([
    listFor(event, { site: host, order: sort }),
    followsOf(event, 'site', host),
  ])
  return { host, sort, following, ...list }
}
