/** /etc/radvd.conf: interfaces, what is said on each, prefixes, routes, name servers. radvd 2.19 gram.y, scanner.l; radvd.conf(5) */
import { type Ipv6Address, parseIpv6, prefixIpv6 } from '#wire/inet'

export interface PrefixSettings {
  prefix: Ipv6Address
  length: number
  onLink: boolean
  autonomous: boolean
  routerAddress: boolean
  validS: number
  preferredS: number
  /** Seconds; the lifetimes count down. */
  deprecate: boolean
}

export interface RouteSettings {
  prefix: Ipv6Address
  length: number
  preference: number
  lifetimeS: number | undefined
}

export interface InterfaceSettings {
  name: string
  sendAdvert: boolean
  ignoreMissing: boolean
  minS: number | undefined
  maxS: number
  managed: boolean
  other: boolean
  linkMtu: number
  reachableMs: number
  retransMs: number
  hopLimit: number
  lifetimeS: number | undefined
  preference: number
  sourceAddress: boolean
  unicastOnly: boolean
  solicitedUnicast: boolean
  minDelayS: number
  prefixes: PrefixSettings[]
  routes: RouteSettings[]
  servers: { addresses: Ipv6Address[]; lifetimeS: number | undefined }[]
  search: { domains: string[]; lifetimeS: number | undefined }[]
}

/** What is wrong, and where. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
  readonly line: number

  constructor(line: number, what: string) {
    super(what)
    this.line = line
  }
}

const PREFERENCES: Record<string, number> = { low: 3, medium: 0, high: 1 }
const INFINITY = 0xffffffff

function fresh(name: string): InterfaceSettings {
  return {
    name,
    sendAdvert: false,
    ignoreMissing: true,
    minS: undefined,
    maxS: 600,
    managed: false,
    other: false,
    linkMtu: 0,
    reachableMs: 0,
    retransMs: 0,
    hopLimit: 64,
    lifetimeS: undefined,
    preference: 0,
    sourceAddress: true,
    unicastOnly: false,
    solicitedUnicast: true,
    minDelayS: 3,
    prefixes: [],
    routes: [],
    servers: [],
    search: [],
  }
}

interface Token {
  text: string
  line: number
}

/** Reads the file; throws a ConfigurationError at the first thing that can't be read. */
export function parseConfiguration(text: string): InterfaceSettings[] {
  const tokens: Token[] = []
  text.split('\n').forEach((content, i) => {
    for (const match of content.replace(/#.*/, '').matchAll(/[{};]|[^\s{};]+/g))
      tokens.push({ text: match[0], line: i + 1 })
  })
  let at = 0
  const last = () => tokens[Math.min(at, tokens.length - 1)]?.line ?? 1
  const refuse = (what = 'syntax error'): never => {
    throw new ConfigurationError(last(), what)
  }
  const next = (): string => tokens[at++]?.text ?? refuse()
  const expect = (wanted: string) => {
    if (next() !== wanted) {
      at--
      refuse()
    }
  }
  const flag = (): boolean => {
    const word = next()
    if (word !== 'on' && word !== 'off') return refuse()
    return word === 'on'
  }
  const number = (): number => {
    const word = next()
    if (word === 'infinity') return INFINITY
    return /^\d+(\.\d+)?$/.test(word) ? Number(word) : refuse()
  }
  const preference = (): number => PREFERENCES[next()] ?? refuse()
  const block = (read: (key: string) => void) => {
    expect('{')
    while (tokens[at]?.text !== '}') {
      read(next())
    }
    expect('}')
    expect(';')
  }
  const prefixOf = (): { prefix: Ipv6Address; length: number } => {
    const [address = '', length = ''] = next().split('/')
    const prefix = parseIpv6(address)
    if (prefix === undefined || !/^\d{1,3}$/.test(length) || Number(length) > 128) return refuse()
    return { prefix: prefixIpv6(prefix, Number(length)), length: Number(length) }
  }

  const interfaces: InterfaceSettings[] = []
  while (at < tokens.length) {
    expect('interface')
    const settings = fresh(next())
    block((key) => readSetting(settings, key))
    interfaces.push(settings)
  }
  return interfaces

  function readSetting(settings: InterfaceSettings, key: string): void {
    switch (key) {
      case 'prefix':
        readPrefix(settings)
        return
      case 'route':
        readRoute(settings)
        return
      case 'RDNSS':
        readServers(settings)
        return
      case 'DNSSL':
        readSearch(settings)
        return
      case 'AdvSendAdvert':
        settings.sendAdvert = flag()
        break
      case 'IgnoreIfMissing':
        settings.ignoreMissing = flag()
        break
      case 'AdvManagedFlag':
        settings.managed = flag()
        break
      case 'AdvOtherConfigFlag':
        settings.other = flag()
        break
      case 'AdvSourceLLAddress':
        settings.sourceAddress = flag()
        break
      case 'UnicastOnly':
        settings.unicastOnly = flag()
        break
      case 'AdvRASolicitedUnicast':
        settings.solicitedUnicast = flag()
        break
      case 'MinRtrAdvInterval':
        settings.minS = number()
        break
      case 'MaxRtrAdvInterval':
        settings.maxS = number()
        break
      case 'MinDelayBetweenRAs':
        settings.minDelayS = number()
        break
      case 'AdvLinkMTU':
        settings.linkMtu = number()
        break
      case 'AdvReachableTime':
        settings.reachableMs = number()
        break
      case 'AdvRetransTimer':
        settings.retransMs = number()
        break
      case 'AdvCurHopLimit':
        settings.hopLimit = number()
        break
      case 'AdvDefaultLifetime':
        settings.lifetimeS = number()
        break
      case 'AdvDefaultPreference':
        settings.preference = preference()
        break
      default:
        at--
        refuse()
    }
    expect(';')
  }

  function readPrefix(settings: InterfaceSettings): void {
    const made: PrefixSettings = {
      ...prefixOf(),
      onLink: true,
      autonomous: true,
      routerAddress: false,
      validS: 86_400,
      preferredS: 14_400,
      deprecate: false,
    }
    block((key) => {
      if (key === 'AdvOnLink') made.onLink = flag()
      else if (key === 'AdvAutonomous') made.autonomous = flag()
      else if (key === 'AdvRouterAddr') made.routerAddress = flag()
      else if (key === 'AdvValidLifetime') made.validS = number()
      else if (key === 'AdvPreferredLifetime') made.preferredS = number()
      else if (key === 'DeprecatePrefix') made.deprecate = flag()
      else {
        at--
        refuse()
      }
      expect(';')
    })
    settings.prefixes.push(made)
  }

  function readRoute(settings: InterfaceSettings): void {
    const made: RouteSettings = { ...prefixOf(), preference: 0, lifetimeS: undefined }
    block((key) => {
      if (key === 'AdvRoutePreference') made.preference = preference()
      else if (key === 'AdvRouteLifetime') made.lifetimeS = number()
      else if (key === 'RemoveRoute') flag()
      else refuse()
      expect(';')
    })
    settings.routes.push(made)
  }

  function readServers(settings: InterfaceSettings): void {
    const addresses: Ipv6Address[] = []
    while (tokens[at]?.text !== '{') addresses.push(parseIpv6(next()) ?? refuse())
    const made: InterfaceSettings['servers'][number] = { addresses, lifetimeS: undefined }
    block((key) => {
      if (key === 'AdvRDNSSLifetime') made.lifetimeS = number()
      else if (key === 'FlushRDNSS') flag()
      else refuse()
      expect(';')
    })
    settings.servers.push(made)
  }

  function readSearch(settings: InterfaceSettings): void {
    const domains: string[] = []
    while (tokens[at]?.text !== '{') domains.push(next())
    const made: InterfaceSettings['search'][number] = { domains, lifetimeS: undefined }
    block((key) => {
      if (key === 'AdvDNSSLLifetime') made.lifetimeS = number()
      else if (key === 'FlushDNSSL') flag()
      else refuse()
      expect(';')
    })
    settings.search.push(made)
  }
}
