/**
 * `-j CLUSTERIP`: its options are read, and the kernel refuses it. Only the legacy iptables can have it: when nf_tables asks,
 * as Debian 12's iptables does, the module says so in the log. What does the same there is the match `cluster` with
 * `arptables -j mangle`. Linux 6.1 net/ipv4/netfilter/ipt_CLUSTERIP.c: clusterip_tg_check().
 */
import { assert } from '#base/check'
import { defineState } from '#kernel/core'
import { formatMac, parseMac } from '#wire/link'
import { XtError, type XtTarget } from './extension.ts'
import { numberOption } from './words.ts'

const MODES = ['sourceip', 'sourceip-sourceport', 'sourceip-sourceport-destport']
/** CLUSTERIP_MAX_NODES. */
const NODES_MAX = 16
/** What `--new` needs besides. */
const WITH_NEW = ['hashmode', 'clustermac', 'total-nodes', 'local-node']

/** The module says so when it comes in. */
const loaded = defineState(() => ({ told: false }), { per: 'machine' })

interface ClusterIpInfo {
  new: boolean
  mode: string
  mac: number
  total: number
  local: number
  init: number
}

export const CLUSTERIP: XtTarget<ClusterIpInfo> = {
  kind: 'target',
  name: 'CLUSTERIP',
  revision: 0,
  families: ['ip'],
  help: `CLUSTERIP target options:
  --new			 Create a new ClusterIP
  --hashmode <mode>		 Specify hashing mode
					sourceip
					sourceip-sourceport
					sourceip-sourceport-destport
  --clustermac <mac>		 Set clusterIP MAC address
  --total-nodes <num>		 Set number of total nodes in cluster
  --local-node <num>		 Set the local node number
  --hash-init <num>		 Set init value of the Jenkins hash
`,
  options: [
    { name: 'new', value: 'none' },
    { name: 'hashmode', value: 'required' },
    { name: 'clustermac', value: 'required' },
    { name: 'total-nodes', value: 'required' },
    { name: 'local-node', value: 'required' },
    { name: 'hash-init', value: 'required' },
  ],
  init: () => ({ new: false, mode: '', mac: 0, total: 0, local: 0, init: 0 }),
  parse(state, option, value) {
    if (option === 'new') state.new = true
    else if (option === 'hashmode') {
      if (!MODES.includes(value)) throw new XtError(`Unknown hashmode "${value}"`)
      state.mode = value
    } else if (option === 'clustermac') {
      const mac = parseMac(value)
      if (mac === undefined) throw new XtError('Invalid MAC address specified.')
      if (Math.floor(mac / 2 ** 40) % 2 === 0) throw new XtError('MAC has to be a multicast ethernet address')
      state.mac = mac
    } else if (option === 'total-nodes') state.total = numberOption('CLUSTERIP', option, value, NODES_MAX)
    else if (option === 'local-node') state.local = numberOption('CLUSTERIP', option, value, NODES_MAX)
    else state.init = numberOption('CLUSTERIP', option, value)
  },
  finish(state, seen) {
    const complete = seen.has('new') && WITH_NEW.every((name) => seen.has(name))
    if (seen.size > 0 && !complete) throw new XtError('CLUSTERIP target: Invalid parameter combination')
    return { ...state }
  },
  print(info) {
    const one = info as unknown as ClusterIpInfo
    if (!one.new) return ' CLUSTERIP'
    return ` CLUSTERIP hashmode=${one.mode} clustermac=${formatMac(one.mac).toUpperCase()} total_nodes=${one.total} local_node=${one.local} hash_init=${one.init}`
  },
  save(info) {
    const one = info as unknown as ClusterIpInfo
    if (!one.new) return ''
    return ` --new --hashmode ${one.mode} --clustermac ${formatMac(one.mac).toUpperCase()} --total-nodes ${one.total} --local-node ${one.local} --hash-init ${one.init}`
  },
  check(_info, { host, log }) {
    const seen = loaded.of(host)
    if (!seen.told) log('ipt_CLUSTERIP: ClusterIP Version 0.8 loaded successfully')
    seen.told = true
    log('ipt_CLUSTERIP: cannot use CLUSTERIP target from nftables compat')
    return 'EOPNOTSUPP'
  },
  run() {
    assert(false, 'no rule with CLUSTERIP comes in')
  },
}
