/**
 * A VXLAN device's forwarding database: behind which hosts addresses are. Entries are made by hand or learned, and those that
 * were learned are forgotten when nobody has used them for a while.
 *
 * Linux 6.1 drivers/net/vxlan/vxlan_core.c: vxlan_fdb_update(), vxlan_fdb_delete(), vxlan_snoop(), vxlan_cleanup().
 */
import { Timer } from '#base/sim'
import {
  deviceByIndex,
  type FdbMessage,
  type FdbRequest,
  HZ,
  jiffiesOf,
  type NeighbourState,
  type NetDevice,
  NTF_SELF,
  type Refusal,
  refuse,
  wheelNs,
} from '#kernel/net'
import { formatIpv4, parseIpv4 } from '#wire/inet'
import { formatMac, isGroupMac } from '#wire/link'

export interface Remote {
  /** 0: nowhere; what is for it is dropped. */
  ip: number
  port: number
  vni: number
  ifindex: number
}

export interface FdbEntry {
  readonly address: number
  state: NeighbourState
  flags: number
  remotes: Remote[]
  /** In jiffies. */
  used: number
  updated: number
}

/** What an entry without words of its own means. */
export interface FdbDefaults {
  port: number
  vni: number
  ageing: number
  maxAddresses: number
}

export class Fdb {
  readonly #device: NetDevice
  readonly #defaults: () => FdbDefaults
  readonly #entries = new Map<number, FdbEntry>()
  #timer: Timer | undefined

  constructor(device: NetDevice, defaults: () => FdbDefaults) {
    this.#device = device
    this.#defaults = defaults
  }

  /** Where frames for an address go; it is in use from now on. vxlan_find_mac(). */
  find(address: number): FdbEntry | undefined {
    const entry = this.#entries.get(address)
    if (entry) entry.used = jiffiesOf(this.#device.host)
    return entry
  }

  create(address: number, remote: Remote, state: NeighbourState, flags: number): Refusal | undefined {
    const { maxAddresses } = this.#defaults()
    if (maxAddresses > 0 && this.#entries.size >= maxAddresses) return refuse('ENOSPC')
    const now = jiffiesOf(this.#device.host)
    this.#entries.set(address, { address, state, flags, remotes: [remote], used: now, updated: now })
    if (state !== 'PERMANENT') this.#watch()
    return undefined
  }

  /** A frame from an address came from a host. Whether it is to be dropped. vxlan_snoop(). */
  learn(address: number, ip: number): boolean {
    const entry = this.find(address)
    if (entry === undefined) {
      const { port, vni } = this.#defaults()
      if (this.#device.up) this.create(address, { ip, port, vni, ifindex: 0 }, 'REACHABLE', NTF_SELF)
      return false
    }
    const remote = entry.remotes[0]!
    if (remote.ip === ip && remote.ifindex === 0) return false
    if (entry.state === 'PERMANENT' || entry.state === 'NOARP') return true
    const device = this.#device
    device.host.log(
      6,
      `${device.name}: ${formatMac(address)} migrated from ${formatIpv4(remote.ip)} to ${formatIpv4(ip)}`,
    )
    remote.ip = ip
    remote.ifindex = 0
    entry.updated = jiffiesOf(device.host)
    return false
  }

  #remoteOf(request: FdbRequest): Remote | Refusal {
    const { port, vni } = this.#defaults()
    let ip = 0
    if (request.dst !== undefined) {
      const parsed = parseIpv4(request.dst)
      if (parsed === undefined) return refuse('EAFNOSUPPORT')
      ip = parsed
    }
    if (request.via && deviceByIndex(this.#device.host, request.via) === undefined) return refuse('EADDRNOTAVAIL')
    return { ip, port: request.port ?? port, vni: request.vni ?? vni, ifindex: request.via ?? 0 }
  }

  /** `bridge fdb add`, `append`, `replace`. */
  add(request: FdbRequest): Refusal | undefined {
    const address = request.address!
    if (request.state !== 'PERMANENT' && request.state !== 'REACHABLE' && request.state !== 'NOARP')
      return refuse('EINVAL')
    const remote = this.#remoteOf(request)
    if ('errno' in remote) return remote
    const many = address === 0 || isGroupMac(address)
    const entry = this.#entries.get(address)
    if (entry === undefined) {
      if (!request.create) return refuse('ENOENT')
      if (request.replace && many) return refuse('EOPNOTSUPP')
      return this.create(address, remote, request.state, request.flags)
    }
    if (request.exclusive) return refuse('EEXIST')
    entry.state = request.state
    entry.flags = request.flags
    entry.updated = jiffiesOf(this.#device.host)
    if (request.replace) {
      if (many) return refuse('EOPNOTSUPP', 'Cannot replace non-unicast fdb entries')
      entry.remotes = [remote]
    }
    if (request.append && many && !entry.remotes.some((other) => same(other, remote))) entry.remotes.push(remote)
    if (entry.state !== 'PERMANENT') this.#watch()
    return undefined
  }

  /** `bridge fdb del`. */
  remove(request: FdbRequest): Refusal | undefined {
    const entry = this.#entries.get(request.address!)
    const remote = this.#remoteOf(request)
    if ('errno' in remote) return remote
    if (entry === undefined) return refuse('ENOENT')
    if (remote.ip !== 0) {
      const found = entry.remotes.find((other) => same(other, remote))
      if (found === undefined) return undefined // Nothing is said of it.
      if (entry.remotes.length > 1) {
        entry.remotes = entry.remotes.filter((other) => other !== found)
        return undefined
      }
    }
    this.#entries.delete(entry.address)
    return undefined
  }

  /** The default destination has changed: ip link set ... type vxlan remote. */
  setDefault(before: number, remote: Remote | undefined): void {
    const entry = this.#entries.get(0)
    if (entry) {
      entry.remotes = entry.remotes.filter((other) => other.ip !== before)
      if (entry.remotes.length === 0) this.#entries.delete(0)
    }
    if (remote === undefined) return
    const left = this.#entries.get(0)
    if (left) left.remotes.push(remote)
    else this.create(0, remote, 'PERMANENT', NTF_SELF)
  }

  /** The device goes down: what isn't permanent is forgotten. vxlan_flush(). */
  flush(all: boolean): void {
    for (const [address, { state }] of this.#entries) {
      if (all || (state !== 'PERMANENT' && state !== 'NOARP')) this.#entries.delete(address)
    }
    if (all) {
      this.#timer?.destroy()
      this.#timer = undefined
    } else this.#timer?.cancel()
  }

  dump(): FdbMessage[] {
    const { port, vni } = this.#defaults()
    const { host, ifindex } = this.#device
    const now = jiffiesOf(host)
    const seconds = (since: number) => Math.floor((now - since) / HZ)
    const messages: FdbMessage[] = []
    for (const entry of this.#entries.values()) {
      for (const remote of entry.remotes) {
        const message: FdbMessage = {
          type: 'RTM_NEWNEIGH',
          family: 'AF_BRIDGE',
          ifindex,
          address: entry.address,
          state: entry.state,
          flags: entry.flags,
          usedS: seconds(entry.used),
          updatedS: seconds(entry.updated),
        }
        if (remote.ip !== 0) message.dst = formatIpv4(remote.ip)
        if (remote.port !== port) message.port = remote.port
        if (remote.vni !== vni) message.vni = remote.vni
        if (remote.ifindex !== 0) message.linkIfindex = remote.ifindex
        messages.push(message)
      }
    }
    return messages
  }

  /** Looks again when the first of the learned ones may be too old; at the latest every ten seconds, as the kernel does. */
  #watch(): void {
    const { ageing } = this.#defaults()
    const { host, name } = this.#device
    if (ageing === 0) return
    this.#timer ??= new Timer(host.sim, `${host.name}/${name}: ageing`, () => this.#age())
    if (!this.#timer.armed) this.#timer.armAt(wheelNs(host, jiffiesOf(host) + 10 * HZ))
  }

  #age(): void {
    const { ageing } = this.#defaults()
    const { host } = this.#device
    const now = jiffiesOf(host)
    let next = now + 10 * HZ
    let any = false
    for (const [address, entry] of this.#entries) {
      if (entry.state === 'PERMANENT' || entry.state === 'NOARP' || entry.flags & 0x10) continue
      const due = entry.used + ageing * HZ
      if (due <= now) this.#entries.delete(address)
      else {
        any = true
        next = Math.min(next, due)
      }
    }
    if (any) this.#timer!.armAt(wheelNs(host, next))
  }
}

function same(a: Remote, b: Remote): boolean {
  return a.ip === b.ip && a.port === b.port && a.vni === b.vni && a.ifindex === b.ifindex
}
