import { markCommand } from '../library/mark.ts'

export const readLater = markCommand(
  'read-later',
  'readLater',
  'Mark bookmarks to be read later.',
  'not to be read any more',
)
