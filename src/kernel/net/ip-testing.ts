/** A chain of hosts for tests of routing: a - r1 - r2 ... - b, each link 10.0.N.0/24 with .1 on the left and .2 on the right. */
import type { Simulator } from '#base/sim'
import type { Host, OpenFile, SockAddr } from '#kernel/core'
import { parseIpv4, parsePrefix } from '#wire/inet'
import { setIpForward } from './conf-sysctl.ts'
import type { NetDevice } from './device.ts'
import { RT_TABLE_MAIN } from './fib.ts'
import type { FibConfig } from './fib-info.ts'
import { insertRoute, newTable } from './fib-table.ts'
import { installInet } from './inet.ts'
import { inetState } from './ip-state.ts'
import { createInetSocket, createPacketSocket } from './sockets/families.ts'
import { TestCable, type TestHost, testCard, testHost, testImage } from './testing.ts'

/** An image with IPv4 in it. */
export function inetImage() {
  const image = testImage()
  installInet(image)
  return image
}

export interface Chain {
  hosts: TestHost[]
  cables: TestCable[]
  /** By host, its devices in order. */
  devices: NetDevice[][]
}

/** A chain with so many routers; every host knows the way to all of it. */
export function chain(sim: Simulator, routers: number): Chain {
  const image = inetImage()
  const hosts: TestHost[] = []
  const devices: NetDevice[][] = []
  const cables: TestCable[] = []
  for (let i = 0; i < routers + 2; i++) {
    const name = i === 0 ? 'a' : i === routers + 1 ? 'b' : `r${i}`
    const host = testHost(sim, name, image)
    hosts.push(host)
    const own: NetDevice[] = []
    const mac = 0x020000000000 + (i + 1) * 256
    if (i > 0) own.push(testCard(host, `eth${own.length}`, mac + own.length, `10.0.${i}.2/24`))
    if (i <= routers) own.push(testCard(host, `eth${own.length}`, mac + own.length, `10.0.${i + 1}.1/24`))
    devices.push(own)
    if (i > 0) cables.push(new TestCable(sim, devices[i - 1]![devices[i - 1]!.length - 1]!, own[0]!))
  }
  for (let i = 0; i < hosts.length; i++) {
    if (i > 0 && i <= routers) setIpForward(hosts[i]!, 1)
    for (let link = 1; link <= routers + 1; link++) {
      if (link === i || link === i + 1) continue
      addRoute(hosts[i]!, `10.0.${link}.0/24`, link > i ? `10.0.${i + 1}.2` : `10.0.${i}.1`)
    }
  }
  return { hosts, cables, devices }
}

/** Adds a route, as `ip route add PREFIX via GATEWAY` does; throws what the kernel says if it can't. */
export function addRoute(host: Host, prefix: string, via?: string, more: Partial<FibConfig> = {}): void {
  const parsed = parsePrefix(prefix)!
  const config: FibConfig = {
    dst: parsed.address,
    prefix: parsed.prefix,
    table: RT_TABLE_MAIN,
    protocol: 3,
    scope: via === undefined ? 253 : 0,
    type: 'unicast',
    tos: 0,
    metric: 0,
    prefSrc: 0,
    oif: 0,
    gateway: via === undefined ? 0 : parseIpv4(via)!,
    flags: 0,
    ...more,
  }
  const failed = insertRoute(host, newTable(inetState.of(host), config.table), config, {
    create: true,
    exclusive: true,
  })
  if (failed) throw new Error(failed.extack ?? failed.errno)
}

function opened(result: ReturnType<typeof createInetSocket>): OpenFile {
  if (!result.ok) throw new Error(result.errno)
  return result.value
}

/** A socket's file; throws if there is none to be had. */
export function inetSocket(host: Host, type: string, protocol = 0): OpenFile {
  return opened(createInetSocket(host, type, protocol))
}

export function packetSocket(host: Host, type: string, protocol: number): OpenFile {
  return opened(createPacketSocket(host, type, protocol))
}

export function inet(address: string, port = 0): SockAddr {
  return { family: 'AF_INET', address: parseIpv4(address)!, port }
}

/** An ICMP echo request; its checksum is right. */
export function echoRequest(identifier: number, sequence: number, size = 56): Uint8Array {
  const bytes = new Uint8Array(8 + size)
  const view = new DataView(bytes.buffer)
  bytes[0] = 8
  view.setUint16(4, identifier)
  view.setUint16(6, sequence)
  for (let i = 0; i < size; i++) bytes[8 + i] = i
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) + (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  view.setUint16(2, ~sum & 0xffff)
  return bytes
}
