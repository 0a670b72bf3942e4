/** `ip address add`, `change`, `replace`, `del` and `flush`. iproute2 6.1 ip/ipaddress.c: ipaddr_modify() */
import { strerror } from '#kernel/core'
import type { Address6Request, AddressRequest, NewFlags } from '#kernel/net'
import { broadcastOf, isMulticastIpv4, maskOf } from '#wire/inet'
import {
  ADDRESS_FLAGS,
  addressMatches,
  askAddresses,
  FOREVER,
  onlyPrimaries,
  parseAddressFilter,
  showAddress,
} from './address-show.ts'
import { addressHelp } from './help.ts'
import { address, type Prefix, prefix } from './prefix.ts'
import type { Session } from './session.ts'
import {
  abbreviates,
  duplicate,
  duplicateOrGarbage,
  EXIT_USAGE,
  parseUnsigned,
  Refusal,
  unsigned,
  type Words,
  wrongArgument,
} from './words.ts'

const IFA_F_MCAUTOJOIN = 0x400
const RT_SCOPE_HOST = 254

/** flags undefined: delete. */
export function changeAddress(session: Session, words: Words, flags: NewFlags | undefined): number {
  const { names, out } = session
  // The first address that is written settles the family for the others.
  let { family } = session.options
  let device: string | undefined
  let label: string | undefined
  let local: Prefix | undefined
  let localWord = ''
  let peer: Prefix | undefined
  let broadcast: number | '+' | '-' | undefined
  let scope: number | undefined
  let metric: number | undefined
  let valid: number | undefined
  let preferred: number | undefined
  let bits = 0
  for (; words.more; words.advance()) {
    const word = words.current
    if (word === 'peer' || word === 'remote') {
      words.value()
      if (peer) throw duplicate('peer', words.current)
      peer = prefix(words.current, family)
      family = peer.family
    } else if (abbreviates(word, 'broadcast') || word === 'brd') {
      const value = words.value()
      if (broadcast !== undefined) throw duplicate('broadcast', value)
      broadcast = value === '+' || value === '-' ? value : address(value, family).address
    } else if (word === 'anycast') address(words.value(), family)
    else if (word === 'scope') {
      scope = names.parseScope(words.value())
      if (scope === undefined) throw wrongArgument(words.current, 'invalid scope value.')
    } else if (word === 'dev') device = words.value()
    else if (word === 'label') label = words.value()
    else if (abbreviates(word, 'metric') || abbreviates(word, 'priority') || abbreviates(word, 'preference')) {
      metric = unsigned(words.value(), '"metric" value is invalid\n')
    } else if (abbreviates(word, 'valid_lft')) {
      if (valid !== undefined) throw duplicate('valid_lft', word)
      valid = lifetime(words.value(), 'valid_lft value')
    } else if (abbreviates(word, 'preferred_lft')) {
      if (preferred !== undefined) throw duplicate('preferred_lft', word)
      preferred = lifetime(words.value(), 'preferred_lft value')
    } else {
      const flag = ADDRESS_FLAGS.find((candidate) => candidate.name === word)
      if (flag) {
        if (flag.readOnly) out.error(`Warning: ${flag.name} option is not mutable from userspace\n`)
        else if (flag.onlyIpv6 && family !== 'inet6') {
          out.error(`Warning: ${flag.name} option can be set only for IPv6 addresses\n`)
        } else bits |= flag.bit
        continue
      }
      if (word === 'local') words.value()
      if (abbreviates(words.current, 'help')) throw new Refusal(addressHelp, EXIT_USAGE)
      if (local) throw duplicateOrGarbage('local', words.current)
      localWord = words.current
      local = prefix(localWord, family)
      family = local.family
    }
  }
  if (device === undefined) throw new Refusal('Not enough information: "dev" argument is required.\n', 1)

  const deleting = flags === undefined
  const wildcard = deleting && peer === undefined && local !== undefined && !local.lengthGiven
  if (wildcard) {
    out.error(
      `Warning: Executing wildcard deletion to stay compatible with old scripts.\n` +
        `         Explicitly specify the prefix length (${localWord}/${local?.six ? 128 : 32}) to avoid this warning.\n` +
        `         This special behaviour is likely to disappear in further releases,\n` +
        `         fix your scripts!\n`,
    )
  }
  const far = peer ?? local
  const length = peer?.length || (local?.length ?? 0)
  if ((broadcast === '+' || broadcast === '-') && far) {
    if (far.length > 30) broadcast = undefined
    else if (broadcast === '+') broadcast = broadcastOf(far.address, far.length)
    else broadcast = (far.address & maskOf(far.length)) >>> 0
  }
  const ifindex = session.device(device)
  if (valid !== undefined || preferred !== undefined) {
    if (valid === 0) throw new Refusal('valid_lft is zero\n', 1)
    if ((valid ?? FOREVER) < (preferred ?? FOREVER)) throw new Refusal('preferred_lft is greater than valid_lft\n', 1)
  }
  if (bits & IFA_F_MCAUTOJOIN && !(local && isMulticastIpv4(local.address))) {
    throw new Refusal('autojoin needs multicast address\n', 1)
  }
  const six = local?.six ?? far?.six
  if (six !== undefined) {
    const own = { family: 'AF_INET6' as const, ifindex, local: six, prefix: length }
    const other = far?.six !== undefined && far.six !== six ? { address: far.six } : {}
    if (deleting) {
      session.ask({ type: 'RTM_DELADDR', ...own, ...other })
      return 0
    }
    const request: Address6Request = { type: 'RTM_NEWADDR', ...own, ...other, ...flags }
    if (bits) request.flags = bits
    if (metric !== undefined) request.metric = metric
    if (valid !== undefined || preferred !== undefined) {
      request.validS = valid ?? FOREVER
      request.preferredS = preferred ?? FOREVER
    }
    session.ask(request)
    return 0
  }
  const localAddress = local?.address ?? far?.address ?? 0
  if (deleting) {
    const request: AddressRequest = {
      type: 'RTM_DELADDR',
      family: 'AF_INET',
      ifindex,
      local: localAddress,
      prefix: length,
    }
    if (!wildcard && far) request.address = far.address
    if (label !== undefined) request.label = label
    session.ask(request)
    return 0
  }
  const request: AddressRequest = {
    type: 'RTM_NEWADDR',
    family: 'AF_INET',
    ifindex,
    local: localAddress,
    prefix: length,
    ...flags,
  }
  if (far) request.address = far.address
  if (typeof broadcast === 'number') request.broadcast = broadcast
  if (label !== undefined) request.label = label
  request.scope = scope ?? (local && local.address >>> 24 === 127 ? RT_SCOPE_HOST : 0)
  if (bits) request.flags = bits
  if (metric !== undefined) request.metric = metric
  if (valid !== undefined || preferred !== undefined) {
    request.validS = valid ?? FOREVER
    request.preferredS = preferred ?? FOREVER
  }
  session.ask(request)
  return 0
}

function lifetime(word: string, why: string): number {
  const seconds = word === 'forever' ? FOREVER : parseUnsigned(word)
  if (seconds === undefined) throw wrongArgument(word, why)
  return seconds
}

/** Deletes what matches, and looks again until nothing does: deleting a primary may promote a secondary. */
export function flushAddresses(session: Session, words: Words): number {
  const { options, out } = session
  if (!words.more) throw new Refusal('Flush requires arguments.\n', 1)
  if (options.family === 'link') throw new Refusal('Cannot flush link addresses.\n', 1)
  const filter = parseAddressFilter(session, words, false)
  for (let round = 0; options.loops === 0 || round < options.loops; ) {
    const wanted = filter.prefix?.hasAddress ? filter.prefix.family : options.family
    const found = askAddresses(session, wanted).filter((item) => addressMatches(filter, item))
    if (options.stats > 1) for (const item of found) showAddress(session, item, true)
    if (found.length === 0) {
      if (options.stats) {
        out.raw(
          round === 0
            ? 'Nothing to flush.\n'
            : `*** Flush is complete after ${round} round${round > 1 ? 's' : ''} ***\n`,
        )
      }
      return 0
    }
    round++
    for (const item of found) {
      // A delete may have taken others along with it; iproute2 passes over that error, as one of its own making.
      const { family, ifindex, local, address: far, prefix: length } = item
      const label = item.family === 'AF_INET' ? { label: item.label } : {}
      const answer = session.sys.netlink({
        type: 'RTM_DELADDR',
        family,
        ifindex,
        local,
        address: far,
        prefix: length,
        ...label,
      } as AddressRequest)
      if (!answer.ok && answer.errno !== 'EADDRNOTAVAIL') {
        out.error(`Failed to send flush request: ${strerror(answer.errno)}\n`)
        return 255
      }
    }
    if (options.stats) out.raw(`\n*** Round ${round}, deleting ${found.length} addresses ***\n`)
    if (onlyPrimaries(filter)) {
      if (options.stats) out.raw(`*** Flush is complete after ${round} round${round > 1 ? 's' : ''} ***\n`)
      return 0
    }
  }
  out.error(`*** Flush remains incomplete after ${options.loops} rounds. ***\n`)
  return 255
}
