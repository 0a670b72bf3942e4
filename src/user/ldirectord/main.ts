/** The command line: reads the configuration whatever is asked, then starts, stops or asks a daemon. ldirectord(8) */
import { type Body, O_CREAT, O_TRUNC, O_WRONLY, readTextFile, type Sys, writeText } from '#kernel/core'
import { Exit, Stdio } from '#user/libc'
import { ConfigError, readConfiguration } from './config.ts'
import { commandInstances, Daemon, leave, PID_PREFIX, removeFile } from './daemon.ts'
import { NO_MANUAL, USAGE, VERSION, VERSION_TEXT } from './help.ts'
import { MachineConfigHost, tellConfig } from './host.ts'
import { Output, PROGRAM } from './output.ts'
import { type Configuration, defaultGlobals } from './types.ts'

const COMMANDS = ['start', 'stop', 'status', 'restart', 'try-restart', 'reload', 'force-reload']
/** Perl reads the program and its modules, twice: it runs itself again with another setting for its input and output. */
const LOADING_NS = 0.5e9
const EXIT_USAGE = 255
const NO_IPVSADM_LINE = 921
const ENOENT = 2

interface Options {
  debug: boolean
  help: boolean
  version: boolean
  operands: string[]
}

export function ldirectord(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'ldirectord')
  return io.run(main(sys, io, argv))
}

/** Letters may be bundled; what isn't known is told, and undefined. */
function parseOptions(io: Stdio, words: string[]): Options | undefined {
  const options: Options = { debug: false, help: false, version: false, operands: [] }
  const names: Record<string, 'debug' | 'help' | 'version'> = Object.assign(Object.create(null), {
    d: 'debug',
    debug: 'debug',
    h: 'help',
    '?': 'help',
    help: 'help',
    v: 'version',
    version: 'version',
  })
  let known = true
  for (const [i, word] of words.entries()) {
    if (word === '--' || !/^-./.test(word)) {
      options.operands = words.slice(word === '--' ? i + 1 : i)
      break
    }
    for (const name of word.startsWith('--') ? [word.slice(2)] : [...word.slice(1)]) {
      const option = names[name]
      if (option) options[option] = true
      else {
        io.error(`Unknown option: ${name}\n`)
        known = false
      }
    }
  }
  return known ? options : undefined
}

function* main(sys: Sys, io: Stdio, argv: string[]): Body<number> {
  const words = argv.slice(1)
  const self = inPath(sys, argv[0] ?? 'ldirectord')
  sys.setName('ldirectord', ['/usr/bin/perl', '-w', self, ...words])
  yield* sys.compute(LOADING_NS)
  const options = parseOptions(io, words)
  if (!options) return usage(io)
  if (options.help) {
    io.error(NO_MANUAL)
    return 1
  }
  if (options.version) {
    io.print(VERSION_TEXT)
    return 0
  }
  const ipvsadm = findIpvsadm(sys, options.debug)
  if (ipvsadm === undefined) {
    io.error(`Can not find ipvsadm at ${PROGRAM} line ${NO_IPVSADM_LINE}.\n`)
    return ENOENT
  }
  const configuration: Configuration = { globals: defaultGlobals(), virtuals: [], instances: [], sharedBy: new Map() }
  const output = new Output(sys, io, configuration.globals, options.debug)
  if (!sys.env.has('PERLIO')) {
    if (options.debug) yield* output.log(`Running exec(${[self, ...words].join(' ')})`)
    sys.env.set('PERLIO', 'perlio')
    yield* sys.compute(LOADING_NS)
  }
  const [first, second] = options.operands
  if (first === undefined) return usage(io)
  const command = second ?? first
  output.configName = second === undefined ? 'ldirectord' : (/([^/]+)$/.exec(first)?.[1] ?? '')
  if (!COMMANDS.includes(command)) return usage(io)
  const name = second === undefined ? 'ldirectord.cf' : first
  const path = [`/etc/ha.d/${name}`, `/etc/ha.d/conf/${name}`, name].find((place) => isFile(sys, place))
  if (path === undefined) return yield* failToStart(output, `Config file ${name} not found`)
  yield* readAtStart(output, path, configuration)
  yield* output.log(`Invoking ldirectord invoked as: ${self} ${options.operands.map((word) => `${word} `).join('')}`)
  const program = isFile(sys, 'ldirectord') ? 'ldirectord' : inPath(sys, 'ldirectord')
  yield* dispatch(output, command, path, program, configuration)
  return yield* start(output, configuration, path, program, ipvsadm)
}

function usage(io: Stdio): number {
  io.print(USAGE)
  return EXIT_USAGE
}

function isFile(sys: Sys, path: string): boolean {
  const stat = sys.stat(path)
  return stat.ok && stat.value.type === 'file'
}

function inPath(sys: Sys, name: string): string {
  if (name.includes('/')) return name
  const folders = (sys.env.get('PATH') ?? '').split(':')
  const folder = folders.find((one) => sys.access(`${one}/${name}`, 'x').ok)
  return folder === undefined ? PROGRAM : `${folder}/${name}`
}

/** With -d one in the working directory comes first. */
function findIpvsadm(sys: Sys, debugging: boolean): string | undefined {
  if (debugging && isFile(sys, './ipvsadm')) return './ipvsadm'
  return ['/sbin/ipvsadm', '/usr/sbin/ipvsadm'].find((path) => sys.access(path, 'x').ok)
}

function* failToStart(output: Output, message: string): Body<never> {
  yield* output.log(message)
  if (!output.debugging) yield* output.error(`${message}\n`)
  return yield* leave(output, 1, 'Initialisation Error')
}

function* readAtStart(output: Output, path: string, configuration: Configuration): Body<void> {
  try {
    const file = yield* readTextFile(output.sys, path)
    if (!file.ok) throw new ConfigError(0, `can not open file ${path}`)
    yield* readConfiguration(file.value, new MachineConfigHost(output, path, true), configuration)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    yield* tellConfig(output, true, 'Error', path, error.line, error.message)
    yield* removeFile(output, `${PID_PREFIX}.${output.configName}.pid`)
    yield* leave(output, 2, 'config_error: Configuration Error')
  }
}

/** What the file says, and that number if such a process is an ldirectord. */
function* findDaemon(output: Output): Body<{ written: string | undefined; pid: number | undefined }> {
  const { sys } = output
  const file = yield* readTextFile(sys, `${PID_PREFIX}.${output.configName}.pid`)
  if (!file.ok) return { written: undefined, pid: undefined }
  const written = file.value.split('\n')[0]!
  const running = /^\d+$/.test(written) ? yield* readTextFile(sys, `/proc/${written}/cmdline`) : undefined
  const pid = running?.ok && running.value.includes('ldirectord') ? Number(written) : undefined
  return { written, pid }
}

/** Returns only if a daemon is to be started now. */
function* dispatch(
  output: Output,
  command: string,
  path: string,
  program: string,
  configuration: Configuration,
): Body<void> {
  const { sys, io } = output
  const { written, pid } = yield* findDaemon(output)
  const pidFile = `${PID_PREFIX}.${output.configName}.pid`
  const exiting = `Exiting from ldirectord ${command}`
  const restarting = command === 'restart' || command === 'try-restart'
  if (pid !== undefined) {
    if (command === 'stop' || restarting) sys.kill(pid, 'SIGTERM')
    if (restarting) {
      while (isFile(sys, pidFile)) yield* sys.sleep(1e9)
      return
    }
    if (command === 'reload' || command === 'force-reload') sys.kill(pid, 'SIGHUP')
    if (command === 'status') {
      const running = `ldirectord for ${path} is running with pid: ${pid}`
      yield* output.error(`${running}\n`)
      yield* commandInstances(output, program, 'status', configuration.instances)
      yield* output.log(running)
      yield* output.log(exiting)
    }
    yield* leave(output, 0, exiting)
  }
  if (command === 'start' || command === 'restart') return
  if (command === 'stop' || command === 'try-restart') yield* leave(output, 0, exiting)
  if (command === 'status') {
    if (written !== undefined) {
      const stale = `ldirectord stale pid file ${pidFile} for ${path}`
      yield* output.error(`${stale}\n`)
      yield* output.log(stale)
    }
    io.print(`ldirectord is stopped for ${path}\n`)
    yield* leave(output, written === undefined ? 3 : 1, exiting)
  }
  yield* output.log(`ldirectord is stopped for ${path}`)
  yield* leave(output, 1, exiting)
}

function* start(
  output: Output,
  configuration: Configuration,
  path: string,
  program: string,
  ipvsadm: string,
): Body<number> {
  const { sys } = output
  if (configuration.globals.supervised === 'yes' || output.debugging) {
    yield* output.log(`Starting ${VERSION} with pid: ${sys.pid}`)
    const daemon = new Daemon(output, configuration, path, program, ipvsadm)
    daemon.catchSignals()
    return yield* daemon.run()
  }
  yield* output.log(`Starting ${VERSION} as daemon`)
  const pidFile = `${PID_PREFIX}.${output.configName}.pid`
  const opened = yield* sys.open(pidFile, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
  if (!opened.ok) return yield* failToStart(output, `Can not open ${pidFile}`)
  const fd = opened.value
  sys.fork(function* (leader) {
    leader.setsid()
    // Once more, so that it can't get a terminal by opening one.
    leader.fork((own) => serve(own, fd, output, (mine) => new Daemon(mine, configuration, path, program, ipvsadm)))
    return 0
  })
  throw new Exit(0)
}

/** The daemon's process, with nothing of the terminal left. */
function* serve(sys: Sys, pidFd: number, parent: Output, make: (output: Output) => Daemon): Body<number> {
  sys.chdir('/')
  for (const fd of [0, 1, 2]) {
    sys.close(fd)
    yield* sys.open('/dev/null', fd === 0 ? 0 : O_WRONLY)
  }
  yield* writeText(sys, pidFd, `${sys.pid}\n`)
  sys.close(pidFd)
  const io = new Stdio(sys, 'ldirectord')
  const output = new Output(sys, io, parent.globals, false)
  output.configName = parent.configName
  const daemon = make(output)
  daemon.catchSignals()
  return yield* io.run(daemon.run())
}
