import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { parseArticle } from '#article/format'
import { type Backend, RunStopped, runArticle } from '#article/runner'
import { NotModelled } from '#base/check'
import { formatJunit } from './junit.ts'

const NASTY = 'a & b < c > "d" \u0001\u001b[1m ]]> \ufffe é 解'

/** A backend that prints what it is asked, and stops at `stop`. */
const backend: Backend = {
  name: 'sim',
  unavailable: async () => undefined,
  async open() {
    return {
      kernel: 'fake',
      async command(_host, command) {
        if (command === 'stop') throw new NotModelled('what & why')
        return { at: 0, took: 0.25, status: 0, output: `${NASTY}\n`, timedOut: command === 'slow' }
      },
      verb: async () => ({ at: 0, took: 0, status: 0, output: '', timedOut: false }),
      async writeFile() {},
      finish: async () => [],
      async close() {},
    }
  },
  async close() {},
}

function articleOf(commands: string) {
  const head = '---\ntitle: T\nlab: { networks: { lan: {} }, hosts: { a: { eth0: lan } } }\n---\n'
  return parseArticle(`${head}\`\`\`console\n${commands}\n\`\`\`\n`, 'x & "y".md', { readFile: () => undefined })
    .article
}

test('the report counts what it lists, and is XML whatever was printed', async () => {
  const run = await runArticle(backend, articleOf(`a# good\n${NASTY}\na# <bad> & "worse"\nelse\na# slow\n...`))
  const stopped = await runArticle(backend, articleOf('a# good\n...\na# stop')).catch((error: unknown) => error)
  expect(stopped).toBeInstanceOf(RunStopped)
  const xml = formatJunit([
    { file: run.article.file, runs: [run], stopped: [stopped as RunStopped], broken: [] },
    { file: 'z<>.md', runs: undefined, stopped: [], broken: [] },
  ])
  expect(xml).toContain('tests="3" failures="2" errors="0"')
  expect(xml).toContain('tests="2" failures="0" errors="1"')
  expect(xml).toContain('<failure message="met its limit">')
  expect(xml).toContain('<error type="NotModelled" message="what &amp; why"/>')
  expect(xml).toContain('<testcase classname="z&lt;&gt;.md" name="reads">')
  expect(/[\u0000-\u0008\u000b-\u001f]/.test(xml)).toBe(false)
  const parse =
    'import sys, xml.etree.ElementTree as e; r = e.fromstring(sys.stdin.buffer.read()); print(len(r.findall("testsuite")), len(r.findall(".//testcase")), len(r.findall(".//failure")), len(r.findall(".//error")))'
  let counted: string
  try {
    counted = execFileSync('python3', ['-c', parse], { input: xml, encoding: 'utf8' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return // No parser here.
    throw error
  }
  expect(counted).toBe('3 6 2 2\n')
})
