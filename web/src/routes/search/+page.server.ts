/** Search, with what the language of queries has to say about what was written. */
import { searchFor, word } from '$lib/server/desk.ts'
import type { PageServerLoad } from './$types'

export const load: PageServerLoad = async (event) => {
  // A search within a list says so in words of the language.
  const within = word(event.url, 'in')
  const q = [within, event.url.searchParams.get('q')?.slice(0, 1000).trim()].filter(Boolean).join(' ')
  if (!event.url.searchParams.get('q')?.trim()) {
    return { q: '', entries: [], newer: undefined, older: undefined, total: undefined, hints: [] as string[] }
  }
  return { q, ...(await searchFor(event, q)) }
}
