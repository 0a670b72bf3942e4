/**
 * Interrupt controllers by their registers: the 8259 pair, the I/O APIC, local APICs, and messages from devices.
 *
 *     const bus = new ApicBus()
 *     const cpu = new LocalApic(bus, 0)
 *     const ioApic = new IoApic({ send: (message) => bus.send(message) })
 *     bus.onEndOfInterrupt((vector) => ioApic.endOfInterrupt(vector))
 *     cpu.write(0xf0, 0x1ff) // Enabled; the spurious vector is FFh.
 *     ioApic.write(0x00, 0x10 + 2 * 10) // Pin 10's entry.
 *     ioApic.write(0x10, 0x8031) // Vector 31h, level triggered, unmasked.
 *     ioApic.setPin(10, true)
 *     cpu.acknowledge() // 0x31
 */
export { type DeliveryStep, type Gate, Processor64, RFLAGS, type Source, type TaskState } from './delivery.ts'
export { IoApic, type IoApicOptions } from './io-apic.ts'
export { ApicBus, type ApicTimer, LocalApic, type Processor, Vectors } from './local-apic.ts'
export { DELIVERY_MODES, type DeliveryMode, emitMsi, type InterruptMessage, type Msi, parseMsi } from './message.ts'
export { I8259, PicPair } from './pic.ts'
