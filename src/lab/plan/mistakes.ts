/** An author's mistakes: where, what, and what would do. They are collected, and all reported at once. */

export interface SourcePosition {
  file: string
  /** From 1. */
  line: number
  /** From 1, in UTF-16 units. */
  column: number
}

/** One mistake in an article or a lab. */
export class ArticleError extends Error {
  override readonly name = 'ArticleError'
  readonly at: SourcePosition
  readonly what: string
  readonly hint: string
  constructor(at: SourcePosition, what: string, hint: string) {
    super(`${at.file}:${at.line}:${at.column}: ${what}; ${hint}`)
    this.at = at
    this.what = what
    this.hint = hint
  }
}

/** More than this many are not collected: a file that isn't an article at all needn't be listed line by line. */
const MISTAKES_MAX = 100

export class Mistakes {
  readonly list: ArticleError[] = []

  add(at: SourcePosition, what: string, hint: string): void {
    if (this.list.length < MISTAKES_MAX) this.list.push(new ArticleError(at, what, hint))
  }
}
