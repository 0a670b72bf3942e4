/** /etc/resolv.conf. glibc 2.36 resolv/res_init.c: res_vinit_1(). */
import { type Body, readTextFile, type Sys } from '#kernel/core'
import { type NetAddress, parseAddress } from './address.ts'

const SERVERS_MAX = 3
const TIMEOUT_MAX = 30
const ATTEMPTS_MAX = 5
const NDOTS_MAX = 15

export interface ResolverConfig {
  servers: NetAddress[]
  search: string[]
  ndots: number
  timeoutS: number
  attempts: number
  rotate: boolean
  useVc: boolean
}

export function parseResolvConf(text: string, hostname: string): ResolverConfig {
  const config: ResolverConfig = {
    servers: [],
    search: [],
    ndots: 1,
    timeoutS: 5,
    attempts: 2,
    rotate: false,
    useVc: false,
  }
  let searched = false
  for (const line of text.split('\n')) {
    if (/^[;#]/.test(line)) continue
    const [word, ...rest] = line.trim().split(/[ \t]+/)
    if (word === 'nameserver' && rest[0] !== undefined) {
      const address = parseAddress(rest[0])
      if (address && config.servers.length < SERVERS_MAX) config.servers.push(address)
    } else if (word === 'domain' && rest[0] !== undefined) {
      config.search = [rest[0]]
      searched = true
    } else if (word === 'search' && rest.length > 0) {
      config.search = rest
      searched = true
    } else if (word === 'options') {
      for (const option of rest) {
        const [, name, value] = /^([\w-]+)(?::(\d+))?$/.exec(option) ?? []
        const number = Number(value ?? 0)
        if (name === 'ndots') config.ndots = Math.min(number, NDOTS_MAX)
        else if (name === 'timeout') config.timeoutS = Math.min(number, TIMEOUT_MAX)
        else if (name === 'attempts') config.attempts = Math.min(number, ATTEMPTS_MAX)
        else if (name === 'rotate') config.rotate = true
        else if (name === 'use-vc') config.useVc = true
      }
    }
  }
  if (config.servers.length === 0) config.servers.push({ family: 'AF_INET', address: 0x7f000001 })
  const dot = hostname.indexOf('.')
  if (!searched && dot >= 0 && dot + 1 < hostname.length) config.search = [hostname.slice(dot + 1)]
  config.search = config.search.map((domain) => domain.replace(/\.$/, ''))
  return config
}

export function* readResolvConf(sys: Sys): Body<ResolverConfig> {
  const file = yield* readTextFile(sys, '/etc/resolv.conf')
  return parseResolvConf(file.ok ? file.value : '', sys.hostname)
}
