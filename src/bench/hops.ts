/**
 * UDP hops: a source, K routers and a sink in a chain of point-to-point links of 1 Gbit/s and 10 us, one small datagram
 * every 10 us. Each host is a whole Linux one: its own tables, neighbours resolved by ARP, real sockets at both ends. A hop is
 * one link crossed. --model: the routers track connections; --rules: and have so many rules, which every packet is held to.
 */
import { decodeUtf8 } from '#base/bytes'
import { SECOND, Simulator } from '#base/sim'
import { createCapture, createHost, createImage, type Host, type KernelHost, type Socket } from '#kernel/core'
import { createEthernet, type NetRequest, net } from '#kernel/net'
import { OPTIONAL } from '#lab/catalogue'
import { type Cable, createCable } from '#lab/world'
import { type Packet, writeFrame } from '#wire/inet'
import { PcapWriter } from '#wire/pcap'
import { warmed } from './lan.ts'

const LINK = { delayNs: 10_000, rateBps: 1e9, loss: 0 }
const INTERVAL_NS = 10_000
const PORT = 9
/** 10.0.0.0/30, and on from there. */
const BASE = 0x0a000000

function request(host: KernelHost, message: NetRequest): void {
  const answer = host.image.netlinkHandlers.get(message.type)!(host, message)
  if (!answer.ok) throw new Error(`${host.name}: ${message.type}: ${answer.extack ?? answer.errno}`)
}

/** Puts a card with an address of a link's /30 into a host: .1 at the link's left end, .2 at its right. */
function addCard(host: KernelHost, link: number, side: 'left' | 'right', cable: Cable): void {
  const name = side === 'left' && link > 0 ? 'eth1' : 'eth0'
  const end = side === 'left' ? cable.a : cable.b
  const device = createEthernet(host, name, 0x020000000000 + host.number * 256 + (name === 'eth1' ? 1 : 0))
  device.attach(end)
  end.attach(device)
  const local = BASE + 4 * link + (side === 'left' ? 1 : 2)
  request(host, {
    type: 'RTM_NEWADDR',
    family: 'AF_INET',
    ifindex: device.ifindex,
    local,
    prefix: 30,
    broadcast: BASE + 4 * link + 3,
    create: true,
    exclusive: true,
  })
  request(host, { type: 'RTM_SETLINK', name, flags: 1, change: 1 })
}

function forward(host: KernelHost): void {
  const file = host.openPath('/proc/sys/net/ipv4/ip_forward', 1)
  const written = file?.write(new Uint8Array([0x31, 0x0a]))
  file?.release?.()
  if (!written?.ok) throw new Error(`${host.name}: no ip_forward`)
}

function udpSocket(host: Host): Socket {
  const family = (host as KernelHost).image.families.get('AF_INET')!
  const made = family(host, 'SOCK_DGRAM', 0)
  if (!made.ok) throw new Error(made.errno)
  return made.value.socket!
}

/** The last rule lets through what belongs to connections: all that is sent here. */
const LAST = '-m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT'

/** Adds a rule to FORWARD, as the program does. */
function iptables(host: KernelHost, rule: string): void {
  let output = ''
  const out = createCapture({
    onOutput: (bytes) => {
      output += decodeUtf8(bytes)
    },
  })
  const failed = (status: number) => {
    if (status !== 0) throw new Error(`${host.name}: iptables: ${output}`)
  }
  host.spawn({
    argv: ['/usr/sbin/iptables', '-A', 'FORWARD', ...rule.split(' ')],
    files: [out, out, out],
    env: { PATH: '/usr/sbin' },
    onExit: (end) => failed(end.exit ?? 1),
  })
}

/** What is done with every frame on every link. */
function lookAtFrames(sim: Simulator, cables: Cable[], bytes: number): PcapWriter[] {
  const captures: PcapWriter[] = []
  const scratch = new Uint8Array(2048)
  for (const cable of cables) {
    const capture = new PcapWriter()
    captures.push(capture)
    for (const wire of [cable.a.wire, cable.b.wire]) {
      const deliver = wire.deliver
      wire.deliver =
        bytes === 1
          ? (packet: Packet) => {
              writeFrame(packet, scratch, 0)
              deliver(packet)
            }
          : (packet: Packet) => {
              capture.write(sim.nowNs, packet)
              deliver(packet)
            }
    }
  }
  return captures
}

/** Sends `total` datagrams, one each INTERVAL_NS, and takes those that arrive. */
class Traffic {
  sent = 0
  got = 0
  readonly #sim: Simulator
  readonly #slot: number
  readonly #source: Socket
  readonly #sink: Socket
  readonly #payload: Uint8Array
  readonly #total: number

  constructor(sim: Simulator, source: Socket, sink: Socket, total: number, size: number) {
    this.#sim = sim
    this.#source = source
    this.#sink = sink
    this.#total = total
    this.#payload = new Uint8Array(size)
    this.#slot = sim.slot('bench/source', this)
    sim.arm(this.#slot, SECOND)
  }

  fire(): void {
    const sent = this.#source.sendTo(this.#payload, undefined, {})
    if (!sent.ok) throw new Error(sent.errno)
    if (++this.sent < this.#total) this.#sim.arm(this.#slot, this.#sim.nowNs + INTERVAL_NS)
    if ((this.sent & 63) === 0) this.take()
  }

  /** Reads what has arrived, as a program would that is woken now and then. */
  take(): void {
    while (this.#sink.receive(65536, {}).ok) this.got++
  }
}

/** Runs the workload; `cpu_s` is around the run alone. */
export function hops(options: Record<string, string>): Record<string, number | string> {
  return warmed(options, { packets: '20000' }, stream)
}

function stream(options: Record<string, string>): Record<string, number | string> {
  const routers = Number(options['routers'] ?? 10)
  const packets = Number(options['packets'] ?? 200_000)
  const size = Number(options['size'] ?? 64)
  const bytes = Number(options['bytes'] ?? 0)
  const model = Number(options['model'] ?? 0)
  const rules = Number(options['rules'] ?? 0)
  const sim = new Simulator(1)
  const image = createImage({ release: '6.1.0-bench', profile: 'linux-6.1' })
  image.install(net)
  if (model > 0 || rules > 0) {
    for (const room of OPTIONAL)
      if (room.name === 'kernel/conntrack' || room.name === 'kernel/netfilter') image.install(room)
  }
  const hosts = Array.from({ length: routers + 2 }, (_, i) =>
    createHost({ sim, image, name: `n${i}`, number: i + 1, startS: 0 }),
  )
  for (const host of hosts) request(host, { type: 'RTM_SETLINK', name: 'lo', flags: 1, change: 1 })
  const cables: Cable[] = []
  for (let link = 0; link <= routers; link++) {
    const cable = createCable(sim, `link${link}`, LINK)
    addCard(hosts[link]!, link, 'left', cable)
    addCard(hosts[link + 1]!, link, 'right', cable)
    cables.push(cable)
  }
  hosts.forEach((host, i) => {
    if (i > 0 && i <= routers) forward(host)
    if (i > routers) return
    const route = { family: 'AF_INET', dst: 0, prefix: 0, protocol: 3 } as const
    const gateway = BASE + 4 * i + 2
    request(host, { type: 'RTM_NEWROUTE', ...route, nextHops: [{ gateway }], create: true, exclusive: true })
  })
  for (const router of hosts.slice(1, -1)) {
    // Tracking begins with the first rule that asks for a state.
    const count = model > 0 ? Math.max(rules, 1) : rules
    for (let i = 1; i <= count; i++)
      iptables(router, i < count ? `-s 192.168.${i}.0/24 -p udp --dport ${PORT} -j DROP` : LAST)
  }
  sim.run(SECOND / 2)
  const captures = bytes > 0 ? lookAtFrames(sim, cables, bytes) : []
  const sink = udpSocket(hosts[routers + 1]!)
  sink.bind({ family: 'AF_INET', address: 0, port: PORT })
  const source = udpSocket(hosts[0]!)
  const connected = source.connect({ family: 'AF_INET', address: BASE + 4 * routers + 2, port: PORT })
  if (!connected.ok) throw new Error(connected.errno)
  const traffic = new Traffic(sim, source, sink, packets, size)

  const before = process.cpuUsage()
  const started = process.hrtime.bigint()
  sim.run(SECOND + packets * INTERVAL_NS + 10 * SECOND)
  traffic.take()
  const used = process.cpuUsage(before)
  const wallS = Number(process.hrtime.bigint() - started) / 1e9
  const cpuS = (used.user + used.system) / 1e6
  if (traffic.got !== packets) throw new Error(`hops: sent ${traffic.sent}, got ${traffic.got}`)
  return {
    bench: 'hops',
    routers,
    bytes,
    model,
    rules,
    sent: traffic.sent,
    got: traffic.got,
    wall_s: wallS,
    cpu_s: cpuS,
    hops_per_s: Math.round((traffic.got * (routers + 1)) / cpuS),
    events: sim.events,
    captured: captures.reduce((sum, capture) => sum + capture.frames, 0),
    peak_kb: process.resourceUsage().maxRSS,
  }
}
