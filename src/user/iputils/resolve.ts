/** Names and addresses by /etc/hosts; what isn't there is asked of the name servers before it is needed. */
import { type Body, readTextFile, type Sys } from '#kernel/core'
import { gaiStrerror, lookupAddress, lookupHost } from '#user/libc'
import { formatIpv4, type Ipv6Address, parseIpv4, parseIpv4Loose, parseIpv6 } from '#wire/inet'

/** What getaddrinfo(3) found. */
export interface Resolved {
  address: number
  /** ai_canonname: the first name on the file's line, or the number as it was written. */
  canonical: string
}

export class Hosts {
  readonly #byName = new Map<string, Resolved>()
  readonly #byAddress = new Map<number, string>()
  readonly #byName6 = new Map<string, { address: Ipv6Address; canonical: string }>()
  readonly #byAddress6 = new Map<Ipv6Address, string>()
  /** What the name servers had to say of names that they don't know. */
  readonly #unknown = new Map<string, string>()

  constructor(file: string) {
    for (const line of file.split('\n')) {
      const [text = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
      const six = parseIpv6(text)
      if (six !== undefined && names.length > 0) {
        for (const name of names) {
          const key = name.toLowerCase()
          if (!this.#byName6.has(key)) this.#byName6.set(key, { address: six, canonical: names[0]! })
        }
        if (!this.#byAddress6.has(six)) this.#byAddress6.set(six, names[0]!)
        continue
      }
      const address = parseIpv4(text)
      if (address === undefined || names.length === 0) continue
      for (const name of names) {
        const key = name.toLowerCase()
        if (!this.#byName.has(key)) this.#byName.set(key, { address, canonical: names[0]! })
      }
      if (!this.#byAddress.has(address)) this.#byAddress.set(address, names[0]!)
    }
  }

  /** Asks for a name, and for that of its address unless numbers will do. */
  *ask(sys: Sys, name: string, numeric: boolean, family: 'AF_UNSPEC' | 'AF_INET' = 'AF_UNSPEC'): Body<void> {
    const key = name.toLowerCase()
    if (parseIpv4Loose(name) !== undefined || name === '' || /[\s:%]/.test(name)) return
    if (this.#byName.has(key) || this.#byName6.has(key)) return
    const found = yield* lookupHost(sys, name, { family })
    if (!found.ok) {
      this.#unknown.set(name, gaiStrerror(found.error))
      return
    }
    const first = found.value.addresses.find((one) => one.family === 'AF_INET')
    if (first?.family !== 'AF_INET') return
    this.#byName.set(key, { address: first.address, canonical: found.value.canonical })
    if (numeric || this.#byAddress.has(first.address)) return
    const back = yield* lookupAddress(sys, first)
    if (back.ok) this.#byAddress.set(first.address, back.name)
  }

  /** getaddrinfo(3); the text of gai_strerror(3) if there is none. */
  resolve(name: string): Resolved | string {
    const address = parseIpv4Loose(name)
    if (address !== undefined) return { address, canonical: name }
    if (name === '' || /[\s:]/.test(name)) return 'Name or service not known'
    return this.#byName.get(name.toLowerCase()) ?? this.#unknown.get(name) ?? 'Name or service not known'
  }

  /** What the file has under a name for IPv6. */
  resolve6(name: string): { address: Ipv6Address; canonical: string } | undefined {
    return this.#byName6.get(name.toLowerCase())
  }

  nameOf6(address: Ipv6Address): string | undefined {
    return this.#byAddress6.get(address)
  }

  /** getnameinfo(3): the name, or the number where there is none. */
  nameOf(address: number): string {
    return this.#byAddress.get(address) ?? formatIpv4(address)
  }
}

/** Reads /etc/hosts. */
export function* readHosts(sys: Sys): Body<Hosts> {
  const read = yield* readTextFile(sys, '/etc/hosts')
  return new Hosts(read.ok ? read.value : '')
}
