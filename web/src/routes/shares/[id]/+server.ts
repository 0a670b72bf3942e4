/** A kept session's text, for the page that shows it. */
import { error, text } from '@sveltejs/kit'
import { currentStore } from '$lib/server/room.ts'
import type { RequestHandler } from './$types'

export const GET: RequestHandler = async ({ params }) => {
  const share = /^[\w-]{8,32}$/u.test(params.id) ? await (await currentStore()).shares.find(params.id) : undefined
  if (!share) error(404, 'there is no such share')
  return text(share.body, { headers: { 'cache-control': 'private, max-age=31536000, immutable' } })
}
