/** One run of `ip`: its options, its output, and its talk with the kernel. */
import type { Sys } from '#kernel/core'
import { strerror } from '#kernel/core'
import type { LinkMessage, Net6Request, NetRequest } from '#kernel/net'
import { formatIpv4, formatIpv6 } from '#wire/inet'
import type { Names } from './names.ts'
import { Output } from './output.ts'
import type { Family, IpAddress } from './prefix.ts'
import { noDevice, Refusal } from './words.ts'

/** What stands between `ip` and its object. */
export interface Options {
  family: Family
  stats: number
  details: number
  human: boolean
  iec: boolean
  resolve: boolean
  oneline: boolean
  brief: boolean
  json: boolean
  pretty: boolean
  numeric: boolean
  force: boolean
  /** -compressvlans: ranges of VLANs as such. */
  compressVlans: boolean
  /** -all: of all namespaces. */
  all: boolean
  /** How often a flush of addresses looks again; 0: until nothing is left. */
  loops: number
}

export const DEFAULT_OPTIONS: Options = {
  family: 'any',
  stats: 0,
  details: 0,
  human: false,
  iec: false,
  resolve: false,
  oneline: false,
  brief: false,
  json: false,
  pretty: false,
  numeric: false,
  force: false,
  compressVlans: false,
  all: false,
  loops: 10,
}

export class Session {
  readonly sys: Pick<Sys, 'netlink'>
  readonly options: Options
  readonly names: Names
  readonly out: Output
  /** The names of namespaces by the numbers that this one knows them by. */
  netnsNames: ReadonlyMap<number, string> = new Map()
  /** What /etc/hosts says of addresses, with -r. */
  readonly hosts: ReadonlyMap<number, string>
  #links: Map<number, LinkMessage> | undefined

  constructor(
    sys: Pick<Sys, 'netlink'>,
    options: Options,
    names: Names,
    hosts: ReadonlyMap<number, string> = new Map(),
  ) {
    this.sys = sys
    this.options = options
    this.names = names
    this.hosts = hosts
    this.out = new Output(options.pretty)
  }

  /** Between the lines of one object: -oneline makes it a backslash. */
  get newline(): string {
    return this.options.oneline ? '\\' : '\n'
  }

  /** The answers, or the refusal that iproute2 prints for an error. iproute2 6.1 lib/libnetlink.c: rtnl_talk_error() */
  ask<T>(request: NetRequest | Net6Request): T[] {
    const answer = this.sys.netlink(request)
    if (answer.ok) return answer.messages as T[]
    if (!answer.extack) throw new Refusal(`RTNETLINK answers: ${strerror(answer.errno)}\n`, 2)
    throw new Refusal(`Error: ${answer.extack}${answer.extack.endsWith('.') ? '' : '.'}\n`, 2)
  }

  /** The ifindex of a device that must be there. */
  device(name: string): number {
    const index = this.findDevice(name)
    if (index === undefined) throw noDevice(name)
    return index
  }

  /** A device's ifindex by its name; `if7` is a name for 7 too. */
  findDevice(name: string): number | undefined {
    const answer = this.sys.netlink({ type: 'RTM_GETLINK', name } as NetRequest)
    const found = answer.ok ? (answer.messages as LinkMessage[])[0] : undefined
    if (found) return found.ifindex
    const number = /^if(\d+)$/.exec(name)?.[1]
    return number === undefined || number === '0' ? undefined : Number(number)
  }

  link(ifindex: number): LinkMessage | undefined {
    this.#links ??= new Map(this.ask<LinkMessage>({ type: 'RTM_GETLINK' }).map((link) => [link.ifindex, link]))
    return this.#links.get(ifindex)
  }

  /** What `dev` says of an ifindex. */
  deviceName(ifindex: number): string {
    return ifindex === 0 ? '*' : (this.link(ifindex)?.name ?? `if${ifindex}`)
  }

  /** After a change the names may be others. */
  forgetLinks(): void {
    this.#links = undefined
  }

  /** An address, with -r its name. */
  host(address: IpAddress): string {
    if (typeof address !== 'number') return formatIpv6(address)
    return this.hosts.get(address) ?? formatIpv4(address)
  }
}
