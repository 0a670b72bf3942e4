/** `bridge`: ports, forwarding databases and VLANs. iproute2 6.1 bridge/bridge.c */
import { encodeUtf8 } from '#base/bytes'
import { NotModelled } from '#base/check'
import type { Body, Sys } from '#kernel/core'
import { changeFdb, getFdb, showFdb } from './bridge-fdb.ts'
import { setBridgeLink, showBridgeLinks } from './bridge-link.ts'
import { changeVlans, showVlans } from './bridge-vlan.ts'
import { readNames } from './names.ts'
import { switchNetns } from './netns.ts'
import { DEFAULT_OPTIONS, type Options, Session } from './session.ts'
import { abbreviates, EXIT_USAGE, Refusal, Words, wrongArgument } from './words.ts'

const usage = `Usage: bridge [ OPTIONS ] OBJECT { COMMAND | help }
where	OBJECT := { link | fdb | mdb | vlan }
	OPTIONS := { -V[ersion] | -s[tatistics] | -d[etails] |
		     -o[neline] | -t[imestamp] | -n[etns] name |
		     -com[pressvlans] -p[retty] -j[son] }
`

type Action = (session: Session, words: Words) => number

interface BridgeObject {
  name: string
  commands: [names: string, action: Action][]
  fallback: Action
  help: string
}

const OBJECTS: BridgeObject[] = [
  {
    name: 'link',
    help: `Usage: bridge link set dev DEV [ cost COST ] [ priority PRIO ] [ state STATE ] [ FLAG {on | off} ]...
                               [ mcast_router MULTICAST_ROUTER ] [ backup_port DEVICE ] [ nobackup_port ]
                               [ self ] [ master ]
       bridge link show [ dev DEV ]
FLAG := { guard | hairpin | fastleave | root_block | learning | flood | mcast_flood | bcast_flood |
          mcast_to_unicast | neigh_suppress | vlan_tunnel | isolated | locked }
`,
    commands: [
      ['set change', setBridgeLink],
      ['show lst list', showBridgeLinks],
    ],
    fallback: showBridgeLinks,
  },
  {
    name: 'fdb',
    help: `Usage: bridge fdb { add | append | del | replace } ADDR dev DEV
              [ self ] [ master ] [ use ] [ router ] [ extern_learn ] [ sticky ]
              [ local | static | dynamic ] [ vlan VID ]
              [ dst IPADDR ] [ port PORT ] [ vni VNI ] [ via DEV ] [ src_vni VNI ]
       bridge fdb [ show [ br BRDEV ] [ brport DEV ] [ vlan VID ] [ state STATE ] [ dynamic ] ]
       bridge fdb get [ to ] LLADDR [ br BRDEV ] { brport | dev } DEV [ vlan VID ] [ self ] [ master ]
`,
    commands: [
      ['add', (session, words) => changeFdb(session, words, { create: true, exclusive: true })],
      ['append', (session, words) => changeFdb(session, words, { create: true, append: true })],
      ['replace', (session, words) => changeFdb(session, words, { create: true, replace: true })],
      ['delete', (session, words) => changeFdb(session, words, undefined)],
      ['get', getFdb],
      ['show lst list', showFdb],
      ['flush', () => notModelled('bridge fdb flush')],
    ],
    fallback: showFdb,
  },
  {
    name: 'mdb',
    help: `Usage: bridge mdb [ show ] [ dev DEV ] [ vid VID ]
`,
    commands: [
      ['add replace delete', () => notModelled('bridge mdb add, replace and delete')],
      ['show lst list', showGroups],
    ],
    fallback: showGroups,
  },
  {
    name: 'vlan',
    help: `Usage: bridge vlan { add | del } vid VLAN_ID dev DEV [ pvid ] [ untagged ] [ self ] [ master ]
       bridge vlan { show } [ dev DEV ] [ vid VLAN_ID ]
`,
    commands: [
      ['add', (session, words) => changeVlans(session, words, true)],
      ['delete', (session, words) => changeVlans(session, words, false)],
      ['show lst list', showVlans],
      ['set tunnelshow global', () => notModelled('bridge vlan set, tunnelshow and global')],
    ],
    fallback: showVlans,
  },
]

function notModelled(what: string): never {
  throw new NotModelled(what)
}

/** Groups are learned from reports, which the bridge floods and doesn't look into: there are none. */
function showGroups({ out, options }: Session): number {
  if (options.json) {
    out.begin(true)
    out.openObject()
    out.openArray('mdb')
    out.close()
    out.openObject('router')
    out.close()
    out.close()
    out.end()
  }
  return 0
}

interface CommandLine {
  options: Options
  netns: string | undefined
  version: boolean
  words: Words
}

function parseCommandLine(argv: readonly string[]): CommandLine {
  const words = new Words(argv.slice(1))
  const options: Options = { ...DEFAULT_OPTIONS }
  const line: CommandLine = { options, netns: undefined, version: false, words }
  for (; words.more; words.advance()) {
    if (words.current === '--') {
      words.advance()
      break
    }
    if (!words.current.startsWith('-')) break
    const option = words.current.startsWith('--') ? words.current.slice(1) : words.current
    const is = (full: string) => abbreviates(option, full)
    if (is('-help')) throw new Refusal(usage, EXIT_USAGE)
    else if (is('-Version')) line.version = true
    else if (is('-stats') || is('-statistics')) options.stats++
    else if (is('-details')) options.details++
    else if (is('-oneline')) options.oneline = true
    else if (is('-timestamp') || option === '-4' || option === '-6') continue
    else if (is('-family')) {
      const family = words.value()
      if (family !== 'inet' && family !== 'inet6') throw wrongArgument(family, 'invalid protocol family')
    } else if (is('-netns')) line.netns = words.value()
    else if (/^-c(o(l(or?)?)?)?(=.*)?$/.test(option)) continue
    else if (is('-compressvlans')) options.compressVlans = true
    else if (is('-force')) options.force = true
    else if (is('-json')) options.json = true
    else if (is('-pretty')) options.pretty = true
    else if (is('-batch')) throw new NotModelled('bridge -batch')
    else throw new Refusal(`Option "${option}" is unknown, try "bridge help".\n`, EXIT_USAGE)
  }
  line.words = words.rest()
  return line
}

function run(session: Session, words: Words): number {
  const word = words.current
  if (!words.more || abbreviates(word, 'help')) throw new Refusal(usage, EXIT_USAGE)
  const object = OBJECTS.find(({ name }) => abbreviates(word, name))
  if (object === undefined) {
    if (abbreviates(word, 'monitor')) throw new NotModelled('bridge monitor')
    throw new Refusal(`Object "${word}" is unknown, try "bridge help".\n`, EXIT_USAGE)
  }
  words.advance()
  if (!words.more) return object.fallback(session, words.rest())
  const asked = words.current
  const command = object.commands.find(([names]) => names.split(' ').some((name) => abbreviates(asked, name)))
  if (command === undefined) {
    if (abbreviates(asked, 'help')) throw new Refusal(object.help, EXIT_USAGE)
    throw new Refusal(`Command "${asked}" is unknown, try "bridge ${object.name} help".\n`, EXIT_USAGE)
  }
  words.advance()
  return command[1](session, words.rest())
}

/** The program. */
export function* bridge(sys: Sys, argv: string[]): Body<number> {
  let session: Session | undefined
  let status = 0
  try {
    const line = parseCommandLine(argv)
    if (line.version) {
      yield* sys.write(1, encodeUtf8('bridge utility, 6.1.0\n'))
      return 0
    }
    if (line.netns !== undefined) {
      const why = yield* switchNetns(sys, line.netns)
      if (why !== undefined) throw new Refusal(why, EXIT_USAGE)
    }
    session = new Session(sys, line.options, yield* readNames(sys, false))
    status = run(session, line.words)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    session?.out.end()
    for (const { fd, text } of session?.out.chunks ?? []) yield* sys.write(fd, encodeUtf8(text))
    yield* sys.write(2, encodeUtf8(error.message))
    return error.status === 2 ? EXIT_USAGE : error.status // What the kernel refuses is -1 here.
  }
  for (const { fd, text } of session.out.chunks) yield* sys.write(fd, encodeUtf8(text))
  return status
}
