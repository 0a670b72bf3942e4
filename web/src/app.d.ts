import type { Locale } from '$lib/paraglide/runtime'

declare global {
  namespace App {
    interface Locals {
      locale: Locale
      /** Of the lab, if the page has one: it is started with the page. */
      worker?: string
      theme: 'light' | 'dark' | 'system'
    }
  }
}
