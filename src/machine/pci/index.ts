/**
 * PCI as hardware: configuration spaces, buses, bridges, the host's two ways to them, and what the firmware leaves behind.
 * It knows nothing of kernels.
 *
 *     const host = createPciMachine({ type: 'q35', devices: ['pcie-root-port,id=rp1', 'e1000e,bus=rp1'] })
 *     host.writePort(0xcf8, 4, 0x80000000)
 *     host.readPort(0xcfc, 2) // 0x8086
 */
export { HostBridge, PciBus, PciFunction } from './bus.ts'
export { type Bar, ConfigSpace } from './config-space.ts'
export { linkOf } from './firmware.ts'
export { createPciMachine, type PciMachinePlan } from './machine.ts'
