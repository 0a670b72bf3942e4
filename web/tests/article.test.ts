import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRoom, type Room, unavailable } from './support/room.ts'

if (unavailable) console.log(`article: ${unavailable}`)

describe.skipIf(unavailable)('an article', () => {
  let room: Room
  beforeAll(async () => {
    room = await openRoom()
  })
  afterAll(async () => {
    await room?.close()
    expect(room?.errors).toEqual([])
  })

  /** An article whose lab stands. Without motion, what happens is shown at once. */
  async function open(options: Parameters<Room['page']>[0] = {}, path = '/articles/asking'): Promise<Page> {
    const page = await room.page({ reducedMotion: 'reduce', viewport: { width: 1440, height: 900 }, ...options })
    await page.goto(path)
    await page.waitForFunction(() => performance.getEntriesByName('first-prompt').length > 0)
    return page
  }
  const terminal = (page: Page) =>
    page.evaluate(() =>
      [...document.querySelectorAll('[role=tabpanel]:not([hidden]) .xterm-rows > div')]
        .map((row) => row.textContent?.replaceAll('\u00a0', ' ').trimEnd())
        .join('\n')
        .trimEnd(),
    )
  const block = (page: Page, number: number) => page.locator(`[data-block="${number}"]`)
  const shows = (page: Page, text: string) => expect.poll(() => terminal(page), { timeout: 10_000 }).toContain(text)

  test('reads without scripts: text, blocks, picture; nothing that an author could slip in', async () => {
    const page = await room.page({ javaScriptEnabled: false })
    await page.goto('/articles/asking')
    expect(await page.locator('h1').textContent()).toBe('Asking for an address')
    expect(await block(page, 0).textContent()).toContain('ping -c 1 10.0.0.2')
    expect(await page.locator('svg .host').count()).toBe(8) // Four, in the wide picture and in the tall one.
    expect(await page.locator('main script, main img').count()).toBe(0)
    expect(await page.getByRole('link', { name: 'a diagram' }).getAttribute('href')).toBe('https://example.com/x.png')
  })

  test('r runs the next block and compares in place; packets are listed and taken apart', async () => {
    const page = await open()
    await page.keyboard.press('r')
    await block(page, 0).getByText('as written').nth(1).waitFor()
    await shows(page, '64 bytes from 10.0.0.2: icmp_seq=1 ttl=64')
    const packets = page.locator('.row')
    expect(await packets.count()).toBe(4)
    expect(await packets.first().textContent()).toContain('who has 10.0.0.2? tell 10.0.0.1')
    await packets.first().click()
    await page.mouse.move(0, 0) // It would point at a field of its own.
    await page.locator('.field', { hasText: 'Target IP address' }).focus()
    expect(await page.locator('.octet.lit').allTextContents()).toEqual(['0a', '00', '00', '02'])
    await page.locator('.octet').nth(0).hover()
    expect(await page.locator('.field.lit').textContent()).toContain('Broadcast (ff:ff:ff:ff:ff:ff)')
  })

  test('a block that differs says where', async () => {
    const page = await open()
    const wrong = block(page, 3)
    await wrong.getByRole('button', { name: 'Run', exact: true }).click()
    await wrong.locator('.different').waitFor()
    expect(await wrong.locator('.minus').textContent()).toContain('three')
    expect(await wrong.locator('.plus').textContent()).toContain('four')
  })

  test('file blocks are written, and run all runs what is left', async () => {
    const page = await open()
    await page.keyboard.press('Shift+R')
    await block(page, 5).getByText('as written').nth(1).waitFor()
    expect(await block(page, 4).textContent()).toContain('written')
    expect(await block(page, 5).textContent()).toContain('Hello from far away.')
  })

  test('anything can be typed: editing, history, Tab, Ctrl-C, Escape', async () => {
    const page = await open()
    await page.keyboard.press('2')
    await page.keyboard.type('echo onx')
    await page.keyboard.press('Backspace')
    await page.keyboard.type('e; X=kept')
    await page.keyboard.press('Enter')
    await shows(page, 'one\nserver#')
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Home')
    await page.keyboard.press('Control+k')
    await page.keyboard.type('echo $X')
    await page.keyboard.press('Enter')
    await shows(page, 'kept\nserver#')
    await page.keyboard.type('cat /etc/hostn')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await shows(page, 'cat /etc/hostname\nserver\nserver#')
    await page.keyboard.type('ping 10.0.0.1')
    await page.keyboard.press('Enter')
    await shows(page, 'icmp_seq=2')
    await page.keyboard.press('Control+c')
    await shows(page, 'packets transmitted')
    await page.keyboard.type('cd /tmp')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Escape')
    expect(await page.evaluate(() => document.activeElement?.getAttribute('role'))).toBe('tab')
  })

  test('time goes back and forth: packets and terminals show that moment', async () => {
    const page = await open()
    await page.keyboard.press('r')
    await shows(page, 'rtt min/avg')
    const slider = page.getByRole('slider')
    await slider.focus()
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowLeft')
    expect(await page.locator('.row').count()).toBe(2)
    await expect.poll(() => terminal(page)).not.toContain('rtt min/avg')
    expect(await slider.getAttribute('aria-valuetext')).toMatch(/^0\.30/u)
    await page.keyboard.press('[')
    expect(await page.locator('.row').count()).toBe(1)
    await page.keyboard.press(']')
    expect(await page.locator('.row').count()).toBe(2)
    await page.keyboard.press('n')
    await shows(page, 'rtt min/avg')
    expect(await page.locator('.row').count()).toBe(4)
  })

  test('with motion, packets are on their way while the page stays awake', async () => {
    const page = await open({ reducedMotion: 'no-preference' })
    await page.keyboard.press('r')
    await page.locator('.wide .dot').first().waitFor()
    expect(await page.locator('.wide .dot text').first().textContent()).toBe('ARP')
    // The page isn't blocked while the lab runs.
    const longest = await page.evaluate(async () => {
      let longest = 0
      for (let i = 0; i < 40; i++) {
        const before = performance.now()
        await new Promise((resolve) => setTimeout(resolve, 5))
        longest = Math.max(longest, performance.now() - before)
      }
      return longest
    })
    expect(longest).toBeLessThan(1500)
    await block(page, 0).getByText('as written').nth(1).waitFor()
  })

  test('is read in Japanese, and so are its buttons', async () => {
    const page = await open({ locale: 'ja-JP' })
    expect(await page.locator('h1').textContent()).toBe('アドレスをたずねる')
    await page.getByRole('button', { name: '実行', exact: true }).first().click()
    await page.getByText('本文のとおり').first().waitFor()
    await page.goto('/en/articles/asking')
    expect(await page.locator('h1').textContent()).toBe('Asking for an address')
  })

  test('what does not exist is not found, whatever it is called', async () => {
    const page = await room.page()
    for (const name of ['nothing', '..%2f..%2fpackage', 'asking.ja', 'a'.repeat(300)])
      expect((await page.request.get(`/articles/${name}`)).status(), name).toBe(404)
    // No address has a NUL.
    expect((await page.request.get('/articles/%00')).status()).toBe(400)
  })

  test.each([
    [390, 'light', 'ja'],
    [390, 'dark', 'en'],
    [1440, 'light', 'en'],
    [1440, 'dark', 'ja'],
  ] as const)('at %i px, %s, %s: axe finds nothing, nothing sticks out', async (width, colorScheme, locale) => {
    const page = await open({ viewport: { width, height: 844 }, colorScheme, locale })
    const check = async () => {
      const { violations } = await new AxeBuilder({ page }).analyze()
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([])
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
    }
    await page.keyboard.press('r')
    await block(page, 0).locator('.verdict').nth(1).waitFor()
    await check()
    if (width === 390) {
      await page.keyboard.press('b')
      await check()
      await page.locator('.views button').nth(2).click()
    }
    await page.locator('.row').first().click()
    await check()
  })
})
