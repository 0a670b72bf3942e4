/** `ip netns`, and what `ip -n` does first. iproute2 6.1 ip/ipnetns.c, lib/namespace.c */

import { encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import { type Body, O_CREAT, O_EXCL, type Sys, type SysResult, strerror } from '#kernel/core'
import type { LinkMessage, NetnsMessage } from '#kernel/net'
import type { Session } from './session.ts'
import { EXIT_USAGE, parseInteger, Refusal, type Words, wrongArgument } from './words.ts'

export const NETNS_RUN_DIR = '/run/netns'
const NETNS_ETC_DIR = '/etc/netns'

export const netnsHelp = `Usage:	ip netns list
	ip netns add NAME
	ip netns attach NAME PID
	ip netns set NAME NETNSID
	ip [-all] netns delete [NAME]
	ip netns identify [PID]
	ip netns pids NAME
	ip [-all] netns exec [NAME] cmd ...
	ip netns monitor
	ip netns list-id [target-nsid POSITIVE-INT] [nsid POSITIVE-INT]
NETNSID := auto | POSITIVE-INT
`

function pathOf(name: string): string {
  return `${NETNS_RUN_DIR}/${name}`
}

function names(sys: Sys): string[] {
  const listed = sys.readdir(NETNS_RUN_DIR)
  return listed.ok ? listed.value : []
}

function refused(text: string, status = 1): Refusal {
  return new Refusal(`${text}\n`, status)
}

function failed(result: SysResult<unknown>): string {
  return result.ok ? '' : strerror(result.errno)
}

/** Enters a namespace as `ip netns exec` and `ip -n` do: its network, its /sys, its files of /etc. netns_switch(). */
export function* switchNetns(sys: Sys, name: string): Body<string | undefined> {
  const fd = yield* sys.open(pathOf(name), 0)
  if (!fd.ok) return `Cannot open network namespace "${name}": ${strerror(fd.errno)}\n`
  const entered = sys.setns(fd.value)
  sys.close(fd.value)
  if (!entered.ok) return `setting the network namespace "${name}" failed: ${strerror(entered.errno)}\n`
  sys.unshare('CLONE_NEWNS')
  sys.umount('/sys')
  sys.mount(name, '/sys', 'sysfs')
  const own = sys.readdir(`${NETNS_ETC_DIR}/${name}`)
  for (const file of own.ok ? own.value : []) {
    const from = `${NETNS_ETC_DIR}/${name}/${file}`
    const to = `/etc/${file}`
    const bound = sys.mount(from, to, 'bind')
    if (!bound.ok) yield* sys.write(2, encodeUtf8(`Bind ${from} -> ${to} failed: ${strerror(bound.errno)}\n`))
  }
  return undefined
}

/** The number that a name's namespace is known by; undefined if it is none, -1 if it has no number. */
function* numberOf(session: Session, sys: Sys, name: string, loud: boolean): Body<number> {
  const fd = yield* sys.open(pathOf(name), 0)
  if (!fd.ok) return -1
  const answer = sys.netlink({ type: 'RTM_GETNSID', fd: fd.value } as { type: string })
  sys.close(fd.value)
  if (answer.ok) return (answer.messages[0] as NetnsMessage).nsid
  if (loud) session.out.error(`Error: ${answer.extack}.\n`)
  return -1
}

/** Finds the names of the namespaces that other ends of links are in, if any is elsewhere. iproute2: get_name_from_nsid() */
export function* readNetnsNames(session: Session, sys: Sys): Body<void> {
  const links = session.ask<LinkMessage>({ type: 'RTM_GETLINK' })
  if (!links.some((link) => link.linkNetnsId !== undefined)) return
  const known = new Map<number, string>()
  for (const name of names(sys)) {
    const id = yield* numberOf(session, sys, name, false)
    if (id >= 0) known.set(id, name)
  }
  session.netnsNames = known
}

export function* listNetns(session: Session, _words: Words, sys: Sys): Body<number> {
  const { out, options } = session
  // The tool asks for all numbers once to remember them, and again for each name.
  for (const name of names(sys)) yield* numberOf(session, sys, name, true)
  for (const name of names(sys)) yield* numberOf(session, sys, name, true)
  out.begin(options.json)
  for (const name of names(sys)) {
    const id = yield* numberOf(session, sys, name, false)
    out.openObject()
    out.field('name', name, name)
    if (id >= 0) out.field('id', id, ` (id: ${id})`)
    out.text('\n')
    out.close()
  }
  out.end()
  return 0
}

export function* listNetnsIds(session: Session, words: Words, sys: Sys): Body<number> {
  const { out, options } = session
  let target: number | undefined
  let nsid: number | undefined
  for (; words.more; words.advance()) {
    const key = words.current
    if (key !== 'target-nsid' && key !== 'nsid') throw new Refusal(netnsHelp, EXIT_USAGE)
    const value = parseInteger(words.value())
    const what = key === 'nsid' ? '"nsid" value is invalid' : '"target-nsid" value is invalid'
    if (value === undefined || value < 0) throw wrongArgument(words.current, what)
    if (key === 'nsid') nsid = value
    else target = value
  }
  const known = new Map<number, string>()
  for (const name of names(sys)) {
    const id = yield* numberOf(session, sys, name, false)
    if (id >= 0 && !known.has(id)) known.set(id, name)
  }
  let messages: NetnsMessage[]
  if (nsid !== undefined) {
    const asked: Record<string, unknown> = { type: 'RTM_GETNSID', nsid }
    if (target !== undefined) asked.targetNsid = target
    messages = session.ask(asked as never)
  } else {
    const asked: Record<string, unknown> = { type: 'RTM_GETNSID', dump: true }
    if (target !== undefined) asked.targetNsid = target
    const answer = sys.netlink(asked as { type: string })
    if (!answer.ok) throw new Refusal(`Error: ${answer.extack}.\nDump terminated\n`, 1)
    messages = answer.messages as NetnsMessage[]
  }
  out.begin(options.json)
  for (const { nsid: id } of messages) {
    if (id < 0) continue
    const name = known.get(id)
    out.openObject()
    out.field('nsid', id, `nsid ${id} `)
    if (name !== undefined) out.field('name', name, `(iproute2 netns name: ${name})`)
    out.text('\n')
    out.close()
  }
  out.end()
  return 0
}

function checkName(words: Words): string {
  const name = words.current
  if (name === '' || name.length >= 255 || name.includes('/') || name === '.' || name === '..') {
    throw refused(`Invalid netns name "${name}"`, EXIT_USAGE)
  }
  return name
}

/** Whatever the command, its first word is looked at. do_netns(). */
function givenName(session: Session, words: Words, missing: string): string {
  if (!session.options.all && words.more) checkName(words)
  if (!words.more) throw refused(missing)
  return words.current
}

export function* addNetns(session: Session, words: Words, sys: Sys): Body<number> {
  const name = givenName(session, words, 'No netns name specified')
  return yield* make(sys, name, function* (path) {
    const pid = sys.fork(function* (child) {
      const unshared = child.unshare('CLONE_NEWNET')
      const bound = unshared.ok ? child.mount('/proc/self/ns/net', path, 'bind') : unshared
      return bound.ok ? 0 : 1
    })
    const done = yield* sys.waitpid(pid)
    if (!done.ok || done.value?.exit !== 0) return `Failed to create a new network namespace "${name}": failure`
    return undefined
  })
}

export function* attachNetns(session: Session, words: Words, sys: Sys): Body<number> {
  const name = givenName(session, words, 'No netns name and PID specified')
  words.advance()
  if (!words.more) throw refused('No netns name and PID specified')
  const pid = words.current
  if (!/^\d+$/.test(pid)) throw refused(`Invalid PID: ${pid}`, EXIT_USAGE)
  return yield* make(sys, name, function* (path) {
    const from = `/proc/${pid}/ns/net`
    const bound = sys.mount(from, path, 'bind')
    return bound.ok ? undefined : `Bind ${from} -> ${path} failed: ${failed(bound)}`
  })
}

/** The name's file, and over it the namespace. netns_add(). */
function* make(sys: Sys, name: string, bind: (path: string) => Body<string | undefined>): Body<number> {
  const made = sys.mkdir(NETNS_RUN_DIR, 0o755)
  if (!made.ok && made.errno !== 'EEXIST') throw refused(`mkdir ${NETNS_RUN_DIR} failed: ${failed(made)}`)
  const path = pathOf(name)
  const fd = yield* sys.open(path, O_CREAT | O_EXCL, 0)
  if (!fd.ok) throw refused(`Cannot create namespace file "${path}": ${failed(fd)}`)
  sys.close(fd.value)
  const why = yield* bind(path)
  if (why === undefined) return 0
  sys.unlink(path)
  throw refused(why)
}

export function* setNetns(session: Session, words: Words, sys: Sys): Body<number> {
  const name = givenName(session, words, 'No netns name specified')
  words.advance()
  if (!words.more) throw refused('No nsid specified')
  let nsid = -1
  if (words.current !== 'auto') {
    const value = parseInteger(words.current)
    if (value === undefined) throw wrongArgument(words.current, 'Invalid "netnsid" value\n')
    if (value < 0) throw wrongArgument(words.current, '"netnsid" value should be >= 0\n')
    nsid = value
  }
  const fd = yield* sys.open(pathOf(name), 0)
  if (!fd.ok) throw refused(`Cannot open network namespace "${name}": ${failed(fd)}`)
  try {
    session.ask({ type: 'RTM_NEWNSID', fd: fd.value, nsid } as never)
  } finally {
    sys.close(fd.value)
  }
  return 0
}

export function deleteNetns(session: Session, words: Words, sys: Sys): number {
  if (session.options.all) {
    for (const name of names(sys)) remove(sys, name)
    return 0
  }
  remove(sys, givenName(session, words, 'No netns name specified'))
  return 0
}

function remove(sys: Sys, name: string): void {
  const path = pathOf(name)
  sys.umount(path)
  const gone = sys.unlink(path)
  if (!gone.ok) throw refused(`Cannot remove namespace file "${path}": ${failed(gone)}`)
}

/** Device and inode number say whether two files are one namespace. */
function inodeOf(sys: Sys, path: string): number | undefined {
  const stat = sys.stat(path)
  return stat.ok ? stat.value.inode : undefined
}

export function identifyNetns(session: Session, words: Words, sys: Sys): number {
  let pid = 'self'
  if (words.more) {
    pid = words.current
    words.advance()
    if (words.more) throw refused('extra arguments specified')
    if (!/^\d+$/.test(pid)) throw refused(`Specified string '${pid}' is not a pid`)
  }
  const own = inodeOf(sys, `/proc/${pid}/ns/net`)
  if (own === undefined) throw refused('Cannot open network namespace: No such file or directory')
  let found = ''
  for (const name of names(sys)) if (inodeOf(sys, pathOf(name)) === own) found = name
  session.out.raw(`${found}\n`)
  return 0
}

export function netnsPids(session: Session, words: Words, sys: Sys): number {
  const name = givenName(session, words, 'No netns name specified')
  const own = inodeOf(sys, pathOf(name))
  if (own === undefined) throw refused('Cannot open network namespace: No such file or directory')
  const processes = sys.readdir('/proc')
  for (const pid of processes.ok ? processes.value : []) {
    if (/^\d+$/.test(pid) && inodeOf(sys, `/proc/${pid}/ns/net`) === own) session.out.raw(`${pid}\n`)
  }
  return 0
}

/** execvp(3). */
export function* executeHere(sys: Sys, argv: readonly string[]): Body<number> {
  const file = argv[0]!
  const path = sys.env.get('PATH') ?? '/bin:/usr/bin'
  const places = file.includes('/') ? [file] : path.split(':').map((directory) => `${directory || '.'}/${file}`)
  let errno: Parameters<typeof strerror>[0] = 'ENOENT'
  for (const place of places) {
    if (!file.includes('/') && !sys.stat(place).ok) continue
    const done = yield* sys.exec(place, [...argv])
    if (done.ok) return done.value
    errno = done.errno
  }
  yield* sys.write(2, encodeUtf8(`exec of "${file}" failed: ${strerror(errno)}\n`))
  return 1
}

/** The rest of a command line. */
function remaining(words: Words): string[] {
  const list: string[] = []
  for (; words.more; words.advance()) list.push(words.current)
  return list
}

export function* execNetns(session: Session, words: Words, sys: Sys): Body<number> {
  const { all } = session.options
  if (!all) {
    const name = givenName(session, words, 'No netns name specified')
    words.advance()
    if (!words.more) throw refused('No command specified')
    const why = yield* switchNetns(sys, name)
    if (why !== undefined) throw new Refusal(why, EXIT_USAGE)
    return yield* executeHere(sys, remaining(words))
  }
  if (!words.more) throw refused('No command specified')
  const argv = remaining(words)
  for (const name of names(sys)) {
    yield* sys.write(1, encodeUtf8(`\nnetns: ${name}\n`))
    const pid = sys.fork(function* (child) {
      const why = yield* switchNetns(child, name)
      if (why === undefined) return yield* executeHere(child, argv)
      yield* child.write(2, encodeUtf8(why))
      return 1
    })
    yield* sys.waitpid(pid)
  }
  return 0
}

export function monitorNetns(): number {
  throw new NotModelled('ip netns monitor')
}
