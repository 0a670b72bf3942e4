/** Every page in both languages, the keys of lists and of going, what works without scripts, and a newcomer's path. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { AxeBuilder } from '@axe-core/playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRoom, type Room, unavailable } from './support/room.ts'

if (unavailable) console.log(`room: ${unavailable}`)

const KEPT = 'https://kept.example/arp'
const PAGES = [
  '/',
  '/?kind=article',
  `/entry/${KEPT}`,
  '/entry/https://nobody.example/yet',
  '/site/kept.example',
  '/user/owner',
  '/tag/net',
  '/keyword/net',
  '/keywords',
  '/search?q=example',
  '/search?q=%E3%81%AA%E3%81%84',
  '/add',
  '/import',
  '/export',
  '/feeds',
  '/follows',
  '/new',
  '/offline',
  '/moderation',
  '/settings',
  '/settings/account',
  '/settings/sessions',
  '/settings/tokens',
  '/settings/people',
]

describe.skipIf(unavailable)('the room', () => {
  let room: Room
  beforeAll(async () => {
    room = await openRoom()
    const page = await room.page()
    await page.goto('/add')
    await page.locator('html[data-scripts]').waitFor({ state: 'attached' })
    await page.fill('[name=url]', KEPT)
    await page.fill('[name=comment]', '[net] who has it')
    await page.locator('main form button.strong').click()
    await page.waitForURL('**/entry/**')
    await page.context().close()
  }, 60_000)
  afterAll(async () => {
    await room?.close()
    expect(room?.errors.filter((error) => !/status of 40[34]/u.test(error))).toEqual([])
  })

  test.each([
    ['en', 1440, 'light'],
    ['ja', 390, 'dark'],
  ] as const)(
    'pages, %s at %i px, %s: axe finds nothing serious, nothing sticks out',
    async (locale, width, colorScheme) => {
      const page = await room.page({ viewport: { width, height: 844 }, colorScheme, locale })
      const found: string[] = []
      // Each in one language on a phone, in the dark; of the other, those that readers see most.
      for (const path of locale === 'ja' ? PAGES : PAGES.slice(0, 8)) {
        const response = await page.goto(path === '/' ? `/${locale}` : `/${locale}${path}`)
        await page.locator('html[data-scripts]').waitFor({ state: 'attached' })
        if (!response?.ok() && !path.startsWith('/entry/https://nobody')) found.push(`${path}: ${response?.status()}`)
        expect(await page.locator('html').getAttribute('lang'), path).toBe(locale)
        for (const { id, impact, nodes } of (await new AxeBuilder({ page }).analyze()).violations)
          if (impact === 'serious' || impact === 'critical') found.push(`${path}: ${id}: ${nodes[0]?.html}`)
        const out = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        if (out > 0) found.push(`${path}: ${out} px wide of the window`)
      }
      expect(found).toEqual([])
      await page.context().close()
    },
    240_000,
  )

  test('g and a letter go where the table says', async () => {
    const page = await room.page()
    await page.goto('/')
    await page.locator('html[data-scripts]').waitFor({ state: 'attached' })
    for (const [letter, path] of [
      ['k', '/keywords'],
      ['b', '/?mine=all'],
      ['w', '/follows'],
      ['l', '/?mine=later'],
      ['r', '/feeds'],
      ['u', '/?mine=unread'],
      ['i', '/import'],
      ['f', '/?mine=favourites'],
      ['e', '/export'],
      ['a', '/?mine=archive'],
      ['s', '/settings'],
      ['m', '/user/owner'],
      ['h', '/'],
    ] as const) {
      await page.keyboard.press('g')
      await page.keyboard.press(letter)
      await page.waitForURL((url) => url.pathname + url.search === path)
    }
    await page.context().close()
  }, 60_000)

  test('l, f, a, x mark what the key is on; e opens what is said of it; n is a new one', async () => {
    const page = await room.page()
    await page.goto('/user/owner')
    await page.locator('html[data-scripts]').waitFor({ state: 'attached' })
    await page.keyboard.press('j')
    const title = await page.evaluate(() => document.activeElement?.textContent)
    const states = async () => {
      const items = await (await page.request.get('/api/v1/bookmarks')).json()
      const { readLater, favourite, archived } = items.items.find(
        (one: { title: string }) => one.title === title,
      ).bookmark
      return { readLater, favourite, archived }
    }
    const before = await states()
    for (const key of ['l', 'f']) await page.keyboard.press(key)
    await expect
      .poll(states, { timeout: 20_000 })
      .toEqual({ ...before, readLater: !before.readLater, favourite: !before.favourite })
    await page.keyboard.press('x')
    await expect.poll(() => page.locator('input[name=id]:checked').count()).toBe(1)
    await page.keyboard.press('e')
    await page.waitForURL('**/entry/**')
    await page.keyboard.press('n')
    await page.waitForURL('**/add**')
    await page.context().close()
  }, 60_000)

  test('without scripts: bookmarked, found, archived, read', async () => {
    const page = await room.page({ javaScriptEnabled: false })
    await page.goto('/add')
    await page.fill('[name=url]', 'https://plain.example/without')
    await page.fill('[name=title]', 'Without scripts')
    await page.fill('[name=comment]', '[plain] words')
    await page.locator('main form button.strong').click()
    await page.goto('/search?q=scripts')
    await page.getByRole('link', { name: 'Without scripts' }).first().waitFor()
    await page.goto('/entry/https://plain.example/without')
    await page.getByText('words').first().waitFor()
    await page.goto('/tag/plain')
    expect(await page.locator('a[data-entry]').count()).toBe(1)
    await page.goto('/articles/asking')
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.context().close()
  }, 60_000)

  test('a newcomer: a browser’s bookmarks, something found, read later, said, run, all of it taken home', async () => {
    const page = await room.page()
    await page.goto('/import')
    await page.setInputFiles('[name=file]', fileURLToPath(new URL('./fixtures/bookmarks.html', import.meta.url)))
    await page.locator('main form button').first().click()
    await page.getByText('javascript: is not a page of the Web').first().waitFor({ state: 'attached', timeout: 30_000 })
    await page.goto('/')
    await page.locator('html[data-scripts]').waitFor({ state: 'attached' })
    await page.keyboard.press('/')
    await page.keyboard.type('kept.example')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/search?**')
    await page.goto(`/entry/${KEPT}`)
    await page.getByText('who has it').first().waitFor()
    await page.goto('/articles/asking')
    await page.getByRole('button', { name: 'Run', exact: true }).first().click()
    await page.getByText('as written').first().waitFor()
    await page.goto('/export')
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('a[href$="kaidoku.json.gz"]').first().click(),
    ])
    const all = JSON.parse(gunzipSync(readFileSync(await download.path())).toString())
    expect(all.bookmarks.map(({ url }: { url: string }) => url)).toContain(KEPT)
    await page.context().close()
  }, 120_000)
})
