/** The tree of devices with their regions, for who watches a host that has looked at its PCI. */
import type { InsideRow, InsideView } from '#kernel/core'
import { WINDOWS } from './device.ts'
import { pciSystems } from './system.ts'

const KINDS = ['0', '1', '2', '3', '4', '5', 'ROM']
const WINDOW_KINDS = ['ports', 'memory', 'prefetchable']

export const inside: InsideView = {
  columns: ['place', 'what', 'addresses', 'IRQ', 'driver'],
  look(host) {
    const system = pciSystems.peek(host)
    if (!system) return undefined
    const rows: InsideRow[] = []
    for (const device of system.devices) {
      const { name, parent, hardware, irq, driver } = device
      const row: InsideRow = {
        key: name,
        cells: [
          name,
          hardware.name,
          hardware.below ? `buses ${hardware.secondary}-${hardware.subordinate}` : '',
          irq ? String(irq) : '',
          driver?.name ?? '',
        ],
      }
      rows.push(parent ? { ...row, under: parent.name } : row)
      device.resources.forEach(({ start, end }, i) => {
        const kind = KINDS[i] ?? WINDOW_KINDS[i - WINDOWS]
        if (end === 0 || kind === undefined) return
        const range = `${start.toString(16)}-${end.toString(16)}`
        rows.push({ key: `${name} ${i}`, cells: ['', kind, range, '', ''], under: name })
      })
    }
    return rows
  },
}
