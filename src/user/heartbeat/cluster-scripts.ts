/**
 * The scripts between the daemon and the resources: who runs what when a node's status changes, when a resource is asked
 * for, when somebody wants to stand by. heartbeat 3.0.6 heartbeat/harc.in, heartbeat/rc.d, heartbeat/lib
 */
import type { Body } from '#kernel/core'
import { HaMessage } from './message.ts'
import { capture, system } from './running.ts'
import type { Script } from './script.ts'
import { writeFifo } from './work.ts'

const MANAGER = '/usr/share/heartbeat/ResourceManager'
const RC_DIR = '/etc/ha.d//rc.d'

/** /etc/ha.d/harc TYPE: runs the script of that name. */
export function* harc(script: Script, argv: string[]): Body<number> {
  const type = argv[1] ?? ''
  const path = `${RC_DIR}/${type}`
  if (!script.sys.access(path, 'x').ok) {
    yield* script.log(`ERROR: /etc/ha.d/harc: ${path}: not executable`)
    return 1
  }
  yield* script.log(`info: Running ${path} ${argv.slice(1).join(' ')}`)
  const done = yield* script.sys.exec(path, [path, ...argv.slice(1)])
  return done.ok ? done.value : 126
}

/** rc.d/status: a node's status has changed. */
export function* statusScript(script: Script): Body<number> {
  if (script.env('HA_st') !== 'dead') return 0
  return yield* system(script.sys, ['/usr/share/heartbeat/mach_down', script.env('HA_src')])
}

function* keysOf(script: Script, node: string): Body<string[]> {
  const { output } = yield* capture(script.sys, [MANAGER, 'listkeys', node])
  return output.split(/\s+/).filter((key) => key !== '')
}

/** mach_down NODE: takes all that a dead node had. */
export function* machDown(script: Script, argv: string[]): Body<number> {
  const node = (argv[1] ?? '').toLowerCase()
  if (node === script.env('HA_CURHOST') || script.env('HA_info').includes('ping')) return 0
  for (const key of yield* keysOf(script, node)) {
    yield* script.log(`info: Taking over resource group ${key}`)
    yield* system(script.sys, [MANAGER, 'takegroup', key])
  }
  if (/^[Yy]es$/.test(script.env('HA_NICEFAILBACK'))) {
    yield* script.log('info: /usr/share/heartbeat/mach_down: nice_failback: foreign resources acquired')
    yield* say(script, { t: 'resource', rsc_hold: 'foreign', info: 'mach_down' })
  }
  yield* script.log(`info: mach_down takeover complete for node ${node}.`)
  return 0
}

function* say(script: Script, fields: Record<string, string>): Body<number> {
  if (yield* writeFifo(script.sys, HaMessage.of(fields))) return 0
  return 1
}

/** req_resource KEY: asks the other for a group, or pretends to if there is nobody to ask. */
export function* reqResource(script: Script, argv: string[]): Body<number> {
  const key = argv[1] ?? ''
  const held = yield* system(script.sys, [MANAGER, 'status', key])
  if (held === 0) return 0
  const nobody = script.env('HA_DONTASK') === 'yes' || script.env('HA_NICEFAILBACK') === 'yes'
  if (!nobody) return yield* say(script, { t: 'ip-request', ipaddr: key })
  return yield* say(script, {
    t: 'ip-request-resp',
    dest: script.env('HA_CURHOST'),
    ipaddr: key,
    weown: 'yes',
    ok: 'OK',
  })
}

/** rc.d/ip-request: the other node wants a group. */
export function* ipRequest(script: Script): Body<number> {
  const key = script.env('HA_ipaddr')
  if (script.env('HA_src') === script.env('HA_CURHOST')) return 0
  const held = (yield* system(script.sys, [MANAGER, 'status', key])) === 0
  if (held) yield* system(script.sys, [MANAGER, 'givegroup', key])
  return yield* say(script, {
    t: `${script.env('HA_t')}-resp`,
    dest: script.env('HA_src'),
    ipaddr: key,
    weown: held ? 'yes' : 'no',
    ok: 'OK',
  })
}

/** rc.d/ip-request-resp: a group that we asked for may be taken. */
export function* ipRequestResp(script: Script): Body<number> {
  const key = script.env('HA_ipaddr')
  if (script.env('HA_dest') !== script.env('HA_CURHOST')) return 0
  yield* script.log(`received ip-request-resp ${key} ${script.env('HA_ok')} ${script.env('HA_weown')}`)
  return script.env('HA_ok') === 'OK' ? yield* system(script.sys, [MANAGER, 'takegroup', key]) : 0
}

/** rc.d/ask_resources: only run where nobody else takes such messages. */
export function* askResources(script: Script): Body<number> {
  yield* script.log(`info: XXXX standby node ${script.env('HA_src')}`)
  for (const key of yield* keysOf(script, script.env('HA_src'))) {
    yield* script.log(`info: Taking over resource group ${key}`)
    yield* system(script.sys, [MANAGER, 'takegroup', key])
  }
  if (!/^[Yy]es$/.test(script.env('HA_NICEFAILBACK'))) return 0
  yield* script.log('info: /etc/ha.d//rc.d/ask_resources: nice_failback: acquiring foreign resources')
  return yield* say(script, { t: 'resource', rsc_hold: 'foreign', info: 'standby' })
}

/** rc.d/hb_takeover: the other wants to take; so this node stands by. */
export function* takeoverScript(script: Script): Body<number> {
  if (script.env('HA_src') === script.env('HA_CURHOST')) return 0
  const wanted = script.env('HA_rsc_hold')
  const ours = wanted === 'local' ? 'foreign' : wanted === 'foreign' ? 'local' : wanted
  return yield* system(script.sys, [
    '/usr/share/heartbeat/hb_standby',
    ...(ours === 'all' || ours === 'local' || ours === 'foreign' ? [ours] : []),
  ])
}

const SETS = ['all', 'foreign', 'local', 'failback']

function usage(script: Script, path: string, complaint?: string): number {
  if (complaint !== undefined) script.io.print(`${path}: ${complaint}\n`)
  script.io.print('usage:\n')
  script.io.error(`${path} [all|foreign|local|failback]\n`)
  return 1
}

/** hb_standby [all|foreign|local|failback]: this node gives up resources. */
export function* hbStandby(script: Script, argv: string[]): Body<number> {
  const [path = '', wanted = 'all', more] = argv
  if (more !== undefined) return usage(script, path, 'too many arguments')
  if (wanted === '--help') return usage(script, path)
  if (!SETS.includes(wanted)) return usage(script, path, `wrong resources(${wanted}).`)
  const set = wanted === 'failback' ? 'foreign' : wanted
  yield* script.log(`Going standby [${set}].`)
  return yield* say(script, { t: 'ask_resources', rsc_hold: set, info: 'me' })
}

/** hb_takeover [all|foreign|local|failback]: this node takes resources. */
export function* hbTakeover(script: Script, argv: string[]): Body<number> {
  const [path = '', wanted = 'all', more] = argv
  if (more !== undefined) return usage(script, path, 'too many arguments')
  if (wanted === '--help') return usage(script, path)
  if (!SETS.includes(wanted)) return usage(script, path, `wrong resources(${wanted}).`)
  return yield* say(script, { t: 'hb_takeover', rsc_hold: wanted })
}
