/**
 * The shell: bash's language on the simulated kernel's processes, pipes and signals.
 *
 *     image.install(shell)
 *     const session = createShellSession(host, { files: [nothing, terminalFile, terminalFile], terminal })
 *     session.execute('ping -c 1 web1 | tail -2', (status) => done(status))
 */
import type { Room } from '#kernel/core'
import { COMPLETIONS } from './completion.ts'
import { bash, sh } from './main.ts'

export { globPaths } from './glob.ts'
export type { Completer } from './completion.ts'
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
    image.program(bash)
    image.program(sh)
    // Rooms with completions of their own add to it.
    image.slot('completions', () => COMPLETIONS)
  },
}
