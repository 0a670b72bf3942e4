/** What all handlers of keywords share: where to complain, what is being filled in, and common shapes of settings. */
import { NotModelled } from '#base/check'
import type { Body } from '#kernel/core'
import type { Interfaces, Nic } from './interfaces.ts'
import type { Handler, Keyword, KeywordReader, Words } from './keywords.ts'
import type { Log } from './log.ts'
import type { GlobalConfig, VrrpConfig } from './model.ts'
import { readFlag, readInt, readSeconds, readUnsigned, UINT_MAX } from './numbers.ts'
import type { Reader } from './reader.ts'
import type { ScriptContext } from './scripts.ts'

/** Seconds in an unsigned number of microseconds. */
export const UINT_SECONDS = Math.floor(UINT_MAX / 1_000_000)

export class Configuration implements ScriptContext {
  readonly reader: Reader
  readonly keywords: KeywordReader
  readonly log: Log
  readonly global: GlobalConfig
  readonly vrrp: VrrpConfig
  readonly interfaces: Interfaces
  readonly users: ReadonlyMap<string, number>
  readonly reloading: boolean

  constructor(fields: {
    reader: Reader
    keywords: KeywordReader
    global: GlobalConfig
    vrrp: VrrpConfig
    interfaces: Interfaces
    users: ReadonlyMap<string, number>
    reloading: boolean
  }) {
    this.reader = fields.reader
    this.keywords = fields.keywords
    this.log = fields.reader.log
    this.global = fields.global
    this.vrrp = fields.vrrp
    this.interfaces = fields.interfaces
    this.users = fields.users
    this.reloading = fields.reloading
  }

  wrong(text: string): void {
    this.reader.report('GENERAL', text)
  }

  /** An interface that is named; it may come yet. */
  nic(name: string): Nic | undefined {
    return this.interfaces.wanted(name, (text) => this.log.info(text))
  }

  /** The block that is read says nothing further. */
  skipBlock(): void {
    this.keywords.skipBlock(true)
  }

  readUnsigned(text: string, least: number, most: number, lenient: boolean): number | undefined {
    return readUnsigned(this.reader, text, least, most, lenient)
  }

  unsigned(words: Words, at: number, least: number, most: number, lenient: boolean): number | undefined {
    return readUnsigned(this.reader, words.at(at), least, most, lenient)
  }

  int(words: Words, at: number, least: number, most: number, lenient: boolean): number | undefined {
    return readInt(this.reader, words.at(at), least, most, lenient)
  }

  seconds(words: Words, at: number, least: number, most: number, lenient: boolean): number | undefined {
    return readSeconds(this.reader, words.at(at), least, most, lenient)
  }

  /** A flag that may be left out: then it is on. Undefined: written badly, and said so. */
  flag(words: Words, complaint: (value: string) => string): boolean | undefined {
    if (words.count < 2) return true
    const read = readFlag(words.at(1))
    if (read === undefined) this.wrong(complaint(words.at(1)))
    return read
  }

  /** A number into a field. */
  number(
    least: number,
    most: number,
    lenient: boolean,
    complaint: (value: string) => string,
    set: (value: number) => void,
  ): Handler {
    return (words) => {
      const read = this.unsigned(words, 1, least, most, lenient)
      if (read === undefined) this.wrong(complaint(words.at(1)))
      else set(read)
    }
  }
}

/** A block of lines without keywords. */
export function block(config: Configuration, take: (words: Words) => void): Handler {
  return (words): Body<void> => config.keywords.block(words, take)
}

/** keepalived has it, and this one doesn't. */
export function notModelled(name: string): Keyword {
  return {
    name,
    run: () => {
      throw new NotModelled(`keepalived.conf: ${name}`)
    },
  }
}

/** Kept or not, it changes nothing that a lab can see. */
export function unseen(name: string): Keyword {
  return { name, run: () => undefined }
}
