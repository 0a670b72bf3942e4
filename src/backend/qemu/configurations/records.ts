/** What was recorded, packed: texts that several configurations share are kept once. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'

export interface Records {
  /** The kernel's. */
  release: string
  /** What each command printed, by configuration. */
  said: Record<string, Record<string, string>>
}

interface Packed {
  release: string
  /** Distinct lines. */
  lines: string[]
  /** By configuration and command, the numbers of its lines. */
  said: Record<string, Record<string, number[]>>
}

const PATH = join(dirname(fileURLToPath(import.meta.url)), 'recorded.json.gz')

export function readRecords(path = PATH): Records {
  if (!existsSync(path)) return { release: '', said: {} }
  const { release, lines, said } = JSON.parse(gunzipSync(readFileSync(path)).toString()) as Packed
  const whole = (numbers: number[]) => numbers.map((n) => lines[n]).join('\n')
  return {
    release,
    said: Object.fromEntries(
      Object.entries(said).map(([name, commands]) => [
        name,
        Object.fromEntries(Object.entries(commands).map(([command, numbers]) => [command, whole(numbers)])),
      ]),
    ),
  }
}

export function writeRecords(records: Records, path = PATH): void {
  const numbers = new Map<string, number>()
  const lines: string[] = []
  const numberOf = (line: string) => {
    let n = numbers.get(line)
    if (n === undefined) {
      n = lines.push(line) - 1
      numbers.set(line, n)
    }
    return n
  }
  const said = Object.fromEntries(
    Object.entries(records.said).map(([name, commands]) => [
      name,
      Object.fromEntries(Object.entries(commands).map(([command, text]) => [command, text.split('\n').map(numberOf)])),
    ]),
  )
  writeFileSync(`${path}.new`, gzipSync(JSON.stringify({ release: records.release, lines, said }), { level: 9 }))
  renameSync(`${path}.new`, path)
}
