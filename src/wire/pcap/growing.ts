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
  view = new DataView(this.piece.buffer)
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
    this.view = new DataView(this.piece.buffer)
    this.at = 0
  }

  put16(value: number): void {
    this.view.setUint16(this.at, value, true)
    this.at += 2
  }

  put32(value: number): void {
    this.view.setUint32(this.at, value, true)
    this.at += 4
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
