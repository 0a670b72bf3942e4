/** Which pages the service worker keeps for its reader: the lists, and what is to be read later. */
import { json } from '@sveltejs/kit'
import { within } from '$lib/locale.ts'
import { entryPath, readPath } from '$lib/paths.ts'
import { listFor } from '$lib/server/desk.ts'
import type { RequestHandler } from './$types'

export const GET: RequestHandler = async (event) => {
  const { user } = event.locals
  if (!user) return json([])
  const { entries } = await listFor(event, { user: user.handle, state: 'later' })
  const to = (path: string) => within(event.url.pathname, path)
  const pages = entries.flatMap((entry) => {
    if (entry.kind === 'article') return [to(`/${entry.url}`)]
    return entry.preserved ? [to(readPath(entry.url)), to(entryPath(entry.url))] : [to(entryPath(entry.url))]
  })
  return json([to('/'), to('/?mine=later'), to('/keywords'), ...pages])
}
