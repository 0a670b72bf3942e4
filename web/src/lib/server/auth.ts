/**
 * Accounts and sessions by better-auth, on the store's own tables. Of its routes only those of a sign-in with an OpenID
 * provider are served; all else goes through our own forms, which work without scripts, and through what is here.
 */
import type { RequestEvent } from '@sveltejs/kit'
import { betterAuth } from 'better-auth'
import { drizzleAdapter } from 'better-auth/adapters/drizzle'
import { APIError, createAuthEndpoint } from 'better-auth/api'
import { setSessionCookie } from 'better-auth/cookies'
import { genericOAuth, username } from 'better-auth/plugins'
import * as v from 'valibot'
import type { Store } from '#reading/store'
import { env } from '$env/dynamic/private'
import { signUpMode } from './policy.ts'

const DAY_S = 86_400
const BASE = '/api/auth'

/** As what somebody may be called: it stands in addresses. */
export const HANDLE = /^[a-z0-9](?:[a-z0-9_.-]{0,28}[a-z0-9])?$/u

/** The OpenID provider of KAIDOKU_OIDC_ISSUER, _CLIENT_ID, _CLIENT_SECRET and _NAME, if there is one. */
export function provider(): { id: 'oidc'; name: string } | undefined {
  const issuer = env['KAIDOKU_OIDC_ISSUER']
  if (!issuer || !env['KAIDOKU_OIDC_CLIENT_ID'] || !URL.canParse(issuer)) return undefined
  return { id: 'oidc', name: env['KAIDOKU_OIDC_NAME'] || new URL(issuer).hostname }
}

/** Opens a session for somebody whom we know already: by a visit from this machine, by a link, after a sign-up. */
const openSession = {
  id: 'kaidoku-open-session',
  endpoints: {
    openSession: createAuthEndpoint.serverOnly(
      { method: 'POST', body: v.object({ userId: v.number() }), requireHeaders: true },
      async (ctx) => {
        const user = await ctx.context.internalAdapter.findUserById(String(ctx.body.userId))
        if (!user) throw new APIError('NOT_FOUND', { message: 'there is nobody of this number' })
        const session = await ctx.context.internalAdapter.createSession(user.id, false)
        await setSessionCookie(ctx, { session, user })
        return ctx.json({ token: session.token })
      },
    ),
  },
} as const

const handleOf = (words: (string | null | undefined)[]) => {
  for (const word of words) {
    const tidy = (word ?? '')
      .toLowerCase()
      .replace(/@.*$/u, '')
      .replace(/[^a-z0-9_.-]+/gu, '-')
      .slice(0, 24)
    const handle = tidy.replace(/^[^a-z0-9]+|[^a-z0-9]+$/gu, '')
    if (HANDLE.test(handle)) return handle
  }
  return 'reader'
}

async function create(store: Store) {
  const origin = env['ORIGIN'] || `http://localhost:${env['PORT'] || 3000}`
  const oidc = provider()
  return betterAuth({
    appName: 'Kaidoku',
    baseURL: origin,
    basePath: BASE,
    secret: env['BETTER_AUTH_SECRET'] || (await store.people.secret('sessions')),
    telemetry: { enabled: false },
    // Not in one transaction: the hooks below ask the store, which waits for it (PGlite) or doesn't see what is in it.
    database: drizzleAdapter(store.db as never, { provider: 'pg', schema: store.people.tables, transaction: false }),
    emailAndPassword: { enabled: true, minPasswordLength: 10, maxPasswordLength: 200, autoSignIn: true },
    user: { additionalFields: { role: { type: 'string', input: false, required: false } } },
    session: { expiresIn: 60 * DAY_S, updateAge: DAY_S, cookieCache: { enabled: false } },
    // Ours counts, and by the peer's address; see limits.ts.
    rateLimit: { enabled: false },
    advanced: {
      database: { generateId: 'serial' },
      cookiePrefix: 'kaidoku',
      useSecureCookies: origin.startsWith('https:'),
      defaultCookieAttributes: { httpOnly: true, sameSite: 'lax', path: '/' },
      ipAddress: { ipAddressHeaders: ['x-kaidoku-peer'] },
    },
    databaseHooks: {
      user: {
        create: {
          async before(user, context) {
            // Whoever comes from a provider for the first time signs up by it.
            if (context?.path?.startsWith('/callback') && (await signUpMode(store)) !== 'open')
              throw new APIError('FORBIDDEN', { message: 'sign-up is closed' })
            const given = (user as { username?: string }).username
            if (given) return undefined
            const wanted = handleOf([user.name, user.email])
            let handle = wanted
            for (let n = 2; await store.people.find({ handle }); n++) handle = `${wanted}-${n}`
            return { data: { ...user, username: handle, displayUsername: handle } }
          },
        },
      },
      session: {
        create: {
          async before(session) {
            const account = await store.people.find({ id: Number(session.userId) })
            if (!account || account.banned) throw new APIError('FORBIDDEN', { message: 'this account is shut out' })
          },
        },
      },
    },
    plugins: [
      username({
        minUsernameLength: 1,
        maxUsernameLength: 30,
        usernameValidator: (name) => HANDLE.test(name.toLowerCase()),
      }),
      openSession,
      ...(oidc
        ? [
            genericOAuth({
              config: [
                {
                  providerId: oidc.id,
                  discoveryUrl: `${env['KAIDOKU_OIDC_ISSUER']!.replace(/\/+$/u, '')}/.well-known/openid-configuration`,
                  clientId: env['KAIDOKU_OIDC_CLIENT_ID']!,
                  clientSecret: env['KAIDOKU_OIDC_CLIENT_SECRET'] ?? '',
                  scopes: ['openid', 'profile', 'email'],
                  pkce: true,
                },
              ],
            }),
          ]
        : []),
    ],
    logger: { level: 'error' },
  })
}

export type Auth = Awaited<ReturnType<typeof create>>

const made = new WeakMap<Store, Promise<Auth>>()

/** better-auth on this store; made once. */
export function authOf(store: Store): Promise<Auth> {
  let auth = made.get(store)
  if (!auth) made.set(store, (auth = create(store)))
  return auth
}

/** What better-auth is told of a request: nothing that a client could say of its address. */
export function authHeaders(event: RequestEvent): Headers {
  const headers = new Headers()
  for (const name of ['cookie', 'user-agent', 'origin', 'host']) {
    const value = event.request.headers.get(name)
    if (value !== null) headers.set(name, value.slice(0, 8192))
  }
  headers.set('x-kaidoku-peer', event.getClientAddress())
  return headers
}

/** Cookies that better-auth set, for the response of this request; see hooks.server.ts. */
export function keepCookies(event: RequestEvent, headers: Headers): void {
  event.locals.setCookies.push(...headers.getSetCookie())
}

/** Serves the return from a provider; undefined for what isn't better-auth's business. */
export async function serveProvider(event: RequestEvent, store: Store): Promise<Response | undefined> {
  if (!new RegExp(`^${BASE}/(?:callback|oauth2/callback)/oidc$|^${BASE}/error$`, 'u').test(event.url.pathname))
    return undefined
  if (event.url.pathname === `${BASE}/error`)
    return new Response(null, { status: 303, headers: { location: '/sign-in?refused=provider' } })
  const auth = await authOf(store)
  return auth.handler(new Request(event.request.url, { method: event.request.method, headers: authHeaders(event) }))
}
