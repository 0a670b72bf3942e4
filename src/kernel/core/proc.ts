/** /proc but for the processes and the sysctls. Formats as the kernel prints them: Linux 6.1 fs/proc/. */
import type { KernelHost } from './kernel.ts'
import type { Image } from './kernel-image.ts'
import { processEntry, processNames } from './proc-pid.ts'
import { PseudoLink } from './pseudo.ts'

/** Installs the files that every host has. */
export function installProc(image: Image): void {
  image.procRoot.dynamic = {
    list: (host) => processNames(host as KernelHost),
    lookup: (host, name) => processEntry(host as KernelHost, name),
  }
  image.procRoot.entries.set(
    'self',
    new PseudoLink((host) => String(host.runningMachine?.current?.pid ?? ''), '/proc/self'),
  )
  image.procRoot.entries.set('mounts', new PseudoLink('self/mounts', '/proc/mounts'))
  image.procRoot.entries.set('net', new PseudoLink('self/net', '/proc/net'))
  const file = (name: string, read: (host: KernelHost) => string) => {
    image.proc(`/proc/${name}`, { read: (host) => read(host as KernelHost) })
  }
  file('version', () => `${image.banner}\n`)
  file('cmdline', () => `${image.commandLine}\n`)
  file('uptime', uptime)
}

/** Hundredths of a second, cut off. @see Linux 6.1 fs/proc/uptime.c: uptime_proc_show() */
function uptime(host: KernelHost): string {
  const ns = host.sim.nowNs - host.bootedNs
  const idle = ns - (host.runningMachine?.busyNs ?? 0)
  return `${hundredths(ns)} ${hundredths(Math.max(0, idle))}\n`
}

function hundredths(ns: number): string {
  const n = Math.floor(ns / 1e7)
  return `${Math.floor(n / 100)}.${String(n % 100).padStart(2, '0')}`
}
