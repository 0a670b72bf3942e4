/** The names of article files: `arp.md` is the article `arp`, `arp.ja.md` beside it its translation into Japanese. */

export interface ArticleFile {
  name: string
  /** The language that the file's name says; undefined for the original. */
  lang: string | undefined
}

const NAME = /^[\p{L}\p{N}][\p{L}\p{N}_-]{0,99}$/u
const LANG = /^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}$/u

/** Whether an article may be called so: letters, digits, `_` and `-`, no dots or slashes. */
export function isArticleName(name: string): boolean {
  return NAME.test(name)
}

/** Undefined if the file isn't an article: README.md and what doesn't end in .md aren't. */
export function parseArticleFileName(fileName: string): ArticleFile | undefined {
  if (!fileName.endsWith('.md')) return undefined
  const stem = fileName.slice(0, -3)
  const dot = stem.indexOf('.')
  const name = dot < 0 ? stem : stem.slice(0, dot)
  const lang = dot < 0 ? undefined : stem.slice(dot + 1)
  if (!isArticleName(name) || name.toUpperCase() === 'README') return undefined
  if (lang !== undefined && !LANG.test(lang)) return undefined
  return { name, lang }
}
