/** Names and addresses by /etc/hosts. There is no DNS here: what isn't in the file can't be looked up for now. */
import { type Body, readTextFile, type Sys } from '#kernel/core'
import { formatIpv4, parseIpv4, parseIpv4Loose } from '#wire/inet'

/** What getaddrinfo(3) found. */
export interface Resolved {
  address: number
  /** ai_canonname: the first name on the file's line, or the number as it was written. */
  canonical: string
}

export class Hosts {
  readonly #byName = new Map<string, Resolved>()
  readonly #byAddress = new Map<number, string>()

  constructor(file: string) {
    for (const line of file.split('\n')) {
      const [text = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
      const address = parseIpv4(text)
      if (address === undefined || names.length === 0) continue
      for (const name of names) {
        const key = name.toLowerCase()
        if (!this.#byName.has(key)) this.#byName.set(key, { address, canonical: names[0]! })
      }
      if (!this.#byAddress.has(address)) this.#byAddress.set(address, names[0]!)
    }
  }

  /** getaddrinfo(3); the text of gai_strerror(3) if there is none. */
  resolve(name: string): Resolved | string {
    const address = parseIpv4Loose(name)
    if (address !== undefined) return { address, canonical: name }
    if (name === '' || /[\s:]/.test(name)) return 'Name or service not known'
    return this.#byName.get(name.toLowerCase()) ?? 'Temporary failure in name resolution'
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
