/** A picture that was stored with a page. Its name is the hash of its bytes: it never changes. */
import { error } from '@sveltejs/kit'
import { m } from '$lib/paraglide/messages'
import { storeFor } from '$lib/server/desk.ts'
import type { RequestHandler } from './$types'

export const GET: RequestHandler = async (event) => {
  const store = await storeFor({ url: event.url, locals: event.locals })
  const image = await store.pages.image(event.params.hash)
  if (!image) error(404, m.not_found())
  return new Response(new Uint8Array(image.bytes), {
    headers: {
      'content-type': image.contentType,
      'cache-control': 'private, max-age=31536000, immutable',
      // An SVG is a document too: opened by itself it does nothing.
      'content-security-policy': "default-src 'none'; sandbox",
    },
  })
}
