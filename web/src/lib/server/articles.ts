/** Reads an article for its page. Rendered once for each state of its files: most requests find it done. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Article, parseArticle } from '#article/format'
import { type ArticleFile, isArticleName, parseArticleFileName } from '#reading/library'
import { ARTICLE_BYTES_MAX, beside } from '#reading/store'
import type { ArticleView } from '$lib/article.ts'
import { articlesFolder } from './room.ts'
import { viewText } from './view.ts'

type NamedFile = ArticleFile & { fileName: string }

const CACHE_MAX = 64
const cache = new Map<string, { state: string; view: Promise<ArticleView> }>()

/** Undefined if there is no such article. In the reader's language if it has that, else as it was written. */
export async function loadArticle(name: string, lang: string, footnotes: string): Promise<ArticleView | undefined> {
  const found = await locateArticle(name, lang)
  if (!found) return undefined
  const { path, files, state } = found
  const key = `${path} ${lang}`
  const hit = cache.get(key)
  if (hit?.state === state) return hit.view
  const view = readFile(path, 'utf8').then((text) => viewOf(name, path, text, files, footnotes))
  cache.delete(key)
  cache.set(key, { state, view })
  if (cache.size > CACHE_MAX) cache.delete(cache.keys().next().value!)
  view.catch(() => cache.delete(key))
  return view
}

/** Where an article's file lies, in the reader's language if it has that; `state` changes with the file. */
export async function locateArticle(
  name: string,
  lang: string,
): Promise<{ path: string; state: string; files: NamedFile[] } | undefined> {
  if (!isArticleName(name)) return undefined
  const folder = articlesFolder()
  const files = await filesOf(folder, name)
  const file = files.find((each) => each.lang === lang) ?? files.find((each) => each.lang === undefined) ?? files[0]
  if (!file) return undefined
  const path = join(folder, file.fileName)
  const { size, mtimeMs } = await stat(path)
  if (size > ARTICLE_BYTES_MAX) return undefined
  return { path, state: `${size} ${mtimeMs} ${files.length}`, files }
}

async function filesOf(folder: string, name: string): Promise<NamedFile[]> {
  try {
    return (await readdir(folder)).flatMap((fileName) => {
      const file = parseArticleFileName(fileName)
      return file?.name === name ? [{ ...file, fileName }] : []
    })
  } catch {
    return []
  }
}

async function viewOf(
  name: string,
  path: string,
  text: string,
  files: NamedFile[],
  footnotes: string,
): Promise<ArticleView> {
  // The file's name and no more: a page has no business to say where on the server it lies.
  const file = path.slice(path.lastIndexOf('/') + 1)
  const { article, view } = await viewText(name, text, { file, footnotes, readFile: beside(path) })
  return { ...view, languages: await languagesOf(article, path, files) }
}

/** The original's first. */
async function languagesOf(article: Article, path: string, files: NamedFile[]): Promise<string[]> {
  const original = files.find((file) => file.lang === undefined)
  const originalPath = original && join(dirname(path), original.fileName)
  const first =
    originalPath && originalPath !== path
      ? parseArticle(await readFile(originalPath, 'utf8'), original.fileName).article.front.lang
      : article.front.lang
  return [...new Set([first, ...files.flatMap((file) => file.lang ?? [])])]
}
