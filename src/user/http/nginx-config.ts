/** nginx's configuration: words, blocks, and the directives of simple sites. nginx 1.22 src/core/ngx_conf_file.c */
import { NotModelled } from '#base/check'
import { type Body, readTextFile, type Sys, strerror } from '#kernel/core'
import { type NetAddress, parseAddress } from '#user/libc'

/** `[emerg]`: what nginx says, and where. */
export class NginxError extends Error {
  override readonly name = 'NginxError'
}

interface Directive {
  name: string
  words: string[]
  block: Directive[] | undefined
  at: string
}

export interface Listen {
  address: NetAddress
  port: number
  isDefault: boolean
}

/** Where a request is looked up, and how it is answered; what isn't set is the outer block's. */
export interface Location {
  kind: 'prefix' | 'exact' | 'first' | 'regex' | 'named'
  pattern: string
  regex: RegExp | undefined
  root: string
  alias: string | undefined
  index: string[]
  autoindex: boolean
  returned: { status: number; text: string | undefined } | undefined
  proxy: { upstream: string; uri: string | undefined; text: string } | undefined
  proxyHeaders: [name: string, value: string][]
  proxyHttp11: boolean
  headers: { name: string; value: string; always: boolean }[]
  access: { allow: boolean; from: string }[]
  tryFiles: string[] | undefined
  errorPages: { codes: number[]; to: string; status: number | undefined }[]
  accessLog: string | undefined
  keepaliveS: number
  types: Map<string, string>
  defaultType: string
  sendfile: boolean
  nopush: boolean
  tokens: boolean
  bodyMax: number
}

export interface ServerBlock {
  listens: Listen[]
  names: string[]
  base: Location
  locations: Location[]
}

export interface Upstream {
  name: string
  servers: { address: NetAddress; port: number; weight: number; current: number; down: boolean; backup: boolean }[]
}

export interface NginxConfig {
  daemon: boolean
  pid: string
  errorLog: string
  workers: number
  formats: Map<string, string>
  servers: ServerBlock[]
  upstreams: Map<string, Upstream>
}

const COMBINED =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'

/** How many words a directive takes; -1 of the second: any number. A block's has `block`. */
const DIRECTIVES: Record<string, [least: number, most: number, block?: 'block']> = {
  events: [0, 0, 'block'],
  http: [0, 0, 'block'],
  server: [0, 0, 'block'],
  location: [1, 2, 'block'],
  upstream: [1, 1, 'block'],
  types: [0, 0, 'block'],
  user: [1, 2],
  worker_processes: [1, 1],
  worker_connections: [1, 1],
  multi_accept: [1, 1],
  use: [1, 1],
  pid: [1, 1],
  daemon: [1, 1],
  error_log: [1, 2],
  include: [1, 1],
  listen: [1, -1],
  server_name: [1, -1],
  root: [1, 1],
  alias: [1, 1],
  index: [1, -1],
  autoindex: [1, 1],
  return: [1, 2],
  proxy_pass: [1, 1],
  proxy_set_header: [2, 2],
  proxy_http_version: [1, 1],
  proxy_connect_timeout: [1, 1],
  proxy_read_timeout: [1, 1],
  proxy_send_timeout: [1, 1],
  proxy_buffering: [1, 1],
  proxy_redirect: [1, 2],
  add_header: [2, 3],
  allow: [1, 1],
  deny: [1, 1],
  try_files: [2, -1],
  error_page: [2, -1],
  access_log: [1, -1],
  log_format: [2, -1],
  keepalive_timeout: [1, 2],
  keepalive_requests: [1, 1],
  default_type: [1, 1],
  sendfile: [1, 1],
  tcp_nopush: [1, 1],
  tcp_nodelay: [1, 1],
  server_tokens: [1, 1],
  client_max_body_size: [1, 1],
  client_body_temp_path: [1, 4],
  proxy_temp_path: [1, 4],
  fastcgi_temp_path: [1, 4],
  uwsgi_temp_path: [1, 4],
  scgi_temp_path: [1, 4],
  types_hash_max_size: [1, 1],
  server_names_hash_bucket_size: [1, 1],
  keepalive: [1, 1],
  internal: [0, 0],
}
const OTHERS =
  /^(ssl|http2|gzip|rewrite|if|set|map|geo|limit_|auth_|fastcgi_|uwsgi_|scgi_|grpc|stream|mail|proxy_|sub_|resolver|split_clients|expires|etag|client_|large_client|reset_timedout|open_file|load_module|env|worker_|stub_status|satisfy|port_in_redirect|absolute_redirect|charset|merge_slashes|least_conn|ip_hash|hash|random|zone|mirror|slice|aio|directio|output_buffers|underscores|thread_pool|pcre_jit|master_process|lock_file|debug|accept_mutex|break|send_|lingering_|chunked_|if_modified_since|max_ranges|autoindex_|real_ip|set_real_ip|add_trailer|valid_referers|perl|echo)/

const DEFAULT_TYPES = new Map([
  ['html', 'text/html'],
  ['gif', 'image/gif'],
  ['jpg', 'image/jpeg'],
])

function tokenize(text: string, file: string): { word: string; line: number; quoted: boolean }[] {
  const tokens: { word: string; line: number; quoted: boolean }[] = []
  let line = 1
  for (let i = 0; i < text.length; ) {
    const char = text[i]!
    if (char === '\n') line++
    if (/\s/.test(char)) {
      i++
      continue
    }
    if (char === '#') {
      while (i < text.length && text[i] !== '\n') i++
      continue
    }
    if (char === ';' || char === '{' || char === '}') {
      tokens.push({ word: char, line, quoted: false })
      i++
      continue
    }
    let word = ''
    if (char === '"' || char === "'") {
      const start = line
      i++
      while (i < text.length && text[i] !== char) {
        if (text[i] === '\n') line++
        if (text[i] === '\\' && i + 1 < text.length) {
          const escapes: Record<string, string> = { n: '\n', r: '\r', t: '\t', '"': '"', "'": "'", '\\': '\\' }
          const next = text[i + 1]!
          word += escapes[next] ?? `\\${next}`
          i += 2
          continue
        }
        word += text[i++]
      }
      if (i >= text.length) throw new NginxError(`unexpected end of file, expecting ";" or "}" in ${file}:${line}`)
      i++
      tokens.push({ word, line: start, quoted: true })
      continue
    }
    while (i < text.length && !/[\s;]/.test(text[i]!)) {
      // A brace begins a block unless it is a variable's.
      if (text[i] === '{' && text[i - 1] !== '$' && !/\\/.test(word)) break
      if (text[i] === '}' && !word.includes('${') && !word.includes('{')) break
      word += text[i++]
    }
    tokens.push({ word, line, quoted: false })
  }
  tokens.push({ word: '', line, quoted: true })
  return tokens
}

function parse(text: string, file: string): Directive[] {
  const tokens = tokenize(text, file)
  let at = 0
  const block = (nested: boolean): Directive[] => {
    const directives: Directive[] = []
    for (;;) {
      const first = tokens[at]!
      const ended = at === tokens.length - 1
      if (ended) {
        if (nested) throw new NginxError(`unexpected end of file, expecting "}" in ${file}:${first.line}`)
        return directives
      }
      if (!first.quoted && first.word === '}') {
        if (!nested) throw new NginxError(`unexpected "}" in ${file}:${first.line}`)
        at++
        return directives
      }
      if (!first.quoted && (first.word === ';' || first.word === '{')) {
        throw new NginxError(`unexpected "${first.word}" in ${file}:${first.line}`)
      }
      const words: string[] = []
      for (;;) {
        const token = tokens[at]!
        if (at === tokens.length - 1)
          throw new NginxError(`unexpected end of file, expecting ";" or "}" in ${file}:${token.line}`)
        at++
        if (token.quoted || !/^[;{}]$/.test(token.word)) {
          words.push(token.word)
          continue
        }
        if (token.word === '}') throw new NginxError(`unexpected "}" in ${file}:${token.line}`)
        const where = `${file}:${token.line}`
        const name = words.shift()!
        directives.push({ name, words, block: undefined, at: where })
        if (token.word === '{') {
          check(directives.at(-1)!, true)
          directives.at(-1)!.block = block(true)
        } else check(directives.at(-1)!, false)
        break
      }
    }
  }
  return block(false)
}

/** Types' and upstreams' own lines have no name that is known. */
function check(directive: Directive, hasBlock: boolean): void {
  const { name, words, at } = directive
  const known = Object.hasOwn(DIRECTIVES, name) ? DIRECTIVES[name] : undefined
  if (!known) {
    if (name.includes('/') || name.includes('.')) return // A type and its suffixes.
    if (OTHERS.test(name)) throw new NotModelled(`nginx: ${name}`)
    throw new NginxError(`unknown directive "${name}" in ${at}`)
  }
  const [least, most, block] = known
  const upstreamServer = name === 'server' && words.length > 0
  if (upstreamServer && !hasBlock) return
  if (block && !hasBlock) throw new NginxError(`directive "${name}" has no opening "{" in ${at}`)
  if (!block && hasBlock) throw new NginxError(`directive "${name}" is not terminated by ";" in ${at}`)
  if (words.length < least || (most >= 0 && words.length > most)) {
    throw new NginxError(`invalid number of arguments in "${name}" directive in ${at}`)
  }
}

export function* readNginxConfig(sys: Sys, path: string): Body<NginxConfig> {
  const load = function* (file: string, depth: number): Body<Directive[]> {
    const got = yield* readTextFile(sys, file)
    if (!got.ok) {
      const number = { ENOENT: 2, EACCES: 13, EISDIR: 21, ENOTDIR: 20 }[got.errno as string] ?? 5
      throw new NginxError(`open() "${file}" failed (${number}: ${strerror(got.errno)})`)
    }
    return yield* expand(parse(got.value, file), depth)
  }
  const expand = function* (directives: Directive[], depth: number): Body<Directive[]> {
    const out: Directive[] = []
    for (const directive of directives) {
      if (directive.name === 'include') {
        if (depth > 10) throw new NginxError(`too many includes in ${directive.at}`)
        const pattern = directive.words[0]!.startsWith('/') ? directive.words[0]! : `/etc/nginx/${directive.words[0]}`
        for (const file of filesOf(sys, pattern)) out.push(...(yield* load(file, depth + 1)))
        continue
      }
      if (directive.block) directive.block = yield* expand(directive.block, depth)
      out.push(directive)
    }
    return out
  }
  return build(yield* load(path, 0), path)
}

/** The files of a pattern; a plain name is itself. */
function filesOf(sys: Sys, pattern: string): string[] {
  if (!/[*?]/.test(pattern)) {
    // mime.types comes with the program; what it says is built in.
    if (pattern.endsWith('/mime.types') && !sys.stat(pattern).ok) return []
    return [pattern]
  }
  const folder = pattern.replace(/\/[^/]*$/, '')
  const name = pattern.slice(folder.length + 1)
  const regex = new RegExp(
    `^${name
      .replace(/[.+^$()|[\]\\{}]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
  )
  const listed = sys.readdir(folder)
  return (listed.ok ? listed.value : [])
    .filter((one) => regex.test(one) && (!one.startsWith('.') || name.startsWith('.')))
    .sort()
    .map((one) => `${folder}/${one}`)
}

function defaults(): Location {
  return {
    kind: 'prefix',
    pattern: '/',
    regex: undefined,
    root: '/usr/share/nginx/html',
    alias: undefined,
    index: ['index.html'],
    autoindex: false,
    returned: undefined,
    proxy: undefined,
    proxyHeaders: [],
    proxyHttp11: false,
    headers: [],
    access: [],
    tryFiles: undefined,
    errorPages: [],
    accessLog: '/var/log/nginx/access.log combined',
    keepaliveS: 75,
    types: DEFAULT_TYPES,
    defaultType: 'text/plain',
    sendfile: false,
    nopush: false,
    tokens: true,
    bodyMax: 1024 * 1024,
  }
}

function build(directives: Directive[], path: string): NginxConfig {
  const config: NginxConfig = {
    daemon: true,
    pid: '/run/nginx.pid',
    errorLog: '/var/log/nginx/error.log',
    workers: 1,
    formats: new Map([['combined', COMBINED]]),
    servers: [],
    upstreams: new Map(),
  }
  let events = false
  for (const { name, words, block } of directives) {
    if (name === 'daemon') config.daemon = words[0] !== 'off'
    else if (name === 'pid') config.pid = words[0]!
    else if (name === 'error_log') config.errorLog = words[0]!
    else if (name === 'worker_processes') config.workers = words[0] === 'auto' ? 1 : Number(words[0])
    else if (name === 'events') events = true
    else if (name === 'http') buildHttp(config, block!)
  }
  if (!events) throw new NginxError(`no "events" section in configuration`)
  void path
  return config
}

function buildHttp(config: NginxConfig, block: Directive[]): void {
  const base = defaults()
  for (const one of block) {
    if (one.name === 'log_format') {
      const words = one.words.slice(1).filter((word) => !word.startsWith('escape='))
      config.formats.set(one.words[0]!, words.join(''))
    } else if (one.name === 'upstream') buildUpstream(config, one)
    else if (one.name === 'error_log') config.errorLog = one.words[0]!
  }
  apply(base, block)
  for (const one of block) {
    if (one.name !== 'server') continue
    const own = inherit(base)
    apply(own, one.block!)
    const server: ServerBlock = { listens: [], names: [], base: own, locations: [] }
    for (const line of one.block!) {
      if (line.name === 'listen') server.listens.push(listenOf(line))
      else if (line.name === 'server_name') server.names.push(...line.words.map((word) => word.toLowerCase()))
      else if (line.name === 'location') buildLocation(server, own, line)
    }
    if (server.listens.length === 0) {
      server.listens.push({ address: { family: 'AF_INET', address: 0 }, port: 80, isDefault: false })
    }
    config.servers.push(server)
  }
}

function buildLocation(server: ServerBlock, outer: Location, line: Directive): void {
  const location = inherit(outer)
  location.returned = undefined
  location.tryFiles = undefined
  const [first, second] = line.words
  if (second === undefined) location.pattern = first!
  else {
    location.pattern = second
    if (first === '=') location.kind = 'exact'
    else if (first === '^~') location.kind = 'first'
    else if (first === '~' || first === '~*') {
      location.kind = 'regex'
      try {
        location.regex = new RegExp(second, first === '~*' ? 'i' : '')
      } catch {
        throw new NginxError(`pcre2_compile() failed: in "${second}" in ${line.at}`)
      }
    } else throw new NginxError(`invalid location modifier "${first}" in ${line.at}`)
  }
  if (location.pattern.startsWith('@')) location.kind = 'named'
  apply(location, line.block!)
  for (const inner of line.block!) if (inner.name === 'location') buildLocation(server, location, inner)
  server.locations.push(location)
}

function inherit(outer: Location): Location {
  return { ...outer, proxy: undefined, alias: undefined }
}

/** Lists are the block's own as soon as it names one. */
function apply(to: Location, block: Directive[]): void {
  const fresh = new Set<string>()
  const list = <T>(name: string, old: T[]): T[] => {
    if (fresh.has(name)) return old
    fresh.add(name)
    return []
  }
  for (const { name, words, block: inner, at } of block) {
    const [word = '', second] = words
    switch (name) {
      case 'root':
        to.root = word.replace(/(.)\/$/, '$1')
        to.alias = undefined
        break
      case 'alias':
        to.alias = word
        break
      case 'index':
        to.index = words
        break
      case 'autoindex':
        to.autoindex = word === 'on'
        break
      case 'return':
        if (/^\d{3}$/.test(word)) to.returned = { status: Number(word), text: second }
        else if (second === undefined && /^(https?:\/\/|\$scheme)/.test(word)) to.returned = { status: 302, text: word }
        else throw new NginxError(`invalid return code "${word}" in ${at}`)
        break
      case 'proxy_pass': {
        const match = /^http:\/\/([^/]+)(\/.*)?$/s.exec(word)
        if (!match) throw new NginxError(`invalid URL prefix in ${at}`)
        to.proxy = { upstream: match[1]!, uri: match[2], text: word }
        break
      }
      case 'proxy_set_header':
        to.proxyHeaders = [...list('proxy_set_header', to.proxyHeaders), [word, second!]]
        break
      case 'proxy_http_version':
        to.proxyHttp11 = word === '1.1'
        break
      case 'add_header':
        to.headers = [...list('add_header', to.headers), { name: word, value: second!, always: words[2] === 'always' }]
        break
      case 'allow':
      case 'deny':
        to.access = [...list('access', to.access), { allow: name === 'allow', from: word }]
        break
      case 'try_files':
        to.tryFiles = words
        break
      case 'error_page': {
        const target = words.at(-1)!
        const status = words.find((each) => each.startsWith('='))
        const codes = words.slice(0, -1).filter((each) => /^\d+$/.test(each))
        to.errorPages = [
          ...list('error_page', to.errorPages),
          { codes: codes.map(Number), to: target, status: status === undefined ? undefined : Number(status.slice(1)) },
        ]
        break
      }
      case 'access_log':
        to.accessLog = word === 'off' ? undefined : `${word} ${second ?? 'combined'}`
        break
      case 'keepalive_timeout':
        to.keepaliveS = Number(/^\d+/.exec(word)?.[0] ?? 75)
        break
      case 'default_type':
        to.defaultType = word
        break
      case 'sendfile':
        to.sendfile = word === 'on'
        break
      case 'tcp_nopush':
        to.nopush = word === 'on'
        break
      case 'server_tokens':
        to.tokens = word !== 'off'
        break
      case 'client_max_body_size': {
        const [, digits, unit] = /^(\d+)([kKmMgG]?)$/.exec(word) ?? []
        const scale = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[(unit ?? '').toLowerCase() as 'k' | 'm' | 'g'] ?? 1
        to.bodyMax = Number(digits ?? 0) * scale
        break
      }
      case 'types':
        to.types = new Map(inner!.flatMap((line) => line.words.map((suffix) => [suffix, line.name] as const)))
        break
      default:
        break
    }
  }
}

function listenOf({ words, at }: Directive): Listen {
  const [text = ''] = words
  if (words.some((word) => word === 'ssl' || word === 'http2')) throw new NotModelled('nginx: listen ... ssl')
  const isDefault = words.includes('default_server') || words.includes('default')
  if (text.startsWith('unix:')) throw new NotModelled('nginx: listen unix:')
  const match = /^(?:(\[[\da-fA-F:]+\]|\*|[\d.]+)(?::(\d+))?|(\d+))$/.exec(text)
  if (!match) throw new NginxError(`host not found in "${text}" of the "listen" directive in ${at}`)
  if (match[1] !== undefined && /^\d+$/.test(match[1])) {
    return { address: { family: 'AF_INET', address: 0 }, port: Number(match[1]), isDefault }
  }
  const host = match[1]?.replace(/^\[|\]$/g, '') ?? '*'
  const address = host === '*' ? ({ family: 'AF_INET', address: 0 } as const) : parseAddress(host)!
  return { address, port: Number(match[2] ?? match[3] ?? 80), isDefault }
}

function buildUpstream(config: NginxConfig, { words, block, at }: Directive): void {
  const upstream: Upstream = { name: words[0]!, servers: [] }
  for (const line of block!) {
    if (line.name !== 'server') {
      if (line.name === 'keepalive') continue
      throw new NotModelled(`nginx: ${line.name} in upstream`)
    }
    const [, host, port] = /^([^:]+)(?::(\d+))?$/.exec(line.words[0] ?? '') ?? []
    const address = host === undefined ? undefined : parseAddress(host)
    if (!address) throw new NginxError(`host not found in upstream "${line.words[0]}" in ${line.at}`)
    const option = (name: string) => line.words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1)
    upstream.servers.push({
      address,
      port: Number(port ?? 80),
      weight: Number(option('weight') ?? 1),
      current: 0,
      down: line.words.includes('down'),
      backup: line.words.includes('backup'),
    })
  }
  if (upstream.servers.length === 0) throw new NginxError(`no servers are inside upstream in ${at}`)
  config.upstreams.set(upstream.name, upstream)
}
