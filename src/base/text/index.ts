/** Columns, option tables, durations, rates, dates: text as Unix tools read and write it. */
export {
  type Civil,
  civilOfDays,
  civilOfSeconds,
  clockText,
  ctime,
  daysOfCivil,
  MONTHS,
  WEEKDAYS,
} from './calendar.ts'
export { type GetoptResult, getopt, type LongOption, type ParsedOption } from './getopt.ts'
export { closest, formatDuration, formatRate, parseDuration, parsePercent, parseRate } from './quantities.ts'
