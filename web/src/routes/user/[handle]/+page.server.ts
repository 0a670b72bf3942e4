import { error } from '@sveltejs/kit'
import { m } from '$lib/paraglide/messages'
import { listFor, storeFor, word } from '$lib/server/desk.ts'
import type { PageServerLoad } from './$types'

/** What somebody bookmarked: in public, and for themselves all of it. */
export const load: PageServerLoad = async (event) => {
  const handle = event.params.handle.slice(0, 100).toLowerCase()
  const store = await storeFor(event)
  const person = await store.bookmarks.profile(handle, event.locals.user?.id)
  if (!person) error(404, m.not_found())
  const tag = word(event.url, 'tag')
  const [list, tags] = await Promise.all([
    listFor(event, { user: handle, ...(tag ? { tag } : {}) }),
    store.bookmarks.tags(handle, event.locals.user?.id, 40),
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
    following: person.following,
    ...list,
  }
}
