/** /proc/PID. Linux 6.1 fs/proc/array.c, fs/proc/base.c, fs/proc/fd.c. */
import type { PseudoNode } from './image.ts'
import type { KernelHost } from './kernel.ts'
import type { Process } from './process.ts'

export function processNames(host: KernelHost): string[] {
  return [...(host.runningMachine?.processes.keys() ?? [])].sort((a, b) => a - b).map(String)
}

export function processEntry(host: KernelHost, name: string): PseudoNode | undefined {
  if (!/^[1-9][0-9]*$/.test(name)) return undefined
  const process = host.runningMachine?.processes.get(Number(name))
  if (!process) return undefined
  const files = FILES
  return {
    kind: 'directory',
    directory: {
      list: () => Object.keys(files),
      lookup: (_host, entry) => {
        const read = files[entry]
        return read && { kind: 'file', file: { read: () => read(process) } }
      },
    },
  }
}

const FILES: Record<string, (process: Process) => string> = {
  cmdline: (process) => (process.ended ? '' : process.argv.map((argument) => `${argument}\0`).join('')),
  comm: (process) => `${process.name}\n`,
}
