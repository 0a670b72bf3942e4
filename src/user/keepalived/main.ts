/**
 * The parent: reads the command line and the configuration, starts the processes that do the work, passes signals on, and ends when they
 * have. keepalived 2.2.7 core/main.c: keepalived_main(), start_keepalived(), sigend()
 */
import { NotModelled } from '#base/check'
import { type Body, readTextFile, SIGNALS, type Sys, type WaitStatus, writeText } from '#kernel/core'
import { Stdio } from '#user/libc'
import { checkProcess, testCheck } from './check-daemon.ts'
import { checkKeywords } from './check-keywords.ts'
import { type Child, EXIT_CONFIG, type Shared, usageLine, watchPipe, writePidFile } from './child.ts'
import { Configuration } from './configuration.ts'
import { genhash } from './genhash.ts'
import { globalKeywords } from './global-keywords.ts'
import { BUILT_FOR, VERSION } from './help.ts'
import { Interfaces } from './interfaces.ts'
import { KeywordReader } from './keywords.ts'
import { Log } from './log.ts'
import { Loop } from './loop.ts'
import { GlobalConfig, VrrpConfig } from './model.ts'
import { commandLines, type Options, parseOptions, permuted } from './options.ts'
import { MISTAKES, MissingParameter, type Mistake, Reader } from './reader.ts'
import { checkScript, runScript } from './scripts.ts'
import { testVrrp, vrrpProcess } from './vrrp-daemon.ts'
import { otherKeywords, vrrpKeywords } from './vrrp-keywords.ts'

const EXIT_NO_CONFIG = 6
const EXIT_FATAL = 1
const EXIT_PERMISSION = 4
const SECOND_US = 1_000_000

export function* keepalived(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'keepalived')
  return yield* io.run(main(sys, io, argv))
}

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  const name = argv[0]!.slice(argv[0]!.lastIndexOf('/') + 1)
  if (name === 'genhash') return yield* genhash(sys, io, argv[0]!, argv.slice(1))
  const options = parseOptions(sys, io, argv)
  if (typeof options === 'number') return options
  if (options.genhash) return yield* genhash(sys, io, argv[0]!, options.genhash)
  if (options.namespace !== undefined) throw new NotModelled('keepalived -s')
  if (options.testFile) {
    const opened = yield* sys.open(options.testFile, 0o2101, 0o644)
    if (!opened.ok) {
      io.error(`Unable to open config-test log file ${options.testFile} 2 - No such file or directory\n`)
      return 1
    }
    sys.dup2(opened.value, 2)
    sys.close(opened.value)
  }
  return yield* new Parent(sys, io, argv, options).run()
}

interface Kind {
  name: string
  /** As the log of a child's end has it. */
  title: string
  pidFile: string
  pid: number
  body: (child: Child, sys: Sys, io: Stdio) => Body<number>
  startedNs: number
  restartS: number
  wanted(): boolean
}

class Parent {
  readonly #sys: Sys
  readonly #io: Stdio
  readonly #argv: string[]
  readonly #options: Options
  readonly #log: Log
  readonly #shared: Shared
  readonly #users: Map<string, number> = new Map()
  readonly #configId: string
  #loop!: Loop
  #global = new GlobalConfig()
  #worst: Mistake = 'OK'
  #fileError = false
  #kinds: Kind[] = []
  #reloading = 0
  #loaded = false
  #queued = false
  #readyFd = -1
  #pipes: { read: number; write: number }[] = []

  constructor(sys: Sys, io: Stdio, argv: string[], options: Options) {
    this.#sys = sys
    this.#io = io
    this.#argv = argv
    this.#options = options
    const { stay, console, detail, test } = options
    this.#log = new Log(sys, io, { console: stay && console, detail, test })
    this.#shared = { name: options.configFile, copy: [] }
    this.#configId = options.configId ?? sys.hostname.replace(/\..*/, '')
  }

  *run(): Body<number> {
    const sys = this.#sys
    const log = this.#log
    this.#banner()
    yield* this.#readUsers()
    let status: number
    const wrong = yield* this.#configFileWrong()
    if (wrong) {
      if (this.#options.test) return testStatus(this.#worst)
      status = EXIT_NO_CONFIG
    } else {
      const begun = yield* this.#begin()
      if (begun === 'quiet') return 0
      status = begun
      if (this.#options.test) return status
    }
    usageLine(sys, log)
    log.info(`Stopped ${VERSION}`)
    yield* this.#io.settle()
    return status
  }

  #banner(): void {
    const log = this.#log
    log.info(`Starting ${VERSION}`)
    const { sysname, release, version } = this.#sys.uname()
    const numbers = /^(\d+)\.(\d+)\.(\d+)/.exec(release)?.slice(1).map(Number) ?? []
    const older = BUILT_FOR.findIndex((each, i) => each !== numbers[i])
    const built = BUILT_FOR.join('.')
    if (older >= 0 && (numbers[older] ?? 0) < BUILT_FOR[older]!) {
      log.info(`WARNING - keepalived was built for newer Linux ${built}, running on ${sysname} ${release} ${version}`)
    } else log.info(`Running on ${sysname} ${release} ${version} (built for Linux ${built})`)
    for (const line of commandLines(permuted(this.#argv))) log.info(line)
  }

  *#readUsers(): Body<void> {
    const read = yield* readTextFile(this.#sys, '/etc/passwd')
    for (const line of (read.ok ? read.value : 'root:x:0:0:').split('\n')) {
      const [user, , uid] = line.split(':')
      if (user && uid !== undefined) this.#users.set(user, Number(uid))
    }
  }

  /** Whether there is no configuration to read; says why. */
  *#configFileWrong(): Body<boolean> {
    const reader = new Reader(this.#sys, this.#log, this.#configId)
    const { configFile } = this.#options
    const stat = this.#sys.stat(configFile)
    if (stat.ok && stat.value.type === 'file' && (stat.value.mode & 0o111) === 0) return false
    if (/[*?[{]/.test(configFile)) return false
    if (!stat.ok) reader.fileMistake(`Config files missing '${configFile}'.`, false)
    else if (stat.value.type === 'directory') {
      reader.fileMistake(`Configuration file '${configFile}/' is a directory - skipping`, false)
    } else {
      reader.fileMistake(`Configuration file '${configFile}' is not a regular non-executable file - skipping`, false)
    }
    this.#worst = reader.worst
    return true
  }

  /** Reads global_defs, and what there is for children. */
  *#read(): Body<void> {
    const reader = new Reader(this.#sys, this.#log, this.#configId)
    const keywords = new KeywordReader(reader)
    const config = new Configuration({
      reader,
      keywords,
      global: this.#global,
      vrrp: new VrrpConfig(),
      interfaces: new Interfaces(),
      users: this.#users,
      reloading: false,
    })
    const { configFile } = this.#options
    if (yield* reader.openFiles(configFile)) {
      this.#log.info(`Configuration file ${configFile}`)
      yield* keywords.read([
        ...globalKeywords(config, true),
        ...vrrpKeywords(config, false),
        ...checkKeywords(config, undefined),
        ...otherKeywords(false),
      ])
    }
    this.#shared.copy = reader.copy ?? []
    this.#worst = reader.worst
    this.#fileError = reader.fileError
    this.#global.routerId ??= this.#sys.hostname
  }

  *#begin(): Body<number | 'quiet'> {
    const sys = this.#sys
    const log = this.#log
    const options = this.#options
    // The copy of the configuration lies in memory behind a descriptor.
    const memory = yield* sys.open('/dev/null')
    try {
      yield* this.#read()
    } catch (error) {
      if (!(error instanceof MissingParameter)) throw error
      yield* this.#io.settle()
      return sys.exit(EXIT_CONFIG)
    }
    if (this.#fileError) return EXIT_NO_CONFIG
    if (this.#global.processName !== undefined) sys.setName(this.#global.processName, this.#argv)
    if (options.test) {
      if (memory.ok) sys.close(memory.value)
      return yield* this.#test()
    }
    if (yield* this.#isRunning()) {
      log.info('daemon is already running')
      yield* this.#io.settle()
      return 'quiet'
    }
    if (options.stay) return yield* this.#serve(sys, this.#io)
    sys.fork(
      function* (this: Parent, child: Sys): Body<number> {
        child.setsid()
        child.chdir('/')
        const opened = yield* child.open('/dev/null', 2)
        if (opened.ok) {
          for (const fd of [0, 1, 2]) child.dup2(opened.value, fd)
          if (opened.value > 2) child.close(opened.value)
        }
        const daemon = new Parent(child, new Stdio(child, 'keepalived'), this.#argv, options)
        daemon.#takeOver(this)
        const status = yield* daemon.#serve(child, daemon.#io)
        yield* daemon.#io.settle()
        return status
      }.bind(this),
    )
    return 'quiet'
  }

  /** What was read before the daemon forked. */
  #takeOver(from: Parent): void {
    this.#global = from.#global
    this.#shared.copy = from.#shared.copy
    for (const [user, uid] of from.#users) this.#users.set(user, uid)
  }

  *#isRunning(): Body<boolean> {
    const { pidFile, vrrp, vrrpPidFile, checkers, checkersPidFile } = this.#options
    for (const path of [pidFile, vrrp ? vrrpPidFile : undefined, checkers ? checkersPidFile : undefined]) {
      if (path === undefined) continue
      const read = yield* readTextFile(this.#sys, path)
      if (!read.ok) continue
      const pid = /^\s*(-?\d+)/.exec(read.value)
      if (!pid) {
        this.#log.info(`Error reading pid file ${path}`)
        this.#sys.unlink(path)
        return true
      }
      if (this.#sys.kill(Number(pid[1]), 0).ok) return true
      this.#log.info(`Remove a zombie pid file ${path}`)
      this.#sys.unlink(path)
    }
    return false
  }

  /** -t: each process's part in turn. */
  *#test(): Body<number> {
    const interfaces = new Interfaces()
    interfaces.load(this.#sys)
    for (const test of [testCheck, testVrrp, testOthers]) {
      const child = this.#child('', [])
      try {
        yield* test(child, this.#sys, interfaces, (mistake) => {
          if (MISTAKES.indexOf(mistake) > MISTAKES.indexOf(this.#worst)) this.#worst = mistake
        })
      } catch (error) {
        if (!(error instanceof MissingParameter)) throw error
        return EXIT_CONFIG
      }
    }
    return testStatus(this.#worst)
  }

  *#serve(sys: Sys, io: Stdio): Body<number> {
    const log = this.#log
    const { options, global } = { options: this.#options, global: this.#global }
    if (!(yield* writePidFile(sys, options.pidFile))) {
      log.info(`pidfile_write : Cannot open ${options.pidFile} pidfile`)
      return 0
    }
    if (global.maxAutoPriority === 0) {
      log.info('NOTICE: setting config option max_auto_priority should result in better keepalived performance')
    }
    // What the event loop of the real one has open.
    sys.epollCreate()
    sys.timerfdCreate()
    sys.eventfd(0)
    const ready = sys.eventfd(0)
    if (ready.ok) {
      this.#readyFd = ready.value
      sys.setNonBlocking(ready.value, true)
    }
    this.#loop = new Loop(sys, io)
    for (const signal of ['SIGTERM', 'SIGINT'] as const) this.#loop.signal(signal, () => this.#stops())
    this.#loop.signal('SIGHUP', () => this.#reloads())
    this.#loop.signal('SIGUSR1', () => this.#passes('SIGUSR1'))
    this.#loop.signal('SIGUSR2', () => this.#passes('SIGUSR2'))
    sys.sigaction('SIGPIPE', 'ignore')
    this.#loop.read(this.#readyFd, () => this.#childReady())
    this.#kinds = this.#makeKinds()
    this.#loop.soon(() => this.#runStartup())
    const status = yield* this.#loop.run()
    for (const { pidFile } of this.#kinds) sys.unlink(pidFile)
    sys.unlink(options.pidFile)
    return status
  }

  #makeKinds(): Kind[] {
    const { vrrp, checkers, all, vrrpPidFile, checkersPidFile } = this.#options
    const common = { pid: 0, startedNs: 0, restartS: 0 }
    const kinds: Kind[] = []
    if (checkers) {
      kinds.push({
        ...common,
        name: 'Healthcheck',
        title: 'Keepalived_healthcheckers',
        pidFile: checkersPidFile,
        body: checkProcess,
        wanted: () => this.#global.haveChecker || all,
      })
    }
    if (vrrp) {
      kinds.push({
        ...common,
        name: 'VRRP',
        title: 'Keepalived_vrrp',
        pidFile: vrrpPidFile,
        body: vrrpProcess,
        wanted: () => this.#global.haveVrrp || all,
      })
    }
    return kinds
  }

  *#runStartup(): Body<void> {
    const script = this.#global.startupScript
    if (!script) {
      yield* this.#startChildren()
      return
    }
    const checked = yield* checkScript(this.#sys, this.#log, script, this.#global.scriptSecurity)
    if (checked.disabled) {
      yield* this.#startChildren()
      return
    }
    this.#log.detail(`Running startup script ${script.args[0]}`)
    const pid = runScript(this.#sys, script, [], this.#options.stay)
    this.#loop.child(pid, Number.POSITIVE_INFINITY, (ended) => {
      if (ended === 'timeout') return undefined
      if (ended.exit) this.#log.info(`startup script script failed, status ${ended.exit}`)
      else if (ended.exit === 0) this.#log.detail('startup script script succeeded')
      return this.#startChildren()
    })
  }

  *#startChildren(): Body<void> {
    for (let i = 0; i < 2; i++) {
      const pipe = this.#sys.pipe()
      if (pipe.ok) this.#pipes.push(pipe.value)
    }
    let any = false
    for (const kind of this.#kinds) {
      if (!kind.wanted()) continue
      yield* this.#start(kind)
      this.#reloading++
      any = true
    }
    if (!any) this.#log.info('Warning - keepalived has no configuration to run')
  }

  #child(pidFile: string, closes: readonly number[], watched = -1): Child {
    const readyFd = this.#readyFd
    let self: Sys = this.#sys
    return {
      log: this.#log,
      global: Object.assign(new GlobalConfig(), this.#global),
      options: this.#options,
      argv: this.#argv,
      shared: this.#shared,
      configId: this.#configId,
      users: this.#users,
      pidFile,
      reloading: false,
      closes,
      *configured(sys) {
        self = sys
        if (readyFd < 0) return
        yield* sys.write(readyFd, Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 0]))
        // Who is woken goes first, as he has slept longer.
        yield* sys.wait({ queues: [], untilNs: 0 })
      },
      watchParent(loop, run) {
        if (watched >= 0) watchPipe(self, loop, watched, run)
      },
    }
  }

  *#start(kind: Kind): Body<void> {
    yield* this.#io.settle()
    const [vrrpPipe, checkerPipe] = this.#pipes
    // Each keeps the end that it reads.
    const own = kind.name === 'VRRP' ? vrrpPipe : checkerPipe
    const other = kind.name === 'VRRP' ? checkerPipe : vrrpPipe
    const closes = [own?.write, other?.read, other?.write].filter((fd) => fd !== undefined)
    const made = this.#child(kind.pidFile, closes, own?.read)
    kind.pid = this.#sys.fork(function* (sys) {
      const io = new Stdio(sys, 'keepalived')
      const child: Child = {
        ...made,
        log: made.log.of(sys, io),
        watchParent: (loop, run) => {
          if (own) watchPipe(sys, loop, own.read, run)
        },
      }
      const status = yield* kind.body(child, sys, io)
      yield* io.settle()
      return status
    })
    kind.startedNs = this.#sys.monotonicNs()
    this.#log.info(`Starting ${kind.name} child process, pid=${kind.pid}`)
    yield* this.#io.settle()
    this.#loop.child(kind.pid, Number.POSITIVE_INFINITY, (ended) => this.#childEnds(kind, ended))
  }

  *#childReady(): Body<void> {
    const read = yield* this.#sys.read(this.#readyFd, 8)
    if (!read.ok) return
    const count = read.value[0] ?? 0
    if (this.#reloading < count) return
    this.#reloading -= count
    if (this.#reloading > 0) return
    this.#log.info(`${this.#loaded ? 'Reload' : 'Startup'} complete`)
    this.#loaded = true
    if (!this.#queued) return
    this.#queued = false
    this.#loop.soon(() => {
      this.#log.detail('Processing queued reload')
      return this.#reloadNow()
    })
  }

  /** Says how a child ended; a status to end with, if there is no use in starting it again. lib/scheduler.c: report_child_status() */
  #report(kind: Kind | string, ended: WaitStatus): number | undefined {
    const log = this.#log
    const title = typeof kind === 'string' ? kind : `pid ${ended.pid}`
    if (ended.exit !== undefined) {
      if (ended.exit === EXIT_CONFIG || ended.exit === EXIT_FATAL || ended.exit === EXIT_PERMISSION) {
        const why = { [EXIT_CONFIG]: 'CONFIG', [EXIT_FATAL]: 'FATAL', [EXIT_PERMISSION]: 'missing permission' }
        log.info(`${title} exited with permanent error ${why[ended.exit]}. Terminating`)
        return ended.exit
      }
      if (ended.exit !== 0) log.info(`${title} exited with status ${ended.exit}`)
    } else if (ended.signal !== undefined) {
      const limit = ended.signal === 'SIGKILL' ? ' - has rlimit_rttime been exceeded?' : ''
      const text = SIGNAL_TEXTS[ended.signal] ?? ended.signal
      log.info(`${title} exited due to signal ${SIGNALS[ended.signal]} (${text})${limit}`)
    }
    return undefined
  }

  *#childEnds(kind: Kind, ended: WaitStatus | 'timeout'): Body<void> {
    if (ended === 'timeout') return
    const { pid } = kind
    kind.pid = 0
    const status = this.#report(kind, ended)
    if (status !== undefined) {
      yield* this.#stopOthers()
      this.#loop.stop(status)
      return
    }
    if (this.#options.dontRespawn) {
      this.#log.info(`${kind.name} child process(${pid}) died: Exiting`)
      yield* this.#stops()
      return
    }
    this.#tellDied(kind, pid)
    const lived = (this.#sys.monotonicNs() - kind.startedNs) / 1e9
    if (lived >= 60) {
      kind.restartS = 0
      yield* this.#start(kind)
      return
    }
    // Ever later, so that one that can't live doesn't take the machine.
    const delay = kind.restartS
    kind.restartS = delay === 0 ? 1 : delay > 30 ? 60 : delay * 2
    this.#log.info(`Restart of ${kind.name} process delayed ${delay} seconds to limit respawn rate`)
    if (delay === 0) yield* this.#start(kind)
    else this.#loop.after(delay * SECOND_US, () => this.#start(kind))
  }

  #tellDied(kind: Kind, pid: number): void {
    this.#log.info(`${kind.name} child process(${pid}) died: Respawning`)
    this.#log.info('  Please log an issue at https://github.com/acassen/keepalived/issues/')
    this.#log.info('  and include a full copy of your keepalived configuration files, and')
    this.#log.info('  copies of the keepalived system log entries around the time this happened')
  }

  *#stops(): Body<void> {
    this.#log.info('Stopping')
    yield* this.#io.settle()
    yield* this.#stopOthers()
    this.#loop.stop(0)
  }

  /** Waits for the children, for so long. */
  *#stopOthers(): Body<void> {
    const sys = this.#sys
    const left = new Map<number, Kind>()
    for (const kind of this.#kinds) {
      if (kind.pid > 0 && sys.kill(kind.pid, 'SIGTERM').ok) left.set(kind.pid, kind)
    }
    const untilNs = sys.monotonicNs() + this.#global.childWaitS * 1e9
    while (left.size > 0 && sys.monotonicNs() < untilNs) {
      const ended = yield* sys.waitpid(-1, { noHang: true })
      if (!ended.ok) break
      if (!ended.value) {
        yield* sys.poll([], untilNs - sys.monotonicNs())
        continue
      }
      const kind = left.get(ended.value.pid)
      if (!kind) continue
      left.delete(ended.value.pid)
      kind.pid = 0
      this.#report(kind.title, ended.value)
    }
    for (const [pid, kind] of left) {
      this.#log.info(`${kind.name === 'VRRP' ? 'vrrp' : 'checker'} process failed to die - forcing termination`)
      sys.kill(pid, 'SIGKILL')
      kind.pid = 0
    }
  }

  *#reloads(): Body<void> {
    if (this.#reloading === 0) {
      yield* this.#reloadNow()
      return
    }
    this.#log.detail('Reload already in progress, request queued')
    this.#queued = true
  }

  *#reloadNow(): Body<void> {
    this.#log.info('Reloading ...')
    this.#global = new GlobalConfig()
    try {
      yield* this.#read()
    } catch (error) {
      if (!(error instanceof MissingParameter)) throw error
      yield* this.#io.settle()
      this.#sys.exit(EXIT_CONFIG)
    }
    yield* this.#io.settle()
    for (const kind of this.#kinds) {
      if (kind.pid > 0) {
        this.#sys.kill(kind.pid, 'SIGHUP')
        this.#reloading++
      } else if (kind.wanted()) {
        yield* this.#start(kind)
        this.#reloading++
      }
    }
  }

  *#passes(signal: 'SIGUSR1' | 'SIGUSR2'): Body<void> {
    const sys = this.#sys
    for (const kind of [...this.#kinds].reverse()) {
      if (kind.pid > 0 && (kind.name === 'VRRP' || signal === 'SIGUSR1')) sys.kill(kind.pid, signal)
    }
    if (signal !== 'SIGUSR1') return
    this.#log.info(`Printing parent data for process(${sys.pid}) on signal`)
    const opened = yield* sys.open('/tmp/keepalived_parent.data', 0o1101, 0o600)
    if (!opened.ok) return
    yield* writeText(sys, opened.value, '------< Global definitions >------\n')
    sys.close(opened.value)
  }
}

const SIGNAL_TEXTS: Record<string, string> = {
  SIGHUP: 'Hangup',
  SIGINT: 'Interrupt',
  SIGQUIT: 'Quit',
  SIGABRT: 'Aborted',
  SIGKILL: 'Killed',
  SIGUSR1: 'User defined signal 1',
  SIGUSR2: 'User defined signal 2',
  SIGPIPE: 'Broken pipe',
  SIGALRM: 'Alarm clock',
  SIGTERM: 'Terminated',
}

/** Blocks that nobody reads are read by the process of the others. */
function* testOthers(child: Child, _sys: Sys, interfaces: Interfaces, worst: (mistake: Mistake) => void): Body<void> {
  const reader = new Reader(undefined, child.log, child.configId)
  reader.openCopy(child.shared.name, child.shared.copy)
  const keywords = new KeywordReader(reader)
  const config = new Configuration({
    reader,
    keywords,
    global: child.global,
    vrrp: new VrrpConfig(),
    interfaces,
    users: child.users,
    reloading: false,
  })
  yield* keywords.read([
    ...globalKeywords(config, false),
    ...vrrpKeywords(config, false),
    ...checkKeywords(config, undefined),
    ...otherKeywords(true),
  ])
  worst(reader.worst)
}

/** The exit status of -t. */
function testStatus(worst: Mistake): number {
  if (worst === 'OK') return 0
  if (worst === 'FILE_NOT_FOUND' || worst === 'BAD_IF' || worst === 'FATAL') return 4
  return worst === 'SECURITY' ? 6 : 5
}
