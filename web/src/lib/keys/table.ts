/** Every key of the room, in one table: the pages act on it, and the help is made from it. */
import { m } from '$lib/paraglide/messages'

export type Place = 'everywhere' | 'list' | 'article' | 'terminal'

export interface KeyRow {
  /** As KeyboardEvent.key has them; any of them does it. */
  keys: readonly string[]
  /** As the help shows them, if that is something else. */
  shown?: readonly string[]
  place: Place
  action: string
  label: () => string
}

export const KEYS = [
  { keys: ['?'], place: 'everywhere', action: 'help', label: m.key_help },

  { keys: ['j'], place: 'list', action: 'next-entry', label: m.key_next_entry },
  { keys: ['k'], place: 'list', action: 'previous-entry', label: m.key_previous_entry },
  { keys: ['o'], place: 'list', action: 'open-entry', label: m.key_open_entry },
  { keys: ['n'], place: 'list', action: 'older-page', label: m.key_older_page },
  { keys: ['p'], place: 'list', action: 'newer-page', label: m.key_newer_page },
  { keys: ['/'], place: 'list', action: 'filter', label: m.key_filter },

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
  { keys: ['b'], place: 'article', action: 'lab', label: m.key_lab },
  { keys: ['u'], place: 'article', action: 'to-list', label: m.key_to_list },

  // The terminal has its keys from the line editor; they stand here for the help.
  { keys: [], shown: ['Tab'], place: 'terminal', action: 'complete', label: m.key_tab },
  { keys: [], shown: ['Ctrl-C'], place: 'terminal', action: 'interrupt', label: m.key_interrupt },
  { keys: [], shown: ['↑', '↓'], place: 'terminal', action: 'history', label: m.key_history },
  { keys: [], shown: ['Esc'], place: 'terminal', action: 'leave', label: m.key_escape },
] as const satisfies readonly KeyRow[]

export type Action = (typeof KEYS)[number]['action']

/** What a key does in one of these places, if anything. */
export function findAction(key: string, places: readonly Place[]): Action | undefined {
  const row = KEYS.find((each: KeyRow) => places.includes(each.place) && each.keys.includes(key))
  return row?.action
}
