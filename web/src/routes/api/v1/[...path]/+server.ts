/** The whole API: see $lib/server/api. */
import { serveApi } from '$lib/server/api/serve.ts'
import type { RequestHandler } from './$types'

export const fallback: RequestHandler = (event) => serveApi(event, event.params.path)
export const GET = fallback
