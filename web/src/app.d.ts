import type { Role } from '#reading/store'
import type { Theme } from '$lib/looks.ts'
import type { Locale } from '$lib/paraglide/runtime'

declare global {
  namespace App {
    interface User {
      id: number
      /** By which addresses name them. */
      handle: string
      name: string
      role: Role
    }
    interface Locals {
      locale: Locale
      /** Of the lab, if the page has one: it is started with the page. */
      worker?: string
      theme: Theme
      /** Who asks; undefined for anybody. */
      user: User | undefined
      /** Of the session that the user came with. */
      sessionToken?: string
      /** A Content-Security-Policy instead of the room's, for what stands all in itself. */
      policy?: string
      /** Set-Cookie headers for the response, whole. */
      setCookies: string[]
    }
  }
}
