/** The nodes that a configuration names, and what is known of each. heartbeat 3.0.6 include/heartbeat.h: struct node_info, seqtrack */
import type { GlibcRandom } from '#user/libc'
import type { HaConfig } from './configuration.ts'
import type { HaMessage } from './message.ts'

/** Every tenth sequence number is acknowledged; which one, each node draws for each other. */
export const ACK_EVERY = 10

export interface Link {
  name: string
  status: 'up' | 'dead'
  lastMs: number
}

export interface HaNode {
  name: string
  ping: boolean
  /** init, up, active, dead; ping. */
  status: string
  links: Link[]
  uuid: Uint8Array | undefined
  /** When a status last came, by the local clock; 0 for not yet. */
  lastMs: number
  /** Its own clock at that time, in seconds. */
  remoteS: number
  statusSeq: number
  heard: boolean
  deadMs: number
  hasResources: boolean
  weight: number
  site: string
  /** Sequence numbers of what it sends. */
  lastSeq: number
  generation: number
  ackTrigger: number
  /** What it has acknowledged of ours. */
  ackedSeq: number
  missing: Set<number>
}

export function createNodes(config: HaConfig, random: GlibcRandom, nowMs: number): HaNode[] {
  const media = config.media
  return config.nodes.map(({ name, ping }) => ({
    name,
    ping,
    status: 'init',
    links: media
      .filter(({ type, name: own }) => (type.startsWith('ping') ? ping && own === name : !ping))
      .map(({ name: own }) => ({ name: own, status: 'dead' as const, lastMs: nowMs })),
    uuid: undefined,
    lastMs: nowMs,
    remoteS: 0,
    statusSeq: 0,
    heard: false,
    deadMs: ping ? config.deadpingMs : config.deadtimeMs,
    hasResources: true,
    weight: 100,
    site: '',
    lastSeq: 0,
    generation: 0,
    ackTrigger: random.next() % ACK_EVERY,
    ackedSeq: 0,
    missing: new Set<number>(),
  }))
}

export function sameUuid(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return (
    one !== undefined && other !== undefined && one.length === other.length && one.every((byte, i) => byte === other[i])
  )
}

/** A field in hexadecimal, as sscanf("%lx") takes it. */
export function hexField(message: HaMessage, name: string): number | undefined {
  const match = /^\s*(?:0x)?([0-9a-f]{1,13})/i.exec(message.get(name) ?? '')
  return match ? Number.parseInt(match[1]!, 16) : undefined
}
