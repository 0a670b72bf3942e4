/** Text files, and /etc/hosts both ways. */
import { type Body, readTextFile, type Sys } from '#kernel/core'
import { formatIpv4, parseIpv4 } from '#wire/inet'

/** A file's lines without their ends; undefined if it can't be opened. */
export function* readLines(sys: Sys, path: string): Body<string[] | undefined> {
  const read = yield* readTextFile(sys, path)
  if (!read.ok) return undefined
  const lines = read.value.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}

/** What /etc/hosts says. */
export class Hosts {
  readonly #names = new Map<string, string>()
  readonly #addresses = new Map<string, number>()

  constructor(lines: readonly string[]) {
    for (const line of lines) {
      const [text = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
      const address = parseIpv4(text)
      if (address === undefined || names.length === 0) continue
      const key = formatIpv4(address)
      if (!this.#names.has(key)) this.#names.set(key, names[0]!)
      for (const name of names) {
        if (!this.#addresses.has(name.toLowerCase())) this.#addresses.set(name.toLowerCase(), address)
      }
    }
  }

  /** The name of a dotted quad. */
  nameOf(ip: string): string | undefined {
    return this.#names.get(ip)
  }

  addressOf(name: string): number | undefined {
    return this.#addresses.get(name.toLowerCase())
  }
}

export function* readHosts(sys: Sys): Body<Hosts> {
  return new Hosts((yield* readLines(sys, '/etc/hosts')) ?? [])
}
