/** What the list wants of an article: the words at its head. */
import { parseArticle } from '#article/format'

export interface ListedFrontMatter {
  title: string
  summary: string
  lang: string
  keywords: string[]
  /** Located, one line each. */
  errors: string[]
}

/** Reads an article's head; what is missing or wrong is empty here, and the article's page says what is wrong. */
export function readFrontMatter(
  text: string,
  file: string,
  readFile?: (path: string) => string | undefined,
): ListedFrontMatter {
  const { article, mistakes } = parseArticle(text, file, { readFile })
  const { title, summary, lang, keywords } = article.front
  return { title, summary, lang: lang || 'en', keywords, errors: mistakes.map((mistake) => mistake.message) }
}
