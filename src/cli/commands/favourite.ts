import { markCommand } from '../library/mark.ts'

export const favourite = markCommand('favourite', 'favourite', 'Mark bookmarks as favourites.', 'a favourite no more')
