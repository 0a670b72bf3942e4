/** The kinds of links that `ip` has words for. iproute2 6.1 ip/iplink.c: get_link_kind() */
import { bond, bondSlave } from './bond.ts'
import { bridge } from './bridge.ts'
import { bridgeSlave } from './bridge-slave.ts'
import { macvlan } from './macvlan.ts'
import { tun } from './tun.ts'
import { erspan, greType, gretap, ipip, sit } from './tunnels.ts'
import type { LinkType } from './type.ts'
import { veth } from './veth.ts'
import { vlan } from './vlan.ts'
import { vxlan } from './vxlan.ts'

export type { LinkData, LinkType, LinkWords } from './type.ts'

const plain = (kind: string): LinkType => ({ help: `Usage: ... ${kind}\n` })

/** By the word behind `type`; `KIND_slave` are a master's words for its slaves. */
export const linkTypes: Record<string, LinkType> = {
  dummy: plain('dummy'),
  ifb: plain('ifb'),
  nlmon: plain('nlmon'),
  vcan: plain('vcan'),
  macvlan,
  tun,
  veth,
  vxlan,
  ipip,
  sit,
  gre: greType,
  gretap,
  erspan,
  vlan,
  bond,
  bond_slave: bondSlave,
  bridge,
  bridge_slave: bridgeSlave,
}
