import type { Reroute } from '@sveltejs/kit'
import { splitLocale } from '$lib/locale.ts'

/** `/ja/articles/arp` is the page of `/articles/arp`. */
export const reroute: Reroute = ({ url }) => splitLocale(url.pathname).path
