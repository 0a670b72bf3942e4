/** strftime(3) in UTC, the C locale: for date, ls, printf %(...)T. */
import { type Civil, civilOfSeconds, daysOfCivil } from '#base/text'

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

export interface BrokenDownTime extends Omit<Civil, 'month'> {
  /** 0 to 11. */
  month: number
  /** 0 to 365. */
  yearday: number
}

/** gmtime(3). */
export function brokenDown(seconds: number): BrokenDownTime {
  const civil = civilOfSeconds(seconds)
  const days = Math.floor(seconds / 86_400)
  return { ...civil, month: civil.month - 1, yearday: days - daysOfCivil(civil.year, 1, 1) }
}

/** timegm(3); fields out of their range carry over. */
export function toSeconds(time: {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
}): number {
  return daysOfCivil(time.year, time.month + 1, time.day) * 86400 + time.hour * 3600 + time.minute * 60 + time.second
}

/** @param ns for %N */
export function formatTime(format: string, seconds: number, ns = 0): string {
  const t = brokenDown(seconds)
  const pad = (value: number, width = 2, fill = '0') => String(value).padStart(width, fill)
  return format.replace(
    /%([-_0^#]*)(\d*)(:{0,3}z|[a-zA-Z%+])/g,
    (whole, flags: string, width: string, what: string) => {
      const number = (value: number, digits: number, fill = '0') => {
        if (flags.includes('-')) return String(value)
        return pad(
          value,
          width === '' ? digits : Number(width),
          flags.includes('_') ? ' ' : flags.includes('0') ? '0' : fill,
        )
      }
      const text = (value: string) =>
        (flags.includes('^') ? value.toUpperCase() : value).padStart(
          Number(width || 0),
          flags.includes('0') ? '0' : ' ',
        )
      const hour12 = t.hour % 12 === 0 ? 12 : t.hour % 12
      switch (what) {
        case '%':
          return '%'
        case 'a':
          return text(DAYS[t.weekday]!.slice(0, 3))
        case 'A':
          return text(DAYS[t.weekday]!)
        case 'b':
        case 'h':
          return text(MONTHS[t.month]!.slice(0, 3))
        case 'B':
          return text(MONTHS[t.month]!)
        case 'c':
          return text(formatTime('%a %b %e %H:%M:%S %Y', seconds))
        case 'C':
          return number(Math.floor(t.year / 100), 2)
        case 'd':
          return number(t.day, 2)
        case 'D':
        case 'x':
          return text(formatTime('%m/%d/%y', seconds))
        case 'e':
          return number(t.day, 2, ' ')
        case 'F':
          return text(formatTime('%Y-%m-%d', seconds))
        case 'g':
          return number(isoWeek(t).year % 100, 2)
        case 'G':
          return number(isoWeek(t).year, 4)
        case 'H':
          return number(t.hour, 2)
        case 'I':
          return number(hour12, 2)
        case 'j':
          return number(t.yearday + 1, 3)
        case 'k':
          return number(t.hour, 2, ' ')
        case 'l':
          return number(hour12, 2, ' ')
        case 'm':
          return number(t.month + 1, 2)
        case 'M':
          return number(t.minute, 2)
        case 'n':
          return '\n'
        case 'N': {
          const digits = pad(ns, 9)
          if (flags.includes('-')) return digits.replace(/0+$/, '') || '0'
          return width === '' ? digits : digits.slice(0, Number(width)).padEnd(Number(width), '0')
        }
        case 'p':
          return text(t.hour < 12 ? 'AM' : 'PM')
        case 'P':
          return t.hour < 12 ? 'am' : 'pm'
        case 'q':
          return String(Math.floor(t.month / 3) + 1)
        case 'r':
          return text(formatTime('%I:%M:%S %p', seconds))
        case 'R':
          return text(formatTime('%H:%M', seconds))
        case 's':
          return number(Math.floor(seconds), 1)
        case 'S':
          return number(t.second, 2)
        case 't':
          return '\t'
        case 'T':
        case 'X':
          return text(formatTime('%H:%M:%S', seconds))
        case 'u':
          return String(t.weekday === 0 ? 7 : t.weekday)
        case 'U':
          return number(Math.floor((t.yearday + 7 - t.weekday) / 7), 2)
        case 'V':
          return number(isoWeek(t).week, 2)
        case 'w':
          return String(t.weekday)
        case 'W':
          return number(Math.floor((t.yearday + 7 - ((t.weekday + 6) % 7)) / 7), 2)
        case 'y':
          return number(t.year % 100, 2)
        case 'Y':
          return number(t.year, 4)
        case 'z':
          return '+0000'
        case ':z':
          return '+00:00'
        case '::z':
          return '+00:00:00'
        case ':::z':
          return '+00'
        case 'Z':
          return text('UTC')
        default:
          return whole
      }
    },
  )
}

function isoWeek(t: BrokenDownTime): { year: number; week: number } {
  const monday = (t.weekday + 6) % 7
  const thursday = t.yearday - monday + 3
  const lengthOf = (year: number) => daysOfCivil(year + 1, 1, 1) - daysOfCivil(year, 1, 1)
  if (thursday < 0) return { year: t.year - 1, week: Math.floor((thursday + lengthOf(t.year - 1)) / 7) + 1 }
  if (thursday >= lengthOf(t.year)) return { year: t.year + 1, week: 1 }
  return { year: t.year, week: Math.floor(thursday / 7) + 1 }
}
