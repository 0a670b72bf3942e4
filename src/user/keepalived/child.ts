/** What the VRRP and the health-check process have in common: how they begin, what they read, how they end. */
import { type Body, POLLIN, type Sys, writeText } from '#kernel/core'
import { Configuration } from './configuration.ts'
import type { Interfaces } from './interfaces.ts'
import { type Keyword, KeywordReader } from './keywords.ts'
import type { Log } from './log.ts'
import type { Loop } from './loop.ts'
import { GlobalConfig, VrrpConfig } from './model.ts'
import type { Options } from './options.ts'
import { Reader } from './reader.ts'

/** It can't run as it is configured; it isn't started again. */
export const EXIT_CONFIG = 2

/** What the parent has read, and its children read again: in memory that they share. */
export interface Shared {
  name: string
  copy: readonly string[]
}

export interface Child {
  log: Log
  global: GlobalConfig
  options: Options
  argv: string[]
  shared: Shared
  configId: string
  users: ReadonlyMap<string, number>
  pidFile: string
  reloading: boolean
  /** Descriptors of the parent's that it doesn't keep. */
  closes: readonly number[]
  /** Tells the parent that it has read its configuration. */
  configured(sys: Sys): Body<void>
  /** Something to do when the parent is no more. */
  watchParent(loop: Loop, run: () => Body<void> | undefined): void
}

export function* childStarts(child: Child, sys: Sys): Body<void> {
  for (const fd of child.closes) sys.close(fd)
  yield* writePidFile(sys, child.pidFile)
}

export function* writePidFile(sys: Sys, path: string): Body<boolean> {
  const opened = yield* sys.open(path, 0o1101, 0o644)
  if (!opened.ok) return false
  sys.chmod(path, 0o644)
  yield* writeText(sys, opened.value, `${sys.pid}\n`)
  sys.close(opened.value)
  return true
}

/** Reads the copy; a reload begins with fresh definitions. */
export function* readConfiguration(
  child: Child,
  sys: Sys,
  interfaces: Interfaces,
  keywords: (config: Configuration) => Keyword[],
): Body<Configuration> {
  const reader = new Reader(undefined, child.log, child.configId)
  reader.openCopy(child.shared.name, child.shared.copy)
  if (child.reloading) child.global = new GlobalConfig()
  interfaces.dynamic = child.global.dynamicInterfaces
  const keywordReader = new KeywordReader(reader)
  const config = new Configuration({
    reader,
    keywords: keywordReader,
    global: child.global,
    vrrp: new VrrpConfig(),
    interfaces,
    users: child.users,
    reloading: child.reloading,
  })
  yield* keywordReader.read(keywords(config))
  child.global.routerId ??= sys.hostname
  return config
}

function shown(ns: number): string {
  const us = Math.floor(ns / 1000)
  return `${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, '0')}`
}

/** The last line of a process. lib/logger.c: log_stopping() */
export function stopLines(sys: Sys, log: Log): void {
  if (!log.detailed) {
    log.info('Stopped')
    return
  }
  const { user, system, childUser, childSystem } = sys.times()
  if (childUser > 0) {
    log.info(
      `Stopped - used (self/children) ${shown(user)}/${shown(childUser)} user time, ${shown(system)}/${shown(childSystem)} system time`,
    )
  } else log.info(`Stopped - used ${shown(user)} user time, ${shown(system)} system time`)
}

/** And of the parent. */
export function usageLine(sys: Sys, log: Log): void {
  const { user, system, childUser, childSystem } = sys.times()
  log.detail(
    `CPU usage (self/children) user: ${shown(user)}/${shown(childUser)} system: ${shown(system)}/${shown(childSystem)}`,
  )
}

/** Nobody writes to the pipe; it ends with the parent. */
export function watchPipe(sys: Sys, loop: Loop, fd: number, run: () => Body<void> | undefined): void {
  loop.read(fd, function* () {
    const polled = yield* sys.poll([{ fd, events: POLLIN }], 0)
    if (!polled.ok || polled.value.length === 0) return
    loop.unread(fd)
    const body = run()
    if (body) yield* body
  })
}

/** All but the standard ones. */
export function closeAll(sys: Sys): void {
  for (const { fd } of sys.descriptors()) if (fd > 2) sys.close(fd)
}
