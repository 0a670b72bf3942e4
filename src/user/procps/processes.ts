/** The processes of a host as /proc tells them: what ps, pgrep, pkill and killall look at. proc(5). */

import type { Body } from '#kernel/core'
import { readTextFile, type Sys } from '#kernel/core'

/** USER_HZ: /proc counts CPU time and start times in hundredths of a second. */
export const USER_HZ = 100

export interface ProcessInfo {
  pid: number
  comm: string
  state: string
  ppid: number
  pgrp: number
  session: number
  /** The terminal's device number; 0 for none. */
  tty: number
  /** The foreground group of that terminal. */
  tpgid: number
  /** In ticks of USER_HZ. */
  utime: number
  stime: number
  nice: number
  threads: number
  /** After boot, in ticks of USER_HZ. */
  startTime: number
  /** Bytes, and pages. */
  vsize: number
  rss: number
  /** argv joined by blanks; empty for what has none. */
  cmdline: string
}

/** Everything in /proc that is a process, by pid. One that ends meanwhile is left out. */
export function* readProcesses(sys: Sys): Body<ProcessInfo[]> {
  const names = sys.readdir('/proc')
  if (!names.ok) return []
  const pids = names.value.filter((name) => /^\d+$/.test(name)).map(Number)
  const processes: ProcessInfo[] = []
  for (const pid of pids.sort((a, b) => a - b)) {
    const stat = yield* readTextFile(sys, `/proc/${pid}/stat`)
    const cmdline = yield* readTextFile(sys, `/proc/${pid}/cmdline`)
    const info = stat.ok ? parseStat(stat.value) : undefined
    if (info)
      processes.push({ ...info, cmdline: cmdline.ok ? cmdline.value.replace(/\0+$/, '').replaceAll('\0', ' ') : '' })
  }
  return processes
}

/** /proc/PID/stat; the name stands in parentheses and may hold some itself. */
export function parseStat(text: string): Omit<ProcessInfo, 'cmdline'> | undefined {
  const open = text.indexOf('(')
  const close = text.lastIndexOf(')')
  if (open < 0 || close < open) return undefined
  const fields = text
    .slice(close + 2)
    .trim()
    .split(' ')
  // Field 3 of proc(5) is the first behind the name.
  const number = (field: number) => Number(fields[field - 3] ?? 0)
  return {
    pid: Number.parseInt(text, 10),
    comm: text.slice(open + 1, close),
    state: fields[0] ?? '?',
    ppid: number(4),
    pgrp: number(5),
    session: number(6),
    tty: number(7),
    tpgid: number(8),
    utime: number(14),
    stime: number(15),
    nice: number(19),
    threads: number(20),
    startTime: number(22),
    vsize: number(23),
    rss: number(24),
  }
}

/** `pts/0`, `tty1`, or `?`. */
export function ttyName(device: number): string {
  const major = (device >> 8) & 0xfff
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00)
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`
  return major === 4 ? `tty${minor}` : '?'
}
