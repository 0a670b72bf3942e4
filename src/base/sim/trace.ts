/**
 * Traces: places where something can be listened to, free while nobody does.
 *
 *     if (trace.listeners !== 0) trace.emit({ ... })   // the event is only made when somebody listens
 */
export class Trace<T> {
  /** How many listen. */
  listeners = 0
  #list: ((event: T) => void)[] = []

  emit(event: T): void {
    for (const listener of this.#list) listener(event)
  }

  /** Returns what ends the listening. */
  listen(listener: (event: T) => void): () => void {
    this.#list = [...this.#list, listener]
    this.listeners = this.#list.length
    return () => {
      this.#list = this.#list.filter((other) => other !== listener)
      this.listeners = this.#list.length
    }
  }
}
