import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRoom, type Room, unavailable } from './support/room.ts'

if (unavailable) console.log(`time: ${unavailable}`)

describe.skipIf(unavailable)('time of a lab', () => {
  let room: Room
  beforeAll(async () => {
    room = await openRoom()
  })
  afterAll(async () => {
    await room?.close()
    expect(room?.errors).toEqual([])
  })

  async function open(): Promise<Page> {
    const page = await room.page({ reducedMotion: 'reduce', viewport: { width: 1440, height: 900 } })
    await page.goto('/articles/asking')
    await page.waitForFunction(() => performance.getEntriesByName('first-prompt').length > 0)
    return page
  }
  const terminal = (page: Page) => page.locator('.terminals .panel:not([hidden]) .xterm-rows').textContent()
  const ran = (page: Page, block: number) => page.locator(`[data-block="${block}"] .verdict`).first().waitFor()

  test('going back brings the hosts back; what is typed there is another future, and the first one stays', async () => {
    const page = await open()
    await page.keyboard.press('r')
    await ran(page, 0)
    await expect.poll(() => terminal(page)).toContain('rtt min/avg')
    const packets = await page.locator('.row').count()
    expect(packets).toBeGreaterThan(2)

    // To before all that was done, by keys.
    for (let i = 0; i < 2; i++) await page.keyboard.press('{')
    await expect.poll(() => page.locator('.row').count()).toBe(0)
    await page.locator('.stands').getByText('hosts stand here').waitFor()
    await page.keyboard.press('1')
    await page.keyboard.type('ip neigh; echo other')
    await page.keyboard.press('Enter')
    await expect.poll(() => terminal(page)).toContain('other')
    // The neighbours of that moment: none; and no packets yet in this future.
    expect(await terminal(page)).not.toContain('PING')
    expect(await terminal(page)).not.toContain('lladdr')
    expect(await page.locator('.row').count()).toBe(0)
    await page.keyboard.type('ping -c 1 10.0.0.254')
    await page.keyboard.press('Enter')
    await expect.poll(() => terminal(page), { timeout: 15_000 }).toContain('packets transmitted')
    await page.keyboard.press('Escape')

    const futures = page.getByRole('combobox', { name: 'Futures' })
    expect(await futures.locator('option').count()).toBe(2)
    await futures.selectOption('0')
    await expect.poll(() => terminal(page)).toContain('rtt min/avg')
    expect(await terminal(page)).not.toContain('other')
    expect(await page.locator('.row').count()).toBe(packets)
    // It goes on where it ended: its neighbour is known.
    await page.keyboard.press('1')
    await page.keyboard.type('ip neigh')
    await page.keyboard.press('Enter')
    await expect.poll(() => terminal(page)).toMatch(/10\.0\.0\.2 dev eth0 lladdr/u)
    await futures.selectOption('1')
    await expect.poll(() => terminal(page)).toContain('other')
  })

  test('steps by packets and by commands; speeds; backwards', async () => {
    const page = await open()
    await page.keyboard.press('r')
    await ran(page, 0)
    await page.keyboard.press(',')
    const rows = () => page.locator('.row').count()
    await expect.poll(rows).toBeGreaterThan(1)
    const all = await rows()
    await page.keyboard.press(',')
    await expect.poll(rows).toBe(all - 1)
    await page.keyboard.press('.')
    await expect.poll(rows).toBe(all)
    const speed = page.getByRole('combobox', { name: 'Speed' })
    await page.keyboard.press('>')
    await expect.poll(() => speed.inputValue()).toBe('2')
    for (let i = 0; i < 12; i++) await page.keyboard.press('>')
    await expect.poll(() => speed.inputValue()).toBe('100')
    await page.keyboard.press('Shift+P')
    await expect.poll(rows, { timeout: 10_000 }).toBe(0)
  })

  test('borders can be moved by keys, and are remembered', async () => {
    const page = await open()
    const border = page.getByRole('separator', { name: 'Width of the lab' })
    await border.focus()
    const before = (await page.locator('#lab').boundingBox())!.width
    for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowLeft')
    const after = (await page.locator('#lab').boundingBox())!.width
    expect(after - before).toBeGreaterThan(100)
    await page.reload()
    await page.waitForFunction(() => performance.getEntriesByName('first-prompt').length > 0)
    expect(Math.abs((await page.locator('#lab').boundingBox())!.width - after)).toBeLessThan(3)
  })
})
