/** Files of other services, taken in: kept first, so that an import that dies goes on where it stopped. */
import { fail, redirect } from '@sveltejs/kit'
import { FORMATS } from '#reading/exchange'
import { m } from '$lib/paraglide/messages'
import { mustUser, refusing, storeFor } from '$lib/server/desk.ts'
import { importSoon } from '$lib/server/work.ts'
import type { Actions, PageServerLoad } from './$types'

const BYTES_MAX = 256 * 1024 * 1024
const REPORT_SHOWN = 200

/** As the services are called. */
const NAMES: Record<(typeof FORMATS)[number], string> = {
  netscape: 'HTML (Netscape)',
  'hatena-atom': 'はてなブックマーク (Atom)',
  'hatena-data': 'はてなブックマーク (search.data)',
  'pocket-csv': 'Pocket (CSV)',
  'pinboard-json': 'Pinboard (JSON)',
  'raindrop-csv': 'Raindrop.io (CSV)',
  omnivore: 'Omnivore (ZIP)',
  'wallabag-json': 'wallabag (JSON)',
  'karakeep-json': 'Karakeep (JSON)',
  'linkwarden-json': 'Linkwarden (JSON)',
  'linkding-json': 'linkding (JSON)',
  opml: 'OPML',
  kaidoku: 'Kaidoku',
}

export const load: PageServerLoad = async (event) => {
  const { user } = event.locals
  if (!user) return { imports: [], formats: [] }
  const store = await storeFor(event)
  const imports = await store.imports.list(user.id)
  return {
    formats: FORMATS.map((value) => ({ value, label: NAMES[value] })),
    imports: imports.slice(0, 20).map((one) => ({
      id: one.id,
      format: NAMES[one.format as keyof typeof NAMES] ?? one.format,
      fileName: one.fileName,
      state: one.state,
      total: one.total,
      done: one.done,
      added: one.added,
      merged: one.merged,
      refused: one.refused,
      error: one.error,
      createdAtMs: one.createdAtMs,
      report: one.report.slice(0, REPORT_SHOWN).map((each) => describe(each)),
    })),
  }
}

function describe(refusal: { place?: unknown; url?: string; why?: string }): string {
  const place = refusal.place as { item?: number; line?: number; file?: string } | number | string | undefined
  const where =
    typeof place === 'object'
      ? [place.file, place.line ? m.line({ line: place.line }) : place.item ? `#${place.item}` : undefined]
          .filter(Boolean)
          .join(' ')
      : place === undefined
        ? ''
        : `#${place}`
  return [where, refusal.url, refusal.why].filter(Boolean).join(' · ')
}

export const actions: Actions = {
  async import(event) {
    const user = mustUser(event)
    const form = await event.request.formData()
    const file = form.get('file')
    if (!(file instanceof File) || file.size === 0) return fail(400, { message: m.import_file_wanted() })
    if (file.size > BYTES_MAX) return fail(413, { message: m.import_too_big() })
    const format = String(form.get('format') ?? '')
    const store = await storeFor(event)
    const problem = await refusing(async () => {
      await store.imports.begin(user.id, {
        format,
        fileName: file.name.slice(0, 200),
        content: new Uint8Array(await file.arrayBuffer()),
        private: form.get('private') !== null,
      })
      importSoon(store)
    })
    if (problem) return fail(400, problem)
    redirect(303, event.url.pathname)
  },
}
