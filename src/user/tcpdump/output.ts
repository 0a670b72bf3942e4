/** stdio's buffer: by lines on a terminal, by blocks of 4096 bytes otherwise; what a killed program had in it is lost. */
import { encodeUtf8 } from '#base/bytes'
import type { Body, Sys } from '#kernel/core'

const BLOCK = 4096

export class BufferedOutput {
  readonly #sys: Sys
  readonly #fd: number
  readonly #byLine: boolean
  #pending: Uint8Array[] = []
  #length = 0

  constructor(sys: Sys, fd: number, byLine: boolean) {
    this.#sys = sys
    this.#fd = fd
    this.#byLine = byLine
  }

  /** Takes text or bytes, and writes as much as stdio would. */
  *put(content: string | Uint8Array): Body<void> {
    const bytes = typeof content === 'string' ? encodeUtf8(content) : content
    this.#pending.push(bytes)
    this.#length += bytes.length
    if (this.#byLine) yield* this.flush()
    else if (this.#length >= BLOCK) yield* this.#write(this.#length - (this.#length % BLOCK))
  }

  *flush(): Body<void> {
    if (this.#length > 0) yield* this.#write(this.#length)
  }

  *#write(length: number): Body<void> {
    const all = new Uint8Array(this.#length)
    let at = 0
    for (const piece of this.#pending) {
      all.set(piece, at)
      at += piece.length
    }
    this.#pending = length < all.length ? [all.slice(length)] : []
    this.#length = all.length - length
    yield* this.#sys.write(this.#fd, all.subarray(0, length))
  }
}
