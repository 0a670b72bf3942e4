/**
 * A line being typed, as bash's readline edits it with its Emacs keys: what a terminal sends goes in, what a terminal
 * shows comes out. It knows nothing of who runs the line.
 */

export interface EditorActions {
  /** Shown by the terminal, at once. */
  show(text: string): void
  /** Enter: the line, which the history has kept. What was typed beyond it waits until `prompt` is called again. */
  submit(line: string): void
  /** Tab: words that could stand where the last one of `before` does, and how much of it they replace. */
  complete(before: string): { replace: number; candidates: string[] }
}

// By what a terminal sends; filled in by the class, whose methods are its own.
const KEYS: Record<string, (this: LineEditor) => void> = {}
const HISTORY_MAX = 1000
const LINE_MAX = 4096

export class LineEditor {
  readonly #actions: EditorActions
  #prompt = ''
  // Code points, so that the cursor never stands within one.
  #line: string[] = []
  #at = 0
  #history: string[] = []
  #place = 0 // In the history; its length is the line that is being typed.
  #kept: string[] = [] // That line, while an older one is looked at.
  #killed = ''
  #asking = false
  #ahead = ''
  #tabs = 0

  constructor(actions: EditorActions) {
    this.#actions = actions
  }

  /** Whether it asks for a line. */
  get asking(): boolean {
    return this.#asking
  }

  /** Shows the prompt, and takes what was typed meanwhile. */
  prompt(prompt: string): void {
    this.#prompt = prompt
    this.#line = []
    this.#at = 0
    this.#place = this.#history.length
    this.#asking = true
    this.#actions.show(prompt)
    const ahead = this.#ahead
    this.#ahead = ''
    if (ahead !== '') this.type(ahead)
  }

  /** Takes the line off the terminal, for somebody else's command; `restore` brings it back. */
  suspend(): void {
    if (this.#asking) this.#actions.show('\r\x1b[K')
    this.#asking = false
  }

  restore(): void {
    this.#asking = true
    this.#actions.show(this.#prompt)
    this.#redraw(0)
    const ahead = this.#ahead
    this.#ahead = ''
    if (ahead !== '') this.type(ahead)
  }

  /** What the terminal sends. */
  type(text: string): void {
    let rest = text
    while (rest !== '') {
      if (!this.#asking) {
        this.#ahead = (this.#ahead + rest).slice(0, LINE_MAX)
        return
      }
      const key = /^(?:\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Za-z]|\x1b[\s\S]?|[\s\S])/u.exec(rest)![0]
      rest = rest.slice(key.length)
      if (key === '\n' && text !== '\n') continue // Of a pasted \r\n.
      this.#key(key)
    }
  }

  #key(key: string): void {
    if (key !== '\t') this.#tabs = 0
    const action = KEYS[key]
    if (action) action.call(this)
    else if (key >= ' ' && key !== '\x7f' && !key.startsWith('\x1b')) this.#insert(key)
  }

  #insert(text: string): void {
    const points = [...text]
    if (this.#line.length + points.length > LINE_MAX) return
    const before = this.#at
    this.#line.splice(this.#at, 0, ...points)
    this.#at += points.length
    this.#redraw(before)
  }

  /** Shows the line from there on: the terminal's cursor stands at that place, and ends at the editor's. */
  #redraw(from: number): void {
    const tail = this.#line.slice(from)
    const back = widthOf(this.#line.slice(this.#at))
    this.#actions.show(`${tail.join('')}\x1b[K${back > 0 ? `\x1b[${back}D` : ''}`)
  }

  #moveTo(at: number): void {
    const to = Math.max(0, Math.min(this.#line.length, at))
    const width = widthOf(this.#line.slice(Math.min(to, this.#at), Math.max(to, this.#at)))
    if (width > 0) this.#actions.show(`\x1b[${width}${to < this.#at ? 'D' : 'C'}`)
    this.#at = to
  }

  #remove(from: number, to: number, keep: boolean): void {
    const start = Math.max(0, from)
    const end = Math.min(this.#line.length, to)
    if (end <= start) return
    this.#moveTo(start)
    const gone = this.#line.splice(start, end - start)
    if (keep) this.#killed = gone.join('')
    this.#redraw(start)
  }

  #replaceLine(text: string): void {
    this.#moveTo(0)
    this.#line = [...text]
    this.#at = this.#line.length
    this.#redraw(0)
  }

  #wordStart(blank: RegExp): number {
    let at = this.#at
    while (at > 0 && blank.test(this.#line[at - 1]!)) at--
    while (at > 0 && !blank.test(this.#line[at - 1]!)) at--
    return at
  }

  #wordEnd(): number {
    let at = this.#at
    while (at < this.#line.length && NO_WORD.test(this.#line[at]!)) at++
    while (at < this.#line.length && !NO_WORD.test(this.#line[at]!)) at++
    return at
  }

  #recall(by: number): void {
    const to = this.#place + by
    if (to < 0 || to > this.#history.length) return
    if (this.#place === this.#history.length) this.#kept = this.#line
    this.#place = to
    this.#replaceLine(to === this.#history.length ? this.#kept.join('') : this.#history[to]!)
  }

  #enter(): void {
    const line = this.#line.join('')
    this.#moveTo(this.#line.length)
    this.#actions.show('\r\n')
    if (line.trim() !== '' && this.#history.at(-1) !== line) this.#history.push(line)
    if (this.#history.length > HISTORY_MAX) this.#history.shift()
    this.#asking = false
    this.#actions.submit(line)
  }

  #cancel(): void {
    this.#moveTo(this.#line.length)
    this.#actions.show('^C\r\n')
    this.prompt(this.#prompt)
  }

  /** As readline does: what all candidates share is filled in; a second Tab lists them. */
  #complete(): void {
    const before = this.#line.slice(0, this.#at).join('')
    const { replace, candidates } = this.#actions.complete(before)
    if (candidates.length === 0) return
    const typed = before.slice(before.length - replace)
    const shared = candidates.reduce((a, b) => sharedStart(a, b))
    if (candidates.length === 1 || shared.length > typed.length) {
      const word = candidates.length === 1 && !shared.endsWith('/') ? `${shared} ` : shared
      this.#remove(this.#at - [...typed].length, this.#at, false)
      this.#insert(word)
      return
    }
    if (++this.#tabs < 2) return
    const at = this.#at
    this.#moveTo(this.#line.length)
    // A path is listed by its last part, as readline does.
    const names = candidates.map((each) => each.replace(/^.*\/(?=.)/u, ''))
    this.#actions.show(`\r\n${names.slice(0, 200).join('  ')}\r\n${this.#prompt}`)
    this.#at = at
    this.#redraw(0)
  }

  static {
    const remove = (from: (e: LineEditor) => number, to: (e: LineEditor) => number, keep = true) =>
      function (this: LineEditor) {
        this.#remove(from(this), to(this), keep)
      }
    const move = (to: (e: LineEditor) => number) =>
      function (this: LineEditor) {
        this.#moveTo(to(this))
      }
    const here = (e: LineEditor) => e.#at
    const left = move((e) => e.#at - 1)
    const right = move((e) => e.#at + 1)
    const start = move(() => 0)
    const end = move((e) => e.#line.length)
    const up = function (this: LineEditor) {
      this.#recall(-1)
    }
    const down = function (this: LineEditor) {
      this.#recall(1)
    }
    const enter = function (this: LineEditor) {
      this.#enter()
    }
    const erase = remove((e) => e.#at - 1, here, false)
    const wordLeft = move((e) => e.#wordStart(NO_WORD))
    const wordRight = move((e) => e.#wordEnd())
    Object.assign(KEYS, {
      '\r': enter,
      '\n': enter,
      '\t': function (this: LineEditor) {
        this.#complete()
      },
      '\x03': function (this: LineEditor) {
        this.#cancel()
      },
      '\x7f': erase,
      '\b': erase,
      '\x1b[3~': remove(here, (e) => e.#at + 1, false),
      '\x04': remove(here, (e) => e.#at + 1, false),
      '\x1b[D': left,
      '\x1bOD': left,
      '\x02': left,
      '\x1b[C': right,
      '\x1bOC': right,
      '\x06': right,
      '\x1b[H': start,
      '\x1bOH': start,
      '\x1b[1~': start,
      '\x01': start,
      '\x1b[F': end,
      '\x1bOF': end,
      '\x1b[4~': end,
      '\x05': end,
      '\x1b[A': up,
      '\x1bOA': up,
      '\x10': up,
      '\x1b[B': down,
      '\x1bOB': down,
      '\x0e': down,
      '\x1bb': wordLeft,
      '\x1b[1;5D': wordLeft,
      '\x1bf': wordRight,
      '\x1b[1;5C': wordRight,
      '\x0b': remove(here, (e) => e.#line.length),
      '\x15': remove(() => 0, here),
      '\x17': remove((e) => e.#wordStart(/\s/u), here),
      '\x1b\x7f': remove((e) => e.#wordStart(NO_WORD), here),
      '\x1bd': remove(here, (e) => e.#wordEnd()),
      '\x19': function (this: LineEditor) {
        this.#insert(this.#killed)
      },
      '\x0c': function (this: LineEditor) {
        this.#actions.show(`\x1b[H\x1b[2J${this.#prompt}`)
        this.#redraw(0)
      },
    })
  }
}

const NO_WORD = /[^\p{L}\p{N}_]/u

/** How many columns characters take: two for those of East Asia that are wide, none for marks. */
function widthOf(points: readonly string[]): number {
  let width = 0
  for (const point of points) width += WIDE.test(point) ? 2 : /\p{M}/u.test(point) ? 0 : 1
  return width
}

// Unicode's East Asian Wide and Fullwidth, by blocks. UAX #11.
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u

function sharedStart(a: string, b: string): string {
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  return a.slice(0, at)
}
