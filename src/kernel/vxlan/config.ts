/** What a VXLAN device is told. Linux 6.1 include/net/vxlan.h: struct vxlan_config; drivers/net/vxlan/vxlan_core.c: vxlan_nl2conf(). */
import type { LinkData } from '#kernel/net'

export interface VxlanConfig {
  /** The network's number; 24 bits. */
  id: number
  /** Where all goes that nobody is known for: a host or a group; 0: nowhere. */
  remote: number
  local: number
  /** The device below; 0: any. */
  link: number
  port: number
  sourceLow: number
  sourceHigh: number
  /** 0: 1 for groups, else the host's default; -1: the inner packet's. */
  ttl: number
  /** 1: the inner packet's. */
  tos: number
  df: 'unset' | 'set' | 'inherit'
  learning: boolean
  proxy: boolean
  rsc: boolean
  l2miss: boolean
  l3miss: boolean
  udpChecksum: boolean
  /** Seconds; 0: entries stay. */
  ageing: number
  /** How many entries there may be; 0: any number. */
  maxAddresses: number
}

export const DEFAULTS: VxlanConfig = {
  id: 0,
  remote: 0,
  local: 0,
  link: 0,
  port: 8472,
  sourceLow: 0,
  sourceHigh: 0,
  ttl: 0,
  tos: 0,
  df: 'unset',
  learning: true,
  proxy: false,
  rsc: false,
  l2miss: false,
  l3miss: false,
  udpChecksum: true,
  ageing: 300,
  maxAddresses: 0,
}

/** What a request says, over what was there. */
export function mergeConfig(data: LinkData, before: VxlanConfig): VxlanConfig {
  const config: VxlanConfig = { ...before }
  for (const key of Object.keys(DEFAULTS) as (keyof VxlanConfig)[]) {
    if (data[key] !== undefined) (config[key] as unknown) = data[key]
  }
  return config
}
