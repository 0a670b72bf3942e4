/** What is checked when all of the virtual servers have been read, and what is filled in. keepalived 2.2.7 check/check_data.c: validate_check_config() */
import type { Body, Sys } from '#kernel/core'
import {
  type CheckConfig,
  type Endpoint,
  familyOf,
  IPPROTO_UDP,
  PERSISTENCE_DEFAULT_S,
  type RealServer,
  sameEndpoint,
  showReal,
  showServer,
  type VirtualServer,
} from './check-model.ts'
import type { Configuration } from './configuration.ts'
import { showAddress } from './model.ts'
import { checkScript, commandLine, type Script, type Verdict } from './scripts.ts'

const ONE_PACKET = 4
const DEFAULT_SCHEDULER = 'wlc'

export function* completeChecks(sys: Sys, config: Configuration, check: CheckConfig): Body<void> {
  linkGroups(config, check)
  for (const server of [...check.servers]) {
    if (server.servers.length === 0) {
      config.wrong(`Virtual server ${showServer(server)} has no real servers - ignoring`)
      check.servers = check.servers.filter((each) => each !== server)
      continue
    }
    completeProtocol(config, server)
    completeReals(config, check, server)
    completeQuorum(config, server)
    completePorts(config, server)
  }
  check.checkers = check.checkers.filter(({ server }) => check.servers.includes(server))
  completeCheckers(config, check)
  yield* checkSecurity(sys, config, check)
}

/** ipwrapper.c: link_vsg_to_vs() */
function linkGroups(config: Configuration, check: CheckConfig): void {
  const counts = new Map<string, number>()
  check.servers = check.servers.filter((server) => {
    const { groupName } = server
    if (groupName === undefined) return true
    server.group = check.groups.find(({ name }) => name === groupName)
    if (!server.group) {
      config.log.info(
        `Virtual server group ${groupName} specified but not configured - ignoring virtual server ${showServer(server)}`,
      )
      return false
    }
    const families = new Set(
      server.group.entries.map((entry) => ('from' in entry ? familyOf(entry.from) : entry.family)).filter(Boolean),
    )
    const mixed = families.size === 2
    if (mixed && server.family !== undefined) {
      config.log.info(
        `${groupName}: virtual server group with IPv4 & IPv6 doesn't match virtual server ${showServer(server)} - ignoring`,
      )
      return false
    }
    const family = families.size === 1 ? ([...families][0] as 4 | 6) : undefined
    if (family !== undefined && server.family !== undefined && server.family !== family) {
      config.log.info(`${groupName}: address family doesn't match virtual server ${showServer(server)} - ignoring`)
      return false
    }
    server.family ??= family
    if (server.family === undefined && !mixed) {
      config.log.info(
        `${groupName}: Virtual server ${showServer(server)} address family cannot be determined, defaulting to IPv4`,
      )
    }
    return true
  })
  for (const server of check.servers) {
    if (server.groupName === undefined) continue
    server.groupNumber = counts.get(server.groupName) ?? 0
    counts.set(server.groupName, server.groupNumber + 1)
  }
}

function completeProtocol(config: Configuration, server: VirtualServer): void {
  const say = (text: string) => config.wrong(`Virtual server ${showServer(server)}: ${text}`)
  const ranges = server.group?.entries.filter((entry) => 'from' in entry) ?? []
  const byAddress = server.group ? ranges.length > 0 : server.mark === undefined
  if (byAddress) {
    if (server.protocol === 0) {
      say('no protocol set - defaulting to UDP')
      server.protocol = IPPROTO_UDP
    }
    if (server.flags & ONE_PACKET && server.protocol !== IPPROTO_UDP) {
      say('one packet scheduling requires UDP - resetting')
      server.flags &= ~ONE_PACKET
    }
  }
  const portless = server.group ? ranges.some(({ port }) => port === 0) : server.endpoint?.port === 0
  if (portless && server.persistenceS === 0) {
    say('zero port only valid for persistent services - setting')
    server.persistenceS = PERSISTENCE_DEFAULT_S
  }
  if (!byAddress && server.protocol !== 0) {
    const shown = showServer(server)
    config.wrong(`Warning: Virtual server ${shown}: protocol specified for fwmark - protocol will be ignored`)
    server.protocol = 0
  }
  if (server.scheduler !== undefined) return
  say(`no scheduler set, setting default '${DEFAULT_SCHEDULER}'`)
  server.scheduler = DEFAULT_SCHEDULER
}

function defaultMethod(config: Configuration, server: VirtualServer, real: RealServer): void {
  if (real.method !== undefined) return
  if (server.method === undefined) {
    config.wrong(`Virtual server ${showServer(server)}: no forwarding method set, setting default NAT`)
    server.method = 0
  }
  real.method = server.method
  real.tunnel = { ...server.tunnel }
}

function completeReals(config: Configuration, check: CheckConfig, server: VirtualServer): void {
  const { global } = config
  server.smtpAlert ??= global.smtpAlertChecker ?? global.smtpAlert ?? false
  const kept: RealServer[] = []
  for (const real of server.servers) {
    if (kept.some((each) => sameEndpoint(each.endpoint, real.endpoint))) {
      config.wrong(`VS ${showServer(server)}: real server ${showReal(real, server)} is duplicated - removing second rs`)
      check.checkers = check.checkers.filter((checker) => checker.real !== real)
      continue
    }
    kept.push(real)
    defaultMethod(config, server, real)
    real.alpha ??= server.alpha
    real.inhibit ??= server.inhibit
    real.retry ??= server.retry
    real.connectUs ??= server.connectUs
    real.delayUs ??= server.delayUs
    real.warmupUs ??= server.warmupUs
    real.retryDelayUs ??= server.retryDelayUs
    real.weight ??= server.weight
    real.effectiveWeight = real.weight
    real.smtpAlert ??= global.smtpAlertChecker ?? global.smtpAlert ?? true
    const { sorry } = server
    if (!sorry || !sameEndpoint(sorry.endpoint, real.endpoint)) continue
    if ((sorry.inhibit ?? false) !== real.inhibit) {
      const change = real.inhibit ? 'sett' : 'clear'
      config.wrong(
        `Virtual server ${showServer(server)}: real server ${showReal(real, server)} matches sorry server, but inhibit setting differs, ${change}ing on sorry server`,
      )
      sorry.inhibit = real.inhibit
    }
    server.sorryIsReal = true
  }
  server.servers = kept
  if (server.sorry) defaultMethod(config, server, server.sorry)
}

function completeQuorum(config: Configuration, server: VirtualServer): void {
  const sum = server.servers.reduce((total, { effectiveWeight }) => total + effectiveWeight, 0)
  if (server.quorum > sum) {
    config.wrong(
      `Warning - quorum ${server.quorum} for ${showServer(server)} exceeds total weight of real servers ${sum}, reducing quorum to ${sum}`,
    )
    server.quorum = sum
  }
  if (server.hysteresis < server.quorum) return
  const { hysteresis, quorum } = server
  config.wrong(
    `Virtual server ${showServer(server)}: hysteresis ${hysteresis} >= quorum ${quorum}; setting hysteresis to ${quorum - 1}`,
  )
  server.hysteresis = quorum - 1
}

/** Only NAT can change the port. */
function completePorts(config: Configuration, server: VirtualServer): void {
  const shown = showServer(server)
  const { sorry } = server
  if (server.group) {
    for (const entry of server.group.entries) {
      for (const real of [...server.servers, ...(sorry ? [sorry] : [])]) {
        const { port } = real.endpoint
        if (real.method === 0 || port === 0) continue
        const which = real === sorry ? 'sorry server' : `real server ${showReal(real, server)}`
        if (!('from' in entry)) {
          config.wrong(`WARNING - fwmark virtual server ${shown}, ${which} has port specified - port will be ignored`)
        } else if (entry.port !== port && real === sorry) {
          config.wrong(`WARNING - virtual server ${shown}, sorry server has port specified - port will be ignored`)
        } else if (entry.port !== port) {
          const range = entry.from === entry.to ? '' : `-${showAddress(entry.to)}`
          const where = `${showAddress(entry.from)}${range},${entry.port}`
          config.wrong(`virtual server ${shown}:[${where}] and ${which} ports don't match`)
        }
      }
    }
    return
  }
  const own = server.endpoint?.port ?? 0
  for (const real of server.servers) {
    const { endpoint } = real
    if (endpoint.port === 0) setPort(real, own)
    else if (real.method === 0 || endpoint.port === own) continue
    else if (server.mark !== undefined) {
      config.wrong(
        `WARNING - fwmark virtual server ${shown}, real server ${showReal(real, server)} has port specified - clearing`,
      )
    } else {
      config.wrong(
        `WARNING - virtual server ${shown} and real server ${showReal(real, server)} ports don't match - resetting`,
      )
    }
    setPort(real, own)
  }
  if (!sorry || sorry.method === 0) return
  if (sorry.endpoint.port !== 0 && sorry.endpoint.port !== own) {
    config.wrong(
      server.mark === undefined
        ? `WARNING - virtual server ${shown} and sorry server ports don't match - resetting`
        : `WARNING - virtual server ${shown}, sorry server has port specified - clearing`,
    )
  }
  setPort(sorry, own)
}

function setPort(real: RealServer, port: number): void {
  const changed: Endpoint = { address: real.endpoint.address, port }
  real.endpoint = changed
}

function completeCheckers(config: Configuration, check: CheckConfig): void {
  for (const checker of check.checkers) {
    const { real, connect } = checker
    checker.alpha ??= real.alpha!
    checker.retry ??= real.retry ?? checker.defaultRetry
    if (connect) connect.timeoutUs ??= real.connectUs!
    checker.delayUs ??= real.delayUs!
    checker.warmupUs ??= real.warmupUs ?? checker.delayUs
    checker.retryDelayUs ??= real.retryDelayUs ?? (checker.defaultRetryDelayUs || checker.delayUs)
    if (config.reloading) continue
    if (checker.alpha) {
      setCheckerUp(checker, false)
      real.alive = false
    }
    // The first failure is enough.
    checker.tries = checker.retry
  }
}

export function setCheckerUp(checker: { up: boolean; real: RealServer }, up: boolean): void {
  if (checker.up === up) return
  checker.up = up
  const { real } = checker
  if (!up) real.failedCheckers++
  else if (real.failedCheckers > 0) real.failedCheckers--
}

function* checkSecurity(sys: Sys, config: Configuration, check: CheckConfig): Body<void> {
  if (check.servers.length === 0) return
  const { log, global } = config
  const found: Verdict[] = []
  for (const checker of [...check.checkers]) {
    const { kind } = checker
    if (kind.type !== 'MISC') continue
    const verdict = yield* checkScript(sys, log, kind.script!, global.scriptSecurity)
    found.push(verdict)
    const shown = commandLine(kind.script!)
    if (verdict.inhibited) log.info(`Disabling misc script ${shown} due to insecure`)
    else if (verdict.missing) log.info(`Disabling misc script ${shown} since not found/accessible`)
    if (verdict.disabled) check.checkers = check.checkers.filter((each) => each !== checker)
  }
  const kept = function* (script: Script | undefined): Body<Script | undefined> {
    if (!script) return undefined
    const verdict = yield* checkScript(sys, log, script, global.scriptSecurity)
    found.push(verdict)
    return verdict.disabled ? undefined : script
  }
  for (const server of check.servers) {
    server.notifyQuorumUp = yield* kept(server.notifyQuorumUp)
    server.notifyQuorumDown = yield* kept(server.notifyQuorumDown)
    for (const real of server.servers) {
      real.notifyUp = yield* kept(real.notifyUp)
      real.notifyDown = yield* kept(real.notifyDown)
    }
  }
  for (const fifo of [global.notifyFifo, global.lvsNotifyFifo]) fifo.script = yield* kept(fifo.script)
  if (global.scriptSecurity || !found.some(({ isScript }) => isScript)) return
  const worse = found.some(({ insecure }) => insecure) ? ' There are insecure scripts.' : ''
  config.reader.report(
    'SECURITY',
    `SECURITY VIOLATION - check scripts are being executed but script_security not enabled.${worse}`,
  )
}
