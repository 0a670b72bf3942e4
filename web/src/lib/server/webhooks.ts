/**
 * Tells addresses of what happened: a POST of JSON, signed by HMAC-SHA-256 over its time and body, tried again three times. An
 * address within private networks is refused, at the time of sending too, unless KAIDOKU_PRIVATE_ADDRESSES=allow.
 */
import { createHmac, randomUUID } from 'node:crypto'
import { lookup } from 'node:dns'
import { lookup as lookupAll } from 'node:dns/promises'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import ipaddr from 'ipaddr.js'
import type { Store } from '#reading/store'
import { env } from '$env/dynamic/private'

const WAITS_MS = [0, 5_000, 60_000, 600_000]

const allowed = (address: string) =>
  env['KAIDOKU_PRIVATE_ADDRESSES'] === 'allow' || ipaddr.process(address).range() === 'unicast'

/** Why an address can't be told; undefined if it can. */
export async function refusedAddress(url: string): Promise<string | undefined> {
  const { protocol, hostname, username } = new URL(url)
  if (protocol !== 'https:' && protocol !== 'http:') return 'not an address of the Web'
  if (username !== '') return 'a user name in the address'
  const bare = hostname.replace(/^\[|\]$/gu, '')
  const found = ipaddr.isValid(bare) ? [{ address: bare }] : await lookupAll(bare, { all: true }).catch(() => [])
  if (found.length === 0) return 'this name leads nowhere'
  return found.every(({ address }) => allowed(address))
    ? undefined
    : 'a private address; KAIDOKU_PRIVATE_ADDRESSES=allow permits it'
}

/** Tells a user's webhooks; nobody waits for it. */
export function announce(store: Store, userId: number, event: string, data: object): void {
  void store.webhooks
    .for(userId, event)
    .then((hooks) => Promise.all(hooks.map((hook) => send(store, hook, event, data))))
    .catch((error: unknown) => console.error(`webhooks: ${error instanceof Error ? error.message : error}`))
}

async function send(store: Store, hook: { id: number; url: string; secret: string }, event: string, data: object) {
  const id = randomUUID()
  const body = JSON.stringify({ id, event, at: new Date().toISOString(), data })
  for (const wait of WAITS_MS) {
    if (wait > 0) await new Promise((done) => setTimeout(done, wait).unref())
    const status = await post(hook, id, event, body).catch(() => undefined)
    await store.webhooks.sent(hook.id, status)
    if (status !== undefined && status < 500 && status !== 429) return
  }
}

/** What a receiver computes again: `sha256=HMAC(secret, "TIME.BODY")`. */
export const signature = (secret: string, time: string, body: string) =>
  `sha256=${createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')}`

function post(hook: { url: string; secret: string }, id: string, event: string, body: string): Promise<number> {
  const url = new URL(hook.url)
  const time = String(Math.floor(Date.now() / 1000))
  const bare = url.hostname.replace(/^\[|\]$/gu, '')
  if (ipaddr.isValid(bare) && !allowed(bare)) return Promise.reject(new Error('a private address'))
  return new Promise((done, fail) => {
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(
      url,
      {
        method: 'POST',
        timeout: 10_000,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'user-agent': 'Kaidoku',
          'kaidoku-id': id,
          'kaidoku-event': event,
          'kaidoku-time': time,
          'kaidoku-signature': signature(hook.secret, time, body),
        },
        // Looked at when it is connected to: a name may lead elsewhere by then.
        lookup: (name, options, answer) =>
          lookup(name, { ...options, all: true }, (error, found) => {
            if (error) return answer(error, '', 0)
            const good = found.filter(({ address }) => allowed(address))
            if (good.length === 0) return answer(new Error('a private address'), '', 0)
            if (options.all) return (answer as unknown as (error: null, all: typeof good) => void)(null, good)
            answer(null, good[0]!.address, good[0]!.family)
          }),
      },
      (response) => {
        response.resume() // Nothing is wanted of it, and redirects aren't followed.
        done(response.statusCode ?? 0)
      },
    )
    request.on('timeout', () => request.destroy(new Error('no answer within 10 seconds')))
    request.on('error', fail)
    request.end(body)
  })
}
