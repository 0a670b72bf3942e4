/** The directives of a virtual service, one by one. */
import type { Body } from '#kernel/core'
import { ConfigError, type Given, parseFallback, type Section } from './config.ts'
import { emailAddresses, emailStates, found, positive, quoted, yesNo } from './config-values.ts'
import { SERVICE_NAMES } from './identity.ts'
import type { Virtual } from './types.ts'

/** `false`: the value isn't what the directive looks like, so the line is an unknown command. */
type Directive = (given: Given, section: Section) => Body<false | void>

/** Without anything to wait for. */
function plain(set: (virtual: Virtual, given: Given, section: Section) => false | void): Directive {
  return function* (given, section) {
    return set(section.virtual, given, section)
  }
}

/** A string that has to stand in quotation marks, and mustn't be empty. */
function text(name: 'receive' | 'login' | 'passwd' | 'database' | 'secret', error: string): Directive {
  return plain((virtual, { line, value }) => {
    const inside = quoted(value)
    if (inside === undefined) return false
    virtual[name] = found(line, inside, /(.+)/, error)
  })
}

/** In quotation marks or not. */
const bare = (value: string) => quoted(value) ?? value

const CHECKTYPES = ['connect', 'negotiate', 'ping', 'off', 'on', 'external', 'external-perl']
const CHECKTYPE_ERROR =
  'checktype must be "connect", "negotiate", "on", "off", "ping", "external", "external-perl" or a positive number'
const SERVICE_ERROR =
  'service must be dns, ftp, http, https, http_proxy, imap, imaps, ldap, ldaps, mysql, nntp, none, oracle, pop, pops, radius, pgsql, simpletcp, sip, smtp or submission'
const DEPRECATED = "checkcount option is deprecated and slated for removal.  please see 'failurecount'"

export const VIRTUAL_DIRECTIVES: Readonly<Record<string, Directive>> = Object.assign(
  Object.create(null) as Record<string, Directive>,
  {
    real: plain((_, given, section) => addReal(given, section, false)),
    real6: plain((_, given, section) => addReal(given, section, true)),
    request: plain((virtual, { line, value }) => {
      const inside = quoted(value)
      if (inside === undefined) return false
      const request = found(line, inside, /(.+)/, 'no request string specified')
      virtual.request = request.startsWith('/') ? request : `/${request}`
    }),
    receive: text('receive', 'invalid receive string'),
    login: text('login', 'invalid login string'),
    passwd: text('passwd', 'invalid password'),
    database: text('database', 'invalid database'),
    secret: text('secret', 'invalid secret'),
    load: plain((virtual, { line, value }) => {
      const inside = quoted(value)
      if (inside === undefined) return false
      virtual.load = found(line, inside, /(\w+)/, 'invalid string for load testing')
    }),
    checktype: plain((virtual, { line, value }) => {
      const number = /\d+/.exec(value)?.[0]
      if (number !== undefined) {
        virtual.connectsBetween = Number(number)
        virtual.checktype = 'combined'
        return
      }
      const word = /[\w-]+/.exec(value)?.[0]
      if (word === undefined || !CHECKTYPES.includes(word)) throw new ConfigError(line, CHECKTYPE_ERROR)
      virtual.checktype = word
    }),
    checkcommand: plain((virtual, { line, value }) => {
      virtual.checkcommand = found(line, bare(value), /(.+)/, 'invalid check command')
    }),
    checktimeout: plain((virtual, { line, value }) => {
      virtual.checktimeout = positive(line, value, 'invalid check timeout')
    }),
    connecttimeout: plain((_, { line }) => {
      throw new ConfigError(line, 'connecttimeout directive deprecated in favour of negotiatetimeout')
    }),
    negotiatetimeout: plain((virtual, { line, value }) => {
      virtual.negotiatetimeout = positive(line, value, 'invalid negotiate timeout')
    }),
    *checkcount({ host, line, value }: Given, { virtual }: Section): Body<void> {
      virtual.checkcount = positive(line, value, 'invalid check count')
      yield* host.warn(line, DEPRECATED)
    },
    failurecount: plain((virtual, { line, value }) => {
      virtual.failurecount = positive(line, value, 'invalid failure count')
    }),
    checkinterval: plain((virtual, { line, value }) => {
      virtual.checkinterval = positive(line, value, 'invalid checkinterval')
    }),
    checkport: plain((virtual, { line, value }) => {
      const port = found(line, value, /(\d+)/, 'invalid port')
      if (Number(port) <= 0 || Number(port) >= 65_536) {
        throw new ConfigError(line, 'checkport must be in range 1..65536')
      }
      virtual.checkport = port
    }),
    scheduler: plain((virtual, { line, value }) => {
      virtual.scheduler = found(line, value, /([a-z]+)/, 'invalid scheduler, should be only lowercase letters (a-z)')
    }),
    persistent: plain((virtual, { line, value }) => {
      virtual.persistent = found(line, value, /(\d+)/, 'invalid persistent timeout')
    }),
    schedflags: plain((virtual, { line, value }) => {
      virtual.schedflags = found(line, value, /(\S+)/, 'invalid sched-flags')
    }),
    netmask: plain((virtual, { line, value }) => {
      if (virtual.family === 'AF_INET6') {
        if (!/^\d+$/.test(value) || Number(value) < 1 || Number(value) > 128) {
          throw new ConfigError(line, 'invalid netmask: a prefix length between 1 and 128 is required')
        }
      } else if (!/^\d+\.\d+\.\d+\.\d+$/.test(value)) {
        throw new ConfigError(line, 'invalid netmask: dotted quad notation is required')
      }
      virtual.netmask = value
    }),
    protocol: plain((virtual, { line, value }) => {
      const word = found(line, value, /(\w+)/, 'invalid protocol')
      if (virtual.protocol === 'fwm') {
        if (word === 'fwm') return
        throw new ConfigError(line, 'protocol must be fwm if the virtual service is a fwmark (a number)')
      }
      if (word !== 'tcp' && word !== 'udp') {
        throw new ConfigError(line, 'protocol must be tcp or udp if the virtual service is an address and port')
      }
      virtual.protocol = word
    }),
    ops: plain((virtual, { line, value }) => {
      virtual.ops = yesNo(line, value, "ops must be 'yes' or 'no'")
    }),
    service: plain((virtual, { host, line, value }) => {
      const word = /\w+/.exec(value)?.[0]
      if (word === undefined || !SERVICE_NAMES.has(word)) throw new ConfigError(line, SERVICE_ERROR)
      virtual.service = word
      // Only here: a service that the port tells has no such defaults.
      if (virtual.login === '' && word === 'ftp') virtual.login = 'anonymous'
      if (virtual.login === '' && word === 'sip') virtual.login = `ldirectord@${host.hostname}`
      if (virtual.passwd === '' && word === 'ftp') virtual.passwd = `ldirectord@${host.hostname}`
    }),
    httpmethod: plain((virtual, { line, value }) => {
      const word = /\w+/.exec(value)?.[0]?.toUpperCase()
      if (word !== 'GET' && word !== 'HEAD') throw new ConfigError(line, 'httpmethod must be GET or HEAD')
      virtual.httpmethod = word
    }),
    virtualhost: plain((virtual, { value }) => {
      virtual.virtualhost = /"?([^"]*)"?/.exec(value)![1]!
    }),
    fallback: plain((_, given, section) => addFallback(given, section, false)),
    fallback6: plain((_, given, section) => addFallback(given, section, true)),
    fallbackcommand: plain((virtual, { line, value }) => {
      virtual.fallbackcommand = found(line, bare(value), /(.+)/, 'invalid fallback command')
    }),
    quiescent: plain((virtual, { line, value }) => {
      virtual.quiescent = yesNo(line, value, "quiescent must be 'yes' or 'no'")
    }),
    emailalert: plain((virtual, { line, value }) => {
      virtual.emailalert = emailAddresses(line, value)
    }),
    emailalertfreq: plain((virtual, { line, value }) => {
      virtual.emailalertfreq = Number(found(line, value, /^(\d+)/, 'invalid email alert frequency'))
    }),
    emailalertstatus: plain((virtual, { line, value }) => {
      virtual.emailalertstatus = emailStates(line, value)
    }),
    *monitorfile({ host, line, value }: Given, { virtual }: Section): Body<void> {
      const path = bare(value)
      const error = yield* host.tryAppend(path)
      if (error !== undefined) throw new ConfigError(line, `unable to open monitorfile ${path}: ${error}`)
      virtual.monitorfile = path
    },
    cleanstop: plain((virtual, { line, value }) => {
      virtual.cleanstop = yesNo(line, value, "cleanstop must be 'yes' or 'no'")
    }),
    smtp: plain((virtual, { line, value }) => {
      virtual.smtp = found(line, value, /^([0-9A-Za-z._+-]+)/, 'invalid SMTP server address')
    }),
    servicename: plain((virtual, { value }) => {
      virtual.servicename = value
    }),
    comment: plain((virtual, { value }) => {
      virtual.comment = value
    }),
  },
)

/** The directive of the other family is refused by name. */
function rightFamily(line: number, name: string, six: boolean, virtual: Virtual): void {
  if (six === (virtual.family === 'AF_INET6')) return
  const written = six ? `${name}6` : name
  const wanted = six ? name : `${name}6`
  throw new ConfigError(line, `cannot specify "${written}" here.  please use "${wanted}" instead`)
}

function addReal({ line, value }: Given, section: Section, six: boolean): void {
  rightFamily(line, 'real', six, section.virtual)
  section.reals.push({ text: value, line })
}

function addFallback({ line, value }: Given, section: Section, six: boolean): void {
  rightFamily(line, 'fallback', six, section.virtual)
  section.fallbackLine = line
  section.virtual.fallback = parseFallback(line, value, section.virtual.port)
}
