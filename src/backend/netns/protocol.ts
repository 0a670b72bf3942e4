/**
 * What is said to the lab's agent (`agent/*.pm`) and what it answers. A message is a list of byte strings: a 32-bit
 * length before the whole and before each string, little endian. A request is a name and its arguments:
 *
 *     kernel                                    -> ok RELEASE
 *     open PLAN SEED START CAPTURE              -> ok
 *     command HOST LIMIT_NS COMMAND             -> output TEXT ..., ok AT_NS TOOK_NS STATUS TIMED_OUT OUTPUT
 *     verb VERB ARGUMENT...                     -> ok AT_NS TOOK_NS STATUS TIMED_OUT OUTPUT
 *     write HOST PATH CONTENT                   -> ok
 *     finish                                    -> ok RECORDS
 *     close                                     -> ok
 *
 * or the answer is `error TEXT`.
 */
import type { CapturedFrame, InterfaceCapture } from '#article/runner'
import type { LabPlan } from '#lab/plan'

const utf8 = new TextEncoder()

/** A message's bytes, its own length first. */
export function encodeMessage(fields: (string | number | Uint8Array)[]): Uint8Array {
  const parts = fields.map((field) => (field instanceof Uint8Array ? field : utf8.encode(String(field))))
  const bodyLength = parts.reduce((sum, part) => sum + 4 + part.length, 0)
  const bytes = new Uint8Array(4 + bodyLength)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, bodyLength, true)
  let at = 4
  for (const part of parts) {
    view.setUint32(at, part.length, true)
    bytes.set(part, at + 4)
    at += 4 + part.length
  }
  return bytes
}

/** The strings of a message's body. */
export function decodeBody(body: Uint8Array): Uint8Array[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const fields: Uint8Array[] = []
  for (let at = 0; at + 4 <= body.length; ) {
    const length = view.getUint32(at, true)
    fields.push(body.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return fields
}

/** The lab as lines, for `agent/Plan.pm`. */
export function planText(plan: LabPlan): string {
  const lines: (string | number)[][] = []
  for (const { name, delayNs, rateBps, loss } of plan.networks) {
    lines.push(['network', name, Math.round(delayNs), Number.isFinite(rateBps) ? Math.round(rateBps) : 0, loss])
  }
  for (const host of plan.hosts) {
    lines.push(['host', host.name, host.ipv6 ? 1 : 0])
    for (const [name, value] of host.sysctl) lines.push(['sysctl', name, value])
    for (const { address, prefix } of host.loopback) lines.push(['loopback', address, prefix])
    if (host.gateway !== undefined) lines.push(['gateway', host.gateway])
    if (host.gateway6 !== undefined) lines.push(['gateway', host.gateway6])
    for (const each of host.interfaces) {
      lines.push(['interface', each.name, each.network, each.mac])
      for (const { address, prefix } of each.addresses) lines.push(['address', address, prefix])
    }
  }
  return lines.map((words) => `${words.join(' ')}\n`).join('')
}

/** The captures from the records that the switch kept: port, seconds, nanoseconds, length, bytes. */
export function capturesOf(plan: LabPlan, records: Uint8Array): InterfaceCapture[] {
  const captures = plan.hosts.flatMap((host) =>
    host.interfaces.map((each) => ({ host: host.name, interface: each.name, frames: [] as CapturedFrame[] })),
  )
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength)
  for (let at = 0; at + 16 <= records.length; ) {
    const length = view.getUint32(at + 12, true)
    captures[view.getUint32(at, true)]!.frames.push({
      s: view.getUint32(at + 4, true),
      ns: view.getUint32(at + 8, true),
      bytes: records.slice(at + 16, at + 16 + length),
    })
    at += 16 + length
  }
  return captures
}
