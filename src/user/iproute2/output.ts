/**
 * What a tool of iproute2 prints, gathered as text and, with -json, as a document in the same order. A field is given once:
 * its key and value for JSON, its text for people.
 */

type Json = string | number | boolean | null | JsonArray | JsonObject | JsonDecimal

interface JsonArray {
  kind: 'array'
  items: Json[]
}

/** A number that is written as it is: 0.00. */
interface JsonDecimal {
  kind: 'decimal'
  text: string
}

/** Members in order; a key may come twice, as the real tools let it. */
interface JsonObject {
  kind: 'object'
  members: [string, Json][]
}

/** A piece of what went to standard output (1) or standard error (2), in order. */
export interface Chunk {
  fd: 1 | 2
  text: string
}

export class Output {
  readonly chunks: Chunk[] = []
  #pretty: boolean
  #root: JsonArray | undefined
  #open: (JsonArray | JsonObject)[] = []

  constructor(pretty: boolean) {
    this.#pretty = pretty
  }

  /** Whether a JSON document is open: then `text` says nothing. */
  get isJson(): boolean {
    return this.#root !== undefined
  }

  /** Standard output as it is, JSON or not. */
  raw(text: string): void {
    const last = this.chunks.at(-1)
    if (last?.fd === 1) last.text += text
    else this.chunks.push({ fd: 1, text })
  }

  error(text: string): void {
    this.chunks.push({ fd: 2, text })
  }

  /** For people only. */
  text(text: string): void {
    if (!this.#root) this.raw(text)
  }

  /** For JSON only. An element if there is no key. */
  json(key: string | undefined, value: string | number | boolean | null): void {
    if (this.#root) this.#add(key, value)
  }

  /** For JSON only: a number with all its digits. */
  decimal(key: string, text: string): void {
    if (this.#root) this.#add(key, { kind: 'decimal', text })
  }

  /** Both: the value in JSON, the text for people. */
  field(key: string | undefined, value: string | number | boolean | null, text: string): void {
    if (this.#root) this.#add(key, value)
    else this.raw(text)
  }

  openObject(key?: string): void {
    this.#push(key, { kind: 'object', members: [] })
  }

  openArray(key?: string): void {
    this.#push(key, { kind: 'array', items: [] })
  }

  /** Closes what was opened last. */
  close(): void {
    this.#open.pop()
  }

  /** Begins the document, an array, if `on`. */
  begin(on: boolean): void {
    if (!on) return
    this.#root = { kind: 'array', items: [] }
    this.#open = [this.#root]
  }

  /** Prints the document, if one was begun. */
  end(): void {
    const root = this.#root
    this.#root = undefined
    if (root) this.raw(`${emit(root, this.#pretty ? 0 : -1)}\n`)
  }

  #push(key: string | undefined, node: JsonArray | JsonObject): void {
    if (!this.#root) return
    this.#add(key, node)
    this.#open.push(node)
  }

  #add(key: string | undefined, value: Json): void {
    const into = this.#open.at(-1)!
    if (into.kind === 'array') into.items.push(value)
    else into.members.push([key ?? '', value])
  }
}

/** iproute2's layout: four columns a level for members, arrays within the line. depth -1: no blanks at all. */
function emit(value: Json, depth: number): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (value.kind === 'decimal') return value.text
  const pretty = depth >= 0
  const inner = pretty ? depth + 1 : -1
  const newline = (level: number) => (pretty ? `\n${' '.repeat(4 * level)}` : '')
  if (value.kind === 'array') {
    const items = value.items.map((item) => emit(item, inner)).join(',')
    if (!pretty) return `[${items}]`
    return value.items.length === 0 ? '[ ]' : `[ ${items} ]`
  }
  const members = value.members.map(
    ([key, member]) => `${newline(inner)}${JSON.stringify(key)}:${pretty ? ' ' : ''}${emit(member, inner)}`,
  )
  return `{${members.join(',')}${members.length > 0 ? newline(depth) : ''}}`
}
