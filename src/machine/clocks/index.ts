/**
 * The clocks and timers of a PC, register by register. Nothing here runs by itself or knows of a kernel: a device is given
 * something that has `nowNs`, and works out at each access what has happened since the last.
 *
 *     const pit = new I8254(sim)
 *     pit.write(3, 0x34) // Counter 0, both bytes, mode 2.
 *     pit.write(0, 11932 & 0xff)
 *     pit.write(0, 11932 >> 8)
 *     pit.counters[0].nextRiseNs() // 10 ms from now: IRQ 0.
 */
export * from './acpi-pm-timer.ts'
export * from './apic-timer.ts'
export * from './hpet.ts'
export * from './i8254.ts'
export * from './mc146818.ts'
export * from './pvclock.ts'
export * from './time-base.ts'
export * from './tsc.ts'
