/** Scale: N whole Linux hosts with one card each on one segment, an address on each, then idle for 10 simulated seconds. */
import { SECOND, Simulator } from '#base/sim'
import { createHost, createImage, type Image, type KernelHost } from '#kernel/core'
import { createEthernet, type NetRequest, net } from '#kernel/net'
import { Switch } from '#lab/world'

const SHAPE = { delayNs: 1_000, rateBps: 1e9, loss: 0 }
/** 10.1.0.0/16. */
const BASE = 0x0a010000

function request(host: KernelHost, message: NetRequest): void {
  const answer = host.image.netlinkHandlers.get(message.type)!(host, message)
  if (!answer.ok) throw new Error(`${host.name}: ${message.type}: ${answer.extack ?? answer.errno}`)
}

function makeHosts(sim: Simulator, image: Image, count: number): KernelHost[] {
  const lan = new Switch(sim, 'lan', SHAPE)
  const hosts: KernelHost[] = []
  for (let i = 0; i < count; i++) {
    const host = createHost({ sim, image, name: `h${i}`, number: i + 1, startS: 0 })
    const port = lan.addPort(host.name, 'eth0', 0)
    const device = createEthernet(host, 'eth0', 0x020000000000 + i)
    device.attach(port.cable.a)
    port.cable.a.attach(device)
    request(host, { type: 'RTM_SETLINK', name: 'lo', flags: 1, change: 1 })
    request(host, {
      type: 'RTM_NEWADDR',
      family: 'AF_INET',
      ifindex: device.ifindex,
      local: BASE + 1 + i,
      prefix: 16,
      broadcast: BASE + 0xffff,
      create: true,
      exclusive: true,
    })
    request(host, { type: 'RTM_SETLINK', name: 'eth0', flags: 1, change: 1 })
    hosts.push(host)
  }
  return hosts
}

function cpuS(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** A collection, if node was started with --expose-gc. */
function collect(): void {
  ;(globalThis as { gc?: () => void }).gc?.()
}

/** Runs the workload. */
export function idle(options: Record<string, string>): Record<string, number | string> {
  const count = Number(options['hosts'] ?? 1000)
  const image = createImage({ release: '6.1.0-bench', profile: 'linux-6.1' })
  image.install(net)
  // Warm what is built once, so that only hosts are counted.
  makeHosts(new Simulator(1), image, 2)
  collect()
  const before = process.memoryUsage()
  const started = cpuS()
  const sim = new Simulator(1)
  const hosts = makeHosts(sim, image, count)
  const made = cpuS()
  sim.run(10 * SECOND)
  const ran = cpuS()
  collect()
  const after = process.memoryUsage()
  return {
    bench: 'idle',
    hosts: hosts.length,
    create_s: made - started,
    us_per_host: ((made - started) / count) * 1e6,
    run_s: ran - made,
    kb_per_host: (after.heapUsed + after.external - before.heapUsed - before.external) / 1024 / count,
    rss_kb_per_host: (after.rss - before.rss) / 1024 / count,
    peak_kb: process.resourceUsage().maxRSS,
  }
}
