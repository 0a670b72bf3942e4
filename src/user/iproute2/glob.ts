/** Patterns of file names, as labels and counters are matched by. */

/** fnmatch(3) without flags, or with FNM_CASEFOLD: `*`, `?` and [sets]. */
export function matchesGlob(pattern: string, text: string, foldCase = false): boolean {
  let source = ''
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!
    const end = c === '[' ? pattern.indexOf(']', i + 2) : -1
    if (c === '*') source += '.*'
    else if (c === '?') source += '.'
    else if (end > 0) {
      source += `[${pattern
        .slice(i + 1, end)
        .replace(/^!/, '^')
        .replace(/[\\\]]/g, '\\$&')}]`
      i = end
    } else source += c.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  }
  return new RegExp(`^${source}$`, foldCase ? 'si' : 's').test(text)
}
