/**
 * A Debian kernel under QEMU software emulation, on a virtual clock: the same seed gives the same bytes, and a
 * `sleep 60` costs nothing.
 *
 * ```ts
 * const backend = createQemuBackend()
 * const why = await backend.unavailable()
 * if (why === undefined) {
 *   const session = await backend.open(plan, { seed: 1, start: DEFAULT_START, capture: true })
 *   console.log((await session.command('client', 'sleep 60; date')).output)
 *   await session.finish()
 * }
 * await backend.close()
 * ```
 */
export { createQemuBackend, missingPackages, type QemuOptions } from './backend.ts'
export { DEVICE_CONFIGURATIONS, type DeviceConfiguration } from './configurations/devices.ts'
export { CONFIGURATIONS, type Configuration } from './configurations/list.ts'
export { type Records, readRecords } from './configurations/records.ts'
export { installQemu } from './install.ts'
