/** Views for who looks in: the controllers' registers, and the way of the last interrupt of each kind, from its line to its softirqs. */
import { type Host, type InsideRow, insideViews, type KernelImage } from '#kernel/core'
import type { Vectors } from '#machine/interrupts'
import { type RunningInterrupts, runningOf } from './running.ts'

export function installInside(image: KernelImage): void {
  const views = insideViews(image)
  views.set('interrupt controllers', { columns: ['register', 'value', 'meaning'], look: controllers })
  views.set('an interrupt’s way', {
    columns: ['after', 'where', 'what'],
    look(host) {
      const running = runningOf(host)
      if (!running) return undefined
      running.settle()
      const rows: InsideRow[] = []
      for (const [name, steps] of running.ways) {
        const first = steps[0]?.atNs ?? 0
        rows.push({ key: name, cells: ['', name, `at ${((first - host.bootedNs) / 1e9).toFixed(6)} s`] })
        steps.forEach(({ atNs, where, what }, i) => {
          rows.push({ key: `${name} ${i}`, under: name, cells: [`${Math.round(atNs - first)} ns`, where, what] })
        })
      }
      return rows
    },
  })
  views.set('softirqs', {
    columns: ['processor', 'pending', 'NAPI polled', 'squeezed', 'who runs them'],
    look: (host) =>
      runningOf(host)?.cpus.map(({ number, softirqs, softnet }) => ({
        key: `CPU ${number}`,
        cells: [
          `CPU ${number}`,
          softirqs.pending.toString(2).padStart(10, '0'),
          `${softnet.processed} packets, ${softnet.list.length} waiting`,
          String(softnet.timeSqueeze),
          softirqs.byThread ? `ksoftirqd/${number}` : softirqs.running ? 'an interrupt’s exit' : '',
        ],
      })),
  })
}

const hex = (value: number, digits: number) => `${value.toString(16).padStart(digits, '0')}h`

function listed(bits: Vectors): string {
  const found: string[] = []
  for (let vector = 0; vector < 256; vector++) if (bits.has(vector)) found.push(hex(vector, 2))
  return found.join(' ')
}

function controllers(host: Host): InsideRow[] | undefined {
  const running = runningOf(host)
  if (!running) return undefined
  running.settle()
  const rows: InsideRow[] = []
  const put = (under: string, name: string, value: string, meaning: string) =>
    rows.push({ key: `${under} ${name}`, under, cells: [name, value, meaning] })
  const head = (name: string, what: string) => rows.push({ key: name, cells: [name, '', what] })
  const { wiring } = running
  for (const [name, chip] of [
    ['8259A, master', wiring.pic.master],
    ['8259A, slave', wiring.pic.slave],
  ] as const) {
    head(name, name.endsWith('master') ? 'ports 20h, 21h' : 'ports A0h, A1h')
    put(name, 'IRR', hex(chip.irr, 2), 'requests')
    put(name, 'ISR', hex(chip.isr, 2), 'in service')
    put(name, 'IMR', hex(chip.imr, 2), 'masked')
    put(name, 'ICW2', hex(chip.base, 2), 'first vector')
    put(name, 'ELCR', hex(chip.elcr, 2), 'levels')
  }
  if (wiring.usesIoApic) ioApic(running, head, put)
  if (wiring.localApic) {
    for (const local of wiring.locals) {
      const name = `local APIC ${local.id}`
      head(name, 'FEE00000h')
      put(name, 'IRR 200h', listed(local.irr), 'requests')
      put(name, 'ISR 100h', listed(local.isr), 'in service')
      put(name, 'TMR 180h', listed(local.tmr), 'levels')
      put(name, 'TPR 080h', hex(local.tpr, 2), `PPR ${hex(local.ppr, 2)}`)
      put(name, 'LDR 0D0h', hex(local.read(0xd0), 8), 'its bit among logical destinations')
      put(name, 'LVT timer 320h', hex(local.read(0x320), 8), '')
      put(name, 'LVT LINT0 350h', hex(local.read(0x350), 8), local.read(0x350) & 0x10000 ? 'masked' : 'the 8259A')
      put(name, 'LVT LINT1 360h', hex(local.read(0x360), 8), local.read(0x360) & 0x10000 ? 'masked' : 'NMI')
    }
  }
  for (const descriptor of running.interrupts.all()) {
    if (descriptor.chip !== 'PCI-MSI' || descriptor.actions.length === 0) continue
    const { address, data } = wiring.message(descriptor)
    rows.push({
      key: `MSI ${descriptor.irq}`,
      cells: [
        `message of irq ${descriptor.irq}`,
        `${hex(address, 8)} ← ${hex(data, 4)}`,
        descriptor.actions.join(', '),
      ],
    })
  }
  return rows
}

function ioApic(
  { wiring, interrupts }: RunningInterrupts,
  head: (name: string, what: string) => void,
  put: (under: string, name: string, value: string, meaning: string) => void,
): void {
  head('I/O APIC', 'FEC00000h')
  for (const descriptor of interrupts.all()) {
    const { chip, hwirq, actions } = descriptor
    if (chip !== 'IO-APIC') continue
    const { low, high } = wiring.ioApic.entry(hwirq!)
    const says = [
      `vector ${hex(low & 0xff, 2)} to ${hex(high >>> 24, 2)}`,
      low & 0x8000 ? 'level' : 'edge',
      ...(low & 0x4000 ? ['remote IRR'] : []),
      ...(low & 0x1000 ? ['pending'] : []),
      ...(low & 0x10000 ? ['masked'] : []),
      ...actions,
    ]
    put('I/O APIC', `pin ${hwirq}`, `${hex(high, 8)} ${hex(low, 8)}`, says.join(', '))
  }
}
