import { listFor, storeFor } from '$lib/server/desk.ts'
import type { PageServerLoad } from './$types'

/** What is new of the people, sites and keywords that one follows. */
export const load: PageServerLoad = async (event) => {
  const { user } = event.locals
  if (!user) return { follows: [], entries: [], newer: undefined, older: undefined }
  const store = await storeFor(event)
  const [all, list] = await Promise.all([store.follows.list(user.id), listFor(event, { following: true })])
  const rows = (kind: 'user' | 'site' | 'keyword', values: string[]) =>
    values.map((value) => ({ kind, value, label: value }))
  return {
    follows: [...rows('user', all.users), ...rows('site', all.sites), ...rows('keyword', all.keywords)],
    ...list,
  }
}
