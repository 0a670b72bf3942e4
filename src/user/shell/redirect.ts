/** Redirections: what is opened onto which descriptor, and how it is put back. bash(1), "REDIRECTION". */
import type { HereDoc, Redirection } from 'unbash'
import { type Body, O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, strerror } from '#kernel/core'
import { RedirectionError } from './errors.ts'
import { expandFields, expandSingle, joinPieces, type Pieces } from './expand.ts'
import { isNetworkPath, openNetwork } from './network-redirect.ts'
import { parameterPieces } from './parameter.ts'
import type { Shell } from './shell.ts'
import { encodeText } from './text.ts'

/** How a descriptor was before: kept elsewhere, or closed. */
type Saved = { fd: number; kept: number | undefined }

/** Where bash keeps descriptors that it needs again. */
const SAVED_FROM = 10

/** Puts redirected descriptors back. */
export class SavedDescriptors {
  readonly #shell: Shell
  readonly #saved: Saved[] = []

  constructor(shell: Shell) {
    this.#shell = shell
  }

  save(fd: number): void {
    const kept = this.#shell.sys.dupAbove(fd, SAVED_FROM)
    if (kept.ok) this.#shell.sys.setCloseOnExec(kept.value, true)
    this.#saved.push({ fd, kept: kept.ok ? kept.value : undefined })
  }

  restore(): void {
    const { sys } = this.#shell
    for (const { fd, kept } of this.#saved.splice(0).reverse()) {
      if (kept === undefined) sys.close(fd)
      else {
        sys.dup2(kept, fd)
        sys.close(kept)
      }
    }
  }

  /** `exec` with redirections only: they stay. */
  forget(): void {
    for (const { kept } of this.#saved.splice(0)) if (kept !== undefined) this.#shell.sys.close(kept)
  }
}

/** Carries out redirections in order. Throws RedirectionError with bash's message. */
export function* redirect(
  shell: Shell,
  redirections: readonly Redirection[],
  saved: SavedDescriptors | undefined,
): Body<void> {
  for (const redirection of redirections) yield* redirectOne(shell, redirection, saved)
}

function* redirectOne(shell: Shell, redirection: Redirection, saved: SavedDescriptors | undefined): Body<void> {
  const { sys } = shell
  const variable = redirection.descriptor?.type === 'FileDescriptorVariable' ? redirection.descriptor.name : undefined
  const given = redirection.descriptor?.type === 'FileDescriptor' ? redirection.descriptor.value : undefined

  /** Moves a fresh descriptor to where it belongs. */
  const place = (fresh: number, fd: number) => {
    if (variable !== undefined) {
      const high = sys.dupAbove(fresh, SAVED_FROM)
      if (high.ok) {
        sys.close(fresh)
        shell.variables.set(variable, String(high.value))
      }
      return
    }
    if (fresh === fd) return
    sys.dup2(fresh, fd)
    sys.close(fresh)
  }

  if (redirection.type !== 'Redirect') {
    const fd = given ?? 0
    const text =
      redirection.type === 'HereString'
        ? `${yield* expandSingle(shell, redirection.target)}\n`
        : yield* hereDocument(shell, redirection)
    if (variable === undefined) saved?.save(fd)
    place(yield* textFile(shell, text), fd)
    return
  }

  const { operator } = redirection
  const fields = redirection.target ? yield* expandFields(shell, [redirection.target]) : []
  if (fields.length !== 1) throw new RedirectionError(`${redirection.target?.text ?? ''}: ambiguous redirect`)
  const target = fields[0]!

  if (operator === '>&' || operator === '<&') {
    const fd = given ?? (operator === '>&' ? 1 : 0)
    const source = /^(\d+)(-?)$/.exec(target)
    if (target === '-') {
      const closed = variable !== undefined ? Number(shell.variables.get(variable)) : fd
      if (variable === undefined) saved?.save(fd)
      sys.close(closed)
      return
    }
    if (source) {
      const from = Number(source[1])
      const copy = sys.dupAbove(from, SAVED_FROM)
      if (!copy.ok) throw new RedirectionError(`${from}: Bad file descriptor`)
      if (variable !== undefined) {
        shell.variables.set(variable, String(copy.value))
        return
      }
      if (from !== fd) {
        saved?.save(fd)
        sys.dup2(copy.value, fd)
      }
      sys.close(copy.value)
      if (source[2] && from !== fd) {
        saved?.save(from)
        sys.close(from)
      }
      return
    }
    if (operator === '<&' || given !== undefined) throw new RedirectionError(`${target}: ambiguous redirect`)
  }

  const both = operator === '&>' || operator === '&>>' || operator === '>&'
  const fd = given ?? (operator === '<' || operator === '<>' ? 0 : 1)
  let flags: number
  if (operator === '<') flags = O_RDONLY
  else if (operator === '<>') flags = O_RDWR | O_CREAT
  else if (operator === '>>' || operator === '&>>') flags = O_WRONLY | O_CREAT | O_APPEND
  else flags = O_WRONLY | O_CREAT | O_TRUNC
  if (operator === '>' && shell.options.has('noclobber')) {
    const there = sys.stat(target)
    if (there.ok && there.value.type === 'file') throw new RedirectionError(`${target}: cannot overwrite existing file`)
    if (!there.ok) flags |= O_EXCL
  }
  const opened = isNetworkPath(target) ? yield* openNetwork(shell, target) : yield* sys.open(target, flags, 0o666)
  if (!opened.ok) throw new RedirectionError(`${target}: ${strerror(opened.errno)}`)
  if (variable === undefined) saved?.save(fd)
  place(opened.value, fd)
  if (both) {
    saved?.save(2)
    sys.dup2(1, 2)
  }
}

function* hereDocument(shell: Shell, document: HereDoc): Body<string> {
  const strip = (text: string) => (document.operator === '<<-' ? text.replace(/^\t+/gm, '') : text)
  const { body } = document
  if (!document.closing && document.delimiter) {
    yield* shell.complain(
      `warning: here-document at line ${shell.line} delimited by end-of-file (wanted \`${document.delimiter.value}')`,
    )
  }
  if (document.delimiter?.quoted || !body.parts) {
    return strip(document.delimiter?.quoted ? body.text : unescape(body.text))
  }
  let text = ''
  for (const [i, part] of body.parts.entries()) {
    if (part.type === 'Literal') {
      // Only a tab at a line's start is stripped, and this part may begin within a line.
      const raw = part.text
      text += unescape(document.operator === '<<-' ? (i === 0 ? strip(raw) : raw.replace(/\n\t+/g, '\n')) : raw)
    } else text += joinPieces(shell, yield* quotedPart(shell, part))
  }
  return text
}

function* quotedPart(shell: Shell, part: { type: string; text: string }): Body<Pieces> {
  if (part.type === 'SimpleExpansion') return yield* parameterPieces(shell, { parameter: part.text.slice(1) }, true)
  return [{ text: yield* shell.expandText(part.text), quoted: true, split: false }]
}

function unescape(text: string): string {
  return text.replace(/\\([$`\\\n])/g, (_, char: string) => (char === '\n' ? '' : char))
}

/** An open descriptor from which the text can be read: a pipe if it fits in one, as bash 5.1 and later do. */
function* textFile(shell: Shell, text: string): Body<number> {
  const { sys } = shell
  const bytes = encodeText(text)
  if (bytes.length <= 4096) {
    const pipe = sys.pipe()
    if (!pipe.ok) throw new RedirectionError(`cannot create temp file for here-document: ${strerror(pipe.errno)}`)
    if (bytes.length > 0) yield* sys.write(pipe.value.write, bytes)
    sys.close(pipe.value.write)
    return pipe.value.read
  }
  const path = `/tmp/sh-thd.${sys.pid}.${sys.monotonicNs()}`
  const out = yield* sys.open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
  if (!out.ok) throw new RedirectionError(`cannot create temp file for here-document: ${strerror(out.errno)}`)
  yield* sys.write(out.value, bytes)
  sys.close(out.value)
  const back = yield* sys.open(path, O_RDONLY)
  sys.unlink(path)
  if (!back.ok) throw new RedirectionError(`cannot create temp file for here-document: ${strerror(back.errno)}`)
  return back.value
}
