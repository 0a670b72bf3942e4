/**
 * Frames taken apart one after another, as Wireshark does it in one pass: what a later frame says may depend on those
 * before it (a stream's number, relative sequence numbers, what a reply answers, a datagram put together).
 */

import { decodeUtf8 } from '#base/bytes'
import { civilOfSeconds, clockText, MONTHS } from '#base/text'
import { dissectEthernet } from './link.ts'
import { Conversations } from './state.ts'
import { Branch, secondsText, type TreeNode } from './tree.ts'

export interface CapturedFrame {
  /** Since the epoch. */
  s: number
  ns: number
  bytes: Uint8Array
  /** How long it was on the wire, if that is more than was kept. */
  originalLength?: number
  /** Name and number of the interface, where a capture has several. */
  interface?: { id: number; name?: string }
}

export interface Source {
  name: string
  bytes: Uint8Array
}

export interface Dissection {
  /** Counts from 1. */
  number: number
  /** Protocols, outermost first, each with its fields; the frame itself is the first. */
  nodes: TreeNode[]
  /** What nodes stand in: the frame, and what was put together of several. */
  sources: Source[]
  /** Names of the protocols: `eth:ethertype:ip:tcp`. */
  protocols: string
}

/** What a dissector of one protocol works with. */
export interface Context {
  number: number
  timeNs: number
  timeS: number
  nodes: TreeNode[]
  sources: Source[]
  protocols: string[]
  state: Conversations
  depth: number
  /** Within what an error quotes: no conversation is led. */
  quoted: boolean
  src: string
  dst: string
}

/** Counts frames and knows when the first and the last came; several dissectors may share one. */
export interface FrameClock {
  number: number
  first: { s: number; ns: number } | undefined
  last: { s: number; ns: number } | undefined
}

export class Dissector {
  readonly #state = new Conversations()
  readonly #clock: FrameClock

  constructor(clock: FrameClock = { number: 0, first: undefined, last: undefined }) {
    this.#clock = clock
  }

  /** Takes the next frame apart. Whatever its bytes, nothing throws. */
  next(frame: CapturedFrame): Dissection {
    const { bytes, s, ns } = frame
    const clock = this.#clock
    const number = ++clock.number
    clock.first ??= { s, ns }
    const since = (from: { s: number; ns: number } | undefined) => (from ? (s - from.s) * 1e9 + ns - from.ns : 0)
    const relative = since(clock.first)
    const delta = since(clock.last)
    clock.last = { s, ns }
    const length = frame.originalLength ?? bytes.length
    const say = (count: number) => `${count} bytes (${count * 8} bits)`
    const node: TreeNode = {
      name: 'frame',
      text: `Frame ${number}: ${length} bytes on wire (${length * 8} bits), ${bytes.length} bytes captured (${bytes.length * 8} bits)`,
      value: undefined,
      at: 0,
      length: bytes.length,
      source: 0,
      children: [],
    }
    const out = new Branch(node, bytes)
    if (frame.interface) {
      const { id, name } = frame.interface
      node.text += ` on interface ${name ?? 'unknown'}, id ${id}`
      const branch = out.add('frame.interface_id', `Interface id: ${id} (${name ?? 'unknown'})`, id, 0, 0)
      if (name !== undefined) branch.add('frame.interface_name', `Interface name: ${name}`, name, 0, 0)
    }
    const epoch = `${s}.${String(ns).padStart(9, '0')}`
    out.add('frame.encap_type', 'Encapsulation type: Ethernet (1)', 1, 0, 0)
    out.add('frame.time', `Arrival Time: ${dateText(s, ns)}`, s + ns / 1e9, 0, 0)
    out.add('frame.time_epoch', `Epoch Time: ${epoch} seconds`, s + ns / 1e9, 0, 0)
    out.add(
      'frame.time_delta',
      `Time delta from previous captured frame: ${secondsText(delta)} seconds`,
      delta / 1e9,
      0,
      0,
    )
    out.add(
      'frame.time_relative',
      `Time since reference or first frame: ${secondsText(relative)} seconds`,
      relative / 1e9,
      0,
      0,
    )
    out.add('frame.number', `Frame Number: ${number}`, number, 0, 0)
    out.add('frame.len', `Frame Length: ${say(length)}`, length, 0, 0)
    out.add('frame.cap_len', `Capture Length: ${say(bytes.length)}`, bytes.length, 0, 0)
    const context: Context = {
      number,
      timeNs: relative,
      timeS: s + ns / 1e9,
      nodes: [node],
      sources: [{ name: 'Frame', bytes }],
      protocols: [],
      state: this.#state,
      depth: 0,
      quoted: false,
      src: '',
      dst: '',
    }
    dissectEthernet(context, { bytes, source: 0, at: 0, end: bytes.length })
    const protocols = context.protocols.join(':')
    out.add('frame.protocols', `Protocols in frame: ${protocols}`, protocols, 0, 0)
    return { number, nodes: context.nodes, sources: context.sources, protocols }
  }
}

/** `Jan  1, 2026 00:00:00.001024000 UTC`. */
export function dateText(s: number, ns: number): string {
  const time = civilOfSeconds(s)
  const day = String(time.day).padStart(2)
  const fraction = String(ns).padStart(9, '0')
  return `${MONTHS[time.month - 1]} ${day}, ${time.year} ${clockText(time)}.${fraction} UTC`
}

/** Opens a protocol's node. */
export function protocol(
  context: Context,
  window: { bytes: Uint8Array; source: number },
  name: string,
  text: string,
  at: number,
  length: number,
  into: TreeNode[] = context.nodes,
): Branch {
  const node: TreeNode = { name, text, value: undefined, at, length, source: window.source, children: [] }
  into.push(node)
  context.protocols.push(name)
  return new Branch(node, window.bytes)
}

/** What nothing takes apart. */
export function dissectData(
  context: Context,
  window: { bytes: Uint8Array; source: number },
  at: number,
  end: number,
  into: TreeNode[] = context.nodes,
): void {
  if (at >= end) return
  const length = end - at
  const text = `Data (${length} byte${length === 1 ? '' : 's'})`
  const data = protocol(context, window, 'data', text, at, length, into)
  data.raw('data.data', 'Data', at, length)
  data.add('data.len', `Length: ${length}`, length, at, 0)
}

/** Text as Wireshark shows it: what isn't printable is escaped. */
export function shownText(bytes: Uint8Array): string {
  return decodeUtf8(bytes)
    .replaceAll('\\', '\\\\')
    .replaceAll('\r', '\\r')
    .replaceAll('\n', '\\n')
    .replaceAll('\t', '\\t')
}
