/**
 * Capture files: pcap and pcapng, written and read.
 *
 *     const writer = new PcapWriter({ startS: 1767225600 })
 *     writer.write(sim.nowNs, packet) // Straight from the packet's fields into the file's bytes.
 *     const { frames, error } = readCapture(writer.bytes())
 */
export { type PcapOptions, PcapWriter } from './pcap-writer.ts'
export { type PcapngInterface, PcapngWriter } from './pcapng-writer.ts'
export { readCapture } from './read.ts'
export * from './types.ts'
