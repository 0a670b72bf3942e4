/** What has come in sequence and nobody has read: packets, and the memory that is freed when each has been read. sk_receive_queue. */
import type { Packet } from '#wire/inet'

const NO_PACKETS: Packet[] = []
const NO_SIZES: number[] = []

export class Received {
  // Filled from `head` to `tail`; places are used again when all has been read, so that nothing is allocated meanwhile.
  #packets = NO_PACKETS
  #sizes = NO_SIZES
  #head = 0
  #tail = 0
  /** How many are joined to the last head, and how many bytes could be copied behind it. */
  frags = 0
  room = 0

  get length(): number {
    return this.#tail - this.#head
  }

  /** The one so many places behind the first. */
  at(index: number): Packet {
    return this.#packets[this.#head + index]!
  }

  /** What is freed when that one has been read; 0: it is freed with a later one. */
  sizeAt(index: number): number {
    return this.#sizes[this.#head + index]!
  }

  setSize(index: number, size: number): void {
    this.#sizes[this.#head + index] = size
  }

  push(packet: Packet, size: number): void {
    const at = this.#tail++
    if (this.#packets === NO_PACKETS) {
      this.#packets = [packet]
      this.#sizes = [size]
    } else {
      this.#packets[at] = packet
      this.#sizes[at] = size
    }
  }

  /** Takes the first away; returns what is freed. */
  shift(): number {
    const at = this.#head++
    const size = this.#sizes[at]!
    this.#packets[at] = undefined as never
    if (this.#head === this.#tail) {
      this.#head = 0
      this.#tail = 0
    } else if (this.#head > 256 && this.#head * 2 > this.#tail) this.#compact()
    return size
  }

  #compact(): void {
    this.#packets = this.#packets.slice(this.#head, this.#tail)
    this.#sizes = this.#sizes.slice(this.#head, this.#tail)
    this.#tail -= this.#head
    this.#head = 0
  }

  clear(): void {
    this.#packets = NO_PACKETS
    this.#sizes = NO_SIZES
    this.#head = 0
    this.#tail = 0
  }
}
