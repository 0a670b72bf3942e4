/** Numbers that have names: the files below /etc/iproute2, and what the tool knows without them. */
import { type Body, readTextFile, type Sys } from '#kernel/core'
import { parseUnsigned } from './words.ts'

/** Names of small numbers, both ways. */
export class NameTable {
  readonly #names = new Map<number, string>()
  readonly #numbers = new Map<string, number>()

  constructor(builtIn: readonly [number, string][], file: string) {
    for (const [number, name] of builtIn) this.#add(number, name)
    for (const line of file.split('\n')) {
      const match = /^[ \t]*(0[xX][0-9a-fA-F]+|\d+)\s+(\S+)/.exec(line)
      if (match) this.#add(Number(match[1]), match[2]!)
    }
  }

  #add(number: number, name: string): void {
    this.#names.set(number, name)
    this.#numbers.set(name, number)
  }

  name(number: number): string | undefined {
    return this.#names.get(number)
  }

  number(name: string): number | undefined {
    return this.#numbers.get(name)
  }
}

/** Formats and parses the numbers of routing; with -N nothing is named. iproute2 6.1 lib/rt_names.c */
export class Names {
  readonly #numeric: boolean
  readonly #tables: NameTable
  readonly #protocols: NameTable
  readonly #scopes: NameTable
  readonly #dsfields: NameTable
  readonly #groups: NameTable
  readonly #realms: NameTable

  constructor(files: Record<string, string>, numeric: boolean) {
    this.#numeric = numeric
    this.#tables = new NameTable(TABLES, files.rt_tables ?? '')
    this.#protocols = new NameTable(PROTOCOLS, files.rt_protos ?? '')
    this.#scopes = new NameTable(SCOPES, files.rt_scopes ?? '')
    this.#dsfields = new NameTable([[0, '0']], files.rt_dsfield ?? '')
    this.#groups = new NameTable([[0, 'default']], files.group ?? '')
    this.#realms = new NameTable([[0, 'unknown']], files.rt_realms ?? '')
  }

  table(id: number): string {
    return this.#name(this.#tables, id)
  }
  parseTable(word: string): number | undefined {
    return this.#tables.number(word) ?? parseUnsigned(word)
  }
  protocol(id: number): string {
    return this.#name(this.#protocols, id)
  }
  parseProtocol(word: string): number | undefined {
    return this.#protocols.number(word) ?? parseUnsigned(word, 255)
  }
  scope(id: number): string {
    return this.#name(this.#scopes, id)
  }
  parseScope(word: string): number | undefined {
    return this.#scopes.number(word) ?? parseUnsigned(word, 255)
  }
  dsfield(id: number): string {
    const named = this.#numeric ? undefined : this.#dsfields.name(id)
    return named ?? `0x${id.toString(16).padStart(2, '0')}`
  }
  parseDsfield(word: string): number | undefined {
    return this.#dsfields.number(word) ?? parseUnsigned(word, 255, 16)
  }
  group(id: number): string {
    return this.#name(this.#groups, id)
  }
  parseGroup(word: string): number | undefined {
    return this.#groups.number(word) ?? parseUnsigned(word, 0x7fffffff)
  }
  realm(id: number): string {
    return this.#name(this.#realms, id)
  }

  #name(table: NameTable, id: number): string {
    return (this.#numeric ? undefined : table.name(id)) ?? String(id)
  }
}

const TABLES: [number, string][] = [
  [253, 'default'],
  [254, 'main'],
  [255, 'local'],
]
const PROTOCOLS: [number, string][] = [
  [0, 'unspec'],
  [1, 'redirect'],
  [2, 'kernel'],
  [3, 'boot'],
  [4, 'static'],
]
const SCOPES: [number, string][] = [
  [0, 'global'],
  [255, 'nowhere'],
  [254, 'host'],
  [253, 'link'],
]

const FILES = ['rt_tables', 'rt_protos', 'rt_scopes', 'rt_dsfield', 'group', 'rt_realms']

/** Reads the files of names that are there. */
export function* readNames(sys: Sys, numeric: boolean): Body<Names> {
  const files: Record<string, string> = {}
  for (const name of FILES) {
    const read = yield* readTextFile(sys, `/etc/iproute2/${name}`)
    if (read.ok) files[name] = read.value
  }
  return new Names(files, numeric)
}
