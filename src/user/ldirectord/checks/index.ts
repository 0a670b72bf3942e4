/** Which check a virtual service's type and service stand for. */
import { NotModelled } from '#base/check'
import type { Body } from '#kernel/core'
import type { Director } from '../director.ts'
import { realId, virtualId } from '../identity.ts'
import { NEGOTIATE_NEXT } from '../setup.ts'
import type { Real, Virtual } from '../types.ts'
import { type Check, Checking } from './check.ts'
import { checkConnect } from './connect.ts'
import { checkDns } from './dns.ts'
import { checkExternal, checkExternalPerl } from './external.ts'
import { checkFtp } from './ftp.ts'
import { checkHttp } from './http.ts'
import { checkLdap } from './ldap.ts'
import { checkImap, checkNntp, checkPop, checkSmtp } from './mail-servers.ts'
import { inMaintenance } from './maintenance.ts'
import { checkPing } from './ping.ts'
import { checkSimpleTcp, checkSip } from './simple.ts'

const SERVICES: Readonly<Record<string, Check>> = {
  http: checkHttp,
  https: checkHttp,
  http_proxy: checkHttp,
  pop: checkPop,
  pops: unmodelled('POP3 over TLS'),
  imap: checkImap,
  imaps: unmodelled('IMAP over TLS'),
  smtp: checkSmtp,
  submission: checkSmtp,
  ftp: checkFtp,
  ldap: checkLdap,
  ldaps: checkLdap,
  nntp: checkNntp,
  dns: checkDns,
  sip: checkSip,
  radius: unmodelled('RADIUS'),
  mysql: checkSql,
  pgsql: checkSql,
  oracle: checkSql,
  simpletcp: checkSimpleTcp,
  none: checkNone,
}

function unmodelled(what: string): Check {
  return function* () {
    throw new NotModelled(`ldirectord: a check by ${what}`)
  }
}

function* checkNone(check: Checking): Body<boolean> {
  yield* check.debug(2, 'Checking none')
  return yield* check.set('up')
}

/** Needs a database's client, unless it can't even be asked. */
function* checkSql(check: Checking): Body<boolean> {
  const { virtual, real, output } = check
  const query = real.request!.replace(/^\//, '')
  if (virtual.login !== '' && query !== '') throw new NotModelled(`ldirectord: a check by ${virtual.service}`)
  yield* output.log(
    `Error: Must specify a login and request string for MySQL, Oracle and PostgreSQL checks. Not adding ${real.server}.\n`,
  )
  return yield* check.set('down')
}

/** Checks one server of a virtual service. */
export function* checkReal(director: Director, virtual: Virtual, real: Real): Body<void> {
  const check = new Checking(director, virtual, real)
  const what = `: real server=${realId(real, virtual)} (virtual=${virtualId(virtual)})`
  if (yield* inMaintenance(check)) {
    yield* director.set(virtual, real, 'down', { force: true, checked: 'Server in maintenance' })
    return
  }
  if (virtual.checktype === 'negotiate' || real.connects >= virtual.connectsBetween) {
    yield* check.debug(2, `Checking negotiate${what}`)
    if (yield* SERVICES[virtual.service]!(check)) real.connects = 0
    return
  }
  switch (virtual.checktype) {
    case 'connect': {
      const byPing = virtual.protocol === 'udp'
      yield* check.debug(2, `Checking connect${byPing ? ' (ping)' : ''}${what}`)
      yield* byPing ? checkPing(check) : checkConnect(check)
      break
    }
    case 'ping':
      yield* check.debug(2, `Checking ping${what}`)
      yield* checkPing(check)
      break
    case 'external':
      yield* check.debug(2, `Checking external${what}`)
      yield* checkExternal(check)
      break
    case 'external-perl':
      yield* check.debug(2, `Checking external-perl${what}`)
      yield* checkExternalPerl(check)
      break
    case 'off':
      yield* check.debug(2, 'Checking off: No real or fallback servers to be added\n')
      break
    case 'on':
      yield* check.debug(2, 'Checking on: Real servers are added without any checks\n')
      yield* check.setQuietly('up')
      break
    case 'combined':
      yield* check.debug(2, `Checking combined-connect${what}`)
      if (yield* checkConnect(check)) real.connects++
      else real.connects = NEGOTIATE_NEXT
      break
  }
}
