/**
 * Advertisements as bytes: making them, and what is wrong with one that came.
 *
 * RFC 3768 section 5, RFC 5798 section 5. keepalived 2.2.7 vrrp/vrrp.c: vrrp_build_pkt(), vrrp_update_pkt(), vrrp_check_packet()
 */
import { internetChecksum, sumWords, viewOf } from '#base/bytes'
import { ipv6Bytes, readIpv6, writeIpv6 } from '#wire/inet'
import type { Log } from './log.ts'
import { type Address, type GlobalConfig, isIpv6, showAddress, type VirtualRouter } from './model.ts'
import { SECOND_US } from './numbers.ts'

export const IPPROTO_VRRP = 112
export const VRRP_TTL = 255
const ADVERTISEMENT = 1
const HEADER_LENGTH = 8
const AUTH_LENGTH = 8
const IP_LENGTH = 20
const AUTH_TYPES = { NONE: 0, PASS: 1, AH: 2 }

/** The sum over the addresses, the protocol and the length. */
function pseudoSum(source: Address, destination: Address, length: number): number {
  const bytes = isIpv6(source) ? new Uint8Array(40) : new Uint8Array(12)
  const view = viewOf(bytes)
  if (isIpv6(source)) {
    writeIpv6(bytes, 0, source)
    if (isIpv6(destination)) writeIpv6(bytes, 16, destination)
    view.setUint32(32, length)
    bytes[39] = IPPROTO_VRRP
  } else {
    view.setUint32(0, source)
    if (!isIpv6(destination)) view.setUint32(4, destination)
    bytes[9] = IPPROTO_VRRP
    view.setUint16(10, length)
  }
  return sumWords(bytes, 0, bytes.length)
}

/** What goes behind the IP header; its checksum is left to the kernel where the addresses are IPv6. */
export function emitAdvert(router: VirtualRouter, priority: number, source: Address, destination: Address): Uint8Array {
  const addresses = router.addresses.map(({ address }) => address)
  const six = router.family === 6
  const listed = HEADER_LENGTH + addresses.length * (six ? 16 : 4)
  const bytes = new Uint8Array(listed + (!six && router.version === 2 ? AUTH_LENGTH : 0))
  const view = viewOf(bytes)
  bytes[0] = (router.version << 4) | ADVERTISEMENT
  bytes[1] = router.vrid
  bytes[2] = priority
  bytes[3] = addresses.length
  if (router.version === 3) view.setUint16(4, Math.floor(router.advertUs / 10_000) & 0xfff)
  else {
    bytes[4] = AUTH_TYPES[router.authType]
    bytes[5] = Math.floor(router.advertUs / SECOND_US)
  }
  addresses.forEach((address, i) => {
    if (isIpv6(address)) bytes.set(ipv6Bytes(address), HEADER_LENGTH + 16 * i)
    else view.setUint32(HEADER_LENGTH + 4 * i, address)
  })
  if (six) return bytes
  if (router.version === 2 && router.authType === 'PASS') bytes.set(router.authData, listed)
  const sum = router.version === 3 ? pseudoSum(source, destination, bytes.length) : 0
  view.setUint16(6, internetChecksum(bytes, 0, bytes.length, sum))
  return bytes
}

/** With its IPv4 header, as a socket with IP_HDRINCL takes it. */
export function emitIpv4Advert(
  router: VirtualRouter,
  priority: number,
  source: number,
  destination: number,
): Uint8Array {
  const advert = emitAdvert(router, priority, source, destination)
  const bytes = new Uint8Array(IP_LENGTH + advert.length)
  const view = viewOf(bytes)
  bytes[0] = 0x45
  bytes[1] = 0xc0 // Internetwork control.
  view.setUint16(2, bytes.length)
  view.setUint16(4, router.ipId)
  bytes[8] = router.ttl
  bytes[9] = IPPROTO_VRRP
  view.setUint32(12, source)
  view.setUint32(16, destination)
  bytes.set(advert, IP_LENGTH)
  return bytes
}

/** Where the advertisement begins in what a socket gave, and its first fields. */
export interface AdvertHeader {
  at: number
  version: number
  type: number
  vrid: number
  priority: number
  count: number
  authType: number
  advertS: number
  /** In hundredths of a second. */
  advertCs: number
}

/** Undefined if there are too few bytes, which is told. */
export function parseHeader(bytes: Uint8Array, six: boolean, log: Log): AdvertHeader | undefined {
  const at = six ? 0 : ((bytes[0] ?? 0) & 15) * 4
  if (bytes.length < at + HEADER_LENGTH || (!six && bytes.length < IP_LENGTH)) {
    log.info(`IPv${six ? 6 : 4} VRRP packet too short - ${bytes.length} bytes`)
    return undefined
  }
  const view = viewOf(bytes)
  return {
    at,
    version: bytes[at]! >> 4,
    type: bytes[at]! & 15,
    vrid: bytes[at + 1]!,
    priority: bytes[at + 2]!,
    count: bytes[at + 3]!,
    authType: bytes[at + 4]!,
    advertS: bytes[at + 5]!,
    advertCs: view.getUint16(at + 4) & 0xfff,
  }
}

export type Check = 'OK' | 'BAD' | 'DROP'

/**
 * Whether an advertisement is one for this router; says why not.
 * @param addresses whether the addresses in it are looked at, too
 */
export function checkAdvert(
  router: VirtualRouter,
  global: GlobalConfig,
  header: AdvertHeader,
  bytes: Uint8Array,
  destination: Address,
  log: Log,
  addresses: boolean,
): Check {
  const { stats, name } = router
  const six = router.family === 6
  const say = (text: string) => log.info(`(${name}) ${text}`)
  const width = six ? 16 : 4
  const expected = header.at + HEADER_LENGTH + (!six && header.version === 2 ? AUTH_LENGTH : 0) + header.count * width
  if (bytes.length !== expected) {
    const how = bytes.length > expected ? 'long' : 'short'
    say(`vrrp packet too ${how}, length ${bytes.length} and expect ${expected}`)
    stats.lengthErrors++
    return 'BAD'
  }
  if (!router.unicast && router.packetTtl !== -1 && router.packetTtl !== VRRP_TTL) {
    say(`invalid TTL/HL. Received ${router.packetTtl} and expect ${VRRP_TTL}`)
    stats.ttlErrors++
    return 'BAD'
  }
  if (header.version !== router.version) {
    say(`wrong version. Received ${header.version} and expect ${router.version}`)
    return 'BAD'
  }
  if (router.version === 2) {
    const wrong = checkVersion2(router, header, bytes, say)
    if (wrong) return wrong
  }
  if (header.type !== ADVERTISEMENT) {
    say(`Invalid packet type. ${header.type} and expect ${ADVERTISEMENT}`)
    stats.typeErrors++
    return 'BAD'
  }
  const { length } = router.addresses
  if (addresses && header.count !== length) {
    say(`received an unexpected ip number count ${header.count}, expected ${length}!`)
    stats.addressErrors++
    return 'BAD'
  }
  const view = viewOf(bytes)
  if (!six && view.getUint16(2) !== bytes.length) {
    say(`ip_tot_len mismatch against received length. ${view.getUint16(2)} and received ${bytes.length}`)
    stats.lengthErrors++
    return 'BAD'
  }
  if (!six) {
    const covered = bytes.length - header.at
    const sum = router.version === 3 ? pseudoSum(view.getUint32(12), view.getUint32(16), covered) : 0
    if (internetChecksum(bytes, header.at, covered, sum) !== 0) {
      say(`Invalid VRRPv${router.version} checksum`)
      return 'BAD'
    }
  }
  const multicast = isIpv6(destination) ? router.packetMulticast : destination >>> 28 === 14
  if (multicast === router.unicast) {
    const kinds = router.unicast ? ['un', 'mult'] : ['mult', 'un']
    say(`Expected ${kinds[0]}icast packet but received ${kinds[1]}icast packet`)
    stats.addressErrors++
    return 'BAD'
  }
  stats.advertsReceived++
  if (addresses && !checkAddresses(router, global, header, bytes, say)) return 'BAD'
  if (header.priority === 0) stats.zeroReceived++
  return 'OK'
}

function checkVersion2(
  router: VirtualRouter,
  header: AdvertHeader,
  bytes: Uint8Array,
  say: (text: string) => void,
): Check | undefined {
  const { stats } = router
  if (header.authType > 2) {
    say(`Invalid auth type: ${header.authType}`)
    stats.authInvalid++
    return 'BAD'
  }
  if (header.authType !== AUTH_TYPES[router.authType]) {
    say(`received a ${header.authType} auth, expecting ${AUTH_TYPES[router.authType]}!`)
    stats.authMismatch++
    return 'BAD'
  }
  if (router.authType === 'PASS') {
    const given = bytes.subarray(bytes.length - AUTH_LENGTH)
    if (router.authData.some((byte, i) => byte !== given[i])) {
      say('received an invalid passwd!')
      stats.authFailure++
      return 'BAD'
    }
  }
  if (router.advertUs === header.advertS * SECOND_US) return undefined
  say(`advertisement interval mismatch mine=${Math.floor(router.advertUs / SECOND_US)} sec rcv'd=${header.advertS} sec`)
  return 'DROP'
}

function checkAddresses(
  router: VirtualRouter,
  global: GlobalConfig,
  header: AdvertHeader,
  bytes: Uint8Array,
  say: (text: string) => void,
): boolean {
  const view = viewOf(bytes)
  const from = header.at + HEADER_LENGTH
  const told = new Set<Address>()
  for (let i = 0; i < header.count; i++) {
    told.add(router.family === 6 ? readIpv6(bytes, from + 16 * i) : view.getUint32(from + 4 * i))
  }
  for (const { address } of router.addresses) {
    if (told.has(address)) continue
    say(`ip address associated with VRID ${router.vrid} not present in MASTER advert: ${showAddress(address)}`)
    router.stats.addressErrors++
    return false
  }
  if (!router.unicast || !(global.checkUnicastSource || router.checkUnicastSource)) return true
  const peer = router.peers.find(({ address }) => address === router.packetSource)
  if (!peer) {
    say(`unicast source address ${showAddress(router.packetSource!)} not a unicast peer`)
    return false
  }
  const ttl = router.packetTtl
  if (ttl === -1 || (ttl >= peer.leastTtl && ttl <= peer.mostTtl)) return true
  router.stats.ttlErrors++
  say(`TTL/HL ${ttl} not in range ${peer.leastTtl} - ${peer.mostTtl}`)
  return false
}
