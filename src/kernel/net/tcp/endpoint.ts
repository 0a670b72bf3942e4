/**
 * What stands in the table of connections: a socket, what is left of one in TIME-WAIT, or a request that isn't one yet.
 * Linux 6.1 include/net/sock.h: struct sock_common; net/ipv4/inet_hashtables.c: __inet_lookup_established().
 */
import type { Address } from './sock.ts'

export class Endpoint {
  state: number
  /** The address and port here, and the peer's. */
  local: Address
  localPort: number
  remote: Address
  remotePort: number
  /** SO_BINDTODEVICE; 0: any. */
  boundDevice: number
  /** Its place in the table of connections. */
  hashKey = 0
  hashNext: Endpoint | undefined = undefined
  hashed = false

  constructor(
    state: number,
    local: Address,
    localPort: number,
    remote: Address,
    remotePort: number,
    boundDevice: number,
  ) {
    this.state = state
    this.local = local
    this.localPort = localPort
    this.remote = remote
    this.remotePort = remotePort
    this.boundDevice = boundDevice
  }
}

function addressKey(address: Address): number {
  return typeof address === 'number' ? address : address.id
}

/** Mixes a connection's four numbers. */
export function connectionKey(local: Address, localPort: number, remote: Address, remotePort: number): number {
  let h = Math.imul(addressKey(local) ^ 0x9e3779b9, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 15) ^ addressKey(remote), 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 13) ^ ((localPort << 16) | remotePort), 0x27d4eb2f)
  return (h ^ (h >>> 15)) >>> 0
}

/** The table of connections. */
export class ConnectionTable {
  #buckets: (Endpoint | undefined)[] = new Array(16).fill(undefined)
  size = 0

  find(local: Address, localPort: number, remote: Address, remotePort: number, device: number): Endpoint | undefined {
    if (this.size === 0) return undefined
    const key = connectionKey(local, localPort, remote, remotePort)
    for (let one = this.#buckets[key & (this.#buckets.length - 1)]; one !== undefined; one = one.hashNext) {
      if (
        one.remotePort === remotePort &&
        one.localPort === localPort &&
        one.remote === remote &&
        one.local === local &&
        (one.boundDevice === 0 || one.boundDevice === device)
      ) {
        return one
      }
    }
    return undefined
  }

  add(one: Endpoint): void {
    if (this.size >= this.#buckets.length) this.#grow()
    one.hashKey = connectionKey(one.local, one.localPort, one.remote, one.remotePort)
    const at = one.hashKey & (this.#buckets.length - 1)
    one.hashNext = this.#buckets[at]
    this.#buckets[at] = one
    one.hashed = true
    this.size++
  }

  remove(one: Endpoint): void {
    if (!one.hashed) return
    const at = one.hashKey & (this.#buckets.length - 1)
    let other = this.#buckets[at]
    if (other === one) this.#buckets[at] = one.hashNext
    else {
      while (other !== undefined && other.hashNext !== one) other = other.hashNext
      if (other) other.hashNext = one.hashNext
    }
    one.hashNext = undefined
    one.hashed = false
    this.size--
  }

  #grow(): void {
    const old = this.#buckets
    this.#buckets = new Array(old.length * 4).fill(undefined)
    const mask = this.#buckets.length - 1
    for (const head of old) {
      let one = head
      while (one !== undefined) {
        const next: Endpoint | undefined = one.hashNext
        one.hashNext = this.#buckets[one.hashKey & mask]
        this.#buckets[one.hashKey & mask] = one
        one = next
      }
    }
  }

  /** All of them, in the order of the table. */
  *[Symbol.iterator](): Generator<Endpoint> {
    for (const head of this.#buckets) {
      for (let one = head; one !== undefined; one = one.hashNext) yield one
    }
  }
}
