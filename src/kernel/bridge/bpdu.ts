/**
 * BPDUs: how bridges tell each other of the tree. IEEE 802.1D-1998 clause 9.3, in IEEE 802.2 frames.
 *
 * Linux 6.1 net/bridge/br_stp_bpdu.c: br_send_config_bpdu(), br_stp_rcv().
 */
import { HZ } from '#kernel/net'
import { Packet, RAW_ETHERNET_PAYLOAD } from '#wire/inet'
import { readMac, writeMac } from '#wire/link'
import type { BridgeId, BridgePort } from './bridge.ts'

/** Jiffies, where there are times. */
export interface Bpdu {
  topologyChange: boolean
  topologyChangeAck: boolean
  root: BridgeId
  rootPathCost: number
  bridge: BridgeId
  port: number
  messageAge: number
  maxAge: number
  helloTime: number
  forwardDelay: number
}

/** IEEE 802.2: the spanning tree's service access points, and an unnumbered information frame. */
const LLC = [0x42, 0x42, 0x03]
/** Times are in units of 1/256 s. */
const STP_HZ = 256
const TYPE_CONFIG = 0x00
const TYPE_TCN = 0x80
const CONFIG_LENGTH = 35
const TCN_LENGTH = 4
/** Linux 6.1 include/uapi/linux/pkt_sched.h: TC_PRIO_CONTROL. */
const PRIORITY_CONTROL = 7

function send(port: BridgePort, body: Uint8Array): void {
  const bytes = new Uint8Array(LLC.length + body.length)
  bytes.set(LLC)
  bytes.set(body, LLC.length)
  const packet = new Packet()
  packet.macDst = port.bridge.groupAddress
  packet.macSrc = port.device.address
  packet.etherType = bytes.length // A length: IEEE 802.3.
  packet.raw = RAW_ETHERNET_PAYLOAD
  packet.buffer = bytes
  packet.length = bytes.length
  packet.priority = PRIORITY_CONTROL
  port.device.transmit(packet)
}

function writeId(bytes: Uint8Array, at: number, id: BridgeId): void {
  bytes[at] = id.priority >>> 8
  bytes[at + 1] = id.priority
  writeMac(bytes, at + 2, id.mac)
}

function readId(bytes: Uint8Array, at: number): BridgeId {
  return { priority: (bytes[at]! << 8) | bytes[at + 1]!, mac: readMac(bytes, at + 2) }
}

export function sendConfig(port: BridgePort, bpdu: Bpdu): void {
  const bytes = new Uint8Array(CONFIG_LENGTH)
  const view = new DataView(bytes.buffer)
  bytes[3] = TYPE_CONFIG
  bytes[4] = (bpdu.topologyChange ? 0x01 : 0) | (bpdu.topologyChangeAck ? 0x80 : 0)
  writeId(bytes, 5, bpdu.root)
  view.setUint32(13, bpdu.rootPathCost)
  writeId(bytes, 17, bpdu.bridge)
  view.setUint16(25, bpdu.port)
  const times = [bpdu.messageAge, bpdu.maxAge, bpdu.helloTime, bpdu.forwardDelay]
  times.forEach((jiffies, i) => view.setUint16(27 + 2 * i, Math.floor((STP_HZ * jiffies) / HZ)))
  send(port, bytes)
}

/** A topology change notification, for the root. */
export function sendTcn(port: BridgePort): void {
  const bytes = new Uint8Array(TCN_LENGTH)
  bytes[3] = TYPE_TCN
  send(port, bytes)
}

/** What a frame to the bridges' group says: a configuration, 'tcn', or nothing that we know. */
export function parseBpdu(packet: Packet): Bpdu | 'tcn' | undefined {
  const { buffer, offset, length } = packet
  if (packet.raw !== RAW_ETHERNET_PAYLOAD || packet.etherType >= 0x600) return undefined
  const end = Math.min(length, packet.etherType)
  if (end < LLC.length + TCN_LENGTH || LLC.some((byte, i) => buffer[offset + i] !== byte)) return undefined
  const at = offset + LLC.length
  // Protocol identifier and version; those of rapid spanning tree are none of Linux's.
  if (buffer[at] !== 0 || buffer[at + 1] !== 0 || buffer[at + 2] !== 0) return undefined
  if (buffer[at + 3] === TYPE_TCN) return 'tcn'
  if (buffer[at + 3] !== TYPE_CONFIG || end < LLC.length + CONFIG_LENGTH) return undefined
  const view = new DataView(buffer.buffer, buffer.byteOffset + at, CONFIG_LENGTH)
  const time = (place: number) => Math.ceil((view.getUint16(place) * HZ) / STP_HZ)
  return {
    topologyChange: (buffer[at + 4]! & 0x01) !== 0,
    topologyChangeAck: (buffer[at + 4]! & 0x80) !== 0,
    root: readId(buffer, at + 5),
    rootPathCost: view.getUint32(13),
    bridge: readId(buffer, at + 17),
    port: view.getUint16(25),
    messageAge: time(27),
    maxAge: time(29),
    helloTime: time(31),
    forwardDelay: time(33),
  }
}
