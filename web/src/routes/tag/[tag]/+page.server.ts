import { listFor, word } from '$lib/server/desk.ts'
import type { PageServerLoad } from './$types'

/** What was tagged with a word: by everybody, or by oneself. */
export const load: PageServerLoad = async (event) => {
  const tag = event.params.tag.slice(0, 100)
  const sort = word(event.url, 'sort') === 'popular' ? ('popular' as const) : ('new' as const)
  const { user } = event.locals
  const mine = user !== undefined && word(event.url, 'mine') !== undefined
  const list = await listFor(event, mine ? { tag, user: user.handle } : { tag, order: sort })
  return { tag, sort, mine, ...list }
}
