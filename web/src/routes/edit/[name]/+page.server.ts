import { readFile } from 'node:fs/promises'
import { error } from '@sveltejs/kit'
import { m } from '$lib/paraglide/messages'
import { locateArticle } from '$lib/server/articles.ts'
import type { PageServerLoad } from './$types'

/** An editor needs a browser. */
export const ssr = false

export const load: PageServerLoad = async ({ params, locals }) => {
  const found = await locateArticle(params.name, locals.locale)
  if (!found) error(404, m.not_found())
  return { name: params.name, text: await readFile(found.path, 'utf8'), canSave: locals.user?.role === 'owner' }
}
