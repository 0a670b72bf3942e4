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
  type FaultScope,
  type FileBlock,
  type FrontMatter,
  type Invariant,
  type InvariantRule,
  LIMIT_S,
  type Probe,
} from './document.ts'
export { targetsOf } from './invariant.ts'
export { type ParsedArticle, type ParseOptions, parseArticle } from './parse.ts'
export { updateArticle } from './update.ts'
