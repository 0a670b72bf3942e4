/** An article for a frame of another site. It is all in itself, in a sandbox: nothing of this room is within its reach. */
import { standaloneHtml, standalonePolicy } from '$lib/server/standalone.ts'
import type { RequestHandler } from './$types'

export const GET: RequestHandler = async ({ params, locals }) => {
  const html = await standaloneHtml(params.name, locals.locale)
  locals.policy = standalonePolicy('*')
  return new Response(html, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'public, max-age=300',
      'cross-origin-resource-policy': 'cross-origin',
    },
  })
}
