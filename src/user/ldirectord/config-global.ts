/** The directives outside of virtual services, one by one. */
import type { Body } from '#kernel/core'
import { ConfigError, type Given, parseFallback, resolveFallback } from './config.ts'
import { emailAddresses, emailStates, found, positive, quoted, yesNo } from './config-values.ts'
import type { Family, Globals } from './types.ts'

/** `false`: the value isn't what the directive looks like, so the line is an unknown command. */
type Directive = (given: Given) => Body<false | void>

/** Without anything to wait for. */
function plain(set: (globals: Globals, given: Given) => false | void): Directive {
  return function* (given) {
    return set(given.configuration.globals, given)
  }
}

const DEPRECATED = "checkcount option is deprecated and slated for removal.  please see 'failurecount'"

export const GLOBAL_DIRECTIVES: Readonly<Record<string, Directive>> = Object.assign(
  Object.create(null) as Record<string, Directive>,
  {
    checktimeout: plain((globals, { line, value }) => {
      globals.checktimeout = positive(line, value, 'invalid check timeout value')
    }),
    connecttimeout: plain((_, { line }) => {
      throw new ConfigError(line, 'connecttimeout directive deprecated in favour of negotiatetimeout')
    }),
    timeout: plain((_, { line }) => {
      throw new ConfigError(line, 'timeout directive deprecated in favour of checktimeout and negotiatetimeout')
    }),
    negotiatetimeout: plain((globals, { line, value }) => {
      globals.negotiatetimeout = positive(line, value, 'invalid negotiate timeout value')
    }),
    checkinterval: plain((globals, { line, value }) => {
      globals.checkinterval = positive(line, value, 'invalid check interval value')
    }),
    *checkcount({ configuration, host, line, value }: Given): Body<void> {
      configuration.globals.checkcount = positive(line, value, 'invalid check count value')
      yield* host.warn(line, DEPRECATED)
    },
    failurecount: plain((globals, { line, value }) => {
      globals.failurecount = positive(line, value, 'invalid failure count value')
    }),
    fallback: (given: Given) => globalFallback(given, 'AF_INET'),
    fallback6: (given: Given) => globalFallback(given, 'AF_INET6'),
    fallbackcommand: plain((globals, { line, value }) => {
      globals.fallbackcommand = found(line, value, /(.+)/, 'invalid fallback command')
    }),
    autoreload: plain((globals, { line, value }) => {
      globals.autoreload = yesNo(line, value, "autoreload must be 'yes' or 'no'")
    }),
    callback: plain((globals, { value }) => {
      const path = quoted(value)
      if (path === undefined) return false
      globals.callback = path
    }),
    *logfile({ configuration, host, line, value }: Given): Body<false | void> {
      const path = quoted(value)
      if (path === undefined) return false
      if (!(yield* host.tryLog(path))) throw new ConfigError(line, `unable to open logfile: ${path}`)
      configuration.globals.logfile = path
    },
    *execute({ configuration, value }: Given): Body<void> {
      if (!configuration.instances.includes(value)) configuration.instances.push(value)
    },
    fork: plain((globals, { line, value }) => {
      globals.fork = yesNo(line, value, "fork must be 'yes' or 'no'")
    }),
    supervised: plain((globals, { value }) => {
      if (value !== 'yes' && value !== 'no') return false
      globals.supervised = value
    }),
    quiescent: plain((globals, { line, value }) => {
      globals.quiescent = yesNo(line, value, "quiescent must be 'yes' or 'no'")
    }),
    readdquiescent: plain((globals, { line, value }) => {
      globals.readdquiescent = yesNo(line, value, "readdquiescent must be 'yes' or 'no'")
    }),
    emailalert: plain((globals, { line, value }) => {
      globals.emailalert = emailAddresses(line, value)
    }),
    emailalertfreq: plain((globals, { line, value }) => {
      globals.emailalertfreq = Number(found(line, value, /^(\d+)/, 'invalid email alert frequency'))
    }),
    emailalertstatus: plain((globals, { line, value }) => {
      globals.emailalertstatus = emailStates(line, value)
    }),
    emailalertfrom: plain((globals, { line, value }) => {
      globals.emailalertfrom = found(line, value, /(.+)/, 'no email from address specified')
    }),
    cleanstop: plain((globals, { line, value }) => {
      globals.cleanstop = yesNo(line, value, "cleanstop must be 'yes' or 'no'")
    }),
    smtp: plain((globals, { line, value }) => {
      globals.smtp = found(line, value, /^([0-9A-Za-z._+-]+)/, 'invalid SMTP server address')
    }),
    *maintenancedir({ configuration, host, line, value }: Given): Body<void> {
      configuration.globals.maintenancedir = found(line, value, /(.+)/, 'maintenance directory not specified')
      if (!host.isDirectory(value)) yield* host.warn(line, 'maintenance directory does not exist')
    },
  },
)

function* globalFallback({ configuration, host, line, value }: Given, family: Family): Body<void> {
  const tcp = parseFallback(line, value, undefined)
  const udp = parseFallback(line, value, undefined)
  yield* resolveFallback(line, 'tcp', tcp, family, host)
  yield* resolveFallback(line, 'udp', udp, family, host)
  configuration.globals.fallback[family] = { tcp, udp }
}
