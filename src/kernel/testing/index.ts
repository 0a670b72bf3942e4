/** A machine whose devices are made as `ip link` makes them, and frames by chance: for tests of rooms that have kinds of devices. */
import { type RandomStream, Simulator } from '#base/sim'
import { createHost, createImage, type KernelHost, type Room } from '#kernel/core'
import { createEthernet, deviceByName, type NetDevice, net, setDeviceUp } from '#kernel/net'
import { emitFrame, type Packet, parseFrame } from '#wire/inet'

type Fields = Record<string, unknown>

export class TestMachine {
  readonly sim = new Simulator(1)
  readonly host: KernelHost
  /** What left by each card. */
  readonly sent: { card: string; packet: Packet }[] = []
  #cards = 0

  constructor(...rooms: Room[]) {
    const image = createImage({ release: '6.1.0-test', profile: 'linux-6.1' })
    for (const room of [net, ...rooms]) image.install(room)
    this.host = createHost({ sim: this.sim, image, name: 'a', number: 1, startS: 0 })
  }

  /** A card with a cable; its address ends with its number. */
  card(name: string): NetDevice {
    const card = createEthernet(this.host, name, 0x020000000100 + this.#cards++)
    card.attach({ carrier: true, transmit: (packet) => void this.sent.push({ card: name, packet: packet.clone() }) })
    setDeviceUp(card, true)
    return card
  }

  device(name: string): NetDevice {
    const device = deviceByName(this.host, name)
    if (device === undefined) throw new Error(`no device ${name}`)
    return device
  }

  /** What the kernel says to a request. */
  answer(request: Fields): unknown {
    return this.host.image.netlinkHandlers.get(request['type'] as string)!(this.host, request)
  }

  /** `ip link add NAME type KIND ...`; it is up then. */
  add(name: string, kind: string, data: Fields = {}, more: Fields = {}): NetDevice {
    this.must({ type: 'RTM_NEWLINK', kind, name, data, create: true, ...more })
    this.up(name)
    return this.device(name)
  }

  up(name: string, on = true): void {
    this.must({ type: 'RTM_SETLINK', ifindex: this.device(name).ifindex, flags: on ? 1 : 0, change: 1 })
  }

  /** `ip link set NAME master MASTER`. */
  enslave(name: string, master: string): void {
    this.must({ type: 'RTM_SETLINK', ifindex: this.device(name).ifindex, master: this.device(master).ifindex })
  }

  must(request: Fields): void {
    const answer = this.answer(request) as { ok: boolean }
    if (!answer.ok) throw new Error(`${JSON.stringify(request)}: ${JSON.stringify(answer)}`)
  }

  run(seconds: number): void {
    this.sim.run(this.sim.nowNs + seconds * 1e9)
  }
}

const ADDRESSES = [
  0x020000000100, 0x020000000101, 0x0200000000aa, 0x0200000000bb, 0xffffffffffff, 0x01005e000001, 0x0180c2000000,
  0x0180c2000001, 0x0180c2000002, 0x0180c200000e, 0, 0x333300000001,
]
const TYPES = [0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8, 0x8809, 0x0026, 0x9000, 0x05dc]

/** Any frame: the addresses, tags and types that devices look at come often. */
export function randomFrame(random: RandomStream): Packet {
  const bytes = random.bytes(14 + random.below(120))
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const write = (at: number, mac: number) => {
    view.setUint16(at, Math.floor(mac / 0x1_0000_0000))
    view.setUint32(at + 2, mac % 0x1_0000_0000)
  }
  write(0, ADDRESSES[random.below(ADDRESSES.length)]!)
  write(6, ADDRESSES[random.below(ADDRESSES.length)]!)
  let at = 12
  for (let tags = random.below(3); tags > 0 && at + 6 <= bytes.length; tags--) {
    view.setUint16(at, random.below(4) === 0 ? 0x88a8 : 0x8100)
    view.setUint16(at + 2, random.below(8) * 0x2000 + random.below(8))
    at += 4
  }
  if (at + 2 <= bytes.length) view.setUint16(at, TYPES[random.below(TYPES.length)]!)
  const behind = [0x45, 0x42, 0x01, 0x60, 0x00][random.below(5)]!
  if (at + 4 <= bytes.length) bytes[at + 2] = behind
  if (behind === 0x42 && at + 6 <= bytes.length) bytes.set([0x42, 0x42, 0x03], at + 2)
  return parseFrame(emitFrame(parseFrame(bytes)))
}
