/** What `add` and `edit` say of a bookmark. */
import { flag, type OptionType, oneOf, text } from '../command.ts'
import type { ChangeJson } from './index.ts'

const yesNo = oneOf('yes', 'no')

export const CHANGE = {
  title: text,
  comment: text,
  note: text,
  tag: text,
} satisfies Record<string, OptionType<unknown>>
export const CHANGE_HELP = `  -c, --comment=TEXT  what you say of it, 100 characters; [tag] before it are tags
  -t, --tag=TAGS      its tags, comma between
  -n, --note=TEXT     a longer note, for you alone
      --title=TEXT    your own title for it`

export const MARKS = { private: flag, 'read-later': flag, archive: flag, favourite: flag } as const
export const STATES = { private: yesNo, 'read-later': yesNo, archive: yesNo, favourite: yesNo } as const

interface Words {
  title?: string
  comment?: string
  note?: string
  tag?: string
  private?: boolean | 'yes' | 'no'
  'read-later'?: boolean | 'yes' | 'no'
  archive?: boolean | 'yes' | 'no'
  favourite?: boolean | 'yes' | 'no'
}

export const tagsOf = (words: string) =>
  words
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')

export function changeOf(words: Words): ChangeJson {
  const change: ChangeJson = {}
  if (words.title !== undefined) change.title = words.title
  if (words.comment !== undefined) change.comment = words.comment
  if (words.note !== undefined) change.note = words.note
  if (words.tag !== undefined) change.tags = tagsOf(words.tag)
  const set = (name: 'private' | 'readLater' | 'archived' | 'favourite', value: boolean | 'yes' | 'no' | undefined) => {
    if (value !== undefined) change[name] = value === true || value === 'yes'
  }
  set('private', words.private)
  set('readLater', words['read-later'])
  set('archived', words.archive)
  set('favourite', words.favourite)
  return change
}
