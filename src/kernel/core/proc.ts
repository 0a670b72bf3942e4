/** /proc but for the processes and the sysctls. Formats as the kernel prints them: Linux 6.1 fs/proc/. */
import { PLAIN_HARDWARE } from './hardware.ts'
import { defineState } from './host.ts'
import { interruptSlot } from './interrupt-slot.ts'
import type { KernelHost } from './kernel.ts'
import type { Image } from './kernel-image.ts'
import { installModules } from './modules.ts'
import { processEntry, processNames } from './proc-pid.ts'
import { PseudoLink } from './pseudo.ts'

/** What a machine of the lab has, kB. Linux takes some of the gigabyte for itself. */
const MEMORY_KB = 1_000_000

export interface KernelModule {
  size: number
  usedBy: string[]
  /** How often it is in use besides. */
  uses?: () => number
}

/** The modules that are loaded, for /proc/modules; the first is the oldest. */
export const kernelModules = defineState(() => new Map<string, KernelModule>(), { per: 'machine' })

/** Installs the files that every host has. */
export function installProc(image: Image): void {
  installModules(image)
  image.procRoot.dynamic = {
    list: (host) => processNames(host as KernelHost),
    lookup: (host, name) => processEntry(host as KernelHost, name),
  }
  // Whoever looks from outside sees what init sees.
  const self = (host: KernelHost) => String((host.machine.current ?? host.machine.init).pid)
  image.procRoot.entries.set('self', new PseudoLink(self, '/proc/self'))
  image.procRoot.entries.set('mounts', new PseudoLink('self/mounts', '/proc/mounts'))
  image.procRoot.entries.set('net', new PseudoLink('self/net', '/proc/net'))
  const file = (name: string, read: (host: KernelHost) => string) => {
    image.proc(`/proc/${name}`, { read: (host) => read(host as KernelHost) })
  }
  file('version', () => `${image.banner}\n`)
  file('cmdline', ({ commandLine }) => `${commandLine}\n`)
  file('uptime', uptime)
  file('loadavg', loadavg)
  file('stat', stat)
  file('meminfo', meminfo)
  file('cpuinfo', () => CPU)
  file('filesystems', () => FILE_SYSTEMS)
  file('modules', modules)
  file('swaps', () => 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n')
  for (const name of 'block bus class dev devices firmware fs hypervisor kernel module power'.split(' ')) {
    image.sysRoot.folder([name])
  }
}

/** Hundredths of a second, cut off. @see Linux 6.1 fs/proc/uptime.c: uptime_proc_show() */
function uptime(host: KernelHost): string {
  const ns = host.sim.nowNs - host.bootedNs
  return `${hundredths(ns)} ${hundredths(idle(host))}\n`
}

function idle(host: KernelHost): number {
  return Math.max(0, host.sim.nowNs - host.bootedNs - (host.runningMachine?.busyNs ?? 0))
}

function hundredths(ns: number): string {
  const n = Math.floor(ns / 1e7)
  return `${Math.floor(n / 100)}.${String(n % 100).padStart(2, '0')}`
}

/** @see Linux 6.1 fs/proc/loadavg.c: loadavg_proc_show() */
function loadavg(host: KernelHost): string {
  const machine = host.runningMachine
  const loads = machine?.load.at(host.sim.nowNs) ?? [0, 0, 0]
  const text = loads.map((load) => {
    const rounded = load + 10 // FIXED_1 / 200
    return `${rounded >> 11}.${String(((rounded & 2047) * 100) >> 11).padStart(2, '0')}`
  })
  const processes = [...(machine?.processes.values() ?? [])]
  const running = processes.filter((process) => process.state === 'R').length
  return `${text.join(' ')} ${running}/${processes.length} ${machine?.lastPid ?? 1}\n`
}

/** @see Linux 6.1 fs/proc/stat.c: show_stat() */
function stat(host: KernelHost): string {
  const machine = host.runningMachine
  const tick = (ns: number) => Math.floor(ns / 1e7)
  const times = [machine?.userNs ?? 0, 0, machine?.systemNs ?? 0, idle(host), 0, 0, 0, 0, 0, 0].map(tick).join(' ')
  const running = [...(machine?.processes.values() ?? [])].filter((process) => process.state === 'R').length
  const interrupts = host.hardware === PLAIN_HARDWARE ? undefined : interruptSlot(host.image).stat?.(host)
  return `cpu  ${times}
cpu0 ${times}
intr ${interrupts?.intr ?? '0'}
ctxt ${machine?.switches ?? 0}
btime ${Math.floor(host.startS + host.bootedNs / 1e9)}
processes ${machine?.lastPid ?? 1}
procs_running ${running}
procs_blocked 0
softirq ${interrupts?.softirq ?? '0 0 0 0 0 0 0 0 0 0 0'}
`
}

/** What processes take isn't modelled: all that isn't a file is free. */
function meminfo(host: KernelHost): string {
  const files = Math.ceil(host.disk.usedBytes / 1024)
  const free = MEMORY_KB - files
  const rows: [string, number][] = [
    ['MemTotal', MEMORY_KB],
    ['MemFree', free],
    ['MemAvailable', free],
    ['Buffers', 0],
    ['Cached', files],
    ['SwapCached', 0],
    ['Active', 0],
    ['Inactive', files],
    ['SwapTotal', 0],
    ['SwapFree', 0],
    ['Dirty', 0],
    ['Writeback', 0],
    ['AnonPages', 0],
    ['Mapped', 0],
    ['Shmem', 0],
    ['KReclaimable', 0],
    ['Slab', 0],
    ['SReclaimable', 0],
    ['SUnreclaim', 0],
    ['CommitLimit', MEMORY_KB / 2],
    ['Committed_AS', 0],
  ]
  return rows.map(([name, kb]) => `${`${name}:`.padEnd(15)} ${String(kb).padStart(8)} kB\n`).join('')
}

/** @see Linux 6.1 kernel/module/procfs.c: m_show() */
function modules(host: KernelHost): string {
  const loaded = [...(kernelModules.peek(host) ?? [])].reverse() // The newest first.
  return loaded
    .map(([name, { size, usedBy, uses }]) => {
      const users = usedBy.length > 0 ? `${usedBy.join(',')},` : '-'
      return `${name} ${size} ${usedBy.length + (uses?.() ?? 0)} ${users} Live 0x0000000000000000\n`
    })
    .join('')
}

/** /proc/PID/mounts. */
export function mountTable(): string {
  return `sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0
proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
udev /dev devtmpfs rw,nosuid,relatime,size=${MEMORY_KB / 2}k,mode=755 0 0
devpts /dev/pts devpts rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=000 0 0
tmpfs /run tmpfs rw,nosuid,nodev,noexec,relatime,size=${MEMORY_KB / 10}k,mode=755 0 0
/dev/vda1 / ext4 rw,relatime,errors=remount-ro 0 0
tmpfs /dev/shm tmpfs rw,nosuid,nodev 0 0
`
}

const FILE_SYSTEMS = `nodev\tsysfs
nodev\ttmpfs
nodev\tbdev
nodev\tproc
nodev\tcgroup
nodev\tcgroup2
nodev\tcpuset
nodev\tdevtmpfs
nodev\tdebugfs
nodev\ttracefs
nodev\tsecurityfs
nodev\tsockfs
nodev\tbpf
nodev\tpipefs
nodev\tramfs
nodev\thugetlbfs
nodev\tdevpts
nodev\tmqueue
nodev\tpstore
\text3
\text2
\text4
nodev\tautofs
`

/** QEMU's default CPU under software emulation. */
const CPU = `processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 15
model\t\t: 107
model name\t: QEMU Virtual CPU version 2.5+
stepping\t: 1
cpu MHz\t\t: 1000.000
cache size\t: 512 KB
physical id\t: 0
siblings\t: 1
core id\t\t: 0
cpu cores\t: 1
apicid\t\t: 0
initial apicid\t: 0
fpu\t\t: yes
fpu_exception\t: yes
cpuid level\t: 13
wp\t\t: yes
flags\t\t: fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 syscall nx lm nopl cpuid pni cx16 hypervisor lahf_lm svm 3dnowprefetch vmmcall
bugs\t\t: fxsave_leak sysret_ss_attrs spectre_v1 spectre_v2 spec_store_bypass
bogomips\t: 2000.00
TLB size\t: 1024 4K pages
clflush size\t: 64
cache_alignment\t: 64
address sizes\t: 40 bits physical, 48 bits virtual
power management:

`
