/**
 * Every scheduler does again what Linux 6.1 did: `../golden/schedulers.txt` says how servers came, went and changed, who then
 * connected, and by digits which server each connection got (a dot: none). Those of every three connections whose port
 * isn't a multiple of three were closed when five more were open, as the cases in backend/conformance/ipvs do it; here they
 * run without a packet.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { TestMachine } from '#kernel/testing'
import { IPPROTO_TCP, Packet, parseIpv4 } from '#wire/inet'
import { Dest } from '../dest.ts'
import { IpHeader } from '../header.ts'
import { Service } from '../service.ts'
import type { Ipvs } from '../state.ts'
import { AF_INET, IP_VS_DEST_CF_AVAILABLE, IP_VS_SVC_F_SCHED1, IP_VS_SVC_F_SCHED2 } from '../uapi.ts'
import { findScheduler } from './index.ts'

const address = (text: string) => parseIpv4(text)!

/** A service with servers that count what they would have. */
class Played {
  readonly #ipvs: Ipvs
  readonly svc: Service
  readonly #gone: Dest[] = []

  constructor(scheduler: string, flags: string) {
    const { host } = new TestMachine()
    this.#ipvs = { host, running: true, round: () => 0 } as unknown as Ipvs
    this.svc = new Service(this.#ipvs, AF_INET, IPPROTO_TCP, address('10.0.0.100'), 80, 0)
    if (flags.includes('fallback')) this.svc.flags |= IP_VS_SVC_F_SCHED1
    if (flags.includes('port')) this.svc.flags |= IP_VS_SVC_F_SCHED2
    this.svc.scheduler = findScheduler(scheduler)!
    this.svc.scheduler.init?.(this.svc)
  }

  #dest(digit: string): Dest {
    const addr = address(`10.0.1.${digit}`)
    return this.svc.destinations.find((dest) => dest.addr === addr)!
  }

  #set(dest: Dest, words: string[]): void {
    const value = (name: string) => Number(words[words.indexOf(name) + 1])
    dest.weight = value('weight')
    if (dest.weight > 0 || words[0] === 'add') dest.lastWeight = dest.weight
    const upper = words.includes('upper') ? value('upper') : 0
    const lower = words.includes('lower') ? value('lower') : 0
    dest.uThreshold = upper
    dest.lThreshold = lower
    dest.lThresholdVal = lower || upper - (upper >> 2)
    dest.updateOverload(0)
  }

  add(digit: string, words: string[]): void {
    const addr = address(`10.0.1.${digit}`)
    const dest = this.#gone.find((one) => one.addr === addr) ?? new Dest(this.#ipvs, this.svc, AF_INET, addr, 80)
    this.#set(dest, words)
    dest.cflags |= IP_VS_DEST_CF_AVAILABLE
    this.svc.destinations.unshift(dest)
    this.svc.scheduler!.addDest?.(this.svc, dest)
  }

  edit(digit: string, words: string[]): void {
    const dest = this.#dest(digit)
    this.#set(dest, words)
    this.svc.scheduler!.updDest?.(this.svc, dest)
  }

  delete(digit: string): void {
    const dest = this.#dest(digit)
    dest.cflags &= ~IP_VS_DEST_CF_AVAILABLE
    const index = this.svc.destinations.indexOf(dest)
    this.svc.destinations.splice(index, 1)
    this.#gone.push(dest)
    this.svc.scheduler!.delDest?.(this.svc, dest, index)
  }

  /** The servers that connections from these ports get. */
  open(from: string, to: string, first: number, last: number): string {
    const servers = new Map<number, Dest>()
    let seen = ''
    for (let port = first; port <= last; port++) {
      const complete = (text: string) => address(text.endsWith('.') ? `${text}${port % 100}` : text)
      const iph = new IpHeader(AF_INET, IPPROTO_TCP, complete(from), complete(to), 0)
      iph.sport = port
      iph.dport = 80
      const dest = this.svc.scheduler!.schedule(this.svc, new Packet(), iph)
      if (dest !== undefined) {
        servers.set(port, dest)
        dest.activeConns++
        if (++dest.totalConns === dest.uThreshold) dest.updateOverload(1)
      }
      seen += dest === undefined ? '.' : String((dest.addr as number) & 0xff)
      const old = port - 5
      if (old < first || old % 3 === 0) continue
      const closed = servers.get(old)
      if (closed !== undefined) closed.activeConns--
    }
    return seen
  }
}

const golden = readFileSync(new URL('../golden/schedulers.txt', import.meta.url), 'utf8')

describe('as Linux 6.1 scheduled', () => {
  for (const recorded of golden.split('\n\n')) {
    const [title, ...steps] = recorded.trim().split('\n')
    const [scheduler, flags = ''] = title!.split(' ')
    test(title!, () => {
      const played = new Played(scheduler!, flags)
      let connections = 0
      for (const step of steps) {
        const words = step.trim().split(' ')
        const [verb, digit] = words as [string, string]
        if (verb === 'add') played.add(digit, words)
        else if (verb === 'edit') played.edit(digit, words)
        else if (verb === 'delete') played.delete(digit)
        else {
          const [, from, to, first, last, servers] = words as [string, string, string, string, string, string]
          expect(
            `${step.slice(0, step.length - servers.length)}${played.open(from, to, Number(first), Number(last))}`,
          ).toBe(step)
          connections += servers.length
        }
      }
      expect(connections).toBeGreaterThanOrEqual(200)
      played.svc.scheduler!.done?.(played.svc)
    })
  }
})
