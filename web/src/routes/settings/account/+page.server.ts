import { fail, redirect } from '@sveltejs/kit'
import { authHeaders, authOf, keepCookies } from '$lib/server/auth.ts'
import { requireUser, tries, word } from '$lib/server/doors.ts'
import { openRoom } from '$lib/server/room.ts'
import type { Actions, PageServerLoad } from './$types'

export const load: PageServerLoad = async (event) => {
  const user = requireUser(event)
  const store = await openRoom()
  const account = await store.people.find({ id: user.id })
  return { handle: user.handle, name: user.name, canSignIn: account?.canSignIn ?? false }
}

export const actions: Actions = {
  name: async (event) => {
    const user = requireUser(event)
    const name = word(await event.request.formData(), 'name', 100).trim()
    if (name === '') return fail(422, { why: 'name', done: false })
    await (await openRoom()).people.rename(user.id, name)
    return { why: '', done: true }
  },
  password: async (event) => {
    const user = requireUser(event)
    const form = await event.request.formData()
    const next = word(form, 'next', 300)
    if (next.length < 10 || next.length > 200) return fail(422, { why: 'password', done: false })
    if (tries.name.take(user.handle) > 0) return fail(429, { why: 'wait', done: false })
    const store = await openRoom()
    const auth = await authOf(store)
    try {
      if ((await store.people.find({ id: user.id }))?.canSignIn) {
        const { headers } = await auth.api.changePassword({
          body: { currentPassword: word(form, 'current', 300), newPassword: next, revokeOtherSessions: true },
          headers: authHeaders(event),
          returnHeaders: true,
        })
        keepCookies(event, headers)
      } else await auth.api.setPassword({ body: { newPassword: next }, headers: authHeaders(event) })
    } catch {
      return fail(401, { why: 'wrong', done: false })
    }
    return { why: '', done: true }
  },
  remove: async (event) => {
    const user = requireUser(event)
    if (word(await event.request.formData(), 'handle').trim() !== user.handle)
      return fail(422, { why: 'handle', done: false })
    try {
      await (await openRoom()).people.remove(user.id, user.id)
    } catch (error) {
      return fail(403, { why: (error as Error).message, done: false })
    }
    event.cookies.set('signed-out', '1', {
      path: '/',
      httpOnly: true,
      sameSite: 'lax',
      secure: event.url.protocol === 'https:',
      maxAge: 86_400 * 30,
    })
    redirect(303, '/')
  },
}
