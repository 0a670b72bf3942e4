/// <reference no-default-lib="true"/>
/// <reference lib="esnext" />
/// <reference lib="webworker" />
/**
 * What makes the room readable without a network. Scripts and styles are kept from the start, labs' too, since they are
 * simulated in the browser; pages are asked for anew whenever there is a network, and the last answer is kept. What is to be
 * read later is fetched ahead. Nothing that was posted is kept, and signing out forgets all pages.
 */
import { base, build, files, version } from '$service-worker'

const worker = globalThis as unknown as ServiceWorkerGlobalScope

const ASSETS = `assets-${version}`
const PAGES = 'pages' // Outlives versions: an article that was kept stays.
const OFFLINE = `${base}/offline`
const PAGES_MAX = 300

const assets = new Set([...build, ...files])

worker.addEventListener('install', (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(ASSETS)
      await cache.addAll([...assets, OFFLINE])
      await worker.skipWaiting()
    })(),
  )
})

worker.addEventListener('activate', (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name !== ASSETS && name !== PAGES) await caches.delete(name)
      await worker.registration.navigationPreload?.enable()
      await worker.clients.claim()
    })(),
  )
})

worker.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (url.origin !== worker.location.origin) return
  if (request.method !== 'GET') {
    if (url.pathname.endsWith('/sign-out')) event.waitUntil(caches.delete(PAGES))
    return
  }
  if (assets.has(url.pathname)) return event.respondWith(asset(request))
  if (url.pathname.startsWith(`${base}/api/`) || request.headers.has('range')) return
  if (/\/(?:export|sign-|settings)/u.test(url.pathname)) return
  const isData = url.pathname.endsWith('/__data.json')
  const isImage = request.destination === 'image'
  if (request.mode === 'navigate' || isData || isImage) event.respondWith(page(event, isImage))
})

worker.addEventListener('message', (event) => {
  const keep: unknown = event.data?.keep
  if (!Array.isArray(keep)) return
  event.waitUntil(keepPages(keep.filter((path): path is string => typeof path === 'string' && path.startsWith('/'))))
})

async function asset(request: Request): Promise<Response> {
  const cache = await caches.open(ASSETS)
  return (await cache.match(request, { ignoreSearch: true })) ?? fetch(request)
}

/** The network's answer; without one, what was kept; without that, a page that says so. */
async function page(event: FetchEvent, isImage: boolean): Promise<Response> {
  const { request } = event
  try {
    const answer = ((await event.preloadResponse) as Response | undefined) ?? (await fetch(request))
    if (answer.ok && !answer.redirected && answer.type === 'basic') {
      const copy = answer.clone()
      event.waitUntil(caches.open(PAGES).then((cache) => put(cache, request, copy)))
    }
    return answer
  } catch (error) {
    const kept = await (await caches.open(PAGES)).match(plain(request.url), { ignoreVary: true })
    if (kept) return kept
    if (isImage || request.mode !== 'navigate') throw error
    return (await caches.match(OFFLINE, { ignoreVary: true })) ?? Response.error()
  }
}

/** What invalidates differs from visit to visit; the page is the same. */
function plain(address: string): string {
  const url = new URL(address)
  url.searchParams.delete('x-sveltekit-invalidated')
  return url.href
}

async function put(cache: Cache, request: Request, answer: Response): Promise<void> {
  const kept = await cache.keys()
  for (const old of kept.slice(0, Math.max(0, kept.length - PAGES_MAX))) await cache.delete(old)
  await cache.put(plain(request.url), answer)
}

/** Pages to be read later, as documents and as the data that a page already open asks for. */
async function keepPages(paths: string[]): Promise<void> {
  const cache = await caches.open(PAGES)
  for (const path of paths.slice(0, PAGES_MAX / 3)) {
    const [pathname, search = ''] = path.split('?')
    const data = `${pathname === '/' ? '' : pathname!.replace(/\/$/u, '')}/__data.json${search ? `?${search}` : ''}`
    for (const each of [path, data]) {
      const url = new URL(each, worker.location.origin).href
      if (await cache.match(url, { ignoreVary: true })) continue
      try {
        const answer = await fetch(url, { credentials: 'same-origin' })
        if (answer.ok && !answer.redirected) await cache.put(url, answer)
      } catch {
        return // The network is gone again.
      }
    }
  }
}
