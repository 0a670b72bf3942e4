/**
 * What of a page is kept: elements and attributes that are on a list, and nothing else. No script, no handler, no style, no
 * form, no frame, no address but of the Web and of mail.
 */
import type { Root } from 'hast'
import { fromHtml } from 'hast-util-from-html'
import { type Schema, sanitize } from 'hast-util-sanitize'
import { toHtml } from 'hast-util-to-html'
import { DEPTH_MAX, type Parent } from './tree.ts'

const MATHML = [
  'math',
  'maction',
  'menclose',
  'merror',
  'mfenced',
  'mfrac',
  'mi',
  'mmultiscripts',
  'mn',
  'mo',
  'mover',
  'mpadded',
  'mphantom',
  'mprescripts',
  'mroot',
  'mrow',
  'ms',
  'mspace',
  'msqrt',
  'mstyle',
  'msub',
  'msubsup',
  'msup',
  'mtable',
  'mtd',
  'mtext',
  'mtr',
  'munder',
  'munderover',
  'none',
  'semantics',
  'annotation',
]
const MATHML_ATTRIBUTES = [
  'accent',
  'accentunder',
  'columnalign',
  'columnlines',
  'columnspacing',
  'columnspan',
  'depth',
  'dir',
  'display',
  'displaystyle',
  'encoding',
  'fence',
  'form',
  'height',
  'largeop',
  'linethickness',
  'lspace',
  'mathsize',
  'mathvariant',
  'maxsize',
  'minsize',
  'movablelimits',
  'notation',
  'rowalign',
  'rowlines',
  'rowspacing',
  'rowspan',
  'rspace',
  'scriptlevel',
  'separator',
  'stretchy',
  'symmetric',
  'voffset',
  'width',
]

const SCHEMA: Schema = {
  strip: [
    'script',
    'style',
    'template',
    'noscript',
    'iframe',
    'frame',
    'frameset',
    'object',
    'embed',
    'applet',
    'form',
    'select',
    'textarea',
    'button',
    'svg',
    'title',
    'head',
    'noembed',
    'noframes',
    'annotation-xml',
  ],
  tagNames: [
    'a',
    'abbr',
    'address',
    'article',
    'aside',
    'b',
    'bdi',
    'bdo',
    'big',
    'blockquote',
    'br',
    'caption',
    'center',
    'cite',
    'code',
    'col',
    'colgroup',
    'dd',
    'del',
    'details',
    'dfn',
    'div',
    'dl',
    'dt',
    'em',
    'figcaption',
    'figure',
    'footer',
    'h1',
    'h2',
    'h3',
    'h4',
    'h5',
    'h6',
    'header',
    'hr',
    'i',
    'img',
    'ins',
    'kbd',
    'li',
    'main',
    'mark',
    'ol',
    'p',
    'picture',
    'pre',
    'q',
    'rb',
    'rp',
    'rt',
    'rtc',
    'ruby',
    's',
    'samp',
    'section',
    'small',
    'span',
    'strike',
    'strong',
    'sub',
    'summary',
    'sup',
    'table',
    'tbody',
    'td',
    'tfoot',
    'th',
    'thead',
    'time',
    'tr',
    'tt',
    'u',
    'ul',
    'var',
    'wbr',
    ...MATHML,
  ],
  attributes: {
    '*': ['id', 'lang', 'dir', 'title'],
    a: ['href'],
    blockquote: ['cite'],
    q: ['cite'],
    ins: ['cite', 'dateTime'],
    del: ['cite', 'dateTime'],
    time: ['dateTime'],
    img: ['src', 'alt', ['width', /^\d{1,5}$/u], ['height', /^\d{1,5}$/u]],
    code: [['className', /^language-[\w+#.-]{1,40}$/u, 'math-inline', 'math-display']],
    ol: ['start', 'reversed', 'type'],
    li: ['value'],
    td: ['colSpan', 'rowSpan', 'headers', 'align'],
    th: ['colSpan', 'rowSpan', 'headers', 'scope', 'align'],
    col: ['span'],
    colgroup: ['span'],
    details: ['open'],
    ...Object.fromEntries(MATHML.map((name) => [name, MATHML_ATTRIBUTES])),
  },
  protocols: { href: ['http', 'https', 'mailto'], src: ['http', 'https'], cite: ['http', 'https'] },
  clobber: ['id', 'headers'],
  clobberPrefix: 'page-',
  allowComments: false,
  allowDoctypes: false,
}

/** The page is too deep to be read. */
export class TooDeep extends Error {
  override readonly name = 'TooDeep'
}

const ELEMENTS_MAX = 200_000
const FORMATTING = 'a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u'
const FORMATTING_OPEN_MAX = 200
const LOOSE_MAX = 20_000 // Less-than signs: each is a token of its own to the parser.

/**
 * What would keep the parser busy for minutes: formatting elements that nobody closes are opened again in every paragraph
 * (HTML, 13.2.4.3), so that a page of them grows with its square. They are taken out where they are too many.
 */
function tame(html: string): string {
  let tags = 0
  for (let at = html.indexOf('<'); at >= 0; at = html.indexOf('<', at + 1)) tags++
  if (tags > ELEMENTS_MAX * 2) throw new TooDeep(`more than ${ELEMENTS_MAX} elements`)
  const loose = html.match(/<(?![a-z/!?])/giu)?.length ?? 0
  if (loose > LOOSE_MAX) return tame(html.replace(/<(?![a-z/!?])/giu, '&lt;'))
  let open = 0
  let most = 0
  for (const [tag] of html.matchAll(new RegExp(`</?(?:${FORMATTING})(?=[\\s/>])`, 'giu'))) {
    open = tag[1] === '/' ? Math.max(0, open - 1) : open + 1
    most = Math.max(most, open)
  }
  if (most <= FORMATTING_OPEN_MAX) return html
  return html.replace(new RegExp(`</?(?:${FORMATTING})(?:[\\s/][^<>]*)?>`, 'giu'), '')
}

/** HTML as a tree; throws TooDeep before anything that calls itself meets it. */
export function parseTree(html: string, fragment: boolean): Root {
  let tree: Root
  try {
    tree = fromHtml(tame(html), { fragment })
  } catch (error) {
    if (error instanceof RangeError) throw new TooDeep('elements too deep to be read')
    throw error
  }
  let level: Parent[] = [tree]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEPTH_MAX) throw new TooDeep(`elements more than ${DEPTH_MAX} deep`)
    level = level.flatMap((parent) => (parent.children as Parent[]).filter((child) => 'children' in child))
  }
  return tree
}

/** A tree with only what is on the list. */
export function sanitiseTree(tree: Root): Root {
  const clean = sanitize(tree, SCHEMA) as Root
  // Links within the page follow the names that sanitising gave.
  const visit = (parent: Parent) => {
    for (const child of parent.children) {
      if (child.type !== 'element') continue
      const { href } = child.properties
      if (typeof href === 'string' && href.startsWith('#') && href.length > 1 && !href.startsWith('#page-'))
        child.properties['href'] = `#page-${href.slice(1)}`
      if (child.tagName === 'a' && /^https?:/u.test(String(child.properties['href'] ?? '')))
        child.properties['rel'] = ['noopener', 'nofollow', 'ugc']
      visit(child)
    }
  }
  visit(clean)
  return clean
}

/** What this room sanitised once, from a file that says so: names that are ours already don't become ours twice. */
export function sanitiseAgain(html: string): string {
  const clean = sanitiseTree(parseTree(html, true))
  const visit = (parent: Parent) => {
    for (const child of parent.children) {
      if (child.type !== 'element') continue
      for (const name of ['id', 'name'] as const) {
        const value = child.properties[name]
        if (typeof value === 'string' && value.startsWith('page-page-')) child.properties[name] = value.slice(5)
      }
      visit(child)
    }
  }
  visit(clean)
  return toHtml(clean)
}

/** HTML with only what is on the list, well-formed. */
export function sanitiseHtml(html: string): string {
  return toHtml(sanitiseTree(parseTree(html, true)))
}
