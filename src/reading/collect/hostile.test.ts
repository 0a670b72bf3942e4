/** Pages made to keep a reader busy: each is read, or refused, soon. */
import { expect, test } from 'vitest'
import { extractArticle } from './article.ts'
import { TooDeep } from './sanitise.ts'

const PAGES: [name: string, html: string][] = [
  ['very deep', '<div>'.repeat(100_000)],
  ['deep', '<div>'.repeat(250)],
  ['many paragraphs', '<p>word word word, word</p>'.repeat(20_000)],
  ['many spans', '<span>a</span>'.repeat(50_000)],
  ['too many elements', '<i>'.repeat(500_000)],
  ['many tables', '<table><tr><td>a</td></tr></table>'.repeat(5000)],
  ['tables in tables', '<table><tr><td>'.repeat(90)],
  ['many code blocks', '<pre><code>$ ls\n</code></pre>'.repeat(3000)],
  ['links that nobody closed', '<a href="x">'.repeat(20_000)],
  ['formatting that nobody closed', '<b><p>'.repeat(20_000)],
  ['formulas', '<span class="katex"><math><mi>x</mi></math></span>'.repeat(3000)],
  ['one long word', 'x'.repeat(5_000_000)],
  ['one element of many attributes', `<p ${Array.from({ length: 20_000 }, (_, i) => `a${i}=1`).join(' ')}>x`],
  ['line breaks', '<br>'.repeat(50_000)],
  ['brackets', '<'.repeat(300_000)],
  ['nothing', ''],
]

test.each(PAGES)(
  '%s',
  (_, html) => {
    try {
      extractArticle(`<html><body>${html}`, 'https://example.com/')
    } catch (error) {
      expect(error).toBeInstanceOf(TooDeep)
    }
  },
  120_000,
)
