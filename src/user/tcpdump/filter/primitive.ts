/** What an address means under its qualifiers, and what libpcap says when it means nothing. gencode.c: gen_scode, gen_ncode, gen_mcode. */
import { ipv6Bytes, maskOf } from '#wire/inet'
import { type Block, type Direction, either, type Link, TRANSPORTS } from './generate.ts'
import { ETHER_PROTOCOLS, type Names } from './names.ts'
import { FilterError } from './scan.ts'

export interface Qualifiers {
  layer: string
  direction: Direction
  kind: 'default' | 'host' | 'net' | 'port' | 'portrange' | 'proto' | 'gateway'
}

const PORT_PROTOCOLS = [6, 17, 132]
const TYPES: Record<string, number> = { ip: 0x0800, arp: 0x0806, rarp: 0x8035, ip6: 0x86dd }

/** A layer alone: `tcp`, `arp`. */
export function plainProtocol(link: Link, layer: string): Block {
  const type = TYPES[layer]
  if (type !== undefined) return link.type(type)
  if (layer === 'icmp6') return link.ip6Protocol(58)
  if (layer === 'ether' || layer === 'link') throw new FilterError('link layer applied in wrong context')
  const protocol = TRANSPORTS[layer]!
  if (layer === 'icmp' || layer === 'igmp' || layer === 'igrp' || layer === 'vrrp' || layer === 'carp')
    return link.ipProtocol(protocol)
  return either(link.ipProtocol(protocol), link.ip6Protocol(protocol))
}

/** IPv4 hosts and networks in what the layer says: by default in IP, ARP and RARP. */
function hosts(link: Link, value: number, mask: number, qualifiers: Qualifiers): Block {
  const { layer, direction, kind } = qualifiers
  const what = kind === 'net' ? 'net' : 'host'
  if (layer === 'default') {
    const ip = link.ipHost(value, mask, direction)
    const arp = link.arpHost(value, mask, direction, 0x0806)
    return either(either(ip, arp), link.arpHost(value, mask, direction, 0x8035))
  }
  if (layer === 'ip') return link.ipHost(value, mask, direction)
  if (layer === 'arp') return link.arpHost(value, mask, direction, 0x0806)
  if (layer === 'rarp') return link.arpHost(value, mask, direction, 0x8035)
  if (layer === 'ether' || layer === 'link') throw new FilterError('illegal link layer address')
  if (layer === 'ip6') throw new FilterError("'ip6' modifier applied to ip host")
  throw new FilterError(`'${layer}' modifier applied to ${what}`)
}

/** `10.0.0.1`, `10/8`, `10.0.0.0 mask 255.0.0.0`. */
export function address(
  link: Link,
  text: string,
  length: number | undefined,
  maskText: string | undefined,
  qualifiers: Qualifiers,
): Block {
  const { value, bits } = dotted(text)
  if (length !== undefined || maskText !== undefined) {
    if (qualifiers.kind !== 'net') throw new FilterError('Mask syntax for networks only')
    if (length !== undefined && length > 32) throw new FilterError('mask length must be <= 32')
    const full = value * 2 ** (32 - bits)
    const mask = length !== undefined ? maskOf(length) : dotted(maskText!).value * 2 ** (32 - dotted(maskText!).bits)
    if ((full & ~mask) !== 0)
      throw new FilterError(
        length !== undefined
          ? `non-network bits set in "${text}/${length}"`
          : `non-network bits set in "${text} mask ${maskText}"`,
      )
    return hosts(link, full, mask, qualifiers)
  }
  return atNumber(link, value, bits, qualifiers)
}

/** One to four numbers with dots, and how many bits they fill. */
function dotted(text: string): { value: number; bits: number } {
  const parts = text.split('.')
  let value = 0
  for (const part of parts) {
    if (parts.length > 1 && Number(part) > 255) throw new FilterError(`invalid IPv4 address '${text}'`)
    value = value * 256 + Number(part)
  }
  if (parts.length === 1) return { value, bits: 32 }
  return { value, bits: parts.length * 8 }
}

/** A number, or a range of ports. */
export function numbered(link: Link, value: number, upper: number | undefined, qualifiers: Qualifiers): Block {
  if (qualifiers.kind === 'portrange') {
    const low = Math.min(value, upper ?? value)
    const high = Math.max(value, upper ?? value)
    return link.ports(port(low), port(high), portProtocols(qualifiers, 'portrange'), qualifiers.direction)
  }
  return atNumber(link, value, 32, qualifiers)
}

function port(value: number): number {
  if (value > 65535) throw new FilterError(`illegal port number ${value} > 65535`)
  return value
}

function atNumber(link: Link, value: number, bits: number, qualifiers: Qualifiers): Block {
  const { kind, layer, direction } = qualifiers
  switch (kind) {
    case 'default':
    case 'host':
    case 'net': {
      if (layer === 'ether' || layer === 'link') throw new FilterError('illegal link layer address')
      let network = value
      let mask = 0xffffffff
      if (bits === 32 && kind === 'net') {
        // A number alone is a network's first bytes: `net 10`.
        for (; network > 0 && network <= 0xffffff; network *= 256) mask = (mask << 8) >>> 0
      } else {
        network = value * 2 ** (32 - bits)
        mask = maskOf(bits)
      }
      return hosts(link, network, mask, qualifiers)
    }
    case 'port':
      return link.ports(port(value), port(value), portProtocols(qualifiers, 'port'), direction)
    case 'portrange':
      return link.ports(port(value), port(value), portProtocols(qualifiers, 'portrange'), direction)
    case 'gateway':
      throw new FilterError("'gateway' requires a name")
    case 'proto':
      return protocol(link, value, layer)
  }
}

function portProtocols(qualifiers: Qualifiers, what: string): number[] {
  const { layer } = qualifiers
  if (layer === 'default') return PORT_PROTOCOLS
  if (layer === 'tcp' || layer === 'udp' || layer === 'sctp') return [TRANSPORTS[layer]!]
  throw new FilterError(`illegal qualifier of '${what}'`)
}

function protocol(link: Link, value: number, layer: string): Block {
  switch (layer) {
    case 'default':
      return either(link.ipProtocol(value), link.ip6Protocol(value))
    case 'ip':
      return link.ipProtocol(value)
    case 'ip6':
      return link.ip6Protocol(value)
    case 'ether':
    case 'link':
      return link.type(value)
    case 'arp':
      throw new FilterError('arp does not encapsulate another protocol')
    case 'rarp':
      throw new FilterError('rarp does not encapsulate another protocol')
    default:
      throw new FilterError(`'${layer} proto' is bogus`)
  }
}

/** A MAC address. */
export function macAddress(link: Link, mac: number, qualifiers: Qualifiers): Block {
  const { layer, kind, direction } = qualifiers
  if ((kind === 'default' || kind === 'host') && (layer === 'ether' || layer === 'link'))
    return link.mac(mac, direction)
  throw new FilterError('ethernet address used in non-ether expression')
}

/** A name, looked up as the qualifiers say. */
export function named(link: Link, names: Names, name: string, qualifiers: Qualifiers): Block {
  const { kind, layer, direction } = qualifiers
  switch (kind) {
    case 'net': {
      const network = names.network(name)
      if (network === undefined || network === 0) throw new FilterError(`unknown network '${name}'`)
      return atNumber(link, network, 32, qualifiers)
    }
    case 'default':
    case 'host': {
      if (layer === 'ether' || layer === 'link') throw new FilterError(`unknown ether host '${name}'`)
      const addresses = names.host(name)
      const addresses6 = names.host6(name)
      if (addresses.length + addresses6.length === 0) throw new FilterError(`unknown host '${name}'`)
      const four = layer === 'ip6' ? [] : addresses
      const six = layer === 'default' || layer === 'ip6' ? addresses6 : []
      if (four.length + six.length === 0)
        throw new FilterError(`unknown host '${name}'${layer === 'default' ? '' : ' for specified address family'}`)
      return [
        ...six.map((value) => link.ip6Host(ipv6Bytes(value), 128, direction)),
        ...four.map((value) => hosts(link, value, 0xffffffff, qualifiers)),
      ].reduce(either)
    }
    case 'port': {
      const protocols = portProtocols(qualifiers, 'port')
      const { tcp, udp } = names.port(name)
      if (tcp === undefined && udp === undefined) throw new FilterError(`unknown port '${name}'`)
      if (layer === 'udp' && udp === undefined) throw new FilterError(`port '${name}' is tcp`)
      if (layer === 'tcp' && tcp === undefined) throw new FilterError(`port '${name}' is udp`)
      if (layer === 'sctp') throw new FilterError(`port '${name}' is ${tcp === undefined ? 'udp' : 'tcp'}`)
      if (layer !== 'default')
        return link.ports((layer === 'tcp' ? tcp : udp)!, (layer === 'tcp' ? tcp : udp)!, protocols, direction)
      if (tcp === udp) return link.ports(tcp!, tcp!, PORT_PROTOCOLS, direction)
      return link.ports((tcp ?? udp)!, (tcp ?? udp)!, tcp === undefined ? [17] : [6], direction)
    }
    case 'portrange': {
      const bounds = name.split('-').map((bound) => {
        const found = names.port(bound)
        const value = /^\d+$/.test(bound) ? Number(bound) : (found.tcp ?? found.udp)
        if (value === undefined) throw new FilterError(`unknown port in range '${name}'`)
        return port(value)
      })
      if (bounds.length !== 2) throw new FilterError(`unknown port in range '${name}'`)
      return numbered(link, bounds[0]!, bounds[1]!, qualifiers)
    }
    case 'gateway':
      throw new FilterError("'gateway' not supported in this configuration")
    case 'proto': {
      if (layer === 'ether' || layer === 'link') {
        const type = Object.hasOwn(ETHER_PROTOCOLS, name) ? ETHER_PROTOCOLS[name] : undefined
        if (type === undefined) throw new FilterError(`unknown ether proto '${name}'`)
        return link.type(type)
      }
      const value = names.protocol(name)
      if (value === undefined) throw new FilterError(`unknown ip proto '${name}'`)
      return protocol(link, value, layer)
    }
  }
}
