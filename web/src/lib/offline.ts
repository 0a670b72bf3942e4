/** What is kept for reading without a network: the service worker is told which pages; it fetches and keeps them. */

/** Asks the server what the reader wants to read later, and has the service worker keep it. */
export async function keepForOffline(to: (path: string) => string): Promise<void> {
  if (!('serviceWorker' in navigator)) return
  try {
    const registration = await navigator.serviceWorker.ready
    const answer = await fetch(to('/offline/pages'), { headers: { accept: 'application/json' } })
    if (!answer.ok) return
    registration.active?.postMessage({ keep: await answer.json() })
  } catch {
    // Offline already, or no service worker allowed here: what was kept is still kept.
  }
}
