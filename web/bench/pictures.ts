/** Takes the pictures of the README: `npx tsx web/bench/pictures.ts [--out=docs/pictures]`, from the repository's own articles. */
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openRoom, unavailable } from '../tests/support/room.ts'

const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const { values } = parseArgs({ options: { out: { type: 'string', default: root('docs/pictures') } } })

if (unavailable) {
  console.error(`pictures: ${unavailable}`)
  process.exit(1)
}

mkdirSync(values.out, { recursive: true })
const room = await openRoom({ articles: root('articles') })
const ARTICLE = '/articles/how-linux-answers-arp'
try {
  for (const [locale, colorScheme, width, height] of [
    ['en', 'light', 1440, 900],
    ['ja', 'dark', 1440, 900],
    ['en', 'dark', 390, 844],
    ['ja', 'light', 390, 844],
  ] as const) {
    const phone = width < 500
    const name = (what: string) =>
      `${values.out}/${what}${locale === 'en' && !phone ? '' : `-${locale}-${phone ? 'phone-' : ''}${colorScheme}`}.png`
    const page = await room.page({ locale, colorScheme, viewport: { width, height } })
    await page.goto('/', { waitUntil: 'networkidle' })
    await page.keyboard.press('j')
    await page.screenshot({ path: name('list') })
    await page.goto(`/${locale}${ARTICLE}`)
    await page.waitForFunction(() => performance.getEntriesByName('first-prompt').length > 0)
    await page.keyboard.press('r')
    await page.locator('[data-block="0"] .verdict').last().waitFor()
    await page.keyboard.press('r')
    if (phone) {
      await page.screenshot({ path: name('article') })
      await page.keyboard.press('b')
    }
    // The second frame's way, caught in the middle; and the first one, taken apart.
    await page
      .locator('.row')
      .nth(1)
      .waitFor({ state: phone ? 'attached' : 'visible', timeout: 20_000 })
    await page.waitForTimeout(120)
    await page.locator('.play, [aria-label*="(p)"], [aria-label="Pause"]').first().waitFor({ state: 'attached' })
    const slider = page.getByRole('slider')
    const at = await slider.evaluate((input) => (input as HTMLInputElement).valueAsNumber)
    await slider.evaluate((input, to) => {
      ;(input as HTMLInputElement).value = String(to)
      input.dispatchEvent(new Event('input', { bubbles: true }))
    }, at)
    if (phone) await page.screenshot({ path: name('lab') })
    if (phone) await page.locator('.views button').nth(2).click()
    await page.locator('.row').nth(1).click()
    await page.mouse.move(0, 0)
    await page.locator('.field', { hasText: 'Sender MAC address' }).click()
    await page.mouse.move(0, 0)
    await page.screenshot({ path: name(phone ? 'packet' : 'article') })
    await page.context().close()
  }
  if (room.errors.length > 0) console.error(room.errors.join('\n'))
} finally {
  await room.close()
}
