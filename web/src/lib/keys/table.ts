/** Every key of the room, in one table: the pages act on it, and the help is made from it. */
import { m } from '$lib/paraglide/messages'

export type Place = 'everywhere' | 'go' | 'list' | 'entry' | 'reader' | 'article' | 'terminal'

export interface KeyRow {
  /**
   * As KeyboardEvent.key has them; any of them does it. Keys with a blank between are a chord: one after the other.
   * `Space` is the blank itself.
   */
  keys: readonly string[]
  /** As the help shows them, if that is something else. */
  shown?: readonly string[]
  place: Place
  action: string
  label: () => string
}

export const KEYS = [
  { keys: ['?'], place: 'everywhere', action: 'help', label: m.key_help },
  { keys: ['/'], place: 'everywhere', action: 'search', label: m.key_search },
  { keys: ['n'], place: 'everywhere', action: 'new', label: m.key_new },
  { keys: ['g g'], place: 'everywhere', action: 'top', label: m.key_top },
  { keys: ['G'], place: 'everywhere', action: 'bottom', label: m.key_bottom },

  { keys: ['g h'], place: 'go', action: 'go-home', label: m.key_go_home },
  { keys: ['g b'], place: 'go', action: 'go-bookmarks', label: m.key_go_bookmarks },
  { keys: ['g u'], place: 'go', action: 'go-unread', label: m.key_go_unread },
  { keys: ['g l'], place: 'go', action: 'go-later', label: m.key_go_later },
  { keys: ['g f'], place: 'go', action: 'go-favourites', label: m.key_go_favourites },
  { keys: ['g a'], place: 'go', action: 'go-archive', label: m.key_go_archive },
  { keys: ['g k'], place: 'go', action: 'go-keywords', label: m.key_go_keywords },
  { keys: ['g m'], place: 'go', action: 'go-me', label: m.key_go_me },
  { keys: ['g w'], place: 'go', action: 'go-follows', label: m.key_go_follows },
  { keys: ['g r'], place: 'go', action: 'go-feeds', label: m.key_go_feeds },
  { keys: ['g i'], place: 'go', action: 'go-import', label: m.key_go_import },
  { keys: ['g e'], place: 'go', action: 'go-export', label: m.key_go_export },
  { keys: ['g s'], place: 'go', action: 'go-settings', label: m.key_go_settings },

  { keys: ['j'], place: 'list', action: 'next-entry', label: m.key_next_entry },
  { keys: ['k'], place: 'list', action: 'previous-entry', label: m.key_previous_entry },
  { keys: ['o'], place: 'list', action: 'open-entry', label: m.key_open_entry },
  { keys: ['l'], place: 'list', action: 'later', label: m.key_later },
  { keys: ['e'], place: 'list', action: 'comments', label: m.key_comments },
  { keys: ['s'], place: 'list', action: 'star', label: m.key_star },
  { keys: ['a'], place: 'list', action: 'archive', label: m.key_archive },
  { keys: ['f'], place: 'list', action: 'favourite', label: m.key_favourite },
  { keys: ['b'], place: 'list', action: 'bookmark', label: m.key_bookmark },
  { keys: ['v'], place: 'list', action: 'read', label: m.key_read },
  { keys: ['r'], place: 'list', action: 'run-entry', label: m.key_run_entry },
  { keys: ['x'], place: 'list', action: 'select', label: m.key_select },
  { keys: ['X'], place: 'list', action: 'select-all', label: m.key_select_all },
  { keys: [']', '>'], place: 'list', action: 'older-page', label: m.key_older_page },
  { keys: ['[', '<'], place: 'list', action: 'newer-page', label: m.key_newer_page },
  { keys: ['F'], place: 'list', action: 'filter', label: m.key_filter },
  { keys: ['d'], place: 'list', action: 'density', label: m.key_density },

  { keys: ['j'], place: 'entry', action: 'next-comment', label: m.key_next_comment },
  { keys: ['k'], place: 'entry', action: 'previous-comment', label: m.key_previous_comment },
  { keys: ['s'], place: 'entry', action: 'star-comment', label: m.key_star_comment },
  { keys: ['o'], place: 'entry', action: 'open-page', label: m.key_open_entry },
  { keys: ['e'], place: 'entry', action: 'to-comments', label: m.key_to_comments },
  { keys: ['c', 'b'], place: 'entry', action: 'write-comment', label: m.key_write_comment },
  { keys: ['l'], place: 'entry', action: 'later-this', label: m.key_later },
  { keys: ['a'], place: 'entry', action: 'archive-this', label: m.key_archive },
  { keys: ['f'], place: 'entry', action: 'favourite-this', label: m.key_favourite },
  { keys: ['v'], place: 'entry', action: 'read-this', label: m.key_read },
  { keys: ['r'], place: 'entry', action: 'run-this', label: m.key_run_entry },
  { keys: ['u'], place: 'entry', action: 'back', label: m.key_to_list },

  { keys: ['j'], place: 'reader', action: 'next-part', label: m.key_next_part },
  { keys: ['k'], place: 'reader', action: 'previous-part', label: m.key_previous_part },
  { keys: ['h'], place: 'reader', action: 'highlight', label: m.key_highlight },
  { keys: ['r'], place: 'reader', action: 'run-part', label: m.key_run },
  { keys: ['o'], place: 'reader', action: 'open-original', label: m.key_open_original },
  { keys: ['e'], place: 'reader', action: 'page-comments', label: m.key_comments },
  { keys: ['l'], place: 'reader', action: 'later-page', label: m.key_later },
  { keys: ['a'], place: 'reader', action: 'archive-page', label: m.key_archive },
  { keys: ['f'], place: 'reader', action: 'favourite-page', label: m.key_favourite },
  { keys: ['u'], place: 'reader', action: 'leave-reader', label: m.key_to_list },

  { keys: ['j'], place: 'article', action: 'next-block', label: m.key_next_block },
  { keys: ['k'], place: 'article', action: 'previous-block', label: m.key_previous_block },
  { keys: ['r'], place: 'article', action: 'run', label: m.key_run },
  { keys: ['R'], place: 'article', action: 'run-all', label: m.key_run_all },
  {
    keys: ['1', '2', '3', '4', '5', '6', '7', '8', '9'],
    shown: ['1', '2', '…'],
    place: 'article',
    action: 'terminal',
    label: m.key_terminal,
  },
  { keys: ['['], place: 'article', action: 'step-back', label: m.key_step_back },
  { keys: [']'], place: 'article', action: 'step-forward', label: m.key_step_forward },
  { keys: [','], place: 'article', action: 'packet-back', label: m.key_packet_back },
  { keys: ['.'], place: 'article', action: 'packet-forward', label: m.key_packet_forward },
  { keys: ['{'], place: 'article', action: 'command-back', label: m.key_command_back },
  { keys: ['}'], place: 'article', action: 'command-forward', label: m.key_command_forward },
  { keys: ['p'], place: 'article', action: 'replay', label: m.key_replay },
  { keys: ['P'], place: 'article', action: 'backwards', label: m.key_backwards },
  { keys: ['<'], place: 'article', action: 'slower', label: m.key_slower },
  { keys: ['>'], place: 'article', action: 'faster', label: m.key_faster },
  { keys: ['f'], place: 'article', action: 'fork', label: m.key_fork },
  { keys: ['F'], place: 'article', action: 'next-future', label: m.key_next_future },
  { keys: ['n'], place: 'article', action: 'live', label: m.key_live },
  { keys: ['e'], place: 'article', action: 'explain', label: m.key_explain },
  { keys: ['/'], place: 'article', action: 'filter-packets', label: m.key_filter_packets },
  { keys: ['s'], place: 'article', action: 'share', label: m.key_share },
  { keys: ['t'], place: 'article', action: 'run-to-here', label: m.run_to_here },
  { keys: ['b'], place: 'article', action: 'lab', label: m.key_lab },
  { keys: ['u'], place: 'article', action: 'to-list', label: m.key_to_list },

  // The terminal has its keys from the line editor; they stand here for the help.
  { keys: [], shown: ['Tab'], place: 'terminal', action: 'complete', label: m.key_tab },
  { keys: [], shown: ['Ctrl-C'], place: 'terminal', action: 'interrupt', label: m.key_interrupt },
  { keys: [], shown: ['↑', '↓'], place: 'terminal', action: 'history', label: m.key_history },
  { keys: [], shown: ['Esc'], place: 'terminal', action: 'leave', label: m.key_escape },
] as const satisfies readonly KeyRow[]

export type Action = (typeof KEYS)[number]['action']

/** The table's rows, whose actions have names. */
export interface Row extends KeyRow {
  action: Action
}

/** What the keys pressed so far mean: an action, the beginning of a chord, or nothing. */
export type Meaning = { action: Action } | 'begun' | undefined

/** Of `pressed`, such as `g h`, in these places; the place of a page before what holds everywhere. */
export function findMeaning(rows: readonly Row[], pressed: string, places: readonly Place[]): Meaning {
  let begun = false
  for (const place of places) {
    for (const row of rows) {
      if (row.place !== place) continue
      if (row.keys.includes(pressed)) return { action: row.action }
      begun ||= row.keys.some((keys) => keys.startsWith(`${pressed} `))
    }
  }
  return begun ? 'begun' : undefined
}
