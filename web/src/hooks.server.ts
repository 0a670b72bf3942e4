/** Each request: whether it is for us, who asks, its language, its theme, and the headers that keep a page to itself. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Handle, ServerInit } from '@sveltejs/kit'
import { sequence } from '@sveltejs/kit/hooks'
import { building, dev } from '$app/environment'
import { env } from '$env/dynamic/private'
import { chooseLocale } from '$lib/locale.ts'
import { readTheme } from '$lib/looks.ts'
import { type Locale, overwriteGetLocale } from '$lib/paraglide/runtime'
import { serveProvider } from '$lib/server/auth.ts'
import { createNonce, liftStyles, policyWith } from '$lib/server/csp.ts'
import { serveFeed } from '$lib/server/feeds.ts'
import { crossSite, refusedBody, servesHost } from '$lib/server/guard.ts'
import { countQueries, openRoom, roomIfOpen } from '$lib/server/room.ts'
import { findUser } from '$lib/server/session.ts'

const locales = new AsyncLocalStorage<Locale>()
overwriteGetLocale(() => locales.getStore() ?? 'en')

// As app.html has it.
const FRAME = '<html lang="en" data-theme="system">'

/** A classic script, which runs as soon as it is read: the lab is being built while the page's own scripts arrive. */
const startLab = (worker: string | undefined) =>
  worker ? `<script src="/start-lab.js" data-worker="${worker}"></script>` : ''

export const init: ServerInit = () => {
  if (!building) openRoom() // Not awaited: an article can be read while the database opens.
}

const refusal = (status: number, what: string) =>
  new Response(`${what}\n`, {
    status,
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    },
  })

/** What a page elsewhere could make a browser send, and what a name that leads elsewhere could read, ends here. */
const guard: Handle = ({ event, resolve }) => {
  const { request } = event
  const host = request.headers.get('host') ?? event.url.host
  if (!servesHost(host, { host: env['HOST'], origin: env['ORIGIN'], names: env['KAIDOKU_HOSTS'] }))
    return refusal(421, 'this room is not known by that name; KAIDOKU_HOSTS or ORIGIN tells it its names')
  const why = crossSite(request, env['ORIGIN'])
  if (why !== undefined) return refusal(403, why)
  // PostgreSQL's text has none, and no page of ours has it in its address.
  if (/%00/u.test(event.url.pathname + event.url.search)) return refusal(400, 'a NUL in the address')
  const refused = refusedBody(request, event.url.pathname)
  return refused ? refusal(...refused) : resolve(event)
}

const page: Handle = ({ event, resolve }) => {
  const locale = chooseLocale(
    event.url.pathname,
    event.cookies.get('lang'),
    event.request.headers.get('accept-language'),
  )
  event.locals.locale = locale
  event.locals.theme = readTheme(event.cookies.get('theme'))
  event.locals.setCookies = []
  const asked = { queries: 0 }
  const nonce = createNonce()
  return locales.run(locale, async () => {
    const answer = () =>
      resolve(event, {
        transformPageChunk: ({ html }) =>
          liftStyles(
            html
              .replace(FRAME, `<html lang="${locale}" data-theme="${event.locals.theme}">`)
              .replace('</head>', `<meta name="style-nonce" nonce="${nonce}">${startLab(event.locals.worker)}</head>`),
            nonce,
          ),
        preload: ({ type }) => type === 'js' || type === 'css',
      })
    const response = await countQueries(asked, () => people(event, answer))
    const { headers } = response
    // For the test that counts them.
    if (env['KAIDOKU_COUNT_QUERIES']) headers.set('x-queries', String(asked.queries))
    for (const cookie of event.locals.setCookies) headers.append('set-cookie', cookie)
    // Vite's server writes styles into the page, and its scripts.
    if (event.locals.policy !== undefined) headers.set('content-security-policy', event.locals.policy)
    else if (!dev) headers.set('content-security-policy', policyWith(headers.get('content-security-policy'), nonce))
    else headers.delete('content-security-policy')
    headers.append('vary', 'Accept-Language, Cookie')
    headers.set('x-content-type-options', 'nosniff')
    headers.set('referrer-policy', 'same-origin')
    headers.set('cross-origin-opener-policy', 'same-origin')
    if (!headers.has('cross-origin-resource-policy')) headers.set('cross-origin-resource-policy', 'same-origin')
    headers.set('permissions-policy', 'camera=(), geolocation=(), microphone=()')
    return response
  })
}

/** Who asks. A room that can't be opened has nobody, and its pages say so. */
async function people(event: Parameters<Handle>[0]['event'], resolve: () => Response | Promise<Response>) {
  // An article can be read while the database opens.
  const can = /^\/(?:[a-z]{2}\/)?articles\//u.test(event.url.pathname)
  const store = roomIfOpen() ?? (can ? undefined : await openRoom().catch(() => undefined))
  if (store) {
    event.locals.user = await findUser(event, store)
    const served = (await serveProvider(event, store)) ?? (await serveFeed(event))
    if (served) return new Response(served.body, served) // Its headers can't be written.
  }
  return resolve()
}

export const handle = sequence(guard, page)
