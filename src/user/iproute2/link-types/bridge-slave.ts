/** `type bridge_slave`: a port of a bridge. iproute2 6.1 ip/iplink_bridge_slave.c */
import type { Session } from '../session.ts'
import { abbreviates, Refusal, wrongArgument } from '../words.ts'
import { type Field, type Option, optionValue, showFields } from './fields.ts'
import type { LinkData, LinkType } from './type.ts'

export const PORT_STATES = ['disabled', 'listening', 'learning', 'forwarding', 'blocking']

const OPTIONS: Option[] = [
  { word: 'fdb_flush', as: 'flag' },
  { word: 'state', max: 0xff, wrong: 'state is invalid' },
  { word: 'priority', max: 0xffff, wrong: 'priority is invalid' },
  { word: 'cost', wrong: 'cost is invalid' },
  { word: 'hairpin', as: 'onoff' },
  { word: 'guard', as: 'onoff' },
  { word: 'root_block', as: 'onoff' },
  { word: 'fastleave', as: 'onoff' },
  { word: 'learning', as: 'onoff' },
  { word: 'flood', as: 'onoff' },
  { word: 'mcast_flood', as: 'onoff' },
  { word: 'bcast_flood', as: 'onoff' },
  { word: 'mcast_to_unicast', as: 'onoff' },
  { word: 'proxy_arp', as: 'onoff' },
  { word: 'proxy_arp_wifi', as: 'onoff' },
  { word: 'mcast_router', key: 'multicast_router', max: 0xff },
  { word: 'mcast_fast_leave', key: 'fastleave', as: 'onoff' },
  { word: 'neigh_suppress', as: 'onoff' },
  { word: 'group_fwd_mask', max: 0xffff },
  { word: 'vlan_tunnel', as: 'onoff' },
  { word: 'isolated', as: 'onoff' },
  { word: 'locked', as: 'onoff' },
]

const BEFORE_MASK: Field[] = [
  { key: 'priority' },
  { key: 'cost' },
  { key: 'hairpin', as: 'onoff' },
  { key: 'guard', as: 'onoff' },
  { key: 'root_block', as: 'onoff' },
  { key: 'fastleave', as: 'onoff' },
  { key: 'learning', as: 'onoff' },
  { key: 'flood', as: 'onoff' },
  { key: 'id', word: 'port_id', as: 'hex' },
  { key: 'no', word: 'port_no', as: 'hex' },
  { key: 'designated_port' },
  { key: 'designated_cost' },
  { key: 'bridge_id', word: 'designated_bridge', as: 'string' },
  { key: 'root_id', word: 'designated_root', as: 'string' },
  { key: 'hold_timer', as: 'timer' },
  { key: 'message_age_timer', as: 'timer' },
  { key: 'forward_delay_timer', as: 'timer' },
  { key: 'topology_change_ack' },
  { key: 'config_pending' },
  { key: 'proxy_arp', as: 'onoff' },
  { key: 'proxy_arp_wifi', as: 'onoff' },
  { key: 'multicast_router', word: 'mcast_router' },
  { key: 'fastleave', word: 'mcast_fast_leave', as: 'onoff', only: 'text' },
  { key: 'mcast_flood', as: 'onoff' },
  { key: 'bcast_flood', as: 'onoff' },
  { key: 'mcast_to_unicast', as: 'onoff' },
  { key: 'neigh_suppress', as: 'onoff' },
  { key: 'group_fwd_mask', as: 'hex' },
]

const AFTER_MASK: Field[] = [
  { key: 'vlan_tunnel', as: 'onoff' },
  { key: 'isolated', as: 'onoff' },
  { key: 'locked', as: 'onoff' },
  { key: 'backup_port', as: 'device' },
]

/** What is forwarded although it is reserved, by its protocol's name. */
const RESERVED: [bit: number, name: string][] = [
  [0, 'stp'],
  [2, 'lacp'],
  [14, 'lldp'],
]

/** iproute2: _bitmask2str() */
function maskText(mask: number): string {
  const names = RESERVED.filter(([bit]) => mask & (1 << bit)).map(([, name]) => name)
  const rest = RESERVED.reduce((left, [bit]) => left & ~(1 << bit), mask)
  if (rest !== 0 || mask === 0) names.push(`0x${rest.toString(16)}`)
  return names.join(',')
}

/** `state forwarding`, or a number that nobody knows. */
export function showPortState({ out }: Session, state: number): void {
  const name = PORT_STATES[state]
  if (name === undefined) out.field('state', state, `state (${state}) `)
  else out.field('state', name, `state ${name} `)
}

const help = `Usage: ... bridge_slave ${[...OPTIONS.map(({ word, as }) => `[ ${word}${as === 'flag' ? '' : as === 'onoff' ? ' {on | off}' : ` ${word.toUpperCase()}`} ]`), '[ backup_port DEVICE ] [ nobackup_port ]'].join('\n\t\t\t')}
`

export const bridgeSlave: LinkType = {
  help,
  parse(words, session) {
    const data: LinkData = {}
    for (; words.more; words.advance()) {
      const word = words.current
      const option = OPTIONS.find((each) => abbreviates(word, each.word))
      if (option !== undefined) data[option.key ?? option.word] = optionValue(option, words)
      else if (abbreviates(word, 'backup_port')) {
        const index = session.findDevice(words.value())
        if (index === undefined) throw wrongArgument(words.current, 'Device does not exist\n')
        data.backup_port = index
      } else if (abbreviates(word, 'nobackup_port')) data.backup_port = 0
      else if (abbreviates(word, 'help')) throw new Refusal(help, 1)
      else throw new Refusal(`bridge_slave: unknown option "${word}"?\n${help}`, 1)
    }
    return data
  },
  print(session, data) {
    showPortState(session, Number(data.state))
    showFields(session, data, BEFORE_MASK)
    const mask = maskText(Number(data.group_fwd_mask))
    session.out.field('group_fwd_mask_str', mask, `group_fwd_mask_str ${mask} `)
    showFields(session, data, AFTER_MASK)
  },
}
