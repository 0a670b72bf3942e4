/** The advertisement that radvd sends, option after option. RFC 4861 section 4.2; radvd 2.19 send.c: build_ra() */
import { encodeUtf8 } from '#base/bytes'
import {
  ipv6Bytes,
  ND_OPT_DNSSL,
  ND_OPT_MTU,
  ND_OPT_PREFIX_INFO,
  ND_OPT_RDNSS,
  ND_OPT_ROUTE_INFO,
  ND_OPT_SOURCE_LL_ADDR,
  NDISC_ROUTER_ADVERTISEMENT,
} from '#wire/inet'
import { writeMac } from '#wire/link'
import type { InterfaceSettings } from './configuration.ts'

function word(value: number): number[] {
  return [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
}

/** How long hosts keep the router as their default. */
export function defaultLifetime(settings: InterfaceSettings): number {
  return Math.round(settings.lifetimeS ?? 3 * settings.maxS)
}

/** @param last the router goes: it is nobody's default from now on */
export function buildAdvertisement(settings: InterfaceSettings, mac: number, last: boolean): Uint8Array {
  const lifetime = last ? 0 : defaultLifetime(settings)
  const flags = (settings.managed ? 0x80 : 0) | (settings.other ? 0x40 : 0) | (settings.preference << 3)
  const bytes = [NDISC_ROUTER_ADVERTISEMENT, 0, 0, 0, settings.hopLimit, flags, lifetime >>> 8, lifetime & 255]
  bytes.push(...word(settings.reachableMs), ...word(settings.retransMs))
  for (const prefix of settings.prefixes) {
    const bits = (prefix.onLink ? 0x80 : 0) | (prefix.autonomous ? 0x40 : 0) | (prefix.routerAddress ? 0x20 : 0)
    const gone = last && prefix.deprecate
    bytes.push(ND_OPT_PREFIX_INFO, 4, prefix.length, bits)
    bytes.push(
      ...word(gone ? Math.min(prefix.validS, 7203) : prefix.validS),
      ...word(gone ? 0 : prefix.preferredS),
      0,
      0,
      0,
      0,
    )
    bytes.push(...ipv6Bytes(prefix.prefix))
  }
  for (const route of settings.routes) {
    bytes.push(ND_OPT_ROUTE_INFO, 3, route.length, route.preference << 3)
    bytes.push(...word(last ? 0 : Math.round(route.lifetimeS ?? 3 * settings.maxS)), ...ipv6Bytes(route.prefix))
  }
  for (const { addresses, lifetimeS } of settings.servers) {
    bytes.push(ND_OPT_RDNSS, 1 + 2 * addresses.length, 0, 0, ...word(last ? 0 : Math.round(lifetimeS ?? settings.maxS)))
    for (const address of addresses) bytes.push(...ipv6Bytes(address))
  }
  for (const { domains, lifetimeS } of settings.search) {
    const names = domains.flatMap((domain) => [
      ...domain.split('.').flatMap((label) => [label.length, ...encodeUtf8(label)]),
      0,
    ])
    while (names.length % 8 !== 0) names.push(0)
    bytes.push(
      ND_OPT_DNSSL,
      1 + names.length / 8,
      0,
      0,
      ...word(last ? 0 : Math.round(lifetimeS ?? settings.maxS)),
      ...names,
    )
  }
  if (settings.linkMtu !== 0) bytes.push(ND_OPT_MTU, 1, 0, 0, ...word(settings.linkMtu))
  if (settings.sourceAddress) {
    const address = new Uint8Array(6)
    writeMac(address, 0, mac)
    bytes.push(ND_OPT_SOURCE_LL_ADDR, 1, ...address)
  }
  return Uint8Array.from(bytes)
}
