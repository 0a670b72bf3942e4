import type { Locale } from '$lib/paraglide/runtime'

declare global {
  namespace App {
    interface Locals {
      locale: Locale
      theme: 'light' | 'dark' | 'system'
    }
  }
}
