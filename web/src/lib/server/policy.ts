/** What the room's owner decided: who may come in, and whether a visit from this machine is the owner's. */
import type { Store } from '#reading/store'
import { env } from '$env/dynamic/private'

export const SIGN_UP = ['closed', 'invitation', 'open'] as const
export type SignUp = (typeof SIGN_UP)[number]

/**
 * Whose session a browser of this very machine gets without a form. `alone`: the owner's, until there are other users or the
 * owner has a password; `first`: the owner's, once; `always`; `never`.
 */
export const LOCAL_VISITS = ['alone', 'first', 'always', 'never'] as const
export type LocalVisits = (typeof LOCAL_VISITS)[number]

const oneOf = <const T extends string>(values: readonly T[], value: unknown): T | undefined =>
  values.find((each) => each === value)

const setting = (store: Store, key: string): Promise<unknown> => store.settings.readRoom(key)

/** KAIDOKU_SIGN_UP, else the room's setting, else closed. */
export const signUpMode = async (store: Store): Promise<SignUp> =>
  oneOf(SIGN_UP, env['KAIDOKU_SIGN_UP']) ?? oneOf(SIGN_UP, await setting(store, 'signUp')) ?? 'closed'

/** KAIDOKU_LOCAL_VISITS, else the room's setting, else `alone`. */
export const localVisits = async (store: Store): Promise<LocalVisits> =>
  oneOf(LOCAL_VISITS, env['KAIDOKU_LOCAL_VISITS']) ??
  oneOf(LOCAL_VISITS, await setting(store, 'localVisits')) ??
  'alone'
