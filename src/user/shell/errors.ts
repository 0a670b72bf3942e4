/** How control leaves a command other than by its end: break, continue, return, exit, and mistakes that abandon a command. */

export class BreakLoop {
  levels: number
  readonly kind: 'break' | 'continue'
  constructor(kind: 'break' | 'continue', levels: number) {
    this.kind = kind
    this.levels = levels
  }
}

export class ReturnFromFunction {
  readonly status: number
  constructor(status: number) {
    this.status = status
  }
}

export class ExitShell {
  readonly status: number
  constructor(status: number) {
    this.status = status
  }
}

/** A mistake in an expansion: printed, and the whole command line is abandoned (a shell that isn't interactive exits). */
export class ExpansionError extends Error {
  readonly status: number
  /** Whether a shell that isn't interactive exits. */
  readonly fatal: boolean
  constructor(message: string, status = 1, fatal = false) {
    super(message)
    this.status = status
    this.fatal = fatal
  }
}

/** A redirection that failed: printed, and the command isn't run. */
export class RedirectionError extends Error {}

/** The terminal's interrupt character, or a timeout: back to the prompt. */
export class Interrupted {}
