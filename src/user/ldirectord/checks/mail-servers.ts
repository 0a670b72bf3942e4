/** Servers that speak by lines: SMTP, POP3, IMAP and NNTP, as the Perl modules speak that ldirectord uses. */

import { decodeLatin1 } from '#base/bytes'
import { NotModelled } from '#base/check'
import type { Body } from '#kernel/core'
import { connectUntil, receiveUntil } from '../connecting.ts'
import { type Dialogue, openDialogue } from '../dialogue.ts'
import type { Checking } from './check.ts'

const CAPABILITIES_MAX = 1000
const NNTP_BYTES = 64
/** Net::IMAP::Simple 1.2211 takes a port only with a name, not with an address. */
const IMAP_PORT = 143
const IMAP_RETRY_NS = 5e9

/** A greeting and a hello are enough. */
export function* checkSmtp(check: Checking): Body<boolean> {
  const { virtual, real, sys, port } = check
  yield* check.debug(2, `Checking ${virtual.service}: server=${real.server} port=${port}`)
  const talk = yield* openDialogue(sys, real.server, port, virtual.negotiatetimeout)
  const greeted = talk !== undefined && (yield* talk.smtpGreeting())
  if (greeted) yield* talk.smtpCommand('QUIT')
  talk?.close()
  return yield* check.set(greeted ? 'up' : 'down')
}

/** Without a login nothing that happens makes a POP server count as down. Mail::POP3Client 2.21 */
export function* checkPop(check: Checking): Body<boolean> {
  const { virtual, real, sys, port } = check
  yield* check.debug(2, `Checking POP3 server=${real.server} port=${port} ssl=0`)
  const talk = yield* openDialogue(sys, real.server, port, virtual.negotiatetimeout)
  const banner = talk && (yield* talk.line())
  let inside = false
  if (talk && banner && /^\+OK/i.test(banner)) {
    if (/<[^<>@\s]+@[^<>@\s]+>/.test(banner)) throw new NotModelled('ldirectord: APOP')
    inside = yield* popLogin(talk, virtual.login, virtual.passwd)
    // A second try, if the first one failed, of the login that is asked for.
    if (!inside && virtual.login !== '') inside = yield* popLogin(talk, virtual.login, virtual.passwd)
    yield* talk.send('QUIT\r\n')
    yield* talk.line()
  }
  talk?.close()
  return yield* check.set(inside || virtual.login === '' ? 'up' : 'down')
}

function* popLogin(talk: Dialogue, login: string, password: string): Body<boolean> {
  yield* talk.send('CAPA\r\n')
  let line = yield* talk.line()
  if (line?.startsWith('+OK')) {
    for (let count = 0; count < CAPABILITIES_MAX; count++) {
      line = yield* talk.line()
      if (line === undefined || /^\.\s*$/.test(line)) break
      if (/^SASL.*?\sCRAM-MD5\b/.test(line)) throw new NotModelled('ldirectord: CRAM-MD5')
    }
  }
  yield* talk.send(`USER ${login}\r\n`)
  if (!(yield* talk.line())?.startsWith('+')) return false
  yield* talk.send(`PASS ${password}\r\n`)
  if (!(yield* talk.line())?.startsWith('+OK')) return false
  yield* talk.send('STAT\r\n')
  yield* talk.line()
  return true
}

/** A greeting, and a login if there is one. A connection that fails is tried once more after five seconds. */
export function* checkImap(check: Checking): Body<boolean> {
  const { virtual, real, sys, port } = check
  yield* check.debug(2, `Checking IMAP server=${real.server} port=${port}`)
  const where = /^\d+\.\d+\.\d+\.\d+$/.test(real.server) ? IMAP_PORT : port
  const patience = virtual.negotiatetimeout
  let talk = yield* openDialogue(sys, real.server, where, patience)
  if (!talk) {
    yield* sys.sleep(IMAP_RETRY_NS)
    talk = yield* openDialogue(sys, real.server, where, patience)
  }
  const greeting = talk && (yield* talk.line())
  if (!talk || !greeting || !/^\*\s+(OK|PREAUTH)/i.test(greeting)) {
    talk?.close()
    return yield* check.set('down')
  }
  let id = 0
  let inside = true
  if (virtual.login !== '') {
    const password = virtual.passwd.replace(/[\\"]/g, '\\$&')
    yield* talk.send(`${id} LOGIN ${virtual.login} "${password}"\r\n`)
    inside = yield* imapAnswer(talk, id++)
  }
  // What is answered to the first of these two nobody reads.
  yield* talk.send(`${id++} EXPUNGE\r\n`)
  yield* talk.send(`${id} LOGOUT\r\n`)
  yield* imapAnswer(talk, id)
  talk.close()
  return yield* check.set(inside ? 'up' : 'down')
}

/** Waits for the answer with a command's number. */
function* imapAnswer(talk: Dialogue, id: number): Body<boolean> {
  for (let count = 0; count < CAPABILITIES_MAX; count++) {
    const line = yield* talk.line()
    if (line === undefined) return false
    const word = new RegExp(`^${id}\\s+(OK|NO|BAD)`, 'i').exec(line)?.[1]
    if (word !== undefined) return word.toUpperCase() === 'OK'
  }
  return false
}

/** What is sent first has to begin with a 2. */
export function* checkNntp(check: Checking): Body<boolean> {
  const { virtual, real, sys, port } = check
  yield* check.debug(2, `Checking NNTP server=${real.server} port=${port}`)
  // Its limit is misspelt: connecting takes as long as the kernel tries.
  const opened = yield* connectUntil(sys, real.server, port, 'SOCK_STREAM', Number.POSITIVE_INFINITY)
  if ('failed' in opened) return yield* check.set('down')
  const got = yield* receiveUntil(sys, opened.fd, NNTP_BYTES, check.untilNs(virtual.negotiatetimeout))
  const up = 'bytes' in got && decodeLatin1(got.bytes).startsWith('2')
  yield* check.set(up ? 'up' : 'down')
  sys.close(opened.fd)
  return up
}
