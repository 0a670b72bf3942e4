/** Markdown to pieces of HTML. What an article says is a stranger's: it is sanitised, and brings nothing from elsewhere. */
import type { Element, ElementContent, Nodes, Root } from 'hast'
import { defaultSchema, sanitize } from 'hast-util-sanitize'
import { toHtml } from 'hast-util-to-html'
import type { Code } from 'mdast'
import { fromMarkdown } from 'mdast-util-from-markdown'
import { gfmFromMarkdown } from 'mdast-util-gfm'
import { defaultHandlers, type State, toHast } from 'mdast-util-to-hast'
import { gfm } from 'micromark-extension-gfm'
import type { Article } from '#article/format'
import type { Piece } from '$lib/article.ts'
import { highlight } from './highlight.ts'

const schema = {
  ...defaultSchema,
  clobberPrefix: '', // toHast has prefixed what it made; nothing else has an id.
  attributes: { ...defaultSchema.attributes, pre: ['dataBlock'] },
  protocols: { ...defaultSchema.protocols, href: ['http', 'https', 'mailto'] },
}

/** The article's text, its runnable blocks left as numbers. */
export async function renderArticle(article: Article, footnotes: string): Promise<Piece[]> {
  const starts = new Map(article.blocks.map((block, number) => [block.range[0], number]))
  const code = (state: State, node: Code) => {
    const made = defaultHandlers.code(state, node)
    const number = starts.get(article.bodyOffset + (node.position?.start.offset ?? -1))
    // Raw HTML isn't parsed, so nobody but us can have written this attribute.
    if (number !== undefined) made.properties['dataBlock'] = String(number)
    return made
  }
  const markdown = fromMarkdown(article.text.slice(article.bodyOffset), {
    extensions: [gfm()],
    mdastExtensions: [gfmFromMarkdown()],
  })
  const tree = sanitize(
    toHast(markdown, { handlers: { code }, footnoteLabel: footnotes, footnoteLabelProperties: {} }),
    schema,
  ) as Root
  const ids = new Set<string>()
  await improve(tree, ids)
  return piecesOf(tree.children as ElementContent[])
}

/** Colours code, names headings, and turns what would be fetched from elsewhere into links. */
async function improve(node: Nodes, ids: Set<string>): Promise<void> {
  if (!('children' in node)) return
  for (const child of node.children) {
    if (child.type !== 'element') continue
    if (/^h[1-6]$/u.test(child.tagName)) nameHeading(child, ids)
    else if (child.tagName === 'a') improveLink(child)
    else if (child.tagName === 'img') replaceImage(child)
    else if (child.tagName === 'table') {
      const table = { ...child }
      Object.assign(child, { tagName: 'div', properties: { className: ['table'], tabIndex: 0 }, children: [table] })
      await improve(table, ids)
      continue
    } else if (child.tagName === 'pre' && child.properties['dataBlock'] === undefined) {
      await colour(child)
      continue
    }
    await improve(child, ids)
  }
}

function textOf(node: Nodes): string {
  if (node.type === 'text') return node.value
  return 'children' in node ? node.children.map((child) => textOf(child)).join('') : ''
}

function nameHeading(heading: Element, ids: Set<string>): void {
  const stem =
    textOf(heading)
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, '-')
      .replace(/^-|-$/gu, '') || 'section'
  let id = `s-${stem}` // Prefixed: a heading must not take the page's own names.
  for (let n = 2; ids.has(id); n++) id = `s-${stem}-${n}`
  ids.add(id)
  heading.properties['id'] = id
}

function improveLink(link: Element): void {
  const href = String(link.properties['href'] ?? '')
  // A link to NAME.md works on any Markdown viewer; here it is the article's page.
  const article = /^(?:\.\/)?([\p{L}\p{N}_-]+)(?:\.[a-z-]{2,11})?\.md(#.*)?$/iu.exec(href)
  if (article) link.properties['href'] = `${article[1]}${article[2] ?? ''}`
  else if (/^https?:/iu.test(href)) link.properties['rel'] = ['noreferrer', 'external']
}

function replaceImage(image: Element): void {
  const { src, alt } = image.properties
  const text = String(alt || src || '')
  Object.assign(image, {
    tagName: 'a',
    properties: { href: String(src ?? ''), rel: ['noreferrer', 'external'] },
    children: [{ type: 'text', value: text }],
  })
}

async function colour(pre: Element): Promise<void> {
  const code = pre.children.find((child): child is Element => child.type === 'element' && child.tagName === 'code')
  if (!code) return
  const names = code.properties['className']
  const language = (Array.isArray(names) ? names : []).map(String).find((name) => name.startsWith('language-'))
  code.children = await highlight(textOf(code).replace(/\n$/u, ''), language?.slice('language-'.length))
  code.properties = {}
  pre.properties = { className: ['code'], tabIndex: 0 }
}

/** HTML where no block is within; else the element with its children taken apart. */
export function piecesOf(nodes: ElementContent[]): Piece[] {
  const pieces: Piece[] = []
  for (const node of nodes) {
    const number = node.type === 'element' ? blockNumber(node) : undefined
    if (number !== undefined) pieces.push({ block: number })
    else if (node.type === 'element' && hasBlock(node)) {
      const attributes: Record<string, string> = {}
      for (const [name, value] of Object.entries(node.properties)) {
        if (['start', 'id', 'className'].includes(name))
          attributes[name === 'className' ? 'class' : name] = String(value)
      }
      pieces.push({ tag: node.tagName, attributes, children: piecesOf(node.children) })
    } else {
      const html = toHtml(node)
      const last = pieces.at(-1)
      if (last && 'html' in last) last.html += html
      else pieces.push({ html })
    }
  }
  return pieces.filter((piece) => !('html' in piece) || piece.html.trim() !== '')
}

function blockNumber(node: Element): number | undefined {
  const number = node.tagName === 'pre' ? node.properties['dataBlock'] : undefined
  return number === undefined ? undefined : Number(number)
}

function hasBlock(node: Nodes): boolean {
  if (node.type === 'element' && blockNumber(node) !== undefined) return true
  return 'children' in node && node.children.some((child) => hasBlock(child))
}
