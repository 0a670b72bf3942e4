import type { PageServerLoad } from './$types'

export const load: PageServerLoad = async ({ locals }) => ({ canSave: locals.user?.role === 'owner' })
