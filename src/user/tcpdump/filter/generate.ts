/**
 * Primitives as tests on bytes, and, where a packet's fields can tell, as tests on fields. Both decide what libpcap's
 * code would: which layers `host` looks into, that ports are only looked for in first fragments, and so on.
 * libpcap 1.10.3 gencode.c; pcap-filter(7).
 */
import { NotModelled } from '#base/check'
import type { Packet } from '#wire/inet'
import { LINKTYPE_ETHERNET, LINKTYPE_LINUX_SLL2 } from '#wire/pcap'
import { type Frame, type Load, load8, load16, load32, type Test } from './load.ts'
import { FilterError } from './scan.ts'

/**
 * A test in both forms; `fields` only where it decides the same for every untagged packet of ARP, or of ICMP, UDP or
 * TCP in IPv4, whose layers are all in fields (`filter.ts` asks it for no other).
 */
export interface Block {
  bytes: Test
  fields: ((packet: Packet) => boolean) | undefined
}

export type Direction = 'default' | 'src' | 'dst' | 'or' | 'and'

export const both = (a: Block, b: Block): Block => {
  const [x, y, fx, fy] = [a.bytes, b.bytes, a.fields, b.fields]
  return { bytes: (f) => x(f) && y(f), fields: fx && fy && ((p) => fx(p) && fy(p)) }
}
export const either = (a: Block, b: Block): Block => {
  const [x, y, fx, fy] = [a.bytes, b.bytes, a.fields, b.fields]
  // A load beyond the end ends everything: what stands behind `or` isn't looked at.
  return { bytes: (f) => x(f) || (!f.beyond && y(f)), fields: fx && fy && ((p) => fx(p) || fy(p)) }
}
export const negated = (a: Block): Block => {
  const { bytes, fields } = a
  return { bytes: (f) => !bytes(f), fields: fields && ((p) => !fields(p)) }
}
const never: Block = { bytes: () => false, fields: () => false }

/** Where layers begin in a link type's frames; `vlan` moves them for what follows. */
export class Link {
  readonly linkType: number
  readonly live: boolean
  /** For `ip broadcast`: the interface's. */
  readonly netmask: number
  typeAt: number
  payloadAt: number
  #vlans = 0

  constructor(linkType: number, live: boolean, netmask: number) {
    if (linkType !== LINKTYPE_ETHERNET && linkType !== LINKTYPE_LINUX_SLL2)
      throw new NotModelled(`filters on link type ${linkType}`)
    this.linkType = linkType
    this.live = live
    this.netmask = netmask
    this.typeAt = linkType === LINKTYPE_ETHERNET ? 12 : 0
    this.payloadAt = linkType === LINKTYPE_ETHERNET ? 14 : 20
  }

  get ethernet(): boolean {
    return this.linkType === LINKTYPE_ETHERNET
  }

  /** The EtherType, or the LLC's destination if it is below 1501. */
  type(protocol: number): Block {
    const { typeAt, payloadAt } = this
    if (protocol <= 1500) {
      if (!this.ethernet) throw new NotModelled('LLC in cooked captures')
      return {
        bytes: (f) => load16(f, typeAt) <= 1500 && !f.beyond && load8(f, payloadAt) === protocol,
        fields: () => false,
      }
    }
    return { bytes: (f) => load16(f, typeAt) === protocol, fields: (p) => p.etherType === protocol }
  }

  vlan(id: number | undefined): Block {
    if (!this.ethernet) throw new FilterError('no VLAN support for Linux cooked v2')
    if (id !== undefined && id > 4095) throw new FilterError(`VLAN tag ${id} greater than maximum 4095`)
    if (this.live && this.#vlans++ === 0) {
      // The kernel has taken the outermost tag off, and the layers stand where they stand without one.
      return {
        bytes: (f) => f.vlanTci >= 0 && (id === undefined || (f.vlanTci & 0xfff) === id),
        fields: () => false,
      }
    }
    const { typeAt, payloadAt } = this
    this.typeAt += 4
    this.payloadAt += 4
    return {
      bytes: (f) => {
        const type = load16(f, typeAt)
        if (type !== 0x8100 && type !== 0x88a8 && type !== 0x9100) return false
        return id === undefined || (!f.beyond && (load16(f, payloadAt) & 0xfff) === id)
      },
      fields: undefined,
    }
  }

  ip(): Block {
    return this.type(0x0800)
  }

  ip6(): Block {
    return this.type(0x86dd)
  }

  ipProtocol(protocol: number): Block {
    const at = this.payloadAt + 9
    return both(this.ip(), { bytes: (f) => load8(f, at) === protocol, fields: (p) => p.protocol === protocol })
  }

  ip6Protocol(protocol: number): Block {
    const at = this.payloadAt + 6
    // A fragment header may stand between.
    const test: Test = (f) => {
      const next = load8(f, at)
      return next === protocol || (next === 44 && !f.beyond && load8(f, at + 34) === protocol)
    }
    return both(this.ip6(), { bytes: test, fields: () => false })
  }

  /** One of two places, by direction. */
  side(direction: Direction, src: Block, dst: Block): Block {
    if (direction === 'src') return src
    if (direction === 'dst') return dst
    return direction === 'and' ? both(src, dst) : either(src, dst)
  }

  ipHost(address: number, mask: number, direction: Direction): Block {
    const at = this.payloadAt
    const word = (offset: number, field: (p: Packet) => number): Block => ({
      bytes: (f) => (load32(f, at + offset) & mask) === (address | 0),
      fields: (p) => (field(p) & mask) === (address | 0),
    })
    return both(
      this.ip(),
      this.side(
        direction,
        word(12, (p) => p.src),
        word(16, (p) => p.dst),
      ),
    )
  }

  arpHost(address: number, mask: number, direction: Direction, type: number): Block {
    const at = this.payloadAt
    const word = (offset: number, field: (p: Packet) => number): Block => ({
      bytes: (f) => (load32(f, at + offset) & mask) === (address | 0),
      fields: type === 0x0806 ? (p) => (field(p) & mask) === (address | 0) : undefined,
    })
    const sides = this.side(
      direction,
      word(14, (p) => p.arpSpa),
      word(24, (p) => p.arpTpa),
    )
    const block = both(this.type(type), sides)
    return type === 0x0806 ? block : { bytes: block.bytes, fields: () => false }
  }

  ip6Host(address: Uint8Array, bits: number, direction: Direction): Block {
    const at = this.payloadAt
    const place = (offset: number): Block => ({
      bytes: (f) => {
        for (let i = 0; i * 8 < bits; i++) {
          const mask = bits - i * 8 >= 8 ? 0xff : (0xff00 >> (bits - i * 8)) & 0xff
          if ((load8(f, at + offset + i) & mask) !== (address[i]! & mask)) return false
        }
        return !f.beyond
      },
      fields: undefined,
    })
    const block = both(this.ip6(), this.side(direction, place(8), place(24)))
    return { bytes: block.bytes, fields: () => false }
  }

  mac(mac: number, direction: Direction): Block {
    if (!this.ethernet)
      throw new FilterError(
        'ethernet addresses supported only on ethernet/FDDI/token ring/802.11/ATM LANE/Fibre Channel',
      )
    const high = Math.floor(mac / 65536)
    const low = mac % 65536
    const place = (at: number, field: (p: Packet) => number): Block => ({
      bytes: (f) => load32(f, at) === high && load16(f, at + 4) === low,
      fields: (p) => field(p) === mac,
    })
    return this.side(
      direction,
      place(6, (p) => p.macSrc),
      place(0, (p) => p.macDst),
    )
  }

  /** TCP's, UDP's or SCTP's ports from low to high, in IPv4 and IPv6. */
  ports(low: number, high: number, protocols: readonly number[], direction: Direction): Block {
    const at = this.payloadAt
    const tests = (base: Load, fields: boolean): Block => {
      const port = (offset: number, field: (p: Packet) => number): Block => ({
        bytes: (f) => {
          const value = load16(f, base(f) + offset)
          return value >= low && value <= high
        },
        fields: fields
          ? (p) => {
              const value = field(p)
              return value >= low && value <= high
            }
          : undefined,
      })
      return this.side(
        direction,
        port(0, (p) => p.srcPort),
        port(2, (p) => p.dstPort),
      )
    }
    const firstFragment: Block = {
      bytes: (f) => (load16(f, at + 6) & 0x1fff) === 0,
      fields: (p) => (p.fragment & 0x1fff) === 0,
    }
    let ip4: Block = never
    let ip6: Block = never
    for (const protocol of protocols) {
      const own: Block = {
        bytes: (f) => load8(f, at + 9) === protocol,
        fields: (p) => p.protocol === protocol,
      }
      const one = both(
        both(own, firstFragment),
        tests((f) => at + (load8(f, at) & 15) * 4, true),
      )
      ip4 = ip4 === never ? one : either(ip4, one)
      const six = both(
        { bytes: (f) => load8(f, at + 6) === protocol, fields: undefined },
        tests(() => at + 40, false),
      )
      ip6 = ip6 === never ? six : either(ip6, six)
    }
    return either(both(this.ip(), ip4), { bytes: both(this.ip6(), ip6).bytes, fields: () => false })
  }

  /** A load relative to a layer, with the test that the layer is there. */
  layerLoad(layer: string, index: Load, size: number): { load: Load; check: Block | undefined } {
    const read = size === 1 ? load8 : size === 2 ? load16 : load32
    const at = this.payloadAt
    if (layer === 'ether' || layer === 'link') return { load: (f) => read(f, index(f)), check: undefined }
    if (layer === 'ip' || layer === 'arp' || layer === 'rarp' || layer === 'ip6') {
      const type = { ip: 0x0800, arp: 0x0806, rarp: 0x8035, ip6: 0x86dd }[layer]
      return { load: (f) => read(f, wrap(at + index(f))), check: this.type(type) }
    }
    if (layer === 'icmp6') return { load: (f) => read(f, wrap(at + 40 + index(f))), check: this.plainIp6(58) }
    const protocol = TRANSPORTS[layer]
    if (protocol === undefined) throw new NotModelled(`filters with ${layer}[...]`)
    const first: Block = { bytes: (f) => (load16(f, at + 6) & 0x1fff) === 0, fields: undefined }
    return {
      load: (f) => read(f, wrap(at + (load8(f, at) & 15) * 4 + index(f))),
      check: both(this.ipProtocol(protocol), first),
    }
  }

  plainIp6(protocol: number): Block {
    return this.ip6Protocol(protocol)
  }
}

/** Offsets are 32-bit numbers: one below zero lies beyond every frame. */
function wrap(at: number): number {
  return at > 0xffffffff ? at - 0x1_0000_0000 : at
}

export const TRANSPORTS: Record<string, number> = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  igrp: 9,
  udp: 17,
  esp: 50,
  ah: 51,
  pim: 103,
  vrrp: 112,
  carp: 112,
  sctp: 132,
}

/** For the exact path: a frame that isn't in fields. */
export function isExact(frame: Frame, test: Test): boolean {
  frame.beyond = false
  return test(frame) && !frame.beyond
}
