/** Who asks: by a session's cookie, by a token, or because the browser is on this very machine. */
import type { RequestEvent } from '@sveltejs/kit'
import type { Account, Store } from '#reading/store'
import { authHeaders, authOf, keepCookies } from './auth.ts'
import { isLocalVisit } from './guard.ts'
import { localVisits } from './policy.ts'

/** The one who asks. */
export type User = App.User

const COOKIE = /(?:^|;\s*)(?:__Secure-)?kaidoku\.session_token=/u

const toUser = ({ id, handle, name, role }: Account): User => ({ id, handle, name, role })

/** The user of a request; a local visit opens the owner's session. */
export async function findUser(event: RequestEvent, store: Store): Promise<User | undefined> {
  if (COOKIE.test(event.request.headers.get('cookie') ?? '')) {
    const auth = await authOf(store)
    const { headers, response } = await auth.api.getSession({ headers: authHeaders(event), returnHeaders: true })
    if (response) {
      keepCookies(event, headers)
      event.locals.sessionToken = response.session.token
      const user = response.user as unknown as Record<string, unknown>
      if (user['banned'] === true) return undefined
      return {
        id: Number(user['id']),
        handle: String(user['username']),
        name: String(user['name']),
        role: user['role'] as User['role'],
      }
    }
  }
  if (event.cookies.get('signed-out') !== undefined) return undefined // Who signs out stays out.
  return visitLocally(event, store)
}

/** The owner's session for a browser on this machine, if the room's policy says so. */
export async function visitLocally(event: RequestEvent, store: Store): Promise<User | undefined> {
  const owner = await localOwner(event, store)
  if (!owner) return undefined
  await signInAs(event, store, owner.id)
  return toUser(owner)
}

/** Whom a visit from this machine would be signed in as. */
export async function localOwner(event: RequestEvent, store: Store, asked = false): Promise<Account | undefined> {
  if (!isLocalVisit(event.request, event.getClientAddress(), versionOf(event), asked)) return undefined
  const policy = await localVisits(store)
  if (policy === 'never') return undefined
  const made = await store.people.createOwner('owner', 'Owner')
  if (made || policy === 'first') return made
  const accounts = await store.people.list()
  const owner = accounts.find((account) => account.role === 'owner' && !account.banned)
  const alone = accounts.length === 1 && !owner?.canSignIn
  return policy === 'always' || alone ? owner : undefined
}

/** Opens somebody's session with this browser. */
export async function signInAs(event: RequestEvent, store: Store, userId: number): Promise<void> {
  const auth = await authOf(store)
  const { headers, response } = await auth.api.openSession({
    body: { userId },
    headers: authHeaders(event),
    returnHeaders: true,
  })
  keepCookies(event, headers)
  event.locals.sessionToken = response.token
}

const versionOf = (event: RequestEvent) =>
  (event.platform as { req?: { httpVersion?: string } } | undefined)?.req?.httpVersion
