/** A short link: to the article, which then asks for what was shared. */
import { error, redirect } from '@sveltejs/kit'
import { currentStore } from '$lib/server/room.ts'
import type { RequestHandler } from './$types'

export const GET: RequestHandler = async ({ params }) => {
  const share = /^[\w-]{8,32}$/u.test(params.id) ? await (await currentStore()).shares.find(params.id) : undefined
  if (!share) error(404, 'there is no such share')
  redirect(302, `/articles/${encodeURIComponent(share.article)}?share=${params.id}`)
}
