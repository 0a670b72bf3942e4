/** The counters of `ip -s link`: columns that widen with what stands in them. iproute2 6.1 ip/ipaddress.c: print_stats64() */
import type { LinkMessage, LinkStats } from '#kernel/net'
import type { Session } from './session.ts'

/** A number in its column, with -h shortened to four characters or so, and a blank. */
export function formatCount(count: number, width: number, human: boolean, iec: boolean): string {
  const base = iec ? 1024 : 1000
  if (!human || count < base) return `${String(count).padStart(width)} `
  let power = base
  let unit = 0
  while (Math.floor(count / base) >= power && unit < UNITS.length - 1) {
    power *= base
    unit++
  }
  // As many decimals as leave about three digits.
  let decimals = 2
  for (let limit = 10; decimals > 0 && Math.floor(count / power) >= limit; decimals--) limit *= 10
  return `${`${(count / power).toFixed(decimals)}${UNITS[unit]}${iec ? 'i' : ''}`.padStart(width)} `
}

const UNITS = 'kMGTPE'

const blank = (width: number) => ' '.repeat(Math.max(0, width))

export function showStatistics(session: Session, link: LinkMessage): void {
  const { stats, human, iec } = session.options
  if (session.out.isJson) {
    jsonStatistics(session, link)
    return
  }
  const s = { ...NO_DETAILS, ...link.stats }
  // The first column is as wide as the words that begin the lines of errors.
  const widths = ['*X errors:', 'packets', 'errors', 'dropped', 'heartbt', 'overrun', 'compressed', 'otherhost'].map(
    (word) => word.length,
  )
  const widen = (values: number[]) => {
    if (human) return
    values.forEach((value, i) => {
      widths[i] = Math.max(widths[i]!, String(value).length)
    })
  }
  const rx = [s.rxBytes, s.rxPackets, s.rxErrors, s.rxDropped, s.rxMissed, s.multicast]
  const rxErrors = [s.rxLength, s.rxCrc, s.rxFrame, s.rxFifo, s.rxOverrun]
  const tx = [s.txBytes, s.txPackets, s.txErrors, s.txDropped, s.txCarrier, s.collisions]
  const txErrors = [s.txAborted, s.txFifo, s.txWindow, s.txHeartbeat]
  widen(rx)
  if (stats > 1) widen([0, ...rxErrors, s.rxNohandler, s.rxOtherhostDropped])
  widen(tx)
  if (stats > 1) widen([0, 0, ...txErrors, link.carrierChanges])

  const nl = session.newline
  const titles = (words: string[], from: number) => words.map((word, i) => word.padStart(widths[i + from]!)).join(' ')
  const counts = (values: number[], from: number) =>
    values.map((value, i) => formatCount(value, widths[i + from]!, human, iec)).join('')
  const main = (direction: string, words: string[], values: number[]) =>
    `    ${direction}: ${'bytes'.padStart(widths[0]! - 4)} ${titles(words, 1)} ${blank(widths[6]!)}${nl}    ${counts(values, 0)}`
  let text = main('RX', ['packets', 'errors', 'dropped', 'missed', 'mcast'], rx)
  if (stats > 1) {
    const nohandler = s.rxNohandler ? ' nohandler'.padStart(widths[6]! + 1) : ''
    const otherhost = s.rxOtherhostDropped ? ' otherhost'.padStart(widths[7]! + 1) : ''
    text += `${nl}    RX errors:${blank(widths[0]! - 10)} ${titles(['length', 'crc', 'frame', 'fifo', 'overrun'], 1)}`
    text += `${nohandler}${otherhost}${nl}${blank(widths[0]! + 5)}${counts(rxErrors, 1)}`
    if (s.rxNohandler) text += counts([s.rxNohandler], 6)
    if (s.rxOtherhostDropped) text += counts([s.rxOtherhostDropped], 7)
  }
  text += nl + main('TX', ['packets', 'errors', 'dropped', 'carrier', 'collsns'], tx)
  if (stats > 1) {
    text += `${nl}    TX errors:${blank(widths[0]! - 10)} ${titles(['aborted', 'fifo', 'window', 'heartbt', 'transns'], 1)}`
    text += `${nl}${blank(widths[0]! + 5)}${counts([...txErrors, link.carrierChanges], 1)}`
  }
  session.out.text(text)
}

const NO_DETAILS = {
  rxMissed: 0,
  rxLength: 0,
  rxCrc: 0,
  rxFrame: 0,
  rxFifo: 0,
  rxNohandler: 0,
  rxOtherhostDropped: 0,
  txAborted: 0,
  txFifo: 0,
  txWindow: 0,
  txHeartbeat: 0,
} satisfies Partial<LinkStats>

function jsonStatistics({ out, options }: Session, link: LinkMessage): void {
  const s = { ...NO_DETAILS, ...link.stats }
  const members = (values: [string, number][]) => {
    for (const [key, value] of values) out.json(key, value)
  }
  out.openObject('stats64')
  out.openObject('rx')
  members([
    ['bytes', s.rxBytes],
    ['packets', s.rxPackets],
    ['errors', s.rxErrors],
    ['dropped', s.rxDropped],
    ['over_errors', s.rxOverrun],
    ['multicast', s.multicast],
  ])
  if (options.stats > 1) {
    members([
      ['length_errors', s.rxLength],
      ['crc_errors', s.rxCrc],
      ['frame_errors', s.rxFrame],
      ['fifo_errors', s.rxFifo],
      ['missed_errors', s.rxMissed],
    ])
    if (s.rxNohandler) out.json('nohandler', s.rxNohandler)
    if (s.rxOtherhostDropped) out.json('otherhost', s.rxOtherhostDropped)
  }
  out.close()
  out.openObject('tx')
  members([
    ['bytes', s.txBytes],
    ['packets', s.txPackets],
    ['errors', s.txErrors],
    ['dropped', s.txDropped],
    ['carrier_errors', s.txCarrier],
    ['collisions', s.collisions],
  ])
  if (options.stats > 1) {
    members([
      ['aborted_errors', s.txAborted],
      ['fifo_errors', s.txFifo],
      ['window_errors', s.txWindow],
      ['heartbeat_errors', s.txHeartbeat],
      ['carrier_changes', link.carrierChanges],
    ])
  }
  out.close()
  out.close()
}
