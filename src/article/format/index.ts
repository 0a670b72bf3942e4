/**
 * The article format: Markdown to a document, and back unchanged.
 *
 *     const { article, mistakes } = parseArticle(text, 'articles/arp.md')
 *     for (const block of article.blocks) if (block.kind === 'console') block.commands.map((c) => c.command)
 */
export {
  type Article,
  type Block,
  type ConsoleBlock,
  type ConsoleCommand,
  type FileBlock,
  type FrontMatter,
  LIMIT_S,
} from './document.ts'
export { type ParsedArticle, type ParseOptions, parseArticle } from './parse.ts'
export { updateArticle } from './update.ts'
