import { error } from '@sveltejs/kit'
import { m } from '$lib/paraglide/messages'
import { followsOf, listFor, storeFor, word } from '$lib/server/desk.ts'
import type { PageServerLoad } from './$types'

/** What somebody bookmarked: in public, and for themselves all of it. */
export const load: PageServerLoad = async (event) => {
  const handle = event.params.handle.slice(0, 100).toLowerCase()
  const store = await storeFor(event)
  const person = await store.users.find(handle)
  if (!person) error(404, m.not_found())
  const tag = word(event.url, 'tag')
  const [list, tags, following] = await Promise.all([
    listFor(event, { user: handle, ...(tag ? { tag } : {}) }),
    store.bookmarks.tags(handle, event.locals.user?.id, 40),
    followsOf(event, 'user', handle),
  ])
  return {
    person: {
      handle: person.username,
      name: person.name,
      sinceMs: person.createdAtMs,
      bookmarks: person.bookmarks,
    },
    tag,
    tags,
    following,
    ...list,
  }
}
