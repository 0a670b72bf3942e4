/** `bridge link`. iproute2 6.1 bridge/link.c */
import type { BridgeLinkMessage, BridgeLinkRequest } from '#kernel/net'
import { flagNames } from './link-show.ts'
import { PORT_STATES, showPortState } from './link-types/bridge-slave.ts'
import { type Field, onOff, showFields } from './link-types/fields.ts'
import type { Session } from './session.ts'
import { abbreviates, duplicate, EXIT_USAGE, noDevice, Refusal, type Words } from './words.ts'

const DETAILS: Field[] = [
  { key: 'hairpin', as: 'onoff' },
  { key: 'guard', as: 'onoff' },
  { key: 'root_block', as: 'onoff' },
  { key: 'fastleave', as: 'onoff' },
  { key: 'learning', as: 'onoff' },
  { key: 'flood', as: 'onoff' },
  { key: 'mcast_flood', as: 'onoff' },
  { key: 'bcast_flood', as: 'onoff' },
  { key: 'multicast_router', word: 'mcast_router' },
  { key: 'mcast_to_unicast', as: 'onoff' },
  { key: 'neigh_suppress', as: 'onoff' },
  { key: 'vlan_tunnel', as: 'onoff' },
  { key: 'backup_port', as: 'device' },
  { key: 'isolated', as: 'onoff' },
  { key: 'locked', as: 'onoff' },
]

const BRIDGE_FLAGS_MASTER = 1
const BRIDGE_FLAGS_SELF = 2
/** bridge's main() returns what went wrong as -1. */
const FAILED = 255

/** `bridge link show`. */
export function showBridgeLinks(session: Session, words: Words): number {
  const { out, options } = session
  let name: string | undefined
  for (; words.more; words.advance()) {
    if (words.current !== 'dev') continue
    if (name !== undefined) throw duplicate('dev', words.value())
    name = words.value()
  }
  const wanted = name === undefined ? undefined : session.findDevice(name)
  if (name !== undefined && wanted === undefined) throw noDevice(name)
  out.begin(options.json)
  const messages = session.ask<BridgeLinkMessage>({ type: 'RTM_GETLINK', family: 'AF_BRIDGE' })
  for (const message of messages) if (wanted === undefined || message.ifindex === wanted) showOne(session, message)
  out.end()
  return 0
}

function showOne(session: Session, message: BridgeLinkMessage): void {
  const { out, options, newline } = session
  out.openObject()
  out.field('ifindex', message.ifindex, `${message.ifindex}: `)
  // The answer doesn't say that the other end of a veth pair may be in another namespace: its number is looked up in this one.
  const peer = message.link === undefined ? undefined : session.deviceName(message.link)
  if (peer !== undefined) out.json('link', peer)
  out.field('ifname', message.name, `${message.name}${peer === undefined ? '' : `@${peer}`}: `)
  // One that is unknown here counts as up: ll_index_to_flags().
  const lowerDown = peer !== undefined && !((session.link(message.link!)?.flags ?? 1) & 1)
  const names = flagNames(message.flags, lowerDown)
  out.openArray('flags')
  for (const flag of names) out.json(undefined, flag)
  out.close()
  out.text(`<${names.join(',')}> `)
  out.field('mtu', message.mtu, `mtu ${message.mtu} `)
  if (message.master) {
    const master = session.deviceName(message.master)
    out.field('master', master, `master ${master} `)
  }
  if (message.port) {
    showPortState(session, Number(message.port.state))
    showFields(session, message.port, [{ key: 'priority' }, { key: 'cost' }])
    if (options.details) {
      out.text(`${newline}    `)
      showFields(session, message.port, DETAILS)
    }
  }
  out.text('\n')
  out.close()
}

/** Words that take `on` or `off`. */
const SWITCHES = [
  'guard',
  'hairpin',
  'fastleave',
  'root_block',
  'learning',
  'flood',
  'mcast_flood',
  'bcast_flood',
  'mcast_to_unicast',
  'neigh_suppress',
  'vlan_tunnel',
  'isolated',
  'locked',
]

function atoi(text: string): number {
  return Number.parseInt(text, 10) || 0
}

function stateOf(text: string): number {
  if (/^[+-]?\d+$/.test(text)) return atoi(text) & 0xff
  const state = PORT_STATES.indexOf(text.toLowerCase())
  if (state < 0) throw new Refusal('Error: invalid STP port state\n', FAILED)
  return state
}

/** `bridge link set`. */
export function setBridgeLink(session: Session, words: Words): number {
  let name: string | undefined
  let flags = 0
  const port: Record<string, unknown> = {}
  for (; words.more; words.advance()) {
    const word = words.current
    if (word === 'dev') name = words.value()
    else if (SWITCHES.includes(word)) port[word] = onOff(word, words.value())
    else if (word === 'cost') port.cost = atoi(words.value())
    else if (word === 'priority') port.priority = atoi(words.value())
    else if (word === 'state') port.state = stateOf(words.value())
    else if (word === 'mcast_router') port.multicast_router = atoi(words.value())
    else if (word === 'self') flags |= BRIDGE_FLAGS_SELF
    else if (word === 'master') flags |= BRIDGE_FLAGS_MASTER
    else if (word === 'backup_port') {
      const index = session.findDevice(words.value())
      if (index === undefined) throw new Refusal(`Error: device ${words.current} does not exist\n`, FAILED)
      port.backup_port = index
    } else if (word === 'nobackup_port') port.backup_port = 0
    else {
      if (abbreviates(word, 'help')) throw new Refusal('Usage: bridge link set dev DEV ...\n', EXIT_USAGE)
      throw new Refusal('Usage: bridge link set dev DEV ...\n', EXIT_USAGE)
    }
  }
  if (name === undefined) throw new Refusal('Device is a required argument.\n', FAILED)
  const ifindex = session.findDevice(name)
  if (ifindex === undefined) throw new Refusal(`Cannot find bridge device "${name}"\n`, FAILED)
  if (port.cost === 0) delete port.cost
  const request: BridgeLinkRequest = { type: 'RTM_SETLINK', family: 'AF_BRIDGE', ifindex, port }
  if (flags) request.bridgeFlags = flags
  session.ask(request)
  return 0
}
