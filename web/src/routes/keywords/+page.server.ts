/** The index: groups, their keywords, how many entries of each kind have them. Moderators arrange it. */
import { error, fail, redirect } from '@sveltejs/kit'
import { foldKeyword } from '#reading/library'
import { m } from '$lib/paraglide/messages'
import { listFor, mustUser, refusing, storeFor, word } from '$lib/server/desk.ts'
import type { Actions, PageServerLoad, RequestEvent } from './$types'

const OTHERS_MAX = 300

export const load: PageServerLoad = async (event) => {
  const { url, locals } = event
  const chosen = url.searchParams
    .getAll('word')
    .slice(0, 8)
    .map((each) => each.slice(0, 100))
  const store = await storeFor(event)
  const [groups, all, list] = await Promise.all([
    store.keywords.index(),
    store.keywords.starting('', OTHERS_MAX),
    chosen.length > 0 ? listFor(event, { keyword: chosen }) : { entries: [], newer: undefined, older: undefined },
  ])
  const grouped = new Set(groups.flatMap((group) => group.keywords.map(({ name }) => foldKeyword(name))))
  const mayEdit = locals.user?.role === 'owner' || locals.user?.role === 'moderator'
  return {
    chosen,
    mayEdit,
    editing: mayEdit && word(url, 'edit') !== undefined,
    groups: groups.map((group) => ({
      id: group.id,
      names: group.names,
      name: group.names[locals.locale] || group.names['en'] || Object.values(group.names)[0] || '–',
      words: group.keywords,
    })),
    others: all.filter(({ name }) => !grouped.has(foldKeyword(name))),
    ...list,
  }
}

type Group = { id: number; names: Record<string, string>; keywords: string[] }

/** The groups are written as a whole: what changes is changed in them, and all are kept. */
async function edit(event: RequestEvent, change: (groups: Group[], form: FormData) => Group[]) {
  const user = mustUser(event)
  const form = await event.request.formData()
  const store = await storeFor(event)
  const problem = await refusing(async () => {
    const groups = (await store.keywords.index()).map(({ id, names, keywords }) => ({
      id,
      names,
      keywords: keywords.map(({ name }) => name),
    }))
    await store.keywords.editGroups(
      user.id,
      change(groups, form).map(({ names, keywords }) => ({ names, keywords })),
    )
  })
  if (problem) return fail(400, problem)
  return redirect(303, `${event.url.pathname}?edit=1`)
}

const text = (form: FormData, name: string) =>
  String(form.get(name) ?? '')
    .trim()
    .slice(0, 100)

/** The names of a group, in the languages in which it has one. */
function namesOf(form: FormData): Record<string, string> {
  const names = Object.fromEntries(
    ['en', 'ja'].map((lang) => [lang, text(form, lang)] as const).filter(([, name]) => name !== ''),
  )
  if (Object.keys(names).length === 0) error(400, m.group_name())
  return names
}

const among = (groups: Group[], form: FormData, change: (group: Group) => Group) =>
  groups.map((group) => (group.id === Number(form.get('group')) ? change(group) : group))

export const actions: Actions = {
  addGroup: (event) => edit(event, (groups, form) => [...groups, { id: 0, names: namesOf(form), keywords: [] }]),
  removeGroup: (event) => edit(event, (groups, form) => groups.filter(({ id }) => id !== Number(form.get('group')))),
  rename: (event) =>
    edit(event, (groups, form) => among(groups, form, (group) => ({ ...group, names: namesOf(form) }))),
  put: (event) =>
    edit(event, (groups, form) => {
      const added = text(form, 'word')
      return among(groups, form, (group) => ({
        ...group,
        keywords: added === '' || group.keywords.includes(added) ? group.keywords : [...group.keywords, added],
      }))
    }),
  take: (event) =>
    edit(event, (groups, form) =>
      among(groups, form, (group) => ({
        ...group,
        keywords: group.keywords.filter((each) => each !== text(form, 'word')),
      })),
    ),
}
