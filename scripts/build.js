/**
 * Builds what runs: `kaidoku` (dist/cli), the benchmarks (dist/bench), and the pages (web/build). Each is built again
 * only when a source is newer than it. `node scripts/build.js [cli|bench|web ...]`
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { installPackages, root, say } from './setup.js'

/** Loaded from node_modules when first needed: databases with files of their own, and what few commands use. */
const EXTERNAL = [
  /^node:/,
  '@electric-sql/pglite',
  'pg',
  'pg-boss',
  /^pdfjs-dist/,
  '@napi-rs/canvas',
  /^drizzle-orm/,
  /^just-bash/,
  'elkjs',
]

export async function build(parts = ['cli', 'web']) {
  installPackages()
  for (const part of parts) {
    if (part === 'web') buildWeb()
    else await bundle(part)
  }
}

/** Blanks and comments cost a cold start; names stay, for the sake of stack traces. */
const minify = { compress: false, mangle: false, codegen: { removeWhitespace: true } }

async function bundle(part) {
  const input = join(root, 'src', part, 'main.ts')
  const folder = join(root, 'dist', part)
  const made = join(folder, 'main.js')
  if (!existsSync(input) || (existsSync(made) && newest(join(root, 'src'), sources) <= statSync(made).mtimeMs)) return
  const { rolldown } = await import('rolldown')
  const built = await rolldown({
    input,
    cwd: root,
    platform: 'node',
    external: EXTERNAL,
    // A constant of another module would be read and checked wherever it is used.
    optimization: { inlineConst: { mode: 'all', pass: 3 } },
    onLog: (level, log, handler) => (log.code === 'CIRCULAR_DEPENDENCY' ? undefined : handler(level, log)),
  })
  rmSync(folder, { recursive: true, force: true })
  await built.write({
    dir: folder,
    format: 'esm',
    entryFileNames: 'main.js',
    chunkFileNames: '[name]-[hash].js',
    minify,
  })
  await built.close()
}

function buildWeb() {
  const made = join(root, 'web', 'build', 'index.js')
  const stamp = existsSync(made) ? statSync(made).mtimeMs : 0
  const changed = Math.max(newest(join(root, 'web'), webSources), newest(join(root, 'src'), sources))
  if (changed <= stamp) return
  say('building the pages (once; a minute or so)')
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
  // The pages; then what articles in one file are made of, which lie beside them.
  const standalone = ['-c', 'vite.standalone.config.ts', '--mode']
  for (const words of [[], [...standalone, 'page'], [...standalone, 'make']]) {
    const run = spawnSync(process.execPath, [vite, 'build', '--logLevel', 'warn', ...words], {
      cwd: join(root, 'web'),
      encoding: 'utf8',
    })
    if (run.status === 0) continue
    // What a build that worked has to say interests nobody who only wants to read.
    process.stderr.write(run.stdout + run.stderr)
    process.exit(run.status ?? 1)
  }
}

const sources = (name) => /\.(ts|json|sql)$/.test(name) && !/\.test\.ts$/.test(name)
const webSources = (name) => /\.(ts|js|svelte|css|html|json|svg)$/.test(name)
const GENERATED = new Set(['node_modules', 'build', '.svelte-kit', 'paraglide', 'tests', 'dist', 'test-results'])

/** When the newest of a folder's sources was changed. */
function newest(folder, isSource) {
  let latest = 0
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) {
      if (!GENERATED.has(entry.name)) latest = Math.max(latest, newest(join(folder, entry.name), isSource))
    } else if (isSource(entry.name)) latest = Math.max(latest, statSync(join(folder, entry.name)).mtimeMs)
  }
  return latest
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const parts = process.argv.slice(2)
  await build(parts.length > 0 ? parts : undefined)
}
