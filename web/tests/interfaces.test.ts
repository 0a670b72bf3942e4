/** The interfaces for programs, asked at the built server: the API and its document, Hatena's shapes, feeds. */
import { parseFeed } from 'feedsmith'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { faults } from './support/json-schema.ts'
import { openServer, type Server, sendLarge, unbuilt } from './support/server.ts'

if (unbuilt) console.warn(unbuilt)

interface Operation {
  operationId: string
  parameters?: { name: string; in: string; required: boolean; schema: Record<string, unknown> }[]
  requestBody?: { content: Record<string, { schema?: Record<string, unknown> }> }
  security: Record<string, string[]>[]
  responses: Record<string, { description?: string; content?: Record<string, { schema: Record<string, unknown> }> }>
}
interface Document {
  openapi: string
  info: Record<string, unknown>
  servers: { url: string }[]
  paths: Record<string, Record<string, Operation>>
  components: { responses: Record<string, Operation['responses'][string]> }
}

describe.skipIf(unbuilt)('interfaces', () => {
  let server: Server
  let document: Document
  const token = { ann: '', reads: '', ben: '', admin: '', reader: '' }
  const ids = { ann: 0, ben: 0, reader: 0 }
  const secret = 'https://secret.example/ben'

  const ask = (method: string, path: string, options: { as?: string; body?: unknown; headers?: object } = {}) =>
    fetch(server.address + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(options.as === undefined ? {} : { authorization: `Bearer ${options.as}` }),
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(options.body === undefined
        ? {}
        : { body: typeof options.body === 'string' ? options.body : JSON.stringify(options.body) }),
    })
  const v1 = (method: string, path: string, options?: Parameters<typeof ask>[2]) =>
    ask(method, `/api/v1${path}`, options)

  beforeAll(async () => {
    server = await openServer(
      async (store) => {
        await store.people.createOwner('ann', 'Ann')
        const { user } = store.people.tables
        await store.db.insert(user).values([
          { name: 'Ben', email: 'ben@users.invalid', username: 'ben', displayUsername: 'ben', role: 'member' },
          { name: 'Rea', email: 'rea@users.invalid', username: 'rea', displayUsername: 'rea', role: 'reader' },
        ] as never)
        for (const [name, handle] of [
          ['ann', 'ann'],
          ['ben', 'ben'],
          ['reader', 'rea'],
        ] as const)
          ids[name] = (await store.people.find({ handle }))!.id
        const make = async (by: number, scopes: ('read' | 'write' | 'admin')[]) =>
          (await store.tokens.create(by, { name: 'test', scopes })).token
        token.ann = await make(ids.ann, ['read', 'write'])
        token.reads = await make(ids.ann, ['read'])
        token.admin = await make(ids.ann, ['admin'])
        token.ben = await make(ids.ben, ['read', 'write'])
        token.reader = await make(ids.reader, ['read', 'write'])
        await store.bookmarks.save(ids.ben, { url: secret }, { private: true, comment: 'nobody sees this' })
        for (let i = 0; i < 25; i++)
          await store.bookmarks.save(
            ids.ben,
            { url: `https://pages.example/${i}?q=<&"'` },
            { title: `頁 ${i} <b>&`, comment: `[tag] </title>${i}` },
            1_767_225_600_000 + i * 1000,
          )
      },
      { env: { KAIDOKU_FETCH: '0' } },
    )
    document = (await (await v1('GET', '/openapi.json')).json()) as Document
  })
  afterAll(() => server?.close())

  const operations = () =>
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
    )
  const needs = (operation: Operation) => operation.security.flatMap((one) => Object.values(one)[0] ?? [])[0]
  const filled = (path: string) => path.replace('{handle}', 'nobody').replace(/\{\w+\}/gu, '999999')

  /** The answer, after it has been judged by what the document says of it. */
  async function judged(method: string, path: string, options?: Parameters<typeof ask>[2], template = path) {
    const operation = document.paths[template.replace(/\?.*/u, '')]![method.toLowerCase()]!
    const response = await v1(method, path, options)
    const text = await response.text()
    expect(operation.responses, `${method} ${path}: ${response.status} ${text.slice(0, 300)}`).toHaveProperty(
      String(response.status),
    )
    const schema = operation.responses[response.status]!.content?.['application/json']?.schema
    if (!schema) {
      expect(text).toBe('')
      return undefined as never
    }
    const value = JSON.parse(text)
    expect(faults(schema, value), `${method} ${path}`).toEqual([])
    return value
  }

  it('has a document of OpenAPI 3.1’s shape', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d$/u)
    expect(document.info).toMatchObject({ title: expect.any(String), version: expect.any(String) })
    expect(document.servers[0]!.url).toBe(`${server.address}/api/v1`)
    const all = operations()
    expect(new Set(all.map(({ operation }) => operation.operationId)).size).toBe(all.length)
    for (const { path, method, operation } of all) {
      const named = [...path.matchAll(/\{(\w+)\}/gu)].map((match) => match[1])
      const declared = (operation.parameters ?? []).filter((one) => one.in === 'path')
      expect(
        declared.map((one) => one.name),
        path,
      ).toEqual(named)
      expect(declared.every((one) => one.required)).toBe(true)
      for (const one of operation.parameters ?? []) expect(one.schema).toBeTypeOf('object')
      expect(Object.keys(operation.responses).every((code) => /^(?:[1-5]\d\d|default)$/u.test(code))).toBe(true)
      for (const each of Object.values(operation.responses))
        expect('$ref' in each || typeof each.description === 'string').toBe(true)
      if (method === 'GET') expect(operation.requestBody).toBeUndefined()
    }
    for (const [, ref] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/gu))
      expect(
        ref!.split('/').reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], document),
      ).toBeDefined()
  })

  it('serves each route of the document, by its methods alone', async () => {
    const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
    for (const [path, here] of Object.entries(document.paths)) {
      const options = await v1('OPTIONS', filled(path))
      const allowed = (options.headers.get('allow') ?? '').split(', ')
      expect(options.status, path).toBe(204)
      for (const method of Object.keys(here)) expect(allowed, path).toContain(method.toUpperCase())
      const not = methods.find((method) => !allowed.includes(method))!
      const refused = await v1(not, filled(path), { as: token.ann })
      expect(refused.status, `${not} ${path}`).toBe(405)
      expect(refused.headers.get('allow')).toBe(allowed.join(', '))
    }
    for (const path of ['/nothing', '/bookmarks/1/2', '/entries/abc', '/entries/0', '/entries/1e3'])
      expect((await v1('GET', path, { as: token.ann })).status, path).toBe(404)
  })

  it('asks for a token wherever one is needed, and for its scope', async () => {
    for (const { method, path, operation } of operations()) {
      const scope = needs(operation)
      const at = `${method} ${path}`
      const wrong = await v1(method, filled(path), { as: 'kd_wrong' })
      expect(wrong.status, at).toBe(429 === wrong.status ? 429 : 401)
      if (scope === undefined) continue
      const without = await v1(method, filled(path), { headers: { authorization: 'Basic YTpi' } })
      expect([401, 429], at).toContain(without.status)
      if (method === 'GET') {
        const nobody = await v1(method, filled(path))
        expect(nobody.status, at).toBe(401)
        expect(nobody.headers.get('www-authenticate')).toContain('Bearer')
        expect(nobody.headers.get('content-type')).toBe('application/problem+json')
      }
      if (scope !== 'read') expect((await v1(method, filled(path), { as: token.reads })).status, at).toBe(403)
      if (scope === 'admin') expect((await v1(method, filled(path), { as: token.ann })).status, at).toBe(403)
    }
    const admin = await v1('POST', '/tokens', { as: token.admin, body: { name: 'n', scopes: ['read'], days: 1 } })
    expect(admin.status).toBe(201)
    expect((await v1('POST', '/tokens', { as: token.admin, body: { name: 'n', scopes: ['admin'] } })).status).toBe(422)
  })

  it('answers as its document says', async () => {
    const as = token.ann
    const saved = await judged('POST', '/bookmarks', {
      as,
      body: { url: 'https://a.example/#frag', comment: '[one][two] said', note: 'long', readLater: true },
    })
    expect(saved).toMatchObject({ added: true, bookmark: { tags: ['one', 'two'], readLater: true } })
    const id = saved.entryId
    await judged('PATCH', `/bookmarks/${id}`, { as, body: { favourite: true } }, '/bookmarks/{id}')
    await judged('GET', `/bookmarks/${id}`, { as }, '/bookmarks/{id}')
    await judged('GET', `/entries/${id}`, { as }, '/entries/{id}')
    await judged('GET', `/entries/${id}/comments`, { as }, '/entries/{id}/comments')
    const mark = await judged(
      'POST',
      `/entries/${id}/highlights`,
      { as, body: { quote: 'q' } },
      '/entries/{id}/highlights',
    )
    await judged('GET', `/entries/${id}/highlights`, { as }, '/entries/{id}/highlights')
    expect(await judged('GET', '/highlights', { as })).toHaveLength(1)
    await judged('DELETE', `/highlights/${mark.id}`, { as: token.ben }, '/highlights/{id}').catch(() => {})
    expect(await judged('GET', '/highlights', { as })).toHaveLength(1)
    await judged('DELETE', `/highlights/${mark.id}`, { as }, '/highlights/{id}')
    const commented = (await judged('GET', '/entries?user=ben&limit=1')).items[0]
    expect(
      await judged(
        'PUT',
        `/comments/${commented.saved.id}/star`,
        { as, body: { starred: true } },
        '/comments/{id}/star',
      ),
    ).toEqual({ stars: 1 })
    await judged('POST', '/follows', { as, body: { kind: 'user', name: 'ben' } })
    expect(await judged('GET', '/follows', { as })).toMatchObject({ users: ['ben'] })
    await judged('DELETE', '/follows?kind=user&name=ben', { as })
    const feed = await judged('POST', '/feeds', { as, body: { url: 'https://feeds.example/a.rss', folder: 'f' } })
    await judged('GET', '/feeds', { as })
    await judged('GET', '/feeds/items', { as })
    await judged('DELETE', `/feeds/${feed.id}`, { as }, '/feeds/{id}')
    const hook = await judged('POST', '/webhooks', {
      as,
      body: { url: 'https://93.184.216.34/', events: ['import.done'] },
    })
    await judged('GET', '/webhooks', { as })
    await judged('DELETE', `/webhooks/${hook.id}`, { as: token.ben }, '/webhooks/{id}')
    expect(await judged('GET', '/webhooks', { as })).toHaveLength(1)
    await judged('DELETE', `/webhooks/${hook.id}`, { as }, '/webhooks/{id}')
    await judged('GET', '/tags', { as })
    await judged('GET', '/keywords')
    await judged('GET', '/search?q=頁', { as })
    await judged('GET', '/users/me', { as })
    await judged('GET', '/users/ben', {}, '/users/{handle}')
    await judged('GET', '/tokens', { as })
    await judged('GET', `/entries/lookup?url=${encodeURIComponent('https://a.example/')}`)
    await judged('DELETE', `/bookmarks/${id}`, { as }, '/bookmarks/{id}')
    expect((await v1('GET', `/bookmarks/${id}`, { as })).status).toBe(404)
  })

  it('takes a file in: added, merged, refused and why, larger than the adapter’s own limit', async () => {
    const as = token.ann
    const line = (url: string, title: string) => `<DT><A HREF="${url}" ADD_DATE="1700000000">${title}</A>\n`
    const body =
      '<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<DL><p>\n' +
      line('https://in.example/1', 'one') +
      line('https://in.example/1', 'one again') +
      line('javascript:alert(1)', 'a script') +
      line('https://in.example/2', 'x'.repeat(700_000)) +
      '</DL><p>\n'
    const { id } = await judged('POST', '/imports?name=a.html', { as, body, headers: { 'content-type': 'text/html' } })
    let view = await judged('GET', `/imports/${id}`, { as }, '/imports/{id}')
    while (view.state === 'waiting' || view.state === 'running') {
      await new Promise((done) => setTimeout(done, 50))
      view = await judged('GET', `/imports/${id}`, { as }, '/imports/{id}')
    }
    expect(view).toMatchObject({ state: 'done', added: 2, merged: 1, refused: 1 })
    expect(view.report).toEqual([expect.objectContaining({ url: 'javascript:alert(1)', what: expect.any(String) })])
    expect((await v1('GET', `/imports/${id}`, { as: token.ben })).status).toBe(404)
    expect(await judged('GET', '/imports', { as: token.ben })).toEqual([])
    expect((await v1('POST', '/imports', { as })).status).toBe(422)
  })

  it('shows nobody what is another’s', async () => {
    const found = async (path: string, as?: string) =>
      JSON.stringify(await (await ask('GET', path, as ? { as } : {})).json())
    const mine = await found(`/api/v1/entries/lookup?url=${encodeURIComponent(secret)}`, token.ben)
    const { id } = JSON.parse(mine)
    expect(mine).toContain('nobody sees this')
    for (const as of [undefined, token.ann, token.admin]) {
      for (const path of ['/entries?limit=200', '/entries?user=ben&limit=200', '/search?q=nobody', '/search?q=secret'])
        expect(await found(`/api/v1${path}`, as), path).not.toContain('secret.example')
      expect(await found(`/api/v1/entries/${id}/comments`, as)).not.toContain('nobody sees')
      expect(await found(`/api/v1/entries/${id}`, as)).not.toContain('nobody sees')
    }
    for (const path of ['/index.json', '/user/ben.json', '/site/secret.example.json'])
      expect(await found(path), path).not.toContain(`"${secret}"`)
    expect(await found(`/entry/jsonlite/?url=${encodeURIComponent(secret)}`)).not.toContain('nobody sees')
    expect((await v1('PATCH', `/bookmarks/${id}`, { as: token.ann, body: { comment: 'x' } })).status).toBe(404)
    expect((await v1('DELETE', `/bookmarks/${id}`, { as: token.ann })).status).toBe(404)
    expect((await v1('POST', '/bookmarks', { as: token.reader, body: { url: 'https://r.example/' } })).status).toBe(403)
  })

  it('walks a list by its cursors, each entry once', async () => {
    const seen: number[] = []
    let cursor: string | null = null
    let pages = 0
    do {
      const list: { items: { id: number }[]; next: string | null } = await judged(
        'GET',
        `/entries?user=ben&limit=10${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
      )
      seen.push(...list.items.map((item) => item.id))
      cursor = list.next
      pages++
    } while (cursor !== null)
    expect(pages).toBe(3)
    expect(new Set(seen).size).toBe(25)
    expect(seen).toHaveLength(25)
    for (const bad of ['nonsense', 'older-1', "older-1-1';--", '999999999999'])
      expect((await v1('GET', `/entries?cursor=${encodeURIComponent(bad)}`)).status, bad).toBe(400)
  })

  it('says what is wrong with a request, and where', async () => {
    const as = token.ann
    const problem = async (response: Response) => ({ at: response.status, ...((await response.json()) as object) })
    const post = (body: unknown, headers = {}) => v1('POST', '/bookmarks', { as, body, headers })
    expect(await problem(await post({ url: 'https://x.example/', tags: ['a', 7] }))).toMatchObject({
      at: 422,
      status: 422,
      errors: [{ at: '/tags/1', what: expect.any(String) }],
    })
    for (const body of [
      [],
      null,
      'null',
      7,
      '"x"',
      {},
      { url: 5 },
      { url: 'nothing' },
      { url: `https://a/${'a'.repeat(9000)}` },
    ])
      expect((await post(body)).status, JSON.stringify(body)?.slice(0, 50)).toBe(422)
    for (const body of ['', '{', '{"url":', '\ufffd{}', '{"url":"https://a.example/"}x'])
      expect((await post(body)).status, body).toBe(400)
    for (const url of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'https://u:p@a.example/'])
      expect((await post({ url })).status, url).toBe(422)
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'text/plain;application/json',
    ])
      expect((await post({ url: 'https://x.example/' }, { 'content-type': type })).status, type).toBe(415)
    const large = JSON.stringify({ url: 'https://x.example/', note: 'x'.repeat(1_100_000) })
    const headers = { authorization: `Bearer ${as}`, 'content-type': 'application/json' }
    expect([413, 'reset']).toContain(await sendLarge(`${server.address}/api/v1/bookmarks`, headers, large))
    expect(await problem(await v1('GET', '/entries?limit=0'))).toMatchObject({ at: 400, errors: [{ at: 'limit' }] })
    for (const query of ['limit=201', 'limit=x', 'order=worst', 'kind=x', 'medium=x'])
      expect((await v1('GET', `/entries?${query}`)).status, query).toBe(400)
    expect((await v1('GET', '/search')).status).toBe(400)
    expect((await v1('GET', '/users/%E0%A4%A')).status).toBe(400)
    for (const url of [
      'http://127.0.0.1/',
      'http://localhost/',
      'http://[::1]/',
      'http://169.254.169.254/',
      'http://10.0.0.1/',
    ])
      expect((await v1('POST', '/webhooks', { as, body: { url, events: ['import.done'] } })).status, url).toBe(422)
  })

  it('has no mistake of its own whatever is sent', async () => {
    const odd = [
      '%00',
      '%27%3B--',
      '%F0%9F%92%A9',
      '%ED%A0%80',
      '..%2f..',
      '%25',
      '%E2%80%AE',
      'a'.repeat(280),
      '%5C',
      '(((',
      '"',
      '-',
      'OR',
    ]
    for (const one of odd) {
      const paths = [
        `/api/v1/search?q=${one}`,
        `/api/v1/entries?site=${one}&keyword=${one},${one}&tag=${one}`,
        `/api/v1/users/${one}`,
        `/api/v1/entries/lookup?url=https://x.example/${one}`,
        `/api/v1/entries/lookup?url=${encodeURIComponent(`${server.address}/articles/`)}${encodeURIComponent(one)}`,
        `/entry/jsonlite/?url=${one}`,
        `/count/entries?url=${one}&url=https://${one}`,
        `/tag/${one}.rss`,
        `/user/${one}.json`,
      ]
      for (const path of paths) expect((await ask('GET', path)).status, path).toBeLessThan(500)
    }
    const body = {
      url: 'https://nul.example/',
      title: 'a\0b',
      comment: '[\0]\ud800',
      tags: ['\0', '\udfff'],
      note: '\0',
    }
    expect((await v1('POST', '/bookmarks', { as: token.ann, body })).status).toBeLessThan(500)
  })

  it('answers the second time with 304', async () => {
    const first = await v1('GET', '/entries')
    const tag = first.headers.get('etag')!
    expect((await v1('GET', '/entries', { headers: { 'if-none-match': tag } })).status).toBe(304)
    expect(first.headers.get('cache-control')).toContain('private')
    expect((await v1('HEAD', '/entries')).status).toBe(200)
  })

  it('exports what is one’s own, and no more', async () => {
    const formats = { kaidoku: 'application/json', netscape: 'text/html', csv: 'text/csv', opml: 'text/x-opml' }
    for (const [format, type] of Object.entries(formats)) {
      const response = await v1('GET', `/exports?format=${format}`, { as: token.ann })
      expect(response.headers.get('content-type')).toContain(type)
      expect(response.headers.get('content-disposition')).toContain('attachment')
      expect(await response.text()).not.toContain('secret.example')
    }
    expect((await v1('GET', '/exports?format=exe', { as: token.ann })).status).toBe(400)
  })

  it('reads in Hatena’s shapes', async () => {
    const url = `https://pages.example/3?q=<&"'`
    const about = await ask('GET', `/entry/jsonlite/?url=${encodeURIComponent(url)}`)
    expect(about.headers.get('access-control-allow-origin')).toBe('*')
    expect(await about.json()).toMatchObject({
      eid: expect.stringMatching(/^\d+$/u),
      count: 1,
      title: '頁 3 <b>&',
      url: new URL(url).href,
      entry_url: expect.stringContaining('/entry/'),
      bookmarks: [{ user: 'ben', comment: expect.any(String), tags: ['tag'], timestamp: '2026/01/01 09:00' }],
    })
    expect(await (await ask('GET', '/entry/jsonlite/?url=https://nobody.example/')).json()).toBeNull()
    const called = await ask('GET', `/entry/json/?url=${encodeURIComponent(url)}&callback=f`)
    expect(await called.text()).toMatch(/^\/\*\*\/f\(\{.*\}\);$/u)
    const evil = await ask(
      'GET',
      `/entry/json/?url=${encodeURIComponent(url)}&callback=${encodeURIComponent('alert(1)//')}`,
    )
    expect(evil.headers.get('content-type')).toContain('application/json')
    const counts = await ask('GET', `/count/entries?url=${encodeURIComponent(url)}&url=https://nobody.example/`)
    expect(await counts.json()).toEqual({ [url]: 1, 'https://nobody.example/': 0 })
    expect((await ask('GET', `/count/entries?${'url=https://a.example/&'.repeat(51)}`)).status).toBe(414)
    expect(await (await ask('GET', `/count/entry?url=${encodeURIComponent(url)}`)).text()).toBe('1')
  })

  it('gives lists as feeds that others read', async () => {
    for (const path of ['/index', '/user/ben', '/tag/tag', '/site/pages.example']) {
      for (const form of ['rss', 'atom', 'json'] as const) {
        const response = await ask('GET', `${path}.${form}`)
        expect(response.status, `${path}.${form}`).toBe(200)
        const { format, feed } = parseFeed(await response.text())
        expect(format).toBe(form)
        const { items, entries } = feed as { items?: unknown[]; entries?: unknown[] }
        expect((items ?? entries)!.length).toBeGreaterThanOrEqual(25)
        expect(JSON.stringify(feed)).toContain('頁 3 <b>&')
      }
    }
    expect((await ask('GET', '/nothing/x.rss')).status).toBe(404)
  })
})
