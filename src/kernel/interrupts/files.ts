/** /proc/irq and /sys/kernel/irq. Linux 6.1 kernel/irq/proc.c, irqdesc.c. */
import { fail, type Host, HZ, type KernelImage, OK, type PseudoFile, type PseudoNode } from '#kernel/core'
import { type IrqDescriptor, interruptsOf } from './irqs.ts'
import { runningOf } from './running.ts'

/** `0-1,3` of a mask. */
function listOf(mask: number): string {
  const parts: string[] = []
  for (let cpu = 0; cpu < 32; cpu++) {
    if (!(mask & (1 << cpu))) continue
    let last = cpu
    while (mask & (1 << (last + 1))) last++
    parts.push(last > cpu ? `${cpu}-${last}` : String(cpu))
    cpu = last
  }
  return parts.join(',')
}

function maskOf(list: string): number | undefined {
  let mask = 0
  for (const part of list.trim().split(',')) {
    const range = /^(\d+)(?:-(\d+))?$/.exec(part)
    if (!range) return undefined
    for (let cpu = Number(range[1]); cpu <= Number(range[2] ?? range[1]) && cpu < 31; cpu++) mask |= 1 << cpu
  }
  return mask
}

type Look = (descriptor: IrqDescriptor, host: Host) => string

function affinity(irq: number, show: Look, parse: (text: string) => number | undefined): PseudoFile {
  return {
    read: (host) => withIrq(host, irq, show),
    write(host, text) {
      const mask = parse(text)
      if (mask === undefined) return fail('EINVAL')
      // The PICs have only one processor to go to.
      if (interruptsOf.of(host).get(irq)?.chip === 'XT-PIC') return fail('EIO')
      runningOf(host)?.settle()
      return interruptsOf.of(host).setAffinity(irq, mask) ? OK : fail('EINVAL')
    },
  }
}

function withIrq(host: Host, irq: number, show: Look): string {
  runningOf(host)?.settle()
  const descriptor = interruptsOf.of(host).get(irq)
  return descriptor ? show(descriptor, host) : ''
}

const hexMask = (text: string) => (/^[0-9a-f]+$/i.test(text.trim()) ? Number.parseInt(text.trim(), 16) : undefined)

/** The files of /proc/irq/N. */
function procFiles(irq: number): Record<string, PseudoFile> {
  const reads = (show: Look): PseudoFile => ({ read: (host) => withIrq(host, irq, show) })
  return {
    affinity_hint: reads(() => '0\n'),
    effective_affinity: reads(({ effective }) => `${effective.toString(16)}\n`),
    effective_affinity_list: reads(({ effective }) => `${listOf(effective)}\n`),
    node: reads(() => '0\n'),
    smp_affinity: affinity(irq, (descriptor) => `${descriptor.affinity.toString(16)}\n`, hexMask),
    smp_affinity_list: affinity(irq, (descriptor) => `${listOf(descriptor.affinity)}\n`, maskOf),
    spurious: reads(
      ({ spuriousCount, unhandled, lastUnhandled }) =>
        `count ${spuriousCount}\nunhandled ${unhandled}\nlast_unhandled ${lastUnhandled * (1000 / HZ)} ms\n`,
    ),
  }
}

const SYS: Record<string, Look> = {
  actions: ({ actions }) => (actions.length > 0 ? `${actions.join(',')}\n` : ''),
  chip_name: ({ chip }) => `${chip}\n`,
  hwirq: ({ hwirq }) => (hwirq === undefined ? '' : `${hwirq}\n`),
  name: ({ name }) => (name === '' ? '' : `${name}\n`),
  per_cpu_count: ({ counts }) => `${counts.join(',')}\n`,
  type: ({ trigger }) => `${trigger}\n`,
  wakeup: () => 'disabled\n',
}

export function installFiles(image: KernelImage): void {
  image.procDirectory('/proc/irq', {
    list: (host) => [
      ...interruptsOf
        .of(host)
        .all()
        .map(({ irq }) => String(irq)),
      'default_smp_affinity',
    ],
    lookup(host, name): PseudoNode | undefined {
      if (name === 'default_smp_affinity') {
        return { kind: 'file', file: { read: (host) => `${(2 ** interruptsOf.of(host).cpus - 1).toString(16)}\n` } }
      }
      const irq = Number(name)
      if (!interruptsOf.of(host).get(irq) || String(irq) !== name) return undefined
      const files = procFiles(irq)
      return {
        kind: 'directory',
        directory: {
          list: (host) => [...Object.keys(files), ...new Set(interruptsOf.of(host).get(irq)!.actions)].sort(),
          lookup(host, file) {
            const found = Object.hasOwn(files, file) ? files[file] : undefined
            if (found) return { kind: 'file', file: found }
            // A handler's folder is for its driver, and none puts something in.
            const asked = interruptsOf.of(host).get(irq)!.actions.includes(file)
            return asked ? { kind: 'directory', directory: { list: () => [], lookup: () => undefined } } : undefined
          },
        },
      }
    },
  })
  image.procDirectory('/sys/kernel/irq', {
    list: (host) =>
      interruptsOf
        .of(host)
        .all()
        .map(({ irq }) => String(irq)),
    lookup(host, name) {
      const irq = Number(name)
      if (!interruptsOf.of(host).get(irq) || String(irq) !== name) return undefined
      return {
        kind: 'directory',
        directory: {
          list: () => Object.keys(SYS),
          lookup(_host, file) {
            const show = Object.hasOwn(SYS, file) ? SYS[file] : undefined
            return show && { kind: 'file', file: { read: (host) => withIrq(host, irq, show) } }
          },
        },
      }
    },
  })
}
