/**
 * The servers that IPVS has: which are in, which are out, whether enough are, and who is told. keepalived 2.2.7 check/ipwrapper.c
 */
import type { Body } from '#kernel/core'
import { setCheckerUp } from './check-complete.ts'
import {
  type CheckConfig,
  type Checker,
  type RealServer,
  realWeight,
  sameEndpoint,
  showReal,
  showServer,
  type VirtualServer,
} from './check-model.ts'
import type { IpvsControl } from './ipvs.ts'
import type { Log } from './log.ts'
import type { GlobalConfig } from './model.ts'
import type { Notifier } from './notify.ts'

export class Pool {
  readonly #log: Log
  readonly #ipvs: IpvsControl
  readonly #notifier: Notifier
  global: GlobalConfig

  constructor(log: Log, ipvs: IpvsControl, notifier: Notifier, global: GlobalConfig) {
    this.#log = log
    this.#ipvs = ipvs
    this.#notifier = notifier
    this.global = global
  }

  // The beginning and the end.

  *begin(check: CheckConfig): Body<void> {
    for (const server of check.servers) yield* this.#beginServer(server)
  }

  *#beginServer(server: VirtualServer): Body<void> {
    if (!server.alive || server.group) {
      this.#ipvs.command('ADD', server)
      server.alive = true
    }
    for (const real of server.servers) yield* this.#beginReal(server, real)
    yield* this.#updateQuorum(server, true)
    const { sorry } = server
    if (!sorry?.inhibit || sorry.set) return
    if (server.sorryIsReal) {
      sorry.set = true
      return
    }
    // With a weight of 0.
    sorry.failedCheckers = 1
    this.#ipvs.command('ADDDEST', server, sorry)
    sorry.failedCheckers = 0
  }

  *#beginReal(server: VirtualServer, real: RealServer): Body<void> {
    if (real.reloaded) {
      if (real.effectiveWeight !== real.previousWeight) {
        const weight = real.effectiveWeight
        real.effectiveWeight = real.previousWeight
        yield* this.changeWeight(weight, server, real, false)
      }
      return
    }
    if (!((real.failedCheckers === 0 && !real.alive) || (real.inhibit && !real.set))) return
    this.#ipvs.command('ADDDEST', server, real)
    if (real.failedCheckers > 0) return
    real.alive = true
    if (this.global.rsInitNotifies) yield* this.#tellReal(server, real, false)
  }

  *end(check: CheckConfig): Body<void> {
    if (check.servers.length === 0) return
    if (this.global.lvsFlushOnStop === 'full') {
      this.#ipvs.flush()
      for (const server of check.servers) yield* this.#tellQuorum(server, true)
      return
    }
    for (const server of check.servers) yield* this.#clear(server, true)
  }

  *#clear(server: VirtualServer, stopping: boolean): Body<void> {
    const { sorry } = server
    if (this.global.lvsFlushOnStop === 'no') {
      if (sorry?.set) {
        if (server.sorryIsReal) sorry.set = false
        else this.#remove(server, sorry)
        sorry.alive = false
      }
      for (const real of server.servers) yield* this.#clearReal(server, real, stopping)
      yield* this.#tellQuorum(server, stopping)
    } else {
      yield* this.#tellQuorum(server, stopping)
      if (sorry?.set) sorry.alive = false
    }
    this.#ipvs.command('DEL', server)
    server.alive = false
  }

  /** Out of the kernel, even if it is only to be inhibited. */
  #remove(server: VirtualServer, real: RealServer): void {
    const { inhibit } = real
    real.inhibit = false
    this.#ipvs.command('DELDEST', server, real)
    real.inhibit = inhibit
  }

  *#clearReal(server: VirtualServer, real: RealServer, stopping: boolean): Body<void> {
    if (real.set || stopping) {
      const inhibited = real.inhibit && !real.alive ? '(inhibited) ' : ''
      this.#log.info(
        `${stopping ? 'Shutting down' : 'Removing'} ${inhibited}service ${showReal(real, server)} from VS ${showServer(server)}`,
      )
    }
    if (!real.set) return
    this.#remove(server, real)
    if (!real.alive) return
    real.alive = false
    if (!server.omega && stopping) return
    yield* this.#tellReal(server, real, stopping)
  }

  // Changes.

  /** What a check has found. */
  *checked(checker: Checker, up: boolean): Body<void> {
    if (checker.up === up) {
      if (!checker.hasRun) {
        if (checker.alpha || !up) yield* this.#tellReal(checker.server, checker.real, false)
        checker.hasRun = true
      }
      return
    }
    checker.hasRun = true
    const { real, server } = checker
    const last = up ? real.failedCheckers <= 1 : real.failedCheckers === 0
    if (last && !(yield* this.#setAlive(up, server, real))) return
    setCheckerUp(checker, up)
  }

  *#setAlive(alive: boolean, server: VirtualServer, real: RealServer): Body<boolean> {
    if (real.alive === alive) return true
    const verb = real.inhibit ? (alive ? 'Enabl' : 'Disabl') : alive ? 'Add' : 'Remov'
    const where = real.inhibit ? 'of' : alive ? 'to' : 'from'
    this.#log.info(`${verb}ing service ${showReal(real, server)} ${where} VS ${showServer(server)}`)
    if (server.quorumUp || !server.sorry?.alive) {
      if (!this.#ipvs.command(alive ? 'ADDDEST' : 'DELDEST', server, real)) return false
    }
    real.alive = alive
    yield* this.#tellReal(server, real, false)
    yield* this.#updateQuorum(server, false)
    return true
  }

  *changeWeight(weight: number, server: VirtualServer, real: RealServer, quorum: boolean): Body<void> {
    const before = realWeight(real.effectiveWeight)
    const after = realWeight(weight)
    real.effectiveWeight = weight
    if (before === after) return
    this.#log.info(
      `Changing weight from ${before} to ${after} for ${real.alive ? '' : 'in'}active service ${showReal(real, server)} of VS ${showServer(server)}`,
    )
    if (real.set && real.alive && (server.quorumUp || !server.sorry?.alive)) {
      this.#ipvs.command('EDITDEST', server, real)
    }
    if (quorum) yield* this.#updateQuorum(server, false)
  }

  // Quorum.

  setQuorums(check: CheckConfig): void {
    for (const server of check.servers) server.quorumUp = aliveWeight(server) >= server.quorum + server.hysteresis
  }

  *#updateQuorum(server: VirtualServer, init: boolean): Body<void> {
    const sum = aliveWeight(server)
    const { quorum, hysteresis, sorry } = server
    const threshold = quorum + (server.quorumUp ? -hysteresis : hysteresis)
    const shown = showServer(server)
    if (!server.quorumUp && sum >= threshold) {
      server.quorumUp = true
      this.#log.info(`Gained quorum ${quorum}+${hysteresis}=${threshold} <= ${sum} for VS ${shown}`)
      if (sorry?.alive) {
        this.#log.info(
          `${sorry.inhibit ? 'Disabling' : 'Removing'} sorry server ${showReal(sorry, server)} from VS ${shown}`,
        )
        this.#ipvs.command('DELDEST', server, sorry)
        sorry.alive = false
        this.#changePool(server, true)
      }
      yield* this.#tellServer(server, false)
      return
    }
    const lost = server.quorumUp && (sum === 0 || sum < threshold)
    if (!lost && !(init && !server.quorumUp && sorry && !sorry.alive)) return
    server.quorumUp = false
    const what = init ? 'Starting with quorum down' : 'Lost quorum'
    this.#log.info(`${what} ${quorum}-${hysteresis}=${threshold} > ${sum} for VS ${shown}`)
    if (sorry && !sorry.alive) {
      this.#log.info(`${sorry.inhibit ? 'Enabling' : 'Adding'} sorry server ${showReal(sorry, server)} to VS ${shown}`)
      this.#changePool(server, false)
      this.#ipvs.command('ADDDEST', server, sorry)
      sorry.alive = true
    }
    yield* this.#tellServer(server, false)
  }

  /** All that are alive, in or out. */
  #changePool(server: VirtualServer, add: boolean): void {
    const what = add ? 'Adding alive servers to' : 'Removing alive servers from'
    this.#log.info(`${what} the pool for VS ${showServer(server)}`)
    for (const real of server.servers) {
      if (!real.alive) continue
      if (add) real.alive = false
      this.#ipvs.command(add ? 'ADDDEST' : 'DELDEST', server, real)
      real.alive = true
    }
  }

  // Telling.

  *#tellQuorum(server: VirtualServer, stopping: boolean): Body<void> {
    const sum = aliveWeight(server)
    const lost = server.quorumUp && (sum === 0 || sum < server.quorum - server.hysteresis)
    if (!stopping && !lost) return
    server.quorumUp = false
    yield* this.#tellServer(server, stopping)
  }

  *#tellServer(server: VirtualServer, stopping: boolean): Body<void> {
    if (stopping && !server.omega) return
    const script = server.quorumUp ? server.notifyQuorumUp : server.notifyQuorumDown
    if (script) this.#notifier.run(script, [], stopping)
    yield* this.#notifier.line(`VS ${showServer(server)} ${server.quorumUp ? 'UP' : 'DOWN'}`)
    this.#notifier.mail(server.smtpAlert)
  }

  *#tellReal(server: VirtualServer, real: RealServer, stopping: boolean): Body<void> {
    const script = real.alive ? real.notifyUp : real.notifyDown
    if (script) this.#notifier.run(script, [], stopping)
    yield* this.#notifier.line(`RS ${showReal(real, server)} ${showServer(server)} ${real.alive ? 'UP' : 'DOWN'}`)
    if (!this.global.noCheckerEmails) this.#notifier.mail(real.smtpAlert)
  }

  // Reloading.

  /** What has gone is removed; what stays keeps its state. ipwrapper.c: clear_diff_services() */
  *takeOver(before: CheckConfig, now: CheckConfig): Body<void> {
    for (const old of before.servers) {
      const server = now.servers.find((each) => sameServer(old, each))
      if (!server) {
        this.#log.info(
          old.groupName === undefined
            ? `Removing Virtual Server ${showServer(old)}`
            : `Removing Virtual Server Group [${old.groupName}]`,
        )
        yield* this.#clear(old, false)
        continue
      }
      server.alive = old.alive
      server.quorumUp = old.quorumUp
      server.reloaded = true
      if (
        old.scheduler !== server.scheduler ||
        old.flags !== server.flags ||
        old.engine !== server.engine ||
        old.granularity !== server.granularity ||
        old.persistenceS !== server.persistenceS
      ) {
        this.#ipvs.command('EDIT', server)
      }
      old.omega = true
      for (const real of old.servers) yield* this.#takeOverReal(old, server, real, before, now)
      yield* this.#tellQuorum(old, false)
      this.#takeOverSorry(old, server)
    }
  }

  *#takeOverReal(
    before: VirtualServer,
    server: VirtualServer,
    old: RealServer,
    oldCheck: CheckConfig,
    check: CheckConfig,
  ): Body<void> {
    const real = server.servers.find((each) => sameEndpoint(each.endpoint, old.endpoint))
    if (!real) {
      this.#log.info(`service ${showReal(old, before)} no longer exist`)
      yield* this.#clearReal(before, old, false)
      return
    }
    real.alive = old.alive
    real.set = old.set
    real.effectiveWeight = old.effectiveWeight
    real.previousWeight = old.effectiveWeight
    real.reloaded = true
    yield* this.#takeOverCheckers(server, old, real, oldCheck, check)
    const { type, port, flags } = real.tunnel
    if (
      type !== old.tunnel.type ||
      port !== old.tunnel.port ||
      flags !== old.tunnel.flags ||
      old.method !== real.method
    ) {
      this.#ipvs.command('EDITDEST', server, real)
    }
  }

  *#takeOverCheckers(
    server: VirtualServer,
    oldReal: RealServer,
    real: RealServer,
    before: CheckConfig,
    now: CheckConfig,
  ): Body<void> {
    const own = now.checkers.filter((checker) => checker.real === real)
    for (const checker of own) {
      const old = before.checkers.find((each) => each.real === oldReal && sameChecker(each, checker))
      if (!old) continue
      if (old.hasRun && old.up !== checker.up) setCheckerUp(checker, old.up)
      checker.hasRun = old.hasRun
      if (old.tries > 0 && checker.retry! > 0) checker.tries = Math.min(old.tries, checker.retry! - 1)
      if (old.kind.type === 'MISC' && checker.kind.type === 'MISC') {
        checker.kind.lastExit = old.kind.lastExit
        const exit = old.kind.lastExit
        if (checker.kind.dynamic && exit !== 1) checker.weight = exit - (exit ? 2 : 0) - real.weight!
      }
    }
    real.failedCheckers = own.filter(({ hasRun, up }) => hasRun && !up).length
    if (real.failedCheckers > 0 || (!real.alive && !own.some(({ hasRun }) => hasRun))) {
      for (const checker of own) {
        if (checker.hasRun) continue
        if (checker.alpha) setCheckerUp(checker, false)
        checker.tries = checker.retry!
      }
    }
    if (real.failedCheckers === 0 && !real.alive) yield* this.#setAlive(true, server, real)
    else if (real.failedCheckers > 0 && real.set !== (real.inhibit ?? false)) {
      this.#ipvs.command(real.inhibit ? 'ADDDEST' : 'DELDEST', server, real)
    }
  }

  #takeOverSorry(before: VirtualServer, server: VirtualServer): void {
    const old = before.sorry
    if (!old) return
    const { sorry } = server
    if (sorry && sameEndpoint(sorry.endpoint, old.endpoint)) {
      sorry.alive = old.alive
      sorry.set = old.set
      sorry.reloaded = true
      return
    }
    if (old.inhibit) {
      if (old.set) old.alive = true
      old.inhibit = false
    }
    if (!old.alive) return
    this.#log.info(`Removing sorry server ${showReal(old, before)} from VS ${showServer(before)}`)
    this.#ipvs.command('DELDEST', before, old)
  }
}

function aliveWeight(server: VirtualServer): number {
  return server.servers.reduce((sum, real) => sum + (real.alive ? realWeight(real.effectiveWeight) : 0), 0)
}

function sameServer(one: VirtualServer, other: VirtualServer): boolean {
  if (one.groupName !== undefined || other.groupName !== undefined) {
    return one.groupName === other.groupName && one.groupNumber === other.groupNumber
  }
  if (one.family !== other.family || one.mark !== other.mark) return false
  if (one.mark !== undefined) return true
  return one.protocol === other.protocol && sameEndpoint(one.endpoint!, other.endpoint!)
}

/** Its result may be kept: it looks for the same in the same way. */
function sameChecker(one: Checker, other: Checker): boolean {
  const shape = ({ kind, connect }: Checker) => {
    if (kind.type === 'MISC') return JSON.stringify([kind.dynamic, kind.script?.args])
    const rest = kind.type === 'HTTP' ? kind.urls.map(({ path, digest }) => [path, digest]) : []
    return JSON.stringify([connect, rest])
  }
  return one.kind.type === other.kind.type && shape(one) === shape(other)
}
