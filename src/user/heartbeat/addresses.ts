/** What the agents for addresses ask of the network: which device and mask suit an address, and who has it. resource-agents 4.12 tools/findif.c, heartbeat/findif.sh */
import type { Sys } from '#kernel/core'
import type { AddressMessage, LinkMessage, RouteMessage } from '#kernel/net'
import { formatIpv4, parseIpv4 } from '#wire/inet'

export interface Suited {
  device: string
  prefix: number
  broadcast: number | undefined
}

export function linksOf(sys: Sys): LinkMessage[] {
  const got = sys.netlink({ type: 'RTM_GETLINK' })
  return got.ok ? (got.messages as LinkMessage[]) : []
}

export function addressesOf(sys: Sys): AddressMessage[] {
  const got = sys.netlink({ type: 'RTM_GETADDR', family: 'AF_INET' } as { type: string })
  return got.ok ? (got.messages as AddressMessage[]).filter(({ family }) => family === 'AF_INET') : []
}

function routesOf(sys: Sys): RouteMessage[] {
  const got = sys.netlink({ type: 'RTM_GETROUTE', family: 'AF_INET' } as { type: string })
  return got.ok
    ? (got.messages as RouteMessage[]).filter((route) => route.family === 'AF_INET' && route.table === 254)
    : []
}

export const maskOf = (prefix: number) => (prefix === 0 ? 0 : (-1 << (32 - prefix)) >>> 0)

/** `24` or `255.255.255.0`. */
export function parsePrefix(text: string): number | undefined {
  if (/^\d{1,2}$/.test(text)) return Number(text) <= 32 ? Number(text) : undefined
  const mask = parseIpv4(text)
  if (mask === undefined) return undefined
  for (let prefix = 0; prefix <= 32; prefix++) if (maskOf(prefix) === mask) return prefix
  return undefined
}

interface Candidate {
  device: string
  prefix: number
  /** The source address that the route names. */
  source: number | undefined
  link: boolean
}

function candidates(sys: Sys, address: number): Candidate[] {
  const names = new Map(linksOf(sys).map(({ ifindex, name }) => [ifindex, name]))
  return routesOf(sys).flatMap((route) => {
    const prefix = route.prefix
    const destination = typeof route.dst === 'number' ? route.dst : 0
    if ((address & maskOf(prefix)) >>> 0 !== destination) return []
    const hop = route.nextHops[0]
    const device = names.get(hop?.ifindex ?? 0)
    if (device === undefined) return []
    const source = typeof route.prefSrc === 'number' ? route.prefSrc : undefined
    return [{ device, prefix, source, link: route.scope === 253 }]
  })
}

export const NO_ROUTE = 'No interface found.'

const FINDIF_USAGE = `
/usr/libexec/heartbeat/findif version 2.99.1 Copyright Alan Robertson

Usage: /usr/libexec/heartbeat/findif [-C]
Options:
    -C: Output netmask as the number of bits rather than as 4 octets.
Environment variables:
OCF_RESKEY_ip\t\t ip address (mandatory!)
OCF_RESKEY_cidr_netmask netmask of interface
OCF_RESKEY_broadcast\t broadcast address for interface
OCF_RESKEY_nic\t\t interface to assign to
`

type Found = { ok: true; value: Suited } | { ok: false; text: string; status: number }

/** The program `findif`, which IPaddr asks: the most special route to an address. */
export function findifBinary(sys: Sys, ip: string, netmask: string, nic: string, broadcast: string): Found {
  const fail = (text: string, status = 1): Found => ({ ok: false, text, status })
  const address = parseIpv4(ip)
  if (address === undefined) return fail(`ERROR: IP address [${ip}] not valid.\n`)
  if (nic !== '' && !linksOf(sys).some(({ name }) => name === nic)) {
    return fail(`${nic}: unknown interface: No such device\n${FINDIF_USAGE}`, 6)
  }
  const given = netmask === '' ? undefined : parsePrefix(netmask)
  if (netmask !== '' && given === undefined) return fail(`ERROR: Invalid netmask specification [${netmask}]\n`)
  const all = candidates(sys, address).filter(({ device }) => nic === '' || device === nic)
  const best = all.sort((a, b) => b.prefix - a.prefix)[0]
  if (!best && !(nic !== '' && given !== undefined)) return fail(NO_ROUTE)
  if (given === undefined && best!.prefix === 0) return fail(`ERROR: Cannot use default route w/o netmask [${ip}]\n`)
  const prefix = given ?? best!.prefix
  const wide = (address | ~maskOf(prefix)) >>> 0
  const told = broadcast === '' ? wide : parseIpv4(broadcast)
  return { ok: true, value: { device: nic === '' ? best!.device : nic, prefix, broadcast: told } }
}

/** findif.sh, which IPaddr2 asks: of the routes of the link the most special. */
export function findifScript(
  sys: Sys,
  ip: string,
  netmask: string,
  nic: string,
  broadcast: string,
): { ok: true; value: Suited } | { ok: false; text: string } {
  const address = parseIpv4(ip)
  if (address === undefined) return { ok: false, text: `IP address [${ip}] not valid.` }
  const given = netmask === '' ? undefined : parsePrefix(netmask)
  if (netmask !== '' && (given === undefined || given < 1))
    return { ok: false, text: `Invalid netmask specification [${netmask}].` }
  const all = candidates(sys, address).filter(
    ({ device, link, prefix }) =>
      link && (nic === '' || device === nic) && prefix > 0 && (given === undefined || prefix <= given),
  )
  let best: Candidate | undefined
  for (const each of all) if (!best || each.prefix >= best.prefix) best = each
  if (!best && (nic === '' || given === undefined)) return { ok: false, text: 'Unable to find nic or netmask.' }
  const device = nic === '' ? best!.device : nic
  const prefix = given ?? best!.prefix
  let told = broadcast === '' ? undefined : parseIpv4(broadcast)
  if (broadcast === '' && best?.source !== undefined) {
    // What the address has that the route names as its source.
    told = addressesOf(sys).find(({ local }) => local === best.source)?.broadcast
  }
  return { ok: true, value: { device, prefix, broadcast: told } }
}

/** `eth0:0`: the label of an address, if it is there under an alias' name; ifconfig shows only those as such. */
export function aliasOf(sys: Sys, ip: string): string | undefined {
  const address = parseIpv4(ip)
  return addressesOf(sys).find(({ local, label }) => local === address && label.includes(':'))?.label
}

export const dotted = (prefix: number) => formatIpv4(maskOf(prefix))
