/**
 * Interrupts as Linux has them: descriptors, who asked for which, affinity, what /proc/interrupts shows.
 *
 *     interrupts.install(image) // then, on a host: cat /proc/interrupts; echo 2 > /proc/irq/9/smp_affinity
 */
import { NotModelled } from '#base/check'
import { fail, type Host, insideViews, interruptSlot, OK, PLAIN_HARDWARE, type Room } from '#kernel/core'
import { installFiles } from './files.ts'
import { installTracing } from './ftrace.ts'
import { installInside } from './inside.ts'
import { interruptsOf } from './irqs.ts'
import { type RunningInterrupts, runningOf } from './running.ts'
import { showInterrupts, showSoftirqs, showStat } from './show.ts'
import { installVmstat } from './vmstat.ts'

export { Interrupts, type IrqDescriptor, interruptsOf } from './irqs.ts'
export { type RunningInterrupts, runningOf } from './running.ts'
export { allocateVectors, type VectorKernel } from './vectors.ts'

export const interrupts: Room = {
  name: 'kernel/interrupts',
  needs: ['kernel/pci'],
  install(image) {
    image.proc('/proc/interrupts', { read: (host) => showInterrupts(looked(host)) })
    image.proc('/proc/softirqs', { read: (host) => showSoftirqs(looked(host)) })
    image.proc('/proc/net/softnet_stat', { read: softnetStat })
    for (const [name, key] of LIMITS) {
      image.sysctl({
        name,
        get: (host) => String(runningOf(host)?.limits[key] ?? DEFAULTS[key]),
        set(host, _, value) {
          const number = /^\d{1,9}$/.test(value.trim()) ? Number(value) : 0
          const running = runningOf(host)
          if (!running) throw new NotModelled(`${name} on a host whose lab doesn’t say what machine it is`)
          if (number < 1) return fail('EINVAL')
          running.limits[key] = number
          return OK
        },
      })
    }
    installFiles(image)
    installTracing(image)
    installInside(image)
    const slot = interruptSlot(image)
    slot.observer = runningOf
    slot.card = (host, name, nth) => runningOf(host)?.card(name, nth)
    slot.stat = (host) => showStat(looked(host))
    image.profiles.add('linux-2.6.18')
    image.profiles.add('netbsd')
    installVmstat(image)
    insideViews(image).set('interrupts', {
      columns: ['IRQ', 'controller', 'flow', 'handlers', 'processor', 'count'],
      look(host) {
        const found = host.hardware === PLAIN_HARDWARE ? interruptsOf.peek(host) : looked(host)
        return found
          ?.all()
          .filter(({ actions }) => actions.length > 0)
          .map(({ irq, chip, hwirq, name, actions, effective, counts }) => ({
            key: String(irq),
            cells: [
              String(irq),
              hwirq === undefined ? chip : `${chip} ${hwirq}`,
              name,
              actions.join(', '),
              String(31 - Math.clz32(effective)),
              String(counts.reduce((sum, count) => sum + count, 0)),
            ],
          }))
      },
    })
  },
}

/** What NAPI may do at once, by the sysctl's names. */
const LIMITS: [string, keyof RunningInterrupts['limits']][] = [
  ['net.core.netdev_budget', 'budget'],
  ['net.core.netdev_budget_usecs', 'usecs'],
  ['net.core.dev_weight', 'weight'],
]
const DEFAULTS = { budget: 300, usecs: 8000, weight: 64 }

/** With all ticks up to now. */
function looked(host: Host) {
  runningOf(host)?.settle()
  return interruptsOf.of(host)
}

/** Linux 6.1 net/core/net-procfs.c: softnet_seq_show(). */
function softnetStat(host: Host): string {
  if (host.hardware === PLAIN_HARDWARE) throw new NotModelled('/proc/net/softnet_stat of a host without `machine:`')
  const hex = (value: number) => value.toString(16).padStart(8, '0')
  const none = hex(0)
  return runningOf(host)!
    .cpus.map(({ number, softnet: { processed, dropped, timeSqueeze } }) =>
      [hex(processed), hex(dropped), hex(timeSqueeze), ...new Array<string>(9).fill(none), hex(number)].join(' '),
    )
    .map((line) => `${line}\n`)
    .join('')
}
