/** What is in a page's code, tables and formulas is in what is kept of it: to the blank, to the cell, to the source. */
import type { Element } from 'hast'
import { describe, expect, test } from 'vitest'
import { extractArticle } from './article.ts'
import { CORPUS } from './corpus.cases.ts'
import { parseTree } from './sanitise.ts'
import { classesOf, elements, textOf } from './tree.ts'

const languageOf = (code: Element) =>
  classesOf(code)
    .find((name) => name.startsWith('language-'))
    ?.slice(9) ?? ''

describe.each(CORPUS)('$name', (page) => {
  const article = extractArticle(page.html, 'https://example.com/page')
  // As a browser will read it.
  const tree = parseTree(article.html, true)
  const codes = [...elements(tree, 'code')].filter((code) => languageOf(code) !== 'math')
  const blocks = [...elements(tree, 'pre')]
    .flatMap((pre) => [...elements(pre, 'code')].slice(0, 1))
    .filter((code) => codes.includes(code))

  test('code', () => {
    if (page.code) expect(blocks.map(textOf)).toEqual(page.code)
    if (page.languages) expect(blocks.map(languageOf)).toEqual(page.languages)
  })
  test('tables', () => {
    const tables = [...elements(tree, 'table')].map((table) =>
      [...elements(table, 'tr')].map((row) => [...elements(row, 'td', 'th')].map((cell) => textOf(cell).trim())),
    )
    if (page.tables) expect(tables.filter((table) => table.length > 1)).toEqual(page.tables)
  })
  test('formulas and words', () => {
    const sources = [...elements(tree, 'code')].filter((code) => languageOf(code) === 'math').map(textOf)
    const annotations = [...elements(tree, 'annotation')].map(textOf)
    for (const formula of page.formulas ?? [])
      expect(
        [...sources, ...annotations].includes(formula) || article.html.includes(formula),
        `${formula} in ${article.html}`,
      ).toBe(true)
    const text = textOf(tree)
    for (const words of page.has ?? []) expect(text).toContain(words)
    for (const words of page.hasNot ?? []) expect(text).not.toContain(words)
    expect(text).toMatch(/number 1 is no exception|順を追って|as the manual says/u)
    expect(text).not.toContain('track()')
  })
})
