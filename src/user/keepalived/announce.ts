/**
 * Telling neighbours where virtual addresses are now: gratuitous ARP requests, unsolicited neighbour advertisements, as whole frames.
 * keepalived 2.2.7 vrrp/vrrp_arp.c: send_gratuitous_arp_immediate(); vrrp/vrrp_ndisc.c: ndisc_send_unsolicited_na_immediate()
 */
import { internetChecksum, sumWords, viewOf } from '#base/bytes'
import { type Body, ERRNO, readTextFile, type Sys, strerror } from '#kernel/core'
import { type Ipv6Address, ipv6Bytes } from '#wire/inet'
import { writeMac } from '#wire/link'
import { IFF_NOARP, type Nic } from './interfaces.ts'
import type { Log } from './log.ts'
import type { Loop, LoopTimer } from './loop.ts'
import {
  type Address,
  type GlobalConfig,
  isIpv6,
  showAddress,
  type VirtualAddress,
  type VirtualRouter,
} from './model.ts'

const ETH_P_ARP = 0x806
const ETH_P_IPV6 = 0x86dd

/** Who has ADDRESS? tell ADDRESS; the target's hardware address is everybody. */
export function emitGratuitousArp(mac: number, address: number): Uint8Array {
  const bytes = new Uint8Array(42).fill(0xff, 0, 6)
  const view = viewOf(bytes)
  writeMac(bytes, 6, mac)
  view.setUint16(12, ETH_P_ARP)
  bytes.set([0, 1, 8, 0, 6, 4, 0, 1], 14)
  writeMac(bytes, 22, mac)
  view.setUint32(28, address)
  bytes.fill(0xff, 32, 38)
  view.setUint32(38, address)
  return bytes
}

/** To all nodes, overriding what they know. */
export function emitUnsolicitedAdvert(mac: number, address: Ipv6Address, isRouter: boolean): Uint8Array {
  const bytes = new Uint8Array(14 + 40 + 32)
  const view = viewOf(bytes)
  bytes.set([0x33, 0x33, 0, 0, 0, 1])
  writeMac(bytes, 6, mac)
  view.setUint16(12, ETH_P_IPV6)
  bytes[14] = 0x60
  view.setUint16(18, 32)
  bytes[20] = 58
  bytes[21] = 255
  bytes.set(ipv6Bytes(address), 22)
  bytes.set([0xff, 2], 38)
  bytes[53] = 1
  bytes[54] = 136
  bytes[58] = (isRouter ? 0x80 : 0) | 0x20
  bytes.set(ipv6Bytes(address), 62)
  bytes.set([2, 1], 78)
  writeMac(bytes, 80, mac)
  const pseudo = sumWords(bytes, 22, 32) + 32 + 58
  view.setUint16(56, internetChecksum(bytes, 54, 32, pseudo))
  return bytes
}

export class Announcer {
  readonly #sys: Sys
  readonly #log: Log
  readonly #loop: Loop
  global: GlobalConfig
  #arpFd = -1
  #ndFd = -1
  #delayed: LoopTimer | undefined
  /** Whose turn comes later. */
  routers: () => readonly VirtualRouter[] = () => []

  constructor(sys: Sys, log: Log, loop: Loop, global: GlobalConfig) {
    this.#sys = sys
    this.#log = log
    this.#loop = loop
    this.global = global
  }

  /** Opens and closes the sockets that are needed. */
  prepare(four: boolean, six: boolean): void {
    this.#arpFd = this.#open(this.#arpFd, four, ETH_P_ARP, 'ARP')
    this.#ndFd = this.#open(this.#ndFd, six, ETH_P_IPV6, 'NDISC')
  }

  #open(fd: number, wanted: boolean, protocol: number, name: string): number {
    const sys = this.#sys
    if (!wanted || fd >= 0) {
      if (fd >= 0 && !wanted) sys.close(fd)
      return wanted ? fd : -1
    }
    const opened = sys.socket('AF_PACKET', 'SOCK_RAW', protocol)
    if (!opened.ok) {
      this.#log.info(`Error ${ERRNO[opened.errno][0]} while registering gratuitous ${name} shared channel`)
      return -1
    }
    this.#log.detail(`Registering gratuitous ${name} shared channel`)
    sys.setsockopt(opened.value, 'SOL_SOCKET', 'SO_ATTACH_FILTER', () => false)
    return opened.value
  }

  /** All addresses of a router, so many times. */
  *announce(router: VirtualRouter, times: number): Body<void> {
    if (!router.addressesSet) return
    for (let i = 0; i < times; i++) {
      for (const each of [...router.addresses, ...router.excluded]) {
        if (i === 0) {
          const what = isIpv6(each.address) ? 'Unsolicited Neighbour Adverts' : 'gratuitous ARPs'
          this.#log.detail(
            `(${router.name}) Sending/queueing ${what} on ${each.nic!.name} for ${showAddress(each.address)}`,
          )
        }
        yield* this.#sendOrQueue(router, each)
      }
    }
  }

  *#sendOrQueue(router: VirtualRouter, each: VirtualAddress): Body<void> {
    const nic = each.nic!
    if (nic.flags & IFF_NOARP) return
    const six = isIpv6(each.address)
    const interval = six ? this.global.gnaIntervalUs : this.global.garpIntervalUs
    const nextNs = six ? nic.gnaNextNs : nic.garpNextNs
    if (interval > 0 && nextNs > this.#sys.monotonicNs()) {
      each.pending = true
      if (six) router.gnaPending = true
      else router.garpPending = true
      this.#delay(this.#sys.monotonicNs() + interval * 1000)
      return
    }
    yield* this.tell(nic, each.address)
  }

  #delay(dueNs: number): void {
    if (this.#delayed && this.#delayed.dueNs <= dueNs) return
    this.#loop.cancel(this.#delayed)
    this.#delayed = this.#loop.after((dueNs - this.#sys.monotonicNs()) / 1000, () => this.#sendDelayed())
  }

  *#sendDelayed(): Body<void> {
    this.#delayed = undefined
    let next = Number.POSITIVE_INFINITY
    for (const router of this.routers()) {
      if (!router.garpPending && !router.gnaPending) continue
      router.garpPending = router.gnaPending = false
      if (router.state !== 'MASTER' || !router.addressesSet) continue
      for (const each of [...router.addresses, ...router.excluded]) {
        if (!each.pending) continue
        const six = isIpv6(each.address)
        const dueNs = six ? each.nic!.gnaNextNs : each.nic!.garpNextNs
        if (each.set && dueNs > this.#sys.monotonicNs()) {
          if (six) router.gnaPending = true
          else router.garpPending = true
          next = Math.min(next, dueNs)
          continue
        }
        each.pending = false
        if (each.set) yield* this.tell(each.nic!, each.address)
      }
    }
    if (next < Number.POSITIVE_INFINITY) this.#delay(next)
  }

  /** What waits is not sent any more. */
  forget(router: VirtualRouter): void {
    for (const each of [...router.addresses, ...router.excluded]) each.pending = false
    router.garpPending = router.gnaPending = false
  }

  /** One frame, at once. */
  *tell(nic: Nic, address: Address): Body<void> {
    const six = isIpv6(address)
    const fd = six ? this.#ndFd : this.#arpFd
    if (fd < 0) return
    const shown = showAddress(address)
    const bytes = six
      ? emitUnsolicitedAdvert(nic.mac, address, yield* this.#forwards(nic))
      : emitGratuitousArp(nic.mac, address)
    this.#log.detail(`Sending ${six ? 'unsolicited Neighbour Advert' : 'gratuitous ARP'} on ${nic.name} for ${shown}`)
    const to = {
      family: 'AF_PACKET' as const,
      protocol: six ? ETH_P_IPV6 : ETH_P_ARP,
      ifindex: nic.ifindex,
      hatype: 1,
      packetType: 0,
      address: bytes.slice(0, 6),
    }
    const sent = yield* this.#sys.sendTo(fd, bytes, to, { dontWait: true })
    if (!sent.ok) {
      const number = ERRNO[sent.errno][0]
      const what = six
        ? `Error ${number} sending ndisc unsolicited neighbour advert`
        : `Error ${number} (${strerror(sent.errno)}) sending gratuitous ARP`
      this.#log.info(`${what} on ${nic.name} for ${shown}`)
    }
    const now = this.#sys.monotonicNs()
    if (six) nic.gnaNextNs = now + this.global.gnaIntervalUs * 1000
    else nic.garpNextNs = now + this.global.garpIntervalUs * 1000
  }

  /** Whether the interface routes: then the advertisement says so. */
  *#forwards(nic: Nic): Body<boolean> {
    const read = yield* readTextFile(this.#sys, `/proc/sys/net/ipv6/conf/${nic.name}/forwarding`)
    return read.ok && read.value.trim() === '1'
  }
}
