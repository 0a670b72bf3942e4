import { requireUser } from '$lib/server/doors.ts'
import { openRoom } from '$lib/server/room.ts'
import type { Actions, PageServerLoad } from './$types'

export const load: PageServerLoad = async (event) => {
  const user = requireUser(event)
  return { sessions: await (await openRoom()).people.sessions(user.id) }
}

export const actions: Actions = {
  revoke: async (event) => {
    const user = requireUser(event)
    const id = Number((await event.request.formData()).get('id'))
    if (Number.isSafeInteger(id)) await (await openRoom()).people.revoke(user.id, { id })
  },
  others: async (event) => {
    const user = requireUser(event)
    await (await openRoom()).people.revoke(user.id, { allBut: event.locals.sessionToken ?? '' })
  },
}
