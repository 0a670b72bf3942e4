/** Whether a page is still there. One failure is no death: a link is dead after it failed several times over days. */
import { FetchError, type FetchOptions, fetchPage } from './fetch.ts'

export type LinkState = 'alive' | 'moved' | 'failing' | 'dead' | 'unknown'

export interface LinkCheck {
  state: LinkState
  /** 0 if there was no answer. */
  status: number
  /** Where it moved, if for good. */
  movedTo: string | undefined
  why: string
}

export interface LinkHistory {
  failures: number
  firstFailedAtMs: number | undefined
}

const DEAD_FAILURES = 3
const DEAD_AFTER_MS = 3 * 24 * 60 * 60 * 1000

/** Asks with HEAD, and with GET where a server knows no HEAD. */
export async function checkLink(url: string, options: FetchOptions = {}): Promise<LinkCheck> {
  try {
    let answer = await fetchPage(url, { ...options, method: 'HEAD', timeoutMs: 15_000 })
    if (answer.status >= 400 && answer.status !== 404 && answer.status !== 410) {
      answer = await fetchPage(url, { ...options, method: 'GET', timeoutMs: 20_000, maxBytes: 256 * 1024 }).catch(
        (error) => {
          // There is a page, larger than anybody needs to know that.
          if (error instanceof FetchError && error.kind === 'size') return { ...answer, status: 200 }
          throw error
        },
      )
    }
    const { status } = answer
    // Asked to log in, or to wait: somebody is there.
    if (status === 401 || status === 403 || status === 429 || status === 405)
      return { state: 'unknown', status, movedTo: undefined, why: `answers ${status}` }
    if (status >= 400) return { state: 'failing', status, movedTo: undefined, why: `answers ${status}` }
    const moved = answer.redirects.length > 0 && new URL(answer.url).href !== new URL(url).href
    return { state: moved ? 'moved' : 'alive', status, movedTo: moved ? answer.url : undefined, why: '' }
  } catch (error) {
    if (!(error instanceof FetchError)) throw error
    if (error.kind === 'private' || error.kind === 'robots' || error.kind === 'address')
      return { state: 'unknown', status: 0, movedTo: undefined, why: error.message }
    return { state: 'failing', status: 0, movedTo: undefined, why: error.message }
  }
}

/** The state over time: what a check makes of what was known before. */
export function afterCheck(history: LinkHistory, check: LinkCheck, nowMs: number): LinkHistory & { state: LinkState } {
  if (check.state !== 'failing') return { failures: 0, firstFailedAtMs: undefined, state: check.state }
  const firstFailedAtMs = history.firstFailedAtMs ?? nowMs
  const failures = history.failures + 1
  // 410 says that it won't come back. RFC 9110, 15.5.11
  const dead = check.status === 410 || (failures >= DEAD_FAILURES && nowMs - firstFailedAtMs >= DEAD_AFTER_MS)
  return { failures, firstFailedAtMs, state: dead ? 'dead' : 'failing' }
}
