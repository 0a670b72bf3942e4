/** The filters of `ss`: `( dport = :80 or src 10.0.0.0/8 ) and not dst 1.2.3.4`. iproute2 6.1 misc/ssfilter.y */
import { NotModelled } from '#base/check'
import type { SocketMessage } from '#kernel/net'
import { parseIpv4 } from '#wire/inet'
import { parsePrefix, sameBits } from './prefix.ts'
import { EXIT_USAGE, parseUnsigned, Refusal } from './words.ts'

/** Whether a socket is wanted. */
export type SocketFilter = (socket: SocketMessage) => boolean

const COMPARISONS: Record<string, (a: number, b: number) => boolean> = {
  '=': (a, b) => a === b,
  '==': (a, b) => a === b,
  eq: (a, b) => a === b,
  '!=': (a, b) => a !== b,
  ne: (a, b) => a !== b,
  neq: (a, b) => a !== b,
  '>=': (a, b) => a >= b,
  geq: (a, b) => a >= b,
  ge: (a, b) => a >= b,
  '<=': (a, b) => a <= b,
  leq: (a, b) => a <= b,
  le: (a, b) => a <= b,
  '>': (a, b) => a > b,
  gt: (a, b) => a > b,
  '<': (a, b) => a < b,
  lt: (a, b) => a < b,
}

/** Ports by name, from /etc/services. */
export type Services = ReadonlyMap<string, number>

export function parseSocketFilter(
  words: readonly string[],
  services: Services,
  usage: string,
): SocketFilter | undefined {
  const tokens = words.flatMap((word) => word.split(/\s+/)).flatMap((word) => word.match(/[()!]=?|[^()!]+/g) ?? [])
  let at = 0
  const syntaxError = () =>
    new Refusal(`ss: bison bellows (while parsing filter): "syntax error!" Sorry.\n${usage}`, EXIT_USAGE)
  if (tokens.length === 0) return undefined
  const filter = alternatives()
  if (at < tokens.length) throw syntaxError()
  return filter

  function alternatives(): SocketFilter {
    let left = conjunction()
    while (['or', '|', '||'].includes(tokens[at] ?? '')) {
      at++
      const [a, b] = [left, conjunction()]
      left = (socket) => a(socket) || b(socket)
    }
    return left
  }

  function conjunction(): SocketFilter {
    let left = term()
    while (at < tokens.length && ![')', 'or', '|', '||'].includes(tokens[at]!)) {
      if (['and', '&', '&&'].includes(tokens[at]!)) at++
      const [a, b] = [left, term()]
      left = (socket) => a(socket) && b(socket)
    }
    return left
  }

  function term(): SocketFilter {
    const token = tokens[at++]
    if (token === '(') {
      const inner = alternatives()
      if (tokens[at++] !== ')') throw syntaxError()
      return inner
    }
    if (token === '!' || token === 'not') {
      const inner = term()
      return (socket) => !inner(socket)
    }
    if (token === 'dport' || token === 'sport') return portTerm(token)
    if (token === 'dst' || token === 'src') {
      const negated = tokens[at] === '!=' || tokens[at] === 'ne' || tokens[at] === 'neq'
      if (tokens[at]! in COMPARISONS) at++
      const matches = hostTerm(token, tokens[at++] ?? '')
      return negated ? (socket) => !matches(socket) : matches
    }
    if (token === 'dev' || token === 'fwmark' || token === 'cgroup' || token === 'autobound') {
      throw new NotModelled(`ss: the filter ${token}`)
    }
    if (token === undefined || token in COMPARISONS || token === ')') throw syntaxError()
    hostTerm('dst', token)
    throw syntaxError()
  }

  function portTerm(which: 'dport' | 'sport'): SocketFilter {
    let compare = COMPARISONS['=']!
    if (tokens[at]! in COMPARISONS) compare = COMPARISONS[tokens[at++]!]!
    const word = tokens[at++]
    if (word === undefined) throw syntaxError()
    const wanted = port(word.replace(/^(0\.0\.0\.0|\*)?:/, ''))
    return (socket) => {
      const own = Number(which === 'sport' ? socket.localPort : socket.peerPort)
      return compare(Number.isNaN(own) ? 0 : own, wanted)
    }
  }

  function port(word: string): number {
    const number = parseUnsigned(word, 65535) ?? services.get(word)
    if (number === undefined)
      throw new Refusal(`Error: "${word}" does not look like a port.\nCannot parse dst/src address.\n`, 1)
    return number
  }

  function hostTerm(which: 'dst' | 'src', word: string): SocketFilter {
    const colon = word.lastIndexOf(':')
    const host = colon < 0 ? word : word.slice(0, colon)
    const wantedPort = colon < 0 || ['', '*'].includes(word.slice(colon + 1)) ? undefined : port(word.slice(colon + 1))
    const any = host === '' || host === '*'
    const prefix = any ? undefined : parsePrefix(host, 'inet')
    if (!any && !prefix) {
      throw new Refusal(`Error: an inet prefix is expected rather than "${word}".\nCannot parse dst/src address.\n`, 1)
    }
    return (socket) => {
      if (socket.family !== 'AF_INET') return false
      const [address, own] = which === 'src' ? [socket.local, socket.localPort] : [socket.peer, socket.peerPort]
      const number = parseIpv4(address.replace(/%.*/, '')) ?? 0
      if (prefix && !sameBits(prefix.address, number, prefix.length)) return false
      return wantedPort === undefined || Number(own) === wantedPort
    }
  }
}
