/** tcpdump's course: options, the source, the filter, then frames until somebody stops it. tcpdump 4.99.3 tcpdump.c. */
import { encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { type Body, O_CREAT, O_TRUNC, O_WRONLY, readAll, readTextFile, type Sys, strerror } from '#kernel/core'
import type { AddressMessage, LinkMessage } from '#kernel/net'
import { maskOf } from '#wire/inet'
import { LINKTYPE_ETHERNET, LINKTYPE_LINUX_SLL2, PcapWriter, readCapture } from '#wire/pcap'
import { LiveCapture } from './capture.ts'
import { compileFilter, type Filter } from './filter/filter.ts'
import { defaultInterface, interfaceName, listInterfaces } from './interfaces.ts'
import { type Lookup, readLookup } from './lookup.ts'
import { type Options, parseOptions, USAGE, UsageError, VERSION } from './options.ts'
import { BufferedOutput } from './output.ts'
import { FrameFormatter, type Stamped } from './print/format.ts'

const LINK_NAMES: Record<number, string> = {
  [LINKTYPE_ETHERNET]: 'EN10MB (Ethernet)',
  [LINKTYPE_LINUX_SLL2]: 'LINUX_SLL2 (Linux cooked v2)',
}

/** A mistake that ends the program with status 1. */
class Fatal extends Error {}

/** The program. */
export function* main(sys: Sys, argv: string[]): Body<number> {
  try {
    return yield* run(sys, parseOptions(argv))
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof Fatal)) throw error
    const usage = error instanceof UsageError && error.usage ? USAGE : ''
    yield* say(sys, `tcpdump: ${error.message}\n${usage}`)
    return 1
  }
}

function* say(sys: Sys, text: string): Body<void> {
  yield* sys.write(2, encodeUtf8(text))
}

function* run(sys: Sys, options: Options): Body<number> {
  if (options.action === 'help' || options.action === 'version') {
    yield* sys.write(1, encodeUtf8(options.action === 'help' ? USAGE : VERSION))
    return 0
  }
  const lookup = yield* readLookup(sys)
  if (options.action === 'interfaces') {
    yield* sys.write(1, encodeUtf8(listInterfaces(lookup.links)))
    return 0
  }
  const expression = yield* filterText(sys, options)
  if (options.readFile !== undefined) return yield* readFile(sys, options, lookup, expression)
  return yield* capture(sys, options, lookup, expression)
}

/** -F's file, comments and all, or the operands. */
function* filterText(sys: Sys, options: Options): Body<string> {
  if (options.filterFile === undefined) return options.expression
  const read = yield* readTextFile(sys, options.filterFile)
  if (!read.ok) throw new Fatal(`can't open ${options.filterFile}: ${strerror(read.errno)}`)
  return read.value.replace(/#[^\n]*/g, (comment) => ' '.repeat(comment.length))
}

function compile(expression: string, settings: Parameters<typeof compileFilter>[1]): Filter {
  const compiled = compileFilter(expression, settings)
  if (!compiled.ok) throw new Fatal(compiled.message)
  return compiled.filter
}

/** Where frames go: to a file, to lines, or only counted. */
class Sink {
  readonly #sys: Sys
  readonly #options: Options
  readonly #formatter: FrameFormatter | undefined
  readonly #writer: PcapWriter | undefined
  readonly #lines: BufferedOutput
  #file: BufferedOutput | undefined
  frames = 0

  constructor(sys: Sys, options: Options, lookup: Lookup, linkType: number, snapLength: number) {
    this.#sys = sys
    this.#options = options
    this.#lines = new BufferedOutput(sys, 1, options.byLine || sys.isatty(1))
    const writing = options.writeFile !== undefined
    if (writing) this.#writer = new PcapWriter({ linkType, snapLength, nanosecond: options.nanosecond })
    if (options.countOnly || (writing && !options.print)) return
    const numeric = options.numeric > 0
    const hasDump = options.hex + options.hexAscii > 0 || options.quiet
    this.#formatter = new FrameFormatter({ ...options, linkType, numeric, hasDump }, lookup)
  }

  *open(): Body<void> {
    const { writeFile, packetBuffered } = this.#options
    if (writeFile === undefined) return
    let fd = 1
    if (writeFile !== '-') {
      const opened = yield* this.#sys.open(writeFile, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
      if (!opened.ok) throw new Fatal(`${writeFile}: ${strerror(opened.errno)}`)
      fd = opened.value
    }
    this.#file = new BufferedOutput(this.#sys, fd, packetBuffered)
    yield* this.#file.put(this.#writer!.drain())
  }

  *take(frame: Stamped): Body<void> {
    this.frames++
    if (this.#file) {
      this.#writer!.writeBytes(frame.s, frame.ns, frame.bytes, frame.length)
      yield* this.#file.put(this.#writer!.drain())
    }
    if (this.#formatter) yield* this.#lines.put(this.#formatter.format(frame))
  }

  /** A line that a signal may have cut is ended. */
  *finish(interrupted: boolean): Body<void> {
    if (interrupted && !this.#file) yield* this.#lines.put('\n')
    yield* this.#lines.flush()
    if (this.#file) yield* this.#file.flush()
  }
}

function* readFile(sys: Sys, options: Options, lookup: Lookup, expression: string): Body<number> {
  const name = options.readFile!
  let fd = 0
  if (name !== '-') {
    const opened = yield* sys.open(name)
    if (!opened.ok) throw new Fatal(`${name}: ${strerror(opened.errno)}`)
    fd = opened.value
  }
  const content = yield* readAll(sys, fd)
  if (!content.ok) throw new Fatal(`error reading dump file: ${strerror(content.errno)}`)
  const file = readCapture(content.value)
  const source = file.interfaces[0]
  if (!source) throw new Fatal(file.error?.what ?? 'the file describes no interface')
  const linkName = LINK_NAMES[source.linkType]
  if (linkName === undefined) throw new NotModelled(`tcpdump -r of link type ${source.linkType}`)
  yield* say(sys, `reading from file ${name}, link-type ${linkName}, snapshot length ${source.snapLength}\n`)
  const filter = compile(expression, { linkType: source.linkType, names: lookup.forFilters })
  const sink = new Sink(sys, options, lookup, source.linkType, source.snapLength)
  yield* sink.open()
  let stopped = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const) {
    sys.sigaction(signal, () => {
      stopped = true
    })
  }
  for (const frame of file.frames) {
    if (stopped || sink.frames === options.count) break
    if (filter.bytes(frame.bytes, frame.originalLength)) {
      const { s, ns, originalLength } = frame
      const bytes = frame.bytes.length > options.snapLength ? frame.bytes.subarray(0, options.snapLength) : frame.bytes
      yield* sink.take({ s, ns, bytes, length: originalLength })
    }
  }
  if (options.countOnly) yield* sys.write(1, encodeUtf8(`${sink.frames} packet${sink.frames === 1 ? '' : 's'}\n`))
  yield* sink.finish(stopped)
  if (file.error && !stopped && sink.frames !== options.count) throw new Fatal(`pcap_loop: ${file.error.what}`)
  return 0
}

function* capture(sys: Sys, options: Options, lookup: Lookup, expression: string): Body<number> {
  const { links } = lookup
  const name = options.interface === undefined ? defaultInterface(links) : interfaceName(links, options.interface)
  if (name === undefined) {
    throw new Fatal(options.interface === undefined ? 'no interfaces available for capture' : 'Invalid adapter index')
  }
  const link = links.find((candidate) => candidate.name === name)
  if (!link && name !== 'any') throw new Fatal(`${name}: No such device exists\n(No such device exists)`)
  if (link && !(link.flags & 1)) throw new Fatal(`${name}: That device is not up`)
  if (options.action === 'linkTypes') {
    const types = link
      ? '  EN10MB (Ethernet)\n  DOCSIS (DOCSIS) (printing not supported)\n'
      : '  LINUX_SLL2 (Linux cooked v2)\n  LINUX_SLL (Linux cooked v1)\n'
    yield* sys.write(1, encodeUtf8(`Data link types for ${name} (use option -y to set):\n${types}`))
    return 0
  }
  const printing = options.writeFile === undefined || options.print
  const live = new LiveCapture(sys, {
    link,
    links,
    direction: options.direction,
    // To a terminal each frame is printed as it comes.
    immediate: options.immediate || (printing && sys.isatty(1)),
    promiscuous: options.promiscuous,
    snapLength: options.snapLength,
  })
  const failed = live.open()
  if (failed !== undefined) throw new Fatal(`${name}: ${failed}`)
  let stopped = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGPIPE'] as const) {
    sys.sigaction(signal, () => {
      stopped = true
    })
  }
  const { linkType } = live
  if (!link) yield* say(sys, 'tcpdump: data link type LINUX_SLL2\n')
  const netmask = netmaskOf(sys, link)
  const filter = compile(expression, { linkType, live: true, netmask, names: lookup.forFilters })
  const sink = new Sink(sys, options, lookup, linkType, options.snapLength)
  yield* sink.open()
  const notStarted = live.start(filter)
  if (notStarted !== undefined) throw new Fatal(`${name}: ${notStarted}`)
  if (options.writeFile !== undefined && options.verbose > 0) throw new NotModelled('tcpdump -w with -v')
  const brief = printing && options.verbose === 0
  yield* say(
    sys,
    `tcpdump: ${brief ? 'verbose output suppressed, use -v[v]... for full protocol decode\n' : ''}` +
      `listening on ${name}, link-type ${LINK_NAMES[linkType]}, snapshot length ${options.snapLength} bytes\n`,
  )
  let trouble: string | undefined
  while (!stopped && sink.frames !== options.count && trouble === undefined) {
    const frames = yield* live.next(() => stopped)
    if (typeof frames === 'string') {
      trouble = frames
      break
    }
    for (const frame of frames) {
      if (stopped || sink.frames === options.count) break
      yield* sink.take(frame)
    }
  }
  yield* sink.finish(stopped)
  if (trouble !== undefined) yield* say(sys, `tcpdump: pcap_loop: ${trouble}\n`)
  const { received, dropped } = live.statistics()
  live.close()
  const count = (n: number, what: string) => `${n} packet${n === 1 ? '' : 's'} ${what}\n`
  yield* say(
    sys,
    count(sink.frames, 'captured') + count(received, 'received by filter') + count(dropped, 'dropped by kernel'),
  )
  return trouble === undefined ? 0 : 1
}

/** The mask of the interface's first address. */
function netmaskOf(sys: Sys, link: LinkMessage | undefined): number {
  if (!link) return 0
  const answer = sys.netlink({ type: 'RTM_GETADDR', ifindex: link.ifindex, family: 'AF_INET' } as { type: string })
  const first = answer.ok
    ? (answer.messages as AddressMessage[]).find((message) => message.ifindex === link.ifindex)
    : undefined
  return first ? maskOf(first.prefix) : 0
}
