/**
 * /sys/class/net/bond0/bonding, a slave's bonding_slave, and /sys/class/net/bonding_masters.
 *
 * Linux 6.1 drivers/net/bonding/bond_sysfs.c, bond_sysfs_slave.c.
 */
import {
  fail,
  type Host,
  type KernelImage,
  OK,
  type PseudoDirectory,
  type PseudoFile,
  type PseudoNode,
  type SysResult,
} from '#kernel/core'
import { deviceByName, type NetDevice, type Refusal, setMaster, sysClassNetFiles, sysfsGroups } from '#kernel/net'
import { formatIpv4, parseIpv4 } from '#wire/inet'
import { formatMac } from '#wire/link'
import { type Bond, bondOf, MODES, POLICIES, type Slave, slaveOf } from './bond.ts'
import { activeAggregator } from './lacp.ts'
import { AD_SELECTS, bondData, FAIL_OVER_MACS, OPTIONS, RESELECTS, setOption } from './options.ts'
import { bonds, LINK_NAMES } from './show.ts'

type Files = Record<string, PseudoFile>

/** Options with words: in /sys they are shown with their numbers, and set by either. */
const WORDS: Record<string, readonly string[]> = {
  mode: MODES,
  xmit_hash_policy: POLICIES,
  arp_validate: ['none', 'active', 'backup', 'all', 'filter', 'filter_active', 'filter_backup'],
  arp_all_targets: ['any', 'all'],
  primary_reselect: RESELECTS,
  fail_over_mac: FAIL_OVER_MACS,
  lacp_active: ['off', 'on'],
  lacp_rate: ['slow', 'fast'],
  ad_select: AD_SELECTS,
}

/** Their names in rtnetlink's data, if they differ. */
const KEYS: Record<string, string> = {
  lacp_active: 'ad_lacp_active',
  lacp_rate: 'ad_lacp_rate',
  num_grat_arp: 'num_peer_notif',
  num_unsol_na: 'num_peer_notif',
  peer_notif_delay: 'peer_notify_delay',
}

const NUMBERS = [
  'all_slaves_active',
  'arp_interval',
  'arp_missed_max',
  'downdelay',
  'lp_interval',
  'miimon',
  'min_links',
  'num_grat_arp',
  'num_unsol_na',
  'packets_per_slave',
  'peer_notif_delay',
  'resend_igmp',
  'tlb_dynamic_lb',
  'updelay',
  'use_carrier',
]

function done(refusal: Refusal | undefined): SysResult<void> {
  return refusal === undefined ? OK : fail(refusal.errno)
}

function store(bond: Bond, name: string, value: unknown): SysResult<void> {
  const option = OPTIONS.find(({ key }) => key === (KEYS[name] ?? name))!
  return done(setOption(bond, option, value))
}

const firstWord = (text: string) => text.trim().split(/\s+/)[0] ?? ''

function wordFile(bond: Bond, name: string, words: readonly string[]): PseudoFile {
  return {
    read() {
      const value = String(bondData(bond)[KEYS[name] ?? name])
      return `${value} ${words.indexOf(value)}\n`
    },
    write(_host, text) {
      const given = firstWord(text)
      return store(bond, name, /^\d+$/.test(given) ? (words[Number(given)] ?? given) : given)
    },
  }
}

/** A slave by its name; nothing: none. */
function slaveFile(bond: Bond, name: 'active_slave' | 'primary', read: () => string): PseudoFile {
  return {
    read,
    write(host, text) {
      const given = firstWord(text)
      const device = deviceByName(host as Host, given)
      if (given !== '' && device === undefined) return fail('ENODEV')
      return store(bond, name, device?.ifindex ?? 0)
    },
  }
}

function slavesFile(bond: Bond): PseudoFile {
  return {
    read: () => `${bond.slaves.map(({ device }) => device.name).join(' ')}\n`,
    write(host, text) {
      const given = firstWord(text)
      const device = deviceByName(host as Host, given.slice(1))
      if (!/^[+-]/.test(given)) {
        bond.log(3, 'no command found in slaves file - use +ifname or -ifname')
        return fail('EPERM')
      }
      if (device === undefined) {
        bond.log(3, `option slaves: interface ${given} does not exist!`)
        return fail('ENODEV')
      }
      if (given[0] === '+') return done(setMaster(device, bond.device.ifindex))
      return device.master === bond.device ? done(setMaster(device, 0)) : fail('ENODEV')
    },
  }
}

function targetsFile(bond: Bond): PseudoFile {
  return {
    read: () => (bond.arpTargets.length > 0 ? `${bond.arpTargets.map(formatIpv4).join(' ')}\n` : ''),
    write(_host, text) {
      const given = firstWord(text)
      const target = parseIpv4(given.slice(1))
      if (!/^[+-]/.test(given) || target === undefined) return fail(/^[+-]/.test(given) ? 'EINVAL' : 'EPERM')
      if (given[0] === '+') return store(bond, 'arp_ip_target', [...bond.arpTargets, target])
      if (!bond.arpTargets.includes(target)) return fail('EINVAL')
      bond.arpTargets = bond.arpTargets.filter((each) => each !== target)
      return OK
    },
  }
}

function bondFiles(bond: Bond): Files {
  const data = (name: string) => bondData(bond)[KEYS[name] ?? name]
  const lacp = bond.mode === '802.3ad'
  const info = () => (lacp ? activeAggregator(bond) : undefined)
  const ad = (show: () => string | number | undefined): PseudoFile => ({
    read() {
      const value = lacp ? show() : undefined
      return value === undefined ? '' : `${value}\n`
    },
  })
  const files: Files = {
    active_slave: slaveFile(bond, 'active_slave', () =>
      bond.usesPrimary && bond.current !== undefined ? `${bond.current.device.name}\n` : '',
    ),
    primary: slaveFile(bond, 'primary', () => (bond.primary === undefined ? '' : `${bond.primary.device.name}\n`)),
    slaves: slavesFile(bond),
    arp_ip_target: targetsFile(bond),
    mii_status: { read: () => `${bond.device.carrier ? 'up' : 'down'}\n` },
    queue_id: { read: () => `${bond.slaves.map((slave) => `${slave.device.name}:${slave.queueId}`).join(' ')}\n` },
    ad_actor_key: ad(() => info()?.actorKey ?? 0),
    ad_actor_sys_prio: ad(() => bond.adActorSystemPriority),
    ad_actor_system: ad(() => formatMac(bond.adActorSystem)),
    ad_aggregator: ad(() => info()?.id ?? 0),
    ad_num_ports: ad(() => info()?.enabledPorts ?? 0),
    ad_partner_key: ad(() => info()?.partnerKey ?? 0),
    ad_partner_mac: ad(() => {
      const active = info()
      return active && formatMac(active.partner)
    }),
    ad_user_port_key: ad(() => bond.adUserPortKey),
  }
  for (const [name, words] of Object.entries(WORDS)) files[name] = wordFile(bond, name, words)
  for (const name of NUMBERS) {
    files[name] = {
      read: () => `${data(name)}\n`,
      write: (_host, text) => store(bond, name, /^\d+$/.test(firstWord(text)) ? Number(firstWord(text)) : Number.NaN),
    }
  }
  return files
}

function slaveFiles(slave: Slave): Files {
  const ad = (show: () => number | undefined): PseudoFile => ({
    read: () => `${(slave.bond.mode === '802.3ad' ? show() : undefined) ?? 'N/A'}\n`,
  })
  return {
    ad_actor_oper_port_state: ad(() => slave.lacp?.aggregator && slave.lacp.state),
    ad_aggregator_id: ad(() => slave.lacp?.aggregator?.id),
    ad_partner_oper_port_state: ad(() => slave.lacp?.aggregator && slave.lacp.partner.state),
    link_failure_count: { read: () => `${slave.failures}\n` },
    mii_status: { read: () => `${LINK_NAMES[slave.link]}\n` },
    perm_hwaddr: { read: () => `${formatMac(slave.permanentAddress)}\n` },
    queue_id: { read: () => `${slave.queueId}\n` },
    state: { read: () => `${slave.active ? 'active' : 'backup'}\n` },
  }
}

function directory(files: () => Files): PseudoNode {
  const made: PseudoDirectory = {
    list: () => Object.keys(files()).sort(),
    lookup(_host, name) {
      const all = files()
      return Object.hasOwn(all, name) ? { kind: 'file', file: all[name]! } : undefined
    },
  }
  return { kind: 'directory', directory: made }
}

function group(device: NetDevice): Record<string, PseudoNode> {
  const bond = bondOf(device)
  const slave = slaveOf(device)
  const nodes: Record<string, PseudoNode> = {}
  if (bond !== undefined) nodes.bonding = directory(() => bondFiles(bond))
  if (slave !== undefined) nodes.bonding_slave = directory(() => slaveFiles(slave))
  return nodes
}

/** Installs them. */
export function installBondSysfs(image: KernelImage): void {
  sysfsGroups(image).push(group)
  sysClassNetFiles(image).set('bonding_masters', {
    present: (host) => bonds(host as Host).length > 0,
    read: (host) =>
      `${bonds(host as Host)
        .map(({ device }) => device.name)
        .join(' ')}\n`,
  })
}
