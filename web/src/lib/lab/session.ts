/**
 * What somebody saw, to be seen again: the article, the seed, all that was done, the moment, the filter and a note. As text
 * for a link's fragment: a version, then deflated JSON in base64url. A link may come from anybody: what it holds is checked
 * piece by piece, and bounded, before anything is done with it.
 */
import { deflateSync, inflateSync, strFromU8, strToU8 } from 'fflate'
import * as v from 'valibot'
import type { LoggedInput } from './protocol.ts'

const VERSION = '1'
/** A fragment; and what comes out of it. */
export const TEXT_MAX = 200_000
const PLAIN_MAX = 2_000_000
/** 104 days: what a lab's clock can count. */
const TIME_MAX = 2 ** 53 - 1

const time = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(TIME_MAX))
const host = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,62}(?::[1-9])?$/u))
const text = (max: number) => v.pipe(v.string(), v.maxLength(max))
const size = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000))

const InputSchema = v.variant('type', [
  v.strictObject({
    type: v.literal('run'),
    block: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(10_000)),
    commands: v.optional(v.pipe(v.array(text(20_000)), v.maxLength(1000))),
  }),
  v.strictObject({ type: v.literal('input'), host, text: text(65_536) }),
  v.strictObject({ type: v.literal('verb'), line: text(1000) }),
  v.strictObject({ type: v.literal('terminal'), host, open: v.boolean() }),
  v.strictObject({ type: v.literal('resize'), host, columns: size, rows: size }),
])

const SessionSchema = v.strictObject({
  article: v.pipe(v.string(), v.regex(/^[\p{L}\p{N}_-]{1,100}$/u)),
  /** A sum of the article's blocks: whether they are still those that ran. */
  sum: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{8}$/u))),
  seed: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(999_999_999_999_999)),
  inputs: v.pipe(v.array(v.strictObject({ atNs: time, input: InputSchema })), v.maxLength(5000)),
  atNs: time,
  filter: v.optional(text(4000)),
  /** The packet that was open. */
  packet: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000_000))),
  note: v.optional(text(2000)),
})

export type Session = v.InferOutput<typeof SessionSchema>

/** What can't be followed, in a few words. */
export class BrokenSession extends Error {
  override readonly name = 'BrokenSession'
}

/** Checks what came from elsewhere. */
export function checkSession(value: unknown): Session {
  const result = v.safeParse(SessionSchema, value, { abortEarly: true })
  if (!result.success) {
    const issue = result.issues[0]
    throw new BrokenSession(`${v.getDotPath(issue) ?? 'it'}: ${issue.message}`.slice(0, 200))
  }
  const { inputs, atNs } = result.output
  for (const [i, { atNs: at }] of inputs.entries())
    if (at < (inputs[i - 1]?.atNs ?? 0)) throw new BrokenSession('what was done is out of order')
  if (inputs.length > 0 && atNs < inputs.at(-1)!.atNs) throw new BrokenSession('the moment lies before what was done')
  return result.output
}

/** As text for a link. */
export function encodeSession(session: Session): string {
  const bytes = deflateSync(strToU8(JSON.stringify(session)), { level: 9 })
  let binary = ''
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192))
  return `${VERSION}.${btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/u, '')}`
}

/** Back again; throws BrokenSession, and nothing else. */
export function decodeSession(text: string): Session {
  if (text.length > TEXT_MAX) throw new BrokenSession('it is too long')
  const [version, body] = text.split('.', 2)
  if (version !== VERSION)
    throw new BrokenSession(`it is of version ${(version ?? '').slice(0, 10)}; this page knows ${VERSION}`)
  if (!body || !/^[A-Za-z0-9_-]+$/u.test(body)) throw new BrokenSession('it is cut short or was changed')
  let plain: Uint8Array
  try {
    const binary = atob(body.replaceAll('-', '+').replaceAll('_', '/'))
    // Room for the most that is allowed, and no more: whatever would be larger fails here.
    plain = inflateSync(
      Uint8Array.from(binary, (char) => char.charCodeAt(0)),
      { out: new Uint8Array(PLAIN_MAX) },
    )
  } catch {
    throw new BrokenSession('it is cut short or was changed')
  }
  let value: unknown
  try {
    value = JSON.parse(strFromU8(plain))
  } catch {
    throw new BrokenSession('it is cut short or was changed')
  }
  return checkSession(value)
}

/** A sum of what runs. FNV-1a, 32 bits: it tells an accident, not an attack. */
export function sumOf(blocks: readonly unknown[]): string {
  let sum = 0x811c9dc5
  for (const char of JSON.stringify(blocks, (key, value) =>
    key === 'at' || key === 'range' || key === 'expectedRange' ? undefined : value,
  )) {
    sum ^= char.charCodeAt(0)
    sum = Math.imul(sum, 0x01000193)
  }
  return (sum >>> 0).toString(16).padStart(8, '0')
}

export type { LoggedInput }
