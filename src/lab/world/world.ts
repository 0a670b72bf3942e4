/**
 * The world of a plan: its networks as switches, its hosts with their kernels, and what happens to them. A host boots as
 * a distribution's scripts would have it: settings, loopback, then each interface its addresses and up, then the route.
 */
import { encodeUtf8 } from '#base/bytes'
import { assert, NotModelled } from '#base/check'
import { Simulator, Trace } from '#base/sim'
import { createHost, type Image, interruptSlot, type KernelHost, PLAIN_HARDWARE } from '#kernel/core'
import { createEthernet, deviceByName, type Net6Request, type NetDevice, type NetRequest } from '#kernel/net'
import type { HostPlan, InterfacePlan, LabPlan } from '#lab/plan'
import { broadcastOf, IN6_ANY, type Packet, parseIpv4, parseIpv6 } from '#wire/inet'
import { parseMac } from '#wire/link'
import type { End } from './cable.ts'
import { Switch, type SwitchPort } from './switch.ts'

/** From a host to the switch: a few metres of cable, two cards and their interrupts. */
const CABLE_NS = 10_000
/** The number of frames that nobody is to see. */
const BEFORE = -1

/** A frame at a switch's end of a cable. The packet is on its way: whoever keeps it takes its bytes now. */
export interface WorldFrame {
  atNs: number
  port: SwitchPort
  /** in: from the host into the switch. */
  direction: 'in' | 'out'
  packet: Packet
}

export interface WorldLoss {
  atNs: number
  port: SwitchPort
  packet: Packet
  why: 'lost' | 'no room'
}

export interface LinkChange {
  atNs: number
  host: string
  interface: string
  up: boolean
}

export interface PowerChange {
  atNs: number
  host: string
  on: boolean
}

export interface WorldOptions {
  seed: number
  /** Seconds since the epoch at virtual time zero. */
  startS: number
  /** The kernel and userland that hosts boot. */
  image: Image
  /** Hosts can be paused, which costs a little all the time. */
  pausable?: boolean
}

export class WorldHost {
  readonly plan: HostPlan
  readonly kernel: KernelHost
  /** By interface, in the plan's order. */
  readonly ports = new Map<string, SwitchPort>()
  paused = false

  constructor(plan: HostPlan, kernel: KernelHost) {
    this.plan = plan
    this.kernel = kernel
  }
}

export class World {
  readonly plan: LabPlan
  readonly sim: Simulator
  readonly networks = new Map<string, Switch>()
  readonly hosts = new Map<string, WorldHost>()
  /** Every frame at every switch. */
  readonly frames = new Trace<WorldFrame>()
  /** Every frame that a network lost where it would have left the switch. */
  readonly losses = new Trace<WorldLoss>()
  readonly links = new Trace<LinkChange>()
  readonly power = new Trace<PowerChange>()
  /** What programs met that isn't modelled: they were ended for it, and whoever runs an article stops there. */
  readonly notModelled: NotModelled[] = []
  #frames = 0

  constructor(plan: LabPlan, options: WorldOptions) {
    this.plan = plan
    this.sim = new Simulator(options.seed)
    if (options.pausable) this.sim.trackOwners()
    for (const network of plan.networks) {
      const made = new Switch(this.sim, network.name, network)
      made.tap = (port, direction, packet) => {
        // What hosts say while the lab is set up was said before time zero; it is on its way when that comes.
        if (direction === 'in' && this.sim.nowNs <= CABLE_NS) packet.frame = BEFORE
        if (packet.frame === BEFORE || this.frames.listeners === 0) return
        if (direction === 'in') packet.frame = ++this.#frames
        this.frames.emit({ atNs: this.sim.nowNs, port, direction, packet })
      }
      this.networks.set(network.name, made)
    }
    for (const host of plan.hosts) {
      if (host.ipv6 && !hasIpv6(options.image)) throw new NotModelled(`${host.name}: IPv6`)
      const { name, number, hardware, kernel: profile } = host
      if (profile !== options.image.profile && !options.image.profiles.has(profile))
        throw new NotModelled(`${name}: kernel ${profile}`)
      const { image, startS } = options
      const kernel = this.sim.as(number, () =>
        createHost({ sim: this.sim, image, name, number, startS, hardware, profile }),
      )
      kernel.onNotModelled = (why) => this.notModelled.push(why)
      const made = new WorldHost(host, kernel)
      for (const iface of host.interfaces) {
        const port = this.#network(iface).addPort(host.name, iface.name, CABLE_NS)
        port.end.wire.onLoss = (packet, why) => {
          if (this.losses.listeners !== 0) this.losses.emit({ atNs: this.sim.nowNs, port, packet, why })
        }
        port.owner = host.number
        made.ports.set(iface.name, port)
      }
      this.hosts.set(host.name, made)
      kernel.writeFile('/etc/hostname', `${host.name}\n`)
      kernel.writeFile('/etc/hosts', hostsFile(plan, host.ipv6))
    }
    for (const host of this.hosts.values()) this.as(host, () => this.#boot(host))
  }

  /** Does something in a host's name, so that it is paused with the host. */
  as<T>(host: WorldHost, act: () => T): T {
    return this.sim.as(host.plan.number, act)
  }

  host(name: string): WorldHost {
    const host = this.hosts.get(name)
    assert(host, `no host ${name}`)
    return host
  }

  /** Pulls a cable or puts it back. */
  plug(name: string, iface: string, on: boolean): void {
    const host = this.host(name)
    const port = host.ports.get(iface)
    assert(port, `no interface ${name}:${iface}`)
    if (port.cable.plugged === on) return
    this.as(host, () => port.cable.plug(on))
    if (this.links.listeners !== 0) this.links.emit({ atNs: this.sim.nowNs, host: name, interface: iface, up: on })
  }

  /** Cables first, then everything on the host dies; its disk stays. */
  powerOff(name: string): void {
    const host = this.host(name)
    if (!host.kernel.up) return
    if (host.paused) this.#thaw(host, false)
    for (const port of host.ports.values()) {
      port.cable.a.wire.clear()
      port.cable.b.wire.clear()
      port.cable.a.powered = false
      port.cable.a.attached = undefined
    }
    host.kernel.powerOff()
    if (this.power.listeners !== 0) this.power.emit({ atNs: this.sim.nowNs, host: name, on: false })
  }

  powerOn(name: string): void {
    const host = this.host(name)
    if (host.kernel.up) return
    this.as(host, () => {
      host.kernel.powerOn()
      for (const port of host.ports.values()) port.cable.a.powered = true
      this.#boot(host)
      startLocal(host.kernel)
    })
    if (this.power.listeners !== 0) this.power.emit({ atNs: this.sim.nowNs, host: name, on: true })
  }

  /**
   * Freezes a host, as `virsh suspend` does a virtual machine, or lets it go on: its programs stand still, its kernel's
   * timers too, and frames wait at its card until there is no room. Its clock goes on: all that came due meanwhile
   * happens at once when it goes on.
   */
  pause(name: string, on: boolean): void {
    const host = this.host(name)
    if (!host.kernel.up || host.paused === on) return
    if (!on) {
      this.#thaw(host, true)
      return
    }
    host.paused = true
    this.sim.freeze(host.plan.number)
    for (const port of host.ports.values()) {
      port.held = []
      port.cable.a.deaf = true
    }
  }

  /** @param deliver whether frames that wait are given to the card */
  #thaw(host: WorldHost, deliver: boolean): void {
    host.paused = false
    this.sim.thaw(host.plan.number)
    this.as(host, () => {
      for (const port of host.ports.values()) {
        const held = port.held ?? []
        port.held = undefined
        if (deliver) for (const packet of held) port.cable.a.attached?.receive(packet)
        port.cable.a.deaf = false
      }
    })
  }

  #network(iface: InterfacePlan): Switch {
    const network = this.networks.get(iface.network)
    assert(network, `no network ${iface.network}`)
    return network
  }

  #boot({ plan, kernel, ports }: WorldHost): void {
    const request = (message: NetRequest | Net6Request) => {
      const handler = kernel.image.netlinkHandlers.get(message.type)
      assert(handler, `nobody answers ${message.type}`)
      const answer = handler(kernel, message)
      if (!answer.ok) throw new LabRefused(`${plan.name}: ${message.type}: ${answer.extack ?? answer.errno}`)
    }
    const set = ([name, value]: [string, string]) => {
      const path = `/proc/sys/${sysctlPath(name)}`
      const file = kernel.openPath(path, 1)
      const written = file?.write(encodeUtf8(`${value}\n`))
      file?.release?.()
      if (!written?.ok)
        throw new LabRefused(`${plan.name}: sysctl ${name} = ${value}: ${written?.errno ?? 'no such setting'}`)
    }
    // What new devices take over has to be set before there are any.
    const early = ([name]: [string, string]) => /^net\.ipv[46]\.(conf|neigh)\.default\./.test(name)
    // A host without `ipv6: true` has IPv6 switched off, and begins so.
    if (plan.ipv6) for (const name of ['all', 'default', 'lo']) set([`net.ipv6.conf.${name}.disable_ipv6`, '0'])
    for (const setting of plan.sysctl) if (early(setting)) set(setting)
    for (const [nth, iface] of plan.interfaces.entries()) {
      const device = createEthernet(kernel, iface.name, parseMac(iface.mac)!)
      plugIn(kernel, device, ports.get(iface.name)!.cable.a, nth)
    }
    for (const setting of plan.sysctl) if (!early(setting)) set(setting)
    const address = (name: string, { address, prefix }: { address: string; prefix: number }) => {
      const { ifindex } = deviceByName(kernel, name)!
      const six = parseIpv6(address)
      if (six !== undefined) {
        request({ type: 'RTM_NEWADDR', family: 'AF_INET6', ifindex, local: six, prefix, create: true, exclusive: true })
        return
      }
      const local = parseIpv4(address)!
      request({
        type: 'RTM_NEWADDR',
        family: 'AF_INET',
        ifindex,
        local,
        prefix,
        ...(prefix >= 8 && prefix <= 30 ? { broadcast: broadcastOf(local, prefix) } : {}),
        create: true,
        exclusive: true,
      })
    }
    const up = (name: string) => request({ type: 'RTM_SETLINK', name, flags: 1, change: 1 })
    for (const each of plan.loopback) address('lo', each)
    up('lo')
    for (const iface of plan.interfaces) {
      for (const each of iface.addresses) address(iface.name, each)
      up(iface.name)
    }
    if (plan.gateway !== undefined) {
      request({
        type: 'RTM_NEWROUTE',
        family: 'AF_INET',
        dst: 0,
        prefix: 0,
        protocol: 3,
        nextHops: [{ gateway: parseIpv4(plan.gateway)! }],
        create: true,
        exclusive: true,
      })
    }
    if (plan.gateway6 !== undefined) {
      request({
        type: 'RTM_NEWROUTE',
        family: 'AF_INET6',
        dst: IN6_ANY,
        prefix: 0,
        protocol: 3,
        nextHops: [{ gateway: parseIpv6(plan.gateway6)! }],
        create: true,
        exclusive: true,
      })
    }
  }
}

/** A device and its cable; between them the card, if the host's machine has one for it: what arrives waits in it until its driver comes. */
function plugIn(kernel: KernelHost, device: NetDevice, end: End, nth: number): void {
  const card =
    kernel.hardware === PLAIN_HARDWARE ? undefined : interruptSlot(kernel.image).card?.(kernel, device.name, nth)
  if (!card) {
    device.attach(end)
    end.attach(device)
    return
  }
  device.attach({
    get carrier() {
      return end.carrier
    },
    transmit(packet) {
      end.transmit(packet)
      card.sent()
    },
  })
  end.attach({
    get up() {
      return device.up
    },
    receive: (packet) => card.received(() => device.receive(packet)),
    carrierChanged(on) {
      card.linkChanged()
      device.carrierChanged(on)
    },
  })
}

/** What a Debian starts last when it boots, if it is there: rc-local.service. When the lab is built there is none yet. */
function startLocal(kernel: KernelHost): void {
  const script = kernel.openPath('/etc/rc.local', 0)
  if (!script) return
  script.release?.()
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }
  kernel.spawn({ argv: ['/bin/sh', '-c', '[ ! -x /etc/rc.local ] || exec /etc/rc.local'], env })
}

/** The kernel refused what a lab asks of it: a setting that isn't there, an address twice. */
export class LabRefused extends Error {
  override readonly name = 'LabRefused'
}

/** `net.ipv4.conf.eth0/100.rp_filter` as a path: dots separate, and a slash stands for a dot. sysctl(8). */
function sysctlPath(name: string): string {
  return name.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'))
}

/** Names all hosts of the lab by their first addresses, IPv4's and IPv6's. */
function hostsFile(plan: LabPlan, ipv6: boolean): string {
  const lines = ['127.0.0.1 localhost']
  if (ipv6) lines.push('::1 localhost ip6-localhost ip6-loopback')
  for (const host of plan.hosts) {
    const all = [...host.interfaces.flatMap((iface) => iface.addresses), ...host.loopback]
    const six = (each: { address: string }) => each.address.includes(':')
    for (const first of [all.find((each) => !six(each)), all.find(six)]) {
      if (first) lines.push(`${first.address} ${host.name}`)
    }
  }
  return lines.map((line) => `${line}\n`).join('')
}

/** Whether an image's kernel has IPv6 at all: an optional room. */
function hasIpv6(image: Image): boolean {
  return image.families.has('AF_INET6')
}
