/** genhash: the digest of a page, for HTTP_GET. keepalived 2.2.7 check/check_genhash.c */

import { md5 } from '@noble/hashes/legacy.js'
import { encodeUtf8, formatHex } from '#base/bytes'
import { NotModelled } from '#base/check'
import type { Body, Errno, Sys } from '#kernel/core'
import { connectWithin, receiveSome, type Stdio, type Task, Tasks } from '#user/libc'
import { ipv6Bytes } from '#wire/inet'
import { type HttpVersion, requestText } from './check-model.ts'
import { readPage } from './checks.ts'
import { type Address, isIpv6, parseAddressOf } from './model.ts'

const USAGE = ` COMMAND [OPTIONS]
Commands:
   -s server-address -p port -u url
   -S -s server-address -p port -u url
   -h

Options:
Either long or short options are allowed.
   --use-ssl         -S       Use SSL connection to remote server.
   --use-sni         -I       Use SNI during SSL handshake (uses virtualhost setting; see -V).
   --server          -s       Use the specified remote server address.
   --port            -p       Use the specified remote server port.
   --url             -u       Use the specified remote server url.
   --use-virtualhost -V       Use the specified virtualhost in GET query.
   --verbose         -v       Use verbose mode output.
   --help            -h       Display this short inlined help screen.
   --fwmark          -m       Use the specified FW mark.
   --protocol        -P       Use the specified HTTP protocol - '1.0', 1.0c', '1.1'.
                                1.0c means 1.0 with 'Connection: close'
   --timeout         -t       Timeout in seconds
`

const LONG: Record<string, string> = {
  help: 'h',
  verbose: 'v',
  'use-ssl': 'S',
  'use-sni': 'I',
  server: 's',
  'use-virtualhost': 'V',
  port: 'p',
  url: 'u',
  fwmark: 'm',
  protocol: 'P',
  timeout: 't',
}
const WITH_VALUE = 'sVpumPt'
const PLAIN = 'hvSI'
/** Microseconds that fit into an unsigned int: what is waited unless told otherwise. */
const TIMEOUT_DEFAULT_US = 0xffff_ffff

interface Wanted {
  server: Address | undefined
  port: number | undefined
  path: string | undefined
  host: string | undefined
  mark: number
  version: HttpVersion
  timeoutUs: number
}

export function* genhash(sys: Sys, io: Stdio, name: string, words: readonly string[]): Body<number> {
  const wanted = words.length < 2 ? undefined : parse(io, words)
  if (!wanted || wanted.server === undefined || wanted.port === undefined || wanted.path === undefined) {
    io.error(`Usage: ${name}${name.endsWith('genhash') ? '' : ' --genhash'}${USAGE}`)
    return 1
  }
  const tasks = new Tasks(sys)
  tasks.spawn(fetchPage(sys, io, wanted))
  yield* tasks.run()
  return 0
}

function parse(io: Stdio, words: readonly string[]): Wanted | undefined {
  const wanted: Wanted = {
    server: undefined,
    port: undefined,
    path: undefined,
    host: undefined,
    mark: 0,
    version: '1.0',
    timeoutUs: TIMEOUT_DEFAULT_US,
  }
  let bad = false
  const others: string[] = []
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (!word.startsWith('-') || word === '-') {
      others.push(word)
      continue
    }
    const long = word.startsWith('--')
    const [key = '', given] = long ? word.slice(2).split('=', 2) : []
    const letters = long ? (LONG[key] ?? '') : word.slice(1)
    if (letters === '') bad = unknown(io, word)
    for (let at = 0; at < letters.length; at++) {
      const letter = letters[at]!
      if (PLAIN.includes(letter)) {
        if (letter === 'h') bad = true
        else throw new NotModelled(`genhash -${letter}`)
        continue
      }
      if (!WITH_VALUE.includes(letter)) {
        bad = unknown(io, `-${letter}`)
        continue
      }
      const value = long ? (given ?? words[++i]) : letters.slice(at + 1) || words[++i]
      if (value === undefined) {
        io.error(`Missing parameter for option ${long ? word : `-${letter}`}\n`)
        bad = true
      } else {
        const why = set(wanted, letter, value)
        if (why !== undefined) {
          io.error(`${why}\n`)
          return undefined
        }
      }
      break
    }
  }
  if (bad) return undefined
  if (others.length === 0) return wanted
  io.error(`Unexpected argument(s): ${others.join(' ')}\n`)
  return undefined
}

function unknown(io: Stdio, word: string): boolean {
  io.error(`Unknown option ${word}\n`)
  return true
}

/** What is wrong with it. */
function set(wanted: Wanted, letter: string, value: string): string | undefined {
  const number = /^[ \t]*\d+$/.test(value) ? Number(value) : undefined
  switch (letter) {
    case 's':
      wanted.server = parseAddressOf(value)
      return wanted.server === undefined ? `server should be an IP, not ${value}` : undefined
    case 'V':
      wanted.host = value
      return undefined
    case 'p':
      if (number === undefined || number === 0 || number > 65_535) return `invalid port number '${value}'`
      wanted.port = number
      return undefined
    case 'u':
      wanted.path = value
      return undefined
    case 'm':
      if (number === undefined) return `invalid fwmark '${value}'`
      wanted.mark = number
      return undefined
    case 'P': {
      const version = { '1.0': '1.0', '1.0c': '1.0C', '1.0C': '1.0C', '1.1': '1.1' }[value]
      if (version === undefined) return `invalid HTTP protocol version '${value}'`
      wanted.version = version as HttpVersion
      return undefined
    }
    default:
      if (number === undefined) return `invalid timeout '${value}'`
      wanted.timeoutUs = number * 1_000_000
      return undefined
  }
}

function* fetchPage(sys: Sys, io: Stdio, wanted: Wanted): Task<void> {
  const server = wanted.server!
  const port = wanted.port!
  const six = isIpv6(server)
  const opened = sys.socket(six ? 'AF_INET6' : 'AF_INET', 'SOCK_STREAM', 0)
  if (!opened.ok) return
  const fd = opened.value
  if (wanted.mark !== 0) sys.setsockopt(fd, 'SOL_SOCKET', 'SO_MARK', wanted.mark)
  const due = () => sys.monotonicNs() + wanted.timeoutUs * 1000
  const failed = yield* connectWithin(
    sys,
    fd,
    isIpv6(server)
      ? { family: 'AF_INET6', address: ipv6Bytes(server), port, scopeId: 0 }
      : { family: 'AF_INET', address: server, port },
    due(),
  )
  if (failed !== undefined) {
    io.print(`${failureText(failed)}\n`)
    return
  }
  const request = requestText(wanted.path!, wanted.version, wanted.host, { address: server, port })
  yield* sys.sendTo(fd, encodeUtf8(request), undefined, { dontWait: true, noSignal: true })
  const parts: Uint8Array[] = []
  for (;;) {
    const got = yield* receiveSome(sys, fd, 4095, due())
    if (got === 'timeout' || 'errno' in got) {
      io.print(got === 'timeout' ? 'Timeout HTTP read\n' : 'Read error with\n')
      return
    }
    if (got.length === 0) break
    parts.push(got)
  }
  const page = readPage(parts)
  if (page) io.print(`${formatHex(md5(page.body.subarray(0, page.length)))}\n`)
  else io.error('no data received from remote webserver\n')
}

function failureText(failed: Errno | 'timeout'): string {
  if (failed === 'timeout' || failed === 'ETIMEDOUT') return 'Timeout connecting'
  return failed === 'ENETUNREACH' ? 'HTTP_CHECK - network unreachable' : 'Connection failed'
}
