import { fail } from '@sveltejs/kit'
import { requireKeeper, word } from '$lib/server/doors.ts'
import { openRoom } from '$lib/server/room.ts'
import type { Actions, PageServerLoad } from './$types'

export const load: PageServerLoad = async (event) => {
  const user = requireKeeper(event)
  const closed = event.url.searchParams.has('closed')
  return { closed, reports: await (await openRoom()).moderation.reports(user.id, !closed) }
}

const number = (form: FormData, name: string) => Number(form.get(name)) || 0

export const actions: Actions = {
  hide: async (event) => {
    const user = requireKeeper(event)
    const form = await event.request.formData()
    const store = await openRoom()
    const target =
      number(form, 'bookmarkId') > 0 ? { bookmarkId: number(form, 'bookmarkId') } : { entryId: number(form, 'entryId') }
    try {
      await store.moderation.setHidden(user.id, target, form.get('show') === null)
      await store.moderation.resolve(user.id, number(form, 'id'), form.get('show') === null ? 'hidden' : 'shown')
    } catch (error) {
      return fail(422, { why: (error as Error).message })
    }
  },
  close: async (event) => {
    const user = requireKeeper(event)
    const form = await event.request.formData()
    await (await openRoom()).moderation.resolve(user.id, number(form, 'id'), word(form, 'resolution', 500) || 'kept')
  },
}
