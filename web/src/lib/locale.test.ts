import { expect, test, vi } from 'vitest'

// The compiled runtime is made by the build; what this needs of it is the list of languages.
vi.mock('$lib/paraglide/runtime', () => ({
  locales: ['en', 'ja'],
  isLocale: (text: unknown) => text === 'en' || text === 'ja',
}))

const { chooseLocale, inLocale, preferred, splitLocale, within } = await import('./locale.ts')

test('an address says its language', () => {
  expect(splitLocale('/ja/articles/arp')).toEqual({ locale: 'ja', path: '/articles/arp' })
  expect(splitLocale('/ja')).toEqual({ locale: 'ja', path: '/' })
  expect(splitLocale('/jar')).toEqual({ locale: undefined, path: '/jar' })
  expect(splitLocale('/fr/x')).toEqual({ locale: undefined, path: '/fr/x' })
})

test.each([
  ['/ja', 'en', 'en', 'ja'],
  ['/', 'ja', 'en', 'ja'],
  ['/', undefined, 'fr, ja;q=0.8, en;q=0.7', 'ja'],
  ['/', 'xx', null, 'en'],
] as const)('%s with cookie %s and %s is %s', (path, cookie, accepted, locale) => {
  expect(chooseLocale(path, cookie, accepted)).toBe(locale)
})

test('what a browser prefers, by its weights', () => {
  expect(preferred('en;q=0.5, ja-JP')).toBe('ja')
  expect(preferred('ja;q=0, en')).toBe('en')
  expect(preferred('*')).toBeUndefined()
  expect(preferred(';;;,,q=,')).toBeUndefined()
})

test('links stay within the language of the address', () => {
  expect(within('/ja/articles/arp', '/')).toBe('/ja')
  expect(within('/articles/arp', '/articles/ip')).toBe('/articles/ip')
  expect(inLocale(new URL('http://x/en/?site=a'), 'ja')).toBe('/ja?site=a')
})
