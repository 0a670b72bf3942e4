import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRoom, type Room, unavailable } from './support/room.ts'

if (unavailable) console.log(`inside: ${unavailable}`)

const messages = (locale: string): Record<string, string> =>
  JSON.parse(readFileSync(new URL(`../messages/${locale}.json`, import.meta.url), 'utf8'))

test('both languages name every view', () => {
  const of = (locale: string) =>
    Object.entries(messages(locale)).filter(([name]) => /^(inside|lanes?)(_|$)/u.test(name))
  expect(of('ja').map(([name]) => name)).toEqual(of('en').map(([name]) => name))
  for (const [, text] of [...of('en'), ...of('ja')]) expect(text).not.toBe('')
})

describe.skipIf(unavailable)('inside a kernel, along time', () => {
  let room: Room
  beforeAll(async () => {
    room = await openRoom({ articles: fileURLToPath(new URL('fixtures/sharing', import.meta.url)) })
  })
  afterAll(async () => {
    await room?.close()
    expect(room?.errors).toEqual([])
  })

  /** The article, run to its end: the address has moved. */
  async function open(options: Parameters<Room['page']>[0] = {}): Promise<Page> {
    const page = await room.page({ reducedMotion: 'reduce', viewport: { width: 1440, height: 900 }, ...options })
    await page.goto('/articles/sharing')
    await page.waitForFunction(() => performance.getEntriesByName('first-prompt').length > 0)
    await page.keyboard.press('Shift+R')
    await page.locator('[data-block="4"] .verdict').nth(2).waitFor()
    return page
  }
  const inside = (page: Page) => page.locator('.inside-view')
  const choose = async (page: Page, host: string, kind?: string) => {
    await page.locator('.switch').getByRole('button', { name: 'Inside' }).click()
    await inside(page).getByRole('combobox', { name: 'Host' }).selectOption(host)
    if (kind) await inside(page).getByRole('button', { name: kind, exact: true }).click()
  }
  const table = (page: Page) =>
    page
      .locator('.inside-view tbody tr:not(.gone)')
      .evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent)))
  const lit = (page: Page) => page.locator('.inside-view td.lit').allTextContents()
  const seek = (page: Page, part: number) =>
    page.getByRole('slider').evaluate((slider: HTMLInputElement, part) => {
      slider.value = String(Number(slider.max) * part)
      slider.dispatchEvent(new Event('input', { bubbles: true }))
    }, part)

  test('the tables of a host, what is rare first; time back shows what was', async () => {
    const page = await open()
    await choose(page, 'client')
    expect(await inside(page).locator('.kinds button').allTextContents()).toEqual([
      'Neighbours',
      'Routes',
      'Sockets',
      'Addresses',
      'Processes',
      'Open files',
    ])
    await choose(page, 'client', 'Neighbours')
    const neighbours = await table(page)
    expect(neighbours.map(([address]) => address)).toContain('10.0.0.100')
    await seek(page, 0)
    expect(await table(page)).toEqual([])
    await page.getByRole('button', { name: 'Now' }).click()
    await expect.poll(() => table(page)).toEqual(neighbours)

    // Who lost its power keeps nothing; a moment before, it had its tables.
    await choose(page, 'left', 'IPVS')
    expect(await table(page)).toEqual([])
    expect(await page.locator('.inside-view tr.gone').count()).toBe(3)
    await inside(page).locator('.since').click()
    expect(await table(page)).toEqual([])
    await page.getByRole('slider').press('ArrowLeft')
    await expect
      .poll(async () => (await table(page)).map(([first]) => first))
      .toEqual(['TCP 10.0.0.100:80', '10.0.1.11:80', '10.0.1.12:80'])
    expect(await page.locator('.inside-view tr.gone').count()).toBe(0)
    expect(await inside(page).getByRole('img').getAttribute('aria-label')).toContain('3 connections')
    const counts = await table(page)
    // To when it became so: those cells are lit that weren't so before, and there they weren't.
    await inside(page).locator('.since').click()
    expect(await table(page)).toEqual(counts)
    expect(await lit(page)).not.toEqual([])
    const clock = await page.locator('output.now').textContent()
    await page.getByRole('slider').press('ArrowLeft')
    await expect.poll(() => table(page)).not.toEqual(counts)
    expect(await page.locator('output.now').textContent()).not.toBe(clock)
    expect(await inside(page).locator('.since').textContent()).not.toContain(clock!.replace(/\s*s$/u, ''))
  })

  test('a lane for each host that advertises or is away; a click goes there', async () => {
    const page = await open()
    await page.locator('.switch').getByRole('button', { name: 'Who speaks' }).click()
    await page.locator('.lanes g').first().waitFor()
    const lane = (host: string) => page.locator(`.lanes g[data-host=${host}]`)
    expect(await page.locator('.lanes g').evaluateAll((all) => all.map((g) => g.getAttribute('data-host')))).toEqual([
      'left',
      'right',
    ])
    expect(await lane('left').locator('path.vrrp').count()).toBe(1)
    expect(await lane('left').locator('rect.off').count()).toBe(1)
    expect(await lane('right').locator('rect.address title').allTextContents()).toEqual(['10.0.0.100'])
    expect(await page.getByRole('img', { name: /left: \d+ advertisements; right: \d+/u }).count()).toBe(1)
    // However long it ran, a lane is drawn with few elements.
    expect(await page.locator('.lanes *').count()).toBeLessThan(60)
    const [off, svg] = await Promise.all([
      lane('left').locator('rect.off').boundingBox(),
      page.locator('.lanes > svg').boundingBox(),
    ])
    await page.locator('.lanes > svg').click({ position: { x: off!.x - svg!.x + 1, y: off!.y - svg!.y + 5 } })
    expect(await page.getByRole('button', { name: 'Now' }).isEnabled()).toBe(true)
    const head = await page.locator('.lanes .head').getAttribute('x1')
    expect(Math.abs(Number(head) - (off!.x - svg!.x + 1))).toBeLessThan(2)
    await page.locator('.lanes > svg').hover({ position: { x: off!.x - svg!.x + 4, y: off!.y - svg!.y + 6 } })
    await expect.poll(() => page.locator('.pointed').textContent()).toMatch(/^left: /u)
  })

  test('where nobody advertises it says so', async () => {
    const page = await room.page({ reducedMotion: 'reduce' })
    await page.goto('/articles/sharing')
    await page.waitForFunction(() => performance.getEntriesByName('first-prompt').length > 0)
    await page.locator('.switch').getByRole('button', { name: 'Who speaks' }).click()
    await page.getByText('Nobody advertises anything yet').waitFor()
  })

  test.each([
    [390, 'light', 'ja'],
    [390, 'dark', 'en'],
    [1440, 'light', 'en'],
    [1440, 'dark', 'ja'],
  ] as const)(
    'at %i px, %s, %s: all views are reached, axe finds nothing, nothing sticks out',
    async (width, colorScheme, locale) => {
      const page = await open({ viewport: { width, height: 844 }, colorScheme, locale })
      const names = messages(locale)
      const narrow = width < 1024
      const views = narrow ? ['lab_picture', 'terminals', 'packets', 'inside', 'lanes'] : ['packets', 'inside', 'lanes']
      if (narrow && (await page.locator('.drawer').getAttribute('aria-expanded')) === 'false')
        await page.locator('.drawer').click()
      for (const view of views) {
        const button = page
          .locator(narrow ? '.views' : '.switch')
          .getByRole('button', { name: names[view]!, exact: true })
        await button.click()
        expect(await button.getAttribute('aria-pressed')).toBe('true')
        const box = (await button.boundingBox())!
        expect(box.x + box.width).toBeLessThanOrEqual(width)
        if (view === 'inside') {
          await page.locator('.inside-view select').selectOption('left')
          await page.locator('.inside-view').getByRole('button', { name: names.inside_ipvs!, exact: true }).click()
          await page.locator('.inside-view .since').click()
        }
        if (view === 'inside' || view === 'lanes') {
          const { violations } = await new AxeBuilder({ page }).include('#lab').analyze()
          expect(violations.map(({ id, nodes }) => `${view} ${id}: ${nodes[0]?.html}`)).toEqual([])
        }
        expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
      }
      expect(
        await page.locator('.lanes').evaluate((lanes) => lanes.scrollWidth - lanes.clientWidth),
      ).toBeLessThanOrEqual(0)
      expect(await page.locator('.lanes').textContent()).toContain('10.0.0.100')
    },
  )
})
