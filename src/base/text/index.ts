/** Columns, option tables, durations, rates: text as Unix tools read and write it. */
export { type GetoptResult, getopt, type LongOption, type ParsedOption } from './getopt.ts'
export { closest, formatDuration, formatRate, parseDuration, parsePercent, parseRate } from './quantities.ts'
