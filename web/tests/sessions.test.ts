/** Who is let in, and what a page elsewhere could do with it: sessions, sign-up, roles, forged requests, the policy of pages. */
import { createHmac } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServer, type Server, sendLarge, unbuilt } from './support/server.ts'

if (unbuilt) console.warn(unbuilt)

const SECRET = 'a secret of this test, as long as a secret should be'
const NAME = 'kaidoku.session_token'
/** A session's cookie, as better-auth signs it. */
const signed = (token: string, secret = SECRET) =>
  `${NAME}=${encodeURIComponent(`${token}.${createHmac('sha256', secret).update(token).digest('base64')}`)}`

describe.skipIf(unbuilt)('sessions', () => {
  let server: Server
  let ownerLink = ''
  let owner = ''

  const get = (path: string, cookie = '', headers: Record<string, string> = {}) =>
    fetch(server.address + path, { redirect: 'manual', headers: { accept: 'text/html', cookie, ...headers } })
  const post = (path: string, fields: Record<string, string>, cookie = '', headers: Record<string, string> = {}) =>
    fetch(server.address + path, {
      method: 'POST',
      redirect: 'manual',
      body: new URLSearchParams(fields),
      headers: { accept: 'text/html', origin: server.address, cookie, ...headers },
    })
  const who = async (cookie: string) => {
    const response = await fetch(`${server.address}/api/v1/users/me`, { headers: { cookie } })
    return response.ok ? ((await response.json()) as { handle: string }).handle : undefined
  }
  const line = (response: Response) => response.headers.getSetCookie().find((each) => each.startsWith(`${NAME}=`)) ?? ''
  const cookieOf = (response: Response) => line(response).split(';')[0]!
  const fields = (handle: string) => ({ handle, password: `${handle} long enough` })
  const signIn = (handle: string, cookie = '') =>
    post('/sign-in?/password', { name: handle, password: fields(handle).password }, cookie)
  const idOf = async (cookie: string) => {
    const response = await fetch(`${server.address}/api/v1/users/me`, { headers: { cookie } })
    return String(((await response.json()) as { id: number }).id)
  }

  beforeAll(async () => {
    server = await openServer(
      async (store) => {
        const made = await store.people.createOwner('olga', 'Olga')
        ownerLink = await store.people.createLink(made!.id)
        const { user, session } = store.people.tables
        const rows = await store.db
          .insert(user)
          .values({
            name: 'Old',
            email: 'old@users.invalid',
            username: 'old',
            displayUsername: 'old',
            role: 'member',
          } as never)
          .returning()
        const userId = (rows[0] as unknown as { id: number }).id
        const hour = (n: number) => new Date(Date.now() + n * 3_600_000)
        await store.db.insert(session).values([
          { token: 'of-yesterday', userId, expiresAt: hour(-1), createdAt: hour(-48), updatedAt: hour(-2) },
          { token: 'of-today', userId, expiresAt: hour(24 * 59), createdAt: hour(-1), updatedAt: hour(-1) },
        ] as never)
      },
      { env: { KAIDOKU_FETCH: '0', BETTER_AUTH_SECRET: SECRET } },
    )
    const used = await post(`/sign-in/${ownerLink}`, {})
    expect(used.status).toBe(303)
    owner = cookieOf(used)
  })
  afterAll(() => server?.close())

  it('signs the owner in by a link, once', async () => {
    expect(await who(owner)).toBe('olga')
    expect((await post(`/sign-in/${ownerLink}`, {})).status).toBe(403)
    expect((await post('/sign-in/nonsense', {})).status).toBe(403)
  })

  it('gives a visit from this machine nothing when there are others', async () => {
    expect(line(await get('/'))).toBe('')
    expect(await who('')).toBeUndefined()
  })

  it('believes a session that it signed, until it is over', async () => {
    expect(await who(signed('of-today'))).toBe('old')
    expect(await who(signed('of-yesterday'))).toBeUndefined()
    expect(await who(signed('of-today', 'another secret'))).toBeUndefined()
    expect(await who(`${NAME}=of-today`)).toBeUndefined()
    expect(await who(signed('made-up'))).toBeUndefined()
  })

  it('is closed, then by invitation, then open', async () => {
    const join = (handle: string, query = '') => post(`/sign-up${query}`, fields(handle))
    expect((await join('early')).status).toBe(403)
    expect((await post('/settings/people?/policy', { signUp: 'invitation' }, owner)).status).toBe(200)
    expect((await join('early')).status).toBe(403)
    expect((await join('early', '?code=wrong')).status).toBe(403)
    const invited = await (await post('/settings/people?/invite', { role: 'reader' }, owner)).text()
    const code = /sign-up\?code=([\w-]+)/u.exec(invited)![1]!
    expect((await join('rita', `?code=${code}`)).status).toBe(303)
    expect((await join('second', `?code=${code}`)).status).toBe(403)
    expect((await post('/settings/people?/policy', { signUp: 'open' }, owner)).status).toBe(200)
    for (const handle of ['mona', 'mike']) expect((await join(handle)).status).toBe(303)
    expect((await join('Mona')).status).toBe(409)
    for (const handle of ['..', '<b>']) expect((await join(handle)).status, handle).toBe(422)
    expect((await post('/sign-up', { handle: 'short', password: 'short' })).status).toBe(422)
    expect((await post('/sign-up', { ...fields('sly'), role: 'owner' })).status).toBe(303)
    const me = await fetch(`${server.address}/api/v1/users/me`, { headers: { cookie: cookieOf(await signIn('sly')) } })
    expect(await me.json()).toMatchObject({ handle: 'sly', role: 'member' })
  })

  it('makes a new session at each sign-in, in a cookie that no script reads', async () => {
    const planted = signed('planted-by-somebody')
    const first = await signIn('mona', planted)
    expect(first.status).toBe(303)
    expect(line(first)).toMatch(/; ?HttpOnly/iu)
    expect(line(first)).toMatch(/; ?SameSite=Lax/iu)
    expect(line(first)).toMatch(/; ?Path=\//iu)
    const cookie = cookieOf(first)
    expect(cookie).not.toBe(planted)
    expect(await who(cookie)).toBe('mona')
    expect(await who(planted)).toBeUndefined()
    expect(cookieOf(await signIn('mona'))).not.toBe(cookie)
    const out = await post('/sign-out', {}, cookie)
    expect(out.status).toBe(303)
    expect(line(out)).toMatch(/Max-Age=0/iu)
    expect(await who(cookie), 'what was signed out is over on the server too').toBeUndefined()
    expect((await post('/sign-in?/password', { name: 'mona', password: 'wrong wrong wrong' })).status).toBe(401)
    expect((await post('/sign-in?/password', { name: 'nobody', password: 'wrong wrong wrong' })).status).toBe(401)
  })

  it('leads back to pages of ours alone', async () => {
    for (const back of ['//evil.example', '/\\evil.example']) {
      const response = await post(`/sign-in?/password&${new URLSearchParams({ back })}`, {
        name: 'mike',
        password: fields('mike').password,
      })
      expect(response.headers.get('location'), back).toBe('/')
    }
  })

  it('lets each role do what is its own', async () => {
    const member = cookieOf(await signIn('mike'))
    const reader = cookieOf(await signIn('rita'))
    for (const path of ['/settings/people', '/moderation']) {
      expect((await get(path, member)).status, path).toBe(403)
      expect((await get(path)).status, path).toBe(303)
      expect((await get(path, owner)).status, path).toBe(200)
    }
    const id = await idOf(member)
    for (const [action, more] of [
      ['policy', { signUp: 'open' }],
      ['role', { role: 'owner' }],
      ['ban', { banned: 'yes' }],
      ['invite', {}],
    ] as const)
      expect((await post(`/settings/people?/${action}`, { id, ...more }, member)).status, action).toBe(403)
    const save = (cookie: string) =>
      fetch(`${server.address}/api/v1/bookmarks`, {
        method: 'POST',
        headers: { cookie, origin: server.address, 'content-type': 'application/json' },
        body: '{"url":"https://role.example/"}',
      })
    expect((await save(reader)).status).toBe(403)
    expect((await save(member)).status).toBe(200)
  })

  it('shuts a banned user out: session, sign-in and token', async () => {
    const cookie = cookieOf(await signIn('sly'))
    const page = await (await post('/settings/tokens?/create', { name: 't', write: 'on' }, cookie)).text()
    const authorization = `Bearer ${/kd_[\w-]{40,}/u.exec(page)![0]}`
    const byToken = () => fetch(`${server.address}/api/v1/users/me`, { headers: { authorization } })
    expect((await byToken()).status).toBe(200)
    const id = await idOf(cookie)
    expect((await post('/settings/people?/ban', { id, banned: 'yes' }, owner)).status).toBe(200)
    expect(await who(cookie)).toBeUndefined()
    expect((await signIn('sly')).status).toBe(401)
    expect((await byToken()).status).toBe(401)
  })

  it('refuses what a page elsewhere sends with a reader’s cookie', async () => {
    const foreign: Record<string, string>[] = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: 'http://127.0.0.1:1' },
      { origin: `${server.address}.evil.example` },
      { origin: '', 'sec-fetch-site': 'cross-site' },
      { origin: '', 'sec-fetch-site': 'same-site' },
    ]
    const forms = [
      '/add',
      '/settings/people?/policy',
      '/settings/tokens?/create',
      '/sign-out',
      '/marks?/mark',
      '/import?/import',
    ]
    for (const headers of foreign) {
      for (const path of forms)
        expect((await post(path, { name: 'x', signUp: 'closed' }, owner, headers)).status, path).toBe(403)
      for (const type of ['application/json', 'text/plain']) {
        const response = await fetch(`${server.address}/api/v1/bookmarks`, {
          method: 'POST',
          headers: { cookie: owner, 'content-type': type, ...headers },
          body: '{"url":"https://forged.example/"}',
        })
        expect(response.status, type).toBe(403)
      }
    }
    // A header that a page can't add without asking doesn't free a request that carries a cookie.
    expect((await post('/sign-out', {}, owner, { origin: 'https://evil.example', authorization: 'x' })).status).toBe(
      403,
    )
    const plain = await fetch(`${server.address}/api/v1/bookmarks`, {
      method: 'POST',
      headers: { cookie: owner, origin: server.address, 'content-type': 'text/plain' },
      body: '{"url":"https://forged.example/"}',
    })
    expect(plain.status).toBe(415)
    expect(await who(owner)).toBe('olga')
    expect(await (await get('/', owner)).text()).not.toContain('forged.example')
  })

  it('answers by no name but its own', async () => {
    const { port } = new URL(server.address)
    const status = (host: string) =>
      new Promise<number>((resolve, reject) => {
        request({ port, host: '127.0.0.1', path: '/', headers: { host } }, (response) => {
          response.resume()
          resolve(response.statusCode!)
        })
          .on('error', reject)
          .end()
      })
    expect(await status(`rebound.example:${port}`)).toBe(421)
    expect(await status(`localhost:${port}`)).toBe(200)
  })

  it('reads no body larger than its page takes', async () => {
    const body = `title=${'x'.repeat(5 << 20)}`
    const headers = { origin: server.address, cookie: owner, 'content-type': 'application/x-www-form-urlencoded' }
    expect([413, 'reset']).toContain(await sendLarge(`${server.address}/add`, headers, body))
    expect((await get('/user/%00')).status).toBe(400)
  })

  it('lets nothing inline run on any page, in both languages', async () => {
    const root = fileURLToPath(new URL('../src/routes/', import.meta.url))
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('+page.svelte'),
    )
    const values: Record<string, string> = {
      '[...url]': 'https://role.example/',
      '[name]': 'asking',
      '[handle]': 'mike',
    }
    const paths = files.map((file) =>
      `/${file.replace(/\/?\+page\.svelte$/u, '')}`.replace(/\[[^\]]+\]/gu, (name) => values[name] ?? 'word'),
    )
    expect(paths.length).toBeGreaterThan(20)
    for (const path of [...paths, '/nowhere']) {
      for (const lang of ['', '/ja']) {
        const response = await get(lang + path, owner)
        const policy = response.headers.get('content-security-policy') ?? ''
        expect(response.status, path).toBeLessThan(500)
        if (response.status >= 300 && response.status < 400) continue
        expect(policy, path).toContain("default-src 'self'")
        expect(policy, path).not.toMatch(/unsafe-inline|unsafe-eval|\*/u)
        expect(response.headers.get('x-content-type-options'), path).toBe('nosniff')
        const html = await response.text()
        expect(html.match(/<[a-z][^<>]*\s(?:style|on[a-z]+)="[^"]*"[^<>]*>/giu), path).toBeNull()
        for (const [script] of html.matchAll(/<script\b[^>]*>/gu)) expect(script, path).toMatch(/\s(?:nonce|src)="/u)
      }
    }
  })

  it('slows down who guesses passwords', async () => {
    let status = 0
    for (let i = 0; i < 11; i++)
      status = (await post('/sign-in?/password', { name: 'old', password: `guess number ${i}` })).status
    expect(status).toBe(429)
  })
})
