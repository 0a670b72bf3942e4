/**
 * /proc/PID. Memory isn't modelled: sizes are 0 and `status` has no Vm lines, as for a kernel's own thread.
 * Linux 6.1 fs/proc/array.c: do_task_stat(), proc_pid_status(); fs/proc/base.c; fs/proc/fd.c.
 */

import { OK } from './errno.ts'
import type { PseudoFile } from './image.ts'
import type { KernelHost } from './kernel.ts'
import { INITIAL_NAMESPACES, inNetns, NetnsNode, netnsInode } from './netns.ts'
import type { Node } from './node.ts'
import { find } from './path.ts'
import { mountTable } from './proc.ts'
import type { Descriptor, Process } from './process.ts'
import { PseudoFolder, PseudoLeaf, PseudoLink } from './pseudo.ts'
import { mayRead, mayWrite } from './regular.ts'
import { SIGNALS, type Signal } from './signal.ts'
import { OpenFileNode } from './terminal-node.ts'

export function processNames(host: KernelHost): string[] {
  return [...(host.runningMachine?.processes.keys() ?? [])].sort((a, b) => a - b).map(String)
}

export function processEntry(host: KernelHost, name: string): Node | undefined {
  if (!/^[1-9][0-9]*$/.test(name)) return undefined
  const process = host.runningMachine?.processes.get(Number(name))
  if (!process) return undefined
  const path = `/proc/${name}`
  const folder = new PseudoFolder(path)
  for (const [entry, file] of Object.entries(FILES)) {
    const { write } = file
    const own: PseudoFile = { read: () => file.read(process) }
    if (file.mode !== undefined) own.mode = file.mode
    if (write) own.write = (_host, text) => write(process, text)
    folder.entries.set(entry, new PseudoLeaf(own, `${path}/${entry}`))
  }
  const link = (entry: string, target: string) => folder.entries.set(entry, new PseudoLink(target, `${path}/${entry}`))
  link('cwd', process.cwd)
  link('root', '/')
  if (process.exe !== '') link('exe', process.exe)
  folder.entries.set('fd', descriptors(host, process, `${path}/fd`))
  folder.entries.set('net', inNetns(host.image.netRoot, host, process.netns))
  folder.entries.set('ns', namespaceLinks(process, `${path}/ns`))
  return folder
}

/** /proc/PID/ns. Linux 6.1 fs/proc/namespaces.c. */
function namespaceLinks(process: Process, path: string): Node {
  const folder = new PseudoFolder(path)
  folder.mode = 0o511
  for (const [name, initial] of Object.entries(INITIAL_NAMESPACES)) {
    const at = `${path}/${name}`
    const kind = name.replace(/_.*/, '')
    const number =
      name === 'net' ? netnsInode(process.netns) : name === 'mnt' ? (process.mounts?.inode ?? initial) : initial
    const leads = name === 'net' ? () => new NetnsNode(process.netns) : undefined
    folder.entries.set(name, new PseudoLink(`${kind}:[${number}]`, at, leads))
  }
  return folder
}

function descriptors(_host: KernelHost, process: Process, path: string): Node {
  const folder = new PseudoFolder(path, {
    list: () => [...process.descriptors.keys()].filter((fd) => process.descriptors[fd]).map(String),
    lookup(_host, name) {
      const descriptor = /^(0|[1-9][0-9]*)$/.test(name) ? process.descriptors[Number(name)] : undefined
      return descriptor && descriptorLink(descriptor, `${path}/${name}`)
    },
  })
  folder.mode = 0o500
  return folder
}

/** A link that leads to the open file itself if there is no path to it. */
function descriptorLink({ file }: Descriptor, path: string): PseudoLink {
  const link = new PseudoLink(file.description, path, (host) => {
    if (!file.description.startsWith('/')) return new OpenFileNode(file)
    const place = find(host as KernelHost, '/', file.description, false)
    const same = place.ok && place.value.node.stat(host as KernelHost).inode === file.stat().inode
    return same ? undefined : new OpenFileNode(file)
  })
  link.mode = (mayRead(file.flags) ? 0o500 : 0) | (mayWrite(file.flags) ? 0o300 : 0)
  return link
}

interface Entry {
  read(process: Process): string
  write?(process: Process, text: string): typeof OK
  mode?: number
}

const FILES: Record<string, Entry> = {
  cmdline: { read: (process) => (process.ended ? '' : process.argv.map((argument) => `${argument}\0`).join('')) },
  comm: {
    read: (process) => `${process.name}\n`,
    write(process, text) {
      process.name = text.replace(/\n$/, '').slice(0, 15)
      return OK
    },
  },
  environ: {
    read: (process) => (process.ended ? '' : [...process.env].map(([name, value]) => `${name}=${value}\0`).join('')),
    mode: 0o400,
  },
  mounts: { read: () => mountTable() },
  stat: { read: statLine },
  statm: { read: () => '0 0 0 0 0 0 0\n' },
  status: { read: statusLines },
}

/** USER_HZ: 100 a second. */
function ticks(ns: number): number {
  return Math.floor(ns / 1e7)
}

/** The bits of some signals: signal n is bit n - 1. */
function bits(signals: Iterable<Signal>): number {
  let mask = 0
  for (const signal of signals) mask = (mask | (1 << (SIGNALS[signal] - 1))) >>> 0
  return mask
}

function masks(process: Process): { pending: number; blocked: number; ignored: number; caught: number } {
  const caught: Signal[] = []
  const ignored: Signal[] = []
  for (const [signal, action] of process.actions) (action === 'ignore' ? ignored : caught).push(signal)
  return {
    pending: bits(process.pending),
    blocked: bits(process.blocked),
    ignored: bits(ignored),
    caught: bits(caught),
  }
}

/** PF_RANDOMIZE; PF_EXITING too for what has ended. Linux 6.1 include/linux/sched.h. */
const FLAGS = 0x400000

function statLine(process: Process): string {
  const { terminal } = process.session
  const { pending, blocked, ignored, caught } = masks(process)
  const fields = [
    process.pid,
    `(${process.name})`,
    process.state,
    process.parent?.pid ?? 0,
    process.pgid,
    process.session.id,
    terminal ? (136 << 8) | (terminal.number & 0xff) | ((terminal.number & ~0xff) << 12) : 0,
    terminal ? terminal.foreground : -1,
    FLAGS | (process.ended ? 4 : 0),
    ...[0, 0, 0, 0],
    ticks(process.userNs),
    ticks(process.systemNs),
    ticks(process.childUserNs),
    ticks(process.childSystemNs),
    ...[20, 0, 1, 0],
    ticks(process.startNs - process.machine.host.bootedNs),
    ...[0, 0, '18446744073709551615', 0, 0, 0, 0, 0],
    // Only the first 31 signals, and the parts of a mask that fit.
    ...[pending, blocked, ignored, caught].map((mask) => mask & 0x7fffffff),
    ...[0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    exitCode(process),
  ]
  return `${fields.join(' ')}\n`
}

function exitCode({ ended }: Process): number {
  if (!ended) return 0
  return ended.signal ? SIGNALS[ended.signal] : (ended.exit ?? 0) << 8
}

const STATES = { R: 'R (running)', S: 'S (sleeping)', T: 'T (stopped)', Z: 'Z (zombie)' }
const ALL_CAPABILITIES = '000001ffffffffff'

function statusLines(process: Process): string {
  const { pending, blocked, ignored, caught } = masks(process)
  const hex = (mask: number) => mask.toString(16).padStart(16, '0')
  const lines: [string, string | number][] = [
    ['Name', process.name],
    ['Umask', process.umask.toString(8).padStart(4, '0')],
    ['State', STATES[process.state]],
    ['Tgid', process.pid],
    ['Ngid', 0],
    ['Pid', process.pid],
    ['PPid', process.parent?.pid ?? 0],
    ['TracerPid', 0],
    ['Uid', '0\t0\t0\t0'],
    ['Gid', '0\t0\t0\t0'],
    ['FDSize', Math.max(64, 2 ** Math.ceil(Math.log2(process.descriptors.length || 1)))],
    ['Groups', '0 '],
    ['NStgid', process.pid],
    ['NSpid', process.pid],
    ['NSpgid', process.pgid],
    ['NSsid', process.session.id],
    ['Threads', 1],
    ['SigQ', `0/7797`],
    ['SigPnd', hex(0)],
    ['ShdPnd', hex(pending)],
    ['SigBlk', hex(blocked)],
    ['SigIgn', hex(ignored)],
    ['SigCgt', hex(caught)],
    ['CapInh', hex(0)],
    ['CapPrm', ALL_CAPABILITIES],
    ['CapEff', ALL_CAPABILITIES],
    ['CapBnd', ALL_CAPABILITIES],
    ['CapAmb', hex(0)],
    ['NoNewPrivs', 0],
    ['Seccomp', 0],
    ['Seccomp_filters', 0],
    ['Speculation_Store_Bypass', 'vulnerable'],
    ['SpeculationIndirectBranch', 'always enabled'],
    ['Cpus_allowed', '1'],
    ['Cpus_allowed_list', '0'],
    ['Mems_allowed', '00000000,00000001'],
    ['Mems_allowed_list', '0'],
    ['voluntary_ctxt_switches', process.switches],
    ['nonvoluntary_ctxt_switches', 0],
  ]
  return lines.map(([name, value]) => `${name}:\t${value}\n`).join('')
}
