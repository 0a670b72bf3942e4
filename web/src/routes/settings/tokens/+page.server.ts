import { fail } from '@sveltejs/kit'
import { refusedAddress } from '#reading/jobs'
import { EVENTS } from '$lib/server/api/schemas.ts'
import { requireUser, word } from '$lib/server/doors.ts'
import { allowPrivate } from '$lib/server/jobs.ts'
import { openRoom } from '$lib/server/room.ts'
import type { Actions, PageServerLoad } from './$types'

export const load: PageServerLoad = async (event) => {
  const user = requireUser(event)
  const store = await openRoom()
  const [tokens, webhooks] = await Promise.all([store.tokens.list(user.id), store.webhooks.list(user.id)])
  return { tokens, webhooks, events: [...EVENTS] }
}

const idOf = async (request: Request) => Number((await request.formData()).get('id')) || 0

export const actions: Actions = {
  create: async (event) => {
    const user = requireUser(event)
    const form = await event.request.formData()
    const name = word(form, 'name', 100).trim()
    if (name === '') return fail(422, { made: '', why: 'name' })
    const scopes = form.get('write') === null ? (['read'] as const) : (['read', 'write'] as const)
    const { token } = await (await openRoom()).tokens.create(user.id, { name, scopes })
    return { made: token, why: '' }
  },
  remove: async (event) => {
    const user = requireUser(event)
    await (await openRoom()).tokens.remove(user.id, await idOf(event.request))
  },
  hook: async (event) => {
    const user = requireUser(event)
    const form = await event.request.formData()
    const url = word(form, 'url', 2000).trim()
    const events = EVENTS.filter((each) => form.getAll('event').includes(each))
    const why = URL.canParse(url) ? await refusedAddress(url, { allowPrivate: allowPrivate() }) : 'https://…?'
    if (why) return fail(422, { made: '', why })
    const { secret } = await (await openRoom()).webhooks.create(user.id, {
      url,
      events: events.length > 0 ? events : [...EVENTS],
    })
    return { made: secret, why: '' }
  },
  unhook: async (event) => {
    const user = requireUser(event)
    await (await openRoom()).webhooks.remove(user.id, await idOf(event.request))
  },
}
