/**
 * IPv6 addresses: one object for each address, so that `===` compares and a packet holds a reference. RFC 4291.
 */

export class Ipv6Address {
  /** Numbers the addresses in the order in which they were first met: a key for tables, never an order to show. */
  readonly id: number
  /** The four 32-bit words, unsigned, the first at the left. */
  readonly w0: number
  readonly w1: number
  readonly w2: number
  readonly w3: number

  constructor(id: number, w0: number, w1: number, w2: number, w3: number) {
    this.id = id
    this.w0 = w0
    this.w1 = w1
    this.w2 = w2
    this.w3 = w3
  }
}
