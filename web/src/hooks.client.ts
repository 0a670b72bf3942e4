import type { ClientInit } from '@sveltejs/kit'
import { isLocale, overwriteGetLocale } from '$lib/paraglide/runtime'
import { allowOwnStyles } from '$lib/styles/allow.ts'

/** The server decided; a change of language is a new document. */
export const init: ClientInit = () => {
  allowOwnStyles(document)
  const { lang } = document.documentElement
  overwriteGetLocale(() => (isLocale(lang) ? lang : 'en'))
}
