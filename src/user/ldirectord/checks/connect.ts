/** Whether a connection can be made, by TCP; by UDP it always can. */
import type { Body } from '#kernel/core'
import { connectUntil } from '../connecting.ts'
import { type Checking, diedAt } from './check.ts'

const ALARM_LINE = 3462
const FAILED_LINE = 3470

export function* checkConnect(check: Checking): Body<boolean> {
  const { virtual, real, sys, port } = check
  const type = virtual.protocol === 'udp' ? 'SOCK_DGRAM' : 'SOCK_STREAM'
  const opened = yield* connectUntil(sys, real.server, port, type, check.untilNs(virtual.checktimeout))
  if ('failed' in opened) {
    const timeout = opened.failed === 'timeout'
    const why = timeout ? diedAt('Timeout Alarm', ALARM_LINE) : diedAt('Socket Connect Failed', FAILED_LINE)
    return yield* check.deactivated(why)
  }
  sys.close(opened.fd)
  yield* check.debug(3, `Connected to ${real.server} (port ${port})`)
  return yield* check.activated()
}
