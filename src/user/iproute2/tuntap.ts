/** `ip tuntap`. iproute2 6.1 ip/iptuntap.c */
import { strerror } from '#kernel/core'
import type { LinkMessage } from '#kernel/net'
import type { Session } from './session.ts'
import { EXIT_USAGE, Refusal, type Words, wrongArgument } from './words.ts'

export const tuntapHelp = `Usage: ip tuntap { add | del | show | list | lst | help } [ dev PHYS_DEV ]
       [ mode { tun | tap } ] [ user USER ] [ group GROUP ]
       [ one_queue ] [ pi ] [ vnet_hdr ] [ multi_queue ] [ name NAME ]

Where: USER  := { STRING | NUMBER }
       GROUP := { STRING | NUMBER }
`

interface Request {
  type: string
  name?: string
  mode?: 'tun' | 'tap'
  pi?: boolean
  vnetHdr?: boolean
  multiQueue?: boolean
  user?: number
  group?: number
  persist?: boolean
}

/** Numbers only, but for root: nobody else has a name here. */
function account(what: 'user' | 'group', text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  if (text === 'root') return 0
  throw new Refusal(`invalid ${what} "${text}"\n`, EXIT_USAGE)
}

function deviceName(words: Words, what: string): string {
  const name = words.current
  if (name === '' || name.length > 15 || /[/\s]/.test(name)) throw wrongArgument(name, `"${what}" not a valid ifname`)
  return name
}

function parse(words: Words): Request {
  const request: Request = { type: 'TUNSETIFF' }
  for (; words.more; words.advance()) {
    switch (words.current) {
      case 'mode': {
        const mode = words.value()
        if (request.mode !== undefined)
          throw new Refusal('You managed to ask for more than one tunnel mode.\n', EXIT_USAGE)
        if (mode !== 'tun' && mode !== 'tap') throw new Refusal(`Unknown tunnel mode "${mode}"\n`, EXIT_USAGE)
        request.mode = mode
        break
      }
      case 'user':
        request.user = account('user', words.value())
        break
      case 'group':
        request.group = account('group', words.value())
        break
      case 'pi':
        request.pi = true
        break
      case 'one_queue':
        break
      case 'vnet_hdr':
        request.vnetHdr = true
        break
      case 'multi_queue':
        request.multiQueue = true
        break
      case 'dev':
        words.value()
        request.name = deviceName(words, 'dev')
        break
      default:
        if (words.current === 'name') words.value()
        else if (words.current === 'help') throw new Refusal(tuntapHelp, EXIT_USAGE)
        request.name = deviceName(words, 'name')
    }
  }
  if (request.mode === undefined) throw new Refusal('You failed to specify a tunnel mode\n', 1)
  return request
}

function change(session: Session, words: Words, persist: boolean): number {
  const answer = session.sys.netlink({ ...parse(words), persist } as { type: string })
  if (answer.ok) return 0
  throw new Refusal(`ioctl(TUNSETIFF): ${strerror(answer.errno)}\n`, 1)
}

export function addTuntap(session: Session, words: Words): number {
  return change(session, words, true)
}

export function deleteTuntap(session: Session, words: Words): number {
  return change(session, words, false)
}

/** All of them: what follows is not looked at. */
export function showTuntap(session: Session): number {
  const { out, options } = session
  out.begin(options.json)
  for (const { name, kind, data } of session.ask<LinkMessage>({ type: 'RTM_GETLINK' })) {
    if (kind !== 'tun' || data === undefined) continue
    const flags = [String(data['type'])]
    for (const flag of ['pi', 'vnet_hdr', 'multi_queue', 'persist']) if (data[flag] === true) flags.push(flag)
    out.openObject()
    out.field('ifname', name, `${name}:`)
    out.openArray('flags')
    for (const flag of flags) out.field(undefined, flag, ` ${flag}`)
    out.close()
    for (const who of ['user', 'group']) {
      if (data[who] !== undefined) out.field(who, Number(data[who]), ` ${who} ${data[who]}`)
    }
    out.close()
    out.text('\n')
  }
  out.end()
  return 0
}
