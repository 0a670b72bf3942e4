/** What is known and said of one address. */
import { redirect } from '@sveltejs/kit'
import { within } from '$lib/locale.ts'
import { entryPath, urlOfPath } from '$lib/paths.ts'
import { entryPageOf } from '$lib/server/desk.ts'
import type { PageServerLoad } from './$types'

export const load: PageServerLoad = async (event) => {
  const { url, params } = event
  const asked = urlOfPath(params.url, url.search)
  const found = await entryPageOf(event, asked)
  // One page for each entry, whichever way its address was written.
  const path = within(url.pathname, entryPath(found.url))
  if (path !== url.pathname && decodeURI(path) !== decodeURI(url.pathname)) redirect(307, path)
  return found
}
