/** date, and the times that its -d and touch's understand. */

import { strerror } from '#kernel/core'
import { brokenDown, formatTime, toSeconds } from '#user/shell'
import { defineTool, fileTime } from './tool.ts'

export interface Instant {
  s: number
  ns: number
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const UNITS: Record<string, number> = {
  sec: 1,
  second: 1,
  min: 60,
  minute: 60,
  hour: 3600,
  day: 86400,
  week: 604800,
  fortnight: 1209600,
}

const inCalendar = (month: string, day: string) =>
  Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= 31

/** The common forms of GNU's date input: @N, ISO dates, `Jan 2 2026`, times of day, now, tomorrow, `3 days ago`. Undefined: none of them. */
export function parseDate(text: string, now: Instant): Instant | undefined {
  let rest = text.trim().toLowerCase()
  const at = /^@(-?\d+)(?:\.(\d+))?$/.exec(rest)
  if (at) return { s: Number(at[1]), ns: Number((at[2] ?? '').padEnd(9, '0').slice(0, 9)) }
  let { s, ns } = now
  let offset = 0
  let dateSet = false
  let timeSet = false
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    const match = pattern.exec(rest)
    if (!match) return undefined
    rest = rest.slice(match[0].length).replace(/^[\s,]+/, '')
    return match
  }
  const setDate = (year: number, month: number, day: number) => {
    const t = brokenDown(s)
    s = toSeconds({ ...t, year, month, day })
    if (!timeSet) {
      s = toSeconds({ year, month, day, hour: 0, minute: 0, second: 0 })
      ns = 0
    }
    dateSet = true
  }
  const setTime = (hour: number, minute: number, second: number, fraction: string) => {
    const t = brokenDown(s)
    s = toSeconds({ ...t, hour, minute, second })
    ns = Number(fraction.padEnd(9, '0').slice(0, 9))
    timeSet = true
  }
  while (rest !== '') {
    let match: RegExpExecArray | undefined
    if ((match = take(/^(\d{4})-(\d{1,2})-(\d{1,2})(?:t(?=\d))?/))) {
      if (!inCalendar(match[2]!, match[3]!)) return undefined
      setDate(Number(match[1]), Number(match[2]) - 1, Number(match[3]))
    } else if ((match = take(/^(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?\s*(am|pm)?/))) {
      let hour = Number(match[1])
      if (match[5]) hour = (hour % 12) + (match[5] === 'pm' ? 12 : 0)
      if (hour > 23 || Number(match[2]) > 59 || Number(match[3] ?? 0) > 60) return undefined
      setTime(hour, Number(match[2]), Number(match[3] ?? 0), match[4] ?? '')
    } else if ((match = take(/^(?:utc|gmt|z|\+00:?00)(?=\s|$)/))) continue
    else if ((match = take(/^([+-])(\d{2}):?(\d{2})\b/)) && timeSet)
      offset += (match[1] === '+' ? -1 : 1) * (Number(match[2]) * 3600 + Number(match[3]) * 60)
    else if ((match = take(/^(\d{1,2})\/(\d{1,2})\/(\d{4})/)))
      setDate(Number(match[3]), Number(match[1]) - 1, Number(match[2]))
    else if ((match = take(/^(\d{8})\b/)))
      setDate(Number(match[1]!.slice(0, 4)), Number(match[1]!.slice(4, 6)) - 1, Number(match[1]!.slice(6)))
    else if (
      (match = take(/^(\d{1,2})[\s-]+(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?[\s-]*(\d{4})?/)) &&
      MONTHS.includes(match[2]!)
    )
      setDate(Number(match[3] ?? brokenDown(now.s).year), MONTHS.indexOf(match[2]!), Number(match[1]))
    else if (
      (match = /^([a-z]{3})[a-z]*\.?\s+(\d{1,2})(?!:)(?:,?\s+(\d{4}))?/.exec(rest) ?? undefined) &&
      MONTHS.includes(match[1]!)
    ) {
      rest = rest.slice(match[0].length).trimStart()
      setDate(Number(match[3] ?? brokenDown(now.s).year), MONTHS.indexOf(match[1]!), Number(match[2]))
    } else if ((match = take(/^now\b/)) || (match = take(/^today\b/))) continue
    else if ((match = take(/^midnight\b/))) setTime(0, 0, 0, '')
    else if ((match = take(/^noon\b/))) setTime(12, 0, 0, '')
    else if ((match = take(/^yesterday\b/))) offset -= 86400
    else if ((match = take(/^tomorrow\b/))) offset += 86400
    else if (
      (match = take(
        /^([+-]?\s*\d+|next|last|an?)?\s*(seconds?|secs?|minutes?|mins?|hours?|days?|weeks?|fortnights?|months?|years?)\b(\s+ago\b)?/,
      ))
    ) {
      const word = (match[1] ?? '1').replace(/\s/g, '')
      const count =
        (word === 'next' || word === 'a' || word === 'an' ? 1 : word === 'last' ? -1 : Number(word)) *
        (match[3] ? -1 : 1)
      const unit = match[2]!.replace(/s$/, '')
      if (unit === 'month' || unit === 'year') {
        const t = brokenDown(s)
        s = toSeconds({
          ...t,
          month: t.month + (unit === 'month' ? count : 0),
          year: t.year + (unit === 'year' ? count : 0),
        })
      } else offset += count * UNITS[unit]!
    } else if ((match = take(/^(?:next\s+)?([a-z]{3})[a-z]*\b/)) && DAYS.includes(match[1]!)) {
      const t = brokenDown(s)
      const ahead = (DAYS.indexOf(match[1]!) - t.weekday + 7) % 7
      if (!dateSet) setDate(t.year, t.month, t.day + ahead)
    } else return undefined
  }
  return { s: s + offset, ns }
}

export const date = defineTool({
  name: 'date',
  short: 'd:f:I::r:Rs:u',
  long: [
    { name: 'date', as: 'd', argument: 'required' },
    { name: 'iso-8601', as: 'I', argument: 'optional' },
    { name: 'reference', as: 'r', argument: 'required' },
    { name: 'rfc-email', as: 'R' },
    { name: 'rfc-3339', argument: 'required' },
    { name: 'set', as: 's', argument: 'required' },
    { name: 'utc', as: 'u' },
    { name: 'universal', as: 'u' },
  ],
  help: `Usage: date [OPTION]... [+FORMAT]
Print the time, or set it.

  -d, --date=STRING      the time that STRING describes, not now
  -I[FMT], --iso-8601[=FMT]   ISO 8601: date (the default), hours, minutes, seconds, ns
  -r, --reference=FILE   when FILE was last changed
  -R, --rfc-email        as in mails
      --rfc-3339=FMT     date, seconds or ns
  -s, --set=STRING       set the time
  -u, --utc, --universal UTC (as it is here anyway)

FORMAT has strftime(3)'s conversions, %N for nanoseconds.`,
  *run(io, options, operands) {
    const now = io.sys.realtime()
    let shown: Instant = now
    const text = options.get('d') ?? options.get('s')
    if (text !== undefined) {
      const parsed = parseDate(text, now)
      if (!parsed) {
        yield* io.fail(`invalid date ${io.quote(text)}`)
        return 1
      }
      shown = parsed
    }
    const reference = options.get('r')
    if (reference !== undefined) {
      const stat = io.sys.stat(reference)
      if (!stat.ok) {
        yield* io.failOn(reference, stat.errno)
        return 1
      }
      shown = fileTime(io.sys, stat.value.mtimeNs)
    }
    if (options.has('s')) {
      const done = io.sys.clockSettime(shown.s, shown.ns)
      if (!done.ok) {
        yield* io.fail(`cannot set date: ${strerror(done.errno)}`)
      }
    }
    let format = '%a %b %e %H:%M:%S %Z %Y'
    if (options.has('I')) {
      const forms: Record<string, string> = {
        date: '%Y-%m-%d',
        hours: '%Y-%m-%dT%H%:z',
        minutes: '%Y-%m-%dT%H:%M%:z',
        seconds: '%Y-%m-%dT%H:%M:%S%:z',
        ns: '%Y-%m-%dT%H:%M:%S,%N%:z',
      }
      const key = Object.keys(forms).find((one) => one.startsWith(options.get('I') ?? 'date'))
      if (!key) return yield* io.usage(`invalid argument ${io.quote(options.get('I')!)} for '--iso-8601'`, 1)
      format = forms[key]!
    }
    if (options.has('R')) format = '%a, %d %b %Y %H:%M:%S %z'
    if (options.has('rfc-3339'))
      format =
        { date: '%Y-%m-%d', seconds: '%Y-%m-%d %H:%M:%S%:z', ns: '%Y-%m-%d %H:%M:%S.%N%:z' }[
          options.get('rfc-3339')!
        ] ?? format
    const given = operands[0]
    if (operands.length > 1) return yield* io.usage(`extra operand ${io.quote(operands[1]!)}`, 1)
    if (given !== undefined) {
      if (!given.startsWith('+')) {
        yield* io.fail(`invalid date ${io.quote(given)}`)
        return 1
      }
      format = given.slice(1)
    }
    yield* io.out(`${formatTime(format, shown.s, Math.floor(shown.ns))}\n`)
    return 0
  },
})
