/** What the list and the search want of an article: the words at its head, its text, its commands and what they print. */
import { parseArticle } from '#article/format'

export interface ArticleText {
  /** Prose and all, as it was written. */
  body: string
  commands: string[]
  outputs: string[]
}

export interface ListedFrontMatter {
  title: string
  summary: string
  lang: string
  keywords: string[]
  text: ArticleText
  /** Located, one line each. */
  errors: string[]
}

/** Reads an article; what is missing or wrong is empty here, and the article's page says what is wrong. */
export function readFrontMatter(
  text: string,
  file: string,
  readFile?: (path: string) => string | undefined,
): ListedFrontMatter {
  const { article, mistakes } = parseArticle(text, file, { readFile })
  const { title, summary, lang, keywords } = article.front
  const commands = article.blocks.flatMap((block) => (block.kind === 'console' ? block.commands : []))
  return {
    title,
    summary,
    lang: lang || 'en',
    keywords,
    text: {
      body: text.slice(article.bodyOffset),
      commands: commands.map(({ command }) => command),
      outputs: commands.flatMap(({ expected }) => (expected.length > 0 ? [expected.join('\n')] : [])),
    },
    errors: mistakes.map((mistake) => mistake.message),
  }
}
