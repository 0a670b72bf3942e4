/** A program decides: it gets the virtual and the real server, and exits with 0 if all is well. */
import { NotModelled } from '#base/check'
import { type Body, type Errno, type Signal, strerror } from '#kernel/core'
import { execute, exitStatus } from '../commands.ts'
import type { Checking } from './check.ts'

const EXEC_LINE = 4836
const SIGTERM: Signal = 'SIGTERM'

export function* checkExternal(check: Checking): Body<boolean> {
  const { virtual, output } = check
  const words = commandOf(check)
  const shown = words.join(' ')
  if (output.debugging) yield* output.log(`Running system_timeout(${virtual.checktimeout}, ${shown})`)
  const result = yield* runWithin(check, words, shown)
  if (result === 0) return yield* check.activated()
  const why = result === -1 ? 'timeout\n' : ''
  yield* check.set('down')
  yield* check.debug(
    3,
    `Deactivated service ${check.place}: ${why} after calling ${virtual.checkcommand} with result ${result}`,
  )
  return false
}

function commandOf({ virtual, real }: Checking): string[] {
  return [virtual.checkcommand, virtual.server ?? virtual.mark!, virtual.port, real.server, real.port]
}

/** The exit status, 0 also for who is killed; -1 if it takes too long, and then it is killed. */
function* runWithin(check: Checking, words: string[], shown: string): Body<number> {
  const { sys, output, virtual } = check
  let failed: Errno | undefined
  output.io.flush()
  yield* output.io.settle()
  const pid = sys.fork(function* (child) {
    const ran = yield* execute(child, words)
    if ('status' in ran) return ran.status
    failed = ran.errno
    return 127
  })
  let late = false
  sys.sigaction('SIGALRM', () => {
    late = true
  })
  sys.setitimer(virtual.checktimeout * 1e9, 0)
  let status: number | undefined
  while (status === undefined && !late) {
    const ended = yield* sys.waitpid(pid)
    if (ended.ok) status = exitStatus(ended.value)
    else if (ended.errno !== 'EINTR') status = -1
  }
  sys.setitimer(0, 0)
  if (status === undefined) {
    yield* output.log(`system_timeout(${virtual.checktimeout}, ${shown}) timed out, kill -TERM child`)
    sys.kill(pid, SIGTERM)
    return -1
  }
  if (failed !== undefined) {
    const error = strerror(failed)
    yield* output.warn(`Can't exec "${words[0]}": ${error}`, EXEC_LINE)
    yield* output.log(`Exiting with exit_status 127: exec(${shown}) failed: ${error}`, pid)
  }
  return status >> 8
}

/** The same, as a script of Perl's that is run within the daemon. */
export function* checkExternalPerl(check: Checking): Body<boolean> {
  const { checkcommand } = check.virtual
  if (check.sys.access(checkcommand, 'r').ok)
    throw new NotModelled(`ldirectord: external-perl, which runs ${checkcommand}`)
  return yield* check.setQuietly('down')
}
