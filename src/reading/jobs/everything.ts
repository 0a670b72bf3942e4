/** What the room's own file holds beside bookmarks: settings, follows, groups of keywords, stars, preserved pages. */
import { createHash } from 'node:crypto'
import { sanitiseAgain, sniffImage } from '#reading/collect'
import { type EverythingPage, type ParsedEverything, parseEverything, readPacked } from '#reading/exchange'
import { type EntryKey, type ImportRefusal, Refusal, type Store } from '#reading/store'

/** Takes it in; done twice, it changes nothing the second time. What can't be taken is listed in the import's report. */
export async function takeRest(store: Store, by: number, importId: number, content: Uint8Array): Promise<void> {
  const all = parseEverything(JSON.parse(new TextDecoder().decode(readPacked(content))))
  if (Object.keys(all.settings).length > 0) await store.settings.change(by, { ...all.settings })
  const late: ImportRefusal[] = []
  const attempt = async (place: string, url: string, work: () => Promise<unknown>) => {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      late.push({ place, url, what: error.message })
    }
  }
  for (const [i, { kind, name }] of all.follows.entries())
    await attempt(`follow ${i + 1}`, name, () => store.follows.set(by, followTarget(kind, name), true))
  await takeGroups(store, by, all.keywordGroups)
  for (const [i, star] of all.stars.entries()) {
    if (!(await store.comments.starAgain(by, keyOf(star), star.user)))
      late.push({ place: `star ${i + 1}`, url: star.url, what: `${star.user} says nothing of it here` })
  }
  for (const [i, page] of all.pages.entries())
    await attempt(`page ${i + 1}`, page.url, () => bringPage(store, by, page))
  await store.imports.refuse(importId, late)
}

const followTarget = (kind: 'user' | 'site' | 'keyword', name: string) =>
  kind === 'user' ? { user: name } : kind === 'site' ? { site: name } : { keyword: name }

const keyOf = ({ url, article }: { url: string; article?: string }): EntryKey =>
  article === undefined ? { kind: 'bookmark', key: url } : { kind: 'article', key: article }

/** Groups are the room's: whoever may edit them adds those that aren't there. */
async function takeGroups(store: Store, by: number, groups: ParsedEverything['keywordGroups']): Promise<void> {
  if (groups.length === 0) return
  const there = (await store.keywords.index()).map(({ names, keywords }) => ({
    names,
    keywords: keywords.map(({ name }) => name),
  }))
  const known = new Set(there.map(({ names }) => names['en']))
  const added = groups.filter(({ name }) => name !== '' && !known.has(name))
  if (added.length === 0) return
  const all = [...there, ...added.map(({ name, names, keywords }) => ({ names: { ...names, en: name }, keywords }))]
  try {
    await store.keywords.editGroups(by, all)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error // A reader's own file brings no groups into somebody else's room.
  }
}

/** A page from a file is as little to be trusted as one from the Web. */
async function bringPage(store: Store, by: number, page: EverythingPage): Promise<void> {
  const images = page.images.flatMap(({ url, base64 }) => {
    const bytes = new Uint8Array(Buffer.from(base64, 'base64'))
    const kind = sniffImage(bytes)
    if (!kind) return []
    const { type, width, height } = kind
    const size = width === undefined || height === undefined ? {} : { width, height }
    return [{ url, bytes, contentType: type, hash: createHash('sha256').update(bytes).digest('hex'), ...size }]
  })
  const html = sanitiseAgain(page.html)
  await store.pages.bring(
    by,
    keyOf({ url: page.url, ...(page.article === undefined ? {} : { article: page.article }) }),
    {
      url: page.finalUrl || page.url,
      status: page.status,
      contentType: page.contentType,
      hash: page.hash,
      bytes: Buffer.byteLength(html),
      title: page.title,
      author: page.author,
      lang: page.lang,
      html,
      text: page.text,
      about: page.about,
      images,
    },
    (page.fetchedAtS ?? 0) * 1000,
  )
}
