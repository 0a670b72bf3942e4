/** Tools that say one thing: echo, printf, test, true, pwd, uname, id, stat, readlink, which, getent and the like. */
import { type Body, type Program, type Sys, strerror } from '#kernel/core'
import { formatAddress, lookupAddress, lookupHost, parseAddress } from '#user/libc'
import { formatPrintf, formatTime, runTest, unescapeEcho } from '#user/shell'
import { GROUP, modeText, USER } from './ls.ts'
import { defineTool, fileTime, Io, needOperands, quote, Reader, type Tool } from './tool.ts'
import { baseName, dirName } from './walk.ts'

/** A tool that takes its words as they are; only a lone --help or --version is special. */
function plain(tool: Pick<Tool, 'name' | 'help'>, run: (io: Io, words: string[]) => ReturnType<Tool['run']>): Program {
  return {
    name: tool.name,
    paths: [`/usr/bin/${tool.name}`],
    *main(sys: Sys, argv: string[]) {
      const io = new Io(sys, argv[0] ?? tool.name)
      if (argv.length === 2 && argv[1] === '--help') yield* io.out(`${tool.help}\n`)
      else if (argv.length === 2 && argv[1] === '--version') yield* io.out(`${tool.name} (GNU coreutils) 9.1\n`)
      else {
        const status = yield* run(io, argv.slice(1))
        yield* io.flush()
        return Math.max(status, io.status)
      }
      yield* io.flush()
      return tool.name === 'false' ? 1 : 0
    },
  }
}

export const echo = plain(
  {
    name: 'echo',
    help: `Usage: echo [SHORT-OPTION]... [STRING]...\nPrint the STRINGs with blanks between.\n\n  -n   without a newline\n  -e   with backslash escapes\n  -E   without (the default)`,
  },
  function* (io, words) {
    let newline = true
    let escapes = false
    let i = 0
    for (; i < words.length && /^-[neE]+$/.test(words[i]!); i++) {
      for (const letter of words[i]!.slice(1)) {
        if (letter === 'n') newline = false
        else escapes = letter === 'e'
      }
    }
    let text = words.slice(i).join(' ')
    if (escapes) {
      const result = unescapeEcho(text, false)
      text = result.text
      if (result.stop) newline = false
    }
    yield* io.out(newline ? `${text}\n` : text)
    return 0
  },
)

export const printf = plain(
  {
    name: 'printf',
    help: `Usage: printf FORMAT [ARGUMENT]...\nPrint ARGUMENTs as FORMAT says, which is C's printf's.`,
  },
  function* (io, words) {
    const operands = words[0] === '--' ? words.slice(1) : words
    if (operands.length === 0) return yield* io.usage('missing operand', 1)
    const result = formatPrintf(operands[0]!, operands.slice(1))
    for (const error of result.errors) yield* io.err(`${error}\n`)
    yield* io.out(result.output)
    return result.status
  },
)

export const yesNo: Program[] = [
  plain({ name: 'true', help: 'Usage: true [ignored command line arguments]\nExit with status 0.' }, function* () {
    return 0
  }),
  plain({ name: 'false', help: 'Usage: false [ignored command line arguments]\nExit with status 1.' }, function* () {
    return 1
  }),
]

function testProgram(name: 'test' | '['): Program {
  return {
    name,
    paths: [`/usr/bin/${name}`],
    *main(sys, argv) {
      const io = new Io(sys, name)
      let words = argv.slice(1)
      if (name === '[') {
        if (words[words.length - 1] !== ']') {
          yield* io.fail("missing ']'", 2)
          return 2
        }
        words = words.slice(0, -1)
      }
      const result = runTest({ sys }, words)
      if (result.error) yield* io.fail(result.error, 2)
      return result.status
    },
  }
}
export const tests = [testProgram('test'), testProgram('[')]

export const printenv = defineTool({
  name: 'printenv',
  usageStatus: 2,
  short: '+0',
  help: `Usage: printenv [OPTION]... [VARIABLE]...
Print the VARIABLEs of the environment, or all.`,
  *run(io, options, operands) {
    const end = options.has('0') ? '\0' : '\n'
    if (operands.length === 0) {
      for (const [name, value] of io.sys.env) yield* io.out(`${name}=${value}${end}`)
      return 0
    }
    let status = 0
    for (const name of operands) {
      const value = io.sys.env.get(name)
      if (value === undefined) status = 1
      else yield* io.out(value + end)
    }
    return status
  },
})

export const pwd = defineTool({
  name: 'pwd',
  short: 'LP',
  long: [
    { name: 'logical', as: 'L' },
    { name: 'physical', as: 'P' },
  ],
  help: `Usage: pwd [OPTION]...
Print the working directory.

  -L, --logical    as PWD has it
  -P, --physical   without links (the default)`,
  *run(io, options) {
    yield* io.out(`${options.last('L', 'P') === 'L' ? (io.sys.env.get('PWD') ?? io.sys.getcwd()) : io.sys.getcwd()}\n`)
    return 0
  },
})

export const uname = defineTool({
  name: 'uname',
  short: 'asnrvmpio',
  long: [
    { name: 'all', as: 'a' },
    { name: 'kernel-name', as: 's' },
    { name: 'nodename', as: 'n' },
    { name: 'kernel-release', as: 'r' },
    { name: 'kernel-version', as: 'v' },
    { name: 'machine', as: 'm' },
    { name: 'processor', as: 'p' },
    { name: 'hardware-platform', as: 'i' },
    { name: 'operating-system', as: 'o' },
  ],
  help: `Usage: uname [OPTION]...
Print what system this is; -s by default.

  -a, --all                all that follows, -p and -i if known
  -s, --kernel-name        -n, --nodename           -r, --kernel-release
  -v, --kernel-version     -m, --machine            -p, --processor
  -i, --hardware-platform  -o, --operating-system`,
  *run(io, options, operands) {
    if (operands.length > 0) return yield* io.usage(`extra operand ${io.quote(operands[0]!)}`, 1)
    const u = io.sys.uname()
    const fields: [string, string][] = [
      ['s', u.sysname],
      ['n', u.nodename],
      ['r', u.release],
      ['v', u.version],
      ['m', u.machine],
      ['p', 'unknown'],
      ['i', 'unknown'],
      ['o', 'GNU/Linux'],
    ]
    const all = options.has('a')
    const shown = fields.filter(([letter, value]) =>
      all ? value !== 'unknown' : options.all.length === 0 ? letter === 's' : options.has(letter),
    )
    yield* io.out(`${shown.map(([, value]) => value).join(' ')}\n`)
    return 0
  },
})

export const id = defineTool({
  name: 'id',
  short: 'agGnruzZ',
  long: [
    { name: 'group', as: 'g' },
    { name: 'groups', as: 'G' },
    { name: 'name', as: 'n' },
    { name: 'real', as: 'r' },
    { name: 'user', as: 'u' },
  ],
  help: `Usage: id [OPTION]... [USER]...
Print who USER is, or who one is.

  -g, --group   only the group      -G, --groups   only all groups
  -u, --user    only the user       -n, --name     names, not numbers`,
  *run(io, options, operands) {
    for (const operand of operands) {
      if (operand === 'root' || operand === '0') continue
      yield* io.fail(`${quote(operand)}: no such user`)
      return 1
    }
    if (options.has('n') && !['u', 'g', 'G'].some((letter) => options.has(letter))) {
      yield* io.fail('cannot print only names or real IDs in default format')
      return 1
    }
    if (['u', 'g', 'G'].some((letter) => options.has(letter))) yield* io.out(options.has('n') ? 'root\n' : '0\n')
    else yield* io.out('uid=0(root) gid=0(root) groups=0(root)\n')
    return 0
  },
})

export const whoami = defineTool({
  name: 'whoami',
  help: 'Usage: whoami [OPTION]...\nPrint the user name.',
  *run(io, _options, operands) {
    if (operands.length > 0) return yield* io.usage(`extra operand ${io.quote(operands[0]!)}`, 1)
    yield* io.out('root\n')
    return 0
  },
})

export const nproc = defineTool({
  name: 'nproc',
  long: [{ name: 'all' }, { name: 'ignore', argument: 'required' }],
  help: 'Usage: nproc [OPTION]...\nPrint how many processors there are.\n\n      --all        all that are installed\n      --ignore=N   N fewer',
  // A simulated host has one CPU (#kernel/core).
  *run(io) {
    yield* io.out('1\n')
    return 0
  },
})

export const basename = defineTool({
  name: 'basename',
  short: '+as:z',
  long: [
    { name: 'multiple', as: 'a' },
    { name: 'suffix', as: 's', argument: 'required' },
    { name: 'zero', as: 'z' },
  ],
  help: `Usage: basename NAME [SUFFIX]
  or:  basename OPTION... NAME...
Print NAME without its directories, and without SUFFIX.

  -a, --multiple        every argument is a NAME
  -s, --suffix=SUFFIX   without that; implies -a`,
  *run(io, options, operands) {
    const many = options.has('a') || options.has('s')
    const wrong = yield* needOperands(io, operands, 1, many ? undefined : 2)
    if (wrong !== undefined) return wrong
    const suffix = options.get('s') ?? (many ? '' : (operands[1] ?? ''))
    for (const operand of many ? operands : operands.slice(0, 1)) {
      const name = baseName(operand)
      yield* io.out(
        `${suffix !== '' && name !== suffix && name.endsWith(suffix) ? name.slice(0, -suffix.length) : name}${options.has('z') ? '\0' : '\n'}`,
      )
    }
    return 0
  },
})

export const dirname = defineTool({
  name: 'dirname',
  short: '+z',
  help: 'Usage: dirname [OPTION] NAME...\nPrint each NAME without its last component.',
  *run(io, options, operands) {
    const wrong = yield* needOperands(io, operands, 1)
    if (wrong !== undefined) return wrong
    for (const operand of operands) yield* io.out(`${dirName(operand)}${options.has('z') ? '\0' : '\n'}`)
    return 0
  },
})

export const readlink = defineTool({
  name: 'readlink',
  short: 'efmnqsvz',
  long: [
    { name: 'canonicalize', as: 'f' },
    { name: 'canonicalize-existing', as: 'e' },
    { name: 'canonicalize-missing', as: 'm' },
    { name: 'no-newline', as: 'n' },
    { name: 'verbose', as: 'v' },
  ],
  help: `Usage: readlink [OPTION]... FILE...
Print where a symbolic link leads, or a path without links.

  -f, --canonicalize            all links followed; the last component may be missing
  -e, --canonicalize-existing   everything must be there
  -m, --canonicalize-missing    nothing need be there
  -n, --no-newline              no newline
  -v, --verbose                 complain`,
  *run(io, options, operands) {
    const wrong = yield* needOperands(io, operands, 1)
    if (wrong !== undefined) return wrong
    for (const operand of operands) {
      let value: string | undefined
      const exact = io.sys.realpath(operand)
      if (['f', 'e', 'm'].some((letter) => options.has(letter))) {
        if (exact.ok) value = exact.value
        else if (!options.has('e')) {
          const above = io.sys.realpath(dirName(operand))
          value = above.ok
            ? `${above.value === '/' ? '' : above.value}/${baseName(operand)}`
            : options.has('m')
              ? operand.startsWith('/')
                ? operand
                : `${io.sys.getcwd()}/${operand}`
              : undefined
        }
      } else {
        const link = io.sys.readlink(operand)
        if (link.ok) value = link.value
        else if (options.has('v')) yield* io.failOn(operand, link.errno)
      }
      if (value === undefined) io.status = 1
      else yield* io.out(value + (options.has('n') ? '' : '\n'))
    }
    return 0
  },
})

export const realpath = defineTool({
  name: 'realpath',
  short: 'emLPqsz',
  long: [
    { name: 'canonicalize-existing', as: 'e' },
    { name: 'canonicalize-missing', as: 'm' },
    { name: 'quiet', as: 'q' },
    { name: 'no-symlinks', as: 's' },
  ],
  help: `Usage: realpath [OPTION]... FILE...
Print paths without links, . and ..

  -e, --canonicalize-existing   everything must be there
  -m, --canonicalize-missing    nothing need be there
  -q, --quiet                   no complaints`,
  *run(io, options, operands) {
    const wrong = yield* needOperands(io, operands, 1)
    if (wrong !== undefined) return wrong
    for (const operand of operands) {
      const exact = io.sys.realpath(operand)
      const above = exact.ok ? undefined : io.sys.realpath(dirName(operand))
      if (exact.ok) yield* io.out(`${exact.value}\n`)
      else if (above?.ok && !options.has('e'))
        yield* io.out(`${above.value === '/' ? '' : above.value}/${baseName(operand)}\n`)
      else if (options.has('q')) io.status = 1
      else yield* io.failOn(operand, exact.errno)
    }
    return 0
  },
})

const TYPES: Record<string, string> = {
  file: 'regular file',
  directory: 'directory',
  symlink: 'symbolic link',
  fifo: 'fifo',
  char: 'character special file',
  block: 'block special file',
  socket: 'socket',
}

export const stat = defineTool({
  name: 'stat',
  short: 'Lfc:t',
  long: [
    { name: 'dereference', as: 'L' },
    { name: 'file-system', as: 'f' },
    { name: 'format', as: 'c', argument: 'required' },
    { name: 'printf', argument: 'required' },
    { name: 'terse', as: 't' },
  ],
  help: `Usage: stat [OPTION]... FILE...
Print what is known of files.

  -L, --dereference     follow links
  -c, --format=FORMAT   %a %A mode, %F type, %g %G group, %h links, %i inode, %n %N name, %s size, %u %U user, %x %y %z %X %Y %Z times
      --printf=FORMAT   the same, with escapes and without newline`,
  *run(io, options, operands) {
    const wrong = yield* needOperands(io, operands, 1)
    if (wrong !== undefined) return wrong
    if (options.has('f')) {
      yield* io.fail('--file-system: not modelled')
      return 1
    }
    for (const operand of operands) {
      const result = options.has('L') ? io.sys.stat(operand) : io.sys.lstat(operand)
      if (!result.ok) {
        yield* io.fail(`cannot statx ${quote(operand)}: ${strerror(result.errno)}`)
        continue
      }
      const s = result.value
      const { s: seconds, ns } = fileTime(io.sys, s.mtimeNs)
      const time = formatTime('%Y-%m-%d %H:%M:%S.%N %z', seconds, ns)
      const mode = (s.mode & 0o7777).toString(8).padStart(4, '0')
      const link = s.type === 'symlink' ? io.sys.readlink(operand) : undefined
      const type = s.type === 'file' && s.size === 0 ? 'regular empty file' : TYPES[s.type]!
      const fill = (format: string) =>
        format.replace(/%(-?\d*)([a-zA-Z%])/g, (whole, width: string, letter: string) => {
          const values: Record<string, string> = {
            a: (s.mode & 0o7777).toString(8),
            A: modeText(s),
            b: String(Math.ceil(s.size / 4096) * 8),
            B: '512',
            d: '65025',
            F: type,
            g: String(s.gid),
            G: GROUP(s.gid),
            h: String(s.links),
            i: String(s.inode),
            n: operand,
            N: link?.ok ? `'${operand}' -> '${link.value}'` : `'${operand}'`,
            o: '4096',
            s: String(s.size),
            t: (s.rdev?.[0] ?? 0).toString(16),
            T: (s.rdev?.[1] ?? 0).toString(16),
            u: String(s.uid),
            U: USER(s.uid),
            x: time,
            y: time,
            z: time,
            w: '-',
            W: '0',
            X: String(seconds),
            Y: String(seconds),
            Z: String(seconds),
            '%': '%',
          }
          const value = values[letter]
          if (value === undefined) return whole
          return width.startsWith('-') ? value.padEnd(Number(width.slice(1))) : value.padStart(Number(width || 0))
        })
      const printfFormat = options.get('printf')
      const format = options.get('c')
      if (printfFormat !== undefined) yield* io.out(unescapeEcho(fill(printfFormat)).text)
      else if (format !== undefined) yield* io.out(`${fill(format)}\n`)
      else {
        const device = s.rdev ? `Device type: ${s.rdev[0]},${s.rdev[1]}` : ''
        yield* io.out(
          `${fill('  File: %n')}${link?.ok ? ` -> ${link.value}` : ''}\n` +
            `  Size: ${String(s.size).padEnd(10)}\tBlocks: ${fill('%b').padEnd(10)} IO Block: ${'4096'.padEnd(6)} ${type}\n` +
            `Device: 254,1\tInode: ${String(s.inode).padEnd(11)} Links: ${device ? `${String(s.links).padEnd(5)} ${device}` : s.links}\n` +
            `Access: (${mode}/${modeText(s)})  Uid: (${String(s.uid).padStart(5)}/${USER(s.uid).padStart(8)})   Gid: (${String(s.gid).padStart(5)}/${GROUP(s.gid).padStart(8)})\n` +
            `Access: ${time}\nModify: ${time}\nChange: ${time}\n Birth: -\n`,
        )
      }
    }
    return 0
  },
})

export const which: Program = {
  name: 'which',
  paths: ['/usr/bin/which'],
  *main(sys, argv) {
    const io = new Io(sys, 'which')
    const all = argv.includes('-a')
    let status = 0
    if (argv.includes('--help')) {
      yield* io.out('Usage: which [-a] args\nPrint where programs are found.\n')
      yield* io.flush()
      return 0
    }
    for (const name of argv.slice(1).filter((word) => word !== '-a')) {
      const places = name.includes('/')
        ? [name]
        : (sys.env.get('PATH') ?? '').split(':').map((directory) => `${directory}/${name}`)
      const found = places.filter((place) => {
        const there = sys.stat(place)
        return there.ok && there.value.type !== 'directory' && sys.access(place, 'x').ok
      })
      if (found.length === 0) status = 1
      for (const place of all ? found : found.slice(0, 1)) yield* io.out(`${place}\n`)
    }
    yield* io.flush()
    return status
  },
}

/** gethostbyname2(3) for both families, IPv6 first, or gethostbyaddr(3). */
function* hostEntry(sys: Sys, key: string): Body<string | undefined> {
  const number = parseAddress(key)
  if (number) {
    const found = yield* lookupAddress(sys, number)
    return found.ok ? `${[formatAddress(number).padEnd(15), found.name, ...found.aliases].join(' ')}\n` : undefined
  }
  for (const family of ['AF_INET6', 'AF_INET'] as const) {
    const found = yield* lookupHost(sys, key, { family })
    if (!found.ok) continue
    const { addresses, canonical, aliases } = found.value
    return addresses.map((one) => `${[formatAddress(one).padEnd(15), canonical, ...aliases].join(' ')}\n`).join('')
  }
  return undefined
}

/** getaddrinfo(3): each address three times, the first with its name. */
function* addressEntries(sys: Sys, key: string, database: string): Body<string | undefined> {
  const found = yield* lookupHost(sys, key, database === 'ahostsv4' ? { family: 'AF_INET' } : { addrConfig: true })
  if (!found.ok) return undefined
  const { addresses, canonical } = found.value
  return addresses
    .flatMap((one, i) => {
      const address = formatAddress(one).padEnd(15)
      return [`${address} STREAM ${i === 0 ? canonical : ''}`, `${address} DGRAM  `, `${address} RAW    `]
    })
    .map((line) => `${line}\n`)
    .join('')
}

export const getent = defineTool({
  name: 'getent',
  version: 'getent (Debian GLIBC 2.36-9+deb12u10) 2.36',
  short: '+s:i',
  help: `Usage: getent [OPTION...] database [key ...]
Get entries from a database of the name service: ahosts, ahostsv4, group, hosts, passwd, protocols, services.`,
  *run(io, _options, operands) {
    const [database, ...keys] = operands
    if (database === undefined) {
      yield* io.err(
        `${io.name}: wrong number of arguments\nTry \`getent --help' or \`getent --usage' for more information.\n`,
      )
      return 1
    }
    const file = {
      hosts: '/etc/hosts',
      ahosts: '/etc/hosts',
      ahostsv4: '/etc/hosts',
      passwd: '/etc/passwd',
      group: '/etc/group',
      services: '/etc/services',
      protocols: '/etc/protocols',
    }[database]
    if (!file) {
      yield* io.err(`Unknown database: ${database}\nTry \`getent --help' or \`getent --usage' for more information.\n`)
      return 1
    }
    const opened = yield* io.sys.open(file)
    const text = opened.ok ? yield* new Reader(io.sys, opened.value).rest() : ''
    const rows = text
      .split('\n')
      .map((line) => line.replace(/#.*/, '').trim())
      .filter((line) => line !== '')
    const hosts = file === '/etc/hosts'
    const show = (row: string): string => {
      if (!hosts) return row
      const [address, ...names] = row.split(/\s+/)
      if (database === 'hosts') return `${address!.padEnd(15)} ${names.join(' ')}`
      return ['STREAM', 'DGRAM', 'RAW']
        .map((type, i) =>
          `${address!.padEnd(15)} ${type.padEnd(6)}${i === 0 ? ` ${names[0] ?? ''}` : ''}`
            .replace(/ +$/, ' ')
            .trimEnd(),
        )
        .join('\n')
    }
    let status = 0
    if (keys.length === 0) for (const row of rows) yield* io.out(`${show(row)}\n`)
    for (const key of keys) {
      if (hosts) {
        const text = yield* database === 'hosts' ? hostEntry(io.sys, key) : addressEntries(io.sys, key, database)
        if (text === undefined) status = 2
        else yield* io.out(text)
        continue
      }
      const found = rows.find((row) => row.split(/[:\s]+/)[0] === key || row.split(':')[2] === key)
      if (found !== undefined) yield* io.out(`${show(found)}\n`)
      else status = 2
    }
    return status
  },
})
