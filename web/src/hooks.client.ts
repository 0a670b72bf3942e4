import type { ClientInit } from '@sveltejs/kit'
import { isLocale, overwriteGetLocale } from '$lib/paraglide/runtime'

/** The server decided; a change of language is a new document. */
export const init: ClientInit = () => {
  const { lang } = document.documentElement
  overwriteGetLocale(() => (isLocale(lang) ? lang : 'en'))
}
