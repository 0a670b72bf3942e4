/** The table of routes under /api/v1. */
import * as v from 'valibot'
import { EXPORTS, exportOwn } from '#reading/carry'
import { beginImport, refusedAddress } from '#reading/jobs'
import type { ListPage } from '#reading/library'
import type { Highlight, ImportView } from '#reading/store'
import { allowPrivate, jobsOf, tell } from '../jobs.ts'
import { Problem } from './problem.ts'
import { type Route, route } from './route.ts'
import * as s from './schemas.ts'

const id = { id: s.Id }
const page = (list: ListPage, origin: string) => ({
  items: list.entries.map((entry) => s.toEntry(entry, origin)),
  next: list.older ?? null,
  previous: list.newer ?? null,
})
const given = <T extends object>(value: T) =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
const missing = (what: string) => new Problem(404, `there is no such ${what}`)

/** An article's address here is the article; any other is a page of the Web. */
export function targetOf(url: string, origin: string): { article: string } | { url: string } {
  const own = `${origin}/articles/`
  if (!url.startsWith(own)) return { url }
  try {
    return { article: decodeURIComponent(url.slice(own.length).replace(/[?#].*$/u, '')) }
  } catch {
    return { url } // A broken % in it: no article of ours.
  }
}

export const ROUTES: readonly Route[] = [
  route(
    'GET /entries',
    'Entries, the newest first; narrowed by site, keyword (comma between), tag, user, kind and medium',
    { needs: 'nothing', query: s.ListParameters, answer: s.pageOf(s.Entry) },
    async ({ store, viewer, origin, lang, query }) => {
      const { keyword, lang: asked, ...rest } = query
      const keywords = keyword?.split(',').filter((word) => word.trim() !== '')
      const list = await store.list({
        ...given({ ...rest, viewer, keyword: keywords?.length ? keywords : undefined }),
        limit: query.limit,
        lang: asked ?? lang,
      })
      return page(list, origin)
    },
  ),
  route(
    'GET /entries/lookup',
    'The entry of an address',
    { needs: 'nothing', query: s.UrlParameter, answer: s.Entry },
    async ({ store, viewer, origin, lang, query }) => {
      const entry = await store.entries.find(targetOf(query.url, origin), query.lang ?? lang, viewer)
      if (!entry) throw new Problem(404, 'nobody has bookmarked this yet')
      return s.toEntry(entry, origin)
    },
  ),
  route(
    'GET /entries/{id}',
    'An entry',
    { needs: 'nothing', params: id, answer: s.Entry },
    async ({ store, viewer, origin, lang, params }) => {
      const entry = await store.entries.find(params, lang, viewer)
      if (!entry) throw missing('entry')
      return s.toEntry(entry, origin)
    },
  ),
  route(
    'GET /entries/{id}/comments',
    'What was said of an entry',
    { needs: 'nothing', params: id, query: s.CommentParameters, answer: s.pageOf(s.Comment) },
    async ({ store, viewer, params, query }) => {
      const found = await store.comments.list({
        ...given({ ...query, viewer }),
        limit: query.limit,
        entryId: params.id,
      })
      return { items: found.comments.map(s.toComment), next: found.older ?? null, previous: found.newer ?? null }
    },
  ),
  route(
    'GET /entries/{id}/highlights',
    'Highlights on an entry: one’s own, and what others show',
    { needs: 'nothing', params: id, answer: v.array(s.Highlight) },
    async ({ store, viewer, params }) =>
      (await store.highlights.list(given({ entryId: params.id, viewer }))).map(toHighlight),
  ),
  route(
    'POST /entries/{id}/highlights',
    'Highlights a passage',
    { needs: 'write', params: id, body: s.HighlightBody, answer: v.object({ id: v.number() }), status: 201 },
    async ({ store, by, params, body }) => ({ id: await store.highlights.add(by, params.id, given(body)) }),
  ),
  route(
    'GET /search',
    'Searches titles, texts, comments, tags, commands and outputs; tag: site: user: is: before: after: "…" -… OR',
    { needs: 'nothing', query: s.SearchParameters, answer: s.pageOf(s.Entry) },
    async ({ store, viewer, origin, lang, query }) => {
      const { entries, older } = await store.search({
        ...given({ viewer, cursor: query.cursor }),
        text: query.q,
        limit: query.limit,
        lang: query.lang ?? lang,
      })
      const found = { entries, newer: undefined, older }
      return page(found, origin)
    },
  ),
  route(
    'GET /bookmarks',
    'One’s own bookmarks',
    { needs: 'read', query: s.MineParameters, answer: s.pageOf(s.Entry) },
    async ({ store, by, user, origin, lang, query }) =>
      page(await store.list({ ...given(query), limit: query.limit, viewer: by, user: user!.handle, lang }), origin),
  ),
  route(
    'POST /bookmarks',
    'Saves an address, or changes what one saved of it',
    {
      needs: 'write',
      body: s.SaveBody,
      answer: v.object({ entryId: v.number(), added: v.boolean(), bookmark: s.Bookmark }),
    },
    async ({ store, by, origin, body }) => {
      const { url, ...change } = body
      const saved = await store.bookmarks.save(by, targetOf(url, origin), given(change))
      const answer = { entryId: saved.entryId, added: saved.added, bookmark: s.toBookmark(saved.bookmark) }
      tell(store, by, 'bookmark.saved', { url, ...answer })
      return answer
    },
  ),
  route(
    'GET /bookmarks/{id}',
    'One’s own bookmark of an entry (by the entry’s number)',
    { needs: 'read', params: id, answer: s.Bookmark },
    async ({ store, by, params }) => {
      const own = await store.bookmarks.own(by, params.id)
      if (!own) throw missing('bookmark')
      return s.toBookmark(own)
    },
  ),
  route(
    'PATCH /bookmarks/{id}',
    'Changes one’s bookmark of an entry (by the entry’s number)',
    { needs: 'write', params: id, body: s.ChangeBody, answer: s.Bookmark },
    async ({ store, by, params, body }) => {
      if (!(await store.bookmarks.own(by, params.id))) throw missing('bookmark')
      const saved = await store.bookmarks.save(by, { entryId: params.id }, given(body))
      tell(store, by, 'bookmark.saved', { entryId: params.id, bookmark: s.toBookmark(saved.bookmark) })
      return s.toBookmark(saved.bookmark)
    },
  ),
  route(
    'DELETE /bookmarks/{id}',
    'Removes one’s bookmark of an entry (by the entry’s number)',
    { needs: 'write', params: id },
    async ({ store, by, params }) => {
      const own = await store.bookmarks.own(by, params.id)
      if (!own) throw missing('bookmark')
      await store.bookmarks.remove(by, [own.id])
      tell(store, by, 'bookmark.removed', { entryId: params.id })
    },
  ),
  route(
    'PUT /comments/{id}/star',
    'Gives a star to a comment, or takes it back',
    { needs: 'write', params: id, body: s.StarBody, answer: s.Stars },
    async ({ store, by, params, body }) => {
      const stars = await store.comments.star(by, params.id, body.starred)
      if (body.starred) tell(store, by, 'comment.starred', { bookmarkId: params.id, stars })
      return { stars }
    },
  ),
  route('GET /tags', 'One’s own tags', { needs: 'read', answer: v.array(s.Named) }, async ({ store, by, user }) =>
    (await store.bookmarks.tags(user!.handle, by)).map((tag) => ({ name: tag.name, count: tag.count })),
  ),
  route(
    'GET /keywords',
    'The keyword index: groups, keywords and their counts by medium',
    { needs: 'nothing', answer: v.array(s.KeywordGroup) },
    ({ store }) => store.keywords.index(),
  ),
  route(
    'GET /highlights',
    'One’s own highlights, the newest first',
    { needs: 'read', answer: v.array(s.Highlight) },
    async ({ store, by }) => (await store.highlights.list({ viewer: by, limit: 1000 })).map(toHighlight),
  ),
  route('DELETE /highlights/{id}', 'Removes a highlight', { needs: 'write', params: id }, ({ store, by, params }) =>
    store.highlights.remove(by, params.id),
  ),
  route('GET /follows', 'Whom and what one follows', { needs: 'read', answer: s.Follows }, async ({ store, by }) => {
    const { users, sites, keywords } = await store.follows.list(by)
    return { users, sites, keywords }
  }),
  route('POST /follows', 'Follows', { needs: 'write', body: s.FollowBody }, ({ store, by, body }) =>
    store.follows.set(by, toTarget(body), true),
  ),
  route('DELETE /follows', 'Follows no more', { needs: 'write', query: s.FollowBody }, ({ store, by, query }) =>
    store.follows.set(by, toTarget(query), false),
  ),
  route('GET /feeds', 'One’s subscriptions', { needs: 'read', answer: v.array(s.Feed) }, async ({ store, by }) =>
    (await store.feeds.list(by)).map(({ id, url, title, home, folder, unread, error }) => ({
      id,
      url,
      title,
      home,
      folder,
      unread,
      error: error ?? null,
    })),
  ),
  route(
    'POST /feeds',
    'Subscribes to a feed',
    { needs: 'write', body: s.FeedBody, answer: v.object({ id: v.number() }), status: 201 },
    async ({ store, by, body: { url, ...about } }) => ({ id: await store.feeds.subscribe(by, url, given(about)) }),
  ),
  route('DELETE /feeds/{id}', 'Ends a subscription', { needs: 'write', params: id }, ({ store, by, params }) =>
    store.feeds.unsubscribe(by, params.id),
  ),
  route(
    'GET /feeds/items',
    'What the feeds brought, the newest first; the cursor is a time',
    { needs: 'read', query: s.PageQuery, answer: s.pageOf(s.FeedItem) },
    async ({ store, by, query }) => {
      const before = query.cursor === undefined ? undefined : Number(query.cursor)
      const items = await store.feeds.items(by, {
        limit: query.limit,
        ...(before === undefined ? {} : { beforeMs: before }),
      })
      return {
        items: items.map(({ id, feedId, feedTitle, url, title, author, excerpt, publishedAtMs, unread }) => ({
          id,
          feedId,
          feed: feedTitle,
          url,
          title,
          author,
          excerpt,
          publishedAt: s.iso(publishedAtMs),
          unread,
        })),
        next: items.length === query.limit ? String(items.at(-1)!.publishedAtMs) : null,
        previous: null,
      }
    },
  ),
  route('GET /imports', 'One’s imports', { needs: 'read', answer: v.array(s.Import) }, async ({ store, by }) =>
    (await store.imports.list(by)).map(toImport),
  ),
  route(
    'POST /imports',
    'Takes in a file of bookmarks, of whatever service; it goes on by itself',
    { needs: 'write', query: s.ImportParameters, body: 'file', answer: v.object({ id: v.number() }), status: 202 },
    async ({ store, by, query, bytes }) => {
      if (bytes.length === 0) throw new Problem(422, 'the file is the request’s body, and it is empty')
      const { queue } = await jobsOf(store)
      const begun = await beginImport(store, queue, by, { name: query.name, bytes, private: query.private === 'true' })
      return { id: begun }
    },
  ),
  route(
    'GET /imports/{id}',
    'How far an import is, and what became of each bookmark',
    { needs: 'read', params: id, answer: s.Import },
    async ({ store, by, params }) => {
      const found = await store.imports.find(by, params.id)
      if (!found) throw missing('import')
      return toImport(found)
    },
  ),
  route(
    'GET /exports',
    'All that is one’s own, in one file',
    { needs: 'read', query: s.ExportParameters, answer: 'file' },
    async ({ store, by, user, origin, query }) => {
      const { type, extension } = EXPORTS[query.format]
      const pieces = exportOwn(store, by, query.format, origin)
      const encoder = new TextEncoder()
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          const { value, done } = await pieces.next()
          if (done) controller.close()
          else controller.enqueue(encoder.encode(value))
        },
        cancel: () => void pieces.return(undefined),
      })
      const name = `kaidoku-${user!.handle}.${extension}`
      return new Response(body, {
        headers: { 'content-type': type, 'content-disposition': `attachment; filename="${name}"` },
      })
    },
  ),
  route('GET /users/me', 'Oneself', { needs: 'read', answer: s.User }, async ({ user }) => user!),
  route(
    'GET /users/{handle}',
    'Somebody',
    { needs: 'nothing', params: { handle: v.pipe(v.string(), v.maxLength(60)) }, answer: s.Profile },
    async ({ store, viewer, params }) => {
      const found = await store.bookmarks.profile(params.handle, viewer)
      if (!found) throw missing('user')
      return {
        handle: found.username,
        name: found.name,
        bookmarks: found.bookmarks,
        createdAt: s.iso(found.createdAtMs),
      }
    },
  ),
  route('GET /tokens', 'One’s tokens', { needs: 'read', answer: v.array(s.Token) }, async ({ store, by }) =>
    (await store.tokens.list(by)).map(({ id, name, scopes, createdAtMs, lastUsedAtMs, expiresAtMs }) => ({
      id,
      name,
      scopes,
      createdAt: s.iso(createdAtMs),
      lastUsedAt: s.isoOrNull(lastUsedAtMs),
      expiresAt: s.isoOrNull(expiresAtMs),
    })),
  ),
  route(
    'POST /tokens',
    'Makes a token; it is told this once. A token that makes others has the scope admin',
    { needs: 'admin', body: s.TokenBody, answer: s.NewToken, status: 201 },
    ({ store, by, body: { name, scopes, days } }) =>
      store.tokens.create(by, {
        name,
        scopes,
        ...(days === undefined ? {} : { expiresAtMs: Date.now() + days * 86_400_000 }),
      }),
  ),
  route('DELETE /tokens/{id}', 'Takes a token back', { needs: 'admin', params: id }, ({ store, by, params }) =>
    store.tokens.remove(by, params.id),
  ),
  route('GET /webhooks', 'One’s webhooks', { needs: 'read', answer: v.array(s.Webhook) }, async ({ store, by }) =>
    (await store.webhooks.list(by)).map(({ id, url, events, active, lastAtMs, lastStatus, failures }) => ({
      id,
      url,
      events,
      active,
      failures,
      lastAt: s.isoOrNull(lastAtMs),
      lastStatus: lastStatus ?? null,
    })),
  ),
  route(
    'POST /webhooks',
    'Tells an address of what happens; the secret that signs it is told this once',
    { needs: 'write', body: s.WebhookBody, answer: s.NewWebhook, status: 201 },
    async ({ store, by, body }) => {
      const why = await refusedAddress(body.url, { allowPrivate: allowPrivate() })
      if (why) throw new Problem(422, why, [{ at: '/url', what: why }])
      return store.webhooks.create(by, body)
    },
  ),
  route('DELETE /webhooks/{id}', 'Removes a webhook', { needs: 'write', params: id }, ({ store, by, params }) =>
    store.webhooks.remove(by, params.id),
  ),
]

const toTarget = ({ kind, name }: v.InferOutput<typeof s.FollowBody>) =>
  kind === 'user' ? { user: name } : kind === 'site' ? { site: name } : { keyword: name }

const toHighlight = (mark: Highlight) => ({
  id: mark.id,
  entryId: mark.entryId,
  user: mark.username,
  medium: mark.medium,
  quote: mark.quote,
  prefix: mark.prefix,
  suffix: mark.suffix,
  note: mark.note,
  color: mark.color,
  private: mark.private,
  createdAt: s.iso(mark.createdAtMs),
})

const toImport = (view: ImportView) => ({
  id: view.id,
  format: view.format,
  fileName: view.fileName,
  state: view.state,
  total: view.total ?? null,
  done: view.done,
  added: view.added,
  merged: view.merged,
  refused: view.refused,
  report: view.report,
  error: view.error ?? null,
  createdAt: s.iso(view.createdAtMs),
})
