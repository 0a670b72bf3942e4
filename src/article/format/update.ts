/** Writing expected lines anew: nothing but them changes. */
import type { Article, ConsoleCommand } from './document.ts'

/** The article's text with new expected lines for some of its commands. */
export function updateArticle(article: Article, changes: Map<ConsoleCommand, string[]>): string {
  const edits = [...changes].sort(([a], [b]) => a.expectedRange[0] - b.expectedRange[0])
  const newline = article.text.includes('\r\n') ? '\r\n' : '\n'
  let text = ''
  let at = 0
  for (const [command, lines] of edits) {
    const [from, to] = command.expectedRange
    text += article.text.slice(at, from)
    for (const line of lines) text += `${line === '' ? command.indent.trimEnd() : command.indent + line}${newline}`
    at = to
  }
  return text + article.text.slice(at)
}
