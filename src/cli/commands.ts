/** The commands by name; each is loaded when it is called. */
import type { Command } from './command.ts'

export const COMMANDS: Record<string, [summary: string, load: () => Promise<Command>]> = {
  run: [
    'run articles and compare what they print with what they say',
    async () => (await import('./commands/run.ts')).run,
  ],
  check: ['run many articles; JUnit', async () => (await import('./commands/check.ts')).check],
  update: ['write what commands print into articles', async () => (await import('./commands/update.ts')).update],
  compare: [
    'run articles on a real kernel as well, and show what differs',
    async () => (await import('./commands/compare.ts')).compare,
  ],
  explain: [
    "a packet's way through every host, and why it ended",
    async () => (await import('./commands/explain.ts')).explain,
  ],
  explore: [
    'let faults befall a lab, and see whether its invariants hold',
    async () => (await import('./commands/explore.ts')).explore,
  ],
  shell: ['type on the hosts of a lab', async () => (await import('./commands/shell.ts')).shell],
  export: [
    "write a run's captures as one pcapng file",
    async () => (await import('./commands/export.ts')).exportCommand,
  ],
  add: ['bookmark a page', async () => (await import('./commands/add.ts')).add],
  list: ['list bookmarks', async () => (await import('./commands/list.ts')).list],
  search: ['search the library', async () => (await import('./commands/search.ts')).search],
  show: ['what is known of a page', async () => (await import('./commands/show.ts')).show],
  edit: ['change a bookmark', async () => (await import('./commands/edit.ts')).edit],
  remove: ['remove bookmarks', async () => (await import('./commands/remove.ts')).remove],
  tag: ['list, rename, merge, remove tags', async () => (await import('./commands/tag.ts')).tag],
  archive: ['archive bookmarks', async () => (await import('./commands/archive.ts')).archive],
  favourite: ['mark favourites', async () => (await import('./commands/favourite.ts')).favourite],
  'read-later': ['mark what is to be read', async () => (await import('./commands/read-later.ts')).readLater],
  star: ['give a comment a star', async () => (await import('./commands/star.ts')).star],
  follow: ['follow users, sites, keywords', async () => (await import('./commands/follow.ts')).follow],
  highlights: ['list, add, remove highlights', async () => (await import('./commands/highlights.ts')).highlights],
  keywords: ['the keyword index, and its groups', async () => (await import('./commands/keywords.ts')).keywords],
  feeds: ['feeds that you read', async () => (await import('./commands/feeds.ts')).feeds],
  fetch: ['preserve pages', async () => (await import('./commands/fetch.ts')).fetchCommand],
  'check-links': [
    'look whether pages are still there',
    async () => (await import('./commands/check-links.ts')).checkLinks,
  ],
  import: ['take in bookmarks', async () => (await import('./commands/import.ts')).importCommand],
  backup: ['the whole library into one file', async () => (await import('./commands/backup.ts')).backupCommand],
  restore: ['and back', async () => (await import('./commands/restore.ts')).restoreCommand],
  users: ['accounts; a way in for who lost the session', async () => (await import('./commands/users.ts')).users],
  invite: ['links by which people make accounts', async () => (await import('./commands/invite.ts')).invite],
  account: ['what is kept of you; delete it', async () => (await import('./commands/account.ts')).account],
  token: ['tokens for programs', async () => (await import('./commands/token.ts')).token],
  webhook: ['addresses that are told of what you do', async () => (await import('./commands/webhook.ts')).webhook],
  tool: ["programs of the simulated hosts, on one's own files", async () => (await import('./commands/tool.ts')).tool],
  completion: ['completion for bash, zsh and fish', async () => (await import('./commands/completion.ts')).completion],
  serve: ['serve the reading room', async () => (await import('./commands/serve.ts')).serve],
}
