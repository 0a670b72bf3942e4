/**
 * The modules: `ip_vs` comes with the first request, a scheduler's with the first service that wants it.
 * Linux 6.1 net/netfilter/ipvs/ip_vs_core.c: ip_vs_init(); ip_vs_sched.c: ip_vs_scheduler_get().
 */
import { defineState, type Host, type KernelImage, kernelModules, moduleLoaders, netnsesOf } from '#kernel/core'
import { IPPROTO_TCP } from '#wire/inet'
import { ftp } from './app-ftp.ts'
import { CONN_TABLE_SIZE } from './conn-table.ts'
import { type Engine, findEngine } from './engine.ts'
import { PROTOCOL_NAMES } from './proto.ts'
import type { Scheduler } from './scheduler.ts'
import { findScheduler, SCHEDULERS } from './schedulers/index.ts'
import { ipvsState } from './state.ts'

const loaded = defineState(() => new Set<string>(), { per: 'machine' })

/** What `ip_vs` needs, as lsmod shows them on Debian 12, the first loaded first. */
const NEEDS: [name: string, size: number, usedBy: string[]][] = [
  ['libcrc32c', 16384, ['nf_conntrack', 'ip_vs']],
  ['nf_defrag_ipv4', 16384, ['nf_conntrack']],
  ['nf_defrag_ipv6', 24576, ['nf_conntrack', 'ip_vs']],
  ['nf_conntrack', 188416, ['ip_vs']],
]
const IP_VS_SIZE = 188416

function use(host: Host, name: string, size: number, user: string | undefined): void {
  const modules = kernelModules.of(host)
  const known = modules.get(name) ?? { size, usedBy: [] }
  if (user !== undefined && !known.usedBy.includes(user)) known.usedBy.unshift(user) // The latest first.
  modules.set(name, known)
}

function uses(host: Host, name: string, count: () => number): void {
  kernelModules.of(host).get(name)!.uses = count
}

/** The services of all its namespaces. */
function servicesOf(machine: Host) {
  return [machine, ...netnsesOf(machine)].flatMap((netns) => ipvsState.peek(netns)?.services.list() ?? [])
}

/** Whether a machine has the helper for FTP. */
export function hasFtp(host: Host): boolean {
  return loaded.peek(host)?.has('ip_vs_ftp') ?? false
}

/** Whether a machine has it. */
export function hasIpvs(host: Host): boolean {
  return loaded.peek(host)?.has('ip_vs') ?? false
}

/** Loads `ip_vs`, if it isn't there. */
export function loadIpvs(host: Host): void {
  const all = loaded.of(host)
  if (all.has('ip_vs')) return
  all.add('ip_vs')
  for (const [name, size, users] of NEEDS) for (const user of users) use(host, name, size, user)
  use(host, 'ip_vs', IP_VS_SIZE, undefined)
  const machine = host.base ?? host
  // Schedulers that are registered and services hold on to it as well.
  uses(
    host,
    'ip_vs',
    () => SCHEDULERS.filter(({ name }) => all.has(`ip_vs_${name}`)).length + servicesOf(machine).length,
  )
  machine.log(6, `IPVS: Registered protocols (${PROTOCOL_NAMES})`)
  const memory = (CONN_TABLE_SIZE * 8) / 1024
  machine.log(6, `IPVS: Connection hash table configured (size=${CONN_TABLE_SIZE}, memory=${memory}Kbytes)`)
  machine.log(6, 'IPVS: ipvs loaded.')
}

/** A scheduler by its name, its module loaded; undefined: there is none. */
export function loadScheduler(host: Host, name: string): Scheduler | undefined {
  const found = findScheduler(name)
  if (found === undefined) return undefined
  const all = loaded.of(host)
  const module = `ip_vs_${name}`
  if (all.has(module)) return found
  all.add(module)
  use(host, module, found.moduleSize ?? 16384, undefined)
  uses(host, module, () => servicesOf(host.base ?? host).filter(({ scheduler }) => scheduler === found).length)
  use(host, 'ip_vs', IP_VS_SIZE, module)
  ;(host.base ?? host).log(6, `IPVS: [${name}] scheduler registered.`)
  return found
}

/** A persistence engine by its name, its module loaded; undefined: there is none. */
export function loadEngine(host: Host, name: string): Engine | undefined {
  const found = findEngine(name)
  if (found === undefined) return undefined
  const all = loaded.of(host)
  const module = `ip_vs_pe_${name}`
  if (all.has(module)) return found
  all.add(module)
  use(host, 'nf_conntrack_sip', 45056, module)
  use(host, 'nf_conntrack', 188416, 'nf_conntrack_sip')
  use(host, module, 16384, undefined)
  use(host, 'ip_vs', IP_VS_SIZE, module)
  ;(host.base ?? host).log(6, `IPVS: [${name}] pe registered.`)
  return found
}

/** A persistence engine whose module is there already. __ip_vs_pe_getbyname(). */
export function loadedEngine(host: Host, name: string): Engine | undefined {
  return loaded.peek(host)?.has(`ip_vs_pe_${name}`) ? findEngine(name) : undefined
}

/** `modprobe ip_vs_ftp`: all namespaces of the machine have the helper from now on. */
function loadFtp(host: Host): void {
  loadIpvs(host)
  const all = loaded.of(host)
  if (all.has('ip_vs_ftp')) return
  all.add('ip_vs_ftp')
  use(host, 'nf_nat', 57344, 'ip_vs_ftp')
  use(host, 'nf_conntrack', 188416, 'nf_nat')
  use(host, 'libcrc32c', 16384, 'nf_nat')
  use(host, 'ip_vs_ftp', 16384, undefined)
  use(host, 'ip_vs', IP_VS_SIZE, 'ip_vs_ftp')
  const machine = host.base ?? host
  for (const netns of [machine, ...netnsesOf(machine)]) ipvsState.peek(netns)?.protocol(IPPROTO_TCP)?.apps.push(ftp)
}

/** Lets `modprobe` load them. */
export function installIpvsModules(image: KernelImage): void {
  const loaders = moduleLoaders(image)
  loaders.set('ip_vs', loadIpvs)
  loaders.set('ip_vs_ftp', loadFtp)
  loaders.set('ip_vs_pe_sip', (host) => {
    loadIpvs(host)
    loadEngine(host, 'sip')
  })
  for (const { name } of SCHEDULERS) {
    loaders.set(`ip_vs_${name}`, (host) => {
      loadIpvs(host)
      loadScheduler(host, name)
    })
  }
}
