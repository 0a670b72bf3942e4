#!/usr/bin/env node
// Starts what `npm run build` bundled; builds it first if it isn't there.
import { existsSync } from 'node:fs'

const built = new URL('../dist/cli/main.js', import.meta.url)
if (!existsSync(built)) {
  const { build } = await import('../scripts/build.js')
  await build(['cli'])
}
await import(built.href)
