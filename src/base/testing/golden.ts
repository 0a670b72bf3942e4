/** Golden files: what a test prints, checked in. `KAIDOKU_ACCEPT=1` writes what was printed instead of comparing. */
import { environment, files } from './host.ts'

type Place = string | object

/** The text of a golden file; throws if there is none. */
export function readGolden(place: Place): string {
  const fs = files()
  if (!fs) throw new Error('golden files need Node')
  return fs.readFileSync(place, 'utf8')
}

/** Throws unless the file (a path or a file URL) has exactly this text; says the first line that differs. */
export function expectGolden(place: Place, actual: string): void {
  const fs = files()
  if (!fs) throw new Error('golden files need Node')
  if (environment('KAIDOKU_ACCEPT') === '1') {
    fs.mkdirSync(typeof place === 'string' ? place.replace(/[^/]*$/, '') || '.' : new URL_('.', place), {
      recursive: true,
    })
    fs.writeFileSync(place, actual)
    return
  }
  if (!fs.existsSync(place)) throw new Error(`${String(place)}: no such golden file; KAIDOKU_ACCEPT=1 writes it`)
  const expected = fs.readFileSync(place, 'utf8')
  if (expected === actual) return
  const want = expected.split('\n')
  const got = actual.split('\n')
  let line = 0
  while (want[line] === got[line]) line++
  throw new Error(
    `${String(place)}:${line + 1}: differs; KAIDOKU_ACCEPT=1 accepts\n- ${want[line] ?? '(end)'}\n+ ${got[line] ?? '(end)'}`,
  )
}

const URL_ = (globalThis as unknown as { URL: new (relative: string, base: unknown) => object }).URL
