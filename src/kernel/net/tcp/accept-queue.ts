/** What a listening socket keeps: requests without an answer, and connections that wait for accept(2). struct request_sock_queue. */
import type { TcpSock } from './sock.ts'

export class AcceptQueue {
  /** sk_max_ack_backlog. */
  backlog: number
  /** Requests, and those among them whose SYN-ACK was sent once only. */
  requests = 0
  young = 0
  #ready: TcpSock[] = []
  #head = 0
  synFloodWarned = false
  /** When a SYN was last answered with a cookie or dropped for want of room, in jiffies. */
  overflowAt = 0

  constructor(backlog: number) {
    this.backlog = backlog
  }

  get length(): number {
    return this.#ready.length - this.#head
  }

  /** sk_acceptq_is_full(): one more than the backlog fits. */
  get full(): boolean {
    return this.length > this.backlog
  }

  get requestsFull(): boolean {
    return this.requests > this.backlog
  }

  push(socket: TcpSock): void {
    this.#ready.push(socket)
  }

  shift(): TcpSock | undefined {
    if (this.#head >= this.#ready.length) return undefined
    const first = this.#ready[this.#head]!
    this.#ready[this.#head++] = undefined as never // So that it isn't kept alive.
    if (this.#head > 64 && this.#head * 2 > this.#ready.length) {
      this.#ready = this.#ready.slice(this.#head)
      this.#head = 0
    }
    return first
  }
}
