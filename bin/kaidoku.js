#!/usr/bin/env node
// Starts what `npm run build` bundled; builds it first if it isn't there.
import { existsSync } from 'node:fs'
import * as modules from 'node:module'

const built = new URL('../dist/cli/main.js', import.meta.url)
if (!existsSync(built)) {
  const { build } = await import('../scripts/build.js')
  await build(['cli'])
}
// Later Nodes keep what they compiled: the second start is the faster one.
modules.enableCompileCache?.()
await import(built.href)
