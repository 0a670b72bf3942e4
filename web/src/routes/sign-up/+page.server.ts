/** The sign-up: by an invitation, or open to everybody, as the room's owner decided. */
import { fail, redirect } from '@sveltejs/kit'
import { within } from '$lib/locale.ts'
import { authHeaders, authOf, HANDLE, keepCookies } from '$lib/server/auth.ts'
import { tries, word } from '$lib/server/doors.ts'
import { signUpMode } from '$lib/server/policy.ts'
import { openRoom } from '$lib/server/room.ts'
import type { Actions, PageServerLoad } from './$types'

const codeOf = (url: URL) => url.searchParams.get('code')?.slice(0, 100) ?? ''

export const load: PageServerLoad = async ({ url }) => {
  const store = await openRoom()
  const mode = await signUpMode(store)
  const invited = codeOf(url) !== '' && (await store.invitations.find(codeOf(url))) !== undefined
  return { mode, invited, may: mode === 'open' || (mode === 'invitation' && invited) || invited }
}

export const actions: Actions = {
  default: async (event) => {
    const form = await event.request.formData()
    const handle = word(form, 'handle', 40).trim()
    const name = word(form, 'name', 100).trim() || handle
    const email = word(form, 'email', 200).trim().toLowerCase()
    const refuse = (status: number, why: string) => fail(status, { why, handle, name, email })
    if (tries.address.take(event.getClientAddress()) > 0) return refuse(429, 'wait')
    const store = await openRoom()
    const code = codeOf(event.url)
    const invited = code !== '' && (await store.invitations.find(code)) !== undefined
    if (!invited && (await signUpMode(store)) !== 'open') return refuse(403, 'closed')
    if (!HANDLE.test(handle.toLowerCase())) return refuse(422, 'handle')
    const password = word(form, 'password', 300)
    if (password.length < 10 || password.length > 200) return refuse(422, 'password')
    if (await store.people.find({ handle })) return refuse(409, 'taken')
    const auth = await authOf(store)
    try {
      const { headers, response } = await auth.api.signUpEmail({
        // Nothing is sent by mail; who gives none gets one that is nobody's.
        body: { name, email: email || `${handle.toLowerCase()}@users.invalid`, password, username: handle } as never,
        headers: authHeaders(event),
        returnHeaders: true,
      })
      const id = Number(response.user.id)
      if (invited) {
        try {
          await store.invitations.use(code, id)
        } catch {
          await store.people.remove(id, id) // Somebody else was quicker with this invitation.
          return refuse(409, 'closed')
        }
      }
      keepCookies(event, headers)
    } catch {
      return refuse(422, 'taken')
    }
    event.cookies.delete('signed-out', { path: '/' })
    redirect(303, within(event.url.pathname, '/'))
  },
}
