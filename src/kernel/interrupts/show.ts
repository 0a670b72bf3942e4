/** /proc/interrupts and /proc/softirqs, column by column. Linux 6.1 kernel/irq/proc.c: show_interrupts(); arch/x86/kernel/irq.c: arch_show_interrupts() */
import type { Interrupts } from './irqs.ts'

const WIDTH = 3

/** What a processor counts besides: its name, and what it is. */
const LOCAL: [name: string, what: string][] = [
  ['NMI', 'Non-maskable interrupts'],
  ['LOC', 'Local timer interrupts'],
  ['SPU', 'Spurious interrupts'],
  ['PMI', 'Performance monitoring interrupts'],
  ['IWI', 'IRQ work interrupts'],
  ['RTR', 'APIC ICR read retries'],
  ['RES', 'Rescheduling interrupts'],
  ['CAL', 'Function call interrupts'],
  ['TLB', 'TLB shootdowns'],
  ['TRM', 'Thermal event interrupts'],
  ['THR', 'Threshold APIC interrupts'],
  ['DFR', 'Deferred Error APIC interrupts'],
  ['MCE', 'Machine check exceptions'],
  ['MCP', 'Machine check polls'],
]
/** Two that are the machine's, between the others. */
const TOTALS = ['ERR', 'MIS'] as const
const POSTED: [name: string, what: string][] = [
  ['PIN', 'Posted-interrupt notification event'],
  ['NPI', 'Nested posted-interrupt event'],
  ['PIW', 'Posted-interrupt wakeup event'],
]

export const SOFTIRQS = ['HI', 'TIMER', 'NET_TX', 'NET_RX', 'BLOCK', 'IRQ_POLL', 'TASKLET', 'SCHED', 'HRTIMER', 'RCU']

function processors(interrupts: Interrupts): string {
  return Array.from({ length: interrupts.cpus }, (_, cpu) => `CPU${String(cpu).padEnd(8)}`).join('')
}

export function showInterrupts(interrupts: Interrupts): string {
  let text = `${' '.repeat(WIDTH + 8)}${processors(interrupts)}\n`
  const columns = (counts: readonly number[]) => counts.map((count) => `${String(count).padStart(10)} `).join('')
  for (const { irq, chip, hwirq, name, actions, counts } of interrupts.all()) {
    if (actions.length === 0 && counts.every((count) => count === 0)) continue
    const number = hwirq === undefined ? ' '.repeat(WIDTH) : String(hwirq).padStart(WIDTH)
    const flow = name === '' ? '' : `-${name.padEnd(8)}`
    const who = actions.length > 0 ? `  ${actions.join(', ')}` : ''
    text += `${String(irq).padStart(WIDTH)}: ${columns(counts)} ${chip.padStart(8)} ${number}${flow}${who}\n`
  }
  const none = new Array<number>(interrupts.cpus).fill(0)
  for (const [name, what] of LOCAL) text += `${name}: ${columns(interrupts.local.get(name) ?? none)}  ${what}\n`
  for (const name of TOTALS) text += `${name}: ${String(interrupts.totals[name]).padStart(10)}\n`
  for (const [name, what] of POSTED) text += `${name}: ${columns(none)}  ${what}\n`
  return text
}

export function showSoftirqs(interrupts: Interrupts): string {
  let text = `${' '.repeat(20)}${processors(interrupts)}\n`
  for (const [i, name] of SOFTIRQS.entries()) {
    text += `${name.padStart(12)}:${interrupts.softirqs[i]!.map((count) => ` ${String(count).padStart(10)}`).join('')}\n`
  }
  return text
}

/** The numbers of /proc/stat: `intr` has each interrupt's, `softirq` each kind's, both after their sum. Linux 6.1 fs/proc/stat.c: show_stat() */
export function showStat(interrupts: Interrupts): { intr: string; softirq: string } {
  const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0)
  const each = new Array<number>(NR_IRQS).fill(0)
  for (const { irq, counts } of interrupts.all()) if (irq < NR_IRQS) each[irq] = sum(counts)
  const local = ARCH_SUMMED.map((name) => sum(interrupts.local.get(name) ?? [])).reduce((all, count) => all + count, 0)
  const softirqs = interrupts.softirqs.map(sum)
  return {
    intr: `${sum(each) + local} ${each.join(' ')} `.trimEnd(),
    softirq: `${sum(softirqs)} ${softirqs.join(' ')}`,
  }
}

/** nr_irqs: what Debian's kernel has room for here. */
const NR_IRQS = 256
/** Linux 6.1 arch/x86/kernel/irq.c: arch_irq_stat_cpu(). */
const ARCH_SUMMED = ['NMI', 'LOC', 'SPU', 'PMI', 'IWI', 'RTR', 'RES', 'CAL', 'TRM', 'THR', 'DFR', 'MCE', 'MCP']
