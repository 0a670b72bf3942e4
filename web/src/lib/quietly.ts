/** Forms that are sent without leaving the page: what they changed is read anew, and the focus stays where it is. */
import type { SubmitFunction } from '@sveltejs/kit'
import { applyAction } from '$app/forms'
import { goto, invalidateAll } from '$app/navigation'
import { m } from '$lib/paraglide/messages'
import { say } from './toast.svelte.ts'

/** For use:enhance. The server answers with a redirect to where the reader was; only elsewhere is it followed. */
export const quietly =
  (done?: () => string | undefined): SubmitFunction =>
  () =>
  async ({ result }) => {
    if (result.type === 'redirect') {
      const there = new URL(result.location, location.href)
      if (there.pathname + there.search === location.pathname + location.search) await invalidateAll()
      else await goto(result.location, { invalidateAll: true })
      const text = done?.()
      if (text) say(text)
    } else if (result.type === 'failure') {
      say(String(result.data?.['message'] ?? m.error_title()), true)
      await applyAction(result)
    } else if (result.type === 'error') {
      say(navigator.onLine ? String(result.error?.message ?? m.error_title()) : m.offline_refused(), true)
    } else {
      await applyAction(result)
      await invalidateAll()
    }
  }
