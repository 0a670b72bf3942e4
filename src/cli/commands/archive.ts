import { markCommand } from '../library/mark.ts'

export const archive = markCommand('archive', 'archived', 'Archive bookmarks: they are read.', 'back from the archive')
