/** The system calls of epoll, eventfd and timerfd. */
import { EpollFile } from './epoll.ts'
import { type Errno, fail, OK, ok, type SysResult } from './errno.ts'
import { EventFile, TimerFile } from './event-files.ts'
import { SocketCalls } from './socket-calls.ts'
import { pollSlackNs, wakeNs } from './timing.ts'
import type { Body } from './wait.ts'

/** EP_MAX_EVENTS of x86_64: INT_MAX over the size of an event. */
const EVENTS_MAX = 178_956_970

export class EventCalls extends SocketCalls {
  epollCreate(): SysResult<number> {
    this.enter()
    return this.install(new EpollFile(this.machine.newInode()), 0, false)
  }

  epollCtl(epfd: number, op: 'ADD' | 'MOD' | 'DEL', fd: number, events = 0, data: unknown = fd): SysResult<void> {
    this.enter()
    const epoll = this.process.file(epfd)
    const file = this.process.file(fd)
    if (!epoll || !file) return fail('EBADF')
    return epoll instanceof EpollFile ? epoll.control(op, fd, file, events, data) : fail('EINVAL')
  }

  *epollWait(epfd: number, max: number, timeoutNs: number): Body<SysResult<{ data: unknown; events: number }[]>> {
    this.enter()
    yield* this.owed()
    if (!(max > 0 && max <= EVENTS_MAX)) return fail('EINVAL')
    const file = this.process.file(epfd)
    if (!(file instanceof EpollFile)) return fail(file ? 'EINVAL' : ('EBADF' as Errno))
    const untilNs = wakeNs(this.host, this.host.sim.nowNs + Math.max(0, timeoutNs), pollSlackNs(timeoutNs))
    this.begin()
    for (;;) {
      const taken = file.take(max)
      if (taken.length > 0 || this.host.sim.nowNs >= untilNs) return ok(taken)
      yield { queues: [file.queue], untilNs }
      if (this.interruption() !== 'no') return fail('EINTR') // Never restarted.
    }
  }

  eventfd(value: number, semaphore = false): SysResult<number> {
    this.enter()
    return this.install(new EventFile(this.machine.newInode(), value, semaphore), 0, false)
  }

  timerfdCreate(): SysResult<number> {
    this.enter()
    return this.install(new TimerFile(this.host, this.machine.newInode()), 0, false)
  }

  timerfdSettime(fd: number, valueNs: number, intervalNs: number): SysResult<void> {
    this.enter()
    const file = this.process.file(fd)
    if (!file) return fail('EBADF')
    if (!(file instanceof TimerFile)) return fail('EINVAL')
    file.set(valueNs, intervalNs)
    return OK
  }
}
