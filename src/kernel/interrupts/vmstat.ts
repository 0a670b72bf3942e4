/**
 * vmstat -i and -e of NetBSD: its event counters, those of interrupts or all that have counted something.
 * NetBSD usr.bin/vmstat/vmstat.c: doevcnt().
 */
import { NotModelled } from '#base/check'
import { type Body, type Host, type KernelImage, readTextFile, type Sys, writeText } from '#kernel/core'
import { runningOf } from './running.ts'

const FILE = '/proc/evcnt'

interface Event {
  group: string
  name: string
  type: 'misc' | 'intr'
  count: number
}

/** NetBSD x86: "cpuN timer" of the local APIC, "ioapicN pin M" or "msix..." of devices, "pic pin M"; softint's from kern_softint.c. */
function events(host: Host): Event[] {
  const running = runningOf(host)
  if (!running) return []
  running.settle()
  const { interrupts } = running
  const all: Event[] = []
  for (const [cpu, count] of (interrupts.local.get('LOC') ?? []).entries())
    all.push({ group: `cpu${cpu}`, name: 'timer', type: 'intr', count })
  for (const { cpu } of running.netbsd) for (const each of cpu.events()) all.push({ ...each, type: 'misc' })
  for (const { irq, chip, hwirq, counts } of interrupts.all()) {
    const count = counts.reduce((sum, one) => sum + one, 0)
    const [group, name] =
      chip === 'IO-APIC'
        ? ['ioapic0', `pin ${hwirq}`]
        : chip === 'XT-PIC'
          ? ['pic0', `pin ${irq}`]
          : ['msix0', `vec ${irq - 24}`]
    all.push({ group, name, type: 'intr', count })
  }
  return all.filter(({ count }) => count > 0)
}

/** Where the program finds them: its kernel gives them by sysctl kern.evcnt, for which there is a file here. */
export function installVmstat(image: KernelImage): void {
  image.procDirectory(FILE, {
    list: () => [],
    lookup: (host, name) =>
      name === 'all' && host.profile === 'netbsd'
        ? {
            kind: 'file',
            file: {
              read: () =>
                events(host)
                  .map(({ group, name: what, type, count }) => `${type}\t${group} ${what}\t${count}\n`)
                  .join(''),
            },
          }
        : undefined,
  })
  image.program({ name: 'vmstat', paths: ['/usr/bin/vmstat'], main: vmstat })
}

function* vmstat(sys: Sys, argv: string[]): Body<number> {
  const found = yield* readTextFile(sys, `${FILE}/all`)
  if (!found.ok) throw new NotModelled('vmstat of other kernels than NetBSD’s')
  const option = argv[1]
  if (argv.length !== 2 || (option !== '-i' && option !== '-e')) throw new NotModelled('vmstat but for -i and -e')
  const uptime = yield* uptimeOf(sys)
  const rows = found.value
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('\t') as [string, string, string])
    .filter(([type]) => option === '-e' || type === 'intr')
    .map(([type, name, count]) => ({ type, name, count, rate: String(Math.floor(Number(count) / uptime)) }))
  const total = rows.reduce((sum, { count }) => sum + Number(count), 0)
  const widest = (words: string[]) => Math.max(...words.map((word) => word.length))
  const names = widest(['interrupt', ...rows.map(({ name }) => name)])
  const totals = widest(['total', ...rows.map(({ count }) => count)])
  const rates = widest(['rate', ...rows.map(({ rate }) => rate)])
  const line = (name: string, count: string, rate: string, type: string) =>
    `${name.padEnd(names)}  ${count.padStart(totals)} ${rate.padStart(rates)}${option === '-e' && type !== '' ? ` ${type}` : ''}\n`
  let out = line('interrupt', 'total', 'rate', 'type')
  for (const { type, name, count, rate } of rows) out += line(name, count, rate, type)
  if (option === '-i') out += line('Total', String(total), String(Math.floor(total / uptime)), '')
  yield* writeText(sys, 1, out)
  return 0
}

/** In seconds; at least one, as vmstat divides by it. */
function* uptimeOf(sys: Sys): Body<number> {
  const text = yield* readTextFile(sys, '/proc/uptime')
  return Math.max(1, Math.floor(text.ok ? Number(text.value.split(' ')[0]) : 1))
}
