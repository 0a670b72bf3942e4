/** What the pages of accounts have in common. */
import { error, type RequestEvent, redirect } from '@sveltejs/kit'
import { splitLocale, within } from '$lib/locale.ts'
import { Limiter } from './guard.ts'

/** Tries of a password: by address, and by the name that is tried. */
export const tries = { address: new Limiter(30, 300_000), name: new Limiter(10, 300_000) }

/** The user, or the way to the sign-in. */
export function requireUser(event: RequestEvent): App.User {
  const { user } = event.locals
  if (user) return user
  const back = event.url.pathname + event.url.search
  redirect(303, `${within(event.url.pathname, '/sign-in')}?${new URLSearchParams({ back })}`)
}

export function requireKeeper(event: RequestEvent): App.User {
  const user = requireUser(event)
  if (user.role !== 'owner' && user.role !== 'moderator') error(403)
  return user
}

/** Where to after a form: a path of ours, in the language of the page. */
export function backTo(event: RequestEvent): string {
  const back = event.url.searchParams.get('back') ?? ''
  return /^\/(?![/\\])[^\s\\]*$/u.test(back)
    ? back
    : splitLocale(event.url.pathname).locale
      ? within(event.url.pathname, '/')
      : '/'
}

export const word = (form: FormData, name: string, max = 300) => {
  const value = form.get(name)
  return typeof value === 'string' ? value.slice(0, max) : ''
}
