import { fail } from '@sveltejs/kit'
import { PeopleError, ROLES } from '#reading/store'
import { requireKeeper, word } from '$lib/server/doors.ts'
import { LOCAL_VISITS, localVisits, SIGN_UP, signUpMode } from '$lib/server/policy.ts'
import { openRoom } from '$lib/server/room.ts'
import type { Actions, PageServerLoad } from './$types'

export const load: PageServerLoad = async (event) => {
  const user = requireKeeper(event)
  const store = await openRoom()
  return {
    me: user.id,
    owner: user.role === 'owner',
    accounts: await store.people.list(),
    invitations: await store.invitations.list(user.id),
    signUp: await signUpMode(store),
    localVisits: await localVisits(store),
    modes: [...SIGN_UP],
    visits: [...LOCAL_VISITS],
    roles: [...ROLES],
  }
}

/** A refusal is shown, not thrown. */
async function told(work: () => Promise<unknown>) {
  try {
    await work()
    return undefined
  } catch (error) {
    if (error instanceof PeopleError || (error as Error).name === 'Refusal')
      return fail(403, { why: (error as Error).message, link: '' })
    throw error
  }
}

export const actions: Actions = {
  policy: async (event) => {
    const user = requireKeeper(event)
    const form = await event.request.formData()
    const store = await openRoom()
    if (user.role !== 'owner') return fail(403, { why: 'owner', link: '' })
    const signUp = SIGN_UP.find((each) => each === form.get('signUp'))
    const visits = LOCAL_VISITS.find((each) => each === form.get('localVisits'))
    return told(async () => {
      if (signUp) await store.settings.setRoom(user.id, 'signUp', signUp)
      if (visits) await store.settings.setRoom(user.id, 'localVisits', visits)
    })
  },
  invite: async (event) => {
    const user = requireKeeper(event)
    const form = await event.request.formData()
    const role = (['member', 'reader', 'moderator'] as const).find((each) => each === form.get('role')) ?? 'member'
    if (role === 'moderator' && user.role !== 'owner') return fail(403, { why: 'owner', link: '' })
    const note = word(form, 'note', 200)
    const { code } = await (await openRoom()).invitations.create(user.id, {
      role,
      note,
      expiresAtMs: Date.now() + 14 * 86_400_000,
    })
    return { why: '', link: `${event.url.origin}/sign-up?code=${code}` }
  },
  uninvite: async (event) => {
    const user = requireKeeper(event)
    await (await openRoom()).invitations.remove(user.id, Number((await event.request.formData()).get('id')) || 0)
  },
  role: async (event) => {
    const user = requireKeeper(event)
    const form = await event.request.formData()
    const role = ROLES.find((each) => each === form.get('role'))
    const store = await openRoom()
    return role && told(() => store.people.setRole(user.id, Number(form.get('id')) || 0, role))
  },
  ban: async (event) => {
    const user = requireKeeper(event)
    const form = await event.request.formData()
    const store = await openRoom()
    return told(() => store.people.setBanned(user.id, Number(form.get('id')) || 0, form.get('banned') === 'yes'))
  },
}
