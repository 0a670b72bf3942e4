/** All scripts, by name. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseScript, type Script } from './script.ts'

/** Where they are. */
export const SCRIPTS = fileURLToPath(new URL('./scripts', import.meta.url))

/** Reads them all, sorted. */
export function readScripts(): Script[] {
  return readdirSync(SCRIPTS, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.tcp'))
    .sort()
    .map((name) => parseScript(readFileSync(join(SCRIPTS, name), 'utf8'), join(SCRIPTS, name)))
}
