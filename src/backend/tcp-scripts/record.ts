/**
 * Renews what scripts expect from a real kernel.
 *
 *     npx tsx src/backend/tcp-scripts/record.ts [-n] [-b qemu|netns|sim] [FILE...]
 *
 * -n: only says what differs. Without files: all. --chance 1-20, --chance-receiver 1-20: makes up
 * scripts with these seeds, in scripts/chance.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createNetnsBackend } from '#backend/netns'
import { createQemuBackend } from '#backend/qemu'
import { openKernel } from './kernel.ts'
import { randomReceiverScript, randomScript } from './random.ts'
import { parseScript } from './script.ts'
import { readScripts, SCRIPTS } from './scripts.ts'
import { runSimulated } from './sim.ts'
import { differencesOf, renderScript } from './transcript.ts'

const words = process.argv.slice(2)
let backendName = 'qemu'
let dry = false
const files: string[] = []
for (let i = 0; i < words.length; i++) {
  if (words[i] === '-n') dry = true
  else if (words[i] === '-b') backendName = words[++i]!
  else if (words[i] === '--chance' || words[i] === '--chance-receiver') {
    const receiving = words[i] === '--chance-receiver'
    const [from, to] = words[++i]!.split('-').map(Number) as [number, number]
    mkdirSync(join(SCRIPTS, 'chance'), { recursive: true })
    for (let seed = from; seed <= to; seed++) {
      const file = join(SCRIPTS, 'chance', `${receiving ? 'receiver' : 'seed'}-${seed}.tcp`)
      writeFileSync(file, receiving ? randomReceiverScript(seed) : randomScript(seed))
      files.push(file)
    }
  } else files.push(words[i]!)
}
const scripts = files.length > 0 ? files.map((file) => parseScript(readFileSync(file, 'utf8'), file)) : readScripts()
const backend = backendName === 'netns' ? createNetnsBackend() : createQemuBackend()
const kernel = backendName === 'sim' ? { run: runSimulated, close: async () => {} } : await openKernel(backend)
let differing = 0
for (const script of scripts) {
  try {
    const outcome = await kernel.run(script)
    const differences = differencesOf(script, outcome)
    if (differences.length > 0) differing++
    if (dry) {
      console.log(`${differences.length === 0 ? 'same' : 'DIFFERS'} ${script.file}`)
      for (const line of differences) console.log(`    ${line}`)
      continue
    }
    writeFileSync(script.file, renderScript(script, outcome))
    console.log(`${script.file}: ${differences.length === 0 ? 'as before' : 'recorded'}`)
  } catch (error) {
    differing++
    console.log(`FAILED ${script.file}: ${error instanceof Error ? (error.stack ?? error.message) : error}`)
  }
}
console.log(`${scripts.length} scripts, ${differing} ${dry ? 'differ' : 'changed'}`)
await kernel.close()
await backend.close()
