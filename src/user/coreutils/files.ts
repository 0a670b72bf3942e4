/** cp, mv, rm, mkdir, rmdir, mkfifo, ln, touch, chmod, truncate, mktemp: what changes the file system. */
import { type Body, O_CREAT, O_TRUNC, O_WRONLY, type Stat, strerror } from '#kernel/core'
import { formatTime } from '#user/shell'
import { parseDate } from './date.ts'
import { modeText } from './ls.ts'
import { defineTool, type Io, mtimeOf, needOperands, type Options, parseSize, quote, Reader } from './tool.ts'
import { baseName, dirName, join, walk } from './walk.ts'

function isDirectory(io: Io, path: string): boolean {
  const stat = io.sys.stat(path)
  return stat.ok && stat.value.type === 'directory'
}

/** Where each operand goes: into a directory, or onto the last operand. */
function* destinations(io: Io, options: Options, operands: string[]): Body<[from: string, to: string][] | undefined> {
  const directory = options.get('t')
  const wrong =
    operands.length === 0
      ? 'missing file operand'
      : operands.length < 2 && directory === undefined
        ? `missing destination file operand after ${quote(operands[0]!)}`
        : undefined
  if (wrong) {
    yield* io.usage(wrong, 1)
    return undefined
  }
  const target = directory ?? operands.pop()!
  if (directory !== undefined || (isDirectory(io, target) && !options.has('T'))) {
    if (!isDirectory(io, target)) {
      yield* io.fail(`target directory ${quote(target)}: No such file or directory`)
      return undefined
    }
    return operands.map((operand) => [operand, join(target, baseName(operand))])
  }
  if (operands.length > 1) {
    yield* io.fail(
      `target ${quote(target)}: ${io.sys.stat(target).ok ? 'Not a directory' : 'No such file or directory'}`,
    )
    return undefined
  }
  return [[operands[0]!, target]]
}

function* copyFile(io: Io, from: string, to: string, stat: Stat, verb = 'cannot open'): Body<boolean> {
  const source = yield* io.sys.open(from)
  if (!source.ok) {
    yield* io.fail(`${verb} ${quote(from)} for reading: ${strerror(source.errno)}`)
    return false
  }
  const target = yield* io.sys.open(to, O_WRONLY | O_CREAT | O_TRUNC, stat.mode & 0o777)
  if (!target.ok) {
    io.sys.close(source.value)
    yield* io.fail(`cannot create regular file ${quote(to)}: ${strerror(target.errno)}`)
    return false
  }
  let fine = true
  for (;;) {
    const got = yield* io.sys.read(source.value, 65536)
    if (!got.ok || got.value.length === 0) break
    const written = yield* io.sys.write(target.value, got.value)
    if (!written.ok) {
      yield* io.fail(`error writing ${quote(to)}: ${strerror(written.errno)}`)
      fine = false
      break
    }
  }
  io.sys.close(source.value)
  io.sys.close(target.value)
  return fine
}

function* copy(io: Io, options: Options, from: string, to: string, top: boolean): Body<boolean> {
  const archive = options.has('a')
  const keepLinks =
    archive ||
    options.has('d') ||
    options.has('P') ||
    ((options.has('r') || options.has('R')) && !options.has('L') && !(top && options.has('H')))
  const stat = keepLinks ? io.sys.lstat(from) : io.sys.stat(from)
  if (!stat.ok) {
    yield* io.fail(`cannot stat ${quote(from)}: ${strerror(stat.errno)}`)
    return false
  }
  const target = io.sys.lstat(to)
  if (target.ok && target.value.inode === stat.value.inode && stat.value.inode !== 0 && from === to) {
    yield* io.fail(`${quote(from)} and ${quote(to)} are the same file`)
    return false
  }
  if (stat.value.type === 'directory') {
    if (`${to}/`.startsWith(`${from}/`) && (options.has('r') || options.has('R') || archive)) {
      yield* io.fail(`cannot copy a directory, ${quote(from)}, into itself, ${quote(to)}`)
      return false
    }
    if (!options.has('r') && !options.has('R') && !archive) {
      yield* io.fail(`-r not specified; omitting directory ${quote(from)}`)
      return false
    }
    if (!target.ok) {
      const made = io.sys.mkdir(to, stat.value.mode & 0o777)
      if (!made.ok) {
        yield* io.fail(`cannot create directory ${quote(to)}: ${strerror(made.errno)}`)
        return false
      }
    } else if (target.value.type !== 'directory') {
      yield* io.fail(`cannot overwrite non-directory ${quote(to)} with directory ${quote(from)}`)
      return false
    }
    if (options.has('v')) yield* io.out(`${quote(from)} -> ${quote(to)}\n`)
    const names = io.sys.readdir(from)
    let fine = true
    if (names.ok)
      for (const name of names.value)
        if (name !== '.' && name !== '..' && !(yield* copy(io, options, join(from, name), join(to, name), false)))
          fine = false
    if (archive || options.has('p')) io.sys.utimes(to, stat.value.mtimeNs)
    return fine
  }
  if (target.ok) {
    if (target.value.type === 'directory') {
      yield* io.fail(`cannot overwrite directory ${quote(to)} with non-directory`)
      return false
    }
    if (options.last('n', 'i', 'f') === 'n') return true
    if (options.last('n', 'i') === 'i' && !(yield* confirmed(io, `overwrite ${quote(to)}? `))) return true
    if (options.has('u') && target.value.mtimeNs >= stat.value.mtimeNs) return true
    if (options.has('f') || options.has('remove-destination')) if (options.has('remove-destination')) io.sys.unlink(to)
  }
  if (options.has('v')) yield* io.out(`${quote(from)} -> ${quote(to)}\n`)
  if (options.has('l'))
    return yield* told(io, io.sys.link(from, to), `cannot create hard link ${quote(to)} to ${quote(from)}`)
  if (options.has('s'))
    return yield* told(io, io.sys.symlink(from, to), `cannot create symbolic link ${quote(to)} to ${quote(from)}`)
  if (stat.value.type === 'symlink') {
    const link = io.sys.readlink(from)
    if (target.ok) io.sys.unlink(to)
    return yield* told(io, io.sys.symlink(link.ok ? link.value : '', to), `cannot create symbolic link ${quote(to)}`)
  }
  if (stat.value.type === 'fifo' && (options.has('r') || options.has('R') || archive))
    return yield* told(io, io.sys.mkfifo(to, stat.value.mode), `cannot create fifo ${quote(to)}`)
  const done = yield* copyFile(io, from, to, stat.value)
  if (done && (archive || options.has('p'))) {
    io.sys.chmod(to, stat.value.mode)
    io.sys.utimes(to, stat.value.mtimeNs)
  }
  return done
}

/** Asks, and reads a line: whether it begins with y. */
function* confirmed(io: Io, question: string): Body<boolean> {
  yield* io.err(`${io.name}: ${question}`)
  const answer = yield* new Reader(io.sys, 0).line()
  return /^[yY]/.test(answer ?? '')
}

function* told(
  io: Io,
  result: { ok: true } | { ok: false; errno: Parameters<typeof strerror>[0] },
  what: string,
): Body<boolean> {
  if (result.ok) return true
  yield* io.fail(`${what}: ${strerror(result.errno)}`)
  return false
}

export const cp = defineTool({
  name: 'cp',
  short: 'abdfHilLnPprRst:TuvxZ',
  long: [
    { name: 'archive', as: 'a' },
    { name: 'force', as: 'f' },
    { name: 'interactive', as: 'i' },
    { name: 'link', as: 'l' },
    { name: 'dereference', as: 'L' },
    { name: 'no-clobber', as: 'n' },
    { name: 'no-dereference', as: 'P' },
    { name: 'preserve', as: 'p', argument: 'optional' },
    { name: 'recursive', as: 'r' },
    { name: 'symbolic-link', as: 's' },
    { name: 'target-directory', as: 't', argument: 'required' },
    { name: 'no-target-directory', as: 'T' },
    { name: 'update', as: 'u' },
    { name: 'verbose', as: 'v' },
    { name: 'remove-destination' },
  ],
  help: `Usage: cp [OPTION]... [-T] SOURCE DEST
  or:  cp [OPTION]... SOURCE... DIRECTORY
  or:  cp [OPTION]... -t DIRECTORY SOURCE...
Copy SOURCE to DEST, or several into DIRECTORY.

  -a, --archive             like -dR, and keep modes and times
  -f, --force               if a file can't be opened, remove it first
  -l, --link                hard links instead of copies
  -n, --no-clobber          leave what is there
  -p                        keep modes and times
  -P, --no-dereference      copy links as links
  -R, -r, --recursive       directories too
  -s, --symbolic-link       symbolic links instead of copies
  -t, --target-directory=DIRECTORY
  -T, --no-target-directory
  -u, --update              only if newer
  -v, --verbose             say what is done`,
  *run(io, options, operands) {
    const pairs = yield* destinations(io, options, operands)
    if (!pairs) return 1
    let fine = true
    for (const [from, to] of pairs)
      if (!(yield* copy(io, options, from.replace(/(.)\/+$/, '$1'), to, true))) fine = false
    return fine ? 0 : 1
  },
})

export const mv = defineTool({
  name: 'mv',
  short: 'bfint:Tuv',
  long: [
    { name: 'force', as: 'f' },
    { name: 'interactive', as: 'i' },
    { name: 'no-clobber', as: 'n' },
    { name: 'target-directory', as: 't', argument: 'required' },
    { name: 'no-target-directory', as: 'T' },
    { name: 'update', as: 'u' },
    { name: 'verbose', as: 'v' },
  ],
  help: `Usage: mv [OPTION]... [-T] SOURCE DEST
  or:  mv [OPTION]... SOURCE... DIRECTORY
  or:  mv [OPTION]... -t DIRECTORY SOURCE...
Rename SOURCE to DEST, or move several into DIRECTORY.

  -f, --force        don't ask
  -n, --no-clobber   leave what is there
  -t, --target-directory=DIRECTORY
  -T, --no-target-directory
  -u, --update       only if newer
  -v, --verbose      say what is done`,
  *run(io, options, operands) {
    const pairs = yield* destinations(io, options, operands)
    if (!pairs) return 1
    let fine = true
    for (const [from, to] of pairs) {
      const stat = io.sys.lstat(from)
      if (!stat.ok) {
        yield* io.fail(`cannot stat ${quote(from)}: ${strerror(stat.errno)}`)
        fine = false
        continue
      }
      const target = io.sys.lstat(to)
      if (target.ok && options.last('n', 'i', 'f') === 'n') continue
      if (target.ok && (stat.value.type === 'directory') !== (target.value.type === 'directory')) {
        yield* io.fail(
          stat.value.type === 'directory'
            ? `cannot overwrite non-directory ${quote(to)} with directory ${quote(from)}`
            : `cannot overwrite directory ${quote(to)} with non-directory`,
        )
        fine = false
        continue
      }
      if (target.ok && options.last('n', 'i', 'f') === 'i' && !(yield* confirmed(io, `overwrite ${quote(to)}? `)))
        continue
      if (target.ok && options.has('u') && target.value.mtimeNs >= stat.value.mtimeNs) continue
      if (target.ok && target.value.inode === stat.value.inode && from === to) {
        yield* io.fail(`${quote(from)} and ${quote(to)} are the same file`)
        fine = false
        continue
      }
      const done = io.sys.rename(from, to)
      if (!done.ok) {
        if (done.errno === 'EXDEV') {
          const copied = yield* copy(io, options, from, to, true)
          if (copied) yield* remove(io, from, options)
          continue
        }
        yield* io.fail(
          done.errno === 'EINVAL'
            ? `cannot move ${quote(from)} to a subdirectory of itself, ${quote(to)}`
            : `cannot move ${quote(from)} to ${quote(to)}: ${strerror(done.errno)}`,
        )
        fine = false
      } else if (options.has('v')) yield* io.out(`renamed ${quote(from)} -> ${quote(to)}\n`)
    }
    return fine ? 0 : 1
  },
})

function* remove(io: Io, path: string, options: Options): Body<boolean> {
  const all: [string, Stat][] = []
  walk(
    io.sys,
    path,
    () => {},
    (one, stat) => all.push([one, stat]),
  )
  let fine = true
  for (const [one, stat] of all) {
    const directory = stat.type === 'directory'
    const done = directory ? io.sys.rmdir(one) : io.sys.unlink(one)
    if (!done.ok) {
      yield* io.fail(`cannot remove ${quote(one)}: ${strerror(done.errno)}`)
      fine = false
    } else if (options.has('v')) yield* io.out(`removed ${directory ? 'directory ' : ''}${quote(one)}\n`)
  }
  return fine
}

export const rm = defineTool({
  name: 'rm',
  short: 'dfiIrRv',
  long: [
    { name: 'dir', as: 'd' },
    { name: 'force', as: 'f' },
    { name: 'recursive', as: 'r' },
    { name: 'verbose', as: 'v' },
    { name: 'interactive', as: 'i', argument: 'optional' },
    { name: 'no-preserve-root' },
    { name: 'preserve-root', argument: 'optional' },
  ],
  help: `Usage: rm [OPTION]... [FILE]...
Remove the FILEs.

  -f, --force           no complaints about what isn't there
  -r, -R, --recursive   directories and what is in them
  -d, --dir             empty directories
  -v, --verbose         say what is done
      --no-preserve-root  remove '/' too`,
  *run(io, options, operands) {
    if (operands.length === 0) return options.has('f') ? 0 : yield* io.usage('missing operand', 1)
    let fine = true
    for (const operand of operands) {
      const stat = io.sys.lstat(operand)
      if (!stat.ok) {
        if (options.has('f') && (stat.errno === 'ENOENT' || stat.errno === 'ENOTDIR')) continue
        yield* io.fail(`cannot remove ${quote(operand)}: ${strerror(stat.errno)}`)
        fine = false
        continue
      }
      if (stat.value.type === 'directory') {
        const recursive = options.has('r') || options.has('R')
        if (/^(.*\/)?\.\.?\/*$/.test(operand)) {
          yield* io.fail(`refusing to remove '.' or '..' directory: skipping ${quote(operand)}`)
          fine = false
          continue
        }
        if (recursive && /^\/+$/.test(operand) && !options.has('no-preserve-root')) {
          yield* io.err(
            `${io.name}: it is dangerous to operate recursively on '/'\n${io.name}: use --no-preserve-root to override this failsafe\n`,
          )
          return 1
        }
        if (!recursive && !options.has('d')) {
          yield* io.fail(`cannot remove ${quote(operand)}: Is a directory`)
          fine = false
          continue
        }
        if (!recursive) {
          if (!(yield* told(io, io.sys.rmdir(operand), `cannot remove ${quote(operand)}`))) fine = false
          continue
        }
      }
      if (options.last('i', 'f') === 'i' && stat.value.type !== 'directory') {
        const kind =
          stat.value.type === 'symlink'
            ? 'symbolic link'
            : stat.value.size === 0
              ? 'regular empty file'
              : 'regular file'
        if (!(yield* confirmed(io, `remove ${kind} ${quote(operand)}? `))) continue
      }
      if (!(yield* remove(io, operand, options))) fine = false
    }
    return fine ? 0 : 1
  },
})

/** An octal or symbolic mode applied to what is there; undefined if it is none. */
export function changedMode(spec: string, mode: number, directory: boolean, umask: number): number | undefined {
  if (/^[0-7]{1,4}$/.test(spec)) return Number.parseInt(spec, 8)
  let result = mode
  for (const clause of spec.split(',')) {
    const match = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/.exec(clause)
    if (!match) return undefined
    const everyone = match[1] === ''
    const who = everyone || match[1]!.includes('a') ? 'ugo' : match[1]!
    for (const action of match[2]!.matchAll(/([-+=])([rwxXst]*|[ugo])/g)) {
      let bits = 0
      for (const letter of action[2]!) {
        const three =
          letter === 'r'
            ? 4
            : letter === 'w'
              ? 2
              : letter === 'x' || (letter === 'X' && (directory || (result & 0o111) !== 0))
                ? 1
                : letter === 'u'
                  ? (result >> 6) & 7
                  : letter === 'g'
                    ? (result >> 3) & 7
                    : letter === 'o'
                      ? result & 7
                      : 0
        for (const one of who) bits |= three << { u: 6, g: 3, o: 0 }[one as 'u' | 'g' | 'o']
        if (letter === 's') bits |= (who.includes('u') ? 0o4000 : 0) | (who.includes('g') ? 0o2000 : 0)
        if (letter === 't') bits |= 0o1000
      }
      if (everyone) bits &= ~umask
      let mask = 0
      for (const one of who) mask |= 7 << { u: 6, g: 3, o: 0 }[one as 'u' | 'g' | 'o']
      if (action[1] === '+') result |= bits
      else if (action[1] === '-') result &= ~bits
      else {
        const special = directory ? 0 : (who.includes('u') ? 0o4000 : 0) | (who.includes('g') ? 0o2000 : 0)
        result = (result & ~(mask | special)) | bits
      }
    }
  }
  return result
}

export const chmod = defineTool({
  name: 'chmod',
  short: 'cfvR',
  long: [
    { name: 'recursive', as: 'R' },
    { name: 'verbose', as: 'v' },
    { name: 'quiet', as: 'f' },
    { name: 'silent', as: 'f' },
    { name: 'changes', as: 'c' },
    { name: 'reference', argument: 'required' },
  ],
  prepare: (argv) => {
    const at = argv.findIndex((word, i) => i > 0 && /^-[rwxXst]+$/.test(word))
    return at < 0 ? argv : [...argv.slice(0, at), '--', ...argv.slice(at)]
  },
  help: `Usage: chmod [OPTION]... MODE[,MODE]... FILE...
  or:  chmod [OPTION]... OCTAL-MODE FILE...
Change the mode of each FILE.

  -R, --recursive   and of everything below directories
  -v, --verbose     say what is done
  -f, --silent      no complaints

MODE is [ugoa]*([-+=]([rwxXst]*|[ugo]))+ or up to four octal digits.`,
  *run(io, options, operands) {
    const reference = options.get('reference')
    const wrong = yield* needOperands(io, operands, reference === undefined ? 2 : 1)
    if (wrong !== undefined) return wrong
    let [spec, ...files] = operands as [string, ...string[]]
    if (reference !== undefined) {
      const stat = io.sys.stat(reference)
      if (!stat.ok) {
        yield* io.fail(`failed to get attributes of ${quote(reference)}: ${strerror(stat.errno)}`)
        return 1
      }
      files = operands
      spec = stat.value.mode.toString(8)
    }
    /** A mode that could have been an option. */
    const minus = spec.startsWith('-')
    if (changedMode(spec, 0, false, 0) === undefined) return yield* io.usage(`invalid mode: ${io.quote(spec)}`, 1)
    let fine = true
    const umask = io.sys.umask()
    for (const file of files) {
      const stat = io.sys.stat(file)
      if (!stat.ok) {
        if (!options.has('f'))
          yield* io.fail(
            io.sys.lstat(file).ok
              ? `cannot operate on dangling symlink ${quote(file)}`
              : `cannot access ${quote(file)}: ${strerror(stat.errno)}`,
          )
        fine = false
        continue
      }
      const targets: [string, Stat][] = []
      if (options.has('R')) walk(io.sys, file, (path, one) => one.type !== 'symlink' && targets.push([path, one]))
      else targets.push([file, stat.value])
      for (const [path, one] of targets) {
        const directory = one.type === 'directory'
        let mode = changedMode(spec, one.mode, directory, umask)!
        // Four digits leave a directory's set-id bits as they are.
        if (directory && /^[0-7]{1,4}$/.test(spec)) mode |= one.mode & 0o6000
        if (!(yield* told(io, io.sys.chmod(path, mode), `changing permissions of ${quote(path)}`))) {
          fine = false
          continue
        }
        const changed = mode !== one.mode
        const named = (bits: number) =>
          `${bits.toString(8).padStart(4, '0')} (${modeText({ ...one, mode: bits }).slice(1)})`
        if (options.has('v') || (options.has('c') && changed))
          yield* io.out(
            changed
              ? `mode of ${quote(path)} changed from ${named(one.mode)} to ${named(mode)}\n`
              : `mode of ${quote(path)} retained as ${named(mode)}\n`,
          )
        // What `-w` or `+x` was kept from by the umask is told.
        const wanted = minus ? changedMode(spec, one.mode, directory, 0)! : mode
        if (wanted !== mode) {
          const text = (bits: number) => modeText({ ...one, mode: bits }).slice(1)
          yield* io.fail(`${path}: new permissions are ${text(mode)}, not ${text(wanted)}`)
          fine = false
        }
      }
    }
    return fine ? 0 : 1
  },
})

export const mkdir = defineTool({
  name: 'mkdir',
  short: 'm:pvZ',
  long: [
    { name: 'mode', as: 'm', argument: 'required' },
    { name: 'parents', as: 'p' },
    { name: 'verbose', as: 'v' },
  ],
  help: `Usage: mkdir [OPTION]... DIRECTORY...
Make directories.

  -m, --mode=MODE   their mode, as chmod has it
  -p, --parents     those above too; no complaint if they are there
  -v, --verbose     say what is done`,
  *run(io, options, operands) {
    const wrong = yield* needOperands(io, operands, 1)
    if (wrong !== undefined) return wrong
    const spec = options.get('m')
    if (spec !== undefined && changedMode(spec, 0, true, 0) === undefined) {
      yield* io.fail(`invalid mode ${io.quote(spec)}`)
      return 1
    }
    let fine = true
    for (const operand of operands) {
      const paths = [operand]
      if (options.has('p'))
        for (let path = dirName(operand); path !== '.' && path !== '/' && !io.sys.stat(path).ok; path = dirName(path))
          paths.unshift(path)
      for (const path of paths) {
        const made = io.sys.mkdir(path)
        if (made.ok) {
          if (spec !== undefined && path === operand)
            io.sys.chmod(path, changedMode(spec, 0o777, true, io.sys.umask())!)
          if (options.has('v')) yield* io.out(`${io.name}: created directory ${quote(path)}\n`)
        } else if (!(options.has('p') && made.errno === 'EEXIST' && isDirectory(io, path))) {
          const errno = made.errno === 'EEXIST' && path !== operand ? 'ENOTDIR' : made.errno
          yield* io.fail(`cannot create directory ${io.quote(path)}: ${strerror(errno)}`)
          fine = false
          break
        }
      }
    }
    return fine ? 0 : 1
  },
})

export const rmdir = defineTool({
  name: 'rmdir',
  short: 'pv',
  long: [{ name: 'ignore-fail-on-non-empty' }, { name: 'parents', as: 'p' }, { name: 'verbose', as: 'v' }],
  help: `Usage: rmdir [OPTION]... DIRECTORY...
Remove empty directories.

      --ignore-fail-on-non-empty
  -p, --parents    those above too
  -v, --verbose    say what is done`,
  *run(io, options, operands) {
    const wrong = yield* needOperands(io, operands, 1)
    if (wrong !== undefined) return wrong
    for (const operand of operands) {
      for (let path = operand; ; path = dirName(path)) {
        if (options.has('v')) yield* io.out(`${io.name}: removing directory, ${quote(path)}\n`)
        const done = io.sys.rmdir(path)
        if (!done.ok && done.errno === 'ENOTEMPTY' && options.has('ignore-fail-on-non-empty')) break
        if (!done.ok && !(done.errno === 'ENOTEMPTY' && options.has('ignore-fail-on-non-empty'))) {
          yield* io.fail(`failed to remove ${quote(path)}: ${strerror(done.errno)}`)
          break
        }
        if (!options.has('p') || dirName(path) === '.' || dirName(path) === '/') break
      }
    }
    return 0
  },
})

export const mkfifo = defineTool({
  name: 'mkfifo',
  short: 'm:Z',
  long: [{ name: 'mode', as: 'm', argument: 'required' }],
  help: `Usage: mkfifo [OPTION]... NAME...
Make named pipes.

  -m, --mode=MODE   their mode, as chmod has it`,
  *run(io, options, operands) {
    const wrong = yield* needOperands(io, operands, 1)
    if (wrong !== undefined) return wrong
    for (const operand of operands) {
      if (!(yield* told(io, io.sys.mkfifo(operand, 0o666), `cannot create fifo ${quote(operand)}`))) continue
      const spec = options.get('m')
      if (spec !== undefined) io.sys.chmod(operand, changedMode(spec, 0o666, false, 0) ?? 0o666)
    }
    return 0
  },
})

/** A path from the root, without dots. */
function absolute(io: Io, path: string): string {
  const parts: string[] = []
  for (const part of join(path.startsWith('/') ? '/' : io.sys.getcwd(), path).split('/'))
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  return `/${parts.join('/')}`
}

/** How one gets from a directory to a path; both absolute. */
export function relativePath(from: string, to: string): string {
  const [a, b] = [from, to].map((path) => path.split('/').filter(Boolean)) as [string[], string[]]
  let same = 0
  while (same < a.length && same < b.length && a[same] === b[same]) same++
  return [...a.slice(same).map(() => '..'), ...b.slice(same)].join('/') || '.'
}

export const ln = defineTool({
  name: 'ln',
  short: 'bfinLPrst:Tv',
  long: [
    { name: 'force', as: 'f' },
    { name: 'no-dereference', as: 'n' },
    { name: 'relative', as: 'r' },
    { name: 'symbolic', as: 's' },
    { name: 'target-directory', as: 't', argument: 'required' },
    { name: 'no-target-directory', as: 'T' },
    { name: 'verbose', as: 'v' },
  ],
  help: `Usage: ln [OPTION]... [-T] TARGET LINK_NAME
  or:  ln [OPTION]... TARGET
  or:  ln [OPTION]... TARGET... DIRECTORY
Make links.

  -f, --force            replace what is there
  -n, --no-dereference   a link to a directory is a file
  -s, --symbolic         symbolic links
  -T, --no-target-directory
  -v, --verbose          say what is done`,
  *run(io, options, operands) {
    if (operands.length === 0) return yield* io.usage('missing file operand', 1)
    const pairs: [string, string][] = []
    if (operands.length === 1 && !options.has('t')) pairs.push([operands[0]!, `./${baseName(operands[0]!)}`])
    else {
      const target = options.get('t') ?? operands.pop()!
      const link = io.sys.lstat(target)
      const into =
        isDirectory(io, target) && !options.has('T') && !(options.has('n') && link.ok && link.value.type === 'symlink')
      if (into) for (const operand of operands) pairs.push([operand, join(target, baseName(operand))])
      else if (operands.length > 1) {
        yield* io.fail(
          `target ${quote(target)}: ${io.sys.stat(target).ok ? 'Not a directory' : 'No such file or directory'}`,
        )
        return 1
      } else pairs.push([operands[0]!, target])
    }
    for (const [given, to] of pairs) {
      if (options.has('f')) io.sys.unlink(to)
      const from =
        options.has('r') && options.has('s') ? relativePath(absolute(io, dirName(to)), absolute(io, given)) : given
      if (!options.has('s')) {
        const stat = io.sys.stat(from)
        if (!stat.ok) {
          yield* io.fail(`failed to access ${quote(from)}: ${strerror(stat.errno)}`)
          continue
        }
        if (stat.value.type === 'directory') {
          yield* io.fail(`${from}: hard link not allowed for directory`)
          continue
        }
      }
      const done = options.has('s') ? io.sys.symlink(from, to) : io.sys.link(from, to)
      const what = options.has('s') ? 'symbolic link' : 'hard link'
      if (!done.ok)
        yield* io.fail(
          `failed to create ${what} ${quote(to)}${done.errno === 'EEXIST' ? '' : options.has('s') ? (from === '' ? " -> ''" : '') : ` => ${quote(from)}`}: ${strerror(done.errno)}`,
        )
      else if (options.has('v')) yield* io.out(`${quote(to)} ${options.has('s') ? '->' : '=>'} ${quote(from)}\n`)
    }
    return 0
  },
})

/** touch -t: [[CC]YY]MMDDhhmm[.ss]. */
function parseStamp(text: string, now: { s: number; ns: number }): { s: number; ns: number } | undefined {
  const match = /^((\d\d)?(\d\d))?(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d\d))?$/.exec(text)
  if (!match) return undefined
  const [, whole, century, year, month, day, hour, minute, second = '00'] = match
  const full = whole === undefined ? formatTime('%Y', now.s) : `${century ?? (Number(year) < 69 ? '20' : '19')}${year}`
  return parseDate(`${full}-${month}-${day} ${hour}:${minute}:${second}`, now)
}

export const touch = defineTool({
  name: 'touch',
  short: 'acd:fhmr:t:',
  long: [
    { name: 'no-create', as: 'c' },
    { name: 'date', as: 'd', argument: 'required' },
    { name: 'reference', as: 'r', argument: 'required' },
  ],
  help: `Usage: touch [OPTION]... FILE...
Set the times of each FILE to now; make it if it isn't there.

  -c, --no-create       make none
  -d, --date=STRING     that time, as date(1) has it
  -r, --reference=FILE  that file's times`,
  *run(io, options, operands) {
    if (operands.length === 0) return yield* io.usage('missing file operand', 1)
    const now = io.sys.realtime()
    let ns = io.sys.labNs()
    const stamp = options.get('t')
    const date = stamp ?? options.get('d')
    if (date !== undefined) {
      const parsed = stamp === undefined ? parseDate(date, now) : parseStamp(stamp, now)
      if (!parsed) {
        yield* io.fail(`invalid date format ${io.quote(date)}`)
        return 1
      }
      ns = mtimeOf(io.sys, parsed)
    }
    const reference = options.get('r')
    if (reference !== undefined) {
      const stat = io.sys.stat(reference)
      if (!stat.ok) {
        yield* io.fail(`failed to get attributes of ${quote(reference)}: ${strerror(stat.errno)}`)
        return 1
      }
      ns = stat.value.mtimeNs
    }
    for (const operand of operands) {
      if (options.has('h') && io.sys.lstat(operand).ok && !io.sys.stat(operand).ok) continue
      if (!io.sys.stat(operand).ok) {
        if (options.has('c')) continue
        const made = yield* io.sys.open(operand, O_WRONLY | O_CREAT, 0o666)
        if (!made.ok) {
          yield* io.fail(`cannot touch ${quote(operand)}: ${strerror(made.errno)}`)
          continue
        }
        io.sys.close(made.value)
        if (date === undefined && reference === undefined) continue
      }
      yield* told(io, io.sys.utimes(operand, ns), `setting times of ${quote(operand)}`)
    }
    return 0
  },
})

export const truncate = defineTool({
  name: 'truncate',
  short: 'cos:r:',
  long: [
    { name: 'no-create', as: 'c' },
    { name: 'size', as: 's', argument: 'required' },
  ],
  help: `Usage: truncate OPTION... FILE...
Make each FILE that long.

  -c, --no-create   make none
  -s, --size=SIZE   the length; with + or - in front, that much more or less`,
  *run(io, options, operands) {
    if (operands.length === 0) return yield* io.usage('missing file operand', 1)
    const text = options.get('s')
    if (text === undefined)
      return yield* io.usage(`you must specify either ${io.quote('--size')} or ${io.quote('--reference')}`, 1)
    const size = parseSize(text.replace(/^[-+]/, ''))
    if (size === undefined) {
      yield* io.fail(`Invalid number: ${io.quote(text)}`)
      return 1
    }
    for (const operand of operands) {
      if (options.has('c') && !io.sys.stat(operand).ok) continue
      const opened = yield* io.sys.open(operand, O_WRONLY | O_CREAT, 0o666)
      if (!opened.ok) {
        yield* io.fail(`cannot open ${quote(operand)} for writing: ${strerror(opened.errno)}`)
        continue
      }
      const stat = io.sys.fstat(opened.value)
      const before = stat.ok ? stat.value.size : 0
      io.sys.truncate(
        opened.value,
        text.startsWith('+') ? before + size : text.startsWith('-') ? Math.max(0, before - size) : size,
      )
      io.sys.close(opened.value)
    }
    return 0
  },
})

export const mktemp = defineTool({
  name: 'mktemp',
  short: 'dqup:t',
  long: [
    { name: 'directory', as: 'd' },
    { name: 'dry-run', as: 'u' },
    { name: 'quiet', as: 'q' },
    { name: 'tmpdir', as: 'p', argument: 'optional' },
  ],
  help: `Usage: mktemp [OPTION]... [TEMPLATE]
Make a file, or a directory, with a name that no other has.

  -d, --directory   a directory
  -p DIR, --tmpdir[=DIR]   there
  -u, --dry-run     only a name`,
  *run(io, options, operands) {
    const template = operands[0] ?? 'tmp.XXXXXXXXXX'
    const xs = /X{3,}(?=[^X]*$)/.exec(template)
    if (!xs) {
      yield* io.fail(`too few X's in template ${io.quote(template)}`)
      return 1
    }
    const directory = options.has('p')
      ? options.get('p') || (io.sys.env.get('TMPDIR') ?? '/tmp')
      : operands[0] === undefined || options.has('t')
        ? (io.sys.env.get('TMPDIR') ?? '/tmp')
        : undefined
    const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
    let seed = (io.sys.pid * 2654435761 + Math.floor(io.sys.monotonicNs())) % 4294967296
    for (let tries = 0; tries < 100; tries++) {
      let name = ''
      for (let i = 0; i < xs[0].length; i++) {
        seed = (seed * 1664525 + 1013904223) % 4294967296
        name += letters[Math.floor((seed / 4294967296) * letters.length)]
      }
      const full = template.slice(0, xs.index) + name + template.slice(xs.index + xs[0].length)
      const path = directory === undefined ? full : join(directory, full)
      if (io.sys.lstat(path).ok) continue
      if (!options.has('u')) {
        if (options.has('d')) {
          const made = io.sys.mkdir(path, 0o700)
          if (!made.ok) {
            yield* io.fail(
              `failed to create directory via template ${io.quote(directory === undefined ? template : join(directory, template))}: ${strerror(made.errno)}`,
            )
            return 1
          }
        } else {
          const made = yield* io.sys.open(path, O_WRONLY | O_CREAT, 0o600)
          if (!made.ok) {
            yield* io.fail(
              `failed to create file via template ${io.quote(directory === undefined ? template : join(directory, template))}: ${strerror(made.errno)}`,
            )
            return 1
          }
        }
      }
      yield* io.out(`${path}\n`)
      return 0
    }
    return 1
  },
})
