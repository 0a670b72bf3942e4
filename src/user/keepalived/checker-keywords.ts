/** TCP_CHECK, HTTP_GET, MISC_CHECK and their like. keepalived 2.2.7 check/check_api.c, check/check_tcp.c and its siblings */
import { readEndpoint, TIMER_MOST, time } from './check-keywords.ts'
import { type CheckConfig, Checker, type ConnectOptions, familyOf, type HttpUrl, type Kind } from './check-model.ts'
import { type Configuration, notModelled, unseen } from './configuration.ts'
import type { Handler, Keyword, Words } from './keywords.ts'
import { isIpv6, showAddress } from './model.ts'
import { SECOND_US, UINT_MAX } from './numbers.ts'
import { commandLine, noDefaultUser, scriptOf, setUser } from './scripts.ts'

const STATUS_LEAST = 100
const STATUS_MOST = 599

export function checkerKeywords(config: Configuration, check: CheckConfig): Keyword[] {
  const start =
    (make: () => Kind, connects: boolean, also: (checker: Checker) => void = () => undefined): Handler =>
    () => {
      const server = check.servers.at(-1)!
      const checker = new Checker(server, server.servers.at(-1)!, make(), connects)
      also(checker)
      check.checkers.push(checker)
    }
  const common = (connects: boolean) => commonKeywords(config, check, connects)
  return [
    {
      name: 'MISC_CHECK',
      run: start(
        () => ({ type: 'MISC', script: undefined, timeoutUs: 0, dynamic: false, userKnown: false, lastExit: 0 }),
        false,
        (checker) => {
          checker.defaultRetry = 0
        },
      ),
      sub: [...common(false), ...miscKeywords(config, check)],
      end: () => endMisc(config, check),
    },
    { ...notModelled('SMTP_CHECK'), sub: [] },
    {
      name: 'TCP_CHECK',
      run: start(() => ({ type: 'TCP' }), true),
      sub: common(true),
      end: () => endConnecting(config, check),
    },
    {
      name: 'PING_CHECK',
      run: start(() => ({ type: 'PING' }), true),
      sub: common(true),
      end: () => endConnecting(config, check),
    },
    { ...notModelled('UDP_CHECK'), sub: [] },
    {
      name: 'HTTP_GET',
      run: start(
        () => ({ type: 'HTTP', virtualHost: undefined, version: '1.0', urls: [], fast: false }),
        true,
        (checker) => {
          checker.defaultRetryDelayUs = 3 * SECOND_US
        },
      ),
      sub: [...common(true), ...httpKeywords(config, check)],
      end: () => endHttp(config, check),
    },
    { ...notModelled('SSL_GET'), sub: [] },
    { ...notModelled('DNS_CHECK'), sub: [] },
    { ...notModelled('FILE_CHECK'), sub: [] },
    { ...notModelled('BFD_CHECK'), sub: [] },
  ]
}

function commonKeywords(config: Configuration, check: CheckConfig, connects: boolean): Keyword[] {
  const current = () => check.checkers.at(-1)!
  const flag = (name: string, set: (on: boolean) => void): Keyword => ({
    name,
    run: (words) => {
      const read = config.flag(words, (value) => `Invalid ${name} parameter ${value}`)
      if (read !== undefined) set(read)
    },
  })
  return [
    ...(connects ? connectKeywords(config, () => current().connect!) : []),
    {
      name: 'retry',
      run: config.number(
        0,
        UINT_MAX,
        true,
        (value) => `Invalid retry connection value '${value}'`,
        (value) => {
          current().retry = value
        },
      ),
    },
    time(
      config,
      'delay_before_retry',
      0,
      TIMER_MOST,
      (v) => `Invalid delay_before_retry connection value '${v}'`,
      (us) => {
        current().retryDelayUs = us
      },
    ),
    time(
      config,
      'warmup',
      0,
      TIMER_MOST,
      (v) => `Invalid warmup connection value '${v}'`,
      (us) => {
        current().warmupUs = us
      },
    ),
    time(
      config,
      'delay_loop',
      1,
      TIMER_MOST,
      (v) => `delay_loop '${v}' is invalid - ignoring`,
      (us) => {
        current().delayUs = us
      },
    ),
    flag('alpha', (on) => {
      current().alpha = on
    }),
    flag('log_all_failures', (on) => {
      current().logAll = on
    }),
  ]
}

function connectKeywords(config: Configuration, current: () => ConnectOptions): Keyword[] {
  const port = (name: string, set: (port: number) => void): Keyword => ({
    name,
    run: config.number(1, 65_535, true, (value) => `Invalid checker ${name} '${value}'`, set),
  })
  return [
    {
      name: 'connect_ip',
      run: (words) => {
        const at = readEndpoint(config, words.at(1), undefined)
        const { from, to } = current()
        if (!at) config.wrong(`Invalid connect_ip address ${words.at(1)} - ignoring`)
        else if (from && familyOf(from.address) !== familyOf(at.address)) {
          config.wrong(`connect_ip address ${words.at(1)} does not match address family of bindto - skipping`)
        } else current().to = { address: at.address, port: to.port }
      },
    },
    port('connect_port', (value) => {
      current().to.port = value
    }),
    {
      name: 'bindto',
      run: (words) => {
        const at = readEndpoint(config, words.at(1), undefined)
        if (!at) config.wrong(`Invalid bindto address ${words.at(1)} - ignoring`)
        else if (familyOf(current().to.address) !== familyOf(at.address)) {
          config.wrong(`bindto address ${words.at(1)} does not match address family of connect_ip - skipping`)
        } else current().from = { address: at.address, port: current().fromPort }
      },
    },
    port('bind_port', (value) => {
      current().fromPort = value
      if (current().from) current().from!.port = value
    }),
    {
      name: 'bind_if',
      run: (words) => {
        if (words.at(1).length > 15) config.wrong(`Interface name ${words.at(1)} is too long - ignoring`)
        else current().device = words.at(1)
      },
    },
    time(
      config,
      'connect_timeout',
      1,
      UINT_MAX,
      (v) => `connect_timeout ${v} invalid - ignoring`,
      (us) => {
        current().timeoutUs = us
      },
    ),
    {
      name: 'fwmark',
      run: config.number(
        0,
        UINT_MAX,
        true,
        (value) => `Invalid fwmark connection value '${value}'`,
        (value) => {
          current().mark = value
        },
      ),
    },
  ]
}

/** False: it can't be used, and is gone. */
function endConnecting(config: Configuration, check: CheckConfig): void {
  const { to, device } = check.checkers.at(-1)!.connect!
  if (!isIpv6(to.address) || device !== undefined || !showAddress(to.address).startsWith('fe8')) return
  config.wrong(`Checker link local address ${showAddress(to.address)} requires a bind_if`)
  check.checkers.pop()
}

type Misc = Extract<Kind, { type: 'MISC' }>

/** A MISC_CHECK whose user isn't known is gone before its block ends. */
function miscKeywords(config: Configuration, check: CheckConfig): Keyword[] {
  const current = (): Misc | undefined => {
    const kind = check.checkers.at(-1)?.kind
    return kind?.type === 'MISC' ? kind : undefined
  }
  return [
    {
      name: 'misc_path',
      run: (words) => {
        const kind = current()
        if (kind) kind.script = scriptOf(config, words.line)?.script
      },
    },
    {
      name: 'misc_timeout',
      run: config.number(
        0,
        Math.floor(UINT_MAX / SECOND_US),
        true,
        (value) => `Invalid misc_timeout value '${value}'`,
        (value) => {
          const kind = current()
          if (kind) kind.timeoutUs = value * SECOND_US
        },
      ),
    },
    {
      name: 'misc_dynamic',
      run: () => {
        const kind = current()
        if (kind) kind.dynamic = true
      },
    },
    {
      name: 'user',
      run: (words) => {
        const kind = current()
        if (!kind) return
        const shown = kind.script ? commandLine(kind.script) : ''
        if (words.count < 2) config.wrong(`No user specified for misc checker script ${shown}`)
        else if (setUser(config, words.all.slice(1))) kind.userKnown = true
        else {
          config.wrong(`Failed to set uid/gid for misc checker script ${shown} - removing`)
          check.checkers.pop()
        }
      },
    },
  ]
}

function endMisc(config: Configuration, check: CheckConfig): void {
  const kind = check.checkers.at(-1)?.kind
  if (kind?.type !== 'MISC') return
  if (!kind.script) {
    config.wrong('No script path has been specified for MISC_CHECKER - skipping')
    check.checkers.pop()
  } else if (!kind.userKnown && noDefaultUser(config)) {
    config.wrong(`Unable to set default user for misc script ${commandLine(kind.script)} - removing`)
    check.checkers.pop()
  }
}

type Http = Extract<Kind, { type: 'HTTP' }>

function httpKeywords(config: Configuration, check: CheckConfig): Keyword[] {
  const current = () => check.checkers.at(-1)!.kind as Http
  return [
    {
      name: 'nb_get_retry',
      run: (words) => {
        config.wrong("nb_get_retry is deprecated - please use 'retry'")
        const read = config.unsigned(words, 1, 0, UINT_MAX, true)
        if (read === undefined) config.wrong(`Invalid nb_get_retry value '${words.at(1)}'`)
        else check.checkers.at(-1)!.retry = read
      },
    },
    {
      name: 'virtualhost',
      run: (words) => {
        if (words.count < 2) config.wrong('Missing HTTP_GET virtualhost name')
        else current().virtualHost = words.at(1)
      },
    },
    {
      name: 'http_protocol',
      run: (words) => {
        const text = words.all[1]
        if (text === undefined) config.wrong('Missing http_protocol version')
        else if (text === '1.0' || text === '1.1') current().version = text
        else if (/^1\.0[cC]$/.test(text)) current().version = '1.0C'
        else config.wrong(`Invalid http_protocol version ${text}`)
      },
    },
    unseen('enable_sni'),
    {
      name: 'fast_recovery',
      run: (words) => {
        const read = config.flag(words, (value) => `Invalid fast_recovery parameter ${value}`)
        if (read !== undefined) current().fast = read
      },
    },
    {
      name: 'url',
      run: () => {
        current().urls.push({
          path: undefined,
          digest: undefined,
          status: new Set(),
          virtualHost: undefined,
          mismatch: 0,
        })
      },
      sub: urlKeywords(config, () => current().urls.at(-1)!),
      end: () => {
        const { urls } = current()
        const url = urls.at(-1)!
        if (url.path === undefined) {
          config.wrong('HTTP/SSL_GET checker url has no path - ignoring')
          urls.pop()
        } else if (url.status.size === 0) for (let code = 200; code < 300; code++) url.status.add(code)
      },
    },
  ]
}

function urlKeywords(config: Configuration, current: () => HttpUrl): Keyword[] {
  return [
    {
      name: 'path',
      run: (words) => {
        current().path = words.at(1)
      },
    },
    { name: 'digest', run: (words) => setDigest(config, current(), words.at(1)) },
    { name: 'status_code', run: (words) => setStatus(config, current(), words) },
    {
      name: 'virtualhost',
      run: (words) => {
        if (words.count < 2) config.wrong('Missing HTTP_GET virtualhost name')
        else current().virtualHost = words.at(1)
      },
    },
    ...['regex', 'regex_no_match', 'regex_options', 'regex_min_offset', 'regex_max_offset', 'regex_stack'].map(
      notModelled,
    ),
  ]
}

function setDigest(config: Configuration, url: HttpUrl, text: string): void {
  if (url.digest !== undefined) {
    config.wrong(`Digest '${text}' is a duplicate`)
    return
  }
  if (text.length !== 32) {
    config.wrong(`digest '${text}' character length should be 32 rather than ${text.length}`)
    return
  }
  for (let i = 15; i >= 0; i--) {
    if (/^[\da-f]{2}$/i.test(text.slice(2 * i, 2 * i + 2))) continue
    config.wrong(`Unable to interpret hex digit in '${text.slice(0, 2 * i + 2)}' at offset ${2 * i}/${2 * i + 1}`)
    return
  }
  url.digest = text.toLowerCase()
}

function setStatus(config: Configuration, url: HttpUrl, words: Words): void {
  for (const text of words.all.slice(1)) {
    const found = /^(\d+)(?:-(\d+))?$/.exec(text)
    const least = Number(found?.[1])
    const most = Number(found?.[2] ?? found?.[1])
    if (!found || least < STATUS_LEAST || most > STATUS_MOST || least > most) {
      config.wrong(`Invalid HTTP_GET status code '${text}'`)
      continue
    }
    for (let code = least; code <= most; code++) url.status.add(code)
  }
}

function endHttp(config: Configuration, check: CheckConfig): void {
  if ((check.checkers.at(-1)!.kind as Http).urls.length === 0) {
    config.wrong('HTTP/SSL_GET checker has no urls specified - ignoring')
    check.checkers.pop()
    return
  }
  endConnecting(config, check)
}
