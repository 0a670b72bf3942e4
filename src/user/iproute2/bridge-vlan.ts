/** `bridge vlan`. iproute2 6.1 bridge/vlan.c */
import type { BridgeLinkMessage, BridgeLinkRequest, BridgeVlanInfo } from '#kernel/net'
import { PORT_STATES } from './link-types/bridge-slave.ts'
import type { Session } from './session.ts'
import { abbreviates, duplicate, noDevice, Refusal, type Words } from './words.ts'

const VLAN_PVID = 0x2
const VLAN_UNTAGGED = 0x4
const BRIDGE_FLAGS_MASTER = 1
const BRIDGE_FLAGS_SELF = 2
const FAILED = 255
const BLANK = ' '.repeat(18)

function atoi(text: string): number {
  return Number.parseInt(text, 10) || 0
}

/** `bridge vlan add`, or `del`. */
export function changeVlans(session: Session, words: Words, add: boolean): number {
  let name: string | undefined
  let vid = -1
  let end = -1
  let flags = 0
  let bridgeFlags = 0
  for (; words.more; words.advance()) {
    const word = words.current
    if (word === 'dev') name = words.value()
    else if (word === 'vid') {
      const [first = '', last] = words.value().split('-', 2)
      vid = atoi(first)
      end = last === undefined ? -1 : atoi(last)
    } else if (word === 'self') bridgeFlags |= BRIDGE_FLAGS_SELF
    else if (word === 'master') bridgeFlags |= BRIDGE_FLAGS_MASTER
    else if (word === 'pvid') flags |= VLAN_PVID
    else if (word === 'untagged') flags |= VLAN_UNTAGGED
    else if (abbreviates(word, 'help')) words.value()
  }
  if (name === undefined || vid === -1) throw new Refusal('Device and VLAN ID are required arguments.\n', FAILED)
  const ifindex = session.findDevice(name)
  if (ifindex === undefined) throw new Refusal(`Cannot find bridge device "${name}"\n`, FAILED)
  if (vid >= 4096) throw new Refusal(`Invalid VLAN ID "${vid & 0xffff}"\n`, FAILED)
  if (end !== -1) {
    if (end >= 4096 || vid >= end) throw new Refusal(`Invalid VLAN range "${vid & 0xffff}-${end & 0xffff}"\n`, FAILED)
    if (flags & VLAN_PVID) throw new Refusal('pvid cannot be configured for a vlan range\n', FAILED)
  }
  const vlan: BridgeVlanInfo = { vid: vid & 0xffff, flags }
  if (end !== -1) vlan.end = end
  const request: BridgeLinkRequest = {
    type: add ? 'RTM_SETLINK' : 'RTM_DELLINK',
    family: 'AF_BRIDGE',
    ifindex,
    vlans: [vlan],
  }
  if (bridgeFlags) request.bridgeFlags = bridgeFlags
  session.ask(request)
  return 0
}

/** Neighbours with the same flags as a range. */
function ranges(vlans: readonly BridgeVlanInfo[]): BridgeVlanInfo[] {
  const joined: BridgeVlanInfo[] = []
  for (const vlan of vlans) {
    const last = joined.at(-1)
    const follows = last !== undefined && (last.end ?? last.vid) + 1 === vlan.vid && last.flags === vlan.flags
    if (follows && !(vlan.flags & VLAN_PVID)) last.end = vlan.vid
    else joined.push({ ...vlan })
  }
  return joined
}

/** `bridge vlan show`. */
export function showVlans(session: Session, words: Words): number {
  const { out, options } = session
  let name: string | undefined
  let vid = 0
  for (; words.more; words.advance()) {
    if (words.current === 'dev') {
      if (name !== undefined) throw duplicate('dev', words.value())
      name = words.value()
    } else if (words.current === 'vid') {
      if (vid) throw duplicate('vid', words.value())
      vid = atoi(words.value())
    }
  }
  const wanted = name === undefined ? undefined : session.findDevice(name)
  if (name !== undefined && wanted === undefined) throw noDevice(name)
  const links = session.ask<BridgeLinkMessage>({ type: 'RTM_GETLINK', family: 'AF_BRIDGE', withVlans: true })
  out.begin(options.json)
  out.text('port              vlan-id  \n')
  for (const link of links) {
    if (wanted !== undefined && link.ifindex !== wanted) continue
    const all = link.vlans ?? []
    const joins = options.compressVlans || (options.details > 0 && options.stats === 0)
    const vlans = (joins ? ranges(all) : all).filter(
      (each) => !vid || (each.vid <= vid && vid <= (each.end ?? each.vid)),
    )
    if (vlans.length > 0) showPort(session, link, vlans)
  }
  out.end()
  return 0
}

function showPort(session: Session, link: BridgeLinkMessage, vlans: BridgeVlanInfo[]): void {
  const { out, options } = session
  out.openObject()
  out.field('ifname', link.name, `${link.name.padEnd(16)}  `)
  out.openArray('vlans')
  vlans.forEach((vlan, i) => {
    if (i > 0) out.text(BLANK)
    out.openObject()
    out.field('vlan', vlan.vid, `${vlan.vid}`)
    if (vlan.end !== undefined) out.field('vlanEnd', vlan.end, `-${vlan.end}`)
    if (vlan.flags) {
      out.openArray('flags')
      if (vlan.flags & VLAN_PVID) out.field(undefined, 'PVID', ' PVID')
      if (vlan.flags & VLAN_UNTAGGED) out.field(undefined, 'Egress Untagged', ' Egress Untagged')
      out.close()
    }
    if (options.details) {
      const state = PORT_STATES[vlan.state ?? 3]!
      out.text(`\n${BLANK}  `)
      out.field('state', state, `state ${state} `)
      out.field('mcast_router', 1, 'mcast_router 1 ')
    }
    if (options.stats) {
      out.text(`\n${BLANK}  `)
      out.field('rx_bytes', vlan.rxBytes ?? 0, `RX: ${vlan.rxBytes ?? 0} bytes`)
      out.field('rx_packets', vlan.rxPackets ?? 0, ` ${vlan.rxPackets ?? 0} packets\n${BLANK}  `)
      out.field('tx_bytes', vlan.txBytes ?? 0, `TX: ${vlan.txBytes ?? 0} bytes`)
      out.field('tx_packets', vlan.txPackets ?? 0, ` ${vlan.txPackets ?? 0} packets`)
    }
    out.text('\n')
    out.close()
  })
  out.close()
  out.close()
}
