/**
 * A line typed on a terminal: emacs keys, history, search, completion. readline(3)'s defaults, as far as they are used.
 * The line is redrawn as a whole after each key; it may take several rows.
 */
import type { Body, Sys, Termios } from '#kernel/core'
import { decodeText, encodeText } from './text.ts'

export interface Completion {
  /** What stands for the word before the cursor. */
  words: string[]
  /** Where that word begins in the line. */
  start: number
}

export interface LineEditorOptions {
  prompt: string
  history: readonly { text: string }[]
  complete(line: string, cursor: number): Body<Completion>
}

/** What ended the line. */
export type Typed = { kind: 'line'; text: string } | { kind: 'interrupt' } | { kind: 'end' }

/** Keys that come as more than one byte. */
const SEQUENCES: [string, string][] = [
  ['\x1b[A', 'up'],
  ['\x1bOA', 'up'],
  ['\x1b[B', 'down'],
  ['\x1bOB', 'down'],
  ['\x1b[C', 'right'],
  ['\x1bOC', 'right'],
  ['\x1b[D', 'left'],
  ['\x1bOD', 'left'],
  ['\x1b[H', 'home'],
  ['\x1bOH', 'home'],
  ['\x1b[1~', 'home'],
  ['\x1b[F', 'end'],
  ['\x1bOF', 'end'],
  ['\x1b[4~', 'end'],
  ['\x1b[3~', 'delete'],
  ['\x1b[1;5C', 'word-right'],
  ['\x1b[1;5D', 'word-left'],
  ['\x1bf', 'word-right'],
  ['\x1bb', 'word-left'],
  ['\x1bd', 'kill-word'],
  ['\x1b\x7f', 'rub-word'],
  ['\x1b.', 'last-argument'],
]

export class LineEditor {
  readonly #sys: Sys
  readonly #options: LineEditorOptions
  #line = ''
  #cursor = 0
  #killed = ''
  /** Rows above the cursor's row that the line takes now. */
  #rowsAbove = 0
  #historyAt: number
  #typed = ''
  #pending = ''
  #search: { text: string; at: number } | undefined
  #tabs = 0

  constructor(sys: Sys, options: LineEditorOptions) {
    this.#sys = sys
    this.#options = options
    this.#historyAt = options.history.length
  }

  *#print(text: string): Body<void> {
    yield* this.#sys.write(2, encodeText(text))
  }

  /** Reads a line; `left` has what was typed ahead of it and takes what is left over. */
  *read(left: { text: string }): Body<Typed> {
    const got = this.#sys.ioctl(0, 'TCGETS', undefined)
    const cooked = got.ok ? (got.value as Termios) : undefined
    this.#sys.ioctl(0, 'TCSETSW', { ICANON: false, ECHO: false, ISIG: false, IEXTEN: false, ICRNL: false, IXON: false })
    this.#pending = left.text
    left.text = ''
    yield* this.#print(this.#options.prompt)
    try {
      for (;;) {
        const key = yield* this.#key()
        if (key === undefined) return { kind: 'end' }
        const done = yield* this.#press(key)
        if (done) return done
      }
    } finally {
      left.text = this.#pending
      if (cooked) this.#sys.ioctl(0, 'TCSETSW', cooked)
    }
  }

  *#key(): Body<string | undefined> {
    for (;;) {
      if (this.#pending !== '') {
        const sequence = SEQUENCES.find(([bytes]) => this.#pending.startsWith(bytes))
        if (sequence) {
          this.#pending = this.#pending.slice(sequence[0].length)
          return sequence[1]
        }
        const unfinished =
          this.#pending.startsWith('\x1b') && SEQUENCES.some(([bytes]) => bytes.startsWith(this.#pending))
        if (!unfinished) {
          // An unknown sequence is swallowed whole.
          const unknown = /^\x1b(\[[\d;]*[A-Za-z~]|O.|.)/s.exec(this.#pending)
          const char = unknown ? unknown[0] : [...this.#pending][0]!
          this.#pending = this.#pending.slice(char.length)
          if (unknown) continue
          return char
        }
      }
      const more = yield* this.#sys.read(0, 256)
      if (!more.ok && more.errno === 'EINTR') continue
      if (!more.ok || more.value.length === 0) return undefined
      this.#pending += decodeText(more.value)
    }
  }

  *#press(key: string): Body<Typed | undefined> {
    if (this.#search) {
      const answer = yield* this.#searching(key)
      if (answer === 'taken') return undefined
    }
    if (key !== '\t') this.#tabs = 0
    const { history } = this.#options
    switch (key) {
      case '\r':
      case '\n':
        this.#cursor = this.#line.length
        yield* this.#redraw()
        yield* this.#print('\r\n')
        return { kind: 'line', text: this.#line }
      case '\x03':
        yield* this.#print('^C\r\n')
        return { kind: 'interrupt' }
      case '\x04':
        if (this.#line === '') {
          yield* this.#print('\r\n')
          return { kind: 'end' }
        }
        this.#remove(this.#cursor, this.#cursor + 1)
        break
      case 'delete':
        this.#remove(this.#cursor, this.#cursor + 1)
        break
      case '\x7f':
      case '\b':
        if (this.#cursor > 0) this.#remove(this.#cursor - 1, this.#cursor)
        break
      case '\x01':
      case 'home':
        this.#cursor = 0
        break
      case '\x05':
      case 'end':
        this.#cursor = this.#line.length
        break
      case '\x02':
      case 'left':
        this.#cursor = Math.max(0, this.#cursor - 1)
        break
      case '\x06':
      case 'right':
        this.#cursor = Math.min(this.#line.length, this.#cursor + 1)
        break
      case 'word-left':
        this.#cursor = this.#wordLeft()
        break
      case 'word-right':
        this.#cursor = this.#wordRight()
        break
      case '\x0b':
        this.#kill(this.#cursor, this.#line.length)
        break
      case '\x15':
        this.#kill(0, this.#cursor)
        break
      case '\x17': {
        const before = this.#line.slice(0, this.#cursor)
        this.#kill(before.length - /\S*\s*$/.exec(before)![0].length, this.#cursor)
        break
      }
      case 'rub-word':
        this.#kill(this.#wordLeft(), this.#cursor)
        break
      case 'kill-word':
        this.#kill(this.#cursor, this.#wordRight())
        break
      case '\x19':
        this.#insert(this.#killed)
        break
      case '\x14':
        if (this.#cursor > 0 && this.#line.length > 1) {
          const at = Math.min(this.#cursor, this.#line.length - 1)
          this.#line = this.#line.slice(0, at - 1) + this.#line[at] + this.#line[at - 1] + this.#line.slice(at + 1)
          this.#cursor = at + 1
        }
        break
      case '\x0c':
        yield* this.#print('\x1b[H\x1b[2J')
        this.#rowsAbove = 0
        break
      case '\x10':
      case 'up':
        if (this.#historyAt === 0) return undefined
        if (this.#historyAt === history.length) this.#typed = this.#line
        this.#recall(this.#historyAt - 1)
        break
      case '\x0e':
      case 'down':
        if (this.#historyAt >= history.length) return undefined
        this.#recall(this.#historyAt + 1)
        break
      case 'last-argument':
        this.#insert(history[history.length - 1]?.text.trim().split(/\s+/).pop() ?? '')
        break
      case '\x12':
        this.#search = { text: '', at: history.length }
        break
      case '\t':
        yield* this.#tab()
        break
      default:
        if (key.length > 2 || key < ' ') return undefined
        this.#insert(key)
    }
    yield* this.#redraw()
    return undefined
  }

  #insert(text: string): void {
    this.#line = this.#line.slice(0, this.#cursor) + text + this.#line.slice(this.#cursor)
    this.#cursor += text.length
  }

  #remove(from: number, to: number): void {
    this.#line = this.#line.slice(0, from) + this.#line.slice(to)
    this.#cursor = Math.min(from, this.#line.length)
  }

  #kill(from: number, to: number): void {
    if (to > from) this.#killed = this.#line.slice(from, to)
    this.#remove(from, to)
  }

  #wordLeft(): number {
    return this.#cursor - /\w*\W*$/.exec(this.#line.slice(0, this.#cursor))![0].length
  }

  #wordRight(): number {
    return this.#cursor + /^\W*\w*/.exec(this.#line.slice(this.#cursor))![0].length
  }

  #recall(at: number): void {
    this.#historyAt = at
    this.#line = this.#options.history[at]?.text ?? this.#typed
    this.#cursor = this.#line.length
  }

  /** Ctrl-R: every key narrows the search, until one that isn't text. */
  *#searching(key: string): Body<'taken' | 'left'> {
    const search = this.#search!
    const { history } = this.#options
    const find = (from: number) => {
      for (let i = Math.min(from, history.length - 1); i >= 0; i--) {
        const at = history[i]!.text.lastIndexOf(search.text)
        if (at < 0) continue
        search.at = i
        this.#historyAt = i
        this.#line = history[i]!.text
        this.#cursor = at
        return
      }
    }
    if (key === '\x12') find(search.at - 1)
    else if (key === '\x7f' || key === '\b') {
      search.text = search.text.slice(0, -1)
      find(history.length - 1)
    } else if (key.length <= 2 && key >= ' ') {
      search.text += key
      find(search.at)
    } else {
      this.#search = undefined
      if (key === '\x07') {
        this.#line = ''
        this.#cursor = 0
      }
      yield* this.#redraw()
      return key === '\x07' || key === '\x1b' ? 'taken' : 'left'
    }
    yield* this.#redraw()
    return 'taken'
  }

  *#tab(): Body<void> {
    const { words, start } = yield* this.#options.complete(this.#line, this.#cursor)
    if (words.length === 0) return
    const before = this.#line.slice(start, this.#cursor)
    let common = words[0]!
    for (const word of words) while (!word.startsWith(common)) common = common.slice(0, -1)
    if (words.length === 1 || common.length > before.length) {
      const whole = words.length === 1 && !common.endsWith('/') ? `${common} ` : common
      this.#line = this.#line.slice(0, start) + whole + this.#line.slice(this.#cursor)
      this.#cursor = start + whole.length
      this.#tabs = 0
      return
    }
    // The second TAB lists what there is.
    if (++this.#tabs < 2) return
    this.#tabs = 0
    const columns = this.#sys.terminalSize(0)?.columns ?? 80
    const names = words.map((word) => word.replace(/\/$/, '').replace(/^.*\//, '') + (word.endsWith('/') ? '/' : ''))
    const width = Math.max(...names.map((name) => name.length)) + 2
    const count = Math.max(1, Math.floor(columns / width))
    const rows = Math.ceil(names.length / count)
    let text = '\r\n'
    for (let row = 0; row < rows; row++) {
      const cells: string[] = []
      for (let column = 0; column * rows + row < names.length; column++)
        cells.push(names[column * rows + row]!.padEnd(width))
      text += `${cells.join('').trimEnd()}\r\n`
    }
    yield* this.#print(text)
    this.#rowsAbove = 0
  }

  *#redraw(): Body<void> {
    const columns = this.#sys.terminalSize(0)?.columns ?? 80
    const prompt = this.#search ? `(reverse-i-search)\`${this.#search.text}': ` : this.#options.prompt
    const whole = prompt + this.#line
    const cursor = prompt.length + this.#cursor
    const rows = Math.floor(whole.length / columns)
    const row = Math.floor(cursor / columns)
    let text = '\r'
    if (this.#rowsAbove > 0) text += `\x1b[${this.#rowsAbove}A`
    text += `${whole}\x1b[J`
    // A terminal waits at the last column; a blank moves it on.
    if (whole.length > 0 && whole.length % columns === 0) text += ' \r'
    if (rows > row) text += `\x1b[${rows - row}A`
    text += '\r'
    if (cursor % columns > 0) text += `\x1b[${cursor % columns}C`
    this.#rowsAbove = row
    yield* this.#print(text)
  }
}
