/** ResourceManager: the groups of /etc/ha.d/haresources, and their scripts. heartbeat 3.0.6 heartbeat/lib/ResourceManager.in */
import { type Body, readTextFile, type Sys } from '#kernel/core'
import { background, capture, system } from './running.ts'
import type { Script } from './script.ts'

export const HARESOURCES = '/etc/ha.d//haresources'
const STOP_RETRIES = 10
const SCRIPT_DIRS = ['/etc/ha.d/resource.d', '/etc/init.d']

/**
 * Groups: the node, then its resources. What `#` begins is left out; lines that end in `\` go on, and there a `#` is a word
 * like others, since remarks are looked for before lines are joined.
 */
export function parseHaresources(text: string): string[][] {
  const lines = text.split('\n')
  const groups: string[][] = []
  for (let i = 0; i < lines.length; i++) {
    let line = lines[i]!.replace(/#.*/, '')
    while (line.endsWith('\\') && i + 1 < lines.length) line = line.slice(0, -1) + lines[++i]
    const [node, ...resources] = line.split(/[\t ]+/).filter((word) => word !== '')
    if (node !== undefined) groups.push([node.toLowerCase(), ...resources])
  }
  return groups
}

const isIp = (word: string) => /^[0-9].*\.[0-9].*\.[0-9].*\.[0-9]/s.test(word)

/** A resource as a script's name and its arguments: `IPaddr::10.0.0.1`, or an address alone. */
export function scriptOf(resource: string): { name: string; words: string[] } {
  const whole = isIp(resource) ? `IPaddr::${resource}` : resource
  const [name = '', ...words] = whole.split('::')
  return { name, words: words.flatMap((word) => word.split(' ')).filter((word) => word !== '') }
}

function* groupsOf(sys: Sys): Body<string[][]> {
  const file = yield* readTextFile(sys, HARESOURCES)
  return file.ok ? parseHaresources(file.value) : []
}

function* pathOf(script: Script, name: string): Body<string | undefined> {
  for (const dir of SCRIPT_DIRS) {
    const path = `${dir}/${name}`
    const found = script.sys.stat(path)
    if (found.ok && found.value.type === 'file' && script.sys.access(path, 'x').ok) return path
  }
  yield* script.log(`ERROR: Cannot locate resource script ${name}`)
  return undefined
}

/** By what its script prints for `status`. */
function* owned(script: Script, resource: string): Body<boolean> {
  const { name, words } = scriptOf(resource)
  const path = yield* pathOf(script, name)
  if (path === undefined) return false
  const { output } = yield* capture(script.sys, [path, ...words, 'status'])
  if (/[Nn][Oo][Tt] .*[Rr]unning/s.test(output)) return false
  return /[Rr]unning|OK/.test(output)
}

/** Runs a resource's script; what it says goes to the debug file. */
function* act(script: Script, resource: string, action: 'start' | 'stop'): Body<number> {
  const { name, words } = scriptOf(resource)
  const path = yield* pathOf(script, name)
  if (path === undefined) {
    yield* script.log(`ERROR: Cannot locate resource script ${name}`)
    return 1
  }
  yield* script.log(`info: Running ${path} ${words.join(' ')} ${action}`)
  const status = yield* system(script.sys, [path, ...words, action], { error: script.debugLog })
  if (status !== 0) yield* script.log(`ERROR: Return code ${status} from ${path}`)
  return status
}

function* release(script: Script, group: string[]): Body<number> {
  yield* script.log(`info: Releasing resource group: ${group.join(' ')}`)
  for (const resource of group.slice(1).reverse()) {
    let status = yield* act(script, resource, 'stop')
    for (let retries = 0; status !== 0 && retries < STOP_RETRIES; retries++) {
      yield* script.sys.sleep(1e9)
      yield* script.log(`info: Retrying failed stop operation [${resource}]`)
      status = yield* act(script, resource, 'stop')
    }
    if (status === 0) continue
    if (yield* owned(script, resource)) return yield* hosed(script, status)
    yield* script.log(`ERROR: Resource script for ${resource} probably not LSB-compliant.`)
    yield* script.log(`WARN: it (${resource}) MUST succeed on a stop when already stopped`)
    yield* script.log('WARN: Machine reboot narrowly avoided!')
  }
  return 0
}

/** What can't be stopped mustn't be started elsewhere: only a reboot helps. */
function* hosed(script: Script, status: number): Body<number> {
  yield* script.log('CRIT: Resource STOP failure. Reboot required!')
  yield* script.log('CRIT: Killing heartbeat ungracefully!')
  for (const name of ['heartbeat', 'ipfail', 'ccm']) yield* system(script.sys, ['/usr/bin/pkill', '-9', name])
  yield* script.log('CRIT: Unable to force reboot.')
  return status
}

function* acquire(script: Script, group: string[], own: string[][]): Body<number> {
  yield* script.log(`info: Acquiring resource group: ${group.join(' ')}`)
  for (const resource of group.slice(1)) {
    if (yield* owned(script, resource)) continue
    const status = yield* act(script, resource, 'start')
    if (status === 0) continue
    yield* script.log(`CRIT: Giving up resources due to failure of ${resource}`)
    yield* release(script, group)
    // Later this node stands by, so that the other may try.
    const local = own.some((each) => each.slice(1).join(' ') === resource)
    background(script.sys, [
      '/bin/sh',
      '-c',
      `sleep 30; /usr/share/heartbeat/hb_standby ${local ? 'local' : 'foreign'}`,
    ])
    return status
  }
  return 0
}

export function* resourceManager(script: Script, argv: string[]): Body<number> {
  const [path = '', command = '', argument = ''] = argv
  const { sys } = script
  const groups = yield* groupsOf(sys)
  const host = script.env('HA_CURHOST')
  const own = groups.filter(([node]) => node === host.toLowerCase())
  const group = groups.find((words) => words.slice(1).includes(argument) || words[0] === argument)
  const found = groups.find((words) => words.slice(1).includes(argument)) ?? group
  switch (command) {
    case 'listkeys':
    case 'allkeys': {
      const all = command === 'allkeys' || argument === '.*'
      const chosen = all ? groups : groups.filter(([node]) => node === argument.toLowerCase())
      for (const words of chosen) script.io.print(`${words[1] ?? ''}\n`)
      return 0
    }
    case 'ourkeys':
      for (const words of own) script.io.print(`${words.slice(1).join(' ')} \n`)
      return 0
    case 'otherkeys':
      for (const words of groups) if (!own.includes(words)) script.io.print(`${words.slice(1).join(' ')} \n`)
      return 0
    case 'status':
      return (yield* owned(script, argument)) ? 0 : 3
    case 'givegroup':
    case 'takegroup': {
      yield* outputsTo(script, script.debugLog)
      if (!found) return 0
      return command === 'givegroup' ? yield* release(script, found) : yield* acquire(script, found, own)
    }
    case 'statgroup': {
      yield* outputsTo(script, script.debugLog)
      return 0
    }
    case 'verifyallidle':
      return yield* verifyAllIdle(script, groups)
    default:
      script.io.error(`usage: ${path} listkeys machine | takegroup key | givegroup key|status resource\n\n`)
      return 1
  }
}

function* outputsTo(script: Script, path: string): Body<void> {
  const { sys } = script
  const opened = yield* sys.open(path, 0o2101, 0o644)
  if (!opened.ok) return
  sys.dup2(opened.value, 1)
  sys.dup2(opened.value, 2)
  sys.close(opened.value)
}

/** Before heartbeat starts nothing that it will manage may be there. */
function* verifyAllIdle(script: Script, groups: string[][]): Body<number> {
  let active = 0
  for (const [, resource] of groups) {
    if (resource === undefined || !(yield* owned(script, resource))) continue
    yield* script.log(`CRITICAL: Resource ${resource} is active, and should not be!`)
    yield* script.log('CRITICAL: Non-idle resources can affect data integrity!')
    yield* script.log("info: If you don't know what this means, then get help!")
    yield* script.log('info: Read the docs and/or source to /usr/share/heartbeat/ResourceManager for more details.')
    script.io.error(`CRITICAL: Resource ${resource} is active, and should not be!\n`)
    script.io.error('CRITICAL: Non-idle resources can affect data integrity!\n')
    script.io.error("info: If you don't know what this means, then get help!\n")
    script.io.error('info: Read the docs and/or the source to /usr/share/heartbeat/ResourceManager for more details.\n')
    active++
  }
  if (active > 0) {
    yield* script.log('CRITICAL: Non-idle resources will affect resource takeback!')
    yield* script.log('CRITICAL: Non-idle resources may affect data integrity!')
  }
  return active
}
