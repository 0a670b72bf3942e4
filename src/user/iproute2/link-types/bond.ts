/** `type bond` and `type bond_slave`. iproute2 6.1 ip/iplink_bond.c, iplink_bond_slave.c */
import { formatIpv4, parseIpv4 } from '#wire/inet'
import { formatMac } from '#wire/link'
import { linkAddress } from '../prefix.ts'
import type { Session } from '../session.ts'
import { abbreviates, parseUnsigned, Refusal, type Words, wrongArgument } from '../words.ts'
import { type Field, showFields } from './fields.ts'
import { type LinkData, type LinkType, unknownWord } from './type.ts'

const MODES = ['balance-rr', 'active-backup', 'balance-xor', 'broadcast', '802.3ad', 'balance-tlb', 'balance-alb']
const POLICIES = ['layer2', 'layer3+4', 'layer2+3', 'encap2+3', 'encap3+4', 'vlan+srcmac']
const VALIDATE = ['none', 'active', 'backup', 'all', 'filter', 'filter_active', 'filter_backup']

interface Option {
  word: string
  /** Its name in the data, if it is another. */
  key?: string
  /** A word of these, or its number. */
  words?: readonly string[]
  /** The largest number. */
  max?: number
  read?(words: Words, session: Session): unknown
  /** What is said of a wrong value. */
  wrong?: string
}

function slave(words: Words, session: Session): unknown {
  return session.device(words.value())
}

/** In the order in which the tool looks for them. */
const OPTIONS: Option[] = [
  { word: 'mode', words: MODES },
  { word: 'active_slave', read: slave },
  { word: 'clear_active_slave', key: 'active_slave', read: () => 0 },
  { word: 'miimon' },
  { word: 'updelay' },
  { word: 'downdelay' },
  { word: 'peer_notify_delay' },
  { word: 'use_carrier', max: 0xff },
  { word: 'arp_interval' },
  { word: 'arp_missed_max', max: 0xff },
  { word: 'arp_ip_target', read: targets },
  { word: 'arp_validate', words: VALIDATE },
  { word: 'arp_all_targets', words: ['any', 'all'] },
  { word: 'primary', read: slave },
  { word: 'primary_reselect', words: ['always', 'better', 'failure'] },
  { word: 'fail_over_mac', words: ['none', 'active', 'follow'] },
  { word: 'xmit_hash_policy', words: POLICIES },
  { word: 'resend_igmp' },
  { word: 'num_grat_arp', key: 'num_peer_notif', max: 0xff, wrong: 'invalid num_grat_arp|num_unsol_na' },
  { word: 'num_unsol_na', key: 'num_peer_notif', max: 0xff, wrong: 'invalid num_grat_arp|num_unsol_na' },
  { word: 'all_slaves_active', max: 0xff },
  { word: 'min_links' },
  { word: 'lp_interval' },
  { word: 'packets_per_slave' },
  { word: 'lacp_rate', key: 'ad_lacp_rate', words: ['slow', 'fast'] },
  { word: 'lacp_active', key: 'ad_lacp_active', words: ['off', 'on'] },
  { word: 'ad_select', words: ['stable', 'bandwidth', 'count'] },
  { word: 'ad_user_port_key', max: 0xffff },
  { word: 'ad_actor_sys_prio', max: 0xffff },
  {
    word: 'ad_actor_system',
    read: (words) => linkAddress(words.value()).reduce((mac, byte) => mac * 256 + byte, 0),
  },
  { word: 'tlb_dynamic_lb', max: 0xff },
]

function targets(words: Words): unknown {
  if (words.following === undefined) return []
  return words
    .value()
    .split(',')
    .filter((text) => text !== '')
    .map((text) => {
      const address = parseIpv4(text)
      if (address === undefined) throw new Refusal(`Error: inet address is expected rather than "${text}".\n`, 1)
      return address
    })
}

const HELP_WORDS = OPTIONS.map(
  ({ word, read }) =>
    `[ ${word}${word.startsWith('clear') ? '' : read === slave ? ' SLAVE_DEV' : ` ${word.toUpperCase()}`} ]`,
)

const help = `Usage: ... bond ${HELP_WORDS.join('\n                ')}

BONDMODE := ${MODES.join('|')}
ARP_VALIDATE := ${VALIDATE.join('|')}
ARP_ALL_TARGETS := any|all
PRIMARY_RESELECT := always|better|failure
FAIL_OVER_MAC := none|active|follow
XMIT_HASH_POLICY := layer2|layer2+3|layer3+4|encap2+3|encap3+4|vlan+srcmac
LACP_ACTIVE := off|on
LACP_RATE := slow|fast
AD_SELECT := stable|bandwidth|count
`

function value(option: Option, words: Words, session: Session): unknown {
  if (option.read !== undefined) return option.read(words, session)
  const text = words.value()
  const wrong = () => wrongArgument(text, option.wrong ?? `invalid ${option.word}`)
  if (option.words === undefined) {
    const number = parseUnsigned(text, option.max ?? 0xffffffff)
    if (number === undefined) throw wrong()
    return number
  }
  if (option.words.includes(text)) return text
  const named = /^\d+$/.test(text) ? option.words[Number(text)] : undefined
  if (named === undefined) throw wrong()
  return named
}

const BEFORE_TARGETS: Field[] = [
  { key: 'miimon' },
  { key: 'updelay' },
  { key: 'downdelay' },
  { key: 'peer_notify_delay' },
  { key: 'use_carrier' },
  { key: 'arp_interval' },
  { key: 'arp_missed_max' },
]

const AFTER_TARGETS: Field[] = [
  { key: 'arp_all_targets', as: 'string' },
  { key: 'primary', as: 'device' },
  { key: 'primary_reselect', as: 'string' },
  { key: 'fail_over_mac', as: 'string' },
  { key: 'xmit_hash_policy', as: 'string' },
  { key: 'resend_igmp' },
  { key: 'num_peer_notif', word: 'num_grat_arp' },
  { key: 'all_slaves_active' },
  { key: 'min_links' },
  { key: 'lp_interval' },
  { key: 'packets_per_slave' },
  { key: 'ad_lacp_active', word: 'lacp_active', as: 'string' },
  { key: 'ad_lacp_rate', word: 'lacp_rate', as: 'string' },
  { key: 'ad_select', as: 'string' },
]

const INFO: Field[] = [
  { key: 'aggregator', word: 'ad_aggregator' },
  { key: 'num_ports', word: 'ad_num_ports' },
  { key: 'actor_key', word: 'ad_actor_key' },
  { key: 'partner_key', word: 'ad_partner_key' },
  { key: 'partner_mac', word: 'ad_partner_mac', as: 'mac' },
]

const LAST: Field[] = [
  { key: 'ad_actor_sys_prio' },
  { key: 'ad_user_port_key' },
  { key: 'ad_actor_system', as: 'mac' },
  { key: 'tlb_dynamic_lb' },
]

function print(session: Session, data: LinkData): void {
  const { out } = session
  showFields(session, data, [{ key: 'mode', as: 'string' }, { key: 'active_slave', as: 'device' }, ...BEFORE_TARGETS])
  const asked = data.arp_ip_target as number[] | undefined
  if (asked !== undefined) {
    out.text(`arp_ip_target ${asked.map(formatIpv4).join(',')} `)
    out.openArray('arp_ip_target')
    for (const target of asked) out.json(undefined, formatIpv4(target))
    out.close()
  }
  out.json('arp_validate', data.arp_validate === 'none' ? null : String(data.arp_validate))
  out.text(`arp_validate ${data.arp_validate} `)
  showFields(session, data, AFTER_TARGETS)
  if (data.ad_info !== undefined) {
    out.openObject('ad_info')
    showFields(session, data.ad_info as LinkData, INFO)
    out.close()
  }
  showFields(session, data, LAST)
}

export const bond: LinkType = {
  help,
  parse(words, session) {
    const data: LinkData = {}
    for (; words.more; words.advance()) {
      const option = OPTIONS.find(({ word }) => abbreviates(words.current, word))
      if (option === undefined) {
        if (abbreviates(words.current, 'help')) throw new Refusal(help, 1)
        throw unknownWord('bond', words.current, help)
      }
      data[option.key ?? option.word] = value(option, words, session)
    }
    return data
  },
  print,
}

/** A LACP port's state, bit by bit. */
const STATES = [
  'active',
  'short_timeout',
  'aggregating',
  'in_sync',
  'collecting',
  'distributing',
  'defaulted',
  'expired',
]

function showState({ out }: Session, key: string, state: number): void {
  const names = STATES.filter((_name, bit) => state & (1 << bit))
  out.field(key, state, `${key} ${state} `)
  out.openArray(`${key}_str`)
  for (const name of names) out.json(undefined, name)
  out.close()
  out.text(`${key}_str <${names.join(',')}> `)
}

const SLAVE_HELP = 'Usage: ... bond_slave [ queue_id ID ] [ prio PRIORITY ]\n'

export const bondSlave: LinkType = {
  help: SLAVE_HELP,
  parse(words) {
    const data: LinkData = {}
    for (; words.more; words.advance()) {
      const word = words.current
      if (abbreviates(word, 'queue_id')) {
        const id = parseUnsigned(words.value(), 0xffff)
        if (id === undefined) throw wrongArgument(words.current, 'queue_id is invalid')
        data.queue_id = id
      } else if (word === 'prio') {
        const text = words.value()
        if (!/^-?\d+$/.test(text)) throw wrongArgument(text, 'prio is invalid')
        data.prio = Number(text)
      } else {
        if (abbreviates(word, 'help')) throw new Refusal(SLAVE_HELP, 1)
        throw new Refusal(`bond_slave: unknown option "${word}"?\n${SLAVE_HELP}`, 1)
      }
    }
    return data
  },
  print(session, data) {
    const { out } = session
    showFields(session, data, [
      { key: 'state', as: 'string' },
      { key: 'mii_status', as: 'string' },
      { key: 'link_failure_count' },
    ])
    const permanent = formatMac(Number(data.perm_hwaddr))
    out.field('perm_hwaddr', permanent, `perm_hwaddr ${permanent} `)
    showFields(session, data, [{ key: 'queue_id' }, { key: 'prio' }, { key: 'ad_aggregator_id' }])
    if (data.ad_actor_oper_port_state === undefined) return
    showState(session, 'ad_actor_oper_port_state', Number(data.ad_actor_oper_port_state))
    showState(session, 'ad_partner_oper_port_state', Number(data.ad_partner_oper_port_state))
  },
}
