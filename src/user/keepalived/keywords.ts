/**
 * Keywords, blocks in blocks, and what reads them. A process reads the whole configuration, but only some blocks say anything to
 * it: the others are skipped unread, and only noticed.
 *
 * keepalived 2.2.7 lib/parser.c: process_stream(), alloc_value_block()
 */
import type { Body } from '#kernel/core'
import { MissingParameter, type Reader } from './reader.ts'
import { splitWords } from './words.ts'

/** What a keyword does; the words begin with it. It may read lines of a block. */
export type Handler = (words: Words) => Body<void> | void

export interface Keyword {
  name: string
  run?: Handler | undefined
  sub?: Keyword[]
  /** At a block's end. */
  end?: () => void
  /** Not this process's to read: only noticed. */
  skipped?: (() => void) | undefined
}

/** A line's words; asking for one that isn't there ends the process. */
export class Words {
  readonly all: string[]
  /** The line itself. */
  readonly line: string
  readonly #reader: Reader

  constructor(reader: Reader, all: string[], line: string) {
    this.#reader = reader
    this.all = all
    this.line = line
  }

  get count(): number {
    return this.all.length
  }

  at(index: number): string {
    const word = this.all[index]
    if (word !== undefined) return word
    const before = this.all[index - 1]
    const after = before === undefined ? '' : ` after keyword \`${before}\``
    this.#reader.report(
      'MISSING_PARAMETER',
      `*** Configuration line starting \`${this.all[0] ?? '***MISSING ***'}\` is missing a parameter${after} at word position ${index + 1}`,
    )
    throw new MissingParameter()
  }
}

export class KeywordReader {
  readonly reader: Reader
  /** Blocks still to be skipped; -1: one that may begin on the next line. */
  #skip = 0
  #level = 0

  constructor(reader: Reader) {
    this.reader = reader
  }

  /** A handler wants nothing more of its block. */
  skipBlock(needsStart: boolean): void {
    this.#skip = needsStart ? -1 : 1
  }

  *read(keywords: readonly Keyword[]): Body<void> {
    yield* this.#stream(keywords, false)
    const { depth } = this.reader
    if (depth > 0) this.reader.report('MISSING_EOB', `There are ${depth} missing '}'s or extra '{'s`)
  }

  #split(line: string): string[] {
    const { words, unmatched } = splitWords(line)
    if (unmatched) this.reader.report('UNMATCHED_QUOTE', `Unmatched quote: '${line}'`)
    return words
  }

  /** Whether the block was skipped. */
  *#stream(keywords: readonly Keyword[], wantsStart: boolean): Body<boolean> {
    const { reader } = this
    let needStart = wantsStart
    let refused = false
    for (;;) {
      const line = yield* reader.line()
      if (line === undefined) return false
      const words = this.#split(line)
      const first = words[0]
      if (first === undefined) continue
      if (this.#skip === -1) {
        if (first === '{') {
          this.#skip = 1
          needStart = false
          continue
        }
        this.#skip = 0 // It has no block; what looks like one says nothing.
        refused = needStart
      }
      if (this.#skip > 0) {
        const last = this.#skipLine(words)
        if (last === '}' && this.#skip === 0 && this.#level > 0) return true
        continue
      }
      if (needStart) {
        needStart = false
        if (first === '{' && this.#level > 0) continue
        reader.report('MISSING_BOB', "Missing '{' at beginning of configuration block")
      } else if (first === '{') {
        reader.report('UNEXPECTED_BOB', "Unexpected '{' - ignoring")
        continue
      }
      if (first === '}' && this.#level > 0) return false
      const keyword = keywords.find(({ name }) => name === first)
      if (keyword && refused) continue
      if (keyword) yield* this.#run(keyword, words, line)
      else reader.report('UNKNOWN_KEYWORD', `Unknown keyword '${first}'`)
    }
  }

  #skipLine(words: string[]): string {
    let last = ''
    for (last of words) {
      if (last === '{') this.#skip++
      else if (last === '}' && --this.#skip === 0) break
    }
    return last
  }

  *#run(keyword: Keyword, words: string[], line: string): Body<void> {
    const { skipped, sub } = keyword
    if (skipped) {
      this.#skip = words.at(-1) === '{' ? 1 : -1
      skipped()
    }
    let startNeeded = true
    if (sub && words.at(-1) === '{') {
      words.pop()
      startNeeded = false
    }
    if (!skipped) {
      const more = keyword.run?.(new Words(this.reader, words, line))
      if (more) yield* more
    }
    if (!sub) return
    this.#level++
    const gone = yield* this.#stream(sub, startNeeded)
    this.#level--
    if (!gone && !skipped) keyword.end?.()
  }

  /** The lines of a block that has no keywords, one after the other. */
  *block(words: Words, take: (words: Words) => void): Body<void> {
    const { reader } = this
    let needStart = true
    if (words.count > 1) {
      if (words.all[1] === '{') {
        needStart = false
        const rest = words.all.slice(2)
        const ends = rest.at(-1) === '}'
        if (ends) rest.pop()
        if (rest.length > 0) take(new Words(reader, rest, words.line))
        if (ends) return
      } else reader.report('GENERAL', `Block ${words.at(0)} has extra parameters ${words.at(1)} ...`)
    }
    for (;;) {
      const line = yield* reader.line()
      if (line === undefined) return
      const all = this.#split(line)
      if (all.length === 0) continue
      if (needStart) {
        needStart = false
        if (all[0] === '{') {
          all.shift()
          if (all.length === 0) continue
        } else reader.log.info(`'{' missing from beginning of block ${words.at(0)}`)
      }
      const ends = all.at(-1) === '}'
      if (ends) all.pop()
      if (all.length > 0) take(new Words(reader, all, line))
      if (ends) return
    }
  }

  /** All words of such a block. */
  *words(words: Words): Body<string[]> {
    const all: string[] = []
    yield* this.block(words, (line) => {
      all.push(...line.all)
    })
    return all
  }
}
