/** nsenter and unshare, for the namespaces of networks and mounts. util-linux 2.38 sys-utils/nsenter.c, unshare.c */
import { encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { type Body, type Errno, type Sys, strerror } from '#kernel/core'

function* complain(sys: Sys, text: string): Body<number> {
  yield* sys.write(2, encodeUtf8(`${text}\n`))
  return 1
}

/** execvp(3), or the user's shell if there is nothing to run. */
function* become(sys: Sys, tool: string, argv: readonly string[]): Body<number> {
  const words = argv.length > 0 ? argv : [sys.env.get('SHELL') ?? '/bin/sh']
  const file = words[0]!
  const path = sys.env.get('PATH') ?? '/bin:/usr/bin'
  const places = file.includes('/') ? [file] : path.split(':').map((directory) => `${directory || '.'}/${file}`)
  let errno: Errno = 'ENOENT'
  for (const place of places) {
    if (!file.includes('/') && !sys.stat(place).ok) continue
    const done = yield* sys.exec(place, argv.length > 0 ? [...argv] : ['-sh'])
    if (done.ok) return done.value
    errno = done.errno
  }
  yield* complain(sys, `${tool}: failed to execute ${file}: ${strerror(errno)}`)
  return errno === 'ENOENT' ? 127 : 126
}

interface Wanted {
  /** The files named for the kinds; empty: the target's. */
  net: string | undefined
  mount: string | undefined
  target: string | undefined
  rest: string[]
}

/** `-n`, `-nFILE`, `--net`, `--net=FILE`; the first word that is no option begins the command. */
function parse(tool: string, argv: readonly string[]): Wanted | string {
  const wanted: Wanted = { net: undefined, mount: undefined, target: undefined, rest: [] }
  for (let i = 1; i < argv.length; i++) {
    const word = argv[i]!
    if (word === '--') {
      wanted.rest = argv.slice(i + 1)
      return wanted
    }
    if (!word.startsWith('-') || word === '-') {
      wanted.rest = argv.slice(i)
      return wanted
    }
    const net = /^(?:-n|--net=?)(.*)$/.exec(word)
    const mount = /^(?:-m|--mount=?)(.*)$/.exec(word)
    const target = /^(?:-t|--target=?)(.*)$/.exec(word)
    if (net) wanted.net = net[1]!
    else if (mount) wanted.mount = mount[1]!
    else if (target && tool === 'nsenter') wanted.target = target[1] || argv[++i]
    else if (/^(-F|--no-fork|-f|--fork)$/.test(word)) continue
    else if (/^(-[uipCUTarSGRwWZ]|--(uts|ipc|pid|cgroup|user|time|all|root|wd|setuid|setgid))/.test(word)) {
      throw new NotModelled(`${tool} ${word}`)
    } else {
      const name = word.startsWith('--') ? `unrecognized option '${word}'` : `invalid option -- '${word[1]}'`
      return `${tool}: ${name}\nTry '${tool} --help' for more information.`
    }
  }
  return wanted
}

export function* nsenter(sys: Sys, argv: string[]): Body<number> {
  const wanted = parse('nsenter', argv)
  if (typeof wanted === 'string') return yield* complain(sys, wanted)
  if (wanted.mount !== undefined) throw new NotModelled('nsenter --mount')
  if (wanted.net !== undefined) {
    if (wanted.net === '' && wanted.target === undefined) {
      return yield* complain(sys, 'nsenter: neither filename nor target pid supplied for ns/net')
    }
    const path = wanted.net !== '' ? wanted.net : `/proc/${wanted.target}/ns/net`
    const fd = yield* sys.open(path)
    if (!fd.ok) return yield* complain(sys, `nsenter: cannot open ${path}: ${strerror(fd.errno)}`)
    const entered = sys.setns(fd.value)
    sys.close(fd.value)
    if (!entered.ok) {
      return yield* complain(sys, `nsenter: reassociate to namespace '${path}' failed: ${strerror(entered.errno)}`)
    }
  }
  return yield* become(sys, 'nsenter', wanted.rest)
}

export function* unshare(sys: Sys, argv: string[]): Body<number> {
  const wanted = parse('unshare', argv)
  if (typeof wanted === 'string') return yield* complain(sys, wanted)
  if (wanted.net || wanted.mount) throw new NotModelled('unshare with a file for the namespace')
  if (wanted.mount !== undefined) sys.unshare('CLONE_NEWNS')
  if (wanted.net !== undefined) sys.unshare('CLONE_NEWNET')
  return yield* become(sys, 'unshare', wanted.rest)
}
