/** An article in one file, for downloads and for frames of other sites. What makes it lies beside the built server. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { error } from '@sveltejs/kit'
import { locateArticle } from './articles.ts'

interface Make {
  standaloneFile(path: string): Promise<string>
}

const PLACES = [
  '../standalone/make.js',
  '../../standalone/make.js',
  '../../../standalone/make.js',
  'standalone/make.js',
].map((path) => fileURLToPath(new URL(path, import.meta.url)))
PLACES.push(join(process.cwd(), 'web/build/standalone/make.js'), join(process.cwd(), 'build/standalone/make.js'))

const cache = new Map<string, { state: string; html: Promise<string> }>()
const CACHE_MAX = 4

/** As HTML; answers 404 if there is no such article, 503 if that part wasn't built. */
export async function standaloneHtml(name: string, lang: string): Promise<string> {
  const found = await locateArticle(name, lang)
  if (!found) error(404, 'there is no such article')
  const place = PLACES.find((path) => existsSync(path))
  if (place === undefined) error(503, 'articles in one file are not built: npm run build -w web')
  const hit = cache.get(found.path)
  if (hit?.state === found.state) return hit.html
  const { standaloneFile } = (await import(/* @vite-ignore */ pathToFileURL(place).href)) as Make
  const html = standaloneFile(found.path)
  cache.set(found.path, { state: found.state, html })
  if (cache.size > CACHE_MAX) cache.delete(cache.keys().next().value!)
  return html.catch((why: unknown) => {
    cache.delete(found.path)
    error(422, why instanceof Error ? why.message : 'the article has mistakes')
  })
}

/** Nothing of the room is within reach: the page is all in itself. `ancestors`: who may frame it. */
export const standalonePolicy = (ancestors: string) =>
  `default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:; style-src 'unsafe-inline'; img-src data: blob:; worker-src blob: data:; connect-src data: blob:; base-uri 'none'; form-action 'none'; sandbox allow-scripts allow-downloads; frame-ancestors ${ancestors}`
