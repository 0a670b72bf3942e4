/** Files of other services, taken in: kept first, so that an import that dies goes on where it stopped. */
import { fail, redirect } from '@sveltejs/kit'
import type { FormatName } from '#reading/exchange'
import { beginImport, IMPORT_BYTES_MAX } from '#reading/jobs'
import type { ImportRefusal } from '#reading/store'
import { m } from '$lib/paraglide/messages'
import { mustUser, refusing, storeFor } from '$lib/server/desk.ts'
import { jobsOf } from '$lib/server/jobs.ts'
import type { Actions, PageServerLoad } from './$types'

const REPORT_SHOWN = 200

/** As the services are called. */
const NAMES: Record<FormatName, string> = {
  netscape: 'HTML (Netscape)',
  'hatena-atom': 'はてなブックマーク (Atom)',
  'hatena-data': 'はてなブックマーク (search.data)',
  'kaidoku-csv': 'Kaidoku (CSV)',
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
  if (!user) return { imports: [] }
  const store = await storeFor(event)
  const imports = await store.imports.list(user.id)
  return {
    imports: imports.slice(0, 20).map((one) => ({
      id: one.id,
      format: NAMES[one.format as FormatName] ?? '',
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

const describe = ({ place, url, what }: ImportRefusal) => [place, url, what].filter(Boolean).join(' · ')

export const actions: Actions = {
  async import(event) {
    const user = mustUser(event)
    const form = await event.request.formData()
    const file = form.get('file')
    if (!(file instanceof File) || file.size === 0) return fail(400, { message: m.import_file_wanted() })
    if (file.size > IMPORT_BYTES_MAX) return fail(413, { message: m.import_too_big() })
    const store = await storeFor(event)
    const problem = await refusing(async () => {
      const { queue } = await jobsOf(store)
      await beginImport(store, queue, user.id, {
        name: file.name.slice(0, 200),
        bytes: new Uint8Array(await file.arrayBuffer()),
        private: form.get('private') !== null,
      })
    })
    if (problem) return fail(400, problem)
    redirect(303, event.url.pathname)
  },
}
