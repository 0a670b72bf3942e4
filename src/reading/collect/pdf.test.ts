/** PDFs: Japanese ones by their CMaps, and those that are none. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readPage } from './collect.ts'
import { PdfError, readPdf } from './pdf.ts'

const JAPANESE = new Uint8Array(readFileSync(new URL('fixtures/japanese.pdf', import.meta.url)))

test('words of a font that is not there, a title, the first page’s picture', async () => {
  const page = await readPage({
    requested: 'https://example.jp/a.pdf',
    url: 'https://example.jp/a.pdf',
    body: JAPANESE,
    contentType: 'application/pdf',
    headers: {},
  })
  expect(page).toMatchObject({ kind: 'pdf', title: '仕組み', author: 'A. Writer', warnings: [] })
  expect(page.text).toContain('ロードバランサの仕組み')
  expect(page.text).toContain('ipvsadm -Ln')
  expect(page.text).toContain('second page')
  expect(page.images).toHaveLength(1)
  expect(page.images[0]).toMatchObject({ type: 'image/png', width: 600, height: 400, hash: page.firstPage })
  expect(page.html).toContain(`/images/${page.firstPage}`)
})

test('limits', async () => {
  expect(await readPdf(JAPANESE, { pages: 1 })).toMatchObject({ pages: 2, pagesRead: 1 })
  await expect(readPdf(JAPANESE, { timeoutMs: 1 })).rejects.toThrow(PdfError)
})

test('what is broken is refused', async () => {
  await expect(readPdf(new TextEncoder().encode('%PDF-1.4\nnothing'))).rejects.toThrow('not a PDF that can be read')
  await expect(readPdf(JAPANESE.slice(0, 300))).rejects.toThrow(PdfError)
})
