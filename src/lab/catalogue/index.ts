/**
 * The only list of optional rooms, and the images that hosts boot. Delete a room's folder and its line here, and all but
 * its dependants still works.
 */

import { bridge } from '#kernel/bridge'
import { conntrack } from '#kernel/conntrack'
import { createImage, type Image, type Room } from '#kernel/core'
import { interrupts } from '#kernel/interrupts'
import { ipset } from '#kernel/ipset'
import { ipv6 } from '#kernel/ipv6'
import { ipvs } from '#kernel/ipvs'
import { link } from '#kernel/link'
import { net } from '#kernel/net'
import { netfilter } from '#kernel/netfilter'
import { pci } from '#kernel/pci'
import { qdisc } from '#kernel/qdisc'
import { time } from '#kernel/time'
import { tunnel } from '#kernel/tunnel'
import { unix } from '#kernel/unix'
import { vxlan } from '#kernel/vxlan'
import { coreutils } from '#user/coreutils'
import { dns } from '#user/dns'
import { heartbeat } from '#user/heartbeat'
import { hping } from '#user/hping'
import { http } from '#user/http'
import { iperf } from '#user/iperf'
import { iproute2 } from '#user/iproute2'
import { iputils } from '#user/iputils'
import { ipvsadm } from '#user/ipvsadm'
import { keepalived } from '#user/keepalived'
import { ldirectord } from '#user/ldirectord'
import { libc } from '#user/libc'
import { netcat } from '#user/netcat'
import { nettools } from '#user/nettools'
import { procps } from '#user/procps'
import { radvd } from '#user/radvd'
import { shell } from '#user/shell'
import { socat } from '#user/socat'
import { tc } from '#user/tc'
import { tcpdump } from '#user/tcpdump'
import { traceroute } from '#user/traceroute'

/** What no host can do without. */
const ALWAYS: Room[] = [time, net, unix, libc, shell, coreutils, iproute2]

/** What a host can have besides: a room a line, those that others need first. */
export const OPTIONAL: Room[] = [
  pci,
  interrupts,
  ipv6,
  link,
  bridge,
  qdisc,
  tunnel,
  vxlan,
  conntrack,
  netfilter,
  ipset,
  ipvs,
  procps,
  nettools,
  iputils,
  tc,
  tcpdump,
  netcat,
  radvd,
  hping,
  traceroute,
  dns,
  http,
  socat,
  iperf,
  heartbeat,
  ipvsadm,
  ldirectord,
  keepalived,
]

/** A Debian 12 host's kernel and userland, with every room of the catalogue. */
export function createDebian12(rooms: Room[] = OPTIONAL): Image {
  const image = createImage({ release: '6.1.0-56-amd64', profile: 'linux-6.1' })
  for (const room of [...ALWAYS, ...rooms]) image.install(room)
  return image
}
