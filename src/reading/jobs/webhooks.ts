/** Word sent to a user's webhooks: signed, so that they know whose it is, and tried again when nobody answers. */
import { createHmac, randomUUID } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { FetchError, type FetchOptions, fetchPage, whyNotPublic } from '#reading/collect'
import type { Store } from '#reading/store'
import type { Handler, Queue } from './queue.ts'

/** Why an address can't be told of anything; undefined if it can. It is looked at again when something is sent. */
export async function refusedAddress(url: string, { allowPrivate = false } = {}): Promise<string | undefined> {
  if (!URL.canParse(url)) return 'not an address'
  const { protocol, hostname, username, password } = new URL(url)
  if (protocol !== 'https:' && protocol !== 'http:') return 'not an address of the Web'
  if (username !== '' || password !== '') return 'a user name in the address'
  if (allowPrivate) return undefined
  const bare = hostname.replace(/^\[|\]$/gu, '')
  const here = whyNotPublic(bare)
  if (here === undefined) return undefined
  const found = here === 'not an address' ? await lookup(bare, { all: true }).catch(() => []) : [{ address: bare }]
  if (found.length === 0) return 'this name leads nowhere'
  return found.some(({ address }) => whyNotPublic(address) !== undefined)
    ? 'a private address; KAIDOKU_ALLOW_PRIVATE=1 permits it'
    : undefined
}

/** Tells all of a user's webhooks that want to hear of an event. */
export async function announce(
  store: Store,
  queue: Queue,
  userId: number,
  event: string,
  data: unknown,
  nowMs = Date.now(),
): Promise<void> {
  const body = JSON.stringify({ event, at: new Date(nowMs).toISOString(), data })
  for (const { id, url, secret } of await store.webhooks.for(userId, event)) {
    await queue.add('webhook', { webhookId: id, url, secret, event, body, delivery: randomUUID() })
  }
}

/** `sha256=` and the HMAC of the body by the webhook's secret. */
export function signature(secret: string, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
}

/** `webhook`: sends one; thrown, it is tried again. */
export function webhookHandler(store: Store, options: Pick<FetchOptions, 'allowPrivate' | 'resolve'>): Handler {
  return async ({ payload, attempt }, signal) => {
    const body = String(payload['body'])
    let status: number | undefined
    try {
      const answer = await fetchPage(String(payload['url']), {
        ...options,
        method: 'POST',
        body,
        signal,
        timeoutMs: 10_000,
        maxBytes: 64 * 1024,
        headers: {
          'content-type': 'application/json',
          'x-kaidoku-event': String(payload['event']),
          'x-kaidoku-delivery': String(payload['delivery']),
          'x-kaidoku-attempt': String(attempt),
          'x-kaidoku-signature': signature(String(payload['secret']), body),
        },
      })
      status = answer.status
    } catch (error) {
      if (!(error instanceof FetchError)) throw error
      if (error.kind === 'size')
        status = 200 // It was taken; what they say of it, nobody reads.
      else if (error.kind === 'private' || error.kind === 'address') {
        await store.webhooks.sent(Number(payload['webhookId']), undefined)
        return undefined
      }
    }
    await store.webhooks.sent(Number(payload['webhookId']), status)
    if (status === undefined || status >= 300) throw new Error(`the webhook answers ${status ?? 'nothing'}`)
    return undefined
  }
}
