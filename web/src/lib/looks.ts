/** How a reader wants the pages to look: kept in cookies, so that the first byte of a page has it, scripts or not. */
import { isKeyMap, type KeyMap } from '$lib/keys/maps.ts'

export const THEMES = ['system', 'light', 'dark', 'contrast'] as const
export type Theme = (typeof THEMES)[number]

export const DENSITIES = ['cards', 'dense'] as const
export type Density = (typeof DENSITIES)[number]

export const readTheme = (value: string | undefined): Theme => THEMES.find((each) => each === value) ?? 'system'
export const readDensity = (value: string | undefined): Density => DENSITIES.find((each) => each === value) ?? 'cards'
export const readKeyMap = (value: string | undefined): KeyMap => (isKeyMap(value) ? value : 'kaidoku')

/** From a script of the page; the server does the same for a form. */
export function remember(name: 'theme' | 'density' | 'keys' | 'lang', value: string): void {
  document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax`
}
