/**
 * `ip link add type vxlan`: what may be said, and what is refused. Linux 6.1 drivers/net/vxlan/vxlan_core.c: vxlan_validate(),
 * vxlan_config_validate(), vxlan_newlink(), vxlan_changelink(), vxlan_fill_info().
 */
import type { Host } from '#kernel/core'
import { deviceByIndex, type LinkKind, type NetDevice, type Refusal, refuse, registerDevice } from '#kernel/net'
import { DEFAULTS, mergeConfig, type VxlanConfig } from './config.ts'
import { driver, HEADROOM, VXLAN, Vxlan, vxlans } from './device.ts'

function validate(config: VxlanConfig, home: Host): Refusal | undefined {
  const below = config.link === 0 ? undefined : deviceByIndex(home, config.link)
  if (config.link !== 0 && below === undefined) return refuse('ENODEV', 'Invalid local interface, device not found')
  if (config.local >>> 28 === 0xe) return refuse('EINVAL', 'Local address is multicast')
  if (config.remote >>> 28 === 0xe && config.link === 0) {
    return refuse('EINVAL', 'Local interface required for multicast remote destination')
  }
  return undefined
}

function taken(config: VxlanConfig, home: Host, own?: Vxlan): Refusal | undefined {
  for (const other of vxlans.of(home)) {
    if (other !== own && other.config.id === config.id && other.config.port === config.port) {
      return refuse('EEXIST', 'A VXLAN device with the specified VNI already exists')
    }
  }
  return undefined
}

function randomMac(device: NetDevice): number {
  const { host } = device
  const bytes = host.sim.random(`${(host.base ?? host).name}/hardware addresses`).bytes(6)
  bytes[0] = (bytes[0]! & 0xfe) | 0x02
  return bytes.reduce((mac, byte) => mac * 256 + byte, 0)
}

/** What can't be another once a device is there. */
const FIXED: [key: keyof VxlanConfig, extack: string][] = [
  ['id', 'Cannot change VNI'],
  ['sourceLow', 'Cannot change port range'],
  ['port', 'Cannot change port'],
  ['udpChecksum', 'Cannot change UDP checksum'],
]

export const vxlan: LinkKind = {
  kind: 'vxlan',
  looks: VXLAN,
  validate(request) {
    if (request.data === undefined) {
      return refuse('EINVAL', 'Required attributes not provided to perform the operation')
    }
    return undefined
  },
  create(device, request, from) {
    const data = request.data ?? {}
    if (data['id'] === undefined) return refuse('EINVAL', 'Required attributes not provided to perform the operation')
    const config = mergeConfig(data, DEFAULTS)
    if (request.link !== undefined) config.link = request.link
    const refusal = validate(config, from) ?? taken(config, from)
    if (refusal) return refusal
    const own = new Vxlan(device, from, config)
    device.priv = own
    device.driver = driver
    device.carrier = true
    if (device.address === 0) {
      device.address = randomMac(device)
      device.addressAssignType = 1
    }
    const below = config.link === 0 ? undefined : deviceByIndex(from, config.link)
    if (below !== undefined) device.mtu = Math.min(request.mtu ?? below.mtu - HEADROOM, below.mtu - HEADROOM)
    const failed = registerDevice(device)
    if (failed === undefined) vxlans.of(from).add(own)
    return failed
  },
  change(device, data) {
    const own = device.priv as Vxlan
    for (const [key, extack] of FIXED) {
      if (data[key] !== undefined && data[key] !== own.config[key]) return refuse('EOPNOTSUPP', extack)
    }
    const config = mergeConfig(data, own.config)
    const refusal = validate(config, own.home)
    if (refusal) return refusal
    const before = own.config
    own.config = config
    if (before.remote !== config.remote) {
      own.fdb.setDefault(before.remote, config.remote === 0 ? undefined : own.defaultRemote())
    }
    return undefined
  },
  fill: (device) => ({ ...(device.priv as Vxlan).config }),
  linkNet: (device) => (device.priv as Vxlan | undefined)?.home ?? device.host,
}
