/** Hosts and cables for this room's tests: no processes, no files, only the network. */
import { type Simulator, Timer } from '#base/sim'
import { type Host, type KernelImage, PLAIN_HARDWARE } from '#kernel/core'
import type { Packet } from '#wire/inet'
import { parseIpv4 } from '#wire/inet'
import { insertAddress, makeAddress } from './addresses.ts'
import type { CableEnd } from './cable.ts'
import type { NetDevice } from './device.ts'
import { setDeviceUp } from './device-events.ts'
import { createEthernet, deviceByName, netState } from './devices.ts'

/** An image that has slots and forgets whatever else is installed. */
export function testImage(): KernelImage {
  const slots = new Map<string, unknown>()
  const ignore = () => {}
  return {
    release: '6.1.0-test',
    profile: 'linux-6.1',
    profiles: new Set(),
    program: ignore,
    proc: ignore,
    procDirectory: ignore,
    sysctl: ignore,
    socketFamily: ignore,
    netlink: ignore,
    file: ignore,
    onBoot: ignore,
    onPowerOff: ignore,
    slot<T>(name: string, create: () => T): T {
      if (!slots.has(name)) slots.set(name, create())
      return slots.get(name) as T
    },
  } as unknown as KernelImage
}

export interface TestHost extends Host {
  readonly logged: string[]
}

let made = 0

/** A host whose loopback device is up. */
export function testHost(sim: Simulator, name: string, image = testImage()): TestHost {
  const logged: string[] = []
  const host: TestHost = {
    name,
    number: ++made,
    sim,
    image,
    bootedNs: sim.nowNs,
    up: true,
    startS: 0,
    hardware: PLAIN_HARDWARE,
    profile: image.profile,
    states: [],
    logged,
    log(_level, text) {
      logged.push(text)
    },
  }
  netState.of(host)
  setDeviceUp(deviceByName(host, 'lo')!, true)
  return host
}

/** An Ethernet card that is up, with addresses written as 10.0.0.1/24. */
export function testCard(host: Host, name: string, mac: number, ...addresses: string[]): NetDevice {
  const device = createEthernet(host, name, mac)
  setDeviceUp(device, true)
  for (const text of addresses) addAddress(device, text)
  return device
}

/** Gives a device an address with its broadcast address. */
export function addAddress(device: NetDevice, text: string, scope = 0): void {
  const [address, length] = text.split('/') as [string, string]
  const prefix = Number(length)
  const local = parseIpv4(address)!
  const broadcast = prefix < 31 ? (local | (2 ** (32 - prefix) - 1)) >>> 0 : 0
  insertAddress(makeAddress(device, { local, prefix, broadcast, scope }))
}

/** A frame that crossed a cable. */
export interface Seen {
  atNs: number
  from: NetDevice
  packet: Packet
}

/** A cable, or a hub if there are more than two; it takes a microsecond, and remembers what crossed it. */
export class TestCable {
  readonly seen: Seen[] = []
  readonly #sim: Simulator
  readonly #devices: NetDevice[]
  #in = true

  constructor(sim: Simulator, ...devices: NetDevice[]) {
    this.#sim = sim
    this.#devices = devices
    for (const device of devices) device.attach(this.#end(device))
  }

  #end(device: NetDevice): CableEnd {
    const flying: Packet[] = []
    const others = this.#devices.filter((other) => other !== device)
    const arrival = new Timer(this.#sim, 'cable', () => {
      const packet = flying.shift()!
      if (flying.length > 0) arrival.armAt(this.#sim.nowNs)
      if (this.#in) for (const other of others) other.receive(packet.clone())
    })
    const plugged = () => this.#in
    return {
      get carrier() {
        return plugged()
      },
      transmit: (packet) => {
        this.seen.push({ atNs: this.#sim.nowNs, from: device, packet: packet.clone() })
        flying.push(packet)
        if (flying.length === 1) arrival.armAfter(1000)
      },
    }
  }

  plug(on: boolean): void {
    this.#in = on
    for (const device of this.#devices) device.carrierChanged(on)
  }
}
