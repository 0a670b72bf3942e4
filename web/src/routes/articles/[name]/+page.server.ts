import { error } from '@sveltejs/kit'
import { workerUrl } from '$lib/lab/start.ts'
import { m } from '$lib/paraglide/messages'
import { loadArticle } from '$lib/server/articles.ts'
import type { PageServerLoad } from './$types'

export const load: PageServerLoad = async ({ params, locals, setHeaders }) => {
  const article = await loadArticle(params.name, locals.locale, m.footnotes())
  if (!article) error(404, m.not_found())
  if (article.lab) locals.worker = workerUrl
  setHeaders({ 'cache-control': 'private, no-cache' })
  return { article }
}
