/**
 * Programs that keepalived runs: how the configuration names them, whether they may be run, and running them in a process group of
 * their own, with nothing to read and nowhere to write.
 *
 * keepalived 2.2.7 lib/notify.c: notify_script_init(), check_script_secure(), system_call_script()
 */
import { NotModelled } from '#base/check'
import { type Body, readTextFile, type Signal, type Sys, strerror } from '#kernel/core'
import type { Log } from './log.ts'
import type { GlobalConfig } from './model.ts'
import type { Reader } from './reader.ts'
import { splitScript } from './words.ts'

export interface Script {
  args: string[]
  /** Run as it is, not by a shell. */
  direct: boolean
}

/** What a check found. */
export interface Verdict {
  /** It isn't there, or may not be run. */
  disabled: boolean
  missing: boolean
  inhibited: boolean
  isScript: boolean
  insecure: boolean
}

export interface ScriptContext {
  reader: Reader
  log: Log
  global: GlobalConfig
  /** Who is in /etc/passwd. */
  users: ReadonlyMap<string, number>
}

/** The words of a line, as scripts are written. */
function scriptWords({ reader, log }: ScriptContext, line: string): string[] | undefined {
  const words = splitScript(line)
  if (Array.isArray(words)) return words.length > 0 ? words : undefined
  if ('missing' in words) reader.report('UNMATCHED_QUOTE', `String '${line}': missing terminating ${words.missing}`)
  else log.info(`Missing escape char at end: '${line}'`)
  return undefined
}

/** The program and its arguments stand in the line's second word. */
export function scriptOf(context: ScriptContext, line: string): { script: Script; rest: string[] } | undefined {
  const words = scriptWords(context, line)
  const named = words?.[1]
  const args = named === undefined ? undefined : scriptWords(context, named)
  return args && { script: { args, direct: false }, rest: words!.slice(2) }
}

/** Says who does not exist; whether he can't be. */
function unknownUser({ log, users }: ScriptContext, user: string): boolean {
  const uid = users.get(user)
  if (uid === undefined) {
    log.info(`Script user '${user}' does not exist`)
    return true
  }
  if (uid !== 0) throw new NotModelled(`keepalived: scripts run by the user ${user}`)
  return false
}

/** script_user of global_defs. */
export function setDefaultUser(context: ScriptContext, user: string): boolean {
  context.global.scriptUser = { known: !unknownUser(context, user) }
  return context.global.scriptUser.known
}

/** Who runs what says nothing of it: keepalived_script if he exists, else root. Whether nobody can. */
export function noDefaultUser(context: ScriptContext): boolean {
  const { global, reader } = context
  if (!global.scriptUser) {
    global.scriptUser = { known: true }
    if (unknownUser(context, 'keepalived_script') && global.scriptSecurity) {
      reader.report('GENERAL', 'Unable to set default user keepalived_script for script')
      global.scriptUser.known = false
    }
  }
  return !global.scriptUser.known
}

/** A user behind a script, or `user` in a vrrp_script. */
export function setUser(context: ScriptContext, words: readonly string[]): boolean {
  return !unknownUser(context, words[0]!)
}

/** A notify script's line. */
export function notifyScript(context: ScriptContext, line: string, kind: string): Script | undefined {
  const { log } = context
  const words = scriptWords(context, line)
  if (!words) {
    log.info('Unable to parse notify script')
    return undefined
  }
  const found = scriptOf(context, line)
  if (!found) {
    log.info(`Unable to parse script '${words[1] ?? ''}' - ignoring`)
    return undefined
  }
  const { script, rest } = found
  if (rest.length > 0) {
    if (setUser(context, rest)) return script
    log.info(`Invalid user/group for ${kind} script ${script.args[0]} - ignoring`)
    return undefined
  }
  if (!noDefaultUser(context)) return script
  log.info(`Failed to set default user for ${kind} script ${script.args[0]} - ignoring`)
  return undefined
}

const GOOD: Verdict = { disabled: false, missing: false, inhibited: false, isScript: false, insecure: false }

/** Whether a script is there, may be run, and can't be changed by others than root. */
export function* checkScript(sys: Sys, log: Log, script: Script, security: boolean): Body<Verdict> {
  const first = script.args[0]!
  if (/^<[ \t]*\//.test(first)) return GOOD
  const missing: Verdict = { ...GOOD, disabled: true, missing: true }
  if (!first.includes('/')) {
    const found = searchPath(sys, first)
    if (found === undefined) {
      log.info(`Cannot find script ${first} in path - disabling`)
      return missing
    }
    if (found === 'EACCES') {
      log.info(`Permissions failure for script ${first} in path - disabling`)
      return missing
    }
    log.info(`WARNING - script \`${first}\` resolved by path search to \`${found.path}\`. Please specify full path.`)
    script.args[0] = found.path
  }
  const real = sys.realpath(script.args[0]!)
  if (!real.ok) {
    log.info(`Script ${script.args[0]} cannot be accessed - ${strerror(real.errno)}`)
    return missing
  }
  const path = script.args[0]!
  const name = path.slice(path.lastIndexOf('/') + 1)
  const realName = real.value.slice(real.value.lastIndexOf('/') + 1)
  // A link keeps its name, as programs look at what they are called.
  let checkToo: string | undefined
  let renamed = real.value
  if (name !== realName) {
    const beside = `${real.value.slice(0, real.value.lastIndexOf('/') + 1)}${name}`
    const one = sys.stat(real.value)
    const other = sys.stat(beside)
    if (one.ok && other.ok && one.value.inode === other.value.inode) {
      checkToo = real.value
      renamed = beside
    }
  }
  script.args[0] = renamed
  const stat = sys.stat(checkToo ?? renamed)
  if (!stat.ok) {
    log.info(`Unable to access script \`${renamed}\` - disabling`)
    return missing
  }
  script.direct = true
  if ((stat.value.mode & 0o111) === 0) {
    log.info(`WARNING - script '${renamed}' is not executable for uid:gid 0:0 - disabling.`)
    return { ...GOOD, disabled: true, isScript: true }
  }
  const read = yield* readTextFile(sys, checkToo ?? renamed)
  if (read.ok && !/^(#!|\x7fELF)/.test(read.value)) {
    log.info(`Please add a #! shebang to script ${renamed}`)
    script.direct = false
  }
  const verdict: Verdict = { ...GOOD, isScript: true }
  for (const each of checkToo === undefined ? [renamed] : [renamed, checkToo]) {
    const found = checkPermissions(sys, log, each, security)
    if (found.insecure) verdict.insecure = true
    if (found.inhibited) verdict.inhibited = verdict.disabled = true
    if (found.missing) verdict.missing = verdict.disabled = true
  }
  return verdict
}

function searchPath(sys: Sys, name: string): { path: string } | 'EACCES' | undefined {
  let refused = false
  for (const directory of (sys.env.get('PATH') ?? '/bin:/usr/bin').split(':')) {
    const path = `${directory === '' ? '' : `${directory}/`}${name}`
    const stat = sys.stat(path)
    if (!stat.ok) continue
    if (stat.value.type === 'file' && stat.value.mode & 0o111) return { path }
    refused = true
  }
  return refused ? 'EACCES' : undefined
}

/** Nobody but root may write the file, or any directory above it that isn't sticky. */
function checkPermissions(
  sys: Sys,
  log: Log,
  path: string,
  security: boolean,
): { insecure?: boolean; inhibited?: boolean; missing?: boolean } {
  for (let at = 1; ; ) {
    const slash = path.indexOf('/', at)
    const part = at === 1 && path[0] === '/' ? '/' : slash < 0 ? path : path.slice(0, slash)
    if (at === 1 && part === '/') at = 2
    else at = slash < 0 ? -1 : slash + 1
    const last = part === path
    const stat = sys.lstat(part)
    if (!stat.ok) {
      log.info(`check_script_secure could not find script '${path}' - disabling`)
      return { missing: true }
    }
    const { type, mode, uid, gid } = stat.value
    if (last ? type !== 'file' && type !== 'symlink' : type !== 'directory') {
      if (!(type === 'symlink' && !last)) {
        log.info(`Wrong file type found in script path '${path}'.`)
        return { inhibited: true }
      }
    }
    const open = (gid !== 0 && (mode & 0o020) !== 0) || (mode & 0o002) !== 0
    const matters = (type === 'directory' && (mode & 0o1000) === 0) || type === 'file'
    if (uid !== 0 || (matters && open)) {
      log.info(`Unsafe permissions found for script '${path}'${security ? ' - disabling' : ''}.`)
      return { insecure: true, inhibited: security }
    }
    if (last) return {}
    if (at < 0) return {}
  }
}

/** As a shell is given it. */
export function commandLine(script: Script): string {
  return script.args.map((arg, i) => (i > 0 || !/^[<>]/.test(arg) ? `'${arg}'` : arg)).join(' ')
}

const SCRIPT_SIGNALS: Signal[] = ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGCHLD', 'SIGPIPE']

/** Runs a script; the number of its process. */
export function runScript(sys: Sys, script: Script, more: readonly string[], console: boolean): number {
  const args = [...script.args, ...more]
  return sys.fork(function* (child) {
    if (console) {
      const opened = yield* child.open('/dev/null', 2)
      if (opened.ok) {
        for (const fd of [0, 1, 2]) child.dup2(opened.value, fd)
        if (opened.value > 2) child.close(opened.value)
      }
    }
    for (const signal of SCRIPT_SIGNALS) child.sigaction(signal, 'default')
    child.setpgid(0, 0)
    for (const { fd } of child.descriptors()) if (fd > 2) child.close(fd)
    const run = script.direct
      ? child.exec(args[0]!, args)
      : child.exec('/bin/sh', ['sh', '-c', commandLine({ args, direct: false })])
    const done = yield* run
    return done.ok ? done.value : 0
  })
}
