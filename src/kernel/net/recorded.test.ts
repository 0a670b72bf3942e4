/**
 * What a real kernel did (golden/real-*: recorded by raw sockets and `ip` in two namespaces on Linux 6.18, where it does
 * as 6.1 does), done again here: settings, addresses, routes and neighbours drawn by chance, frames drawn by chance, and
 * every frame that came back and every neighbour afterwards compared.
 */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MILLISECOND, SECOND, Simulator } from '#base/sim'
import { type Host, type KernelImage, type NetlinkAnswer, type NetlinkHandler, strerror } from '#kernel/core'
import { ETH_P_ARP, ETH_P_IP, emitFrame, formatIpv4, Packet, parseFrame, parseIpv4 } from '#wire/inet'
import { formatMac, parseMac } from '#wire/link'
import { setConf, setParm } from './conf-sysctl.ts'
import type { NetDevice } from './device.ts'
import { setDeviceUp } from './device-events.ts'
import { createEthernet, deviceByIndex, deviceByName, netState } from './devices.ts'
import { flowOf } from './fib.ts'
import { installInet } from './inet.ts'
import { type ConfName, IFA_F_NOPREFIXROUTE, IFA_F_SECONDARY } from './inetdev.ts'
import { NTF_EXT_LEARNED, NTF_PROXY, NTF_ROUTER, NTF_USE, NUD_VALID, neighbourOutput, stateName } from './neighbour.ts'
import type { AddressMessage, NeighbourMessage, NetMessage, RouteMessage } from './netlink.ts'
import { installDevices } from './room.ts'
import { routeOutput } from './route.ts'
import { testHost, testImage } from './testing.ts'

type Action = ['frame', port: number, hex: string] | ['send', from: string, to: string]

interface ArpCase {
  commands: string[]
  sysctl: Record<string, number>
  forwarding: number
  /** In hundredths of a second. */
  locktime: number
  actions: Action[]
  steps: [port: number, hex: string][][]
  neighbours: string[][]
  errors: number
}

interface NeighbourCase {
  commands: string[]
  arpAccept: number
  locktime: number
  actions: Action[]
  steps: [port: number, hex: string][][]
  neighbours: string[][]
  proxies: string[]
  errors: string[]
}

interface AddressCase {
  commands: string[]
  promoteSecondaries: number
  addresses: string[]
  routes: string[]
  errors: number
}

const SCOPES: Record<string, number> = { global: 0, link: 253, host: 254 }

function cases<T>(name: string): T[] {
  return JSON.parse(readFileSync(new URL(`./golden/${name}/cases.json`, import.meta.url), 'utf8'))
}

class Lab {
  readonly sim = new Simulator()
  readonly host: Host
  readonly cards: NetDevice[]
  readonly seen: [number, string][] = []
  readonly errors: string[] = []
  readonly #handlers = new Map<string, NetlinkHandler>()

  constructor() {
    const handlers = this.#handlers
    const image = {
      ...testImage(),
      netlink: (type: string, handler: NetlinkHandler) => void handlers.set(type, handler),
    } as KernelImage
    installDevices(image)
    installInet(image)
    this.host = testHost(this.sim, 'real', image)
    this.cards = [0, 1].map((i) => {
      const card = createEthernet(this.host, `eth${i}`, 0x020000000100 + i)
      const transmit = (packet: Packet) => {
        if (packet.etherType === ETH_P_ARP) this.seen.push([i, Buffer.from(emitFrame(packet)).toString('hex')])
      }
      card.attach({ carrier: true, transmit })
      setDeviceUp(card, true)
      return card
    })
    this.sim.run(SECOND)
  }

  call(message: { type: string; [field: string]: unknown }): NetlinkAnswer {
    return this.#handlers.get(message.type)!(this.host, message)
  }

  dump<T extends NetMessage>(message: { type: string; [field: string]: unknown }): T[] {
    const answer = this.call(message)
    return answer.ok ? (answer.messages as T[]) : []
  }

  /** One line of `ip -batch`, as far as the cases use it. */
  run(line: string): void {
    const words = line.split(' ')
    const after = (word: string) => (words.includes(word) ? words[words.indexOf(word) + 1] : undefined)
    const device = deviceByName(this.host, words[0] === 'link' ? words[2]! : after('dev')!)!
    const common = { family: 'AF_INET', ifindex: device.ifindex, create: true }
    const how = words[1] === 'replace' ? { replace: true } : { exclusive: true }
    const answer =
      words[0] === 'link'
        ? this.call({ type: 'RTM_SETLINK', ifindex: device.ifindex, flags: words[3] === 'up' ? 1 : 0, change: 1 })
        : words[0] === 'addr'
          ? this.#address(words, after, { ...common, ...how })
          : words[0] === 'route'
            ? this.#route(words, after, { ...common, ...how })
            : this.#neighbour(words, after, { ...common, ...how })
    if (!answer.ok) this.errors.push(answer.extack ?? strerror(answer.errno))
  }

  #address(words: string[], after: (word: string) => string | undefined, common: object): NetlinkAnswer {
    const [text, length] = words[2]!.split('/') as [string, string]
    const local = parseIpv4(text)!
    const prefix = Number(length)
    if (words[1] === 'del') return this.call({ type: 'RTM_DELADDR', ...common, local, address: local, prefix })
    const broadcast = words.includes('brd') && prefix < 31 ? (local | (2 ** (32 - prefix) - 1)) >>> 0 : undefined
    const scope = SCOPES[after('scope') ?? (local >>> 24 === 127 ? 'host' : 'global')]
    const flags = words.includes('noprefixroute') ? IFA_F_NOPREFIXROUTE : 0
    const metric = after('metric') === undefined ? undefined : Number(after('metric'))
    return this.call({
      type: 'RTM_NEWADDR',
      ...common,
      local,
      prefix,
      broadcast,
      scope,
      flags,
      metric,
      label: after('label'),
    })
  }

  #route(words: string[], after: (word: string) => string | undefined, common: { ifindex?: number }): NetlinkAnswer {
    const [dst, prefix] = words[2] === 'default' ? ['0.0.0.0', '0'] : (words[2]!.split('/') as [string, string])
    const via = after('via')
    return this.call({
      type: 'RTM_NEWROUTE',
      ...common,
      dst: parseIpv4(dst!)!,
      prefix: Number(prefix),
      table: 254,
      protocol: 3,
      scope: via === undefined ? 253 : 0,
      routeType: 'unicast',
      nextHops: [{ ifindex: common.ifindex, gateway: via === undefined ? undefined : parseIpv4(via)! }],
    })
  }

  #neighbour(words: string[], after: (word: string) => string | undefined, common: object): NetlinkAnswer {
    const proxy = words[2] === 'proxy'
    let flags = proxy ? NTF_PROXY : 0
    if (words.includes('use')) flags |= NTF_USE
    if (words.includes('router')) flags |= NTF_ROUTER
    if (words.includes('extern_learn')) flags |= NTF_EXT_LEARNED
    const type = words[1] === 'del' ? 'RTM_DELNEIGH' : 'RTM_NEWNEIGH'
    const lladdr = after('lladdr') === undefined ? undefined : parseMac(after('lladdr')!)
    const state = (after('nud') ?? 'permanent').toUpperCase()
    const change = words[1] === 'change' ? { create: false, exclusive: false, replace: true } : {}
    return this.call({ type, ...common, ...change, dst: parseIpv4(words[proxy ? 3 : 2]!)!, flags, lladdr, state })
  }

  act(action: Action): void {
    if (action[0] === 'frame') {
      this.cards[action[1]]!.receive(parseFrame(Uint8Array.from(Buffer.from(action[2], 'hex'))))
      return
    }
    const dst = parseIpv4(action[2])!
    const found = routeOutput(this.host, flowOf({ dst, src: action[1] === '' ? 0 : parseIpv4(action[1])! }))
    if (typeof found === 'string' || found.route.device.kind === 'loopback') return
    const packet = new Packet()
    packet.etherType = ETH_P_IP
    packet.protocol = 17
    packet.src = found.src
    packet.dst = dst
    neighbourOutput(found.route.device, found.route.nextHopFor(dst), packet)
  }

  /** What was seen since the last time, by port. */
  drain(): [number, string][] {
    return this.seen.splice(0).sort((a, b) => a[0] - b[0])
  }

  neighbours(): string[][] {
    const rows: string[][] = []
    for (const each of netState.of(this.host).neighbours.all()) {
      if (each.device.kind === 'loopback') continue
      const mac = each.state & NUD_VALID ? formatMac(each.address) : ''
      rows.push([formatIpv4(each.key), each.device.name, mac, stateName(each.state)])
    }
    return rows.sort((a, b) => (a.join() < b.join() ? -1 : 1))
  }
}

const byText = (a: string[], b: string[]) => (a.join() < b.join() ? -1 : 1)

/** arp_notify as the sysctl's file is called. */
function confName(file: string): ConfName {
  return file.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()) as ConfName
}

test.each(cases<ArpCase>('real-arp').map((each, i) => [i, each] as const))('ARP, as recorded: case %i', (_, each) => {
  const lab = new Lab()
  setConf(lab.host, 'all', 'forwarding', each.forwarding, 'forward')
  setParm(lab.host, 'eth0', 'proxyDelay', 0)
  setParm(lab.host, 'eth0', 'locktime', (each.locktime * 250) / 100)
  for (const [key, value] of Object.entries(each.sysctl)) {
    const [instance, file] = key.split('/') as [string, string]
    setConf(lab.host, instance, confName(file), value, 'plain')
  }
  for (const line of each.commands) lab.run(line)
  expect(lab.errors).toHaveLength(each.errors)
  lab.sim.run(lab.sim.nowNs + 12 * MILLISECOND)
  const steps = [lab.drain()]
  for (const action of each.actions) {
    lab.act(action)
    lab.sim.run(lab.sim.nowNs + 21 * MILLISECOND)
    steps.push(lab.drain())
  }
  expect(steps).toEqual(each.steps)
  expect(lab.neighbours()).toEqual(each.neighbours.sort(byText))
})

test.each(cases<NeighbourCase>('real-neighbours').map((each, i) => [i, each] as const))(
  'neighbours set by hand, as recorded: case %i',
  (_, each) => {
    const lab = new Lab()
    setParm(lab.host, 'eth0', 'proxyDelay', 0)
    setParm(lab.host, 'eth0', 'locktime', (each.locktime * 250) / 100)
    setConf(lab.host, 'eth0', 'arpAccept', each.arpAccept, 'plain')
    for (const line of each.commands) {
      lab.run(line)
      lab.sim.run(lab.sim.nowNs + 2 * MILLISECOND)
    }
    lab.sim.run(lab.sim.nowNs + 12 * MILLISECOND)
    lab.drain()
    const steps = each.actions.map((action) => {
      lab.act(action)
      lab.sim.run(lab.sim.nowNs + 21 * MILLISECOND)
      return lab.drain()
    })
    expect(lab.errors).toEqual(each.errors)
    expect(steps).toEqual(each.steps)
    expect(lab.neighbours()).toEqual(each.neighbours.sort(byText))
    const proxies = lab.dump<NeighbourMessage>({ type: 'RTM_GETNEIGH', proxy: true })
    expect(proxies.map((entry) => formatIpv4(entry.dst))).toEqual(each.proxies)
  },
)

function addressLine(lab: Lab, own: AddressMessage): string {
  const scope = Object.keys(SCOPES).find((name) => SCOPES[name] === own.scope)
  const words = [
    `${own.ifindex}:`,
    deviceByIndex(lab.host, own.ifindex)!.name,
    'inet',
    `${formatIpv4(own.local)}/${own.prefix}`,
  ]
  if (own.metric) words.push('metric', String(own.metric))
  if (own.broadcast) words.push('brd', formatIpv4(own.broadcast))
  words.push('scope', scope!)
  if (own.flags & IFA_F_SECONDARY) words.push('secondary')
  if (own.flags & IFA_F_NOPREFIXROUTE) words.push('noprefixroute')
  return [...words, own.label].join(' ')
}

function routeLine(lab: Lab, route: RouteMessage): string {
  const words = route.routeType === 'unicast' ? [] : [route.routeType as string]
  words.push(formatIpv4(route.dst) + (route.prefix === 32 ? '' : `/${route.prefix}`))
  words.push('dev', deviceByIndex(lab.host, route.nextHops[0]!.ifindex)!.name)
  if (route.table === 255) words.push('table', 'local')
  words.push('proto', 'kernel', 'scope', Object.keys(SCOPES).find((name) => SCOPES[name] === route.scope)!)
  if (route.prefSrc) words.push('src', formatIpv4(route.prefSrc))
  if (route.metric) words.push('metric', String(route.metric))
  return words.join(' ')
}

test.each(cases<AddressCase>('real-addresses').map((each, i) => [i, each] as const))(
  'addresses and their routes, as recorded: case %i',
  (_, each) => {
    const lab = new Lab()
    setConf(lab.host, 'all', 'promoteSecondaries', each.promoteSecondaries, 'flush')
    for (const line of each.commands) lab.run(line)
    expect(lab.errors).toHaveLength(each.errors)
    const addresses = lab.dump<AddressMessage>({ type: 'RTM_GETADDR' }).map((own) => addressLine(lab, own))
    expect(addresses).toEqual(each.addresses)
    const routes = [254, 255].flatMap((table) => lab.dump<RouteMessage>({ type: 'RTM_GETROUTE', table }))
    expect(routes.map((route) => routeLine(lab, route))).toEqual(each.routes)
  },
)
