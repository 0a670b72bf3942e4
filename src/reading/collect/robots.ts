/** What a site asks of robots. RFC 9309: no file is no rule; a site that can't answer is left alone. */
import robotsParser from 'robots-parser'
import { FetchError, type FetchOptions, fetchPage, USER_AGENT } from './fetch.ts'

interface Rules {
  allows(url: string): boolean
  delayMs: number
}

const KEPT_MS = 60 * 60 * 1000
const KEPT_SITES = 1000
const BYTES = 500 * 1024 // RFC 9309, 2.5: at least so much is read.

export interface Robots {
  /** Throws FetchError if the site asks robots not to fetch it. */
  check(url: string, options?: FetchOptions): Promise<{ delayMs: number }>
}

/** Rules are kept for an hour. */
export function createRobots(now: () => number = () => performance.now()): Robots {
  const kept = new Map<string, { untilMs: number; rules: Promise<Rules> }>()
  return {
    async check(url, options = {}) {
      const { origin } = new URL(url)
      let known = kept.get(origin)
      if (!known || known.untilMs < now()) {
        known = { untilMs: now() + KEPT_MS, rules: readRules(origin, options) }
        if (kept.size >= KEPT_SITES) kept.delete(kept.keys().next().value!)
        kept.set(origin, known)
        known.rules.catch(() => kept.delete(origin))
      }
      const rules = await known.rules
      if (!rules.allows(url))
        throw new FetchError('robots', `${new URL(url).host} asks robots not to fetch this page (robots.txt)`)
      return { delayMs: rules.delayMs }
    },
  }
}

async function readRules(origin: string, options: FetchOptions): Promise<Rules> {
  const address = `${origin}/robots.txt`
  let text: string
  try {
    const { accept: _, body: __, headers: ___, ...rest } = options
    const answer = await fetchPage(address, { ...rest, method: 'GET', timeoutMs: 10_000, maxBytes: BYTES })
    if (answer.status >= 500) return { allows: () => false, delayMs: 0 }
    if (answer.status >= 400) return { allows: () => true, delayMs: 0 }
    text = new TextDecoder().decode(answer.body)
  } catch (error) {
    if (error instanceof FetchError && error.kind === 'size') return { allows: () => true, delayMs: 0 }
    throw error // The page's own fetch would fail the same way: its reader is told that.
  }
  const parsed = robotsParser(address, text)
  return {
    allows: (url) => parsed.isAllowed(url, USER_AGENT) !== false,
    delayMs: Math.min(30, parsed.getCrawlDelay(USER_AGENT) ?? 0) * 1000,
  }
}
