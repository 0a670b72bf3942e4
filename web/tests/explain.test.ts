import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRoom, type Room, unavailable } from './support/room.ts'

if (unavailable) console.log(`explain: ${unavailable}`)

describe.skipIf(unavailable)('a packet explained', () => {
  let room: Room
  beforeAll(async () => {
    room = await openRoom()
  })
  afterAll(async () => {
    await room?.close()
    expect(room?.errors).toEqual([])
  })

  /** The article, after a ping: of the neighbour, or of the host beyond the router too. */
  async function open(options: Parameters<Room['page']>[0] = {}, far = false): Promise<Page> {
    const page = await room.page({ reducedMotion: 'reduce', viewport: { width: 1440, height: 900 }, ...options })
    await page.goto('/articles/asking')
    await page.waitForFunction(() => performance.getEntriesByName('first-prompt').length > 0)
    await page.keyboard.press(far ? 'Shift+R' : 'r')
    await page
      .locator(`[data-block="${far ? 5 : 0}"] .verdict`)
      .nth(1)
      .waitFor()
    return page
  }
  const way = (page: Page) => page.locator('.way[role=region]')
  const row = (page: Page, text: string) => page.locator('.row', { hasText: text })

  test('a click tells its way through every host and network; its kin are links', async () => {
    const page = await open({}, true)
    await page.locator('.list').evaluate((list) => list.scrollTo(0, 4 * 26))
    await row(page, '10.0.0.1 → 10.0.1.1 echo (ping) request, seq 1, ttl 64').click()
    await page.getByRole('button', { name: 'Explain' }).click()
    await way(page).getByText('delivered here').waitFor()
    expect(await way(page).locator('.place h4').allTextContents()).toEqual(['client', 'lan', 'router', 'back', 'far'])
    const text = await way(page).textContent()
    expect(text).toContain('reaches the switch from client:eth0')
    expect(text).toContain('forwarded, time to live 63 left')
    const name = await way(page).getAttribute('aria-label')
    // What it brought about, and back again.
    await way(page).getByRole('button', { name: 'reply' }).click()
    await expect.poll(() => way(page).getAttribute('aria-label')).not.toBe(name)
    await expect.poll(() => way(page).locator('.place h4').first().textContent()).toBe('far')
    expect(await way(page).evaluate((region) => region === document.activeElement)).toBe(true)
    expect(await page.locator('.row[aria-selected=true]').textContent()).toContain('10.0.1.1 → 10.0.0.1')
    await way(page).getByRole('button', { name: 'request' }).first().click()
    await expect.poll(() => way(page).getAttribute('aria-label')).toBe(name)
  })

  test('e explains the newest, and goes back to its fields; arrows go on in the list', async () => {
    const page = await open()
    await page.keyboard.press('e')
    await way(page).locator('.place').first().waitFor()
    expect(await way(page).evaluate((region) => region === document.activeElement)).toBe(true)
    const before = await way(page).getAttribute('aria-label')
    await page.locator('.list').focus()
    await page.keyboard.press('ArrowUp')
    await expect.poll(() => way(page).getAttribute('aria-label')).not.toBe(before)
    await page.keyboard.press('e')
    await page.locator('.field').first().waitFor({ state: 'attached' })
    expect(await way(page).count()).toBe(0)
    await page.keyboard.press('e')
    await page.keyboard.press('Escape')
    await expect.poll(() => page.locator('.decoded').count()).toBe(0)
  })

  test.each([
    [390, 'light', 'ja', '解説'],
    [390, 'dark', 'en', 'Explain'],
    [1440, 'light', 'en', 'Explain'],
    [1440, 'dark', 'ja', '解説'],
  ] as const)('at %i px, %s, %s: axe finds nothing, nothing sticks out', async (width, colorScheme, locale, label) => {
    const page = await open({ viewport: { width, height: 844 }, colorScheme, locale })
    await page.keyboard.press('e')
    await way(page).locator('.step').first().waitFor()
    expect(await page.getByRole('button', { name: label }).getAttribute('aria-pressed')).toBe('true')
    if (locale === 'ja') expect(await way(page).textContent()).toContain('ここで受け取る')
    const { violations } = await new AxeBuilder({ page }).analyze()
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([])
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
    expect(await way(page).evaluate((region) => region.scrollWidth - region.clientWidth)).toBeLessThanOrEqual(0)
  })
})
