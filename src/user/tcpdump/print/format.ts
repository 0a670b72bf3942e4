/** A captured frame as tcpdump's lines: number, stamp, what it says, its bytes. tcpdump 4.99.3 print.c, util-print.c. */

import { NotModelled } from '#base/check'
import { civilOfSeconds } from '#base/text'
import { LINKTYPE_ETHERNET, LINKTYPE_LINUX_SLL2 } from '#wire/pcap'
import { printCooked, printEthernet } from './link.ts'
import { asciiText, hexAndAscii, hexLines, Printer, type PrintNames, type PrintOptions } from './printer.ts'

export interface FormatOptions extends PrintOptions {
  linkType: number
  /** How often -t was given. */
  stamps: number
  nanosecond: boolean
  /** -#. */
  numbers: boolean
  /** How often -x, -X and -A were given. */
  hex: number
  hexAscii: number
  ascii: number
}

export interface Stamped {
  s: number
  ns: number
  bytes: Uint8Array
  /** On the wire. */
  length: number
}

export class FrameFormatter {
  readonly #options: FormatOptions
  readonly #printer: Printer
  #previous: { s: number; ns: number } | undefined
  #count = 0

  constructor(options: FormatOptions, names: PrintNames) {
    if (options.linkType !== LINKTYPE_ETHERNET && options.linkType !== LINKTYPE_LINUX_SLL2)
      throw new NotModelled(`tcpdump: link type ${options.linkType}`)
    this.#options = options
    this.#printer = new Printer(options, names)
  }

  /** The lines, each with its newline. */
  format(frame: Stamped): string {
    const options = this.#options
    this.#count++
    let text = options.numbers ? `${String(this.#count).padStart(5)}  ` : ''
    text += this.#stamp(frame)
    let header = 0 // What ends early has printed no header's length: all bytes are dumped.
    const print = options.linkType === LINKTYPE_ETHERNET ? printEthernet : printCooked
    const { bytes } = frame
    text += this.#printer.line(bytes, (printer) => {
      header = print(printer, frame.length)
    })
    const payload = bytes.subarray(header)
    if (options.hexAscii > 0) text += hexAndAscii(options.hexAscii > 1 ? bytes : payload, '\n\t')
    else if (options.hex > 0) text += hexLines(options.hex > 1 ? bytes : payload, '\n\t')
    else if (options.ascii > 0) text += asciiText(options.ascii > 1 ? bytes : payload)
    return `${text}\n`
  }

  #stamp({ s, ns }: Stamped): string {
    const { stamps } = this.#options
    if (stamps === 1) return ''
    if (stamps === 2) return `${s}.${this.#fraction(ns)} `
    if (stamps === 0) return `${this.#clock(s, ns)} `
    if (stamps === 4) return `${dateOf(s)} ${this.#clock(s, ns)} `
    // Since the frame before, or since the first.
    const base = this.#previous ?? { s, ns }
    if (stamps === 3 || this.#previous === undefined) this.#previous = { s, ns }
    let difference = (s - base.s) * 1e9 + ns - base.ns
    const sign = difference < 0 ? '-' : ' '
    difference = Math.abs(difference)
    const seconds = Math.floor(difference / 1e9)
    return `${sign}${this.#clock(seconds, difference - seconds * 1e9)} `
  }

  #clock(s: number, ns: number): string {
    const two = (value: number) => String(value).padStart(2, '0')
    const day = s % 86400
    return `${two(Math.floor(day / 3600))}:${two(Math.floor((day % 3600) / 60))}:${two(day % 60)}.${this.#fraction(ns)}`
  }

  #fraction(ns: number): string {
    return this.#options.nanosecond ? String(ns).padStart(9, '0') : String(Math.floor(ns / 1000)).padStart(6, '0')
  }
}

/** The date of seconds since the epoch. */
function dateOf(s: number): string {
  const { year, month, day } = civilOfSeconds(s)
  return `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`
}
