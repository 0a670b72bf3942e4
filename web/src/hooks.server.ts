/** Each request: its language, its theme, and the headers that keep a page to itself. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Handle, ServerInit } from '@sveltejs/kit'
import { building } from '$app/environment'
import { env } from '$env/dynamic/private'
import { chooseLocale } from '$lib/locale.ts'
import { type Locale, overwriteGetLocale } from '$lib/paraglide/runtime'
import { openRoom, queriesSoFar } from '$lib/server/room.ts'

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

export const handle: Handle = ({ event, resolve }) => {
  const locale = chooseLocale(
    event.url.pathname,
    event.cookies.get('lang'),
    event.request.headers.get('accept-language'),
  )
  const theme = event.cookies.get('theme')
  event.locals.locale = locale
  event.locals.theme = theme === 'light' || theme === 'dark' ? theme : 'system'
  const before = queriesSoFar()
  return locales.run(locale, async () => {
    const response = await resolve(event, {
      transformPageChunk: ({ html }) =>
        html
          .replace(FRAME, `<html lang="${locale}" data-theme="${event.locals.theme}">`)
          .replace('</head>', `${startLab(event.locals.worker)}</head>`),
      preload: ({ type }) => type === 'js' || type === 'css',
    })
    // For the test that counts them; of one request at a time.
    if (env['KAIDOKU_COUNT_QUERIES']) response.headers.set('x-queries', String(queriesSoFar() - before))
    response.headers.set('vary', 'Accept-Language, Cookie')
    response.headers.set('x-content-type-options', 'nosniff')
    response.headers.set('referrer-policy', 'no-referrer')
    response.headers.set('cross-origin-opener-policy', 'same-origin')
    response.headers.set('cross-origin-resource-policy', 'same-origin')
    response.headers.set('permissions-policy', 'camera=(), geolocation=(), microphone=()')
    return response
  })
}
