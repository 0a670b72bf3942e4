/** A conversation by lines, as SMTP, FTP, POP, IMAP and others have it: a command, and what is answered. */
import { decodeLatin1, encodeUtf8 } from '#base/bytes'
import type { Body, Sys } from '#kernel/core'
import { connectUntil, receiveUntil, sendUntil } from './connecting.ts'

/** A line that is longer than this is none. */
const LINE_MAX = 65_536
/** Lines of one answer. */
const REPLY_MAX = 1000

export class Dialogue {
  readonly sys: Sys
  readonly fd: number
  /** How long each read may take, in nanoseconds; when all must be over. */
  readonly #patienceNs: number
  #held = ''
  #ended = false

  constructor(sys: Sys, fd: number, patienceNs: number) {
    this.sys = sys
    this.fd = fd
    this.#patienceNs = patienceNs
  }

  close(): void {
    this.sys.close(this.fd)
  }

  *send(text: string): Body<boolean> {
    if (this.#ended) return false
    const sent = yield* sendUntil(this.sys, this.fd, encodeUtf8(text), this.sys.monotonicNs() + this.#patienceNs)
    if (!sent) this.#ended = true
    return sent
  }

  /** The next line, with its end; undefined if there is none in time. */
  *line(): Body<string | undefined> {
    const untilNs = this.sys.monotonicNs() + this.#patienceNs
    for (;;) {
      const end = this.#held.indexOf('\n')
      if (end >= 0 || (this.#ended && this.#held !== '')) {
        const line = end >= 0 ? this.#held.slice(0, end + 1) : this.#held
        this.#held = this.#held.slice(line.length)
        return line
      }
      if (this.#ended || this.#held.length > LINE_MAX) return undefined
      const got = yield* receiveUntil(this.sys, this.fd, 4096, untilNs)
      if ('failed' in got) {
        if (got.failed !== 'timeout') this.#ended = true
        return undefined
      }
      if (got.bytes.length === 0) this.#ended = true
      this.#held += decodeLatin1(got.bytes)
    }
  }

  /** An answer of one line or several, as SMTP and FTP number them; its last line. RFC 5321, section 4.2.1. */
  *smtpReply(): Body<string | undefined> {
    for (let count = 0; count < REPLY_MAX; count++) {
      const line = yield* this.line()
      if (line === undefined) return undefined
      if (/^\d{3}(?!-)/.test(line)) return line
    }
    return undefined
  }

  *smtpCommand(command: string): Body<string | undefined> {
    return (yield* this.send(`${command}\r\n`)) ? yield* this.smtpReply() : undefined
  }

  /** What an SMTP client hears and says first. libnet 3.14: Net::SMTP::new(), hello() */
  *smtpGreeting(): Body<boolean> {
    const banner = yield* this.smtpReply()
    if (!banner?.startsWith('2')) return false
    const hello = yield* this.smtpCommand('EHLO localhost.localdomain')
    if (hello?.startsWith('2')) return true
    if (!hello?.startsWith('5')) return false
    return (yield* this.smtpCommand('HELO localhost.localdomain'))?.startsWith('2') === true
  }
}

/** Connects, within as long as each answer may take. */
export function* openDialogue(sys: Sys, host: string, port: number, patienceS: number): Body<Dialogue | undefined> {
  const patienceNs = patienceS * 1e9
  const opened = yield* connectUntil(sys, host, port, 'SOCK_STREAM', sys.monotonicNs() + patienceNs)
  return 'fd' in opened ? new Dialogue(sys, opened.fd, patienceNs) : undefined
}
