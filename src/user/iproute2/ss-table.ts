/**
 * The table that `ss` prints. Every column is as wide as what stands in it; on a terminal the rest of the line is shared
 * out among them. iproute2 6.1 misc/ss.c: render_calc_width(), render()
 */

interface Column {
  header: string
  right: boolean
  /** Stands in front, unless the line begins here. */
  delimiter: string
  disabled: boolean
}

const column = (header: string, right: boolean, delimiter: string): Column => ({
  header,
  right,
  delimiter,
  disabled: false,
})

/** The columns' places in a row. */
export const NETID = 0
export const STATE = 1
const DETAILS = 8

/** Ten cells a row: netid, state, queues, local address and port, peer's, details, and what never holds anything. */
export type Row = string[]

export class SocketTable {
  readonly #columns: Column[] = [
    column('Netid', false, ''),
    column('State', false, ' '),
    column('Recv-Q', false, ' '),
    column('Send-Q', false, ' '),
    column('Local Address:', true, ' '),
    column('Port', false, ''),
    column('Peer Address:', true, ' '),
    column('Port', false, ''),
    column('Process', false, ''),
    column('', false, ''),
  ]
  readonly #rows: Row[] = []

  disable(place: number): void {
    this.#columns[place]!.disabled = true
  }

  addHeader(): void {
    this.#rows.push(this.#columns.map((one) => one.header))
  }

  add(row: Row): void {
    this.#rows.push(row)
  }

  /** @param screen the terminal's columns, or undefined if the output is no terminal */
  render(screen: number | undefined): string {
    if (this.#rows.length === 0) return ''
    const widths = this.#widths(screen)
    let text = ''
    for (const row of this.#rows) {
      let started = false
      for (const [place, one] of this.#columns.entries()) {
        if (one.disabled) continue
        const cell = row[place] ?? ''
        const width = widths[place]!
        const lead = started ? one.delimiter : ''
        started = true
        if (one.right) text += lead + ' '.repeat(Math.max(0, width - cell.length - lead.length)) + cell
        else text += (lead + cell).padEnd(width)
      }
      text += '\n'
    }
    return text
  }

  #widths(screen: number | undefined): number[] {
    const most = screen ?? Number.MAX_SAFE_INTEGER
    let first = true
    const widths = this.#columns.map((one, place) => {
      if (one.disabled) return 0
      // The tool measures a cell when it goes on to the next one, and so never the last that it fills.
      const measured = place === DETAILS && this.#rows.length > 1 ? this.#rows.slice(0, -1) : this.#rows
      const longest = Math.max(...measured.map((row) => (row[place] ?? '').length))
      const width = Math.min(most, longest > 0 && !first ? longest + one.delimiter.length : longest)
      if (width > 0) first = false
      return width
    })
    if (screen === undefined) return widths
    // Lines of columns: each takes as many as fit, and spreads what is left from its last column to its first.
    let begin = 0
    while (begin < widths.length) {
      let end = begin
      let length = 0
      let used = 0
      for (; end < widths.length; end++) {
        const width = widths[end]!
        if (width === 0) continue
        if (used > 0 && length + width > screen) break
        length += width
        used++
        if (length === screen) {
          end++
          break
        }
      }
      if (used === 0) break
      const spare = Math.max(0, screen - length)
      let rest = spare % used
      for (let place = end - 1; place >= begin; place--) {
        if (widths[place] === 0) continue
        widths[place]! += Math.floor(spare / used)
        if (rest > 0) {
          widths[place]!++
          rest--
        }
      }
      begin = end
    }
    return widths
  }
}
