/** The reader's language: the address says it (`/ja/...`), else the switch (a cookie), else what the browser prefers. */
import { isLocale, type Locale, locales } from '$lib/paraglide/runtime'

/** What stands before a path: `/ja/articles/arp` is `ja` and `/articles/arp`. */
export function splitLocale(pathname: string): { locale: Locale | undefined; path: string } {
  const match = /^\/([a-z]{2})(?=\/|$)/u.exec(pathname)
  if (!match || !isLocale(match[1])) return { locale: undefined, path: pathname }
  return { locale: match[1], path: pathname.slice(match[0].length) || '/' }
}

/** The language of a request. */
export function chooseLocale(pathname: string, cookie: string | undefined, accepted: string | null): Locale {
  return splitLocale(pathname).locale ?? (isLocale(cookie) ? cookie : undefined) ?? preferred(accepted) ?? 'en'
}

/** Of `ja-JP,ja;q=0.9,en;q=0.8`, the one we have that is wanted most. RFC 9110 section 12.5.4. */
export function preferred(accepted: string | null): Locale | undefined {
  const wanted = (accepted ?? '')
    .slice(0, 1000)
    .split(',')
    .map((part, place) => {
      const [range = '', ...parameters] = part.trim().toLowerCase().split(';')
      const q = parameters.map((parameter) => /^\s*q=([\d.]+)\s*$/u.exec(parameter)?.[1]).find(Boolean)
      return { lang: range.split('-')[0]!, q: q === undefined ? 1 : Number(q), place }
    })
    .filter(({ q }) => q > 0)
    .sort((a, b) => b.q - a.q || a.place - b.place)
  return wanted.map(({ lang }) => lang).find((lang): lang is Locale => isLocale(lang))
}

/** An address of the room within the page's own prefix, so that a shared `/ja/` link stays Japanese. */
export function within(pathname: string, path: string): string {
  const { locale } = splitLocale(pathname)
  return locale ? `/${locale}${path === '/' ? '' : path}` : path
}

/** The same page in another language. */
export function inLocale(url: URL, locale: Locale): string {
  const { path } = splitLocale(url.pathname)
  return `/${locale}${path === '/' ? '' : path}${url.search}`
}

export { locales }
