/** OPML, in which feed readers say what they read: outlines in outlines. @see http://opml.org/spec2.opml */
import { Gathering, type ParsedFile } from '../record.ts'
import { parseTime } from '../time.ts'
import { escapeXml, readXml } from '../xml.ts'

export function parseOpml(source: string): ParsedFile {
  const found = new Gathering('opml')
  const folders: string[] = []
  let item = 0
  for (const event of readXml(source)) {
    if (event.kind === 'close' && event.name === 'outline') folders.pop()
    if (event.kind !== 'open' || event.name !== 'outline') continue
    const get = (...names: string[]) => names.map((name) => event.attributes.get(name)).find((value) => value) ?? ''
    const title = get('title', 'text')
    const feed = get('xmlUrl', 'xmlurl', 'xmlURL')
    const place = { item: item + 1, line: event.line }
    const inside = folders.filter((name) => name !== '')
    if (feed !== '') {
      item++
      found.addFeed({ place, url: feed.trim(), title, siteUrl: get('htmlUrl', 'htmlurl'), folders: inside })
    } else if (get('type') === 'link' || get('url', 'htmlUrl') !== '') {
      item++
      // An outline of type link is a bookmark; so is one that has a page but no feed.
      const more = found.add({
        place,
        url: get('url', 'htmlUrl'),
        title,
        comment: get('description'),
        tags: get('category')
          .split(',')
          .map((path) => path.split('/').filter(Boolean).at(-1) ?? ''),
        folders: inside,
        createdAtS: parseTime(get('created')),
      })
      if (!more) break
    } else if (get('type') === 'rss') {
      item++
      found.refuse(place, '', 'a feed without an address')
    }
    folders.push(feed === '' ? title : '')
  }
  return found.end()
}

/** The subscriptions as OPML 2.0, folders kept. */
export function formatOpml(
  title: string,
  feeds: readonly { url: string; title: string; siteUrl?: string; folder?: string }[],
): string {
  const outline = (feed: (typeof feeds)[number]) =>
    `<outline type="rss" text="${escapeXml(feed.title || feed.url)}" title="${escapeXml(feed.title || feed.url)}" xmlUrl="${escapeXml(feed.url)}"${
      feed.siteUrl ? ` htmlUrl="${escapeXml(feed.siteUrl)}"` : ''
    }/>`
  const lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<opml version="2.0">', '<head>']
  lines.push(`<title>${escapeXml(title)}</title>`, '</head>', '<body>')
  for (const feed of feeds) if (!feed.folder) lines.push(outline(feed))
  for (const folder of new Set(feeds.map((feed) => feed.folder).filter((name) => name))) {
    lines.push(`<outline text="${escapeXml(folder!)}" title="${escapeXml(folder!)}">`)
    for (const feed of feeds) if (feed.folder === folder) lines.push(outline(feed))
    lines.push('</outline>')
  }
  return `${[...lines, '</body>', '</opml>'].join('\n')}\n`
}
