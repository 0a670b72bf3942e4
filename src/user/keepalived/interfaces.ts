/**
 * Interfaces and their addresses, as keepalived knows them: from a dump at first, from the kernel's messages later. Of several
 * addresses the first is the one that packets are sent from. keepalived 2.2.7 core/keepalived_netlink.c, vrrp/vrrp_if.c
 */
import type { Sys } from '#kernel/core'
import type { Address6Message, AddressMessage, LinkMessage } from '#kernel/net'
import type { Ipv6Address } from '#wire/inet'
import type { Address, TrackedBy } from './model.ts'

const IFF_UP = 1
const IFF_RUNNING = 0x40
export const IFF_LOOPBACK = 8
export const IFF_POINTOPOINT = 0x10
export const IFF_NOARP = 0x80
export const IFF_MULTICAST = 0x1000
const RT_SCOPE_LINK = 253

export function flagsUp(flags: number): boolean {
  return (flags & IFF_UP) !== 0 && (flags & IFF_RUNNING) !== 0
}

export interface Nic {
  name: string
  /** 0: it isn't there. */
  ifindex: number
  flags: number
  mtu: number
  mac: number
  linkType: string
  address4: number | undefined
  more4: number[]
  address6: Ipv6Address | undefined
  more6: Ipv6Address[]
  tracking: TrackedBy[]
  seenUp: boolean
  /** When the next gratuitous ARP may go. */
  garpNextNs: number
  gnaNextNs: number
}

function freshNic(name: string): Nic {
  return {
    name,
    ifindex: 0,
    flags: 0,
    mtu: 1500,
    mac: 0,
    linkType: 'ether',
    address4: undefined,
    more4: [],
    address6: undefined,
    more6: [],
    tracking: [],
    seenUp: false,
    garpNextNs: 0,
    gnaNextNs: 0,
  }
}

export type AddressEvent = AddressMessage | Address6Message

export class Interfaces {
  readonly all: Nic[] = []
  /** Somebody asked for one that isn't there. */
  missing = false
  /** dynamic_interfaces: it may come yet. */
  dynamic = false

  /** Reads what is there. */
  load(sys: Sys): void {
    const links = sys.netlink({ type: 'RTM_GETLINK' })
    if (links.ok) for (const link of links.messages as LinkMessage[]) this.linkIs(link)
    const addresses = sys.netlink({ type: 'RTM_GETADDR' })
    if (!addresses.ok) return
    for (const message of addresses.messages as AddressEvent[]) {
      const nic = this.byIndex(message.ifindex)
      if (nic) this.addAddress(nic, message)
    }
  }

  linkIs(link: LinkMessage): Nic {
    let nic = this.all.find((each) => each.ifindex === link.ifindex) ?? this.byName(link.name)
    if (!nic) {
      nic = freshNic(link.name)
      this.all.push(nic)
    }
    nic.name = link.name
    nic.ifindex = link.ifindex
    nic.flags = link.flags
    nic.mtu = link.mtu
    nic.mac = link.address
    nic.linkType = link.linkType
    if (flagsUp(link.flags)) nic.seenUp = true
    return nic
  }

  byIndex(ifindex: number): Nic | undefined {
    return this.all.find((nic) => nic.ifindex === ifindex)
  }

  byName(name: string): Nic | undefined {
    return this.all.find((nic) => nic.name === name)
  }

  /** One that the configuration names. */
  wanted(name: string, log: (text: string) => void): Nic | undefined {
    const found = this.byName(name)
    if (found) return found
    if (!this.dynamic) {
      this.missing = true
      return undefined
    }
    const nic = freshNic(name)
    this.all.push(nic)
    log(`Configuration specifies interface ${name} which doesn't currently exist - will use if created`)
    return nic
  }

  /** Whether it is the first of its family, and so the one that is used from now on. */
  addAddress(nic: Nic, message: AddressEvent): boolean {
    const address: Address = message.local
    if (typeof address === 'number') {
      if (nic.address4 === undefined) {
        nic.address4 = address
        return true
      }
      if (nic.address4 !== address && !nic.more4.includes(address)) nic.more4.push(address)
      return false
    }
    if (message.scope !== RT_SCOPE_LINK) return false
    if (nic.address6 === undefined) {
      nic.address6 = address
      return true
    }
    if (nic.address6 !== address && !nic.more6.includes(address)) nic.more6.push(address)
    return false
  }

  /** An address that isn't to be sent from: it is a virtual one that was left over. */
  forget(nic: Nic, address: Address): void {
    if (typeof address === 'number') {
      if (nic.address4 === address) nic.address4 = nic.more4.shift()
      else nic.more4 = nic.more4.filter((each) => each !== address)
      return
    }
    if (nic.address6 === address) nic.address6 = nic.more6.shift()
    else nic.more6 = nic.more6.filter((each) => each !== address)
  }
}
