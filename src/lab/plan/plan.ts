/** A lab as data: what `lab:` in an article's front matter says, checked and completed. */

import type { Hardware } from '#kernel/core'

/** One layer-2 segment: a learning switch. Delay, rate and loss apply where a frame leaves the switch. */
export interface NetworkPlan {
  name: string
  /** One way, added where a frame leaves the switch. */
  delayNs: number
  /** Bits per second; Infinity if not limited. */
  rateBps: number
  /** 0 to 1. */
  loss: number
}

export interface AddressPlan {
  /** Dotted quad, or an IPv6 address in RFC 5952's form. */
  address: string
  prefix: number
}

export interface InterfacePlan {
  name: string
  network: string
  addresses: AddressPlan[]
  /** `02:00:00:00:HH:II`: the host's number from 1, the interface's from 0, in hexadecimal. */
  mac: string
}

export interface HostPlan {
  name: string
  /** From 1, in the order written. */
  number: number
  interfaces: InterfacePlan[]
  /** Further addresses of the loopback interface, beside 127.0.0.1/8. */
  loopback: AddressPlan[]
  /** The default route's next hop, if given; and IPv6's. */
  gateway: string | undefined
  gateway6?: string | undefined
  /** In the order written: `net.ipv4.ip_forward` and the value as it would be written to /proc/sys. */
  sysctl: [name: string, value: string][]
  ipv6: boolean
  /** `linux-6.1` unless the host says otherwise. */
  kernel: string
  /** `pc` unless the host says otherwise. */
  machine: string
  /** More of the machine, if the host says more than `machine: pc`. */
  hardware?: Hardware
}

export interface LabPlan {
  networks: NetworkPlan[]
  hosts: HostPlan[]
}
