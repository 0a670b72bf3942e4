/** A file by FTP. libnet 3.14: Net::FTP, which asks for a passive port and then gives one of its own all the same. */
import { decodeLatin1 } from '#base/bytes'
import { type Body, POLLIN } from '#kernel/core'
import { ownAddress, ready, receiveUntil } from '../connecting.ts'
import { type Dialogue, openDialogue } from '../dialogue.ts'
import { compilePattern } from '../perl.ts'
import type { Checking } from './check.ts'

const FILE_MAX = 8 << 20

export function* checkFtp(check: Checking): Body<boolean> {
  const { virtual, real, sys, port } = check
  yield* check.debug(2, `Checking FTP server=${real.server} port=${port}`)
  const talk = yield* openDialogue(sys, real.server, port, virtual.negotiatetimeout)
  const welcome = talk && (yield* talk.smtpReply())
  let content = ''
  if (talk && welcome?.startsWith('2')) content = yield* fetchFile(check, talk)
  else yield* check.debug(2, 'Warning: Could not connect\n')
  talk?.close()
  const up = compilePattern(real.receive!).test(content)
  return yield* check.set(up ? 'up' : 'down')
}

function* fetchFile(check: Checking, talk: Dialogue): Body<string> {
  const { virtual, real } = check
  const user = yield* talk.smtpCommand(`USER ${virtual.login || 'anonymous'}`)
  if (user?.startsWith('3')) yield* talk.smtpCommand(`PASS ${virtual.passwd}`)
  yield* talk.smtpCommand('CWD /')
  yield* talk.smtpCommand('TYPE I')
  yield* talk.smtpCommand('PASV')
  const content = yield* retrieve(check, talk, real.request!)
  yield* talk.smtpCommand('QUIT')
  return content
}

/** Listens, tells where, and takes what the server brings. */
function* retrieve(check: Checking, talk: Dialogue, path: string): Body<string> {
  const { sys, virtual } = check
  const own = sys.getsockname(talk.fd)
  if (!own.ok || own.value.family !== 'AF_INET') return ''
  const made = sys.socket('AF_INET', 'SOCK_STREAM', 0)
  if (!made.ok) return ''
  const listener = made.value
  try {
    sys.bind(listener, { ...own.value, port: 0 })
    sys.listen(listener, 5)
    const at = ownAddress(sys, listener)
    if (!at) return ''
    const place = `${at.address.replaceAll('.', ',')},${at.port >> 8},${at.port & 255}`
    if (!(yield* talk.smtpCommand(`PORT ${place}`))?.startsWith('2')) return ''
    if (!(yield* talk.smtpCommand(`RETR ${path}`))?.startsWith('1')) return ''
    if (!(yield* ready(sys, listener, POLLIN, check.untilNs(virtual.negotiatetimeout)))) return ''
    const accepted = yield* sys.accept(listener)
    if (!accepted.ok) return ''
    const content = yield* readData(check, accepted.value.fd)
    sys.close(accepted.value.fd)
    yield* talk.smtpReply()
    return content
  } finally {
    sys.close(listener)
  }
}

function* readData(check: Checking, fd: number): Body<string> {
  let content = ''
  while (content.length < FILE_MAX) {
    const got = yield* receiveUntil(check.sys, fd, 10_240, check.untilNs(check.virtual.negotiatetimeout))
    if ('failed' in got || got.bytes.length === 0) break
    content += decodeLatin1(got.bytes)
  }
  return content
}
