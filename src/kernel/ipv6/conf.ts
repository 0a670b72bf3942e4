/**
 * net.ipv6.conf.NAME.*: plain numbers on an object that all share until one is written.
 *
 * Linux 6.1 include/linux/ipv6.h: struct ipv6_devconf; net/ipv6/addrconf.c: ipv6_devconf, ipv6_devconf_dflt.
 */

/** Times in seconds but for what says otherwise. */
export class Conf6 {
  acceptDad = 1
  acceptRa = 1
  acceptRaDefrtr = 1
  acceptRaFromLocal = 0
  acceptRaMinHopLimit = 1
  acceptRaMinLft = 0
  acceptRaMtu = 1
  acceptRaPinfo = 1
  acceptRaRtInfoMaxPlen = 0
  acceptRaRtInfoMinPlen = 0
  acceptRaRtrPref = 1
  acceptRedirects = 1
  acceptSourceRoute = 0
  acceptUntrackedNa = 0
  /** 0 EUI-64, 1 none, 2 stable privacy, 3 random. */
  addrGenMode = 0
  autoconf = 1
  dadTransmits = 1
  disableIpv6 = 0
  disablePolicy = 0
  dropUnicastInL2Multicast = 0
  dropUnsolicitedNa = 0
  enhancedDad = 1
  forceMldVersion = 0
  forceTllao = 0
  forwarding = 0
  hopLimit = 64
  ignoreRoutesWithLinkdown = 0
  ioam6Enabled = 0
  ioam6Id = 65535
  ioam6IdWide = 4294967295
  keepAddrOnDown = 0
  maxAddresses = 16
  maxDesyncFactor = 600
  mcForwarding = 0
  /** Milliseconds. */
  mldv1UnsolicitedReportInterval = 10_000
  mldv2UnsolicitedReportInterval = 1_000
  mtu = 1280
  ndiscEvictNocarrier = 1
  ndiscNotify = 0
  ndiscTclass = 0
  optimisticDad = 0
  proxyNdp = 0
  raDefrtrMetric = 1024
  regenMaxRetry = 3
  routerProbeInterval = 60
  routerSolicitationDelay = 1
  routerSolicitationInterval = 4
  routerSolicitationMaxInterval = 3600
  routerSolicitations = -1
  rplSegEnabled = 0
  seg6Enabled = 0
  seg6RequireHmac = 0
  suppressFragNdisc = 1
  tempPreferedLft = 86_400
  tempValidLft = 604_800
  useOifAddrsOnly = 0
  useOptimistic = 0
  useTempaddr = 0

  with(name: Conf6Name, value: number): Conf6 {
    const copy = Object.assign(new Conf6(), this)
    copy[name] = value
    return copy
  }
}

export type Conf6Name = Exclude<keyof Conf6, 'with'>

/** What a kernel begins with. */
export const CONF6 = new Conf6()
/** A lab's host without `ipv6: true`. */
export const CONF6_DISABLED = CONF6.with('disableIpv6', 1)

/** The files, and the fields. */
export const CONF6_FILES: [file: string, name: Conf6Name][] = (Object.keys(CONF6) as Conf6Name[]).map((name) => {
  const file = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return [file, name]
})

/** Files whose kernel check is a range. */
export const CONF6_RANGES: Partial<Record<Conf6Name, [number, number]>> = {
  hopLimit: [1, 255],
  acceptRaMinHopLimit: [-(2 ** 31), 2 ** 31 - 1],
  routerSolicitations: [-1, 2 ** 31 - 1],
  ioam6Enabled: [0, 1],
  ndiscTclass: [0, 255],
  acceptUntrackedNa: [0, 2],
}
