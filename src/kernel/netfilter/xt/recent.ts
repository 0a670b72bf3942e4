/** The match `recent`: lists of addresses that were seen lately, and /proc/net/xt_recent. Linux 6.1 net/netfilter/xt_recent.c. */
import { defineState, type Host, type KernelImage } from '#kernel/core'
import { HZ, jiffiesOf } from '#kernel/net'
import { formatIpv4, parseIpv4 } from '#wire/inet'
import { XtError, type XtMatch } from './extension.ts'
import { numberOption } from './words.ts'

/** The module's parameters: how many addresses a list has, and time stamps an address. */
const LIST_TOTAL = 100
const STAMPS_MAX = 20
/** Jiffies begin five minutes before they wrap, as a 64-bit machine prints them. INITIAL_JIFFIES. */
const INITIAL_JIFFIES = 2 ** 32 - 300 * HZ

interface Entry {
  address: number
  ttl: number
  /** Where the next stamp goes; it counts to 255 and begins again. */
  index: number
  stamps: number[]
}

interface List {
  mask: number
  /** How many rules use it. */
  users: number
  /** What a stamp's place is taken modulo. */
  stampsMask: number
  /** The one that wasn't met for the longest time first. */
  entries: Map<number, Entry>
}

const lists = defineState(() => new Map<string, List>())

interface RecentInfo {
  mode: '' | 'set' | 'check' | 'update' | 'remove'
  seconds: number
  hitCount: number
  reap: boolean
  rttl: boolean
  name: string
  mask: number
  side: 'source' | 'dest'
  inverted: boolean
}

export const recent: XtMatch<RecentInfo> = {
  kind: 'match',
  name: 'recent',
  revision: 1,
  help: `recent match options:
[!] --set                       Add source address to list, always matches.
[!] --rcheck                    Match if source address in list.
[!] --update                    Match if source address in list, also update last-seen time.
[!] --remove                    Match if source address in list, also removes that address from list.
    --seconds seconds           For check and update commands above.
                                Specifies that the match will only occur if source address last seen within
                                the last 'seconds' seconds.
    --reap                      Purge entries older then 'seconds'.
                                Can only be used in conjunction with the seconds option.
    --hitcount hits             For check and update commands above.
                                Specifies that the match will only occur if source address seen hits times.
    --rttl                      For check and update commands above.
                                Specifies that the match will only occur if the source address and the TTL
                                match between this packet and the one which was set.
    --name name                 Name of the recent list to be used.  DEFAULT used if none given.
    --rsource                   Match/Save the source address of each packet in the recent list table (default).
    --rdest                     Match/Save the destination address of each packet in the recent list table.
    --mask netmask              Netmask that will be applied to this recent list.
`,
  options: [
    { name: 'set', value: 'none', invert: true, excludes: ['rcheck', 'update', 'remove'] },
    { name: 'rcheck', value: 'none', invert: true, excludes: ['set', 'update', 'remove'] },
    { name: 'update', value: 'none', invert: true, excludes: ['set', 'rcheck', 'remove'] },
    { name: 'remove', value: 'none', invert: true, excludes: ['set', 'rcheck', 'update'] },
    { name: 'seconds', value: 'required' },
    { name: 'reap', value: 'none' },
    { name: 'hitcount', value: 'required' },
    { name: 'rttl', value: 'none' },
    { name: 'name', value: 'required' },
    { name: 'rsource', value: 'none' },
    { name: 'rdest', value: 'none' },
    { name: 'mask', value: 'required' },
  ],
  init: () => ({
    mode: '',
    seconds: 0,
    hitCount: 0,
    reap: false,
    rttl: false,
    name: 'DEFAULT',
    mask: 0xffffffff,
    side: 'source',
    inverted: false,
  }),
  parse(state, option, value, inverted) {
    switch (option) {
      case 'set':
      case 'update':
      case 'remove':
        state.mode = option
        state.inverted = inverted
        return
      case 'rcheck':
        state.mode = 'check'
        state.inverted = inverted
        return
      case 'seconds':
        state.seconds = numberOption('recent', option, value, 0xffffffff, 1)
        return
      case 'hitcount':
        state.hitCount = numberOption('recent', option, value)
        return
      case 'reap':
        state.reap = true
        return
      case 'rttl':
        state.rttl = true
        return
      case 'name':
        if (value.length >= 200) throw new XtError(`recent: name must be shorter\n`)
        state.name = value
        return
      case 'rsource':
        state.side = 'source'
        return
      case 'rdest':
        state.side = 'dest'
        return
      case 'mask': {
        const mask = parseIpv4(value)
        if (mask === undefined) throw new XtError(`recent: Bad value for "--mask" option: "${value}"`)
        state.mask = mask
      }
    }
  },
  finish(state, seen) {
    if (state.mode === '') {
      throw new XtError("recent: you must specify one of `--set', `--rcheck' `--update' or `--remove'")
    }
    if (seen.has('reap') && !seen.has('seconds')) {
      throw new XtError('recent: option "--reap" also requires "--seconds".\n')
    }
    return state as unknown as Record<string, unknown>
  },
  print(info) {
    const one = info as unknown as RecentInfo
    let text = one.inverted ? ' !' : ''
    text += ` recent: ${{ set: 'SET', check: 'CHECK', update: 'UPDATE', remove: 'REMOVE', '': '' }[one.mode]}`
    if (one.seconds) text += ` seconds: ${one.seconds}`
    if (one.reap) text += ' reap'
    if (one.hitCount) text += ` hit_count: ${one.hitCount}`
    if (one.rttl) text += ' TTL-Match'
    return `${text} name: ${one.name} side: ${one.side} mask: ${formatIpv4(one.mask)}`
  },
  save(info) {
    const one = info as unknown as RecentInfo
    let text = `${one.inverted ? ' !' : ''} --${one.mode === 'check' ? 'rcheck' : one.mode}`
    if (one.seconds) text += ` --seconds ${one.seconds}`
    if (one.reap) text += ' --reap'
    if (one.hitCount) text += ` --hitcount ${one.hitCount}`
    if (one.rttl) text += ' --rttl'
    return `${text} --name ${one.name} --mask ${formatIpv4(one.mask)} --r${one.side}`
  },
  check(info, { log }) {
    const one = info as unknown as RecentInfo
    if ((one.mode === 'set' || one.mode === 'remove') && (one.rttl || one.seconds || one.hitCount)) return 'EINVAL'
    if (one.hitCount >= 256) {
      log(`xt_recent: hitcount (${one.hitCount}) is larger than allowed maximum (255)`)
      return 'EINVAL'
    }
    return undefined
  },
  run(info, host, keep) {
    const one = info as unknown as RecentInfo
    const all = lists.of(host)
    const stampsMax = one.hitCount && one.hitCount + 1 > STAMPS_MAX ? one.hitCount + 1 : STAMPS_MAX
    let list = all.get(one.name)
    if (!list) {
      let size = 1
      while (size < stampsMax) size *= 2
      list = { mask: one.mask, users: 0, stampsMask: size - 1, entries: new Map() }
      all.set(one.name, list)
    }
    list.users++
    keep.onRelease(() => {
      if (--list.users === 0) all.delete(one.name)
    })
    return ({ packet, out }) => {
      const address = ((one.side === 'dest' ? packet.dst : packet.src) & list.mask) >>> 0
      // The TTL that it came with, before forwarding took one away.
      const ttl = out !== undefined && packet.socket === undefined ? packet.ttl + 1 : packet.ttl
      return meets(list, one, host, address, ttl)
    }
  },
}

/** recent_mt(). */
function meets(list: List, one: RecentInfo, host: Host, address: number, ttl: number): boolean | 'drop' {
  const now = jiffiesOf(host)
  let entry = list.entries.get(address)
  if (entry && one.rttl && entry.ttl !== ttl) entry = undefined
  if (!entry) {
    if (one.mode !== 'set') return one.inverted
    if (list.entries.size >= LIST_TOTAL) list.entries.delete(list.entries.keys().next().value!)
    list.entries.set(address, { address, ttl, index: 1, stamps: [now] })
    return !one.inverted
  }
  let answer = one.inverted
  if (one.mode === 'set') answer = !answer
  else if (one.mode === 'remove') {
    list.entries.delete(address)
    return !answer
  } else {
    const since = now - one.seconds * HZ
    let hits = 0
    for (const stamp of entry.stamps) {
      if (one.seconds && since > stamp) continue
      if (!one.hitCount || ++hits >= one.hitCount) {
        answer = !answer
        break
      }
    }
    if (one.reap) {
      const [oldest] = list.entries
      const keep = one.mode === 'update' && answer
      if (oldest && !(keep && oldest[1] === entry)) {
        const last = oldest[1].stamps[(oldest[1].index - 1) & list.stampsMask]!
        if (since > last) list.entries.delete(oldest[0])
      }
    }
  }
  if (one.mode === 'set' || (one.mode === 'update' && answer)) {
    touch(list, entry, now)
    entry.ttl = ttl
  }
  return answer
}

/** recent_entry_update(). */
function touch(list: List, entry: Entry, now: number): void {
  entry.index &= list.stampsMask
  entry.stamps[entry.index++] = now
  list.entries.delete(entry.address)
  list.entries.set(entry.address, entry)
}

/** recent_seq_show(). The newest first, as the kernel's hash has a single address; more stand by their address. */
function showList(list: List): string {
  return [...list.entries.values()]
    .map(({ address, ttl, index, stamps }) => {
      const shown = (jiffies: number) => jiffies + INITIAL_JIFFIES
      const last = stamps[(index - 1) & list.stampsMask]!
      return `src=${formatIpv4(address)} ttl: ${ttl} last_seen: ${shown(last)} oldest_pkt: ${index} ${stamps.map(shown).join(', ')}\n`
    })
    .join('')
}

/** /proc/net/xt_recent: a file a list; `+address`, `-address` and `/` change it. */
export function installRecent(image: KernelImage): void {
  image.procDirectory('/proc/net/xt_recent', {
    list: (host) => [...(lists.peek(host)?.keys() ?? [])],
    lookup(host, name) {
      if (!lists.peek(host)?.has(name)) return undefined
      return {
        kind: 'file',
        file: {
          mode: 0o644,
          read: (on) => showList(lists.of(on).get(name)!),
          write(on, text) {
            const list = lists.of(on).get(name)!
            const word = text.trim()
            if (word === '/') {
              list.entries.clear()
              return { ok: true, value: undefined }
            }
            const address = parseIpv4(word.slice(1))
            if (address === undefined || (word[0] !== '+' && word[0] !== '-')) return { ok: false, errno: 'EINVAL' }
            const entry = list.entries.get(address)
            if (word[0] === '-') list.entries.delete(address)
            else if (entry) touch(list, entry, jiffiesOf(on))
            else list.entries.set(address, { address, ttl: 0, index: 1, stamps: [jiffiesOf(on)] })
            return { ok: true, value: undefined }
          },
        },
      }
    },
  })
}
