/** HTTP's first line, and with -v all of its text. tcpdump 4.99.3 print-http.c, util-print.c: txtproto_print() */
import type { Printer } from './printer.ts'

/** What a request may begin with, in any case; WebDAV's too. */
const METHODS = new Set(
  `GET PUT COPY HEAD LOCK MOVE POLL POST BCOPY BMOVE MKCOL TRACE LABEL MERGE DELETE SEARCH UNLOCK REPORT UPDATE NOTIFY
  BDELETE CONNECT OPTIONS CHECKIN PROPFIND CHECKOUT CCM_POST SUBSCRIBE PROPPATCH BPROPFIND BPROPPATCH UNCHECKOUT
  MKACTIVITY MKWORKSPACE UNSUBSCRIBE RPC_CONNECT VERSION-CONTROL BASELINE-CONTROL`.split(/\s+/),
)
const LONGEST_TOKEN = 128
const LF = 0x0a
const CR = 0x0d
const TAB = 0x09
const SPACE = 0x20

function isPrintable(byte: number): boolean {
  return byte >= SPACE && byte < 0x7f
}

export function printHttp(printer: Printer, at: number, length: number): void {
  printer.protocol = 'http'
  const end = at + length
  const first = token(printer, at, end)
  // A body's continuation has neither a method nor a status as its second word, and isn't shown.
  const shown =
    first !== undefined &&
    (METHODS.has(first.text.toUpperCase()) || /^\d{3}$/.test(token(printer, first.next, end)?.text ?? ''))
  printer.put('HTTP')
  if (!shown) return
  if (printer.options.verbose === 0) {
    printLine(printer, ': ', at, end)
    return
  }
  printer.put(`, length: ${length}`)
  let line: number | undefined = at
  while (line !== undefined && line < end) line = printLine(printer, '\n\t', line, end)
}

/** A word and where the next one starts; undefined where there is none, or none that was captured whole. */
function token(printer: Printer, at: number, end: number): { text: string; next: number } | undefined {
  let text = ''
  for (; at < end; at++) {
    if (!printer.has(at, 1)) return undefined
    const byte = printer.bytes[at]!
    if (byte === SPACE || byte === TAB || byte === CR || byte === LF) break
    if (!isPrintable(byte) || text.length + 1 > LONGEST_TOKEN) return undefined
    text += String.fromCharCode(byte)
  }
  if (text === '') return undefined
  while (at < end && printer.has(at, 1) && printer.bytes[at] === SPACE) at++
  return { text, next: at }
}

/** @returns where the next line starts; undefined if this isn't a line of text, or has no end here */
function printLine(printer: Printer, prefix: string, start: number, end: number): number | undefined {
  let text = ''
  for (let at = start; at < end; at++) {
    const byte = printer.u8(at)
    if (byte === LF) {
      printer.put(prefix + text)
      return at + 1
    }
    if (byte === CR) {
      if (at + 1 >= end || printer.u8(at + 1) !== LF) return undefined
      printer.put(prefix + text)
      return at + 2
    }
    if (!isPrintable(byte) && byte !== TAB) return undefined
    text += String.fromCharCode(byte)
  }
  printer.put(prefix + text)
  printer.truncated()
  return undefined
}
