/** Names by the host's own files: /etc/hosts, /etc/services, /etc/protocols, /etc/networks. There is no DNS here. */
import { type Body, readTextFile, type Sys } from '#kernel/core'
import type { LinkMessage } from '#kernel/net'
import { type Ipv6Address, parseIpv4, parseIpv6 } from '#wire/inet'
import type { Names } from './filter/names.ts'
import type { PrintNames } from './print/printer.ts'

export class Lookup implements PrintNames {
  readonly #hosts = new Map<string, number[]>()
  readonly #addresses = new Map<number, string>()
  readonly #hosts6 = new Map<string, Ipv6Address[]>()
  readonly #addresses6 = new Map<Ipv6Address, string>()
  /** By `port/protocol`. */
  readonly #services = new Map<string, string>()
  readonly #ports = new Map<string, { tcp?: number; udp?: number }>()
  readonly #protocolNumbers = new Map<string, number>()
  readonly #networks = new Map<string, number>()
  readonly links: LinkMessage[]

  constructor(files: { hosts: string; services: string; protocols: string; networks: string }, links: LinkMessage[]) {
    this.links = links
    for (const [text = '', ...names] of lines(files.hosts)) {
      const address = parseIpv4(text)
      if (names.length === 0) continue
      if (address === undefined) {
        const address6 = parseIpv6(text)
        if (address6 === undefined) continue
        for (const name of names) push(this.#hosts6, name.toLowerCase(), address6)
        if (!this.#addresses6.has(address6)) this.#addresses6.set(address6, names[0]!)
        continue
      }
      for (const name of names) push(this.#hosts, name.toLowerCase(), address)
      if (!this.#addresses.has(address)) this.#addresses.set(address, names[0]!)
    }
    for (const [name = '', place = '', ...aliases] of lines(files.services)) {
      const [port = '', protocol = ''] = place.split('/')
      if (protocol !== 'tcp' && protocol !== 'udp') continue
      if (!this.#services.has(place)) this.#services.set(place, name)
      for (const word of [name, ...aliases]) {
        const known = this.#ports.get(word) ?? {}
        known[protocol] ??= Number(port)
        this.#ports.set(word, known)
      }
    }
    for (const [name = '', number = '', ...aliases] of lines(files.protocols)) {
      for (const word of [name, ...aliases])
        if (!this.#protocolNumbers.has(word)) this.#protocolNumbers.set(word, Number(number))
    }
    for (const [name = '', network = ''] of lines(files.networks)) {
      // inet_network(3): as many bytes as there are, without trailing zeros here.
      const parts = network.split('.').map(Number)
      while (parts.length > 1 && parts.at(-1) === 0) parts.pop()
      this.#networks.set(
        name,
        parts.reduce((value, part) => value * 256 + part, 0),
      )
    }
  }

  host(address: number): string | undefined {
    return this.#addresses.get(address)
  }

  host6(address: Ipv6Address): string | undefined {
    return this.#addresses6.get(address)
  }

  port(port: number, protocol: 'tcp' | 'udp'): string | undefined {
    return this.#services.get(`${port}/${protocol}`)
  }

  interface(index: number): string | undefined {
    return this.links.find((link) => link.ifindex === index)?.name
  }

  /** The same, for filters. */
  readonly forFilters: Names = {
    host: (name) => this.#hosts.get(name.toLowerCase()) ?? [],
    host6: (name) => this.#hosts6.get(name.toLowerCase()) ?? [],
    port: (name) => this.#ports.get(name) ?? {},
    protocol: (name) => this.#protocolNumbers.get(name),
    network: (name) => this.#networks.get(name),
  }
}

function lines(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/))
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (!list) map.set(key, [value])
  else if (!list.includes(value)) list.push(value)
}

/** Reads the files; one that isn't there is empty. */
export function* readLookup(sys: Sys): Body<Lookup> {
  const texts: string[] = []
  for (const name of ['hosts', 'services', 'protocols', 'networks']) {
    const read = yield* readTextFile(sys, `/etc/${name}`)
    texts.push(read.ok ? read.value : '')
  }
  const [hosts = '', services = '', protocols = '', networks = ''] = texts
  const answer = sys.netlink({ type: 'RTM_GETLINK' })
  return new Lookup({ hosts, services, protocols, networks }, answer.ok ? (answer.messages as LinkMessage[]) : [])
}
