/** What is done to entries, comments and people from any list: forms of many pages come here, and go back. */
import { error, fail, redirect } from '@sveltejs/kit'
import { m } from '$lib/paraglide/messages'
import { safeBack } from '$lib/paths.ts'
import { mustUser, preserveSoon, refusing, storeFor } from '$lib/server/desk.ts'
import type { Actions, PageServerLoad } from './$types'

/** Nobody reads this page. */
export const load: PageServerLoad = () => redirect(303, '/')

const FLAGS = ['readLater', 'archived', 'favourite'] as const
type Flag = (typeof FLAGS)[number]
const isFlag = (name: string): name is Flag => FLAGS.includes(name as Flag)

const idOf = (value: FormDataEntryValue | null) => {
  const id = Number(value)
  if (!Number.isSafeInteger(id) || id <= 0) error(400, m.error_title())
  return id
}

export const actions: Actions = {
  /** One mark of one entry. What wasn't bookmarked is, for oneself alone. */
  async mark(event) {
    const user = mustUser(event)
    const form = await event.request.formData()
    const what = String(form.get('what'))
    const store = await storeFor(event)
    if (!isFlag(what)) error(400, m.error_title())
    const problem = await refusing(async () => {
      const entryId = idOf(form.get('entry'))
      const value = form.get('value') === '1'
      const mine = await store.bookmarks.own(user.id, entryId)
      if (!mine && !value) return
      await store.bookmarks.save(
        user.id,
        { entryId },
        { [what]: value, ...(mine ? {} : { private: true }) },
        Date.now(),
      )
    })
    if (problem) return fail(400, problem)
    redirect(303, safeBack(form.get('back')))
  },

  /** The same to all that is selected. Each box says its entry and one's bookmark of it: `12-34`. */
  async bulk(event) {
    const user = mustUser(event)
    const form = await event.request.formData()
    const what = String(form.get('what'))
    const chosen = form
      .getAll('id')
      .slice(0, 500)
      .map((value) => String(value).split('-').map(Number) as [number, number])
    const bookmarks = chosen.map(([, bookmark]) => bookmark).filter((id) => id > 0)
    const store = await storeFor(event)
    const problem = await refusing(async () => {
      if (what === 'remove') await store.bookmarks.remove(user.id, bookmarks)
      else if (what === 'public' || what === 'private')
        await store.bookmarks.mark(user.id, bookmarks, 'private', what === 'private')
      else if (isFlag(what)) {
        // All have it already: then it is taken away, as pressing it twice on one does.
        const changed = await store.bookmarks.mark(user.id, bookmarks, what, true)
        const others = chosen.filter(([, bookmark]) => !(bookmark > 0))
        if (changed === 0 && others.length === 0) await store.bookmarks.mark(user.id, bookmarks, what, false)
        for (const [entryId] of others)
          await store.bookmarks.save(user.id, { entryId }, { [what]: true, private: true }, Date.now())
      }
    })
    if (problem) return fail(400, problem)
    redirect(303, safeBack(form.get('back')))
  },

  async star(event) {
    const user = mustUser(event)
    const form = await event.request.formData()
    const store = await storeFor(event)
    const problem = await refusing(() =>
      store.comments.star(user.id, idOf(form.get('bookmark')), form.get('value') === '1'),
    )
    if (problem) return fail(400, problem)
    redirect(303, safeBack(form.get('back')))
  },

  async follow(event) {
    const user = mustUser(event)
    const form = await event.request.formData()
    const kind = String(form.get('kind'))
    const target = String(form.get('target')).slice(0, 300)
    if (kind !== 'user' && kind !== 'site' && kind !== 'keyword') error(400, m.error_title())
    const store = await storeFor(event)
    const whom = kind === 'user' ? { user: target } : kind === 'site' ? { site: target } : { keyword: target }
    const problem = await refusing(() => store.follows.set(user.id, whom, form.get('value') === '1'))
    if (problem) return fail(400, problem)
    redirect(303, safeBack(form.get('back')))
  },

  /** Fetch the page and keep it. */
  async fetch(event) {
    mustUser(event)
    const form = await event.request.formData()
    const problem = await refusing(() => preserveSoon(event, idOf(form.get('entry'))))
    if (problem) return fail(400, problem)
    redirect(303, safeBack(form.get('back')))
  },

  /** What somebody says isn't fit to be read: told to those who look after the room, or not shown to oneself. */
  async report(event) {
    const user = mustUser(event)
    const form = await event.request.formData()
    const store = await storeFor(event)
    const problem = await refusing(() =>
      form.get('what') === 'hide'
        ? store.follows.hide(user.id, { user: String(form.get('handle')) }, true)
        : store.moderation.report(user.id, { bookmarkId: idOf(form.get('bookmark')) }, m.report()),
    )
    if (problem) return fail(400, problem)
    redirect(303, safeBack(form.get('back')))
  },
}
