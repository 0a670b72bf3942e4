/** What an installed room is called and looks like, and where shared pages go. */
import { isLocale } from '$lib/paraglide/runtime'
import type { RequestHandler } from './$types'

const LINES = { en: 'An executable reading room', ja: '実行できる閲覧室' }
const ADD = { en: 'Add', ja: '追加' }
const LATER = { en: 'Read later', ja: 'あとで読む' }

export const GET: RequestHandler = ({ url }) => {
  const wanted = url.searchParams.get('lang') ?? ''
  const lang = isLocale(wanted) ? wanted : 'en'
  const manifest = {
    id: '/',
    name: 'Kaidoku',
    short_name: 'Kaidoku',
    description: LINES[lang],
    lang,
    start_url: '/',
    scope: '/',
    display: 'standalone',
    background_color: '#faf8f3',
    theme_color: '#1f4f7f',
    categories: ['books', 'education', 'productivity'],
    icons: [
      { src: '/icon.svg', type: 'image/svg+xml', sizes: 'any' },
      { src: '/icon-192.png', type: 'image/png', sizes: '192x192' },
      { src: '/icon-512.png', type: 'image/png', sizes: '512x512' },
      { src: '/icon-maskable-512.png', type: 'image/png', sizes: '512x512', purpose: 'maskable' },
    ],
    // By GET, so that what is shared fills a form and changes nothing until its reader says so.
    share_target: { action: '/add', method: 'GET', params: { title: 'title', text: 'text', url: 'url' } },
    shortcuts: [
      { name: ADD[lang], url: '/add' },
      { name: LATER[lang], url: '/?mine=later' },
    ],
  }
  return new Response(JSON.stringify(manifest), { headers: { 'content-type': 'application/manifest+json' } })
}
