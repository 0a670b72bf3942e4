/** A frame in a few words, for a list and for the dot on the picture: its protocol, and what it says. */
import { dissect, type Field, type Layer } from '#wire/inet'

export type Protocol = 'arp' | 'icmp' | 'tcp' | 'udp' | 'other'

export interface Summary {
  /** Of which a colour is made. */
  protocol: Protocol
  /** As a list shows it: `ARP`. */
  name: string
  text: string
  layers: Layer[]
}

const known = new WeakMap<Uint8Array, Summary>()

/** Takes a frame apart, once. */
export function summarise(bytes: Uint8Array): Summary {
  let summary = known.get(bytes)
  if (!summary) {
    summary = describe(dissect(bytes))
    known.set(bytes, summary)
  }
  return summary
}

function describe(layers: Layer[]): Summary {
  // The first protocol within the packet, not one quoted in an ICMP error.
  const layer = layers.find(({ name }) => ['arp', 'icmp', 'tcp', 'udp', 'igmp'].includes(name))
  const ip = layers.find(({ name }) => name === 'ip')
  if (layer?.name === 'arp') return { protocol: 'arp', name: 'ARP', text: arpText(layer), layers }
  const way = ip ? `${valueIn(ip, 'ip.src')} → ${valueIn(ip, 'ip.dst')}` : ''
  if (layer?.name === 'icmp') {
    const type = (
      valueIn(layer, 'icmp.type').match(/\((.*)\)/u)?.[1] ?? 'type ' + valueIn(layer, 'icmp.type')
    ).toLowerCase()
    const code = valueIn(layer, 'icmp.code').match(/\((.*)\)/u)?.[1]
    const seq = valueIn(layer, 'icmp.seq').match(/^\d+/u)?.[0]
    const text = `${way} ${code && !/echo/u.test(type) ? code : type}${seq ? `, seq ${seq}` : ''}, ttl ${valueIn(ip!, 'ip.ttl')}`
    return { protocol: 'icmp', name: 'ICMP', text, layers }
  }
  if (layer?.name === 'tcp' || layer?.name === 'udp') {
    const { name } = layer
    const port = (end: string) => valueIn(layer, `${name}.${end}port`)
    const ends = `${valueIn(ip!, 'ip.src')}:${port('src')} → ${valueIn(ip!, 'ip.dst')}:${port('dst')}`
    const flags = name === 'tcp' ? ` ${valueIn(layer, 'tcp.flags')}` : ''
    return { protocol: name, name: name.toUpperCase(), text: ends + flags, layers }
  }
  const last = layers.findLast(({ name }) => name !== 'data') ?? layers[0]
  return { protocol: 'other', name: (last?.name ?? '?').toUpperCase(), text: way || (last?.title ?? ''), layers }
}

function arpText(arp: Layer): string {
  const sender = valueIn(arp, 'arp.src.proto_ipv4')
  const target = valueIn(arp, 'arp.dst.proto_ipv4')
  const operation = valueIn(arp, 'arp.opcode')
  if (operation.startsWith('request')) {
    if (sender === target) return `${sender} announces itself`
    return `who has ${target}? tell ${sender === '0.0.0.0' ? 'whoever probes' : sender}`
  }
  if (operation.startsWith('reply')) return `${sender} is at ${valueIn(arp, 'arp.src.hw_mac').split(' ')[0]}`
  return operation
}

function valueIn(layer: Layer, name: string): string {
  const find = (fields: Field[]): Field | undefined => {
    for (const field of fields) {
      const found = field.name === name ? field : field.children && find(field.children)
      if (found) return found
    }
    return undefined
  }
  return find(layer.fields)?.value ?? ''
}

/** `0.300 123`: seconds of virtual time to the microsecond, in groups that an eye can keep. */
export function formatTime(ns: number): string {
  const micros = Math.floor(ns / 1000)
  const [seconds, fraction] = [Math.floor(micros / 1e6), String(micros % 1e6).padStart(6, '0')]
  return `${seconds}.${fraction.slice(0, 3)}\u2009${fraction.slice(3)}`
}
