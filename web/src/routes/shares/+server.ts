/** Keeps a session under a short name, for whoever may write in this room. */
import { randomBytes } from 'node:crypto'
import { error, json } from '@sveltejs/kit'
import { Refusal } from '#reading/store'
import { BrokenSession, decodeSession, TEXT_MAX } from '$lib/lab/session.ts'
import { currentStore } from '$lib/server/room.ts'
import type { RequestHandler } from './$types'

export const POST: RequestHandler = async ({ request, locals }) => {
  if (!locals.user) error(401, 'sign in to keep a link here; the long link needs nobody')
  if (Number(request.headers.get('content-length') ?? 0) > TEXT_MAX) error(413, 'it is too long')
  const body = await request.text()
  try {
    const { article } = decodeSession(body)
    const id = randomBytes(9).toString('base64url')
    const store = await currentStore()
    await store.shares.add(locals.user.id, { id, article, body })
    return json({ id }, { status: 201 })
  } catch (why) {
    if (why instanceof BrokenSession || why instanceof Refusal) error(400, why.message)
    throw why
  }
}
