/** Small words of SQL that all subjects use. */
import { type SQL, sql } from 'drizzle-orm'

/** An array as one parameter; Drizzle would make a list of parameters of it. */
export const array = (values: readonly unknown[], type: 'bigint' | 'text'): SQL =>
  sql`${sql.param(values)}::${sql.raw(type)}[]`

/** Rows as one parameter. */
export const json = (value: unknown): SQL => sql`${JSON.stringify(value).replaceAll('\\u0000', '')}::jsonb`

/** PostgreSQL's text has no NUL; what somebody typed may, and half a surrogate pair besides. */
export const plain = (text: string): string =>
  text.replace(/\0|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, (half) =>
    half === '\0' ? '' : '\ufffd',
  )

/** Text of one line, no longer than that. */
export const line = (text: string, max: number): string =>
  plain(
    text
      .replace(/[\s\p{Cc}]+/gu, ' ')
      .trim()
      .slice(0, max),
  )

/** A moment as milliseconds since the epoch. */
export const ms = (column: SQL): SQL => sql`(extract(epoch from ${column}) * 1000)::float8`

/** Milliseconds since the epoch as a moment. */
export const moment = (milliseconds: number): SQL => sql`to_timestamp(${milliseconds}::float8 / 1000)`

export const optionalMs = (value: number | null): number | undefined => (value === null ? undefined : Math.round(value))

/** Something that somebody asked for can't be done; the message is for them. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly reason: 'invalid' | 'not-found' | 'forbidden' | 'conflict'
  constructor(reason: Refusal['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}
