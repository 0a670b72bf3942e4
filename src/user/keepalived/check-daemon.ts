/**
 * The health-check process: tells IPVS of the virtual servers, and checks what is behind them until it is told to stop. keepalived
 * 2.2.7 check/check_daemon.c
 */
import { type Body, type Sys, writeText } from '#kernel/core'
import type { Stdio } from '#user/libc'
import { completeChecks, setCheckerUp } from './check-complete.ts'
import { checkKeywords } from './check-keywords.ts'
import { CheckConfig } from './check-model.ts'
import { Pool } from './check-pool.ts'
import { Checks } from './checks.ts'
import { type Child, childStarts, closeAll, EXIT_CONFIG, readConfiguration, stopLines } from './child.ts'
import type { Configuration } from './configuration.ts'
import { dumpChecks } from './dump.ts'
import { globalKeywords } from './global-keywords.ts'
import { Interfaces } from './interfaces.ts'
import { IpvsControl } from './ipvs.ts'
import { Loop } from './loop.ts'
import { SyncDaemon } from './lvs-sync.ts'
import { Notifier } from './notify.ts'
import { MissingParameter, type Mistake } from './reader.ts'
import { otherKeywords, vrrpKeywords } from './vrrp-keywords.ts'

const EXIT_FATAL = 1
const SECOND_US = 1_000_000

interface Read {
  config: Configuration
  check: CheckConfig
}

function* readChecks(child: Child, sys: Sys): Body<Read> {
  const check = new CheckConfig()
  const config = yield* readConfiguration(child, sys, new Interfaces(), (made) => [
    ...globalKeywords(made, child.reloading),
    ...checkKeywords(made, check),
    ...vrrpKeywords(made, false),
    ...otherKeywords(true),
  ])
  yield* completeChecks(sys, config, check)
  return { config, check }
}

/** For -t: complains about what it finds. */
export function* testCheck(
  child: Child,
  sys: Sys,
  _interfaces: Interfaces,
  worst: (mistake: Mistake) => void,
): Body<void> {
  const { config } = yield* readChecks(child, sys)
  worst(config.reader.worst)
}

/** The body of the process. */
export function* checkProcess(child: Child, sys: Sys, io: Stdio): Body<number> {
  yield* childStarts(child, sys)
  return yield* new CheckDaemon(child, sys, io).run()
}

class CheckDaemon {
  readonly #child: Child
  readonly #sys: Sys
  readonly #io: Stdio
  readonly #loop: Loop
  readonly #notifier: Notifier
  readonly #ipvs: IpvsControl
  readonly #pool: Pool
  readonly #checks: Checks
  #check = new CheckConfig()
  #sync: SyncDaemon | undefined

  constructor(child: Child, sys: Sys, io: Stdio) {
    this.#child = child
    this.#sys = sys
    this.#io = io
    const { log, global, options } = child
    const loop = new Loop(sys, io)
    this.#loop = loop
    this.#notifier = new Notifier(sys, log, loop, global, options.stay)
    this.#ipvs = new IpvsControl(sys, log)
    this.#pool = new Pool(log, this.#ipvs, this.#notifier, global)
    this.#checks = new Checks({ sys, log, loop, pool: this.#pool, console: options.stay, global })
  }

  *run(): Body<number> {
    const loop = this.#loop
    for (const signal of ['SIGTERM', 'SIGINT'] as const) loop.signal(signal, () => this.#stops())
    loop.signal('SIGHUP', () => this.#reloads())
    loop.signal('SIGUSR1', () => this.#prints())
    this.#sys.sigaction('SIGPIPE', 'ignore')
    this.#child.watchParent(loop, () => this.#stops())
    const failed = yield* this.#start()
    if (failed !== undefined) return failed
    return yield* loop.run()
  }

  *#start(): Body<number | undefined> {
    const child = this.#child
    const sys = this.#sys
    const { log, reloading } = child
    let read: Read
    try {
      read = yield* readChecks(child, sys)
    } catch (error) {
      if (!(error instanceof MissingParameter)) throw error
      return EXIT_CONFIG
    }
    const { config, check } = read
    const { global } = config
    const before = this.#check
    this.#check = check
    for (const part of [this.#notifier, this.#pool, this.#checks]) part.global = global
    this.#pool.setQuorums(check)
    if (global.checkerProcessName !== undefined) sys.setName(global.checkerProcessName, child.argv)
    if (check.servers.length > 0 || (reloading && before.servers.length > 0)) {
      log.info(reloading ? 'Reinitializing ipvs' : 'Initializing ipvs')
      if (!this.#ipvs.present) {
        log.info("IPVS: Can't initialize ipvs: Protocol not available")
        return yield* this.#fails()
      }
    }
    this.#setTimeouts(global.lvsTimeouts)
    this.#startSync(config)
    const { notifyFifo, lvsNotifyFifo } = global
    yield* this.#notifier.openFifos([notifyFifo, lvsNotifyFifo], 'lvs_')
    if (!reloading && global.lvsFlush) this.#ipvs.flush()
    if (reloading) yield* this.#pool.takeOver(before, check)
    for (const server of check.servers) for (const real of server.servers) real.effectiveWeight = real.weight!
    for (const checker of check.checkers) checker.real.effectiveWeight += checker.weight
    if (reloading) {
      for (const checker of check.checkers) {
        if (checker.real.reloaded || !checker.alpha) continue
        setCheckerUp(checker, false)
        checker.real.alive = false
      }
    }
    yield* this.#pool.begin(check)
    yield* this.#io.settle()
    yield* child.configured(sys)
    if (child.options.dump) dumpChecks(config, check, (line) => log.info(line))
    this.#checks.begin(check.checkers)
    child.reloading = false
    return undefined
  }

  #setTimeouts(timeouts: { tcp: number; fin: number; udp: number } | undefined): void {
    if (!timeouts || (timeouts.tcp === 0 && timeouts.fin === 0 && timeouts.udp === 0)) return
    const { tcp, fin, udp } = timeouts
    const request = { type: 'IPVS_CMD_SET_CONFIG', timeoutTcp: tcp, timeoutTcpFin: fin, timeoutUdp: udp }
    if (!this.#sys.netlink(request).ok) this.#child.log.info('Failed to set ipvs timeouts')
  }

  #startSync({ global, log }: Configuration): void {
    const { lvsSync } = global
    if (!lvsSync || lvsSync.instance !== undefined) return
    this.#sync = new SyncDaemon(this.#sys, log, lvsSync, undefined)
    this.#sync.startBoth()
  }

  *#fails(): Body<number> {
    stopLines(this.#sys, this.#child.log)
    this.#sys.unlink(this.#child.pidFile)
    yield* this.#io.settle()
    return EXIT_FATAL
  }

  *#stops(): Body<void> {
    const { children } = this.#loop
    for (const pid of children.keys()) this.#sys.kill(-pid, 'SIGTERM')
    const running = children.size > 0
    this.#loop.clear()
    if (!this.#child.options.keepIpvs) yield* this.#pool.end(this.#check)
    if (!running && children.size === 0) this.#ends()
    else this.#loop.after(SECOND_US, () => this.#ends())
  }

  #ends(): void {
    this.#notifier.closeFifos()
    this.#sync?.stopBoth()
    this.#sys.unlink(this.#child.pidFile)
    stopLines(this.#sys, this.#child.log)
    closeAll(this.#sys)
    this.#loop.stop(0)
  }

  *#reloads(): Body<void> {
    this.#child.log.info('Reloading')
    for (const pid of this.#loop.children.keys()) this.#sys.kill(-pid, 'SIGTERM')
    this.#loop.children.clear()
    this.#loop.clear()
    this.#child.watchParent(this.#loop, () => this.#stops())
    this.#notifier.closeFifos()
    this.#child.reloading = true
    const failed = yield* this.#start()
    if (failed !== undefined) this.#loop.stop(failed)
  }

  *#prints(): Body<void> {
    const sys = this.#sys
    this.#child.log.info(`Printing checker data for process(${sys.pid}) on signal`)
    let text = ''
    dumpChecks(undefined, this.#check, (line) => {
      text += `${line}\n`
    })
    const opened = yield* sys.open('/tmp/keepalived_check.data', 0o1101, 0o600)
    if (!opened.ok) return
    yield* writeText(sys, opened.value, text)
    sys.close(opened.value)
  }
}
