/** `socat` 1.7.4.4: two addresses, and what passes between them. socat.c, xio-*.c */
import { encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import {
  type Body,
  type Errno,
  O_NONBLOCK,
  POLLERR,
  POLLHUP,
  POLLIN,
  type SockAddr,
  type Sys,
  strerror,
} from '#kernel/core'
import {
  addressOf,
  Exit,
  formatAddress,
  gaiStrerror,
  lookupHost,
  type NetAddress,
  Stdio,
  servicePort,
  withPort,
} from '#user/libc'
import { formatTime } from '#user/shell'
import { type Channel, channel, endWriting, readFrom, writeTo } from './channel.ts'
import { HELP, VERSION } from './help.ts'
import { commandWords, type Option, parseSpec, type Spec, splitDual } from './parse.ts'

const BUFFER = 8192
const CLOSE_WAIT_S = 0.5
const CHILDREN_MAX = 1024

type Level = 'F' | 'E' | 'W' | 'N' | 'I'
const LEVELS: Level[] = ['F', 'E', 'W', 'N', 'I']

/** Which way data goes at an address. */
type Way = 'both' | 'read' | 'write'

/** The common options, and which of them do nothing here. */
const KNOWN =
  /^(fork|reuseaddr|so-reuseaddr|reuseport|so-reuseport|bind|backlog|max-children|range|sourceport|sp|su|user|group|mode|perm|keepalive|so-keepalive|nodelay|tcp-nodelay|linger|so-linger|connect-timeout|retry|interval|forever|intervall|creat|create|o-creat|excl|o-excl|append|o-append|trunc|o-trunc|rdonly|wronly|rdwr|o-rdonly|o-wronly|o-rdwr|nonblock|o-nonblock|ignoreeof|crnl|crlf|cr|shut-none|shut-down|shut-close|shut-null|pipes|stderr|unlink|unlink-close|unlink-early|pf|tos|ip-tos|ttl|ip-ttl|broadcast|so-broadcast|bindtodevice|so-bindtodevice|if|interface|sndbuf|so-sndbuf|rcvbuf|so-rcvbuf|setsid|nofork|readbytes|bytes|cool-write|end-close|null-eof|so-rcvtimeo|rcvtimeo|ip-freebind|freebind|(ip-)?multicast-?(if|ttl|loop)|(ip-)?(add-)?membership|fdin|fdout|sigint|sigquit|sighup|chdir|cd|type|path|login|dash|umask|keepidle|keepintvl|keepcnt|tcp-keepidle|mss|tcp-maxseg|quickack|ip-transparent)$/

export function socat(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'socat', 'none')
  return io.run(new Socat(sys, io).main(argv))
}

interface Settings {
  level: number
  verbose: boolean
  hex: boolean
  size: number
  closeS: number
  inactiveS: number
  direction: 'both' | 'left to right' | 'right to left'
  name: string
  micro: boolean
  logHost: boolean
  logFile: string | undefined
  family: 'AF_UNSPEC' | 'AF_INET' | 'AF_INET6'
}

class Socat {
  sys: Sys
  readonly #io: Stdio
  readonly #s: Settings = {
    level: 1,
    verbose: false,
    hex: false,
    size: BUFFER,
    closeS: CLOSE_WAIT_S,
    inactiveS: 0,
    direction: 'both',
    name: 'socat',
    micro: false,
    logHost: false,
    logFile: undefined,
    family: 'AF_UNSPEC',
  }
  #logFd = 2
  #signal: { name: string; number: number } | undefined
  #children = 0
  #childDied = false
  /** What EXEC and SYSTEM run. */
  readonly #programs = new Set<number>()
  /** What a forked child does with the connection that was opened. */
  #continue: ((self: Socat, opened: Channel) => Body<number>) | undefined = undefined
  readonly #counts = [0, 0]
  readonly #unlinks: string[] = []

  constructor(sys: Sys, io: Stdio) {
    this.sys = sys
    this.#io = io
  }

  *#log(level: Level, text: string): Body<void> {
    if (LEVELS.indexOf(level) > this.#s.level) return
    const { s, ns } = this.sys.realtime()
    const micro = this.#s.micro ? `.${String(Math.floor(ns / 1000)).padStart(6, '0')}` : ''
    const host = this.#s.logHost ? `${this.sys.hostname} ` : ''
    const line = `${formatTime('%Y/%m/%d %H:%M:%S', s)}${micro} ${host}${this.#s.name}[${this.sys.pid}] ${level} ${text}\n`
    yield* this.sys.write(this.#logFd, encodeUtf8(line))
  }

  *#fail(text: string): Body<never> {
    yield* this.#log('E', text)
    throw new Exit(1)
  }

  *main(argv: string[]): Body<number> {
    const s = this.#s
    const words: string[] = []
    for (let i = 1; i < argv.length; i++) {
      const word = argv[i]!
      const value = word.slice(2)
      if (words.length > 0 || !word.startsWith('-') || word === '-' || /^-[,!]/.test(word)) {
        words.push(word)
        continue
      }
      const letter = word[1]!
      if (letter === 'V') {
        this.#io.print(VERSION(this.sys.uname()))
        return 0
      }
      if (letter === 'h' || letter === '?') {
        this.#io.print(HELP)
        return 0
      }
      if (/^-d+$/.test(word)) s.level = Math.min(5, s.level + word.length - 1)
      else if (letter === 'v') s.verbose = true
      else if (letter === 'x') s.hex = true
      else if (letter === 's' || letter === 'g' || letter === 'D') continue
      else if (letter === 'u') s.direction = 'left to right'
      else if (letter === 'U') s.direction = 'right to left'
      else if (letter === '4') s.family = 'AF_INET'
      else if (letter === '6') s.family = 'AF_INET6'
      else if (letter === 'b') s.size = Math.max(1, Number(value || argv[++i]))
      else if (letter === 't') s.closeS = Number(value || argv[++i])
      else if (letter === 'T') s.inactiveS = Number(value || argv[++i])
      else if (word.startsWith('-lp')) s.name = word.slice(3)
      else if (word === '-lu') s.micro = true
      else if (word === '-lh') s.logHost = true
      else if (word === '-ls') continue
      else if (word.startsWith('-lf')) s.logFile = word.slice(3)
      else if ('rRLWl'.includes(letter)) throw new NotModelled(`socat ${word.slice(0, 3)}`)
      else yield* this.#fail(`unknown option "${word}"; use option "-h" for help`)
    }
    if (s.hex && s.verbose) throw new NotModelled('socat -x with -v')
    if (words.length !== 2) {
      yield* this.#fail(`exactly 2 addresses required (there are ${words.length}); use option "-h" for help`)
    }
    if (s.logFile !== undefined) {
      const opened = yield* this.sys.open(s.logFile, 0o2101, 0o640)
      if (opened.ok) this.#logFd = opened.value
    }
    this.#catchSignals()
    // Its own pipe for what children have to tell: descriptors begin with 5, as the log shows.
    this.sys.socketpair('AF_UNIX', 'SOCK_DGRAM', 0)
    return yield* this.#between(words[0]!, words[1]!)
  }

  #catchSignals(): void {
    this.sys.sigaction('SIGPIPE', 'ignore')
    for (const [name, number] of [
      ['SIGTERM', 15],
      ['SIGINT', 2],
      ['SIGHUP', 1],
      ['SIGQUIT', 3],
    ] as const) {
      this.sys.sigaction(name, () => {
        this.#signal = { name, number }
      })
    }
    this.sys.sigaction(
      'SIGCHLD',
      () => {
        this.#childDied = true
      },
      { restart: true },
    )
  }

  /** Opens the first address, and for whom it brings the second; then data passes. */
  *#between(left: string, right: string): Body<number> {
    const [leftWay, rightWay]: [Way, Way] =
      this.#s.direction === 'both'
        ? ['both', 'both']
        : this.#s.direction === 'left to right'
          ? ['read', 'write']
          : ['write', 'read']
    try {
      this.#continue = Socat.continuation(right, rightWay)
      const first = yield* this.#open(left, leftWay)
      this.#continue = undefined
      const second = yield* this.#open(right, rightWay)
      const fds = (one: Channel) =>
        `[${one.readFd < 0 ? one.writeFd : one.readFd},${one.writeFd < 0 ? one.readFd : one.writeFd}]`
      yield* this.#log('N', `starting data transfer loop with FDs ${fds(first)} and ${fds(second)}`)
      yield* this.#transfer(first, second)
      yield* this.#log('N', 'exiting with status 0')
      return 0
    } catch (error) {
      if (error instanceof Ended) return error.status
      throw error
    } finally {
      for (const path of this.#unlinks) this.sys.unlink(path)
    }
  }

  /** A signal ends it, with a message. */
  *#checkSignal(): Body<void> {
    if (this.#childDied) {
      this.#childDied = false
      yield* this.#log('N', 'childdied(): handling signal 17')
      for (;;) {
        const gone = yield* this.sys.waitpid(-1, { noHang: true })
        if (!gone.ok || gone.value === undefined) break
        const { pid, exit = 0 } = gone.value
        if (this.#programs.delete(pid)) {
          if (exit === 0) continue
          yield* this.#log('E', `waitpid(): child ${pid} exited with status ${exit}`)
          throw new Ended(1)
        }
        if (this.#children > 0) this.#children--
      }
    }
    const signal = this.#signal
    if (!signal) return
    yield* this.#log('N', `socat_signal(): handling signal ${signal.number}`)
    yield* this.#log('W', `exiting on signal ${signal.number}`)
    yield* this.#log('N', `socat_signal(): finishing signal ${signal.number}`)
    yield* this.#log('N', `exit(${128 + signal.number})`)
    throw new Ended(128 + signal.number)
  }

  // Addresses.

  *#open(text: string, way: Way): Body<Channel> {
    const dual = splitDual(text)
    if (dual) {
      const reader = yield* this.#open(dual[0], 'read')
      const writer = yield* this.#open(dual[1], 'write')
      return { ...reader, writeFd: writer.writeFd, kind: writer.kind === reader.kind ? reader.kind : 'file' }
    }
    const spec = parseSpec(text)
    for (const { name } of spec.options) {
      if (!KNOWN.test(name)) yield* this.#fail(`parseopts_table(): unknown option "${name}"`)
    }
    const made = yield* this.#openSpec(spec, way)
    const has = (...names: string[]) => spec.options.some(({ name }) => names.includes(name))
    made.ignoreEof = has('ignoreeof')
    made.crlf = has('crnl', 'crlf')
    made.shut = spec.options.find(({ name }) => name.startsWith('shut-'))?.name.slice(5)
    return made
  }

  *#need(spec: Spec, count: number): Body<void> {
    if (spec.parameters.length === count) return
    yield* this.#fail(`${spec.given}: wrong number of parameters (${spec.parameters.length} instead of ${count})`)
  }

  *#openSpec(spec: Spec, way: Way): Body<Channel> {
    const { keyword } = spec
    const ways = (fds: [number, number], kind: Channel['kind']) =>
      channel({ readFd: way === 'write' ? -1 : fds[0], writeFd: way === 'read' ? -1 : fds[1], kind })
    switch (keyword) {
      case 'STDIO': {
        yield* this.#log(
          'N',
          way === 'both'
            ? 'reading from and writing to stdio'
            : way === 'read'
              ? 'using stdin for reading'
              : 'using stdout for writing',
        )
        return ways([0, 1], 'stdio')
      }
      case 'STDIN':
        yield* this.#log('N', 'using stdin for reading')
        return ways([0, 0], 'stdio')
      case 'STDOUT':
      case 'STDERR':
        yield* this.#log('N', `using ${keyword.toLowerCase()} for writing`)
        return ways(keyword === 'STDOUT' ? [1, 1] : [2, 2], 'stdio')
      case 'FD': {
        yield* this.#need(spec, 1)
        const fd = Number(spec.parameters[0])
        const stat = this.sys.fstat(fd)
        if (!stat.ok) yield* this.#fail(`fcntl(${fd}, F_GETFD): ${strerror('EBADF')}`)
        return ways([fd, fd], stat.ok && stat.value.type === 'socket' ? 'stream' : 'file')
      }
      case 'PIPE':
      case 'FIFO':
        return yield* this.#pipe(spec, way)
      case 'OPEN':
      case 'FILE':
      case 'GOPEN':
      case 'CREATE':
      case 'CREAT':
        return yield* this.#file(spec, way)
      case 'EXEC':
      case 'SYSTEM':
        yield* this.#need(spec, 1)
        return yield* this.#program(spec, way)
      case 'TCP':
      case 'TCP4':
      case 'TCP6':
      case 'TCP-CONNECT':
      case 'TCP4-CONNECT':
      case 'TCP6-CONNECT':
      case 'UDP':
      case 'UDP4':
      case 'UDP6':
      case 'UDP-CONNECT':
      case 'UDP4-CONNECT':
        yield* this.#need(spec, 2)
        return yield* this.#connect(spec, way)
      case 'UDP-SENDTO':
      case 'UDP4-SENDTO':
      case 'UDP-DATAGRAM':
      case 'UDP4-DATAGRAM':
        yield* this.#need(spec, 2)
        return yield* this.#sendTo(spec, way)
      case 'TCP-LISTEN':
      case 'TCP-L':
      case 'TCP4-LISTEN':
      case 'TCP4-L':
      case 'TCP6-LISTEN':
        yield* this.#need(spec, 1)
        return yield* this.#listen(spec, way)
      case 'UDP-LISTEN':
      case 'UDP-L':
      case 'UDP4-LISTEN':
      case 'UDP4-L':
        yield* this.#need(spec, 1)
        return yield* this.#listenUdp(spec, way)
      case 'UDP-RECVFROM':
      case 'UDP4-RECVFROM':
        yield* this.#need(spec, 1)
        return yield* this.#receiveFrom(spec, way)
      case 'UDP-RECV':
      case 'UDP4-RECV': {
        yield* this.#need(spec, 1)
        const fd = yield* this.#udpSocket(spec, yield* this.#port(spec.parameters[0]!, 'udp'))
        return channel({ readFd: fd, writeFd: -1, kind: 'datagram' })
      }
      case 'UNIX':
      case 'UNIX-CONNECT':
      case 'UNIX-CLIENT':
      case 'LOCAL':
      case 'ABSTRACT-CONNECT':
      case 'ABSTRACT-CLIENT':
        yield* this.#need(spec, 1)
        return yield* this.#unix(spec, way)
      case 'UNIX-LISTEN':
      case 'UNIX-L':
      case 'ABSTRACT-LISTEN':
        yield* this.#need(spec, 1)
        return yield* this.#listen(spec, way)
      case 'UNIX-SENDTO':
      case 'UNIX-RECV':
      case 'UNIX-RECVFROM':
        yield* this.#need(spec, 1)
        return yield* this.#unixDatagram(spec, way)
      default:
        if (
          /^(OPENSSL|SSL|PROXY|SOCKS|PTY|READLINE|TUN|INTERFACE|IP|IP4|IP6|SCTP|DCCP|VSOCK|SOCKET|UDPLITE|ABSTRACT|UDP6|SHELL)/.test(
            keyword,
          )
        ) {
          throw new NotModelled(`socat ${keyword}`)
        }
        yield* this.#fail(`unknown device/address "${spec.given}"`)
        throw new Exit(1)
    }
  }

  *#pipe(spec: Spec, way: Way): Body<Channel> {
    const [path] = spec.parameters
    if (path === undefined) {
      const made = this.sys.pipe()
      if (!made.ok) return yield* this.#fail(`pipe(): ${strerror(made.errno)}`)
      yield* this.#log('N', 'writing to and reading from unnamed pipe')
      return channel({ readFd: made.value.read, writeFd: made.value.write, kind: 'pipe' })
    }
    const stat = this.sys.stat(path)
    if (!stat.ok) {
      const made = this.sys.mkfifo(path)
      if (!made.ok) yield* this.#fail(`mknod("${path}"): ${strerror(made.errno)}`)
      yield* this.#log(
        'N',
        `created named pipe "${path}" for ${way === 'both' ? 'reading and writing' : way === 'read' ? 'reading' : 'writing'}`,
      )
      this.#unlinks.push(path)
    } else
      yield* this.#log(
        'N',
        `opening FIFO "${path}" for ${way === 'both' ? 'reading and writing' : way === 'read' ? 'reading' : 'writing'}`,
      )
    const opened = yield* this.sys.open(path, way === 'both' ? 2 : way === 'read' ? 0 : 1)
    if (!opened.ok) return yield* this.#fail(`open("${path}"): ${strerror(opened.errno)}`)
    return channel({
      readFd: way === 'write' ? -1 : opened.value,
      writeFd: way === 'read' ? -1 : opened.value,
      kind: 'file',
    })
  }

  *#file(spec: Spec, way: Way): Body<Channel> {
    yield* this.#need(spec, 1)
    const path = spec.parameters[0]!
    const has = (...names: string[]) => spec.options.some(({ name }) => names.includes(name))
    const { keyword } = spec
    const stat = this.sys.stat(path)
    if (keyword === 'GOPEN' && stat.ok && stat.value.type === 'socket')
      return yield* this.#unix({ ...spec, keyword: 'UNIX-CONNECT' }, way)
    let flags = way === 'both' ? 2 : way === 'read' ? 0 : 1
    if (has('rdonly', 'o-rdonly')) flags = 0
    if (has('wronly', 'o-wronly')) flags = 1
    const creates = keyword === 'CREATE' || keyword === 'CREAT'
    if (creates || has('creat', 'create', 'o-creat')) flags |= 0o100
    // GOPEN makes what isn't there, and appends to what is.
    if (keyword === 'GOPEN' && way !== 'read') flags |= stat.ok ? 0o2000 : 0o100
    if (creates || has('trunc', 'o-trunc')) flags |= 0o1000
    if (has('append', 'o-append')) flags |= 0o2000
    if (has('excl', 'o-excl')) flags |= 0o200
    if (has('nonblock', 'o-nonblock')) flags |= O_NONBLOCK
    const purpose = way === 'both' ? 'reading and writing' : way === 'read' ? 'reading' : 'writing'
    const what =
      stat.ok && stat.value.type === 'char'
        ? 'character device'
        : stat.ok && stat.value.type === 'fifo'
          ? 'FIFO'
          : 'regular file'
    yield* this.#log('N', `${creates ? 'creating' : 'opening'} ${what} "${path}" for ${purpose}`)
    const opened = yield* this.sys.open(path, flags, 0o666)
    if (!opened.ok) {
      yield* this.#fail(
        `open("${path}", ${flags === 0 ? '00' : `0${flags.toString(8)}`}, 0666): ${strerror(opened.errno)}`,
      )
      throw new Exit(1)
    }
    return channel({
      readFd: way === 'write' ? -1 : opened.value,
      writeFd: way === 'read' ? -1 : opened.value,
      kind: 'file',
    })
  }

  *#program(spec: Spec, way: Way): Body<Channel> {
    const { sys } = this
    const purpose = way === 'both' ? 'reading and writing' : way === 'read' ? 'reading' : 'writing'
    const command = spec.parameters[0]!
    const argv = spec.keyword === 'EXEC' ? commandWords(command) : ['sh', '-c', command]
    const withStderr = spec.options.some(({ name }) => name === 'stderr')
    const made = sys.socketpair('AF_UNIX', 'SOCK_STREAM', 0)
    if (!made.ok) return yield* this.#fail(`socketpair(): ${strerror(made.errno)}`)
    const [mine, its] = made.value
    yield* this.#log('N', `forking off child, using socket for ${purpose}`)
    const self = this
    const pid = sys.fork(function* (child) {
      self.sys = child
      for (const name of ['SIGPIPE', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGCHLD'] as const)
        child.sigaction(name, 'default')
      if (way !== 'write') child.dup2(its, 1)
      if (way !== 'read') child.dup2(its, 0)
      if (withStderr) child.dup2(its, 2)
      child.env.set('SOCAT_PID', String(child.pid))
      child.env.set('SOCAT_PPID', String(child.ppid))
      yield* self.#log(
        'N',
        spec.keyword === 'EXEC'
          ? `execvp'ing "${argv[0] ?? ''}"`
          : `execl("/bin/sh", "sh", "-c", "${command}", (char *)NULL)`,
      )
      self.sys = sys
      // The log goes where it did; what the program has open is its own.
      for (let fd = 3; fd < 64; fd++) child.close(fd)
      const file = argv[0] ?? ''
      const folders = file.includes('/')
        ? ['']
        : (child.env.get('PATH') ?? '/usr/bin:/bin').split(':').map((one) => `${one}/`)
      let failed: Errno = 'ENOENT'
      for (const folder of spec.keyword === 'SYSTEM' ? ['/bin/'] : folders) {
        const ran = yield* child.exec(folder + file, argv)
        if (ran.ok) return ran.value
        if (ran.errno !== 'ENOENT') failed = ran.errno
      }
      const stamp = formatTime('%Y/%m/%d %H:%M:%S', child.realtime().s)
      const line = `${stamp} socat[${child.pid}] E execvp("${file}", "${file}"${argv
        .slice(1)
        .map((word) => `, "${word}"`)
        .join('')}): ${strerror(failed)}\n`
      yield* child.write(2, encodeUtf8(line))
      return 1
    })
    sys.close(its)
    this.#programs.add(pid)
    yield* this.#log('N', `forked off child process ${pid}`)
    yield* this.#log('N', `forked off child process ${pid}`)
    return channel({ readFd: way === 'write' ? -1 : mine, writeFd: way === 'read' ? -1 : mine, kind: 'stream', pid })
  }

  // Sockets.

  *#port(text: string, protocol: string): Body<number> {
    const port = yield* servicePort(this.sys, text, protocol)
    if (port === undefined)
      yield* this.#fail(`getservbyname("${text}", "${protocol}"): Servname not supported for ai_socktype`)
    return port!
  }

  *#resolve(host: string, keyword: string): Body<NetAddress[]> {
    const udp = keyword.startsWith('UDP')
    const family = keyword.includes('6') ? 'AF_INET6' : keyword.includes('4') ? 'AF_INET' : this.#s.family
    const found = yield* lookupHost(this.sys, host, { family, addrConfig: true })
    if (!found.ok) {
      const number = family === 'AF_INET' ? 2 : family === 'AF_INET6' ? 10 : 0
      yield* this.#fail(
        `getaddrinfo("${host}", "NULL", {1,${number},${udp ? 2 : 1},${udp ? 17 : 6}}, {}): ${gaiStrerror(found.error)}`,
      )
      throw new Exit(1)
    }
    return found.value.addresses
  }

  #option(options: Option[], ...names: string[]): Option | undefined {
    return options.find(({ name }) => names.includes(name))
  }

  *#setOptions(fd: number, spec: Spec): Body<void> {
    for (const { name, value } of spec.options) {
      const number = value === undefined ? 1 : Number(value)
      const set = (level: string, option: string, to: unknown = number) => this.sys.setsockopt(fd, level, option, to)
      if (/^(so-)?reuseaddr$/.test(name)) set('SOL_SOCKET', 'SO_REUSEADDR')
      else if (/^(so-)?reuseport$/.test(name)) set('SOL_SOCKET', 'SO_REUSEPORT')
      else if (/^(so-)?keepalive$/.test(name)) set('SOL_SOCKET', 'SO_KEEPALIVE')
      else if (/^(tcp-)?nodelay$/.test(name)) set('IPPROTO_TCP', 'TCP_NODELAY')
      else if (/^(so-)?broadcast$/.test(name)) set('SOL_SOCKET', 'SO_BROADCAST')
      else if (/^(ip-)?tos$/.test(name)) set('IPPROTO_IP', 'IP_TOS')
      else if (/^(ip-)?ttl$/.test(name)) set('IPPROTO_IP', 'IP_TTL')
      else if (/^(so-)?sndbuf$/.test(name)) set('SOL_SOCKET', 'SO_SNDBUF')
      else if (/^(so-)?rcvbuf$/.test(name)) set('SOL_SOCKET', 'SO_RCVBUF')
      else if (/^(ip-)?freebind$/.test(name)) set('IPPROTO_IP', 'IP_FREEBIND')
      else if (/^(ip-)?multicast-?ttl$/.test(name)) set('IPPROTO_IP', 'IP_MULTICAST_TTL')
      else if (/^(ip-)?multicast-?loop$/.test(name)) set('IPPROTO_IP', 'IP_MULTICAST_LOOP')
      else if (/^(ip-)?multicast-?if$/.test(name)) yield* this.#multicastIf(fd, value)
      else if (/^(ip-)?(add-)?membership$/.test(name)) yield* this.#join(fd, value)
      else if (/^((so-)?bindtodevice|if|interface)$/.test(name)) {
        const done = set('SOL_SOCKET', 'SO_BINDTODEVICE', value)
        if (!done.ok)
          yield* this.#fail(`setsockopt(${fd}, 1, 25, "${value}", ${(value ?? '').length}): ${strerror(done.errno)}`)
      }
    }
  }

  /** ip-multicast-if=: the address of the device that groups are sent by. */
  *#multicastIf(fd: number, text: string | undefined): Body<void> {
    const [own] = yield* this.#resolve(text ?? '', 'UDP4')
    if (own?.family !== 'AF_INET') return
    const set = this.sys.setsockopt(fd, 'IPPROTO_IP', 'IP_MULTICAST_IF', { address: own.address })
    if (!set.ok) yield* this.#fail(`setsockopt(${fd}, 0, 32, {${inMemory(own.address)}}, 4): ${strerror(set.errno)}`)
  }

  /** ip-add-membership=: a group, one of the host's addresses or a device, and perhaps both. */
  *#join(fd: number, text = ''): Body<void> {
    const [name, second, third] = text.split(':')
    if (second === undefined) yield* this.#fail(`syntax in option ${text}: missing ':'`)
    const [group] = yield* this.#resolve(name!, 'UDP4')
    const found = this.sys.ioctl(fd, 'SIOCGIFINDEX', { name: third ?? second! })
    let ifindex = found.ok ? Number(found.value) : 0
    let address = 0
    if (third !== undefined || ifindex === 0) {
      const [own] = yield* this.#resolve(second!, 'UDP')
      if (own?.family === 'AF_INET') address = own.address
      if (third !== undefined && ifindex === 0) ifindex = Number(third) || 0
    }
    if (group?.family !== 'AF_INET') return
    const set = this.sys.setsockopt(fd, 'IPPROTO_IP', 'IP_ADD_MEMBERSHIP', { group: group.address, address, ifindex })
    if (set.ok) return
    const request = `{${inMemory(group.address)},${inMemory(address)},${ifindex}}`
    yield* this.#fail(`setsockopt(${fd}, 0, 35, ${request}, 12): ${strerror(set.errno)}`)
  }

  /** bind= and sourceport=. */
  *#bindLocal(fd: number, spec: Spec, to: NetAddress): Body<void> {
    const bind = this.#option(spec.options, 'bind')?.value
    const port = this.#option(spec.options, 'sourceport', 'sp')?.value
    if (bind === undefined && port === undefined) return
    const [host, own] = (bind ?? '').split(':')
    let address: NetAddress =
      to.family === 'AF_INET'
        ? { family: 'AF_INET', address: 0 }
        : { family: 'AF_INET6', address: new Uint8Array(16), scopeId: 0 }
    if (host) address = (yield* this.#resolve(host, spec.keyword))[0]!
    const number = port !== undefined ? Number(port) : Number(own ?? 0)
    const bound = this.sys.bind(fd, withPort(address, number))
    if (!bound.ok)
      yield* this.#fail(`bind(${fd}, {AF=2 ${formatAddress(address)}:${number}}, 16): ${strerror(bound.errno)}`)
  }

  *#connect(spec: Spec, way: Way): Body<Channel> {
    const { sys } = this
    const udp = spec.keyword.startsWith('UDP')
    const port = yield* this.#port(spec.parameters[1]!, udp ? 'udp' : 'tcp')
    const [address] = yield* this.#resolve(spec.parameters[0]!, spec.keyword)
    const at = `AF=${address!.family === 'AF_INET' ? 2 : 10} ${formatAddress(address!)}:${port}`
    const forever = this.#option(spec.options, 'forever') !== undefined
    let retries = Number(this.#option(spec.options, 'retry')?.value ?? 0)
    const intervalS = Number(this.#option(spec.options, 'interval', 'intervall')?.value ?? 1)
    const limit = this.#option(spec.options, 'connect-timeout')?.value
    for (;;) {
      yield* this.#log('N', `opening connection to ${at}`)
      const made = sys.socket(address!.family, udp ? 'SOCK_DGRAM' : 'SOCK_STREAM', 0)
      if (!made.ok) return yield* this.#fail(`socket(): ${strerror(made.errno)}`)
      const fd = made.value
      yield* this.#setOptions(fd, spec)
      yield* this.#bindLocal(fd, spec, address!)
      if (limit !== undefined) sys.setsockopt(fd, 'SOL_SOCKET', 'SO_SNDTIMEO', Number(limit) * 1e9)
      const done = yield* sys.connect(fd, withPort(address!, port))
      if (done.ok) {
        if (limit !== undefined) sys.setsockopt(fd, 'SOL_SOCKET', 'SO_SNDTIMEO', 0)
        const own = sys.getsockname(fd)
        yield* this.#log('N', `successfully connected from local address ${own.ok ? nameText(own.value) : ''}`)
        return channel({
          readFd: way === 'write' ? -1 : fd,
          writeFd: way === 'read' ? -1 : fd,
          kind: udp ? 'datagram' : 'stream',
        })
      }
      sys.close(fd)
      yield* this.#checkSignal()
      const errno: Errno = limit !== undefined && done.errno === 'EINPROGRESS' ? 'ETIMEDOUT' : done.errno
      const text = `connect(${fd}, ${at}, 16): ${strerror(errno)}`
      if (!forever && retries-- <= 0) yield* this.#fail(text)
      yield* this.#log('I', text)
      yield* sys.sleep(intervalS * 1e9)
    }
  }

  *#udpSocket(spec: Spec, port: number): Body<number> {
    const made = this.sys.socket('AF_INET', 'SOCK_DGRAM', 0)
    if (!made.ok) return yield* this.#fail(`socket(): ${strerror(made.errno)}`)
    yield* this.#setOptions(made.value, spec)
    if (this.#option(spec.options, 'fork')) this.sys.setsockopt(made.value, 'SOL_SOCKET', 'SO_REUSEADDR', 1)
    const host = this.#option(spec.options, 'bind')?.value
    const address: NetAddress = host
      ? (yield* this.#resolve(host, spec.keyword))[0]!
      : { family: 'AF_INET', address: 0 }
    const bound = this.sys.bind(made.value, withPort(address, port))
    if (!bound.ok)
      yield* this.#fail(`bind(${made.value}, {AF=2 ${formatAddress(address)}:${port}}, 16): ${strerror(bound.errno)}`)
    return made.value
  }

  *#sendTo(spec: Spec, way: Way): Body<Channel> {
    const port = yield* this.#port(spec.parameters[1]!, 'udp')
    const [address] = yield* this.#resolve(spec.parameters[0]!, spec.keyword)
    const made = this.sys.socket(address!.family, 'SOCK_DGRAM', 0)
    if (!made.ok) return yield* this.#fail(`socket(): ${strerror(made.errno)}`)
    yield* this.#setOptions(made.value, spec)
    yield* this.#bindLocal(made.value, spec, address!)
    const to = withPort(address!, port)
    const one = channel({
      readFd: way === 'write' ? -1 : made.value,
      writeFd: way === 'read' ? -1 : made.value,
      kind: 'datagram',
      to,
    })
    if (spec.keyword.includes('SENDTO')) one.onlyFrom = to
    return one
  }

  *#unix(spec: Spec, way: Way): Body<Channel> {
    const path = spec.keyword.startsWith('ABSTRACT') ? `\0${spec.parameters[0]}` : spec.parameters[0]!
    const name: SockAddr = { family: 'AF_UNIX', path }
    yield* this.#log('N', `opening connection to ${nameText(name)}`)
    const made = this.sys.socket('AF_UNIX', 'SOCK_STREAM', 0)
    if (!made.ok) return yield* this.#fail(`socket(): ${strerror(made.errno)}`)
    const done = yield* this.sys.connect(made.value, name)
    if (!done.ok) yield* this.#fail(`connect(, ${nameText(name)}, ${path.length + 2}): ${strerror(done.errno)}`)
    yield* this.#log('N', 'successfully connected from local address AF=1 ""')
    return channel({
      readFd: way === 'write' ? -1 : made.value,
      writeFd: way === 'read' ? -1 : made.value,
      kind: 'stream',
    })
  }

  *#unixDatagram(spec: Spec, way: Way): Body<Channel> {
    const path = spec.parameters[0]!
    const made = this.sys.socket('AF_UNIX', 'SOCK_DGRAM', 0)
    if (!made.ok) return yield* this.#fail(`socket(): ${strerror(made.errno)}`)
    if (spec.keyword === 'UNIX-SENDTO') {
      const own = this.#option(spec.options, 'bind')?.value
      if (own !== undefined) {
        const bound = this.sys.bind(made.value, { family: 'AF_UNIX', path: own })
        if (!bound.ok)
          yield* this.#fail(`bind(${made.value}, {AF=1 "${own}"}, ${own.length + 2}): ${strerror(bound.errno)}`)
        this.#unlinks.push(own)
      }
      return channel({
        readFd: way === 'write' ? -1 : made.value,
        writeFd: way === 'read' ? -1 : made.value,
        kind: 'datagram',
        to: { family: 'AF_UNIX', path },
      })
    }
    if (spec.keyword === 'UNIX-RECVFROM') throw new NotModelled('socat UNIX-RECVFROM')
    const bound = this.sys.bind(made.value, { family: 'AF_UNIX', path })
    if (!bound.ok)
      yield* this.#fail(`bind(${made.value}, {AF=1 "${path}"}, ${path.length + 2}): ${strerror(bound.errno)}`)
    this.#unlinks.push(path)
    return channel({ readFd: made.value, writeFd: -1, kind: 'datagram' })
  }

  /** TCP and UNIX: waits for somebody; with fork a child goes on with each. */
  *#listen(spec: Spec, way: Way): Body<Channel> {
    const { sys } = this
    const local = !spec.keyword.startsWith('TCP')
    const fork = this.#option(spec.options, 'fork') !== undefined
    const most = Number(this.#option(spec.options, 'max-children')?.value ?? CHILDREN_MAX)
    let name: SockAddr
    if (local)
      name = {
        family: 'AF_UNIX',
        path: spec.keyword.startsWith('ABSTRACT') ? `\0${spec.parameters[0]}` : spec.parameters[0]!,
      }
    else {
      const port = yield* this.#port(spec.parameters[0]!, 'tcp')
      const host = this.#option(spec.options, 'bind')?.value
      const any: NetAddress = spec.keyword.includes('6')
        ? { family: 'AF_INET6', address: new Uint8Array(16), scopeId: 0 }
        : { family: 'AF_INET', address: 0 }
      name = withPort(host ? (yield* this.#resolve(host, spec.keyword))[0]! : any, port)
    }
    const made = sys.socket(name.family, 'SOCK_STREAM', 0)
    if (!made.ok) return yield* this.#fail(`socket(): ${strerror(made.errno)}`)
    const fd = made.value
    yield* this.#setOptions(fd, spec)
    if (local && name.family === 'AF_UNIX') {
      if (this.#option(spec.options, 'unlink-early')) sys.unlink(name.path)
      if (sys.lstat(name.path).ok) yield* this.#fail(`"${name.path}" exists`)
      if (!name.path.startsWith('\0')) this.#unlinks.push(name.path)
    }
    const bound = sys.bind(fd, name)
    if (!bound.ok) {
      this.#unlinks.length = 0
      const length = name.family === 'AF_UNIX' ? name.path.length + 2 : 16
      yield* this.#fail(`bind(${fd}, {${nameText(name)}}, ${length}): ${strerror(bound.errno)}`)
    }
    const listening = sys.listen(fd, Number(this.#option(spec.options, 'backlog')?.value ?? 5))
    if (!listening.ok) yield* this.#fail(`listen(${fd}, 5): ${strerror(listening.errno)}`)
    for (;;) {
      yield* this.#log('N', `listening on ${nameText(name)}`)
      let accepted: { fd: number; from: SockAddr }
      for (;;) {
        yield* this.#checkSignal()
        while (fork && this.#children >= most) {
          yield* this.#log('N', `maxchildren are active, waiting`)
          yield* sys.sleep(1e9)
          yield* this.#checkSignal()
        }
        const got = yield* sys.accept(fd)
        if (got.ok) {
          accepted = got.value
          break
        }
        if (got.errno !== 'EINTR' && got.errno !== 'ECONNABORTED')
          yield* this.#fail(`accept(${fd}, {}): ${strerror(got.errno)}`)
      }
      const own = sys.getsockname(accepted.fd)
      const from =
        accepted.from.family === 'AF_UNIX' && accepted.from.path === '' ? 'AF=1 "<anon>"' : nameText(accepted.from)
      yield* this.#log('N', `accepting connection from ${from} on ${own.ok ? nameText(own.value) : ''}`)
      const opened = channel({
        readFd: way === 'write' ? -1 : accepted.fd,
        writeFd: way === 'read' ? -1 : accepted.fd,
        kind: 'stream',
      })
      if (!fork) {
        sys.close(fd)
        this.#describe(sys, accepted.from, own.ok ? own.value : undefined)
        return opened
      }
      yield* this.#spawn(sys, fd, accepted.fd, opened, accepted.from, own.ok ? own.value : undefined)
    }
  }

  /** The rest of the program, in a child, is what `#open` returns to there. */
  *#spawn(
    sys: Sys,
    listener: number,
    fd: number,
    opened: Channel,
    from: SockAddr,
    own: SockAddr | undefined,
  ): Body<void> {
    const rest = this.#continue
    if (!rest) throw new NotModelled('socat with fork in the second address')
    this.#children++
    const pid = sys.fork((child) => {
      const copy = new Socat(child, new Stdio(child, 'socat', 'none'))
      Object.assign(copy.#s, this.#s)
      copy.#logFd = this.#logFd
      copy.#catchSignals()
      return (function* (): Body<number> {
        if (listener >= 0) child.close(listener)
        copy.#describe(child, from, own)
        try {
          return yield* rest(copy, opened)
        } catch (error) {
          if (error instanceof Ended || error instanceof Exit) return error.status
          throw error
        }
      })()
    })
    sys.close(fd)
    yield* this.#log('N', `forked off child process ${pid}`)
  }

  *#listenUdp(spec: Spec, way: Way): Body<Channel> {
    const { sys } = this
    const port = yield* this.#port(spec.parameters[0]!, 'udp')
    const fork = this.#option(spec.options, 'fork') !== undefined
    for (;;) {
      const fd = yield* this.#udpSocket(spec, port)
      const own = sys.getsockname(fd)
      yield* this.#log('N', `listening on UDP ${own.ok ? nameText(own.value) : ''}`)
      let from: SockAddr
      for (;;) {
        yield* this.#checkSignal()
        const got = yield* sys.receive(fd, 65_536, { peek: true })
        if (got.ok) {
          from = got.value.from
          break
        }
        if (got.errno !== 'EINTR') yield* this.#fail(`recvfrom(): ${strerror(got.errno)}`)
      }
      yield* this.#log('N', `accepting UDP connection from ${nameText(from)}`)
      yield* sys.connect(fd, from)
      const opened = channel({ readFd: way === 'write' ? -1 : fd, writeFd: way === 'read' ? -1 : fd, kind: 'datagram' })
      if (!fork) {
        this.#describe(sys, from, own.ok ? own.value : undefined)
        return opened
      }
      yield* this.#spawn(sys, -1, fd, opened, from, own.ok ? own.value : undefined)
    }
  }

  *#receiveFrom(spec: Spec, way: Way): Body<Channel> {
    const { sys } = this
    const fd = yield* this.#udpSocket(spec, yield* this.#port(spec.parameters[0]!, 'udp'))
    const fork = this.#option(spec.options, 'fork') !== undefined
    const own = sys.getsockname(fd)
    for (;;) {
      yield* this.#log('N', `receiving on ${own.ok ? nameText(own.value) : ''}`)
      yield* this.#checkSignal()
      const got = yield* sys.receive(fd, 65_536)
      if (!got.ok) {
        if (got.errno === 'EINTR') continue
        return yield* this.#fail(`recvfrom(): ${strerror(got.errno)}`)
      }
      const { from, bytes } = got.value
      yield* this.#log('N', `receiving packet from ${nameText(from)}`)
      const opened = channel({
        readFd: way === 'write' ? -1 : fd,
        writeFd: way === 'read' ? -1 : fd,
        kind: 'datagram',
        to: from,
        first: bytes,
        single: true,
      })
      if (!fork) {
        this.#describe(sys, from, own.ok ? own.value : undefined)
        return opened
      }
      const spare = sys.dup(fd)
      yield* this.#spawn(sys, -1, spare.ok ? spare.value : -1, opened, from, own.ok ? own.value : undefined)
    }
  }

  /** SOCAT_PEERADDR and its like. */
  #describe(sys: Sys, peer: SockAddr, own: SockAddr | undefined): void {
    const set = (name: string, value: string) => sys.env.set(`SOCAT_${name}`, value)
    for (const [prefix, name] of [
      ['PEER', peer],
      ['SOCK', own],
    ] as const) {
      const known = name && addressOf(name)
      if (known) {
        set(`${prefix}ADDR`, formatAddress(known.address))
        set(`${prefix}PORT`, String(known.port))
      }
    }
    set('VERSION', '1.7.4.4')
  }

  static continuation(right: string, way: Way): (self: Socat, opened: Channel) => Body<number> {
    return function* (self, opened) {
      const other = yield* self.#open(right, way)
      const fds = (one: Channel) =>
        `[${one.readFd < 0 ? one.writeFd : one.readFd},${one.writeFd < 0 ? one.readFd : one.writeFd}]`
      yield* self.#log('N', `starting data transfer loop with FDs ${fds(opened)} and ${fds(other)}`)
      yield* self.#transfer(opened, other)
      yield* self.#log('N', 'exiting with status 0')
      return 0
    }
  }

  // Data.

  *#transfer(left: Channel, right: Channel): Body<void> {
    const { sys } = this
    const s = this.#s
    let quietNs = s.inactiveS > 0 ? s.inactiveS * 1e9 : Number.POSITIVE_INFINITY
    let closing = false
    const pairs: [Channel, Channel, number][] = []
    if (s.direction !== 'right to left') pairs.push([left, right, 0])
    if (s.direction !== 'left to right') pairs.push([right, left, 1])
    for (;;) {
      yield* this.#checkSignal()
      const open = pairs.filter(([from]) => !from.ended && from.readFd >= 0)
      if (open.length === 0) return
      const waiting = open.some(([from]) => from.first)
      const entries = open.map(([from]) => ({ fd: from.readFd, events: POLLIN }))
      const ready = yield* sys.poll(entries, waiting ? 0 : quietNs)
      if (!ready.ok) continue
      if (ready.value.length === 0 && !waiting) {
        if (!closing) yield* this.#log('N', 'inactivity timeout triggered')
        return
      }
      for (const [from, to, side] of open) {
        const revents = ready.value.find(({ fd }) => fd === from.readFd)?.revents ?? 0
        if (!(revents & (POLLIN | POLLHUP | POLLERR)) && !from.first) continue
        const got = yield* readFrom(sys, from, s.size)
        if (!got.ok) {
          if (got.errno === 'EAGAIN' || got.errno === 'EINTR') continue
          yield* this.#log('E', `read(${from.readFd}, 0x${'55d5c0000000'}, ${s.size}): ${strerror(got.errno)}`)
          throw new Ended(1)
        }
        let bytes = got.value
        const end = bytes.length === 0 && from.kind !== 'datagram'
        if (!end) {
          if (to.crlf) bytes = withCrlf(bytes)
          if (from.crlf) bytes = bytes.filter((byte) => byte !== 13)
          if (s.verbose || s.hex) yield* this.#show(side, bytes)
          if (to.writeFd >= 0) {
            const failed = yield* writeTo(sys, to, bytes)
            if (failed) {
              const buffer = `${to.writeFd}, 0x55d5c0000000, ${bytes.length}`
              const call = to.to ? `sendto(${buffer}, 0, ${nameText(to.to)}, 16)` : `write(${buffer})`
              yield* this.#log('E', `${call}: ${strerror(failed)}`)
              throw new Ended(1)
            }
          }
        }
        if (end && from.ignoreEof) {
          yield* sys.sleep(1e9)
          continue
        }
        if (end || from.single) {
          from.ended = true
          yield* this.#log('N', `socket ${from === left ? 1 : 2} (fd ${from.readFd}) is at EOF`)
          endWriting(sys, to)
          if (!closing) quietNs = s.closeS * 1e9
          closing = true
          if (s.direction !== 'both') return
        }
      }
      if (pairs.every(([from]) => from.ended)) return
    }
  }

  *#show(side: number, bytes: Uint8Array): Body<void> {
    const { s, ns } = this.sys.realtime()
    const from = this.#counts[side]!
    this.#counts[side] = from + bytes.length
    const stamp = `${formatTime('%Y/%m/%d %H:%M:%S', s)}.${String(Math.floor(ns / 1000)).padStart(9, '0')}`
    let text = `${side === 0 ? '>' : '<'} ${stamp}  length=${bytes.length} from=${from} to=${from + bytes.length - 1}\n`
    if (this.#s.hex) {
      text += `${Array.from(bytes, (byte) => ` ${byte.toString(16).padStart(2, '0')}`).join('')}\n`
    } else {
      for (const byte of bytes) {
        if (byte === 13) text += '\\r'
        else if (byte === 10) text += '\n'
        else if (byte === 9) text += '\t'
        else if (byte === 0x5c) text += '\\\\'
        else text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'
      }
    }
    yield* this.sys.write(2, encodeUtf8(text))
  }
}

/** The end of the program, from within. */
class Ended extends Error {
  override readonly name = 'Ended'
  readonly status: number
  constructor(status: number) {
    super(`exit ${status}`)
    this.status = status
  }
}

function withCrlf(bytes: Uint8Array): Uint8Array {
  const out: number[] = []
  for (const byte of bytes) {
    if (byte === 10) out.push(13)
    out.push(byte)
  }
  return Uint8Array.from(out)
}

/** An address as the bytes of a number lie in a PC's memory, the way socat prints what it asked for. */
function inMemory(address: number): string {
  const bytes = [address & 255, (address >>> 8) & 255, (address >>> 16) & 255, address >>> 24]
  return `0x${bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

/** `AF=2 10.0.0.1:80`, `AF=1 "/tmp/s"`. */
function nameText(name: SockAddr): string {
  if (name.family === 'AF_UNIX') return `AF=1 "${name.path.replace(/^\0/, '\\0')}"`
  const known = addressOf(name)
  if (!known) return ''
  const text = formatAddress(known.address)
  return known.address.family === 'AF_INET' ? `AF=2 ${text}:${known.port}` : `AF=10 [${text}]:${known.port}`
}
