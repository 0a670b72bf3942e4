/** `ip maddress`: the groups that devices listen to, as /proc/net tells them. iproute2 6.1 ip/ipmaddr.c */
import { NotModelled } from '#base/check'
import { type Body, readTextFile, type Sys, strerror } from '#kernel/core'
import { formatIpv4, formatIpv6, parseIpv6 } from '#wire/inet'
import { maddressHelp } from './help.ts'
import { parseLinkAddress } from './prefix.ts'
import type { Session } from './session.ts'
import { abbreviates, duplicateOrGarbage, EXIT_USAGE, Refusal, type Words } from './words.ts'

interface Group {
  ifindex: number
  device: string
  link?: string
  address?: string
  users: number
  fixed: boolean
  inet6?: boolean
}

/** /proc/net/dev_mcast: ifindex, name, users, static, address. */
function parseLinkGroups(text: string): Group[] {
  return [...text.matchAll(/^\s*(\d+)\s+(\S+)\s+(\d+)\s+(\d+)\s+([0-9a-f]+)$/gm)].map(
    ([, ifindex, device, users, fixed, hex]) => ({
      ifindex: Number(ifindex),
      device: device!,
      users: Number(users),
      fixed: fixed !== '0',
      link: hex!.match(/../g)!.join(':'),
    }),
  )
}

/** /proc/net/igmp: a line for each device, and below it one for each group, its bytes the other way round. */
function parseInetGroups(text: string): Group[] {
  const groups: Group[] = []
  let ifindex = 0
  let device = ''
  for (const line of text.split('\n').slice(1)) {
    const head = /^(\d+)\s+([^\s:]+)/.exec(line)
    const group = /^\t+([0-9A-F]{8})\s+(\d+)/.exec(line)
    if (head) [ifindex, device] = [Number(head[1]), head[2]!]
    else if (group) {
      const bytes = group[1]!.match(/../g)!.reverse().join('')
      const address = formatIpv4(Number.parseInt(bytes, 16))
      groups.push({ ifindex, device, users: Number(group[2]), fixed: false, address })
    }
  }
  return groups
}

/** /proc/net/igmp6: ifindex, name, group, users, flags. */
function parseInet6Groups(text: string): Group[] {
  return [...text.matchAll(/^(\d+)\s+(\S+)\s+([0-9a-f]{32})\s+(\d+)/gm)].map(([, ifindex, device, hex, users]) => ({
    ifindex: Number(ifindex),
    device: device!,
    users: Number(users),
    fixed: false,
    address: formatIpv6(parseIpv6(hex!.match(/..../g)!.join(':'))!),
    inet6: true,
  }))
}

export function* showMulticast(session: Session, words: Words, sys: Sys): Body<number> {
  const { options, out } = session
  let wanted: string | undefined
  for (; words.more; words.advance()) {
    if (words.current === 'dev') words.value()
    else if (abbreviates(words.current, 'help')) throw new Refusal(maddressHelp, EXIT_USAGE)
    if (wanted !== undefined) throw duplicateOrGarbage('dev', words.current)
    wanted = words.current
  }
  const groups: Group[] = []
  if (options.family === 'any' || options.family === 'link') {
    const file = yield* readTextFile(sys, '/proc/net/dev_mcast')
    if (file.ok) groups.push(...parseLinkGroups(file.value))
  }
  if (options.family === 'any' || options.family === 'inet') {
    const file = yield* readTextFile(sys, '/proc/net/igmp')
    if (!file.ok) throw new NotModelled('the multicast groups of IPv4 (/proc/net/igmp)')
    groups.push(...parseInetGroups(file.value))
  }
  if (options.family === 'any' || options.family === 'inet6') {
    const file = yield* readTextFile(sys, '/proc/net/igmp6')
    if (file.ok) groups.push(...parseInet6Groups(file.value))
  }
  const shown = groups.filter((group) => wanted === undefined || group.device === wanted)
  shown.sort((a, b) => a.ifindex - b.ifindex) // Stable: of one device those of the link come first.
  out.begin(options.json)
  let current = 0
  for (const group of shown) {
    if (group.ifindex !== current || options.oneline) {
      if (current) {
        out.close()
        out.close()
      }
      out.openObject()
      out.field('ifindex', group.ifindex, `${group.ifindex}:`)
      out.field('ifname', group.device, `\t${group.device}`)
      out.text(session.newline)
      out.openArray('maddr')
      current = group.ifindex
    }
    out.text('\t')
    out.openObject()
    if (group.link !== undefined) out.field('link', group.link, `link  ${group.link}`)
    else {
      out.field('family', group.inet6 ? 'inet6' : 'inet', group.inet6 ? 'inet6 ' : 'inet  ')
      out.field('address', group.address ?? '', group.address ?? '')
    }
    if (group.users !== 1) out.field('users', group.users, ` users ${group.users}`)
    if (group.fixed) out.field('features', 'static', ' static')
    out.text('\n')
    out.close()
  }
  out.end()
  return 0
}

/** `ip maddr add` and `del`: a link-layer address that the card is to take frames for. ipmaddr.c: multiaddr_modify(). */
export function changeMulticast(words: Words, sys: Sys, request: 'SIOCADDMULTI' | 'SIOCDELMULTI'): number {
  let name = ''
  let text: string | undefined
  for (; words.more; words.advance()) {
    if (words.current === 'dev') {
      words.value()
      if (name !== '') throw duplicate('dev', words.current)
      name = words.current
      continue
    }
    if (words.current === 'address') words.value()
    else if (abbreviates(words.current, 'help')) throw new Refusal(maddressHelp, EXIT_USAGE)
    if (text !== undefined) throw duplicate('address', words.current)
    text = words.current
  }
  if (name === '') throw new Refusal('Not enough information: "dev" is required.\n', EXIT_USAGE)
  let address = 0
  if (text !== undefined) {
    for (const part of text.includes('.') ? [] : text.split(':')) {
      if (!parseLinkAddress(part)) throw new Refusal(`"${part}" is invalid lladdr.\n`, 1)
    }
    const bytes = parseLinkAddress(text)
    if (!bytes) throw new Refusal(`"${text}" is invalid lladdr.\n`, 1)
    if (bytes.length !== 6) throw new Refusal(`Error: Invalid address length ${bytes.length} - must be 6 bytes\n`, 1)
    address = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
  }
  const socket = sys.socket('AF_INET', 'SOCK_DGRAM', 0)
  if (!socket.ok) throw new Refusal(`Cannot create control socket: ${strerror(socket.errno)}\n`, 1)
  const answer = sys.ioctl(socket.value, request, { name, address })
  sys.close(socket.value)
  if (!answer.ok) throw new Refusal(`ioctl: ${strerror(answer.errno)}\n`, 1)
  return 0
}

function duplicate(key: string, value: string): Refusal {
  return new Refusal(`Error: duplicate "${key}": "${value}" is the second value.\n`, EXIT_USAGE)
}
