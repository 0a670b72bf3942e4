/** The commands for the library, called in this process; one library in memory for all of them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { hasPostgres, openStore, type Store, startPostgres } from '#reading/store'
import { COMMANDS } from './commands.ts'
import { opening } from './library/local.ts'

vi.setConfig({ testTimeout: 120_000 })

const folder = mkdtempSync(join(tmpdir(), 'kaidoku-library-'))
const file = (name: string) => join(folder, name)
let store: Store
const { open } = opening

beforeAll(async () => {
  store = await openStore({})
  mkdirSync(file('data/postgres'), { recursive: true })
  opening.open = async () => ({ ...store, close: async () => {} })
  vi.stubEnv('KAIDOKU_DATA', file('data'))
  vi.stubEnv('DATABASE_URL', '')
  vi.stubEnv('KAIDOKU_SERVER', '')
}, 300_000)
afterAll(async () => {
  opening.open = open
  vi.unstubAllEnvs()
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Called {
  status: number
  out: string
  err: string
}

async function kaidoku(name: string, ...words: string[]): Promise<Called> {
  let out = ''
  let err = ''
  const wrote = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += text
    return true
  })
  const complained = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += text
    return true
  })
  try {
    const command = await COMMANDS[name]![1]()
    return { status: await command.run(words), out, err }
  } catch (error) {
    return { status: (error as Error).name === 'UsageError' ? 2 : 1, out, err: `${(error as Error).message}\n` }
  } finally {
    wrote.mockRestore()
    complained.mockRestore()
  }
}
const json = async (name: string, ...words: string[]) => JSON.parse((await kaidoku(name, ...words, '--json')).out)

describe('bookmarks', () => {
  test('added, listed, found, shown, changed, removed', async () => {
    expect(await kaidoku('add', 'lwn.net/Articles/1', '-c', '[Linux][weekly]週刊', '-t', 'news', '-l')).toMatchObject({
      status: 0,
      out: 'added: https://lwn.net/Articles/1\n',
    })
    await kaidoku(
      'add',
      'https://example.com/arp',
      '--title=Address resolution',
      '--private',
      '-n',
      'line one\nline two',
    )
    expect((await kaidoku('add', 'lwn.net/Articles/1', '-f')).out).toBe('changed: https://lwn.net/Articles/1\n')
    const listed = await json('list')
    expect(listed.items.map((entry: { url: string }) => entry.url)).toEqual([
      'https://example.com/arp',
      'https://lwn.net/Articles/1',
    ])
    expect(listed.items[1].bookmark).toMatchObject({
      tags: ['Linux', 'weekly', 'news'],
      comment: '週刊',
      readLater: true,
      favourite: true,
      private: false,
    })
    expect((await json('list', '--unread')).items).toHaveLength(1)
    expect((await json('list', '--tag=linux')).items).toHaveLength(1)
    expect((await json('list', '--site=example.com')).items).toHaveLength(1)
    expect((await json('list', '--all', '-n1')).items).toHaveLength(1)
    expect((await kaidoku('list', '--state=favourite')).out).toContain('[Linux][weekly][news]週刊  later favourite')
    expect(await kaidoku('search', '週')).toMatchObject({ status: 0 })
    expect(await kaidoku('search', 'nothing-like-it')).toMatchObject({ status: 1, out: '' })
    const shown = await json('show', 'https://example.com/arp')
    expect(shown).toMatchObject({ entry: { bookmark: { private: true, note: 'line one\nline two' } } })
    expect((await kaidoku('show', 'https://example.com/arp')).out).toContain('\nline two\n')
    expect((await kaidoku('edit', 'https://example.com/arp', '--private=no', '-c', 'who has')).status).toBe(0)
    expect((await json('show', 'https://example.com/arp')).entry.bookmark).toMatchObject({
      private: false,
      comment: 'who has',
      title: 'Address resolution',
    })
    for (const mark of ['archive', 'favourite', 'read-later'])
      expect((await kaidoku(mark, 'https://example.com/arp')).status).toBe(0)
    await kaidoku('favourite', '--undo', 'https://example.com/arp')
    expect((await json('show', 'https://example.com/arp')).entry.bookmark).toMatchObject({
      archived: true,
      readLater: true,
      favourite: false,
    })
    expect((await kaidoku('remove', 'https://example.com/arp')).status).toBe(0)
    expect((await json('list')).items).toHaveLength(1)
  })

  test('mistakes are told', async () => {
    for (const [words, status, what] of [
      [['add'], 2, 'name one address'],
      [['add', 'nonsense'], 2, "'nonsense' is not an address"],
      [['add', 'https://x.example/', '-c', 'x'.repeat(101)], 1, 'at most 100 characters'],
      [['edit', 'https://nobody.example/', '-c', 'x'], 1, 'not among the bookmarks'],
      [['edit', 'https://nobody.example/'], 2, 'say what to change'],
      [['list', '--state=unraed'], 2, 'one of later'],
      [['list', '--as=nobody'], 1, "nobody called 'nobody'"],
      [['tag', 'renmae', 'a', 'b'], 2, 'One of list, rename'],
      [['star', 'x'], 2, 'not a number of a comment'],
      [['list', '--server=http://127.0.0.1:1'], 2, 'a token is needed'],
      [['list', '--server=http://127.0.0.1:1', '--token=x'], 1, "doesn't answer"],
      [['list', `--data=${file('nowhere')}`], 1, 'there is no library'],
      [['restore', file('nothing')], 2, 'no such file'],
      [['account', 'delete'], 2, 'then --yes'],
      [['users', 'remove', 'owner'], 2, 'say --yes'],
    ] as const) {
      const [name, ...rest] = words
      const called = await kaidoku(name, ...rest)
      expect({ words, status: called.status, told: called.err.includes(what) ? what : called.err }).toEqual({
        words,
        status,
        told: what,
      })
    }
  })

  test('tags renamed, merged, removed', async () => {
    for (const [i, tags] of ['a,b', 'a', 'c', 'b,c'].entries())
      await kaidoku('add', `https://tags.example/${i}`, '-t', tags)
    const tags = async () =>
      Object.fromEntries((await json('tag')).map(({ name, count }: { name: string; count: number }) => [name, count]))
    expect(await tags()).toMatchObject({ a: 2, b: 2, c: 2 })
    expect((await kaidoku('tag', 'rename', 'a', 'b')).err).toContain('merge makes one of two')
    expect((await kaidoku('tag', 'rename', 'a', 'A')).status).toBe(0)
    expect((await kaidoku('tag', 'merge', 'b', 'c', 'all')).out).toBe('3 bookmarks changed\n')
    expect(await tags()).toMatchObject({ all: 3 })
    await kaidoku('tag', 'remove', 'all')
    expect(await tags()).not.toHaveProperty('all')
    for (let i = 0; i < 4; i++) await kaidoku('remove', `https://tags.example/${i}`)
  })
})

test('following, highlights, keywords, feeds, tokens, webhooks', async () => {
  await kaidoku('follow', 'site', 'lwn.net')
  expect(await json('follow')).toEqual({ users: [], sites: ['lwn.net'], keywords: [] })
  await kaidoku('follow', '-u', 'site', 'lwn.net')
  expect((await kaidoku('follow')).out).toBe('')

  const id = (await kaidoku('highlights', 'add', 'lwn.net/Articles/1', 'a quote', '-n', 'why')).out.trim()
  expect((await kaidoku('highlights')).out).toBe(`${id}  “a quote”  why\n`)
  await kaidoku('highlights', 'remove', id)
  expect(await json('highlights')).toEqual([])

  writeFileSync(file('groups.json'), '[{"names":{"en":"Layer 2","ja":"二層"},"keywords":["arp","news"]}]')
  expect((await kaidoku('keywords', 'edit', file('groups.json'))).out).toBe('1 groups\n')
  expect((await kaidoku('keywords')).out).toMatch(/^Layer 2 \/ 二層\n {2}arp {3}0 {2}article 0, .*\n {2}news {2}1 /u)
  writeFileSync(file('groups.json'), '[{"names":{},"keywords":[]}]')
  expect((await kaidoku('keywords', 'edit', file('groups.json'))).err).toContain('group 1')

  const feed = (await kaidoku('feeds', 'add', 'https://lwn.net/rss', '--folder=Kernel')).out.trim()
  expect(await json('feeds')).toMatchObject([{ id: Number(feed), url: 'https://lwn.net/rss', folder: 'Kernel' }])
  const { out } = await kaidoku('feeds', 'export')
  writeFileSync(file('feeds.opml'), out)
  await kaidoku('feeds', 'remove', feed)
  expect((await kaidoku('feeds', 'import', file('feeds.opml'))).out).toBe('1 feeds\n')
  expect((await json('feeds'))[0]).toMatchObject({ url: 'https://lwn.net/rss', folder: 'Kernel' })

  const token = (await kaidoku('token', 'create', 'phone', '--scope=read', '--days=1')).out.trim()
  expect(await store.tokens.find(token)).toMatchObject({ scopes: ['read'] })
  const [{ id: number }] = await json('token')
  await kaidoku('token', 'revoke', String(number))
  expect(await store.tokens.find(token)).toBeUndefined()

  expect(await json('webhook', 'add', 'https://hook.example/', '-e', 'bookmark.saved')).toMatchObject({
    secret: expect.any(String),
  })
  const [hook] = await json('webhook')
  expect(hook).toMatchObject({ events: ['bookmark.saved'], active: true })
  await kaidoku('webhook', 'remove', String(hook.id))
  expect(await json('webhook')).toEqual([])
})

describe('people', () => {
  test('accounts, links, invitations, stars, deletion', async () => {
    const link = (await kaidoku('users', 'add', 'Reader', '--origin=https://room.example')).out
    expect(link).toMatch(/^https:\/\/room\.example\/sign-in\/[\w-]{32}\n$/u)
    const reader = await store.people.find({ handle: 'reader' })
    expect(await store.people.useLink(link.trim().split('/').at(-1)!)).toBe(reader!.id)
    expect((await kaidoku('users', 'add', 'reader')).err).toContain('already')
    expect((await kaidoku('users', 'add', '-r', 'owner', 'No Name')).status).toBe(1)
    expect((await kaidoku('users', 'role', 'reader', 'moderator')).status).toBe(0)
    expect((await kaidoku('users', 'ban', 'reader', '--reason=noise')).status).toBe(0)
    expect((await kaidoku('users', 'unban', 'reader')).status).toBe(0)
    expect((await json('users')).map((each: { handle: string; role: string }) => [each.handle, each.role])).toEqual([
      ['owner', 'owner'],
      ['reader', 'moderator'],
    ])
    expect((await kaidoku('users', 'link')).out).toContain('/sign-in/')
    expect((await kaidoku('users', 'role', 'owner', 'member')).err).toContain('last owner')

    const invited = (await kaidoku('invite', '--note=for a friend')).out.trim()
    expect(await store.invitations.find(new URL(invited).searchParams.get('code')!)).toMatchObject({ role: 'member' })
    const [invitation] = await json('invite', 'list')
    await kaidoku('invite', 'remove', String(invitation.id))
    expect(await json('invite', 'list')).toEqual([])

    const [said] = (await json('show', 'lwn.net/Articles/1')).comments
    expect((await kaidoku('star', '--as=reader', String(said.id))).out).toBe('★1\n')
    expect((await kaidoku('star', '--as=reader', '-u', String(said.id))).out).toBe('★0\n')
    await kaidoku('add', '--as=reader', 'https://alone.example/', '-c', 'soliloquy')
    await kaidoku('add', '--as=reader', 'lwn.net/Articles/1', '-c', 'chorus')
    expect((await json('search', 'chorus')).items).toHaveLength(1)
    expect(await json('account', '--as=reader')).toMatchObject({ handle: 'reader', bookmarks: 2 })
    expect((await kaidoku('account', 'delete', '--yes', '--as=reader')).out).toContain('2 bookmarks')
    // Nothing of it is found, and what the other has is still there.
    expect((await json('search', 'chorus')).items).toEqual([])
    expect((await kaidoku('show', 'https://alone.example/')).err).toContain('nobody has bookmarked')
    expect((await json('show', 'lwn.net/Articles/1')).entry).toMatchObject({ users: 1 })
  })
})

describe('the Web', () => {
  let server: Server
  let base = ''
  beforeAll(async () => {
    const page = `<html lang="en"><head><title>Kept</title></head><body><article><h1>Kept</h1>${'<p>Words, many of them, stand here one after the other, as they do.</p>'.repeat(6)}</article></body></html>`
    const news = `<rss version="2.0"><channel><title>News</title><link>/</link><item><title>One</title><link>/one</link><guid>1</guid></item></channel></rss>`
    server = createServer((request, response) => {
      if (request.url === '/page') response.writeHead(200, { 'content-type': 'text/html' }).end(page)
      else if (request.url === '/feed') response.writeHead(200, { 'content-type': 'application/rss+xml' }).end(news)
      else response.writeHead(request.url === '/gone' ? 410 : 404).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => void server.close())

  test('pages preserved, links looked at, feeds read, a book made', async () => {
    await kaidoku('add', `${base}/page`, '-l')
    expect(await kaidoku('fetch', `${base}/page`)).toMatchObject({
      status: 1,
      err: expect.stringContaining('not of the public Internet'),
    })
    vi.stubEnv('KAIDOKU_ALLOW_PRIVATE', '1')
    expect(await kaidoku('fetch', `${base}/page`)).toMatchObject({ status: 0, out: `${base}/page: preserved, Kept\n` })
    expect((await kaidoku('fetch', `${base}/page`)).out).toContain('as it was')
    expect((await json('fetch', '--versions', `${base}/page`))[0].versions).toHaveLength(1)
    expect(await kaidoku('export', 'epub', '-o', file('a.epub'))).toMatchObject({ status: 0 })
    expect(readFileSync(file('a.epub')).subarray(30, 58).toString()).toBe('mimetypeapplication/epub+zip')
    expect((await kaidoku('export', 'epub', '-o', file('a.epub'))).err).toContain('--yes')

    await kaidoku('add', `${base}/gone`)
    const own = (await json('check-links', '--days=0', '-n', '0').catch(() => [])) as { url: string; state: string }[]
    expect(
      own
        .filter(({ url }) => url.startsWith(base))
        .map(({ state }) => state)
        .sort(),
    ).toEqual(['alive', 'dead'])
    await kaidoku('remove', `${base}/gone`)

    const feed = (await kaidoku('feeds', 'add', `${base}/feed`)).out.trim()
    expect(await kaidoku('feeds', 'refresh', feed)).toMatchObject({ status: 0, out: `${base}/feed: 1 unread\n` })
    await kaidoku('feeds', 'remove', feed)
  })
})

describe('files', () => {
  test('an import of whatever service, and what it refused', async () => {
    writeFileSync(
      file('pocket.csv'),
      'title,url,time_added,tags,status\nA page,https://pocket.example/,1700000000,t,unread\nbad,nothing,1,,unread\n',
    )
    expect(await kaidoku('import', '-p', file('pocket.csv'))).toMatchObject({
      status: 1,
      out: expect.stringContaining(`${file('pocket.csv')}: 1 added, 0 merged, 1 refused\n`),
    })
    expect((await json('show', 'https://pocket.example/')).entry.bookmark).toMatchObject({
      private: true,
      readLater: true,
    })
    writeFileSync(file('what.bin'), 'nothing of any service')
    expect(await kaidoku('import', file('what.bin'))).toMatchObject({ status: 2 })
    expect(await kaidoku('import', file('none.csv'))).toMatchObject({
      status: 2,
      err: expect.stringContaining('no such file'),
    })
  })

  test('everything out, and in again; a backup, and its restoring', async () => {
    for (const format of ['everything', 'netscape', 'csv', 'opml'])
      expect((await kaidoku('export', format, '-o', file(`mine.${format}.gz`))).status).toBe(0)
    expect(await kaidoku('import', file('mine.everything.gz'))).toMatchObject({
      out: expect.stringMatching(/ 0 added, \d+ merged, 0 refused\n$/u),
    })
    const before = await json('list', '-n0')
    expect((await kaidoku('backup', file('a.backup'))).out).toMatch(/: 1 users, /u)
    expect((await kaidoku('backup', file('a.backup'))).err).toContain('--yes writes over it')
    expect(await kaidoku('backup', '--yes', '-q', file('a.backup'))).toEqual({ status: 0, out: '', err: '' })
    await kaidoku('add', 'https://later.example/')
    expect((await kaidoku('restore', file('a.backup'))).err).toContain('or say --yes')
    expect((await kaidoku('restore', '--yes', file('a.backup'))).status).toBe(0)
    expect(await json('list', '-n0')).toEqual(before)
    writeFileSync(file('cut.backup'), readFileSync(file('a.backup')).subarray(0, 700))
    expect((await kaidoku('restore', '--yes', file('cut.backup'))).err).toContain('not a whole backup')
    expect(await json('list', '-n0')).toEqual(before)
  })

  test.skipIf(!hasPostgres)('a backup goes to PostgreSQL, and back', { timeout: 120_000 }, async () => {
    const before = await json('list', '-n0')
    const server = await startPostgres()
    const memory = opening.open
    try {
      opening.open = open
      vi.stubEnv('DATABASE_URL', server.url)
      expect(await kaidoku('restore', file('a.backup'))).toMatchObject({ status: 0, err: '' })
      expect(await json('list', '-n0')).toEqual(before)
      expect((await kaidoku('backup', file('b.backup'))).status).toBe(0)
      server.stop()
      expect((await kaidoku('list')).err).toContain('DATABASE_URL: ')
    } finally {
      vi.stubEnv('DATABASE_URL', '')
      opening.open = memory
    }
    expect((await kaidoku('restore', '--yes', file('b.backup'))).status).toBe(0)
    expect(await json('list', '-n0')).toEqual(before)
  })

  test('a folder that a server has open', async () => {
    const memory = opening.open
    opening.open = open
    try {
      mkdirSync(file('busy/postgres'), { recursive: true })
      writeFileSync(file('busy/lock'), '1\n')
      const { status, err } = await kaidoku('list', `--data=${file('busy')}`)
      expect(status).toBe(1)
      expect(err).toContain('is used by process 1')
      expect(err).toContain('--server=')
    } finally {
      opening.open = memory
    }
  })
})

test('completion knows every command, its words and options', async () => {
  const { out } = await kaidoku('completion', 'bash')
  for (const name of Object.keys(COMMANDS)) expect(out).toContain(`*:${name})`)
  expect(out).toMatch(/\*:tag\) known='list rename merge remove --json /u)
  expect(out).toMatch(/\*:users\) known='list add role ban unban link remove --role= /u)
  expect((await kaidoku('completion', 'fish')).out).toContain("'__fish_seen_subcommand_from feeds' -l folder -r")
})
