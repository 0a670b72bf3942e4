/** A preserved page: the latest version, or the one asked for; with a lab, as an article that runs. */
import { error, fail, redirect } from '@sveltejs/kit'
import { workerUrl } from '$lib/lab/start.ts'
import { m } from '$lib/paraglide/messages'
import { safeBack, urlOfPath } from '$lib/paths.ts'
import { entryOf, mustUser, refusing, storeFor, word } from '$lib/server/desk.ts'
import { articleOfPage, labsToChoose, readable } from '$lib/server/reader.ts'
import type { Actions, PageServerLoad } from './$types'

export const load: PageServerLoad = async (event) => {
  const { url, params, locals } = event
  const asked = new URL(url)
  for (const name of ['lab', 'host', 'version']) asked.searchParams.delete(name)
  const entry = await entryOf(event, urlOfPath(params.url, asked.search))
  if (!entry) error(404, m.not_found())
  if (entry.kind === 'article') redirect(307, `/${entry.url}`)
  const store = await storeFor(event)
  const viewer = locals.user?.id
  const wanted = Number(word(url, 'version') ?? Number.NaN)
  const [version, versions, highlights] = await Promise.all([
    store.pages.find(entry.id, viewer, Number.isSafeInteger(wanted) ? wanted : undefined),
    store.pages.list(entry.id, viewer),
    store.highlights.list({ entryId: entry.id, ...(viewer === undefined ? {} : { viewer }) }),
  ])
  const page = version ? await readable(version.html) : { html: '', consoles: 0 }
  const lab = word(url, 'lab')
  const article = version && lab ? await articleOfPage(entry, version.html, lab, locals.locale) : undefined
  if (article?.lab) locals.worker = workerUrl
  return {
    url: entry.url,
    entry,
    html: page.html,
    consoles: page.consoles,
    labs: page.consoles > 0 ? await labsToChoose(locals.locale) : [],
    article,
    version: version && { id: version.id, title: version.title, lang: version.lang, fetchedAtMs: version.fetchedAtMs },
    versions: versions.slice(0, 50).map(({ id, fetchedAtMs }) => ({ id, fetchedAtMs })),
    highlights: highlights.map(({ id, quote, prefix, suffix, note, mine }) => ({
      id,
      quote,
      prefix,
      suffix,
      note,
      mine,
    })),
  }
}

export const actions: Actions = {
  async highlight(event) {
    const user = mustUser(event)
    const form = await event.request.formData()
    const text = (name: string) => String(form.get(name) ?? '')
    const store = await storeFor(event)
    const problem = await refusing(() =>
      store.highlights.add(user.id, Number(form.get('entry')), {
        medium: 'text',
        quote: text('quote'),
        prefix: text('prefix'),
        suffix: text('suffix'),
      }),
    )
    if (problem) return fail(400, problem)
    redirect(303, safeBack(text('back')))
  },
  async note(event) {
    const user = mustUser(event)
    const form = await event.request.formData()
    const store = await storeFor(event)
    const id = Number(form.get('id'))
    const problem = await refusing(() =>
      form.get('remove') === null
        ? store.highlights.change(user.id, id, { note: String(form.get('note') ?? '') })
        : store.highlights.remove(user.id, id),
    )
    if (problem) return fail(400, problem)
    redirect(303, safeBack(form.get('back')))
  },
}
