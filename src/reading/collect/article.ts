/**
 * The article within a page. Code, tables and formulas are taken out first, whole, and put back into what Readability
 * finds; if it lost any of them, the page's own main part is taken instead: it is better to keep too much than a command too
 * few.
 */
import { Readability } from '@mozilla/readability'
import type { Element, ElementContent, Root } from 'hast'
import { toHtml } from 'hast-util-to-html'
import { parseHTML } from 'linkedom'
import { normaliseCode, unwrapCode } from './code.ts'
import { normaliseMaths } from './maths.ts'
import { type Metadata, readMetadata } from './metadata.ts'
import { parseTree, sanitiseTree } from './sanitise.ts'
import { normaliseTables } from './tables.ts'
import { attr, classesOf, elements, h, isElement, type Node, type Parent, replace, t, textOf, walk } from './tree.ts'

export interface Article extends Metadata {
  /** Sanitised; all addresses whole. */
  tree: Root
  html: string
  /** All of its words, blocks apart by a blank line. */
  text: string
  /** Its prose without code and tables: what an excerpt is made of, so that no command is cut. */
  prose: string
  readingMinutes: number
  /** Who found it. */
  by: 'readability' | 'main'
}

/** Reads a page (as text); throws TooDeep if nobody should. */
export function extractArticle(page: string, base: string, contentLanguage = ''): Article {
  const tree = parseTree(page, false)
  const metadata = readMetadata(tree, base, contentLanguage)
  absolutise(tree, base)
  const body = [...elements(tree, 'body')][0] ?? tree
  dropMarks(body)
  const kept = takeOut(body)
  const found = readable(tree, kept)
  const content = found ?? mainPart(body)
  restore(content, kept)
  dropChrome(content)
  const clean = sanitiseTree(content)
  const text = wordsOf(clean, true)
  return {
    ...metadata,
    lang: metadata.lang || guessLanguage(text),
    tree: clean,
    html: toHtml(clean),
    text,
    prose: wordsOf(clean, false),
    readingMinutes: readingMinutes(text),
    by: found ? 'readability' : 'main',
  }
}

/** Takes blocks out and leaves a mark for each that Readability understands. */
function takeOut(body: Parent): Element[] {
  const maths = normaliseMaths(body)
  const code = normaliseCode(body)
  unwrapCode(body, new Set(code))
  const kept: Element[] = []
  const mark = (blocks: readonly Element[], make: (block: Element, id: string) => Element) => {
    const parents = new Map<Element, Parent>()
    walk(body, (element, parent) => {
      parents.set(element, parent)
      return undefined
    })
    for (const block of blocks) {
      const parent = parents.get(block)
      if (!parent) continue // Within another that was taken out.
      replace(parent, block, make(block, String(kept.length)))
      kept.push(block)
    }
  }
  mark(maths, (block, id) =>
    isElement(block, 'pre') || attr(block, 'display') === 'block'
      ? h('pre', { dataKept: id }, t(textOf(block)))
      : h('code', { dataKept: id }, t(textOf(block) || '·')),
  )
  mark(code, (block, id) => h('pre', { dataKept: id }, t(textOf(block) || ' ')))
  // With `summary`, Readability takes it for data, and lets it be.
  mark(normaliseTables(body), (table, id) => h('table', { dataKept: id, summary: 'data' }, ...table.children))
  return kept
}

// Readability looks at an element's siblings for each of them: beyond, it would take minutes.
const READABLE_ELEMENTS = 15_000

function readable(tree: Root, kept: readonly Element[]): Root | undefined {
  let count = 0
  for (const _ of elements(tree)) if (++count > READABLE_ELEMENTS) return undefined
  const { document } = parseHTML(toHtml(tree))
  let content: string | null | undefined
  try {
    content = new Readability(document as unknown as ConstructorParameters<typeof Readability>[0], {
      keepClasses: false,
      charThreshold: 200,
      nbTopCandidates: 5,
    }).parse()?.content
  } catch {
    return undefined // Too many elements, or a shape that it can't read.
  }
  if (!content) return undefined
  const found = parseTree(content, true)
  for (const element of elements(found, 'div'))
    if (/^readability-page-/u.test(attr(element, 'id'))) delete element.properties['id']
  const there = marksIn(found)
  const body = [...elements(tree, 'body')][0] ?? tree
  const main = mainPart(body)
  dropChrome(main)
  const wanted = [...marksIn(main)].filter((id) => isElement(kept[Number(id)], 'pre', 'table', 'math', 'code'))
  return wanted.every((id) => there.has(id)) ? found : undefined
}

function marksIn(parent: Parent): Set<string> {
  const marks = new Set<string>()
  for (const element of elements(parent)) {
    const id = attr(element, 'dataKept')
    if (id !== '') marks.add(id)
  }
  return marks
}

function restore(parent: Parent, kept: readonly Element[]): void {
  for (const child of [...parent.children]) {
    if (!isElement(child)) continue
    const id = attr(child, 'dataKept')
    const block = id === '' ? undefined : kept[Number(id)]
    if (block) {
      replace(parent, child, block)
      if (!isElement(block, 'pre', 'math', 'code')) restore(block, kept)
    } else restore(child, kept)
  }
}

const MAIN_IDS =
  /^(mw-content-text|main-content|article-body|js-file-line-container|readme|content-main|entry-content)$/iu
const MAIN_CLASSES =
  /^(entry-content|post-content|article-content|article-body|markdown-body|mw-parser-output|e-content|post-body|znc|it-MdContent|rst-content|manual-text|docblock|ArticleText|blog-post|page-content|hatenablog-entry)$/u

/** A copy of the part that the page itself calls its main one; all of its body if it doesn't. */
function mainPart(body: Parent): Root {
  const marked: Element[] = []
  for (const element of elements(body)) {
    const role = attr(element, 'role')
    if (
      isElement(element, 'main', 'article') ||
      role === 'main' ||
      role === 'article' ||
      MAIN_IDS.test(attr(element, 'id')) ||
      classesOf(element).some((name) => MAIN_CLASSES.test(name))
    )
      marked.push(element)
  }
  const all = textOf(wrap(body)).length
  // The largest, if most of the page is in it.
  const best = marked.map((element) => ({ element, size: textOf(element).length })).sort((a, b) => b.size - a.size)[0]
  const chosen = best && best.size > Math.min(200, all * 0.3) ? [best.element] : body.children
  return { type: 'root', children: structuredClone(chosen) as Root['children'] }
}

const wrap = (parent: Parent): Node =>
  parent.type === 'element' ? parent : h('div', {}, ...(parent.children as ElementContent[]))

// Marks beside headings and the like, by names that mean nothing else. Readability forgets names.
const MARKS =
  /^(mw-editsection|headerlink|anchor-?link|header-anchor|hash-link|noprint|printfooter|sr-only|visually-hidden|screen-reader-text)$/iu

function dropMarks(body: Parent): void {
  walk(body, (element, parent) => {
    if (
      !classesOf(element).some((name) => MARKS.test(name)) ||
      [...elements(element, 'pre', 'table', 'math')].length > 0
    )
      return undefined
    replace(parent, element)
    return false
  })
}

const CHROME_CLASSES =
  /^(sidebar|site-header|site-footer|breadcrumbs?|navbox|mw-editsection|toc-?nav|share-?buttons?|social(-?share)?|sphinxsidebar|related|headerlink|anchor-?link|noprint|cookie-?(banner|notice)|comments?-?area|catlinks|printfooter|skip-link|advertisement|hatena-module|pager)$/iu

function dropChrome(root: Parent): void {
  walk(root, (element, parent) => {
    const hidden =
      attr(element, 'hidden') !== '' ||
      (attr(element, 'ariaHidden') === 'true' && !isElement(element, 'math')) ||
      /display\s*:\s*none/iu.test(attr(element, 'style'))
    if (
      isElement(element, 'nav', 'script', 'style', 'form', 'iframe') ||
      hidden ||
      classesOf(element).some((name) => CHROME_CLASSES.test(name)) ||
      /^(navigation|banner|contentinfo|search|complementary)$/u.test(attr(element, 'role'))
    ) {
      if ([...elements(element, 'pre', 'table', 'math')].length > 0 && !isElement(element, 'nav', 'script', 'style'))
        return undefined
      replace(parent, element)
      return false
    }
    return undefined
  })
}

/** Whole addresses; a lazy image's real one. */
function absolutise(tree: Root, fetched: string): void {
  const baseElement = [...elements(tree, 'base')].find((element) => attr(element, 'href') !== '')
  const base =
    baseElement && URL.canParse(attr(baseElement, 'href'), fetched)
      ? new URL(attr(baseElement, 'href'), fetched).href
      : fetched
  const own = fetched.replace(/#.*$/u, '')
  for (const element of elements(tree)) {
    const { properties } = element
    if (isElement(element, 'img')) {
      const src = attr(element, 'src')
      const lazy =
        attr(element, 'dataSrc') ||
        attr(element, 'dataOriginal') ||
        attr(element, 'dataLazySrc') ||
        attr(element, 'dataCanonicalSrc')
      if (lazy !== '' && (src === '' || src.startsWith('data:') || /(blank|placeholder|spacer|loading)\./u.test(src)))
        properties['src'] = lazy
      const set = attr(element, 'srcSet')
      if (attr(element, 'src') === '' && set !== '') properties['src'] = set.split(',').at(-1)!.trim().split(/\s/u)[0]!
      delete properties['srcSet']
    }
    for (const name of ['href', 'src', 'cite']) {
      const link = properties[name]
      if (typeof link !== 'string') continue
      const trimmed = link.trim()
      if (trimmed.startsWith('#')) continue
      if (!URL.canParse(trimmed, base)) {
        delete properties[name]
        continue
      }
      const url = new URL(trimmed, base)
      // A link to a place in the page itself stays in it.
      properties[name] =
        name === 'href' && url.hash.length > 1 && url.href.replace(/#.*$/u, '') === own ? url.hash : url.href
    }
  }
}

const BLOCKS = new Set([
  'p',
  'div',
  'section',
  'article',
  'main',
  'li',
  'dt',
  'dd',
  'blockquote',
  'h1',
  'h2',
  'h3',
  'h4',
  'h5',
  'h6',
  'figure',
  'figcaption',
  'tr',
  'table',
  'ul',
  'ol',
  'dl',
  'header',
  'footer',
  'aside',
  'details',
  'summary',
  'center',
  'address',
])

function wordsOf(root: Root, whole: boolean): string {
  let text = ''
  const write = (node: Node) => {
    if (node.type === 'text') text += node.value.replace(/\s+/gu, ' ')
    else if (node.type === 'element') {
      if (isElement(node, 'pre')) text += whole ? `\n\n${textOf(node)}\n\n` : '\n\n'
      else if (isElement(node, 'table') && !whole) text += '\n\n'
      else if (isElement(node, 'br')) text += '\n'
      else if (isElement(node, 'rt', 'rp'))
        return // A reading beside a word isn't a second word.
      else if (isElement(node, 'annotation')) text += ` ${textOf(node)} `
      else {
        const block = BLOCKS.has(node.tagName)
        if (block) text += '\n\n'
        for (const child of node.children) write(child)
        if (isElement(node, 'td', 'th')) text += '\t'
        if (block) text += '\n\n'
      }
    }
  }
  for (const child of root.children) write(child)
  return text
    .replace(/[ \t]+\n/gu, '\n')
    .replace(/\n{3,}/gu, '\n\n')
    .trim()
}

/** 500 characters of Japanese or 220 words of other languages a minute; at least one. */
export function readingMinutes(text: string): number {
  const japanese = text.match(/[\u3040-\u30ff\u3400-\u9fff]/gu)?.length ?? 0
  const words =
    text.match(/[\p{L}\p{N}_-]+/gu)?.filter((word) => !/[\u3040-\u30ff\u3400-\u9fff]/u.test(word)).length ?? 0
  return Math.max(1, Math.round(japanese / 500 + words / 220))
}

/** Only what can be told from the letters: kana is Japanese's alone. */
export function guessLanguage(text: string): string {
  const sample = text.slice(0, 5000)
  const kana = sample.match(/[\u3040-\u30ff]/gu)?.length ?? 0
  if (kana > sample.length * 0.05 && kana > 5) return 'ja'
  const common = sample.match(/\b(the|and|of|to|is|in|that|for|with)\b/giu)?.length ?? 0
  return common > 5 && common > sample.length / 150 ? 'en' : ''
}
