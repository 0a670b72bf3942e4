/**
 * The Gregorian calendar in UTC, carried back before it was in use: days since the epoch and dates, each from the other.
 * Years are counted from March here, so that a leap day is the last of a year; 400 of them (146,097 days) are an era.
 */

export const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const
export const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const

const ERA_DAYS = 146_097
/** From 0000-03-01 to 1970-01-01. */
const EPOCH_DAYS = 719_468

/** Days since 1970-01-01 of a date (months from 1); a month beyond 12 or a day beyond the month's counts on. */
export function daysOfCivil(year: number, month: number, day: number): number {
  const y = year + Math.floor((month - 1) / 12)
  const m = ((((month - 1) % 12) + 12) % 12) + 1
  const shifted = m <= 2 ? y - 1 : y
  const era = Math.floor(shifted / 400)
  const ofEra = shifted - era * 400
  const ofYear = Math.floor((153 * (m + (m > 2 ? -3 : 9)) + 2) / 5) + day - 1
  return era * ERA_DAYS + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - EPOCH_DAYS
}

/** The date of a day since 1970-01-01; months from 1. */
export function civilOfDays(days: number): { year: number; month: number; day: number } {
  const shifted = days + EPOCH_DAYS
  const era = Math.floor(shifted / ERA_DAYS)
  const ofEra = shifted - era * ERA_DAYS
  const leaps = Math.floor(ofEra / 1460) - Math.floor(ofEra / 36_524) + Math.floor(ofEra / 146_096)
  const yearOfEra = Math.floor((ofEra - leaps) / 365)
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const m = Math.floor((5 * ofYear + 2) / 153)
  const month = m < 10 ? m + 3 : m - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: ofYear - Math.floor((153 * m + 2) / 5) + 1,
  }
}

/** A time in whole parts. */
export interface Civil {
  year: number
  /** 1 to 12. */
  month: number
  day: number
  hour: number
  minute: number
  second: number
  /** 0 is Sunday. */
  weekday: number
}

/** Seconds since the epoch as date and time of UTC; what is less than a second is left out. */
export function civilOfSeconds(seconds: number): Civil {
  const days = Math.floor(seconds / 86_400)
  const rest = Math.floor(seconds - days * 86_400)
  return {
    ...civilOfDays(days),
    hour: Math.floor(rest / 3600),
    minute: Math.floor(rest / 60) % 60,
    second: rest % 60,
    weekday: (((days + 4) % 7) + 7) % 7,
  }
}

const two = (value: number) => String(value).padStart(2, '0')

/** `00:00:03`, of UTC. */
export function clockText({ hour, minute, second }: Pick<Civil, 'hour' | 'minute' | 'second'>): string {
  return `${two(hour)}:${two(minute)}:${two(second)}`
}

/** `Thu Jan  1 00:00:03 2026`: ctime(3) of UTC, without its newline. */
export function ctime(seconds: number): string {
  const time = civilOfSeconds(seconds)
  const day = String(time.day).padStart(2)
  return `${WEEKDAYS[time.weekday]} ${MONTHS[time.month - 1]} ${day} ${clockText(time)} ${time.year}`
}
