/**
 * Interrupts as Linux has them: descriptors, who asked for which, affinity, what /proc/interrupts shows.
 *
 *     interrupts.install(image) // then, on a host: cat /proc/interrupts; echo 2 > /proc/irq/9/smp_affinity
 */
import { insideViews, type Room } from '#kernel/core'
import { installFiles } from './files.ts'
import { interruptsOf } from './irqs.ts'
import { showInterrupts, showSoftirqs } from './show.ts'

export { Interrupts, type IrqDescriptor, interruptsOf } from './irqs.ts'
export { allocateVectors, type VectorKernel } from './vectors.ts'

export const interrupts: Room = {
  name: 'kernel/interrupts',
  needs: ['kernel/pci'],
  install(image) {
    image.proc('/proc/interrupts', { read: (host) => showInterrupts(interruptsOf.of(host)) })
    image.proc('/proc/softirqs', { read: (host) => showSoftirqs(interruptsOf.of(host)) })
    installFiles(image)
    insideViews(image).set('interrupts', {
      columns: ['IRQ', 'controller', 'flow', 'handlers', 'processor', 'count'],
      look(host) {
        const found = interruptsOf.peek(host)
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
