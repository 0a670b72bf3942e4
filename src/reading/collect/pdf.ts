/**
 * A PDF's words and the picture of its first page. A thread of its own reads it, bounded in time and memory: a file made to
 * loop is ended, and the room goes on.
 */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'

export interface PdfContents {
  title: string
  author: string
  /** Pages apart by a form feed. */
  text: string
  pages: number
  /** Pages whose words are in `text`. */
  pagesRead: number
  /** Of the first page; undefined if it couldn't be drawn. */
  firstPagePng: Uint8Array | undefined
}

export interface PdfLimits {
  pages: number
  timeoutMs: number
  /** Of the picture's longer side. */
  side: number
  characters: number
  memoryMb: number
}
export const PDF_LIMITS: PdfLimits = { pages: 500, timeoutMs: 30_000, side: 1200, characters: 5_000_000, memoryMb: 512 }

/** The file can't be read; the message says why. */
export class PdfError extends Error {
  override readonly name = 'PdfError'
}

// As text, so that it is found whatever bundles this room: a worker's own file would have to lie beside it.
const WORKER = `
const { parentPort, workerData } = require('node:worker_threads')
const { data, library, fonts, cmaps, limits } = workerData
;(async () => {
  const pdfjs = await import(library)
  const task = pdfjs.getDocument({
    data, cMapUrl: cmaps, cMapPacked: true, standardFontDataUrl: fonts, isEvalSupported: false, enableXfa: false,
    disableFontFace: true, useSystemFonts: false, verbosity: 0, stopAtErrors: false, maxImageSize: 16777216, canvasMaxAreaInBytes: 67108864,
  })
  task.onPassword = () => { throw new Error('the file is locked with a password') }
  const document = await task.promise
  const { info } = await document.getMetadata().catch(() => ({ info: {} }))
  const pages = Math.min(document.numPages, limits.pages)
  const texts = []
  let total = 0
  let read = 0
  for (let number = 1; number <= pages && total < limits.characters; number++) {
    const page = await document.getPage(number)
    const { items } = await page.getTextContent()
    let text = ''
    for (const item of items) text += (item.str ?? '') + (item.hasEOL ? '\\n' : '')
    total += text.length
    texts.push(text)
    read++
    page.cleanup()
  }
  const words = { title: String(info.Title ?? ''), author: String(info.Author ?? ''), text: texts.join('\\f').slice(0, limits.characters), pages: document.numPages, pagesRead: read }
  parentPort.postMessage({ words })
  const page = await document.getPage(1)
  const plain = page.getViewport({ scale: 1 })
  const scale = Math.min(2, limits.side / Math.max(plain.width, plain.height, 1))
  const viewport = page.getViewport({ scale })
  const factory = document.canvasFactory
  const { canvas, context } = factory.create(Math.max(1, Math.ceil(viewport.width)), Math.max(1, Math.ceil(viewport.height)))
  await page.render({ canvas, canvasContext: context, viewport, background: 'white' }).promise
  parentPort.postMessage({ png: new Uint8Array(canvas.toBuffer('image/png')) })
})().then(() => process.exit(0), (error) => { parentPort.postMessage({ error: String(error && error.message || error) }); setTimeout(() => process.exit(0), 50) })
`

/** Reads a PDF; throws PdfError. A first page that can't be drawn in time is left out, its words are not. */
export function readPdf(bytes: Uint8Array, some: Partial<PdfLimits> = {}): Promise<PdfContents> {
  const limits = { ...PDF_LIMITS, ...some }
  const require = createRequire(import.meta.url)
  const folder = dirname(require.resolve('pdfjs-dist/package.json'))
  return new Promise((resolve, reject) => {
    const data = bytes.slice()
    const worker = new Worker(WORKER, {
      eval: true,
      workerData: {
        data,
        library: pathToFileURL(join(folder, 'legacy/build/pdf.mjs')).href,
        cmaps: `${join(folder, 'cmaps')}/`,
        fonts: `${join(folder, 'standard_fonts')}/`,
        limits,
      },
      transferList: [data.buffer],
      resourceLimits: { maxOldGenerationSizeMb: limits.memoryMb },
      stdout: true,
      stderr: true,
    })
    let words: Omit<PdfContents, 'firstPagePng'> | undefined
    let firstPagePng: Uint8Array | undefined
    let why = ''
    let over = false
    const end = () => {
      if (over) return
      over = true
      clearTimeout(timer)
      worker.terminate()
      if (words) resolve({ ...words, firstPagePng })
      else reject(new PdfError(why || 'the file can’t be read'))
    }
    const timer = setTimeout(() => {
      why ||= `reading the file takes more than ${limits.timeoutMs / 1000} seconds`
      end()
    }, limits.timeoutMs)
    worker.on('message', (message: { words?: typeof words; png?: Uint8Array; error?: string }) => {
      if (message.words) words = message.words
      if (message.png) firstPagePng = message.png
      if (message.error) why = `not a PDF that can be read: ${message.error.slice(0, 200)}`
    })
    worker.on('error', (error) => {
      why ||= /memory/iu.test(error.message)
        ? 'the file needs too much memory'
        : `not a PDF that can be read: ${error.message.slice(0, 200)}`
      end()
    })
    worker.on('exit', end)
  })
}
