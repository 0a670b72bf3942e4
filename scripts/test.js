/**
 * `npm test`: sets up, then everything: lint, types, unit and property tests, articles, conformance with the real kernel,
 * pages in a real browser. Two lanes, since two cores are what there is at least. Ends with `N passed, N failed, N skipped`.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from './build.js'
import { installDebianPackages, installPackages, root, say } from './setup.js'

installPackages()
installDebianPackages(['pages', 'netns', 'qemu'])

const bin = (name) => join(root, 'node_modules', '.bin', name)
const reports = mkdtempSync(join(tmpdir(), 'kaidoku-test-'))
const totals = { passed: 0, failed: 0, skipped: 0 }

/** Runs one step; its output is shown if it fails. A Vitest step counts its tests, another counts as one. */
async function step(name, command, args, { cwd = root, vitest = false, always = false } = {}) {
  const report = join(reports, `${name.replaceAll(/\W+/g, '-')}.json`)
  const words = vitest ? [...args, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`] : args
  const began = Date.now()
  const { status, output } = await run(command, words, cwd)
  const seconds = ((Date.now() - began) / 1000).toFixed(0)
  const counted = vitest ? readReport(report) : undefined
  // A Vitest that fails without a failed test (a file that doesn't load) is a failure too.
  const failed = counted ? Math.max(counted.failed, status === 0 ? 0 : 1) : status === 0 ? 0 : 1
  totals.passed += counted ? counted.passed : failed ? 0 : 1
  totals.skipped += counted?.skipped ?? 0
  totals.failed += failed
  const count = counted ? `${counted.passed} passed${counted.skipped ? `, ${counted.skipped} skipped` : ''}, ` : ''
  console.log(`${failed ? 'FAIL' : 'ok  '} ${name} (${count}${seconds} s)`)
  if (failed || always) console.log(tail(output))
  else for (const line of output.split('\n')) if (/^(?:skipped: )/.test(line)) console.log(`     ${line}`)
  return failed === 0
}

function run(command, args, cwd) {
  return new Promise((done) => {
    const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' }
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const take = (chunk) => {
      output += chunk
      if (output.length > 4e6) output = output.slice(-2e6)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('error', (error) => done({ status: 1, output: String(error) }))
    child.on('close', (status) => done({ status: status ?? 1, output }))
  })
}

function readReport(file) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(readFileSync(file, 'utf8'))
    return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests + numTodoTests }
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }
  }
}

const tail = (output) => output.split('\n').slice(-200).join('\n')

const kaidoku = (...args) => [process.execPath, [join(root, 'bin', 'kaidoku.js'), ...args]]

await build(['cli'])

// A translation has its original's commands and output, letter for letter: a test of the rooms sees to that.
const originals = readdirSync(join(root, 'articles'))
  .filter((name) => /^[^.]+\.md$/.test(name))
  .map((name) => `articles/${name}`)

// What needs the emulated kernel takes the longest, and one core.
const real = async () => {
  await step('conformance with the real kernel', bin('vitest'), ['run', '--config', 'vitest.kernel.config.ts'], {
    vitest: true,
  })
  await step('articles on the real kernel', ...kaidoku('compare', '--yes', ...originals))
}

const rest = async () => {
  await step('lint', bin('biome'), ['check', '.'])
  await step('types of the neutral rooms', bin('tsc'), ['-p', 'tsconfig.json'])
  await step('types', bin('tsc'), ['-p', 'tsconfig.node.json'])
  await step('rooms, unit and property tests', bin('vitest'), ['run'], { vitest: true })
  await step('articles', ...kaidoku('check', 'articles'))
  await build(['web'])
  await step('types of the pages', 'npm', ['run', '--silent', 'check', '-w', 'web'])
  await step('pages in a real browser', bin('vitest'), ['run'], { cwd: join(root, 'web'), vitest: true })
}

await Promise.all([real(), rest()])
rmSync(reports, { recursive: true, force: true })
if (totals.failed > 0) say('look above for what failed')
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
process.exit(totals.failed > 0 ? 1 : 0)
