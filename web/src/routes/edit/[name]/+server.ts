/** Saves an article's text among the room's articles: the owner's to do. */
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { error, json } from '@sveltejs/kit'
import { isArticleName } from '#reading/library'
import { ARTICLE_BYTES_MAX } from '#reading/store'
import { locateArticle } from '$lib/server/articles.ts'
import { articlesFolder } from '$lib/server/room.ts'
import type { RequestHandler } from './$types'

export const PUT: RequestHandler = async ({ params, request, locals }) => {
  if (locals.user?.role !== 'owner') error(403, 'only the room’s owner saves articles')
  const { name } = params
  if (!isArticleName(name) || name === 'preview') error(400, 'an article is named by letters, digits, - and _')
  if (Number(request.headers.get('content-length') ?? 0) > ARTICLE_BYTES_MAX) error(413, 'the article is too long')
  const text = await request.text()
  if (Buffer.byteLength(text) > ARTICLE_BYTES_MAX) error(413, 'the article is too long')
  const path = (await locateArticle(name, locals.locale))?.path ?? join(articlesFolder(), `${name}.md`)
  // Whole or not at all: who reads meanwhile reads the old one.
  const draft = `${path}.${process.pid}.draft`
  await writeFile(draft, text, { flag: 'w' })
  await rename(draft, path)
  return json({ saved: name })
}
