/** Adds a page: from the form, from a bookmarklet, from what a phone shares. */
import { fail, redirect } from '@sveltejs/kit'
import { within } from '$lib/locale.ts'
import { m } from '$lib/paraglide/messages'
import { entryPath, safeBack } from '$lib/paths.ts'
import { entryOf, mustUser, preserveSoon, refusing, storeFor, targetOf } from '$lib/server/desk.ts'
import type { Actions, PageServerLoad } from './$types'

export const load: PageServerLoad = async (event) => {
  const { searchParams } = event.url
  const text = (searchParams.get('text') ?? '').slice(0, 5000)
  // Phones put the address where they like: Android's browsers into the text.
  const shared = /https?:\/\/\S+/u
  const url = (
    searchParams.get('url') ||
    shared.exec(text)?.[0] ||
    shared.exec(searchParams.get('title') ?? '')?.[0] ||
    ''
  )
    .trim()
    .slice(0, 4096)
  const entry = url ? await entryOf(event, url.replace(/^\//u, '')) : undefined
  return {
    url,
    title: entry?.mine ? entry.title : (searchParams.get('title') ?? '').slice(0, 500),
    text: text.trim() === url ? '' : text.replace(url, '').trim(),
    mine: entry?.mine,
  }
}

export const actions: Actions = {
  async save(event) {
    const user = mustUser(event)
    const form = await event.request.formData()
    const text = (name: string) => String(form.get(name) ?? '').trim()
    const url = text('url')
    const store = await storeFor(event)
    const back = text('back')
    if (form.get('remove') !== null) {
      const entry = await entryOf(event, url.replace(/^\//u, ''))
      if (entry?.mine) await store.bookmarks.remove(user.id, [entry.mine.bookmarkId])
      redirect(303, back ? safeBack(back) : within(event.url.pathname, '/'))
    }
    const target = targetOf(url)
    if (!target) return fail(400, { url, title: text('title'), message: m.url_wanted(), mine: undefined })
    const title = text('title')
    let key = url
    const problem = await refusing(async () => {
      const saved = await store.bookmarks.save(
        user.id,
        target,
        {
          comment: text('comment'),
          note: text('note'),
          tags: text('tags')
            .split(/[,、，]/u)
            .map((tag) => tag.trim())
            .filter(Boolean),
          private: form.get('private') !== null,
          readLater: form.get('readLater') !== null,
          favourite: form.get('favourite') !== null,
          ...(title ? { title } : {}),
        },
        Date.now(),
      )
      if ('url' in target) await preserveSoon(event, saved.entryId)
      key = 'article' in target ? `articles/${target.article}` : new URL(target.url).href
    })
    if (problem) {
      const mine = {
        bookmarkId: 0,
        public: form.get('private') === null,
        comment: text('comment'),
        note: text('note'),
        tags: text('tags').split(','),
        readLater: form.get('readLater') !== null,
        archived: false,
        favourite: form.get('favourite') !== null,
      }
      return fail(400, { url, title, message: problem.message, mine })
    }
    redirect(303, back ? safeBack(back) : within(event.url.pathname, entryPath(key)))
  },
}
