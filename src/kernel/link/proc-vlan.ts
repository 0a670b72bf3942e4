/** /proc/net/vlan. Linux 6.1 net/8021q/vlanproc.c. */
import type { Host, KernelImage } from '#kernel/core'
import { deviceByName, devices, type NetDevice } from '#kernel/net'
import { REORDER_HDR, vlanOf } from './vlan.ts'

/** IFF_802_1Q_VLAN, IFF_NO_QUEUE, IFF_UNICAST_FLT and what each Ethernet device has. Linux 6.1 include/linux/netdevice.h. */
const PRIVATE_FLAGS = '81021'

function all(host: Host): NetDevice[] {
  return devices(host).filter((device) => vlanOf(device) !== undefined)
}

function config(host: Host): string {
  const lines = all(host).map((device) => {
    const { id, lower } = vlanOf(device)!
    return `${device.name.padEnd(15)}| ${id}  | ${lower.name}\n`
  })
  return `VLAN Dev name\t | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n${lines.join('')}`
}

function one(device: NetDevice): string {
  const { id, flags, lower, ingress, egress } = vlanOf(device)!
  const { stats } = device
  const line = (label: string, count: number) => `${label.padStart(30)} ${String(count).padStart(12)}\n`
  const into = (priority: number) => `${priority}:${ingress.get(priority) ?? 0}`
  const out = [...egress]
    .sort(([a], [b]) => (a & 15) - (b & 15))
    .map(([from, to]) => `${from}:${to} `)
    .join('')
  return (
    `${device.name}  VID: ${id}\t REORDER_HDR: ${flags & REORDER_HDR}  dev->priv_flags: ${PRIVATE_FLAGS}\n` +
    line('total frames received', stats.rxPackets) +
    line('total bytes received', stats.rxBytes) +
    line('Broadcast/Multicast Rcvd', stats.multicast) +
    '\n' +
    line('total frames transmitted', stats.txPackets) +
    line('total bytes transmitted', stats.txBytes) +
    `Device: ${lower.name}` +
    `\nINGRESS priority mappings: ${[0, 1, 2, 3, 4, 5].map(into).join('  ')}  ${into(6)} ${into(7)}\n` +
    ` EGRESS priority mappings: ${out}\n`
  )
}

/** Installs them. */
export function installProcVlan(image: KernelImage): void {
  image.procDirectory('/proc/net/vlan', {
    list: (host) => ['config', ...all(host).map((device) => device.name)],
    lookup(host, name) {
      if (name === 'config') return { kind: 'file', file: { read: config, mode: 0o600 } }
      const device = deviceByName(host, name)
      if (device === undefined || vlanOf(device) === undefined) return undefined
      return { kind: 'file', file: { read: () => one(device), mode: 0o600 } }
    },
  })
}
