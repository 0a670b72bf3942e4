/** One run of `tc`: its options, output, and talk with the kernel. */
import { type Sys, strerror } from '#kernel/core'
import type { LinkMessage } from '#kernel/net'
import { Output, Refusal } from '#user/iproute2'
import type { Show } from './kind.ts'

export interface Options extends Show {
  json: boolean
  pretty: boolean
  oneline: boolean
  graph: boolean
}

export class TcSession {
  readonly sys: Sys
  readonly options: Options
  readonly out: Output
  #names: Map<number, string> | undefined

  constructor(sys: Sys, options: Options) {
    this.sys = sys
    this.options = options
    this.out = new Output(options.pretty)
  }

  /** The answers, or the refusal as the tool words it, with what it adds. */
  ask<T>(request: { type: string }, afterwards = ''): T[] {
    const answer = this.sys.netlink(request)
    if (answer.ok) return answer.messages as T[]
    const text = answer.extack
      ? `Error: ${answer.extack}${answer.extack.endsWith('.') ? '' : '.'}\n`
      : `RTNETLINK answers: ${strerror(answer.errno)}\n`
    throw new Refusal(text + afterwards, 2)
  }

  /** The ifindex of a device that must be there. */
  device(name: string): number {
    const answer = this.sys.netlink({ type: 'RTM_GETLINK', name } as { type: string })
    const link = answer.ok ? (answer.messages as LinkMessage[])[0] : undefined
    if (link === undefined) throw new Refusal(`Cannot find device "${name}"\n`, 1)
    return link.ifindex
  }

  deviceName(ifindex: number): string {
    this.#names ??= new Map(this.ask<LinkMessage>({ type: 'RTM_GETLINK' }).map((link) => [link.ifindex, link.name]))
    return this.#names.get(ifindex) ?? `if${ifindex}`
  }
}
