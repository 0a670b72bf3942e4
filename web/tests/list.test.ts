import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRoom, type Room, unavailable } from './support/room.ts'

if (unavailable) console.log(`list: ${unavailable}`)

describe.skipIf(unavailable)('the list', () => {
  let room: Room
  beforeAll(async () => {
    room = await openRoom()
  })
  afterAll(async () => {
    await room?.close()
    expect(room?.errors).toEqual([])
  })

  test('j and k move, o opens, u comes back, ? helps', async () => {
    const page = await room.page()
    await page.goto('/', { waitUntil: 'networkidle' })
    const focused = () => page.evaluate(() => document.activeElement?.textContent)
    const titles = await page.locator('a[data-entry]').allTextContents()
    await page.keyboard.press('j')
    expect(await focused()).toBe(titles[0])
    await page.keyboard.press('j')
    expect(await focused()).toBe(titles[1])
    await page.keyboard.press('k')
    expect(await focused()).toBe(titles[0])
    await page.keyboard.press('?')
    expect(await page.locator('dialog[open] kbd').allTextContents()).toEqual(
      expect.arrayContaining(['j', 'k', 'o', '?']),
    )
    await page.keyboard.press('Escape')
    await page.keyboard.press('o')
    await page.waitForURL('**/articles/asking')
    await page.waitForLoadState('networkidle')
    await page.keyboard.press('u')
    await page.waitForURL((url) => url.pathname === '/')
  })

  test('filters by kind, site and keyword, and takes them away', async () => {
    const page = await room.page()
    await page.goto('/?keyword=arp')
    expect(await page.locator('a[data-entry]').count()).toBe(4)
    await page.goto('/?site=rfc-editor.org&keyword=RFC')
    expect(await page.locator('a[data-entry]').count()).toBe(2)
    await page.goto('/?kind=article')
    expect(await page.locator('a[data-entry]').allTextContents()).toEqual(['Asking for an address'])
    await page.getByRole('link', { name: 'Clear filters' }).click()
    await page.waitForURL((url) => url.search === '')
    for (const odd of ['?at=older-9-9-9', '?kind=nothing', '?site=%00', '?keyword=%E0%A4%A'])
      expect((await page.request.get(`/${odd}`)).status(), odd).toBeLessThan(500)
  })

  test('speaks the language of the address, the switch, the browser', async () => {
    const japanese = await room.page({ locale: 'ja-JP' })
    await japanese.goto('/')
    expect(await japanese.locator('html').getAttribute('lang')).toBe('ja')
    expect(await japanese.locator('h1').textContent()).toBe('閲覧室')
    expect(await japanese.locator('a[data-entry]').first().textContent()).toBe('アドレスをたずねる')
    await japanese.locator('html[data-scripts]').waitFor({ state: 'attached' })
    await japanese.getByRole('link', { name: 'English', exact: true }).click()
    await japanese.waitForURL('**/en')
    await japanese.goto('/') // The switch is remembered.
    expect(await japanese.locator('h1').textContent()).toBe('The reading room')
  })

  test('pages with cursors; its queries do not grow with its entries', async () => {
    const page = await room.page()
    const few = (await page.request.get('/')).headers()['x-queries']
    const articles = mkdtempSync(join(tmpdir(), 'kaidoku-many-'))
    for (let i = 0; i < 30; i++)
      writeFileSync(join(articles, `a${i}.md`), `---\ntitle: Article ${i}\nkeywords: [many, n${i}]\n---\n`)
    const links = Array.from(
      { length: 120 },
      (_, i) =>
        `<DT><A HREF="https://many.example/${i}" ADD_DATE="${1_700_000_000 + i}" TAGS="many,t${i}">Page ${i}</A>`,
    )
    const full = await openRoom({ articles, bookmarks: `<DL>\n${links.join('\n')}\n</DL>` })
    try {
      const other = await full.page()
      await other.request.get('/') // The first request takes the articles in.
      expect((await other.request.get('/')).headers()['x-queries']).toBe(
        (await page.request.get('/')).headers()['x-queries'],
      )
      expect(few).toBeDefined()
      await other.goto('/?kind=bookmark', { waitUntil: 'networkidle' })
      const seen = new Set<string>()
      for (let turn = 0; turn < 3; turn++) {
        for (const title of await other.locator('a[data-entry]').allTextContents()) seen.add(title)
        if (turn === 2) break
        await other.keyboard.press(']')
        const first = `Page ${119 - 40 * (turn + 1)}`
        await other.locator('a[data-entry]').first().filter({ hasText: first }).waitFor()
      }
      expect(seen.size).toBe(120)
      expect(await other.locator('a[rel=next]').count()).toBe(0)
    } finally {
      await full.close()
      rmSync(articles, { recursive: true })
    }
  })

  test.each([
    [390, 'light', 'en'],
    [390, 'dark', 'ja'],
    [1440, 'light', 'ja'],
    [1440, 'dark', 'en'],
  ] as const)('at %i px, %s, %s: axe finds nothing, nothing sticks out', async (width, colorScheme, locale) => {
    const page = await room.page({ viewport: { width, height: 844 }, colorScheme, locale })
    await page.goto('/', { waitUntil: 'networkidle' })
    expect(
      (await new AxeBuilder({ page }).analyze()).violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`),
    ).toEqual([])
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
  })
})
