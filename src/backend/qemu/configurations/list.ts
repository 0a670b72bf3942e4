/**
 * Machines and kernel parameters that are looked at on the real kernel, by name. Those of two CPUs have not been recorded yet:
 * under emulation without hardware help they take longer to boot than `record.ts` waits.
 */

export interface Configuration {
  /** QEMU's machine: `pc` (i440FX) or `q35`. */
  machine: 'pc' | 'q35'
  cpus: number
  /** Whether there is an HPET. */
  hpet: boolean
  /** As QEMU's -cpu. */
  cpu: string
  /** Kernel parameters besides those that all have. */
  cmdline: string
  /** As QEMU's -device. */
  devices: string[]
  /** Sleeps and timers of at most so many seconds are measured there. */
  sleeps?: number
}

/** The backend's. */
const CPU = 'max,-rdrand,-rdseed,-erms,-fsrm,-avx,-avx2'

const DEFAULT: Configuration = { machine: 'pc', cpus: 1, hpet: true, cpu: CPU, cmdline: '', devices: [] }

const list: [name: string, what: Partial<Configuration>][] = [
  ['pc', { sleeps: 1200 }],
  ['pc-2', { cpus: 2 }],
  ['q35', { machine: 'q35' }],
  ['q35-2', { machine: 'q35', cpus: 2 }],
  ['pc-nohpet', { hpet: false }],
  ['pc-2-nohpet', { cpus: 2, hpet: false }],
  ['q35-nohpet', { machine: 'q35', hpet: false }],
  ['q35-2-nohpet', { machine: 'q35', cpus: 2, hpet: false }],
  ['pc-highres-off', { cmdline: 'highres=off', sleeps: 3 }],
  ['pc-nohz-off', { cmdline: 'nohz=off', sleeps: 3 }],
  ['pc-highres-off-nohz-off', { cmdline: 'highres=off nohz=off', sleeps: 3 }],
  ['pc-2-highres-off', { cpus: 2, cmdline: 'highres=off' }],
  ['pc-2-nohz-off', { cpus: 2, cmdline: 'nohz=off' }],
  ['pc-qemu64', { cpu: 'qemu64' }],
  ['pc-invtsc', { cpu: `${CPU},migratable=no,+invtsc` }],
  ['pc-2-invtsc', { cpus: 2, cpu: `${CPU},migratable=no,+invtsc` }],
  ['q35-2-invtsc', { machine: 'q35', cpus: 2, cpu: `${CPU},migratable=no,+invtsc` }],
]

/** Parameters that are tried on all four plain machines, each with one or two CPUs. */
const PARAMETERS: [name: string, cmdline: string][] = [
  ['noapic', 'noapic'],
  ['nolapic', 'nolapic'],
  ['nomsi', 'pci=nomsi'],
  ['cs-hpet', 'clocksource=hpet'],
  ['cs-acpi_pm', 'clocksource=acpi_pm'],
  ['notsc', 'notsc'],
  ['tsc-unstable', 'tsc=unstable'],
  ['tsc-reliable', 'tsc=reliable'],
]

for (const machine of ['pc', 'q35'] as const) {
  for (const [name, cmdline] of PARAMETERS) {
    list.push([`${machine}-${name}`, { machine, cmdline }])
    list.push([`${machine}-2-${name}`, { machine, cpus: 2, cmdline }])
  }
}

list.push(
  ['pc-nolapic_timer', { cmdline: 'nolapic_timer' }],
  ['pc-2-nolapic_timer', { cpus: 2, cmdline: 'nolapic_timer' }],
  ['pc-nohpet-nolapic_timer', { hpet: false, cmdline: 'nolapic_timer' }],
  ['pc-hpet-disable', { cmdline: 'hpet=disable' }],
  ['pc-acpi-off', { cmdline: 'acpi=off' }],
  ['pc-nohpet-acpi-off', { hpet: false, cmdline: 'acpi=off' }],
  ['pc-cs-jiffies', { cmdline: 'clocksource=jiffies' }],
  ['pc-notsc-nohpet', { hpet: false, cmdline: 'notsc' }],
  ['pc-notsc-noapic', { cmdline: 'notsc noapic' }],
  ['pc-noapic-nohpet', { hpet: false, cmdline: 'noapic' }],
  ['pc-nolapic-nohpet', { hpet: false, cmdline: 'nolapic' }],
  ['pc-nolapic-nohz-off', { cmdline: 'nolapic nohz=off' }],
  ['pc-nolapic-highres-off', { cmdline: 'nolapic highres=off' }],
  ['pc-nosmp', { cpus: 2, cmdline: 'nosmp' }],
  ['pc-2-maxcpus', { cpus: 2, cmdline: 'maxcpus=1' }],
  ['pc-idle-poll', { cmdline: 'idle=poll' }],
  ['pc-skew_tick', { cpus: 2, cmdline: 'skew_tick=1' }],
  ['q35-tsc-early', { machine: 'q35', cmdline: 'tsc_early_khz=1000000' }],
  ['pc-nox2apic', { cpus: 2, cmdline: 'nox2apic' }],
)

/** What two parameters make of one another. */
const PAIRS: [name: string, what: Partial<Configuration>][] = [
  ['q35-highres-off', { machine: 'q35', cmdline: 'highres=off' }],
  ['q35-nohz-off', { machine: 'q35', cmdline: 'nohz=off' }],
  ['q35-highres-off-nohz-off', { machine: 'q35', cmdline: 'highres=off nohz=off' }],
  ['q35-cs-jiffies', { machine: 'q35', cmdline: 'clocksource=jiffies' }],
  ['q35-acpi-off', { machine: 'q35', cmdline: 'acpi=off' }],
  ['q35-hpet-disable', { machine: 'q35', cmdline: 'hpet=disable' }],
  ['q35-nolapic_timer', { machine: 'q35', cmdline: 'nolapic_timer' }],
  ['q35-notsc-nohpet', { machine: 'q35', hpet: false, cmdline: 'notsc' }],
  ['q35-nolapic-nohpet', { machine: 'q35', hpet: false, cmdline: 'nolapic' }],
  ['q35-noapic-nohpet', { machine: 'q35', hpet: false, cmdline: 'noapic' }],
  ['q35-nolapic-highres-off', { machine: 'q35', cmdline: 'nolapic highres=off' }],
  ['q35-invtsc', { machine: 'q35', cpu: `${CPU},migratable=no,+invtsc` }],
  ['pc-nohpet-highres-off', { hpet: false, cmdline: 'highres=off' }],
  ['pc-nohpet-nohz-off', { hpet: false, cmdline: 'nohz=off' }],
  ['pc-nohpet-cs-acpi_pm', { hpet: false, cmdline: 'clocksource=acpi_pm' }],
  ['pc-nohpet-cs-hpet', { hpet: false, cmdline: 'clocksource=hpet' }],
  ['pc-notsc-cs-tsc', { cmdline: 'notsc clocksource=tsc' }],
  ['pc-notsc-highres-off-nohz-off', { cmdline: 'notsc highres=off nohz=off' }],
  ['pc-notsc-cs-acpi_pm', { cmdline: 'notsc clocksource=acpi_pm' }],
  ['pc-notsc-nolapic', { cmdline: 'notsc nolapic' }],
  ['pc-tsc-unstable-nohpet', { hpet: false, cmdline: 'tsc=unstable' }],
  ['pc-nomsi-noapic', { cmdline: 'pci=nomsi noapic' }],
]
list.push(...PAIRS)

/** All of them; devices that only PCI and interrupts are about are in `devices.ts`, if there is one. */
export const CONFIGURATIONS: Record<string, Configuration> = Object.fromEntries(
  list.map(([name, what]) => [name, { ...DEFAULT, ...what }]),
)
