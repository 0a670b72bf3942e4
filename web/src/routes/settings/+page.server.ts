import { redirect } from '@sveltejs/kit'
import { inLocale } from '$lib/locale.ts'
import { readDensity, readKeyMap, readTheme } from '$lib/looks.ts'
import { m } from '$lib/paraglide/messages'
import { isLocale } from '$lib/paraglide/runtime'
import type { Actions, PageServerLoad } from './$types'

/** The settings that have pages of their own. */
export const load: PageServerLoad = ({ locals }) => {
  const staff = locals.user?.role === 'owner' || locals.user?.role === 'moderator'
  return {
    pages: [
      { path: '/settings/account', label: m.settings_own() },
      { path: '/settings/tokens', label: m.settings_tokens() },
      ...(locals.user?.role === 'owner' ? [{ path: '/settings/people', label: m.settings_people() }] : []),
      ...(staff ? [{ path: '/settings/moderation', label: m.settings_moderation() }] : []),
    ],
  }
}

export const actions: Actions = {
  async default({ request, cookies, url }) {
    const form = await request.formData()
    const value = (name: string) => String(form.get(name) ?? '')
    // Scripts of the page read and set them too.
    const keep = (name: string, text: string) =>
      cookies.set(name, text, { path: '/', maxAge: 31_536_000, sameSite: 'lax', httpOnly: false, secure: false })
    keep('theme', readTheme(value('theme')))
    keep('density', readDensity(value('density')))
    keep('keys', readKeyMap(value('keys')))
    const lang = value('lang')
    if (!isLocale(lang)) redirect(303, url.pathname)
    keep('lang', lang)
    redirect(303, inLocale(new URL(url.pathname, url), lang))
  },
}
