/** An article with its lab as one file to take home: it works from disk. */
import { standaloneHtml, standalonePolicy } from '$lib/server/standalone.ts'
import type { RequestHandler } from './$types'

export const GET: RequestHandler = async ({ params, locals }) => {
  const html = await standaloneHtml(params.name, locals.locale)
  locals.policy = standalonePolicy("'none'")
  const file = encodeURIComponent(`${params.name}.html`)
  return new Response(html, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-disposition': `attachment; filename*=UTF-8''${file}`,
      'cache-control': 'private, no-cache',
    },
  })
}
