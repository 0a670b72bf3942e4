/**
 * Key maps of other services, for fingers that know them: what differs from the room's own table. Each is after what the
 * service's own help says of its list of entries; what the service hasn't keeps the room's key where that is free.
 */
import { type Action, KEYS, type Row } from './table.ts'

export const KEY_MAPS = ['kaidoku', 'google-reader', 'wallabag', 'miniflux', 'vim'] as const
export type KeyMap = (typeof KEY_MAPS)[number]

/** As the services are called. */
export const KEY_MAP_NAMES: Record<KeyMap, string> = {
  kaidoku: 'Kaidoku',
  'google-reader': 'Google Reader, Feedly, Inoreader',
  wallabag: 'wallabag',
  miniflux: 'Miniflux',
  vim: 'Vim',
}

type Changes = Partial<Record<Action, readonly string[]>>

const CHANGES: Record<KeyMap, Changes> = {
  kaidoku: {},
  // j/k, n/p, o, s star, v view original, m mark as read, g h, g a (all), g s (starred), a subscribe.
  'google-reader': {
    'next-entry': ['j', 'n'],
    'previous-entry': ['k', 'p'],
    'open-entry': ['o', 'v'],
    read: ['Enter'],
    favourite: ['s'],
    'favourite-this': ['s'],
    'favourite-page': ['s'],
    archive: ['m'],
    'archive-this': ['m'],
    'archive-page': ['m'],
    star: ['S'],
    'star-comment': ['S'],
    'open-page': ['o', 'v'],
    'read-this': ['Enter'],
    'open-original': ['o', 'v'],
    new: ['a'],
    'go-bookmarks': ['g a'],
    'go-favourites': ['g s'],
    'go-archive': ['g d'],
    'go-settings': ['g ,'],
    'go-keywords': ['g t'],
    'go-feeds': ['g f'],
  },
  // g u unread, g s starred, g a archive, g e all, g t tags, g c config, g i import, g n new; o, s, a on an entry.
  wallabag: {
    'next-entry': ['j', 'ArrowRight'],
    'previous-entry': ['k', 'ArrowLeft'],
    read: ['Enter'],
    favourite: ['s'],
    'favourite-this': ['s'],
    'favourite-page': ['s'],
    star: ['S'],
    'star-comment': ['S'],
    new: ['g n'],
    'go-favourites': ['g s'],
    'go-bookmarks': ['g e'],
    'go-keywords': ['g t'],
    'go-settings': ['g c'],
    'go-export': ['g x'],
  },
  // g u unread, g b starred, g h history, g f feeds, g s settings; p/k, n/j, v original, m toggle read, f star, s save.
  miniflux: {
    'next-entry': ['j', 'n', 'ArrowRight'],
    'previous-entry': ['k', 'p', 'ArrowLeft'],
    read: ['o', 'Enter'],
    'open-entry': ['v'],
    'open-page': ['v'],
    'read-this': ['o'],
    'open-original': ['v'],
    comments: ['c', 'e'],
    archive: ['m'],
    'archive-this': ['m'],
    'archive-page': ['m'],
    later: ['s', 'l'],
    'later-this': ['s', 'l'],
    'later-page': ['s', 'l'],
    star: ['S'],
    'star-comment': ['S'],
    'write-comment': ['b'],
    new: ['+'],
    'go-favourites': ['g b'],
    'go-bookmarks': ['g d'],
    'go-archive': ['g h'],
    'go-home': ['g o'],
    'go-feeds': ['g f'],
    'go-keywords': ['g c', 'g k'],
    'older-page': [']', 'L'],
    'newer-page': ['[', 'H'],
  },
  // Of its normal mode: j k gg G, / and n, yy and dd, gt and gT for the pages of a list, marks.
  vim: {
    'next-entry': ['j', 'Ctrl-n'],
    'previous-entry': ['k', 'Ctrl-p'],
    'open-entry': ['o', 'Enter'],
    archive: ['d d'],
    'archive-this': ['d d'],
    'archive-page': ['d d'],
    later: ['l', 'm l'],
    select: ['v'],
    'select-all': ['V'],
    read: ['g d'],
    'read-this': ['g d'],
    density: ['z a'],
    'older-page': ['g t', ']'],
    'newer-page': ['g T', '['],
    new: ['i'],
    'write-comment': ['c', 'i'],
  },
}

export const isKeyMap = (name: string | undefined): name is KeyMap => KEY_MAPS.includes(name as KeyMap)

/** The table as a key map has it. A key that the map gives to something else is taken from what had it. */
export function rowsOf(map: KeyMap): readonly Row[] {
  const changes = CHANGES[map]
  const rows: Row[] = KEYS.map((row: Row) => {
    const keys = changes[row.action]
    return keys ? { ...row, keys, shown: undefined } : row
  })
  const near = (a: Row, b: Row) => a.place === b.place || isGeneral(a) || isGeneral(b)
  return rows.map((row) => {
    if (changes[row.action] || row.place === 'article' || row.place === 'terminal') return row
    const taken = new Set(rows.flatMap((each) => (changes[each.action] && near(each, row) ? each.keys : [])))
    const keys = row.keys.filter((key) => !taken.has(key))
    return keys.length === row.keys.length ? row : { ...row, keys, shown: undefined }
  })
}

const isGeneral = (row: Row) => row.place === 'everywhere' || row.place === 'go'
