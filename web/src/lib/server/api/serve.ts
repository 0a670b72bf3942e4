/** Serves the table of routes: who asks, how often, what they say; and what comes of it, as JSON or as a problem. */
import { createHash } from 'node:crypto'
import type { RequestEvent } from '@sveltejs/kit'
import * as v from 'valibot'
import { IMPORT_BYTES_MAX } from '#reading/jobs'
import { Refusal, type Scope } from '#reading/store'
import { Limiter } from '../guard.ts'
import { currentStore } from '../room.ts'
import { openapi } from './openapi.ts'
import { Problem, problemResponse } from './problem.ts'
import type { Call, Route } from './route.ts'
import { ROUTES } from './routes.ts'

const JSON_MAX = 1 << 20
const perCaller = new Limiter(600, 60_000)
const perGuess = new Limiter(30, 60_000)

const patterns = ROUTES.map((route) => ({
  route,
  names: [...route.path.matchAll(/\{(\w+)\}/gu)].map((match) => match[1]!),
  pattern: new RegExp(`^${route.path.replace(/\{\w+\}/gu, '([^/]+)')}$`, 'u'),
}))

/** Answers a request under /api/v1. */
export async function serveApi(event: RequestEvent, path: string): Promise<Response> {
  try {
    return await answer(event, `/${path.replace(/\/$/u, '')}`)
  } catch (error) {
    return problemResponse(toProblem(error))
  }
}

const STATUS = { invalid: 422, 'not-found': 404, forbidden: 403, conflict: 409 } as const

function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof Refusal) return new Problem(STATUS[error.reason], error.message)
  if ((error as Error)?.name === 'DatabaseBusy') return new Problem(503, (error as Error).message)
  console.error(error)
  return new Problem(500, 'a mistake of ours; the server’s log says more')
}

async function answer(event: RequestEvent, path: string): Promise<Response> {
  const { request, url } = event
  limit(perCaller, event.locals.user ? `user ${event.locals.user.id}` : event.getClientAddress())
  const method = request.method === 'HEAD' ? 'GET' : request.method
  if (path === '/openapi.json' && method === 'GET') return withTag(request, JSON.stringify(openapi(url.origin)), 200)
  const matching = patterns.filter(({ pattern }) => pattern.test(path))
  if (matching.length === 0) throw new Problem(404, `no route ${path.slice(0, 200)}; /api/v1/openapi.json lists them`)
  // What is written out wins over a parameter: /users/me.
  matching.sort((a, b) => a.names.length - b.names.length)
  const found = matching.find(({ route }) => route.method === method)
  const allow = [...new Set(matching.map(({ route }) => route.method))].join(', ')
  if (method === 'OPTIONS') return new Response(null, { status: 204, headers: { allow } })
  if (!found) throw new Problem(405, `${path} takes ${allow}`, [], { allow })
  const { route, pattern, names } = found
  const store = await currentStore()
  const user = await caller(event, route, store)
  const values = pattern.exec(path)!.slice(1)
  const params: Record<string, unknown> = {}
  for (const [i, name] of names.entries())
    params[name] = check(route.params![name] as v.GenericSchema, decode(values[i]!), name, 404)
  const call: Call<unknown, unknown, unknown> = {
    store,
    by: user?.id ?? 0,
    viewer: user?.id,
    user,
    origin: url.origin,
    lang: event.locals.locale,
    params,
    query: route.query ? check(route.query, Object.fromEntries(url.searchParams), '', 400) : undefined,
    body: route.body && route.body !== 'file' ? check(route.body, await readJson(request), '/', 422) : undefined,
    bytes: route.body === 'file' ? await readBytes(request, IMPORT_BYTES_MAX) : new Uint8Array(),
  }
  const result = await route.run(call as never)
  if (result instanceof Response) return result
  if (route.answer === undefined) return new Response(null, { status: route.status })
  return withTag(request, JSON.stringify(result), route.status)
}

const ENOUGH: Readonly<Record<Route['needs'], readonly Scope[]>> = {
  nothing: [],
  read: ['read', 'write', 'admin'],
  write: ['write', 'admin'],
  admin: ['admin'],
}

/** By a token, or by the session of a page of ours. */
async function caller(event: RequestEvent, route: Route, store: Awaited<ReturnType<typeof currentStore>>) {
  const header = event.request.headers.get('authorization')
  const challenge = { 'www-authenticate': 'Bearer realm="kaidoku"' }
  if (header !== null) {
    const token = /^Bearer\s+(\S{1,200})$/iu.exec(header)?.[1]
    const found = token === undefined ? undefined : await store.tokens.find(token)
    if (!found) {
      limit(perGuess, event.getClientAddress())
      throw new Problem(401, 'this token is nobody’s, or is over', [], challenge)
    }
    const needed = ENOUGH[route.needs]
    if (route.needs !== 'nothing' && !found.scopes.some((scope) => needed.includes(scope)))
      throw new Problem(403, `this token hasn’t the scope ${route.needs}`)
    const account = await store.people.find({ id: found.userId })
    if (!account) throw new Problem(401, 'this token is nobody’s', [], challenge)
    return { id: account.id, handle: account.handle, name: account.name, role: account.role }
  }
  if (route.needs !== 'nothing' && !event.locals.user)
    throw new Problem(401, 'send a token: Authorization: Bearer …; Settings → Tokens makes one', [], challenge)
  return event.locals.user
}

function limit(limiter: Limiter, key: string) {
  const wait = limiter.take(key)
  if (wait > 0) throw new Problem(429, `again in ${wait} seconds`, [], { 'retry-after': String(wait) })
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new Problem(400, 'an address with a broken % in it')
  }
}

function check(schema: v.GenericSchema, value: unknown, where: string, status: number): unknown {
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
  const errors = result.issues.slice(0, 20).map((issue) => {
    const path = (issue.path ?? []).map((item) => String(item.key))
    return {
      at: where === '/' ? `/${path.join('/')}` : [where, ...path].filter(Boolean).join('.'),
      what: issue.message,
    }
  })
  throw new Problem(status, errors.map(({ at, what }) => `${at}: ${what}`).join('; '), errors)
}

async function readJson(request: Request): Promise<unknown> {
  if (!/^application\/(?:[a-z.+-]+\+)?json\b/iu.test(request.headers.get('content-type') ?? ''))
    throw new Problem(415, 'send JSON, and say so: Content-Type: application/json')
  try {
    return JSON.parse(
      new TextDecoder('utf-8', { fatal: true }).decode(await readBytes(request, JSON_MAX)),
      (_, value) => (typeof value === 'string' ? value.replaceAll('\0', '') : value),
    )
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem(400, 'the body isn’t JSON')
  }
}

async function readBytes(request: Request, max: number): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length')) > max) throw new Problem(413, `at most ${max} bytes`)
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > max) throw new Problem(413, `at most ${max} bytes`)
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

/** With an ETag, so that whoever asks again for the same gets nothing anew. */
function withTag(request: Request, body: string, status: number): Response {
  const headers: Record<string, string> = { 'content-type': 'application/json', 'cache-control': 'private, no-cache' }
  if (request.method === 'GET' || request.method === 'HEAD') {
    const tag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
    headers['etag'] = tag
    if ((request.headers.get('if-none-match') ?? '').split(/,\s*/u).includes(tag))
      return new Response(null, { status: 304, headers })
  }
  return new Response(body, { status, headers })
}
