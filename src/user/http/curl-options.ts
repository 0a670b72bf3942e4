/** curl's command line. curl 7.88.1 src/tool_getparam.c */
import { NotModelled } from '#base/check'

/** Option letters and names; 'flag', 'no' (a flag whose opposite is --no-NAME too) or 'value'. */
const TABLE: [letter: string, name: string, kind: 'flag' | 'value'][] = [
  ['0', 'http1.0', 'flag'],
  ['', 'http1.1', 'flag'],
  ['', 'http0.9', 'flag'],
  ['4', 'ipv4', 'flag'],
  ['6', 'ipv6', 'flag'],
  ['a', 'append', 'flag'],
  ['A', 'user-agent', 'value'],
  ['b', 'cookie', 'value'],
  ['', 'basic', 'flag'],
  ['c', 'cookie-jar', 'value'],
  ['C', 'continue-at', 'value'],
  ['', 'compressed', 'flag'],
  ['', 'connect-timeout', 'value'],
  ['', 'create-dirs', 'flag'],
  ['d', 'data', 'value'],
  ['', 'data-ascii', 'value'],
  ['', 'data-binary', 'value'],
  ['', 'data-raw', 'value'],
  ['', 'data-urlencode', 'value'],
  ['', 'json', 'value'],
  ['D', 'dump-header', 'value'],
  ['e', 'referer', 'value'],
  ['f', 'fail', 'flag'],
  ['', 'fail-with-body', 'flag'],
  ['', 'fail-early', 'flag'],
  ['F', 'form', 'value'],
  ['', 'form-string', 'value'],
  ['g', 'globoff', 'flag'],
  ['G', 'get', 'flag'],
  ['h', 'help', 'flag'],
  ['H', 'header', 'value'],
  ['i', 'include', 'flag'],
  ['I', 'head', 'flag'],
  ['', 'interface', 'value'],
  ['j', 'junk-session-cookies', 'flag'],
  ['k', 'insecure', 'flag'],
  ['', 'keepalive', 'flag'],
  ['', 'keepalive-time', 'value'],
  ['', 'limit-rate', 'value'],
  ['', 'local-port', 'value'],
  ['L', 'location', 'flag'],
  ['', 'location-trusted', 'flag'],
  ['m', 'max-time', 'value'],
  ['', 'max-redirs', 'value'],
  ['', 'max-filesize', 'value'],
  ['N', 'no-buffer', 'flag'],
  ['', 'buffer', 'flag'],
  ['n', 'netrc', 'flag'],
  ['', 'noproxy', 'value'],
  ['o', 'output', 'value'],
  ['', 'output-dir', 'value'],
  ['O', 'remote-name', 'flag'],
  ['', 'path-as-is', 'flag'],
  ['', 'post301', 'flag'],
  ['', 'post302', 'flag'],
  ['', 'post303', 'flag'],
  ['', 'progress-meter', 'flag'],
  ['q', 'disable', 'flag'],
  ['r', 'range', 'value'],
  ['R', 'remote-time', 'flag'],
  ['', 'raw', 'flag'],
  ['', 'request-target', 'value'],
  ['', 'resolve', 'value'],
  ['', 'connect-to', 'value'],
  ['', 'retry', 'value'],
  ['', 'retry-delay', 'value'],
  ['', 'retry-max-time', 'value'],
  ['', 'retry-connrefused', 'flag'],
  ['', 'retry-all-errors', 'flag'],
  ['s', 'silent', 'flag'],
  ['S', 'show-error', 'flag'],
  ['', 'stderr', 'value'],
  ['', 'styled-output', 'flag'],
  ['T', 'upload-file', 'value'],
  ['', 'tcp-nodelay', 'flag'],
  ['u', 'user', 'value'],
  ['', 'unix-socket', 'value'],
  ['', 'abstract-unix-socket', 'value'],
  ['', 'url', 'value'],
  ['v', 'verbose', 'flag'],
  ['V', 'version', 'flag'],
  ['w', 'write-out', 'value'],
  ['X', 'request', 'value'],
  ['y', 'speed-time', 'value'],
  ['Y', 'speed-limit', 'value'],
  ['z', 'time-cond', 'value'],
  ['#', 'progress-bar', 'flag'],
]

/** Known to the original, and not here. */
const OTHERS: [letter: string, name: string][] = [
  ['x', 'proxy'],
  ['U', 'proxy-user'],
  ['p', 'proxytunnel'],
  ['K', 'config'],
  ['Z', 'parallel'],
  [':', 'next'],
  ['E', 'cert'],
  ['l', 'list-only'],
  ['P', 'ftp-port'],
  ['Q', 'quote'],
  ['t', 'telnet-option'],
  ['1', 'tlsv1'],
  ['2', 'sslv2'],
  ['3', 'sslv3'],
  ['M', 'manual'],
  ['B', 'use-ascii'],
  ['J', 'remote-header-name'],
  ['', 'trace'],
  ['', 'trace-ascii'],
  ['', 'trace-time'],
  ['', 'http2'],
  ['', 'http3'],
  ['', 'digest'],
  ['', 'ntlm'],
  ['', 'negotiate'],
  ['', 'anyauth'],
  ['', 'cacert'],
  ['', 'key'],
  ['', 'remote-name-all'],
  ['', 'etag-compare'],
  ['', 'etag-save'],
  ['', 'rate'],
  ['', 'haproxy-protocol'],
  ['', 'socks5'],
  ['', 'tr-encoding'],
  ['', 'libcurl'],
  ['', 'dns-servers'],
  ['', 'expect100-timeout'],
  ['', 'happy-eyeballs-timeout-ms'],
]

export interface CurlOptions {
  /** Each URL with the -o, -O or -T that belong to it. */
  urls: string[]
  outputs: ({ file: string } | 'remote')[]
  uploads: string[]
  flags: Set<string>
  values: Map<string, string>
  headers: string[]
  data: { kind: string; text: string }[]
  forms: { kind: string; text: string }[]
  resolve: string[]
  connectTo: string[]
  cookies: string[]
}

export type ParsedCurl = { ok: true; options: CurlOptions } | { ok: false; message: string }

export function parseCurl(argv: readonly string[]): ParsedCurl {
  const options: CurlOptions = {
    urls: [],
    outputs: [],
    uploads: [],
    flags: new Set(),
    values: new Map(),
    headers: [],
    data: [],
    forms: [],
    resolve: [],
    connectTo: [],
    cookies: [],
  }
  const bad = (message: string): ParsedCurl => ({ ok: false, message })
  const set = (name: string, value: string, shown: string): string | undefined => {
    switch (name) {
      case 'url':
        options.urls.push(value)
        return undefined
      case 'output':
        options.outputs.push({ file: value })
        return undefined
      case 'upload-file':
        options.uploads.push(value)
        return undefined
      case 'header':
        options.headers.push(value)
        return undefined
      case 'data':
      case 'data-ascii':
      case 'data-binary':
      case 'data-raw':
      case 'data-urlencode':
      case 'json':
        options.data.push({ kind: name, text: value })
        return undefined
      case 'form':
      case 'form-string':
        options.forms.push({ kind: name, text: value })
        return undefined
      case 'resolve':
        options.resolve.push(value)
        return undefined
      case 'connect-to':
        options.connectTo.push(value)
        return undefined
      case 'cookie':
        options.cookies.push(value)
        return undefined
      default:
        if (['connect-timeout', 'max-time', 'retry-delay'].includes(name) && !/^\d*\.?\d+$|^\d+\.$/.test(value)) {
          return `option ${shown}: expected a proper numerical parameter`
        }
        if (
          ['max-redirs', 'retry', 'retry-max-time', 'speed-time', 'speed-limit', 'keepalive-time'].includes(name) &&
          !/^-?\d+$/.test(value)
        ) {
          return `option ${shown}: expected a proper numerical parameter`
        }
        options.values.set(name, value)
        return undefined
    }
  }
  let plain = false
  for (let i = 1; i < argv.length; i++) {
    const word = argv[i]!
    if (plain || !word.startsWith('-') || word === '-') {
      options.urls.push(word)
      continue
    }
    if (word === '--') {
      plain = true
      continue
    }
    if (word.startsWith('--')) {
      let name = word.slice(2)
      let on = true
      let row = findLong(name)
      if (!row && name.startsWith('no-')) {
        row = findLong(name.slice(3))
        on = false
      }
      if (row === 'ambiguous') return bad(`option ${word}: is ambiguous`)
      if (!row) {
        if (OTHERS.some(([, other]) => other === name)) throw new NotModelled(`curl ${word}`)
        return bad(`option ${word}: is unknown`)
      }
      name = row[1]
      if (row[2] === 'flag') {
        flag(options, name, on)
        continue
      }
      const value = argv[++i]
      if (value === undefined) return bad(`option ${word}: requires parameter`)
      const wrong = set(name, value, word)
      if (wrong) return bad(wrong)
      continue
    }
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!
      const row = TABLE.find(([own]) => own === letter)
      if (!row) {
        const other = OTHERS.find(([own]) => own === letter)
        if (other) throw new NotModelled(`curl -${letter}`)
        return bad(`option ${word}: is unknown`)
      }
      if (row[2] === 'flag') {
        flag(options, row[1], true)
        continue
      }
      const value = at + 1 < word.length ? word.slice(at + 1) : argv[++i]
      if (value === undefined) return bad(`option ${word}: requires parameter`)
      const wrong = set(row[1], value, word)
      if (wrong) return bad(wrong)
      break
    }
  }
  return { ok: true, options }
}

function flag(options: CurlOptions, name: string, on: boolean): void {
  if (name === 'remote-name') options.outputs.push('remote')
  else if (name === 'progress-bar' && on) throw new NotModelled('curl -#')
  else if (on) options.flags.add(name)
  else {
    options.flags.delete(name)
    options.flags.add(`no-${name}`)
  }
}

function findLong(name: string): (typeof TABLE)[number] | 'ambiguous' | undefined {
  const exact = TABLE.find(([, own]) => own === name)
  if (exact) return exact
  if (OTHERS.some(([, own]) => own === name)) return undefined
  const hits = TABLE.filter(([, own]) => own.startsWith(name))
  if (hits.length > 1) return 'ambiguous'
  return hits[0]
}

export const CURL_HELP = `Usage: curl [options...] <url>
 -d, --data <data>          HTTP POST data
 -f, --fail                 Fail fast with no output on HTTP errors
 -h, --help <category>      Get help for commands
 -i, --include              Include protocol response headers in the output
 -o, --output <file>        Write to file instead of stdout
 -O, --remote-name          Write output to a file named as the remote file
 -s, --silent               Silent mode
 -T, --upload-file <file>   Transfer local FILE to destination
 -u, --user <user:password> Server user and password
 -A, --user-agent <name>    Send User-Agent <name> to server
 -v, --verbose              Make the operation more talkative
 -V, --version              Show version number and quit

This is not the full help, this menu is stripped into categories.
Use "--help category" to get an overview of all categories.
For all options use the manual or "--help all".
`
