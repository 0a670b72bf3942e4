/** The sign-in: by a password, by the provider of the room, or as the owner on this very machine. */
import { fail, redirect } from '@sveltejs/kit'
import { authHeaders, authOf, keepCookies, provider } from '$lib/server/auth.ts'
import { backTo, tries, word } from '$lib/server/doors.ts'
import { signUpMode } from '$lib/server/policy.ts'
import { openRoom } from '$lib/server/room.ts'
import { localOwner, signInAs } from '$lib/server/session.ts'
import type { Actions, PageServerLoad } from './$types'

export const load: PageServerLoad = async (event) => {
  const store = await openRoom()
  return {
    provider: provider()?.name,
    signUp: await signUpMode(store),
    local: (await localOwner(event, store, true)) !== undefined,
    refused: event.url.searchParams.get('refused') !== null,
  }
}

export const actions: Actions = {
  password: async (event) => {
    const form = await event.request.formData()
    const name = word(form, 'name').trim().toLowerCase()
    const password = word(form, 'password', 200)
    const wait = Math.max(tries.address.take(event.getClientAddress()), tries.name.take(name))
    if (wait > 0) {
      event.setHeaders({ 'retry-after': String(wait) })
      return fail(429, { name, wrong: false, wait })
    }
    const auth = await authOf(await openRoom())
    const headers = authHeaders(event)
    try {
      const answer = name.includes('@')
        ? await auth.api.signInEmail({ body: { email: name, password }, headers, returnHeaders: true })
        : await auth.api.signInUsername({ body: { username: name, password }, headers, returnHeaders: true })
      keepCookies(event, answer.headers)
    } catch {
      return fail(401, { name, wrong: true, wait: 0 }) // Which of the two was wrong is nobody's business.
    }
    tries.name.forget(name)
    event.cookies.delete('signed-out', { path: '/' })
    redirect(303, backTo(event))
  },
  local: async (event) => {
    const store = await openRoom()
    const owner = await localOwner(event, store, true)
    if (!owner) return fail(403, { name: '', wrong: true, wait: 0 })
    await signInAs(event, store, owner.id)
    event.cookies.delete('signed-out', { path: '/' })
    redirect(303, backTo(event))
  },
  provider: async (event) => {
    const auth = await authOf(await openRoom())
    const chosen = provider()
    if (!chosen) return fail(404, { name: '', wrong: true, wait: 0 })
    const { headers, response } = await auth.api.signInSocial({
      body: { provider: chosen.id as never, callbackURL: backTo(event), errorCallbackURL: '/sign-in?refused=1' },
      headers: authHeaders(event),
      returnHeaders: true,
    })
    keepCookies(event, headers)
    redirect(303, (response as { url?: string }).url ?? '/sign-in?refused=1')
  },
}
