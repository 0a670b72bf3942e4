/** Names of services, protocols and hosts, by the host's own files; there is no DNS here. */
import { type Body, readTextFile, type Sys } from '#kernel/core'
import { formatIpv4, parseIpv4 } from '#wire/inet'

/** Protocols that iptables knows without asking. iptables 1.8.9 libxtables/xtables.c: xtables_chain_protos[]. */
const KNOWN: [string, number][] = [
  ['tcp', 6],
  ['sctp', 132],
  ['udp', 17],
  ['udplite', 136],
  ['icmp', 1],
  ['icmpv6', 58],
  ['ipv6-icmp', 58],
  ['esp', 50],
  ['ah', 51],
  ['ipv6-mh', 135],
  ['mh', 135],
  ['all', 0],
]

export class Names {
  readonly #services = new Map<string, number>()
  readonly #ports = new Map<string, string>()
  readonly #protocols = new Map<string, number>()
  readonly #protocolNames = new Map<number, string>()
  readonly #hosts = new Map<string, number[]>()
  readonly #addresses = new Map<number, string>()
  readonly #networks = new Map<number, string>()

  constructor(files: { services: string; protocols: string; hosts: string; networks: string }) {
    for (const [name = '', value = '', ...aliases] of lines(files.services)) {
      const [digits, protocol] = value.split('/')
      if (!this.#ports.has(`${digits}/${protocol}`)) this.#ports.set(`${digits}/${protocol}`, name)
      for (const one of [name, ...aliases]) {
        for (const key of [one, `${one}/${protocol}`])
          if (!this.#services.has(key)) this.#services.set(key, Number(digits))
      }
    }
    for (const [name = '', value = '', ...aliases] of lines(files.protocols)) {
      if (!this.#protocolNames.has(Number(value))) this.#protocolNames.set(Number(value), name)
      for (const one of [name, ...aliases]) if (!this.#protocols.has(one)) this.#protocols.set(one, Number(value))
    }
    for (const [address = '', ...names] of lines(files.hosts)) {
      const value = parseIpv4(address)
      if (value === undefined) continue
      if (!this.#addresses.has(value)) this.#addresses.set(value, names[0] ?? address)
      for (const name of names) this.#hosts.set(name, [...(this.#hosts.get(name) ?? []), value])
    }
    for (const [name = '', address = ''] of lines(files.networks)) {
      const value = parseIpv4(address)
      if (value !== undefined) this.#networks.set(value, name)
    }
  }

  service(name: string, protocol: string | undefined): number | undefined {
    return this.#services.get(protocol === undefined ? name : `${name}/${protocol}`)
  }

  serviceName(port: number, protocol: string): string | undefined {
    return this.#ports.get(`${port}/${protocol}`)
  }

  /** By what iptables knows and then by /etc/protocols. */
  protocol(name: string): number | undefined {
    return KNOWN.find(([one]) => one === name)?.[1] ?? this.#protocols.get(name)
  }

  protocolName(number: number): string | undefined {
    return KNOWN.find(([, one]) => one === number)?.[0] ?? this.#protocolNames.get(number)
  }

  host(name: string): number[] | undefined {
    return this.#hosts.get(name)
  }

  addressName(address: number): string {
    return this.#addresses.get(address) ?? formatIpv4(address)
  }

  networkName(address: number): string {
    return this.#networks.get(address) ?? formatIpv4(address)
  }
}

function lines(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/))
}

/** Reads them all; a file that isn't there has no names. */
export function* readNames(sys: Sys): Body<Names> {
  const read = function* (path: string): Body<string> {
    const got = yield* readTextFile(sys, path)
    return got.ok ? got.value : ''
  }
  return new Names({
    services: yield* read('/etc/services'),
    protocols: yield* read('/etc/protocols'),
    hosts: yield* read('/etc/hosts'),
    networks: yield* read('/etc/networks'),
  })
}
