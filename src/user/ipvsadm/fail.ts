/** A mistake that ends the program at once, with what it says and its exit status. */
export class Fail extends Error {
  override readonly name = 'Fail'
  readonly status: number

  constructor(message: string, status = 2) {
    super(message)
    this.status = status
  }
}

/** -1 as an exit status. */
export const FAILED = 255
