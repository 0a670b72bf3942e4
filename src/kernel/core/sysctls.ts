/**
 * The sysctls of the kernel's core. Those of the table keep what is written and change nothing else: memory, files and
 * the console have no such knobs here. Values as Debian 12 boots with them.
 */
import { OK } from './errno.ts'
import { defineState } from './host.ts'
import type { KernelHost } from './kernel.ts'
import type { Image } from './kernel-image.ts'
import { integerSysctl, parseIntegers } from './sysctl.ts'

/** name, value, least, most; read only without limits. */
const KEPT: [name: string, value: string, min?: number, max?: number][] = [
  ['fs.nr_open', '1048576', 8, 2147483584],
  ['fs.pipe-max-size', '1048576', 4096],
  ['fs.protected_fifos', '1', 0, 2],
  ['fs.protected_hardlinks', '1', 0, 1],
  ['fs.protected_regular', '2', 0, 2],
  ['fs.protected_symlinks', '1', 0, 1],
  ['fs.suid_dumpable', '0', 0, 2],
  ['kernel.cap_last_cap', '40'],
  ['kernel.core_uses_pid', '0', -2147483648],
  ['kernel.ctrl-alt-del', '0', -2147483648],
  ['kernel.dmesg_restrict', '1', 0, 1],
  ['kernel.kptr_restrict', '0', 0, 2],
  ['kernel.ngroups_max', '65536'],
  ['kernel.overflowgid', '65534', 0, 65535],
  ['kernel.overflowuid', '65534', 0, 65535],
  ['kernel.panic', '0', -2147483648],
  ['kernel.panic_on_oops', '0', -2147483648],
  ['kernel.perf_event_paranoid', '3', -2147483648],
  ['kernel.printk', '4\t4\t1\t7', -2147483648],
  ['kernel.randomize_va_space', '2', -2147483648],
  ['kernel.sysrq', '438', -2147483648],
  ['kernel.tainted', '0'],
  ['kernel.threads-max', '7797', 1],
  ['kernel.unprivileged_bpf_disabled', '2', 0, 2],
  ['kernel.unprivileged_userns_clone', '1', -2147483648],
  ['vm.dirty_background_ratio', '10', 0, 100],
  ['vm.dirty_expire_centisecs', '3000', 0],
  ['vm.dirty_ratio', '20', 0, 100],
  ['vm.dirty_writeback_centisecs', '500', 0],
  ['vm.max_map_count', '65530', 0],
  ['vm.min_free_kbytes', '4040', 0],
  ['vm.overcommit_memory', '0', 0, 2],
  ['vm.overcommit_ratio', '50', 0],
  ['vm.panic_on_oom', '0', 0, 2],
  ['vm.swappiness', '60', 0, 200],
  ['vm.vfs_cache_pressure', '100', 0],
]

const kept = defineState(() => new Map<string, string>(), { per: 'machine' })
const bootIds = defineState((host) => uuid(host as KernelHost), { per: 'machine' })

/** Random, version 4. RFC 4122 section 4.4. */
function uuid(host: KernelHost): string {
  const bytes = host.sim.random(`${host.name}/random`).bytes(16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Installs those that every host has. */
export function installSysctls(image: Image): void {
  const readOnly = (name: string, get: (host: KernelHost) => string) => {
    image.sysctl({ name, get: (host) => get(host as KernelHost) })
  }
  for (const [name, value, min, max] of KEPT) {
    if (min === undefined) {
      readOnly(name, () => value)
      continue
    }
    const limits = max === undefined ? { min } : { min, max }
    image.sysctl({
      name,
      get: (host) => kept.peek(host)?.get(name) ?? value,
      set(host, _instance, text) {
        const old = (kept.peek(host)?.get(name) ?? value).split('\t')
        const parsed = parseIntegers(text, old.length, limits)
        if (!parsed.ok) return parsed
        kept.of(host).set(name, old.map((word, i) => String(parsed.value[i] ?? word)).join('\t'))
        return OK
      },
    })
  }
  readOnly('kernel.ostype', () => 'Linux')
  readOnly('kernel.osrelease', () => image.release)
  readOnly('kernel.version', () => image.version)
  readOnly('kernel.random.boot_id', (host) => bootIds.of(host))
  readOnly('kernel.random.uuid', uuid)
  readOnly('kernel.random.entropy_avail', () => '256')
  readOnly('kernel.random.poolsize', () => '256')
  image.sysctl({
    name: 'kernel.hostname',
    get: (host) => (host as KernelHost).hostname,
    set(host, _instance, value) {
      ;(host as KernelHost).hostname = value.split('\n')[0]!.slice(0, 64)
      return OK
    },
  })
  const text = (name: string, initial: string, most: number) => {
    image.sysctl({
      name,
      get: (host) => kept.peek(host)?.get(name) ?? initial,
      set(host, _instance, value) {
        kept.of(host).set(name, value.split('\n')[0]!.slice(0, most))
        return OK
      },
    })
  }
  text('kernel.domainname', '(none)', 64)
  text('kernel.core_pattern', 'core', 127)
  image.sysctl(
    integerSysctl(
      'kernel.pid_max',
      (host) => host.machine.pidMax,
      (host, _instance, value) => {
        host.machine.pidMax = value
      },
      { min: 301, max: 4_194_304 },
    ),
  )
  image.sysctl(
    integerSysctl(
      'kernel.ns_last_pid',
      (host) => host.machine.lastPid,
      (host, _instance, value) => {
        host.machine.lastPid = value
      },
      { min: 0, max: 4_194_304 },
    ),
  )
}
