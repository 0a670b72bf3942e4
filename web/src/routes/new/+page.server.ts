import type { PageServerLoad } from './$types'

/** An editor needs a browser. */
export const ssr = false

export const load: PageServerLoad = async ({ locals }) => ({ canSave: locals.user?.role === 'owner' })
