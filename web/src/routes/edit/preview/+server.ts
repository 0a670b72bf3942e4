/** A text rendered as its article would be; nothing of it is kept. */
import { error, json } from '@sveltejs/kit'
import { ARTICLE_BYTES_MAX } from '#reading/store'
import { m } from '$lib/paraglide/messages'
import { viewText } from '$lib/server/view.ts'
import type { RequestHandler } from './$types'

export const POST: RequestHandler = async ({ request, locals }) => {
  if (!locals.user) error(401, 'sign in to see a preview')
  if (Number(request.headers.get('content-length') ?? 0) > ARTICLE_BYTES_MAX) error(413, 'the article is too long')
  const { view } = await viewText('preview', await request.text(), { file: 'preview.md', footnotes: m.footnotes() })
  return json({ pieces: view.pieces, mistakes: view.mistakes })
}
