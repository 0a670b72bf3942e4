/**
 * A book of one or more articles: EPUB 3.3. Their HTML becomes XHTML element by element, so that it is well-formed
 * whatever it was; images that come along are in the book, others become links, since a book has no network.
 * @see https://www.w3.org/TR/epub-33/
 */
import { strToU8, type Zippable, zipSync } from 'fflate'
import type { Element, ElementContent, Root, RootContent } from 'hast'
import { fromHtml } from 'hast-util-from-html'
import { formatIso } from './time.ts'
import { escapeXml } from './xml.ts'

export interface BookChapter {
  title: string
  /** Sanitised. */
  html: string
  author?: string
  /** Where it was, shown at its head. */
  url?: string
  lang?: string
}

export interface BookImage {
  /** As the chapters' `src` name it. */
  src: string
  type: 'image/png' | 'image/jpeg' | 'image/gif' | 'image/webp' | 'image/svg+xml'
  bytes: Uint8Array
}

export interface Book {
  /** A URI that stays the same. */
  identifier: string
  title: string
  author: string
  lang: string
  modifiedAtS: number
  chapters: readonly BookChapter[]
  images?: readonly BookImage[]
}

const EXTENSIONS = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/gif': 'gif',
  'image/webp': 'webp',
  'image/svg+xml': 'svg',
}

const CONTAINER = `<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="EPUB/package.opf" media-type="application/oebps-package+xml"/></rootfiles></container>
`
const STYLE = `body { line-height: 1.7; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85em; line-height: 1.4; }
table { border-collapse: collapse; } th, td { border: 1px solid; padding: .2em .5em; }
img { max-width: 100%; } .source { font-size: .8em; }
`

/** The book's bytes. */
export function createEpub(book: Book): Uint8Array {
  const e = escapeXml
  const images = new Map(
    (book.images ?? []).map((image, i) => [image.src, { ...image, name: `image-${i + 1}.${EXTENSIONS[image.type]}` }]),
  )
  const chapters = book.chapters.map((chapter, i) => ({
    chapter,
    name: `chapter-${i + 1}.xhtml`,
    ...chapterOf(chapter, book.lang, images),
  }))
  const manifest = [
    '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>',
    '<item id="style" href="style.css" media-type="text/css"/>',
    ...chapters.map(({ name, properties }, i) => {
      const said = properties.length > 0 ? ` properties="${properties.join(' ')}"` : ''
      return `<item id="c${i + 1}" href="${name}" media-type="application/xhtml+xml"${said}/>`
    }),
    ...[...images.values()].map(({ name, type }, i) => `<item id="i${i + 1}" href="${name}" media-type="${type}"/>`),
  ]
  const packageFile = `<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="${e(book.lang)}">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">${e(book.identifier)}</dc:identifier><dc:title>${e(book.title || 'Untitled')}</dc:title><dc:language>${e(book.lang || 'en')}</dc:language>${book.author === '' ? '' : `<dc:creator>${e(book.author)}</dc:creator>`}<meta property="dcterms:modified">${formatIso(book.modifiedAtS)}</meta></metadata>
<manifest>
${manifest.join('\n')}
</manifest>
<spine>${chapters.map((_, i) => `<itemref idref="c${i + 1}"/>`).join('')}</spine>
</package>
`
  const contents = chapters
    .map(({ chapter, name }) => `<li><a href="${name}">${e(chapter.title || name)}</a></li>`)
    .join('')
  const nav = page(
    book.title,
    book.lang,
    `<nav epub:type="toc" id="toc"><h1>${e(book.title)}</h1><ol>${contents}</ol></nav>`,
  )
  const files: Zippable = {
    // First, and stored: it is how a file is known for a book. EPUB 3.3, 4.2.2.
    mimetype: [strToU8('application/epub+zip'), { level: 0 }],
    'META-INF/container.xml': strToU8(CONTAINER),
    'EPUB/package.opf': strToU8(packageFile),
    'EPUB/nav.xhtml': strToU8(nav),
    'EPUB/style.css': strToU8(STYLE),
  }
  for (const { name, xhtml } of chapters) files[`EPUB/${name}`] = strToU8(xhtml)
  for (const { name, bytes } of images.values()) files[`EPUB/${name}`] = [bytes, { level: 0 }]
  return zipSync(files, { mtime: '1980-01-02T12:00:00' }) // The same book has the same bytes.
}

function page(title: string, lang: string, body: string): string {
  const e = escapeXml
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="${e(lang || 'en')}" xml:lang="${e(lang || 'en')}"><head><title>${e(title || 'Untitled')}</title><link rel="stylesheet" type="text/css" href="style.css"/></head>
<body>${body}</body></html>
`
}

interface Writing {
  images: ReadonlyMap<string, { name: string }>
  ids: Set<string>
  properties: Set<string>
}

function chapterOf(chapter: BookChapter, lang: string, images: Writing['images']) {
  const writing: Writing = { images, ids: new Set(), properties: new Set() }
  const tree: Root = fromHtml(chapter.html, { fragment: true })
  const e = escapeXml
  const link =
    chapter.url && /^https?:/u.test(chapter.url)
      ? `<p class="source"><a href="${e(chapter.url)}">${e(chapter.url)}</a></p>`
      : ''
  const by = chapter.author ? `<p class="source">${e(chapter.author)}</p>` : ''
  const body = tree.children.map((node) => write(node, writing, '')).join('')
  const xhtml = page(
    chapter.title,
    chapter.lang || lang,
    `<section><h1>${e(chapter.title)}</h1>${by}${link}${body}</section>`,
  )
  return { xhtml, properties: [...writing.properties].sort() }
}

const VOID = new Set([
  'area',
  'base',
  'br',
  'col',
  'embed',
  'hr',
  'img',
  'input',
  'link',
  'meta',
  'source',
  'track',
  'wbr',
])
// Needs a script, a network or a reader's answer: a book has none.
const LEFT_OUT = new Set([
  'script',
  'style',
  'iframe',
  'object',
  'embed',
  'form',
  'input',
  'button',
  'link',
  'meta',
  'base',
  'template',
  'noscript',
])
const ATTRIBUTES = new Set([
  'id',
  'class',
  'lang',
  'dir',
  'title',
  'href',
  'src',
  'alt',
  'width',
  'height',
  'colspan',
  'rowspan',
  'scope',
  'start',
  'reversed',
  'datetime',
  'cite',
  'open',
  'value',
])
const NAMESPACES: Record<string, string> = {
  math: 'http://www.w3.org/1998/Math/MathML',
  svg: 'http://www.w3.org/2000/svg',
}

function write(node: RootContent | ElementContent, writing: Writing, foreign: string): string {
  if (node.type === 'text') return escapeXml(node.value)
  if (node.type !== 'element') return ''
  const name = node.tagName
  const children = () => node.children.map((child) => write(child, writing, NAMESPACES[name] ? name : foreign)).join('')
  if (LEFT_OUT.has(name) || !/^[a-zA-Z][a-zA-Z0-9]*$/u.test(name)) return LEFT_OUT.has(name) ? '' : children()
  if (name === 'img') {
    const src = String(node.properties['src'] ?? '')
    const alt = String(node.properties['alt'] ?? '')
    const image = writing.images.get(src)
    if (image) return `<img src="${image.name}" alt="${escapeXml(alt)}"/>`
    return /^https?:/u.test(src) ? `<a href="${escapeXml(src)}">${escapeXml(alt || src)}</a>` : escapeXml(alt)
  }
  const inForeign = foreign !== '' || NAMESPACES[name] !== undefined
  if (name === 'math') writing.properties.add('mathml')
  if (name === 'svg') writing.properties.add('svg')
  const namespace = NAMESPACES[name] && foreign === '' ? ` xmlns="${NAMESPACES[name]}"` : ''
  const open = `<${name}${namespace}${attributesOf(node, writing, inForeign)}`
  if (VOID.has(name)) return `${open}/>`
  return `${open}>${children()}</${name}>`
}

function attributesOf(node: Element, writing: Writing, foreign: boolean): string {
  let written = ''
  for (const [property, value] of Object.entries(node.properties)) {
    const name =
      property === 'className'
        ? 'class'
        : property === 'dateTime'
          ? 'datetime'
          : foreign
            ? property
            : property.toLowerCase()
    if (value === null || value === undefined || value === false) continue
    const text = Array.isArray(value) ? value.join(' ') : value === true ? name : String(value)
    if (foreign ? !/^[a-zA-Z][a-zA-Z0-9]*$/u.test(name) || /^(on|href|xlink)/iu.test(name) : !ATTRIBUTES.has(name))
      continue
    if (name === 'id') {
      // Twice the same, or with a blank, isn't an ID for XML.
      if (!/^[\p{L}_][\p{L}\p{N}._-]*$/u.test(text) || writing.ids.has(text)) continue
      writing.ids.add(text)
    }
    if (name === 'href' && !/^(https?:|mailto:|#)/iu.test(text)) continue
    if (name === 'src') continue
    if (/^(width|height|colspan|rowspan|start|value)$/u.test(name) && !foreign && !/^\d{1,5}$/u.test(text)) continue
    written += ` ${name}="${escapeXml(text)}"`
  }
  return written
}
