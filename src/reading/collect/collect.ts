/** A page saved: fetched, decoded, its article found and cleaned, its pictures kept, its consoles recognised. */
import { createHash } from 'node:crypto'
import { toHtml } from 'hast-util-to-html'
import { extractArticle, readingMinutes } from './article.ts'
import { decodeText } from './charset.ts'
import { type ConsoleBlock, parseConsole } from './console.ts'
import { FetchError, type FetchOptions, fetchPage } from './fetch.ts'
import { collectImages, IMAGE_LIMITS, type StoredImage, sniffImage } from './images.ts'
import { PdfError, readPdf } from './pdf.ts'
import type { Robots } from './robots.ts'
import { TooDeep } from './sanitise.ts'
import { attr, classesOf, elements, textOf } from './tree.ts'

export interface CollectedPage {
  kind: 'html' | 'pdf' | 'text'
  /** As it was asked for. */
  url: string
  /** After redirects. */
  finalUrl: string
  canonical: string | undefined
  title: string
  author: string
  siteName: string
  description: string
  publishedAtS: number | undefined
  lang: string
  charset: string
  /** Sanitised; pictures named by `imageAddress`. */
  html: string
  text: string
  /** Without code and tables: what an excerpt is made of. */
  prose: string
  readingMinutes: number
  images: StoredImage[]
  /** Of a PDF; the hash of one of `images`. */
  firstPage: string | undefined
  consoles: ConsoleBlock[]
  /** SHA-256 of what a reader sees: the same page again is no new version. */
  hash: string
  etag: string
  lastModified: string
  /** What couldn't be kept, for the reader. */
  warnings: string[]
}

export interface CollectOptions extends FetchOptions {
  /** Without them, nobody asks the site. */
  robots?: Robots
  /** False: pictures stay where they are not shown. */
  images?: boolean
  /** How the page names a stored picture. */
  imageAddress?: (hash: string) => string
}

const WANTED = /^(text\/(html|plain|markdown|x-.*)|application\/(xhtml\+xml|pdf|xml|x-pdf|octet-stream))$/u
const PDF_BYTES = 40 * 1024 * 1024

/** The address of a stored picture, unless said otherwise. */
export const IMAGE_ADDRESS = (hash: string) => `/images/${hash}`

/** Saves a page; throws FetchError with words for its reader. */
export async function collectPage(url: string, options: CollectOptions = {}): Promise<CollectedPage> {
  const { robots, images: _, imageAddress: __, ...fetching } = options
  await robots?.check(url, fetching)
  const fetched = await fetchPage(url, { maxBytes: PDF_BYTES, ...fetching, accept: WANTED })
  if (fetched.status >= 400 || fetched.status < 200)
    throw new FetchError('broken', `the site answers ${fetched.status}`)
  if (robots && fetched.redirects.length > 0) await robots.check(fetched.url, fetching)
  return await readPage({ ...fetched, requested: url }, options)
}

/** What was fetched (or handed in: a browser's own copy), as a page. */
export async function readPage(
  fetched: { requested: string; url: string; body: Uint8Array; contentType: string; headers: Record<string, string> },
  options: CollectOptions = {},
): Promise<CollectedPage> {
  const { body } = fetched
  const blank = {
    url: fetched.requested,
    finalUrl: fetched.url,
    etag: (fetched.headers['etag'] ?? '').slice(0, 500),
    lastModified: (fetched.headers['last-modified'] ?? '').slice(0, 100),
  }
  const isPdf = body[0] === 0x25 && body[1] === 0x50 && body[2] === 0x44 && body[3] === 0x46
  if (isPdf) return await readPdfPage(blank, body, options)
  if (/pdf|octet-stream/u.test(fetched.contentType))
    throw new FetchError('type', `${fetched.contentType}, but not a PDF`)
  if (body.length > 10 * 1024 * 1024) throw new FetchError('size', 'the page is larger than 10 MB')
  const { text: source, charset } = decodeText(body, fetched.headers['content-type'])
  if (/^text\/(plain|markdown|x-)/u.test(fetched.contentType)) return readPlainPage(blank, source, charset)
  let article: ReturnType<typeof extractArticle>
  try {
    article = extractArticle(source, fetched.url, fetched.headers['content-language'])
  } catch (error) {
    if (error instanceof TooDeep || error instanceof RangeError)
      throw new FetchError('broken', `the page can’t be read: ${error.message}`)
    throw error
  }
  const { tree } = article
  const address = options.imageAddress ?? IMAGE_ADDRESS
  // Of the words, not of the pictures' names: a picture that wasn't there today makes no new version.
  const hash = hashOf(article.title, article.html)
  const { images, warnings } =
    options.images === false
      ? { images: [], warnings: [] }
      : await collectImages(tree, { ...fetchingOf(options) }, address)
  const consoles: ConsoleBlock[] = []
  for (const [index, pre] of [...elements(tree, 'pre')].entries()) {
    const code = [...elements(pre, 'code')][0]
    const language = code
      ? (classesOf(code)
          .find((name) => name.startsWith('language-'))
          ?.slice(9) ?? '')
      : ''
    const found =
      language === 'math' || attr(pre, 'dataKept') !== '' ? undefined : parseConsole(textOf(pre), language, index)
    if (found) consoles.push(found)
  }
  if (article.text === '') warnings.push('the page has no text (it may be made by a script)')
  return {
    kind: 'html',
    ...blank,
    canonical: article.canonical,
    title: article.title,
    author: article.author,
    siteName: article.siteName,
    description: article.description,
    publishedAtS: article.publishedAtS,
    lang: article.lang,
    charset,
    html: toHtml(tree),
    text: article.text,
    prose: article.prose,
    readingMinutes: article.readingMinutes,
    images,
    firstPage: undefined,
    consoles,
    hash,
    warnings,
  }
}

type Blank = Pick<CollectedPage, 'url' | 'finalUrl' | 'etag' | 'lastModified'>

function fetchingOf(options: CollectOptions): FetchOptions {
  const { allowPrivate, resolve, signal } = options
  return {
    ...(allowPrivate === undefined ? {} : { allowPrivate }),
    ...(resolve ? { resolve } : {}),
    ...(signal ? { signal } : {}),
  }
}

const hashOf = (...parts: string[]) => createHash('sha256').update(parts.join('\0')).digest('hex')
const escape = (text: string) => text.replace(/[&<>]/gu, (character) => `&#${character.charCodeAt(0)};`)

function readPlainPage(blank: Blank, source: string, charset: string): CollectedPage {
  const text = source.replace(/\r\n?/gu, '\n').replace(/[\u0000-\u0008\u000b\u000e-\u001f]/gu, '')
  const heading =
    text
      .split('\n', 50)
      .find((line) => line.trim() !== '')
      ?.trim()
      .slice(0, 200) ?? ''
  const html = `<pre><code>${escape(text)}</code></pre>`
  const found = parseConsole(text, '')
  return {
    ...nothing(blank),
    kind: 'text',
    title: heading,
    charset,
    html,
    text,
    prose: text,
    readingMinutes: readingMinutes(text),
    consoles: found ? [found] : [],
    hash: hashOf(text),
  }
}

async function readPdfPage(blank: Blank, bytes: Uint8Array, options: CollectOptions): Promise<CollectedPage> {
  let pdf: Awaited<ReturnType<typeof readPdf>>
  try {
    pdf = await readPdf(bytes)
  } catch (error) {
    if (error instanceof PdfError) throw new FetchError('broken', error.message)
    throw error
  }
  const warnings = pdf.pagesRead < pdf.pages ? [`only ${pdf.pagesRead} of ${pdf.pages} pages were read`] : []
  const text = pdf.text.replace(/[\u0000-\u0008\u000b\u000e-\u001f]/gu, '')
  const images: StoredImage[] = []
  const png = pdf.firstPagePng
  if (png && options.images !== false && png.length <= IMAGE_LIMITS.bytes) {
    const hash = createHash('sha256').update(png).digest('hex')
    images.push({ url: blank.finalUrl, hash, ...sniffImage(png)!, bytes: png })
  }
  const address = options.imageAddress ?? IMAGE_ADDRESS
  const picture = images[0] ? `<p><img src="${escape(address(images[0].hash))}" alt=""></p>` : ''
  const paragraphs = text
    .split(/\f|\n{2,}/u)
    .map((part) => part.trim())
    .filter(Boolean)
  const html = picture + paragraphs.map((part) => `<p>${escape(part).replace(/\n/gu, '<br>')}</p>`).join('')
  const first =
    text
      .split('\n', 50)
      .find((line) => line.trim().length > 3)
      ?.trim() ?? ''
  const name = decodeURIComponent(
    new URL(blank.finalUrl).pathname
      .split('/')
      .at(-1)
      ?.replace(/%(?![0-9a-f]{2})/giu, '%25') || 'PDF',
  ).replace(/\.pdf$/iu, '')
  const plain = text.replace(/\f/gu, '\n\n')
  return {
    ...nothing(blank),
    kind: 'pdf',
    title: (pdf.title.trim() || first || name).slice(0, 300),
    author: pdf.author.trim().slice(0, 300),
    html,
    text: plain,
    prose: plain,
    readingMinutes: readingMinutes(plain),
    images,
    firstPage: images[0]?.hash,
    hash: hashOf(text),
    warnings,
  }
}

const nothing = (blank: Blank): CollectedPage => ({
  kind: 'text',
  ...blank,
  canonical: undefined,
  title: '',
  author: '',
  siteName: '',
  description: '',
  publishedAtS: undefined,
  lang: '',
  charset: '',
  html: '',
  text: '',
  prose: '',
  readingMinutes: 1,
  images: [],
  firstPage: undefined,
  consoles: [],
  hash: '',
  warnings: [],
})
