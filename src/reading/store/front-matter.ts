/** What the list wants of an article: the words at its head. */
import { parse } from 'yaml'

export interface ListedFrontMatter {
  title: string
  summary: string
  lang: string
  keywords: string[]
  errors: string[]
}

/** Reads the head of an article; what is missing or wrong is empty here, and the article's page says what is wrong. */
export function readFrontMatter(text: string, file: string): ListedFrontMatter {
  const words: ListedFrontMatter = { title: '', summary: '', lang: 'en', keywords: [], errors: [] }
  const match = /^---\r?\n([\s\S]*?)\r?\n---(?:\r?\n|$)/u.exec(text)
  if (!match) return { ...words, errors: [`${file}:1:1: no front matter; begin with --- and a title`] }
  try {
    const head: unknown = parse(match[1]!, { maxAliasCount: 10 })
    if (typeof head !== 'object' || head === null) return words
    const get = (name: string) => (head as Record<string, unknown>)[name]
    const word = (name: string) => (typeof get(name) === 'string' ? (get(name) as string) : '')
    words.title = word('title')
    words.summary = word('summary')
    words.lang = word('lang') || 'en'
    const keywords = get('keywords')
    words.keywords = Array.isArray(keywords) ? keywords.filter((item) => typeof item === 'string') : []
  } catch (error) {
    words.errors.push(`${file}:1:1: ${(error as Error).message.split('\n')[0]}`)
  }
  return words
}
