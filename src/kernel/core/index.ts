/**
 * Processes, files, system calls, sysctl, /proc; and the slots in which the other rooms of a kernel meet.
 *
 *     const image = createImage({ release: '6.1.0-56-amd64', profile: 'linux-6.1' })
 *     image.install(shell)
 *     const sim = new Simulator(1)
 *     const host = createHost({ sim, image, name: 'client', number: 1, startS: 1_767_225_600 })
 *     const terminal = createTerminal(host, { onOutput: (bytes) => show(bytes) })
 *     host.spawn({ argv: ['bash'], terminal, env: { PATH: '/usr/sbin:/usr/bin' } })
 *     await drive(sim, 10 * SECOND)
 */
export { drive } from '#base/sim'
export { type CaptureOptions, createCapture } from './capture.ts'
export { EXEC_NS, FORK_NS, SYSCALL_NS } from './costs.ts'
export { EPOLLET, EPOLLIN, EPOLLONESHOT, EPOLLOUT } from './epoll.ts'
export * from './errno.ts'
export * from './file.ts'
export * from './hardware.ts'
export * from './host.ts'
export * from './image.ts'
export { type InsideRow, type InsideView, insideViews } from './inside.ts'
export * from './interrupt-slot.ts'
export { createHost, createTerminal, type HostOptions, type KernelHost } from './kernel.ts'
export { createImage, type Image, type ImageOptions } from './kernel-image.ts'
export { lazyMain } from './lazy.ts'
export type { SpawnOptions } from './machine.ts'
export { type ModuleRequest, moduleLoaders } from './modules.ts'
export { Mounts } from './mounts.ts'
export { installNetlinkEvents, NetlinkEventSocket } from './netlink-events.ts'
export {
  createNetns,
  dropNetns,
  holdNetns,
  Netns,
  NetnsFile,
  netnsByReference,
  netnsesOf,
  netnsInode,
} from './netns.ts'
export { Node } from './node.ts'
export { readdir } from './path-calls.ts'
export { type KernelModule, kernelModules } from './proc.ts'
export { Process, Session } from './process.ts'
export * from './signal.ts'
export { type DefaultAction, defaultAction, signalByNumber } from './signal-defaults.ts'
export { findSocketNode, makeSocketNode } from './socket-node.ts'
export { readAll, readTextFile, writeText } from './stdio.ts'
export * from './sys.ts'
export { type IntegerLimits, integerSysctl, parseIntegers } from './sysctl.ts'
export { COOKED, RAW, type Terminal, type TerminalOptions, type Termios } from './terminal.ts'
export { type Timekeeper, type TimeSlot, timeSlot } from './timekeeper.ts'
export {
  HZ,
  hrtimerNs,
  INITIAL_JIFFIES,
  JIFFY_NS,
  jiffiesOf,
  pollSlackNs,
  SLACK_NS,
  scheduleTimeoutNs,
  type Ticking,
  tickingOf,
  wakeNs,
  wheelJiffies,
} from './timing.ts'
export * from './wait.ts'
