/** What nobody who reads the project should find in it: somebody's machine, or how it was made. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOT } from './sources.ts'

const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\0')
  .filter(
    (file) =>
      /\.(ts|js|svelte|md|json|css|html|yaml|yml|pl|pm|sh)$|^\.ci\//.test(file) && !file.startsWith('src/tidy/'),
  )

const UNWANTED: RegExp[] = [
  /\/work\/(main|shared|\.library)/,
  /\bregistry\.npmjs\.org\b|\bdeb\.debian\.org\b/,
  /\/home\/[a-z]+\/|\/root\/\.[a-z]/,
]

describe('no words of where it was made', () => {
  test.each(files)('%s', (file) => {
    const text = readFileSync(join(ROOT, file), 'utf8')
    for (const unwanted of UNWANTED) expect(unwanted.exec(text)?.[0]).toBeUndefined()
  })
})
