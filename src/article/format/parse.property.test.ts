import { expect, test } from 'vitest'
import type { RandomStream } from '#base/sim'
import { forSeeds } from '#base/testing'
import { parseLab } from '#lab/plan'
import { parseArticle, updateArticle } from './index.ts'

const PIECES = [
  '---\n',
  'title: T\n',
  'lab:\n',
  '  networks: { lan: {} }\n',
  '  hosts:\n',
  '    a: { eth0: lan 10.0.0.1/24 }\n',
  '```',
  '```console\n',
  'console',
  ' skip=kernel',
  'a# ',
  'a# echo \\\n',
  '> ',
  '...',
  '\n',
  '- ',
  '1. ',
  '> > ',
  '~~~',
  'lab# unplug a:eth0\n',
  '\t',
  '  ',
  '[',
  '*',
  'a:/etc/x\n',
  '&x',
  '*x',
  '{',
  '}',
  '"',
  "'",
  '\u0000',
  '\ud800',
  '語',
  '\r\n',
  '%',
  ': ',
  'x',
  '10.0.0.1/33',
  '|',
  '- |\n',
]

function nearly(random: RandomStream): string {
  let text =
    random.below(3) === 0
      ? ''
      : '---\ntitle: T\nlab:\n  networks: { lan: {} }\n  hosts: { a: { eth0: lan 10.0.0.1/24 } }\n---\n'
  for (let i = random.below(40); i > 0; i--) text += PIECES[random.below(PIECES.length)]
  return text
}

test('articles: nothing throws, and what is read prints back unchanged', () => {
  forSeeds(2_000, (random) => {
    const text = nearly(random)
    const { article } = parseArticle(text, 'x.md')
    expect(updateArticle(article, new Map())).toBe(text)
    for (const block of article.blocks) {
      expect(block.range[0]).toBeLessThanOrEqual(block.range[1])
      if (block.kind === 'file') continue
      for (const { expectedRange } of block.commands) {
        expect(expectedRange[0]).toBeLessThanOrEqual(expectedRange[1])
        expect(expectedRange[1]).toBeLessThanOrEqual(text.length)
      }
    }
  })
})

test('labs: nothing throws, and every mistake has a place in the file', () => {
  forSeeds(2_000, (random) => {
    const text = nearly(random)
    for (const { at } of parseLab(text, 'x.yaml').mistakes) {
      expect(at.line).toBeGreaterThan(0)
      expect(at.column).toBeGreaterThan(0)
      expect(at.line).toBeLessThanOrEqual(text.split('\n').length + 1)
    }
  })
})
