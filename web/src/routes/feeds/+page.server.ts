/** Feeds that one subscribed to, and what is new in them. */
import { fail, redirect } from '@sveltejs/kit'
import { parseOpml } from '#reading/exchange'
import { m } from '$lib/paraglide/messages'
import { mustUser, refusing, storeFor, targetOf } from '$lib/server/desk.ts'
import type { Actions, PageServerLoad } from './$types'

const OPML_BYTES_MAX = 5_000_000

export const load: PageServerLoad = async (event) => {
  const { user } = event.locals
  if (!user) return { feeds: [], items: [] }
  const store = await storeFor(event)
  const [feeds, items] = await Promise.all([store.feeds.list(user.id), store.feeds.items(user.id, { limit: 60 })])
  return {
    feeds: feeds.map(({ id, url, title, error, unread }) => ({ id, url, title, error, unread })),
    items: items.map(({ id, url, title, feedTitle, publishedAtMs, unread }) => ({
      id,
      url,
      title,
      feedTitle,
      publishedAtMs,
      unread,
    })),
  }
}

export const actions: Actions = {
  async subscribe(event) {
    const user = mustUser(event)
    const form = await event.request.formData()
    const target = targetOf(String(form.get('url') ?? '').trim())
    if (!target || !('url' in target)) return fail(400, { message: m.url_wanted() })
    const store = await storeFor(event)
    const problem = await refusing(() => store.feeds.subscribe(user.id, target.url))
    if (problem) return fail(400, problem)
    redirect(303, event.url.pathname)
  },
  async unsubscribe(event) {
    const user = mustUser(event)
    const form = await event.request.formData()
    const store = await storeFor(event)
    const problem = await refusing(() => store.feeds.unsubscribe(user.id, Number(form.get('feed'))))
    if (problem) return fail(400, problem)
    redirect(303, event.url.pathname)
  },
  async opml(event) {
    const user = mustUser(event)
    const form = await event.request.formData()
    const file = form.get('file')
    if (!(file instanceof File) || file.size === 0) return fail(400, { message: m.import_file_wanted() })
    if (file.size > OPML_BYTES_MAX) return fail(413, { message: m.import_too_big() })
    const store = await storeFor(event)
    const problem = await refusing(async () => {
      const { feeds } = parseOpml(await file.text())
      for (const { url, title, folders } of feeds) {
        await store.feeds.subscribe(user.id, url, { title, folder: folders.join('/') })
      }
    })
    if (problem) return fail(400, problem)
    redirect(303, event.url.pathname)
  },
}
