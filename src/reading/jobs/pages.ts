/** Jobs that look at the Web: a page fetched or fetched again, a feed polled, a link checked. */
import {
  afterCheck,
  type CollectedPage,
  checkLink,
  collectPage,
  decodeText,
  FetchError,
  type FetchOptions,
  fetchPage,
  type Robots,
} from '#reading/collect'
import { ExchangeError, parseFeed } from '#reading/exchange'
import { excerptOf, mediumOf } from '#reading/library'
import type { Store } from '#reading/store'
import type { Handler, Queue } from './queue.ts'

export interface WebOptions extends Pick<FetchOptions, 'allowPrivate' | 'resolve'> {
  robots: Robots
  now: () => number
}

const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS
// What may be otherwise in an hour.
const PASSING = new Set(['dns', 'connection', 'timeout'])

/** Fetches a page of an entry and keeps it as a version; the answer says whether there was anything new. */
export async function savePage(
  store: Store,
  entry: { entryId: number; url: string },
  options: WebOptions & { signal?: AbortSignal },
): Promise<{ versionId: number; added: boolean; page: CollectedPage }> {
  const { robots, allowPrivate, resolve, signal, now } = options
  const page = await collectPage(entry.url, {
    robots,
    ...(allowPrivate === undefined ? {} : { allowPrivate }),
    ...(resolve ? { resolve } : {}),
    ...(signal ? { signal } : {}),
  })
  const contentType = page.kind === 'pdf' ? 'application/pdf' : page.kind === 'text' ? 'text/plain' : 'text/html'
  const version = await store.pages.addVersion(
    entry.entryId,
    {
      url: page.finalUrl,
      status: 200,
      contentType,
      hash: page.hash,
      bytes: Buffer.byteLength(page.html),
      title: page.title,
      author: page.author,
      lang: page.lang,
      html: page.html,
      text: page.text,
      about: {
        siteName: page.siteName,
        description: page.description,
        charset: page.charset,
        canonical: page.canonical ?? null,
        firstPage: page.firstPage ?? null,
        consoles: page.consoles.slice(0, 200),
        warnings: page.warnings.slice(0, 50),
        etag: page.etag,
        lastModified: page.lastModified,
      },
      images: page.images.map(({ hash, url, type, width, height, bytes }) => ({
        hash,
        url,
        contentType: type,
        bytes,
        ...(width === undefined || height === undefined ? {} : { width, height }),
      })),
    },
    now(),
  )
  await store.entries.describe(
    entry.entryId,
    {
      title: page.title,
      author: page.author,
      lang: page.lang,
      text: page.text,
      excerpt: excerptOf(page.prose || page.description),
      medium: mediumOf({ url: page.finalUrl, title: page.title, contentType }),
      status: 200,
      ...(page.publishedAtS === undefined ? {} : { publishedAtMs: page.publishedAtS * 1000 }),
      ...(page.firstPage === undefined ? {} : { picture: page.firstPage }),
    },
    now(),
  )
  return { versionId: version.id, added: version.added, page }
}

/** `fetch` {entryId, url}: a page that was saved; fetched again, it is the same job. */
export function fetchHandler(store: Store, options: WebOptions): Handler {
  return async ({ payload, attempt }, signal) => {
    const entry = { entryId: Number(payload['entryId']), url: String(payload['url']) }
    try {
      await savePage(store, entry, { ...options, signal })
    } catch (error) {
      if (!(error instanceof FetchError)) throw error
      if (PASSING.has(error.kind) && attempt < 4) throw error
      // It stays a bookmark without a page; nobody asks again on their own.
      await store.entries.checked(entry.entryId, undefined, false, options.now())
    }
    return undefined
  }
}

/** `feed` {feedId}: polls one feed; the store knows when it is polled next. */
export function feedHandler(store: Store, options: WebOptions): Handler {
  return async ({ payload }, signal) => {
    const id = Number(payload['feedId'])
    const feed = await store.feeds.find(id)
    if (!feed) return undefined
    const now = options.now()
    try {
      const answer = await fetchPage(feed.url, {
        ...(options.allowPrivate === undefined ? {} : { allowPrivate: options.allowPrivate }),
        ...(options.resolve ? { resolve: options.resolve } : {}),
        signal,
        maxBytes: 8 * 1024 * 1024,
        headers: {
          ...(feed.etag ? { 'if-none-match': feed.etag } : {}),
          ...(feed.lastModified ? { 'if-modified-since': feed.lastModified } : {}),
        },
      })
      const kept = {
        etag: answer.headers['etag'] ?? feed.etag,
        lastModified: answer.headers['last-modified'] ?? feed.lastModified,
      }
      const known = {
        ...(kept.etag ? { etag: kept.etag } : {}),
        ...(kept.lastModified ? { lastModified: kept.lastModified } : {}),
      }
      if (answer.status === 304) {
        await store.feeds.fetched(id, { ...known, nextAtMs: now + HOUR_MS }, now)
        return undefined
      }
      if (answer.status !== 200) throw new FetchError('broken', `the feed answers ${answer.status}`)
      const { text } = decodeText(answer.body, answer.headers['content-type'])
      const parsed = parseFeed(text, (link) =>
        link !== '' && URL.canParse(link, answer.url) ? new URL(link, answer.url).href : undefined,
      )
      const items = parsed.items.map(({ id: guid, url, title, author, summary, publishedAtS }) => ({
        guid,
        url,
        title: title || url,
        author,
        excerpt: excerptOf(summary),
        publishedAtMs: Math.min(publishedAtS === undefined ? now : publishedAtS * 1000, now),
      }))
      await store.feeds.fetched(
        id,
        { ...known, title: parsed.title, home: parsed.siteUrl, items, nextAtMs: now + HOUR_MS },
        now,
      )
    } catch (error) {
      if (!(error instanceof FetchError || error instanceof ExchangeError)) throw error
      // Twice as long after each failure, to a day.
      const nextAtMs = now + Math.min(HOUR_MS * 2 ** Math.min(feed.failures, 5), DAY_MS)
      await store.feeds.fetched(
        id,
        {
          error: error.message,
          nextAtMs,
          ...(feed.etag ? { etag: feed.etag } : {}),
          ...(feed.lastModified ? { lastModified: feed.lastModified } : {}),
        },
        now,
      )
    }
    return undefined
  }
}

/** `link` {entryId, url, failures, firstFailedAtMs}: whether a page is still there; asked again daily until it is sure. */
export function linkHandler(store: Store, options: WebOptions): Handler {
  return async ({ payload }, signal) => {
    const entryId = Number(payload['entryId'])
    const check = await checkLink(String(payload['url']), {
      ...(options.allowPrivate === undefined ? {} : { allowPrivate: options.allowPrivate }),
      ...(options.resolve ? { resolve: options.resolve } : {}),
      signal,
    })
    const first = payload['firstFailedAtMs']
    const history = {
      failures: Number(payload['failures'] ?? 0),
      firstFailedAtMs: typeof first === 'number' ? first : undefined,
    }
    const now = options.now()
    const { state, failures, firstFailedAtMs } = afterCheck(history, check, now)
    await store.entries.checked(entryId, check.status || undefined, state === 'dead', now)
    if (state !== 'failing') return undefined
    return { againAtMs: now + DAY_MS, payload: { ...payload, failures, firstFailedAtMs } }
  }
}

/** What has come due: feeds, and links that nobody looked at for a month. */
export async function addDue(store: Store, queue: Queue, nowMs: number): Promise<void> {
  for (const { id } of await store.feeds.due(nowMs, 100)) await queue.add('feed', { feedId: id }, { key: String(id) })
  for (const { id, url } of await store.entries.toCheck(nowMs - 30 * DAY_MS, 20)) {
    await queue.add('link', { entryId: id, url }, { key: String(id) })
  }
}
