/** /proc/net/bonding. Linux 6.1 drivers/net/bonding/bond_procfs.c. */
import type { Host, KernelImage } from '#kernel/core'
import { deviceByName, devices } from '#kernel/net'
import { formatIpv4 } from '#wire/inet'
import { formatMac } from '#wire/link'
import { type Bond, bondOf, type LinkState, type Mode, POLICIES, type Slave } from './bond.ts'
import { activeAggregator } from './lacp.ts'

/** bond_mode_name() */
const MODE_NAMES: Record<Mode, string> = {
  'balance-rr': 'load balancing (round-robin)',
  'active-backup': 'fault-tolerance (active-backup)',
  'balance-xor': 'load balancing (xor)',
  broadcast: 'fault-tolerance (broadcast)',
  '802.3ad': 'IEEE 802.3ad Dynamic link aggregation',
  'balance-tlb': 'transmit load balancing',
  'balance-alb': 'adaptive load balancing',
}

/** bond_slave_link_status() */
export const LINK_NAMES: Record<LinkState, string> = { up: 'up', fail: 'going down', down: 'down', back: 'going back' }

const lines = (all: string[]) => all.map((line) => `${line}\n`).join('')

function masterText(bond: Bond): string {
  const { miimon } = bond
  const moved =
    bond.mode === 'active-backup' && bond.failOverMac !== 'none' ? ` (fail_over_mac ${bond.failOverMac})` : ''
  const all = [`Bonding Mode: ${MODE_NAMES[bond.mode]}${moved}`]
  if (bond.usesHash) all.push(`Transmit Hash Policy: ${bond.policy} (${POLICIES.indexOf(bond.policy)})`)
  if (bond.usesPrimary) {
    const { primary, current } = bond
    const how = primary === undefined ? 'None' : `${primary.device.name} (primary_reselect ${bond.primaryReselect})`
    all.push(`Primary Slave: ${how}`, `Currently Active Slave: ${current?.device.name ?? 'None'}`)
  }
  all.push(
    `MII Status: ${bond.device.carrier ? 'up' : 'down'}`,
    `MII Polling Interval (ms): ${miimon}`,
    `Up Delay (ms): ${bond.updelay * miimon}`,
    `Down Delay (ms): ${bond.downdelay * miimon}`,
    `Peer Notification Delay (ms): ${bond.peerNotifyDelay * miimon}`,
  )
  if (bond.arpInterval > 0) {
    const targets = bond.arpTargets.map((target) => ` ${formatIpv4(target)}`).join(',')
    all.push(
      `ARP Polling Interval (ms): ${bond.arpInterval}`,
      `ARP Missed Max: ${bond.arpMissedMax}`,
      `ARP IP target/s (n.n.n.n form):${targets}`,
      'NS IPv6 target/s (xx::xx form):',
    )
  }
  return lines(all) + (bond.mode === '802.3ad' ? lacpText(bond) : '')
}

function lacpText(bond: Bond): string {
  const all = [
    '',
    '802.3ad info',
    `LACP active: ${bond.lacpActive ? 'on' : 'off'}`,
    `LACP rate: ${bond.lacpFast ? 'fast' : 'slow'}`,
    `Min links: ${bond.minLinks}`,
    `Aggregator selection policy (ad_select): ${bond.adSelect}`,
    `System priority: ${bond.lacp?.systemPriority ?? 0}`,
    `System MAC address: ${formatMac(bond.lacp?.system ?? 0)}`,
  ]
  const active = activeAggregator(bond)
  if (active === undefined) all.push(`bond ${bond.device.name} has no active aggregator`)
  else {
    all.push(
      'Active Aggregator Info:',
      `\tAggregator ID: ${active.id}`,
      `\tNumber of ports: ${active.enabledPorts}`,
      `\tActor Key: ${active.actorKey}`,
      `\tPartner Key: ${active.partnerKey}`,
      `\tPartner Mac Address: ${formatMac(active.partner)}`,
    )
  }
  return lines(all)
}

function slaveText(slave: Slave): string {
  const all = [
    '',
    `Slave Interface: ${slave.device.name}`,
    `MII Status: ${LINK_NAMES[slave.link]}`,
    `Speed: ${slave.speed < 0 ? 'Unknown' : `${slave.speed} Mbps`}`,
    `Duplex: ${slave.duplex === 'unknown' ? 'Unknown' : slave.duplex}`,
    `Link Failure Count: ${slave.failures}`,
    `Permanent HW addr: ${formatMac(slave.permanentAddress)}`,
    `Slave queue ID: ${slave.queueId}`,
  ]
  if (slave.bond.mode === '802.3ad') all.push(...portLines(slave))
  return lines(all)
}

function portLines({ bond, lacp }: Slave): string[] {
  if (lacp?.aggregator === undefined) return ['Aggregator ID: N/A']
  const { partner } = lacp
  return [
    `Aggregator ID: ${lacp.aggregator.id}`,
    `Actor Churn State: ${lacp.actorChurn}`,
    `Partner Churn State: ${lacp.partnerChurn}`,
    `Actor Churned Count: ${lacp.actorChurns}`,
    `Partner Churned Count: ${lacp.partnerChurns}`,
    'details actor lacp pdu:',
    `    system priority: ${bond.lacp!.systemPriority}`,
    `    system mac address: ${formatMac(bond.lacp!.system)}`,
    `    port key: ${lacp.key}`,
    `    port priority: ${lacp.priority}`,
    `    port number: ${lacp.number}`,
    `    port state: ${lacp.state}`,
    'details partner lacp pdu:',
    `    system priority: ${partner.systemPriority}`,
    `    system mac address: ${formatMac(partner.system)}`,
    `    oper key: ${partner.key}`,
    `    port priority: ${partner.portPriority}`,
    `    port number: ${partner.port}`,
    `    port state: ${partner.state}`,
  ]
}

export function bondText(bond: Bond, release: string): string {
  return `Ethernet Channel Bonding Driver: v${release}\n\n${masterText(bond)}${bond.slaves.map(slaveText).join('')}`
}

export function bonds(host: Host): Bond[] {
  return devices(host).flatMap((device) => bondOf(device) ?? [])
}

/** Installs them. */
export function installProcBonding(image: KernelImage): void {
  image.procDirectory('/proc/net/bonding', {
    list: (host) => bonds(host).map(({ device }) => device.name),
    lookup(host, name) {
      const device = deviceByName(host, name)
      const bond = device && bondOf(device)
      return bond && { kind: 'file', file: { read: () => bondText(bond, image.release) } }
    },
  })
}
