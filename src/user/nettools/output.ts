/** What a tool says, in order, written at its end: these tools never wait for anything in between. */
import { encodeUtf8 } from '#base/bytes'
import type { Body, Sys } from '#kernel/core'

export class Output {
  readonly #chunks: { fd: 1 | 2; text: string }[] = []

  print(text: string): void {
    this.#add(1, text)
  }

  error(text: string): void {
    this.#add(2, text)
  }

  #add(fd: 1 | 2, text: string): void {
    const last = this.#chunks.at(-1)
    if (last?.fd === fd) last.text += text
    else this.#chunks.push({ fd, text })
  }

  *write(sys: Sys): Body<void> {
    for (const { fd, text } of this.#chunks) yield* sys.write(fd, encodeUtf8(text))
  }
}
