import { entryJson } from '$lib/server/hatena.ts'
import type { RequestHandler } from './$types'

export const trailingSlash = 'ignore'
export const GET: RequestHandler = (event) => entryJson(event, false)
