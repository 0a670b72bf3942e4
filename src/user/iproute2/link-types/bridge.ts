/** `type bridge`. iproute2 6.1 ip/iplink_bridge.c */
import { abbreviates, Refusal, wrongArgument } from '../words.ts'
import { type Field, type Option, optionValue, showFields } from './fields.ts'
import { type LinkData, type LinkType, unknownWord } from './type.ts'

const U8 = 0xff
const U16 = 0xffff

/** In the order in which the tool looks for them: an abbreviation means the first. */
const OPTIONS: Option[] = [
  { word: 'forward_delay' },
  { word: 'hello_time' },
  { word: 'max_age' },
  { word: 'ageing_time' },
  { word: 'stp_state' },
  { word: 'priority', max: U16 },
  { word: 'vlan_filtering', max: U8 },
  { word: 'vlan_protocol' },
  { word: 'group_fwd_mask', max: U16 },
  { word: 'group_address', key: 'group_addr', as: 'mac' },
  { word: 'no_linklocal_learn', max: U8 },
  { word: 'fdb_flush', as: 'flag' },
  { word: 'vlan_default_pvid', max: U16 },
  { word: 'vlan_stats_enabled', max: U8 },
  { word: 'vlan_stats_per_port', max: U8 },
  { word: 'mcast_vlan_snooping', max: U8 },
  { word: 'mcast_router', max: U8 },
  { word: 'mcast_snooping', max: U8 },
  { word: 'mcast_query_use_ifaddr', max: U8 },
  { word: 'mcast_querier', max: U8 },
  { word: 'mcast_hash_elasticity' },
  { word: 'mcast_hash_max' },
  { word: 'mcast_last_member_count', key: 'mcast_last_member_cnt' },
  { word: 'mcast_startup_query_count', key: 'mcast_startup_query_cnt' },
  { word: 'mcast_last_member_interval', key: 'mcast_last_member_intvl' },
  { word: 'mcast_membership_interval', key: 'mcast_membership_intvl' },
  { word: 'mcast_querier_interval', key: 'mcast_querier_intvl' },
  { word: 'mcast_query_interval', key: 'mcast_query_intvl' },
  { word: 'mcast_query_response_interval', key: 'mcast_query_response_intvl' },
  { word: 'mcast_startup_query_interval', key: 'mcast_startup_query_intvl' },
  { word: 'mcast_stats_enabled', max: U8 },
  { word: 'mcast_igmp_version', max: U8 },
  { word: 'mcast_mld_version', max: U8 },
  { word: 'nf_call_iptables', max: U8 },
  { word: 'nf_call_ip6tables', max: U8 },
  { word: 'nf_call_arptables', max: U8 },
]

const FIELDS: Field[] = [
  { key: 'forward_delay' },
  { key: 'hello_time' },
  { key: 'max_age' },
  { key: 'ageing_time' },
  { key: 'stp_state' },
  { key: 'priority' },
  { key: 'vlan_filtering' },
  { key: 'vlan_protocol', as: 'string' },
  { key: 'bridge_id', as: 'string' },
  { key: 'root_id', word: 'designated_root', as: 'string' },
  { key: 'root_port' },
  { key: 'root_path_cost' },
  { key: 'topology_change' },
  { key: 'topology_change_detected' },
  { key: 'hello_timer', as: 'timer' },
  { key: 'tcn_timer', as: 'timer' },
  { key: 'topology_change_timer', as: 'timer' },
  { key: 'gc_timer', as: 'timer' },
  { key: 'vlan_default_pvid' },
  { key: 'vlan_stats_enabled' },
  { key: 'vlan_stats_per_port' },
  { key: 'group_fwd_mask', as: 'hex' },
  { key: 'group_addr', word: 'group_address', as: 'mac' },
  { key: 'mcast_snooping' },
  { key: 'no_linklocal_learn' },
  { key: 'mcast_vlan_snooping' },
  { key: 'mcast_router' },
  { key: 'mcast_query_use_ifaddr' },
  { key: 'mcast_querier' },
  { key: 'mcast_hash_elasticity' },
  { key: 'mcast_hash_max' },
  { key: 'mcast_last_member_cnt', word: 'mcast_last_member_count' },
  { key: 'mcast_startup_query_cnt', word: 'mcast_startup_query_count' },
  { key: 'mcast_last_member_intvl', word: 'mcast_last_member_interval' },
  { key: 'mcast_membership_intvl', word: 'mcast_membership_interval' },
  { key: 'mcast_querier_intvl', word: 'mcast_querier_interval' },
  { key: 'mcast_query_intvl', word: 'mcast_query_interval' },
  { key: 'mcast_query_response_intvl', word: 'mcast_query_response_interval' },
  { key: 'mcast_startup_query_intvl', word: 'mcast_startup_query_interval' },
  { key: 'mcast_stats_enabled' },
  { key: 'mcast_igmp_version' },
  { key: 'mcast_mld_version' },
  { key: 'nf_call_iptables' },
  { key: 'nf_call_ip6tables' },
  { key: 'nf_call_arptables' },
]

/** Words in alphabetical pairs: each with what it takes. */
const help = `Usage: ... bridge ${OPTIONS.map(({ word, as }) => `[ ${word}${as === 'flag' ? '' : ` ${word.toUpperCase()}`} ]`).join('\n\t\t  ')}

Where: VLAN_PROTOCOL := { 802.1Q | 802.1ad }
`

export const bridge: LinkType = {
  help,
  parse(words) {
    const data: LinkData = {}
    for (; words.more; words.advance()) {
      const option = OPTIONS.find(({ word }) => abbreviates(words.current, word))
      if (option === undefined) {
        if (abbreviates(words.current, 'help')) throw new Refusal(help, 1)
        throw unknownWord('bridge', words.current, help)
      }
      if (option.word === 'vlan_protocol') {
        const protocol = words.value().toLowerCase()
        const known = { '802.1q': '802.1Q', '802.1ad': '802.1ad' }[protocol]
        if (known === undefined) throw wrongArgument(words.current, 'invalid vlan_protocol')
        data.vlan_protocol = known
      } else data[option.key ?? option.word] = optionValue(option, words)
    }
    return data
  },
  print(session, data) {
    showFields(session, data, FIELDS)
  },
}
