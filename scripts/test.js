/**
 * `npm test`: sets up, then everything: lint, types, unit and property tests, articles, conformance with the real kernel,
 * pages in a real browser. Two lanes, since two cores are what there is at least. Ends with `N passed, N failed, N skipped`.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from './build.js'
import { installDebianPackages, installPackages, root, say } from './setup.js'

installPackages()
installDebianPackages(['pages', 'netns', 'store', 'qemu'])

const bin = (name) => join(root, 'node_modules', '.bin', name)
const reports = mkdtempSync(join(tmpdir(), 'kaidoku-test-'))
const totals = { passed: 0, failed: 0, skipped: 0 }

/** Runs one step (if it fails, those of `again` instead, if there are any); its output is shown if it fails. A Vitest step counts its tests, another counts as one. */
async function step(name, command, args, { cwd = root, vitest = false, env = {}, again = [] } = {}) {
  const report = join(reports, `${name.replaceAll(/\W+/g, '-')}.json`)
  const words = vitest ? [...args, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`] : args
  const began = Date.now()
  let { status, output } = await run(command, words, cwd, env)
  // Articles that share a guest meet other chance than alone: there, each must pass.
  if (status !== 0 && again.length > 0) {
    const alone = []
    for (const [command, words] of again) alone.push(await run(command, words, cwd, env))
    status = alone.every((one) => one.status === 0) ? 0 : 1
    output = alone.map((one) => one.output).join('\n')
  }
  const seconds = ((Date.now() - began) / 1000).toFixed(0)
  const counted = vitest ? readReport(report) : undefined
  // A Vitest that fails without a failed test (a file that doesn't load) is a failure too.
  const failed = counted ? Math.max(counted.failed, status === 0 ? 0 : 1) : status === 0 ? 0 : 1
  totals.passed += counted ? counted.passed : failed ? 0 : 1
  totals.skipped += counted?.skipped ?? 0
  totals.failed += failed
  const count = counted ? `${counted.passed} passed${counted.skipped ? `, ${counted.skipped} skipped` : ''}, ` : ''
  console.log(`${failed ? 'FAIL' : 'ok  '} ${name} (${count}${seconds} s)`)
  if (failed) console.log(counted?.messages.length ? counted.messages.join('\n') : tail(output))
  else for (const line of output.split('\n')) if (/^(?:skipped: )/.test(line)) console.log(`     ${line}`)
  return failed === 0
}

function run(command, args, cwd, more) {
  return new Promise((done) => {
    const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', ...more }
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
    const report = JSON.parse(readFileSync(file, 'utf8'))
    const messages = report.testResults.flatMap(({ name, status, message, assertionResults }) => {
      const failed = assertionResults.filter((test) => test.status === 'failed')
      if (failed.length === 0) return status === 'failed' ? [`${name}\n${tail(message ?? '')}`] : []
      return failed.map((test) => `${name}: ${test.fullName}\n${head(test.failureMessages.join('\n'))}`)
    })
    const skipped = report.numPendingTests + report.numTodoTests
    return { passed: report.numPassedTests, failed: report.numFailedTests, skipped, messages }
  } catch {
    return { passed: 0, failed: 1, skipped: 0, messages: [] }
  }
}

const head = (text) => text.split('\n').slice(0, 60).join('\n')
const tail = (output) => output.split('\n').slice(-200).join('\n')

const kaidoku = (...args) => [process.execPath, [join(root, 'bin', 'kaidoku.js'), ...args]]

await build(['cli'])

// A translation has its original's commands and output, letter for letter: a test of the rooms sees to that.
const originals = readdirSync(join(root, 'articles'))
  .filter((name) => /^[^.]+\.md$/.test(name))
  .map((name) => `articles/${name}`)

/** Articles whose packets can't all be the same: programs take time there, and what they send falls elsewhere. */
const BY_LINES = {
  'articles/active-active.md': 'downloads are cut at another segment; elections',
  'articles/connection-failover.md':
    'a download is cut at another segment, and what is sent again differs from there on',
  'articles/finding-the-fault.md': 'checks of servers, advertisements',
  'articles/lvs-by-nat.md': 'connections are listed in an order of chance',
  'articles/lvs-by-tunnelling.md': 'an upload larger than the window: who acknowledges what',
  'articles/nat-and-conntrack.md': 'a neighbour asked after in a pause, or not',
  'articles/tuning-lvs.md': 'what hping3 draws by chance; a neighbour asked after in a pause',
  'articles/ultra-monkey.md': 'heartbeats, checks, pages asked for without pause',
  'articles/vrrp-with-keepalived.md': 'which ping falls into the gap',
}

/** Into how many pieces the cases under emulation are cut; and so many articles in one. */
const PARTS = 5
const ARTICLES_AT_ONCE = 4

// What needs the emulated kernel takes the longest. It is cut into pieces that either lane takes when it is free, each
// lane on a processor of its own: an emulator wants one.
const pieces = []
for (let part = 1; part <= PARTS; part++) {
  const only = part === 1 ? [] : ['conformance']
  const args = ['run', '--config', 'vitest.kernel.config.ts', ...only]
  const env = { KAIDOKU_PART: `${part}/${PARTS}` }
  pieces.push([`conformance with the real kernel, ${part} of ${PARTS}`, bin('vitest'), args, { vitest: true, env }])
}
for (const [what, articles, ...words] of [
  ['packet by packet', originals.filter((file) => !(file in BY_LINES)), 'compare', '--yes'],
  ['line by line', Object.keys(BY_LINES), 'check', '--yes', '--backend=qemu'],
]) {
  for (let at = 0; at < articles.length; at += ARTICLES_AT_ONCE) {
    const some = articles.slice(at, at + ARTICLES_AT_ONCE)
    const name = `articles on the real kernel ${what}, ${at + 1} to ${at + some.length}`
    const again = some.map((article) => kaidoku(...words, article))
    pieces.push([name, ...kaidoku(...words, ...some), { again }])
  }
}

/** The processors that this process may use, if Linux says so and `taskset` is there. */
function processors() {
  if (process.platform !== 'linux' || spawnSync('taskset', ['--version']).status !== 0) return []
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
}

/** Takes pieces until none is left, on one processor if it is given. */
async function real(processor) {
  for (let piece = pieces.shift(); piece; piece = pieces.shift()) {
    const [name, command, args, options] = piece
    if (processor === undefined) await step(name, command, args, options)
    else await step(name, 'taskset', ['--cpu-list', String(processor), command, ...args], options)
  }
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

const [one, two] = processors().slice(-2)
// Without processors of their own, two emulators at a time would only get into each other's way.
if (two === undefined) await Promise.all([real(), rest()])
// An emulator takes the last processor unless it is told otherwise; what namespaces do in real time may use both.
else await Promise.all([real(), rest().then(() => real(one))])
rmSync(reports, { recursive: true, force: true })
if (totals.failed > 0) say('look above for what failed')
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
process.exit(totals.failed > 0 ? 1 : 0)
