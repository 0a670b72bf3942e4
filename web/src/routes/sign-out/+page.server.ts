import { redirect } from '@sveltejs/kit'
import { within } from '$lib/locale.ts'
import { authHeaders, authOf, keepCookies } from '$lib/server/auth.ts'
import { openRoom } from '$lib/server/room.ts'
import type { Actions, PageServerLoad } from './$types'

export const load: PageServerLoad = () => redirect(303, '/')

export const actions: Actions = {
  default: async (event) => {
    const auth = await authOf(await openRoom())
    event.locals.setCookies.length = 0 // What prolonged the session that ends now.
    const { headers } = await auth.api.signOut({ headers: authHeaders(event), returnHeaders: true })
    keepCookies(event, headers)
    // On this machine the next visit would be the owner's again.
    event.cookies.set('signed-out', '1', {
      path: '/',
      httpOnly: true,
      sameSite: 'lax',
      secure: event.url.protocol === 'https:',
      maxAge: 86_400 * 30,
    })
    redirect(303, within(event.url.pathname, '/sign-in'))
  },
}
