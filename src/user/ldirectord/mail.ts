/**
 * Alerts by mail: by a server that `smtp=` names, by sendmail if there is one, else into a file that nobody looks at, as
 * Perl's Mail::Mailer has it. mailtools 2.21: Mail::Send, Mail::Mailer
 */
import { encodeUtf8 } from '#base/bytes'
import type { Body } from '#kernel/core'
import { waitFor } from './commands.ts'
import { openDialogue } from './dialogue.ts'
import { virtualName } from './identity.ts'
import type { Output } from './output.ts'
import { type Globals, STATUS, type Virtual } from './types.ts'

const SENDMAILS = ['/usr/sbin/sendmail', '/usr/lib/sendmail', '/usr/ucblib/sendmail']
/** In the working directory, which is / for a daemon. */
const TEST_FILE = 'mailer.testfile'
const MAILER_WARNING = "No real MTA found, using 'testfile' at /usr/share/perl5/Mail/Mailer.pm line 112.\n"
/** Net::SMTP's. */
const SMTP_TIMEOUT_S = 120

interface Alerted {
  virtual: Virtual
  seconds: number
}

export class Mailbox {
  readonly #output: Output
  readonly #globals: Globals
  /** When there was last mail about a server that is down. */
  readonly #alerted = new Map<string, Alerted>()
  #testMails = 0
  #warned = false

  constructor(output: Output, globals: Globals) {
    this.#output = output
    this.#globals = globals
  }

  /** @param seconds when a server went down; 0 if it is up again, or nothing is to be repeated */
  *send(status: number, subject: string, virtual: Virtual, place: string, seconds: number): Body<void> {
    const globals = this.#globals
    const frequency = virtual.emailalertfreq ?? globals.emailalertfreq
    const id = `${place} (${virtualName(virtual)})`
    if (seconds === 0 || frequency === 0) this.#alerted.delete(id)
    else this.#alerted.set(id, { virtual, seconds })
    if ((status & (virtual.emailalertstatus ?? globals.emailalertstatus)) === 0) return
    const to = virtual.emailalert ?? globals.emailalert
    if (to === '') return
    yield* this.#output.log(`emailalert: ${subject}`)
    const title = virtual.servicename ? `[${virtual.servicename}] ${subject}` : subject
    const body = this.#body(status, title, virtual)
    const server = virtual.smtp ?? globals.smtp
    if (server !== undefined) yield* this.#bySmtp(server, to, title, body)
    else yield* this.#byMailer(to, title, body)
  }

  /** Once more about all that have been down for long enough. */
  *repeat(status: number): Body<void> {
    const now = this.#output.sys.realtime().s
    for (const [id, { virtual, seconds }] of [...this.#alerted]) {
      if (now - seconds < (virtual.emailalertfreq ?? this.#globals.emailalertfreq)) continue
      const place = /(.*) /.exec(id)![1]!
      yield* this.send(status, `Inaccessible real server: ${id}`, virtual, place, now)
    }
  }

  #body(status: number, title: string, { servicename, comment }: Virtual): string[] {
    const word = Object.entries(STATUS).find(([, value]) => value === status)?.[0] ?? 'UNKNOWN'
    const host = this.#output.sys.hostname
    const text = [`ldirectord host: ${host}\nLog-Message: ${title}\nDaemon-Status: ${word}\n`]
    const details = (servicename ? `Service name: ${servicename}\n` : '') + (comment ? `Comment: ${comment}\n` : '')
    if (details !== '') text.push(`\n${details}\n`)
    return text
  }

  *#byMailer(to: string, subject: string, body: string[]): Body<void> {
    const { sys } = this.#output
    const from = this.#globals.emailalertfrom
    const head = `${from === undefined ? '' : `From: ${from}\n`}Subject: ${subject}\nTo: ${to}\n\n`
    const program = SENDMAILS.find((path) => sys.access(path, 'x').ok)
    if (program !== undefined) {
      if (!(yield* this.#bySendmail(program, head + body.join('')))) {
        yield* this.#output.log('failed to send email message\n')
      }
      return
    }
    if (!this.#warned) yield* this.#output.error(MAILER_WARNING)
    this.#warned = true
    const envelope = `\n===\ntest ${++this.#testMails} ${this.#output.now}\nfrom: root@${sys.hostname}\nto: ${to}\n\n`
    for (const text of [envelope, head, ...body]) yield* this.#output.append(TEST_FILE, text)
  }

  *#bySendmail(program: string, text: string): Body<boolean> {
    const { sys } = this.#output
    const pipe = sys.pipe()
    if (!pipe.ok) return false
    const { read, write } = pipe.value
    const pid = sys.fork(function* (child) {
      child.dup2(read, 0)
      child.close(read)
      child.close(write)
      const ran = yield* child.exec(program, [program, '-t'])
      return ran.ok ? ran.value : 1
    })
    sys.close(read)
    yield* sys.write(write, encodeUtf8(text))
    sys.close(write)
    return (yield* waitFor(sys, pid)) === 0
  }

  *#bySmtp(server: string, to: string, subject: string, body: string[]): Body<void> {
    const { sys } = this.#output
    const host = sys.hostname
    const me = `root@${host}`
    const talk = yield* openDialogue(sys, server, 25, SMTP_TIMEOUT_S)
    const greeted = talk && (yield* talk.smtpGreeting())
    if (!talk || !greeted) {
      talk?.close()
      yield* this.#output.log('failed to send SMTP email message\n')
      return
    }
    yield* talk.smtpCommand(`MAIL FROM:<${me}>`)
    yield* talk.smtpCommand(`RCPT TO:<${to}>`)
    const go = yield* talk.smtpCommand('DATA')
    if (go?.startsWith('3')) {
      const head = `From: ${this.#globals.emailalertfrom ?? me}\nTo: ${to}\nSubject: ${subject}\n\n`
      const text = (head + body.join('')).replace(/^\./gm, '..').replaceAll('\n', '\r\n')
      yield* talk.send(`${text}.\r\n`)
      yield* talk.smtpReply()
    }
    yield* talk.smtpCommand('QUIT')
    talk.close()
  }
}
