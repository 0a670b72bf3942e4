/**
 * The shell: bash's language on the simulated kernel's processes, pipes and signals.
 *
 *     image.install(shell)
 *     const session = createShellSession(host, { files: [nothing, terminalFile, terminalFile], terminal })
 *     session.execute('ping -c 1 web1 | tail -2', (status) => done(status))
 */
import type { Room } from '#kernel/core'
import type { Completions } from './completion.ts'
import { shells } from './main.ts'

export type { Completer, Completions } from './completion.ts'
export { globPaths } from './glob.ts'
export { bash } from './main.ts'
export { compilePattern, hasGlob, type Pattern } from './pattern.ts'
export { byteChar, formatFloat, formatPrintf, quoteForShell, unescapeEcho } from './printf.ts'
export { compileRegex, loadRegexLibrary, needsLibrary, type Regex, type RegexMatch } from './regex.ts'
export { createShellSession, DEFAULT_ENVIRONMENT, type ShellSession, type ShellSessionOptions } from './session.ts'
export { runTest } from './test-command.ts'
export { decodeText, encodeText } from './text.ts'
export { brokenDown, formatTime, toSeconds } from './time.ts'

export const shell: Room = {
  name: 'user/shell',
  needs: [],
  install(image) {
    // Rooms with words of their own for Tab add to it, before or after.
    const completions = image.slot('completions', (): Completions => new Map())
    for (const program of shells(completions)) image.program(program)
  },
}
