/** What went wrong, as RFC 9457 has it: a document with a type, and for each field that is wrong its place and reason. */

export interface FieldError {
  /** A JSON pointer into the body, or a parameter's name. */
  at: string
  what: string
}

const TITLES: Record<number, string> = {
  400: 'the request can’t be read',
  401: 'a token is needed',
  403: 'not allowed',
  404: 'there is nothing here',
  405: 'not this method',
  409: 'it is otherwise by now',
  413: 'too large',
  415: 'not this kind of content',
  422: 'a field is wrong',
  429: 'too many requests',
  500: 'a mistake of ours',
  503: 'the library can’t be opened',
}

export class Problem extends Error {
  override readonly name = 'Problem'
  readonly status: number
  readonly errors: readonly FieldError[]
  readonly headers: Record<string, string>
  constructor(
    status: number,
    detail: string,
    errors: readonly FieldError[] = [],
    headers: Record<string, string> = {},
  ) {
    super(detail)
    this.status = status
    this.errors = errors
    this.headers = headers
  }
}

/** The document. */
export function problemResponse({ status, message, errors, headers }: Problem): Response {
  const body = {
    type: 'about:blank',
    title: TITLES[status] ?? 'it can’t be done',
    status,
    detail: message,
    ...(errors.length > 0 ? { errors } : {}),
  }
  return new Response(JSON.stringify(body), {
    status,
    headers: { ...headers, 'content-type': 'application/problem+json' },
  })
}
