/** What holds for every scheduler, whoever comes and goes: nobody who takes nothing is chosen, and shares follow weights where they should. */
import { describe, expect, test } from 'vitest'
import type { RandomStream } from '#base/sim'
import { forSeeds } from '#base/testing'
import { TestMachine } from '#kernel/testing'
import { IPPROTO_TCP, Packet } from '#wire/inet'
import { Dest } from '../dest.ts'
import { IpHeader } from '../header.ts'
import type { Scheduler } from '../scheduler.ts'
import { Service } from '../service.ts'
import type { Ipvs } from '../state.ts'
import { AF_INET, IP_VS_DEST_CF_AVAILABLE, IP_VS_DEST_F_OVERLOAD } from '../uapi.ts'
import { SCHEDULERS } from './index.ts'

const { host } = new TestMachine()
const ipvs = { host, running: true, round: () => 0 } as unknown as Ipvs
const packet = new Packet()

function service(scheduler: Scheduler): Service {
  const svc = new Service(ipvs, AF_INET, IPPROTO_TCP, 0x0a000064, 80, 0)
  svc.scheduler = scheduler
  scheduler.init?.(svc)
  return svc
}

function add(svc: Service, number: number, weight: number): Dest {
  const dest = new Dest(ipvs, svc, AF_INET, 0x0a000100 + number, 80)
  dest.weight = weight
  dest.lastWeight = weight
  dest.cflags |= IP_VS_DEST_CF_AVAILABLE
  svc.destinations.unshift(dest)
  svc.scheduler!.addDest?.(svc, dest)
  return dest
}

function remove(svc: Service, dest: Dest): void {
  const index = svc.destinations.indexOf(dest)
  svc.destinations.splice(index, 1)
  dest.cflags &= ~IP_VS_DEST_CF_AVAILABLE
  svc.scheduler!.delDest?.(svc, dest, index)
}

function connect(svc: Service, random: RandomStream): Dest | undefined {
  const iph = new IpHeader(AF_INET, IPPROTO_TCP, random.below(2 ** 32), 0x0a090000 + random.below(4), 0)
  iph.sport = random.below(65536)
  iph.dport = 80
  const dest = svc.scheduler!.schedule(svc, packet, iph)
  if (dest !== undefined) {
    dest.totalConns++
    dest.activeConns++
  }
  return dest
}

describe.each(SCHEDULERS.map((one) => [one.name, one] as const))('%s', (name, scheduler) => {
  test('chooses only who is there and takes connections', () => {
    forSeeds(15, (random) => {
      const svc = service(scheduler)
      for (let step = 0, number = 1; step < 120; step++) {
        const { destinations } = svc
        const any = destinations[random.below(Math.max(1, destinations.length))]
        const what = random.below(12)
        if (what === 0 || any === undefined) add(svc, number++, random.below(6))
        else if (what === 1) remove(svc, any)
        else if (what === 2) {
          any.weight = random.below(6)
          if (any.weight > 0) any.lastWeight = any.weight
          scheduler.updDest?.(svc, any)
        } else if (what === 3) any.flags ^= IP_VS_DEST_F_OVERLOAD
        else if (what === 4) any.activeConns = random.below(any.totalConns + 1)
        const chosen = connect(svc, random)
        if (chosen === undefined) continue
        expect(destinations).toContain(chosen)
        expect(chosen.weight).toBeGreaterThan(0)
        // A cache keeps its server, thresholds or not.
        if (name !== 'lblc') expect(chosen.overloaded).toBe(false)
      }
      scheduler.done?.(svc)
    })
  })
})

test('wrr: in a round each has as many turns as its weight', () => {
  forSeeds(40, (random) => {
    const svc = service(SCHEDULERS.find((one) => one.name === 'wrr')!)
    const dests = Array.from({ length: 1 + random.below(6) }, (_, i) => add(svc, i + 1, (1 + random.below(9)) * 3))
    // Adding left the bar somewhere: a scheduler that begins now starts at the top.
    svc.scheduler!.init!(svc)
    const round = dests.reduce((sum, dest) => sum + dest.weight, 0)
    for (let i = 0; i < round; i++) connect(svc, random)
    expect(dests.map((dest) => dest.totalConns)).toEqual(dests.map((dest) => dest.weight))
  })
})

test('mh: each has its share of the places, and a server that goes moves few of the others', () => {
  const scheduler = SCHEDULERS.find((one) => one.name === 'mh')!
  const svc = service(scheduler)
  const dests = [1, 2, 3, 4].map((weight) => add(svc, weight, weight))
  const places = () => svc.schedData as (Dest | undefined)[]
  const before = places()
  for (const dest of dests) {
    const share = before.filter((one) => one === dest).length / before.length
    expect(Math.abs(share - dest.weight / 10)).toBeLessThan(0.001)
  }
  remove(svc, dests[0]!)
  const moved = places().filter((one, i) => before[i] !== dests[0] && one !== before[i]).length
  expect(moved / before.length).toBeLessThan(0.1)
})
