/** `ip link set`, `add` and `delete`. iproute2 6.1 ip/iplink.c: iplink_modify() */
import type { Body, Sys } from '#kernel/core'
import type { LinkFields, LinkRequest, NetnsMessage, NewFlags } from '#kernel/net'
import { linkHelp } from './help.ts'
import { type LinkData, type LinkType, type LinkWords, linkTypes } from './link-types/index.ts'
import { parseLinkWords } from './link-words.ts'
import { NETNS_RUN_DIR } from './netns.ts'
import type { Session } from './session.ts'
import { abbreviates, EXIT_USAGE, noDevice, parseInteger, Refusal, type Words, wrongArgument } from './words.ts'

/** A MAC as a number, or the bytes if there are not six. */
function sixBytes(bytes: number[]): number | undefined {
  return bytes.length === 6 ? bytes.reduce((mac, byte) => mac * 256 + byte, 0) : undefined
}

function garbage(words: Words): Refusal {
  if (abbreviates(words.current, 'help')) return new Refusal(linkHelp, EXIT_USAGE)
  return new Refusal(`Garbage instead of arguments "${words.current} ...". Try "ip link help".\n`, 1)
}

/** Descriptors of namespaces that a request names, to be closed when it has been answered. */
type Opened = number[]

/** What the words mean to the kernel: names become numbers. */
function* fieldsOf(session: Session, given: LinkWords, sys: Sys, opened: Opened): Body<LinkFields> {
  const { device, addressGiven, broadcastGiven, kindWords, linkName, netns, linkNetns, ...fields } = given
  const result: LinkFields = fields
  if (addressGiven) Object.assign(result, bytesOrMac('address', addressGiven))
  if (broadcastGiven) Object.assign(result, bytesOrMac('broadcast', broadcastGiven))
  if (netns !== undefined) Object.assign(result, yield* netnsOf(sys, netns, opened))
  if (linkNetns !== undefined) result.linkNetnsId = yield* netnsNumber(sys, linkNetns)
  const peer = (given.data as { peer?: LinkWords } | undefined)?.peer
  if (peer !== undefined) result.data = { ...given.data, peer: yield* fieldsOf(session, peer, sys, opened) }
  return result
}

function bytesOrMac(key: 'address' | 'broadcast', bytes: number[]): LinkFields {
  const mac = sixBytes(bytes)
  return mac === undefined ? { [`${key}Bytes`]: bytes } : { [key]: mac }
}

/** A namespace by its name, or by a process in it. */
function* netnsOf(sys: Sys, text: string, opened: Opened): Body<LinkFields> {
  const fd = yield* sys.open(text.includes('/') ? text : `${NETNS_RUN_DIR}/${text}`, 0)
  if (fd.ok) {
    opened.push(fd.value)
    return { netnsFd: fd.value }
  }
  const pid = parseInteger(text)
  if (pid === undefined) throw wrongArgument(text, 'Invalid "netns" value\n')
  return { netnsPid: pid }
}

/** The number by which a named namespace is known; it is given one if it has none. */
function* netnsNumber(sys: Sys, name: string): Body<number> {
  const fd = yield* sys.open(`${NETNS_RUN_DIR}/${name}`, 0)
  if (!fd.ok) throw wrongArgument(name, 'Invalid "link-netns" value\n')
  const ask = () => {
    const answer = sys.netlink({ type: 'RTM_GETNSID', fd: fd.value } as { type: string })
    return answer.ok ? (answer.messages[0] as NetnsMessage).nsid : -1
  }
  if (ask() < 0) sys.netlink({ type: 'RTM_NEWNSID', fd: fd.value, nsid: -1 } as { type: string })
  const nsid = ask()
  sys.close(fd.value)
  if (nsid < 0) throw wrongArgument(name, 'Invalid "link-netns" value\n')
  return nsid
}

/** Sends what the words mean, and forgets what was known of links. */
function* request(session: Session, sys: Sys, given: LinkWords, rest: Partial<LinkRequest>): Body<number> {
  const opened: Opened = []
  try {
    const fields = yield* fieldsOf(session, given, sys, opened)
    session.ask({ ...fields, ...rest } as LinkRequest)
  } finally {
    for (const fd of opened) sys.close(fd)
  }
  session.forgetLinks()
  return 0
}

/** The words behind `type KIND`. A kind whose words nobody here knows goes to the kernel, which knows whether there is one. */
function parseKind(session: Session, given: LinkWords): void {
  const { kind, kindWords: words } = given
  if (kind === undefined || words === undefined) return
  const type: LinkType | undefined = Object.hasOwn(linkTypes, kind) ? linkTypes[kind] : undefined
  if (!words.more) return
  if (type === undefined) throw garbage(words)
  const data: LinkData = type.parse?.(words, session, given) ?? {}
  if (kind.endsWith('_slave')) given.slaveData = data
  else given.data = data
}

/** `ip link set`. */
export function* setLink(session: Session, words: Words, sys: Sys): Body<number> {
  const given = parseLinkWords(session, words)
  const device = given.device ?? given.name
  if (device !== undefined && given.addressGiven) checkAddressLength(session, device, given.addressGiven)
  if (given.ifindex) {
    throw new Refusal(
      'index can be used only when creating devices or when moving device to another netns.\n',
      EXIT_USAGE,
    )
  }
  if (device === undefined && given.group === undefined) {
    throw new Refusal('Not enough information: "dev" argument is required.\n', EXIT_USAGE)
  }
  if (device === undefined) {
    parseKind(session, given)
    return yield* request(session, sys, given, { type: 'RTM_NEWLINK' })
  }
  const ifindex = session.device(device)
  const { name } = given
  given.name = undefined
  if (name !== undefined && name !== device) given.newName = name
  if (given.broadcastGiven && given.broadcastGiven.length < 6) {
    throw new Refusal('RTNETLINK answers: Invalid argument\n', 2)
  }
  parseKind(session, given)
  return yield* request(session, sys, given, {
    type: given.kind === undefined ? 'RTM_SETLINK' : 'RTM_NEWLINK',
    ifindex,
  })
}

function checkAddressLength(session: Session, device: string, bytes: number[]): void {
  const index = session.findDevice(device)
  if (index === undefined) throw noDevice(device)
  const length = session.link(index)?.addressLength ?? 6
  if (bytes.length !== length)
    throw new Refusal(`Invalid address length ${bytes.length} - must be ${length} bytes\n`, 1)
}

/** `ip link add`. */
export function* addLink(session: Session, words: Words, flags: NewFlags, sys: Sys): Body<number> {
  const given = parseLinkWords(session, words)
  const device = given.device ?? given.name
  if (given.group !== undefined && device === undefined) {
    throw new Refusal('group cannot be used when creating devices.\n', EXIT_USAGE)
  }
  if (given.name !== undefined && given.name !== device) {
    throw new Refusal('both "name" and "dev" cannot be used when creating devices.\n', EXIT_USAGE)
  }
  if (given.linkName !== undefined) given.link = session.device(given.linkName)
  if (given.kind === undefined) throw new Refusal('Not enough information: "type" argument is required\n', 1)
  parseKind(session, given)
  if (device !== undefined) given.name = device
  return yield* request(session, sys, given, { type: 'RTM_NEWLINK', ...flags })
}

/** `ip link delete`. */
export function deleteLink(session: Session, words: Words): number {
  const given = parseLinkWords(session, words)
  const device = given.device ?? given.name
  if (device === undefined && given.group === undefined) {
    throw new Refusal('Not enough information: "dev" argument is required.\n', EXIT_USAGE)
  }
  const ifindex = device === undefined ? undefined : session.device(device)
  if (given.kind !== undefined) parseKind(session, given)
  session.ask(ifindex === undefined ? { type: 'RTM_DELLINK', group: given.group! } : { type: 'RTM_DELLINK', ifindex })
  session.forgetLinks()
  return 0
}

/** `ip link help [TYPE]`. iproute2: do_help() */
export function showLinkHelp(session: Session, words: Words): number {
  const type = Object.hasOwn(linkTypes, words.current) ? linkTypes[words.current] : undefined
  if (type === undefined) throw new Refusal(linkHelp, EXIT_USAGE)
  session.out.raw(type.help)
  return 0
}
