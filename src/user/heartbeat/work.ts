/** What the master has done by others: it forks, and the child runs the scripts, so that its own heart goes on beating. heartbeat 3.0.6 heartbeat/hb_resource.c */
import { encodeUtf8 } from '#base/bytes'
import { type Body, O_APPEND, O_WRONLY, type Sys } from '#kernel/core'
import type { ClientChild, HaConfig } from './configuration.ts'
import type { HaLog } from './log.ts'
import { FIFO } from './media.ts'
import { formatLines, HaMessage } from './message.ts'
import { ALL, FOREIGN, LOCAL, type Resources, type Work } from './resources.ts'
import { capture, system } from './running.ts'

const MANAGER = '/usr/share/heartbeat/ResourceManager'

/** How a process is called when it ends. */
export function workName(work: Work): string {
  if (work.kind === 'notify') return (work.message.get('t') ?? '').toLowerCase()
  if (work.kind === 'acquire') return work.alone ? 'req_our_resources' : 'req_our_resources(ask)'
  return work.kind === 'standby' ? 'go_standby' : 'hb_giveup_resources'
}

export function* workChild(
  sys: Sys,
  log: HaLog,
  config: HaConfig,
  node: string,
  work: Work,
  resources: Resources,
): Body<number> {
  sys.setpgid(0, 0)
  for (const signal of ['SIGTERM', 'SIGCHLD', 'SIGHUP'] as const) sys.sigaction(signal, 'default')
  for (const signal of ['SIGINT', 'SIGPIPE', 'SIGUSR1', 'SIGUSR2'] as const) sys.sigaction(signal, 'default')
  sys.env.set('HA_LOGD', config.useLogd ? 'yes' : 'no')
  if (work.kind === 'notify') return yield* notify(sys, log, config, work.message, work.status)
  if (work.kind === 'acquire') return yield* acquire(sys, log, config, node, work.alone, resources)
  if (work.kind === 'standby') return yield* standby(sys, log, work, resources)
  return yield* giveUp(sys, log)
}

/** Runs a message's script with its fields in the environment. */
function* notify(sys: Sys, log: HaLog, config: HaConfig, message: HaMessage, status: string): Body<number> {
  sys.setName('heartbeat', ['heartbeat: notify_world()'])
  for (const { name, value } of message.fields) if (typeof value === 'string') sys.env.set(`HA_${name}`, value)
  sys.env.set('HA_OSTATUS', status)
  if (config.niceFailback) sys.env.set('HA_NICEFAILBACK', 'yes')
  const type = (message.get('t') ?? '').toLowerCase()
  const done = yield* sys.exec('/etc/ha.d/harc', ['harc', type])
  if (done.ok) return done.value
  log.say('ERROR', 'cannot exec /etc/ha.d/harc')
  yield* log.flush()
  return 1
}

function* keys(sys: Sys, words: string[]): Body<string[]> {
  const { output } = yield* capture(sys, [MANAGER, ...words])
  return output.split('\n').filter((line) => line !== '')
}

function* acquire(
  sys: Sys,
  log: HaLog,
  config: HaConfig,
  node: string,
  alone: boolean,
  resources: Resources,
): Body<number> {
  sys.setName('heartbeat', ['heartbeat: req_our_resources()'])
  if (alone) sys.env.set('HA_DONTASK', 'yes')
  if (config.niceFailback) sys.env.set('HA_NICEFAILBACK', 'yes')
  const own = yield* keys(sys, ['listkeys', node])
  for (const key of own) yield* system(sys, ['/usr/share/heartbeat/req_resource', key])
  if (own.length > 0) log.say('info', 'Local Resource acquisition completed.')
  else log.say('info', `No local resources [${MANAGER} listkeys ${node}] to acquire.`)
  yield* log.flush()
  // The state is shared with the master: what it is by now counts.
  if (config.niceFailback) yield* writeFifo(sys, resources.held(true, 'req_our_resources()'))
  return 0
}

function* standby(
  sys: Sys,
  log: HaLog,
  work: { giveUp: boolean; which: number; rsctype: number },
  resources: Resources,
): Body<number> {
  const query = work.which === ALL ? 'allkeys' : work.which === LOCAL ? 'ourkeys' : 'otherkeys'
  const name = ['none', 'local', 'foreign', 'all'][work.which]!
  if (work.which !== ALL && work.which !== LOCAL && work.which !== FOREIGN) {
    log.say('ERROR', `no resources to ${work.giveUp ? 'give up' : 'acquire'}`)
    yield* log.flush()
    return 10
  }
  log.say('info', `${work.giveUp ? 'give up' : 'acquire'} ${name} HA resources (standby).`)
  yield* log.flush()
  for (const key of yield* keys(sys, [query])) {
    const words = key.split(' ').filter((word) => word !== '')
    yield* report(sys, log, [MANAGER, work.giveUp ? 'givegroup' : 'takegroup', ...words])
  }
  log.say('info', `${name} HA resource ${work.giveUp ? 'release' : 'acquisition'} completed (standby).`)
  yield* log.flush()
  const done = resources.standbyMessage('done')
  yield* writeFifo(sys, done)
  return 0
}

function* report(sys: Sys, log: HaLog, words: string[]): Body<void> {
  const status = yield* system(sys, words)
  if (status !== 0) log.say('ERROR', `${words.join(' ')} exited with return code ${status}`)
  yield* log.flush()
}

function* giveUp(sys: Sys, log: HaLog): Body<number> {
  sys.setName('heartbeat', ['heartbeat: hb_signal_giveup_resources()'])
  sys.sigaction('SIGTERM', 'ignore')
  log.say('info', 'Giving up all HA resources.')
  yield* log.flush()
  for (const key of yield* keys(sys, ['listkeys', '.*'])) yield* report(sys, log, [MANAGER, 'givegroup', key])
  log.say('info', 'All HA resources relinquished.')
  yield* log.flush()
  yield* writeFifo(sys, HaMessage.of({ t: 'shutdone', st: 'dead' }))
  return 0
}

/** Says something to the cluster, as a script does. */
export function* writeFifo(sys: Sys, message: HaMessage): Body<boolean> {
  const opened = yield* sys.open(FIFO, O_WRONLY | O_APPEND)
  if (!opened.ok) return false
  yield* sys.write(opened.value, encodeUtf8(formatLines(message)))
  sys.close(opened.value)
  return true
}

/** A program that heartbeat keeps running. */
export function* clientChild(sys: Sys, log: HaLog, client: ClientChild): Body<number> {
  sys.setpgid(0, 0)
  for (const signal of ['SIGTERM', 'SIGCHLD', 'SIGINT'] as const) sys.sigaction(signal, 'default')
  log.say('info', `Starting "${client.command}" as uid 0  gid 0 (pid ${sys.pid})`)
  yield* log.flush()
  const done = yield* sys.exec('/bin/sh', ['sh', '-c', `exec ${client.command}`])
  return done.ok ? done.value : 100
}
