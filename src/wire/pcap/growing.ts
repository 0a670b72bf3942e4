/**
 * A file that grows at its end. It is kept in pieces that are never moved: appending costs the same at the millionth
 * frame as at the first, and the pieces are joined once, when somebody wants the file.
 */
const FIRST = 16 * 1024
const LARGEST = 1024 * 1024

export class GrowingFile {
  #full: Uint8Array[] = []
  #fullLength = 0
  /** The piece that is being filled, and how far it is. Writers put bytes there after `reserve`. */
  piece = new Uint8Array(FIRST)
  at = 0

  get length(): number {
    return this.#fullLength + this.at
  }

  /** Makes room for so many bytes in one piece. */
  reserve(length: number): void {
    if (this.at + length <= this.piece.length) return
    if (this.at > 0) this.#full.push(this.piece.subarray(0, this.at))
    this.#fullLength += this.at
    this.piece = new Uint8Array(Math.max(length, Math.min(LARGEST, this.piece.length * 2)))
    this.at = 0
  }

  put16(value: number): void {
    const { piece, at } = this
    piece[at] = value
    piece[at + 1] = value >>> 8
    this.at = at + 2
  }

  put32(value: number): void {
    const { piece, at } = this
    piece[at] = value
    piece[at + 1] = value >>> 8
    piece[at + 2] = value >>> 16
    piece[at + 3] = value >>> 24
    this.at = at + 4
  }

  putBytes(bytes: Uint8Array): void {
    this.piece.set(bytes, this.at)
    this.at += bytes.length
  }

  /** The whole file, copied. */
  bytes(): Uint8Array {
    const whole = new Uint8Array(this.length)
    let at = 0
    for (const piece of this.#full) {
      whole.set(piece, at)
      at += piece.length
    }
    whole.set(this.piece.subarray(0, this.at), at)
    return whole
  }

  /** What was written since the last drain, given away. */
  drain(): Uint8Array {
    const bytes = this.bytes()
    this.#full = []
    this.#fullLength = 0
    this.at = 0
    return bytes
  }
}
