/** What every page has: language, looks, the one who asks, and what is read much of late. */
import { readDensity, readKeyMap } from '$lib/looks.ts'
import { trending } from '$lib/server/desk.ts'
import type { LayoutServerLoad } from './$types'

export const load: LayoutServerLoad = ({ locals, cookies }) => ({
  locale: locals.locale,
  theme: locals.theme,
  density: readDensity(cookies.get('density')),
  keyMap: readKeyMap(cookies.get('keys')),
  user: locals.user && { handle: locals.user.handle, name: locals.user.name, role: locals.user.role },
  trending: trending(),
})
