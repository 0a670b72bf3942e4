/** What a route of the API is: a row of a table, by which requests are served and the document is made. */
import type * as v from 'valibot'
import type { Store } from '#reading/store'

/** The least scope of a token; a session of one's own browser has them all. */
export type Needs = 'nothing' | 'read' | 'write' | 'admin'

export interface Call<P, Q, B> {
  store: Store
  /** Set where the route needs somebody. */
  by: number
  viewer: number | undefined
  user: App.User | undefined
  origin: string
  lang: string
  params: P
  query: Q
  body: B
  /** Of a route that takes a file. */
  bytes: Uint8Array
}

export interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** `/bookmarks/{id}` */
  path: string
  summary: string
  needs: Needs
  params: Record<string, v.GenericSchema> | undefined
  query: v.GenericSchema | undefined
  body: v.GenericSchema | 'file' | undefined
  status: number
  /** Undefined: no content; 'file': whatever it is. */
  answer: v.GenericSchema | 'file' | undefined
  run(call: Call<Record<string, never>, never, never>): Promise<unknown>
}

type Out<S> = S extends v.GenericSchema ? v.InferOutput<S> : undefined
type Params<P> =
  P extends Record<string, v.GenericSchema> ? { [K in keyof P]: v.InferOutput<P[K]> } : Record<string, never>

/** A row, its parts' types seen to. */
export function route<
  P extends Record<string, v.GenericSchema> | undefined = undefined,
  Q extends v.GenericSchema | undefined = undefined,
  B extends v.GenericSchema | 'file' | undefined = undefined,
  A extends v.GenericSchema | 'file' | undefined = undefined,
>(
  signature: `${Route['method']} /${string}`,
  summary: string,
  about: { needs: Needs; params?: P; query?: Q; body?: B; answer?: A; status?: number },
  run: (
    call: Call<Params<P>, Out<Q>, Out<B>>,
  ) => Promise<A extends v.GenericSchema ? v.InferInput<A> : A extends 'file' ? Response : void>,
): Route {
  const [method, path] = signature.split(' ') as [Route['method'], string]
  return {
    method,
    path,
    summary,
    needs: about.needs,
    params: about.params as Route['params'],
    query: about.query as Route['query'],
    body: about.body as Route['body'],
    answer: about.answer as Route['answer'],
    status: about.status ?? (about.answer === undefined ? 204 : 200),
    run: run as unknown as Route['run'],
  }
}
