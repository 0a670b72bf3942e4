/**
 * What was printed against what the article says. In an expected line `...` stands for any run of characters; a line
 * that is only `...` for any number of lines. Blanks at a line's end don't count, nor do empty lines at the very end.
 */

export interface Comparison {
  equal: boolean
  /** Line by line, for showing: ' ' both, '-' only expected, '+' only printed. */
  diff: { sign: ' ' | '-' | '+'; text: string }[]
}

const ANY_LINES = '...'

/** The lines of an output, as a comparison sees them: no blanks at their ends, no empty ones at the very end. */
export function outputLines(output: string): string[] {
  return trimmed(output.split('\n'))
}

function trimmed(lines: string[]): string[] {
  const out = lines.map((line) => line.replace(/[ \t\r]+$/, ''))
  while (out.length > 0 && out.at(-1) === '') out.pop()
  return out
}

/** Compares a command's output with the lines that an article expects. */
export function compareOutput(expected: readonly string[], output: string, unordered: boolean): Comparison {
  const wanted = trimmed([...expected])
  const printed = outputLines(output)
  if (unordered) return compareUnordered(wanted, printed)
  // best[i][j]: the fewest lines that don't fit when wanted[i..] meets printed[j..].
  const rows = wanted.length + 1
  const columns = printed.length + 1
  if (rows * columns > 4_000_000) return compareInRun(wanted, printed)
  const best = new Uint32Array(rows * columns)
  for (let i = wanted.length; i >= 0; i--) {
    for (let j = printed.length; j >= 0; j--) {
      const at = i * columns + j
      if (i === wanted.length) best[at] = printed.length - j
      else if (wanted[i] === ANY_LINES) {
        best[at] = Math.min(best[at + columns]!, j < printed.length ? best[at + 1]! : 0xffffffff)
      } else {
        let least = best[at + columns]! + 1
        if (j < printed.length) {
          least = Math.min(least, best[at + 1]! + 1)
          if (lineMatches(wanted[i]!, printed[j]!)) least = Math.min(least, best[at + columns + 1]!)
        }
        best[at] = least
      }
    }
  }
  const diff: Comparison['diff'] = []
  let i = 0
  let j = 0
  while (i < wanted.length || j < printed.length) {
    const at = i * columns + j
    if (i < wanted.length && wanted[i] === ANY_LINES) {
      if (best[at] === best[at + columns]) i++
      else diff.push({ sign: ' ', text: printed[j++]! })
    } else if (
      i < wanted.length &&
      j < printed.length &&
      best[at] === best[at + columns + 1] &&
      lineMatches(wanted[i]!, printed[j]!)
    ) {
      diff.push({ sign: ' ', text: printed[j]! })
      i++
      j++
    } else if (i < wanted.length && best[at] === best[at + columns]! + 1) diff.push({ sign: '-', text: wanted[i++]! })
    else diff.push({ sign: '+', text: printed[j++]! })
  }
  return { equal: best[0] === 0, diff }
}

/** For outputs of a hundred thousand lines: equal from the begin on, or shown as they are. */
function compareInRun(wanted: string[], printed: string[]): Comparison {
  const equal = wanted.length === printed.length && wanted.every((line, i) => lineMatches(line, printed[i]!))
  if (equal) return { equal, diff: printed.map((text) => ({ sign: ' ', text })) }
  return {
    equal,
    diff: [
      ...wanted.map((text) => ({ sign: '-' as const, text })),
      ...printed.map((text) => ({ sign: '+' as const, text })),
    ],
  }
}

function compareUnordered(wanted: string[], printed: string[]): Comparison {
  const more = wanted.includes(ANY_LINES)
  const patterns = wanted.filter((line) => line !== ANY_LINES)
  // A line without `...` takes its equal first; what is left is matched so that as many as possible find a partner.
  const partner = new Array<number>(printed.length).fill(-1)
  const tryMatch = (pattern: number, seen: Set<number>): boolean => {
    for (let j = 0; j < printed.length; j++) {
      if (seen.has(j) || !lineMatches(patterns[pattern]!, printed[j]!)) continue
      seen.add(j)
      if (partner[j] === -1 || tryMatch(partner[j]!, seen)) {
        partner[j] = pattern
        return true
      }
    }
    return false
  }
  const missing: string[] = []
  const order = patterns
    .map((_, i) => i)
    .sort((a, b) => Number(patterns[a]!.includes('...')) - Number(patterns[b]!.includes('...')))
  for (const pattern of order) if (!tryMatch(pattern, new Set())) missing.push(patterns[pattern]!)
  const diff: Comparison['diff'] = printed.map((text, j) => ({ sign: partner[j] === -1 && !more ? '+' : ' ', text }))
  diff.push(...missing.map((text) => ({ sign: '-' as const, text })))
  return { equal: diff.every((line) => line.sign === ' '), diff }
}

/** Whether a printed line fits an expected one, in which `...` is any run of characters. */
export function lineMatches(pattern: string, line: string): boolean {
  if (!pattern.includes('...')) return pattern === line
  const pieces = pattern.split('...')
  const first = pieces[0]!
  const last = pieces.at(-1)!
  if (!line.startsWith(first)) return false
  let at = first.length
  for (const piece of pieces.slice(1, -1)) {
    const found = line.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
  }
  return line.length - last.length >= at && line.endsWith(last)
}
