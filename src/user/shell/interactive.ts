/** A shell on a terminal. */
import type { Body } from '#kernel/core'
import { ExitShell } from './errors.ts'
import { endStatus, handleInteractiveSignals, readLine, runExitTrap, runSource } from './execute.ts'
import type { Shell } from './shell.ts'

/** Prompts, reads, runs, until the end of the input or `exit`. */
export function* runInteractive(shell: Shell): Body<number> {
  const { sys } = shell
  shell.notices = true
  shell.monitor = true
  shell.ownsTerminal = sys.isatty(2)
  handleInteractiveSignals(shell, () => {
    shell.interrupted = true
  })
  for (;;) {
    yield* shell.print(`${sys.hostname}# `, 2)
    const line = yield* readLine(shell)
    if (line === undefined) {
      yield* shell.print('exit\n', 2)
      return yield* runExitTrap(shell, shell.status)
    }
    try {
      yield* runSource(shell, line)
    } catch (thrown) {
      if (thrown instanceof ExitShell) return yield* runExitTrap(shell, thrown.status)
      shell.status = yield* endStatus(shell, thrown)
    }
    shell.interrupted = false
  }
}
