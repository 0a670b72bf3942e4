/** A link that signs somebody in, once: `people.createLink` of the store makes it. */
import { fail, redirect } from '@sveltejs/kit'
import { tries } from '$lib/server/doors.ts'
import { openRoom } from '$lib/server/room.ts'
import { signInAs } from '$lib/server/session.ts'
import type { Actions } from './$types'

export const actions: Actions = {
  // Not by opening it: what looks at links ahead of readers would use it up.
  default: async (event) => {
    if (tries.address.take(event.getClientAddress()) > 0) return fail(429, { wrong: true })
    const store = await openRoom()
    const id = await store.people.useLink(event.params.code)
    if (id === undefined) return fail(403, { wrong: true })
    await signInAs(event, store, id)
    event.cookies.delete('signed-out', { path: '/' })
    redirect(303, '/')
  },
}
