import { describe, expect, test } from 'vitest'
import { SECOND, Simulator } from '#base/sim'
import { ETH_P_IP, Packet, parseIpv4 } from '#wire/inet'
import type { NetDevice } from './device.ts'
import { setDeviceUp } from './device-events.ts'
import { packetTypes } from './devices.ts'
import {
  type Neighbour,
  NTF_EXT_LEARNED,
  NUD_DELAY,
  NUD_FAILED,
  NUD_INCOMPLETE,
  NUD_NOARP,
  NUD_NONE,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
  neighbourFor,
  neighbourLookup,
  neighbourOutput,
  stateName,
  truesize,
  UPDATE_ADMIN,
  UPDATE_EXT_LEARNED,
  UPDATE_OVERRIDE,
  UPDATE_USE,
  UPDATE_WEAK_OVERRIDE,
} from './neighbour.ts'
import type { NeighbourState } from './netlink.ts'
import { TestCable, testCard, testHost, testImage } from './testing.ts'

const IP = parseIpv4('10.0.0.2')!
const MAC = 0x020000000200
const OTHER = 0x020000000300

function packet(dst = IP): Packet {
  const p = new Packet()
  p.etherType = ETH_P_IP
  p.protocol = 1
  p.src = parseIpv4('10.0.0.1')!
  p.dst = dst
  p.length = 56
  return p
}

interface Setting {
  sim: Simulator
  device: NetDevice
  /** Whom it is plugged into never answers. */
  cable: TestCable
  neighbour: Neighbour
  failed: Packet[]
}

/** A host with one neighbour in a state; nobody else is on its cable. */
function setting(state: number, mac = MAC): Setting {
  const sim = new Simulator()
  const image = testImage()
  const failed: Packet[] = []
  packetTypes(image).linkFailure = (p) => failed.push(p)
  const device = testCard(testHost(sim, 'a', image), 'eth0', 0x020000000100, '10.0.0.1/24')
  const silent = testCard(testHost(sim, 'silent'), 'eth0', 0x020000000900)
  const cable = new TestCable(sim, device, silent)
  sim.run(SECOND)
  const neighbour = neighbourFor(device, IP)!
  if (state === NUD_INCOMPLETE) neighbour.mayTransmit(undefined)
  else if (state !== NUD_NONE) neighbour.update(mac, state, UPDATE_OVERRIDE | UPDATE_ADMIN)
  cable.seen.length = 0
  return { sim, device, cable, neighbour, failed }
}

const name = (neighbour: Neighbour): NeighbourState => stateName(neighbour.state)

describe('a packet wants to leave', () => {
  const table: [number, NeighbourState, goes: boolean, asked: boolean][] = [
    [NUD_NONE, 'INCOMPLETE', false, true],
    [NUD_INCOMPLETE, 'INCOMPLETE', false, false],
    [NUD_REACHABLE, 'REACHABLE', true, false],
    [NUD_STALE, 'DELAY', true, false],
    [NUD_DELAY, 'DELAY', true, false],
    [NUD_PROBE, 'PROBE', true, false],
    [NUD_FAILED, 'INCOMPLETE', false, true],
    [NUD_NOARP, 'NOARP', true, false],
    [NUD_PERMANENT, 'PERMANENT', true, false],
  ]
  test.each(table)('in state %i: then it is %s', (state, then, goes, asked) => {
    const { neighbour, cable } = setting(state)
    neighbour.output(packet())
    expect(name(neighbour)).toBe(then)
    expect(cable.seen.filter((frame) => frame.packet.etherType === ETH_P_IP).length).toBe(goes ? 1 : 0)
    expect(cable.seen.filter((frame) => frame.packet.arpOp === 1).length).toBe(asked ? 1 : 0)
  })

  test('without probes it fails at once, and nothing waits', () => {
    const { neighbour, device, cable } = setting(NUD_NONE)
    device.inet.parms = device.inet.parms.with('mcastProbes', 0, true)
    neighbour.output(packet())
    expect(name(neighbour)).toBe('FAILED')
    expect(cable.seen).toEqual([])
  })

  test('a dead entry sends nothing', () => {
    const { neighbour, device, cable } = setting(NUD_NONE)
    device.net.neighbours.removeOne(neighbour)
    neighbour.output(packet())
    expect(cable.seen).toEqual([])
    expect(neighbour.queue).toBeUndefined()
  })
})

describe('the timer', () => {
  test('INCOMPLETE asks three times 1.024 s apart, then fails and reports what waited', () => {
    const { neighbour, cable, sim, failed } = setting(NUD_NONE)
    const beganNs = sim.nowNs
    neighbourOutput(neighbour.device, IP, packet())
    sim.run(beganNs + 10 * SECOND)
    const times = cable.seen.map((frame) => (frame.atNs - beganNs) / SECOND)
    expect(times).toHaveLength(3)
    expect(times[0]).toBe(0)
    expect(times[2]! - times[1]!).toBeCloseTo(1.024, 9)
    expect(cable.seen.every((frame) => frame.packet.macDst === 0xffffffffffff)).toBe(true)
    expect(name(neighbour)).toBe('FAILED')
    expect(failed).toHaveLength(1)
    expect(neighbour.probes).toBe(6)
  })

  test('REACHABLE becomes STALE when nobody confirmed and nobody sent lately', () => {
    const { neighbour, sim, cable } = setting(NUD_REACHABLE)
    sim.run(14 * SECOND)
    expect(name(neighbour)).toBe('REACHABLE') // At least half of 30 s.
    sim.run(52 * SECOND)
    expect(name(neighbour)).toBe('STALE') // At most one and a half of it, and a wheel's rounding.
    expect(cable.seen).toEqual([])
  })

  test('REACHABLE becomes DELAY if somebody asked lately', () => {
    const { neighbour, sim } = setting(NUD_REACHABLE)
    let seen = ''
    for (let s = 2; s < 60 && seen === ''; s++) {
      sim.run(s * SECOND)
      if (neighbour.state === NUD_REACHABLE) neighbour.mayTransmit(undefined)
      else seen = name(neighbour)
    }
    expect(seen).toBe('DELAY')
  })

  test('confirmed, it stays REACHABLE', () => {
    const { neighbour, sim } = setting(NUD_REACHABLE)
    for (let s = 2; s < 100; s += 5) {
      sim.run(s * SECOND)
      neighbour.confirm()
    }
    expect(name(neighbour)).toBe('REACHABLE')
  })

  test('DELAY waits five seconds, then PROBE asks three times the neighbour itself, then it fails', () => {
    const { neighbour, sim, cable } = setting(NUD_STALE)
    neighbour.output(packet())
    cable.seen.length = 0
    sim.run(sim.nowNs + 4.99 * SECOND)
    expect(name(neighbour)).toBe('DELAY')
    sim.run(sim.nowNs + 0.4 * SECOND)
    expect(name(neighbour)).toBe('PROBE')
    sim.run(sim.nowNs + 10 * SECOND)
    expect(cable.seen.map((frame) => frame.packet.macDst)).toEqual([MAC, MAC, MAC])
    expect(name(neighbour)).toBe('FAILED')
  })

  test('DELAY becomes REACHABLE if something above confirmed it', () => {
    const { neighbour, sim, cable } = setting(NUD_STALE)
    neighbour.output(packet())
    cable.seen.length = 0
    sim.run(sim.nowNs + 3 * SECOND)
    neighbour.confirm()
    sim.run(sim.nowNs + 3 * SECOND)
    expect(name(neighbour)).toBe('REACHABLE')
    expect(cable.seen).toEqual([])
  })

  test('mcast_resolicit goes on with broadcasts before it fails', () => {
    const { neighbour, device, sim, cable } = setting(NUD_STALE)
    device.inet.parms = device.inet.parms.with('mcastReprobes', 2, true)
    neighbour.output(packet())
    cable.seen.length = 0
    sim.run(sim.nowNs + 20 * SECOND)
    const all = 0xffffffffffff
    expect(cable.seen.map((frame) => frame.packet.macDst)).toEqual([MAC, MAC, MAC, all, all])
  })

  test.each([NUD_STALE, NUD_FAILED, NUD_NOARP, NUD_PERMANENT, NUD_NONE])('in state %i none runs', (state) => {
    const { neighbour, sim, cable } = setting(state)
    expect(neighbour.timerPending).toBe(false)
    sim.run(sim.nowNs + 200 * SECOND)
    expect(neighbour.state).toBe(state)
    expect(cable.seen).toEqual([])
  })
})

describe('an update', () => {
  const O = UPDATE_OVERRIDE
  const A = UPDATE_ADMIN
  const table: [from: number, mac: number | undefined, to: number, flags: number, state: number, mac: number][] = [
    // An answer.
    [NUD_INCOMPLETE, MAC, NUD_REACHABLE, 0, NUD_REACHABLE, MAC],
    [NUD_STALE, MAC, NUD_REACHABLE, 0, NUD_REACHABLE, MAC],
    [NUD_PROBE, MAC, NUD_REACHABLE, 0, NUD_REACHABLE, MAC],
    // A request's sender: known already, nothing changes; else stale.
    [NUD_REACHABLE, MAC, NUD_STALE, O, NUD_REACHABLE, MAC],
    [NUD_DELAY, MAC, NUD_STALE, O, NUD_DELAY, MAC],
    [NUD_FAILED, MAC, NUD_STALE, O, NUD_STALE, MAC],
    [NUD_INCOMPLETE, MAC, NUD_STALE, O, NUD_STALE, MAC],
    // Another address, with and without leave to override.
    [NUD_REACHABLE, OTHER, NUD_STALE, O, NUD_STALE, OTHER],
    [NUD_REACHABLE, OTHER, NUD_REACHABLE, 0, NUD_REACHABLE, MAC],
    [NUD_STALE, OTHER, NUD_REACHABLE, 0, NUD_STALE, MAC],
    [NUD_REACHABLE, OTHER, NUD_REACHABLE, UPDATE_WEAK_OVERRIDE, NUD_STALE, MAC],
    [NUD_STALE, OTHER, NUD_REACHABLE, UPDATE_WEAK_OVERRIDE, NUD_STALE, MAC],
    // What an administrator set, only an administrator changes.
    [NUD_PERMANENT, OTHER, NUD_REACHABLE, O, NUD_PERMANENT, MAC],
    [NUD_NOARP, OTHER, NUD_REACHABLE, O, NUD_NOARP, MAC],
    [NUD_PERMANENT, OTHER, NUD_REACHABLE, O | A, NUD_REACHABLE, OTHER],
    [NUD_REACHABLE, MAC, NUD_STALE, O | A, NUD_STALE, MAC],
    [NUD_REACHABLE, undefined, NUD_PERMANENT, O | A, NUD_PERMANENT, MAC],
    [NUD_REACHABLE, undefined, NUD_FAILED, O | A, NUD_FAILED, MAC],
    [NUD_PERMANENT, undefined, NUD_NONE, UPDATE_USE | A, NUD_NONE, MAC],
  ]
  test.each(table)('from %i with %s to %i, flags %i', (from, mac, to, flags, state, then) => {
    const { neighbour } = setting(from)
    neighbour.update(mac, to, flags)
    expect(stateName(neighbour.state)).toBe(stateName(state))
    if (state !== NUD_FAILED) expect(neighbour.address).toBe(then)
  })

  test('without an address that anybody knows it is refused', () => {
    const { neighbour } = setting(NUD_NONE)
    expect(neighbour.update(undefined, NUD_PERMANENT, A)).toEqual({
      errno: 'EINVAL',
      extack: 'No link layer address given',
    })
    expect(name(neighbour)).toBe('NONE')
  })

  test('confirms also when the address is not overridden', () => {
    const { neighbour, sim } = setting(NUD_REACHABLE)
    sim.run(sim.nowNs + 5 * SECOND)
    const before = neighbour.confirmed
    neighbour.update(OTHER, NUD_REACHABLE, 0)
    expect(neighbour.address).toBe(MAC)
    expect(neighbour.confirmed).toBeGreaterThan(before)
    expect(neighbour.updated).toBeLessThanOrEqual(before) // The window of locktime doesn't move.
  })

  test('sends what waited, in order', () => {
    const { neighbour, cable } = setting(NUD_NONE)
    for (let id = 1; id <= 3; id++) {
      const p = packet()
      p.ipId = id
      neighbour.output(p)
    }
    cable.seen.length = 0
    neighbour.update(MAC, NUD_REACHABLE, 0)
    expect(cable.seen.map((frame) => frame.packet.ipId)).toEqual([1, 2, 3])
    expect(cable.seen.every((frame) => frame.packet.macDst === MAC)).toBe(true)
  })

  test('by hand to STALE, what waited puts it into DELAY', () => {
    const { neighbour } = setting(NUD_NONE)
    neighbour.output(packet())
    neighbour.update(MAC, NUD_STALE, O | A)
    expect(name(neighbour)).toBe('DELAY')
  })
})

describe('the queue of what waits', () => {
  test('holds packets by their size in memory, and drops the oldest', () => {
    const { neighbour, device } = setting(NUD_NONE)
    expect(truesize(packet())).toBe(768)
    for (let id = 0; id < 300; id++) {
      const p = packet()
      p.ipId = id
      neighbour.output(p)
    }
    expect(neighbour.queue).toHaveLength(277) // 212992 / 768.
    expect(neighbour.queue![0]!.ipId).toBe(23)
    expect(device.net.neighbours.stats.unresDiscards).toBe(23)
  })

  test('goes without a word when the device goes down', () => {
    const { neighbour, device, failed, sim } = setting(NUD_NONE)
    neighbour.output(packet())
    setDeviceUp(device, false)
    sim.run(sim.nowNs + 10 * SECOND)
    expect(failed).toEqual([])
    expect(neighbourLookup(device, IP)).toBeUndefined()
  })
})

describe('entries go', () => {
  test('a lost carrier takes all but the permanent ones; down takes all', () => {
    const { device, cable, sim } = setting(NUD_REACHABLE)
    neighbourFor(device, IP + 1)!.update(MAC, NUD_PERMANENT, UPDATE_ADMIN)
    sim.run(sim.nowNs + 2 * SECOND)
    cable.plug(false)
    expect([...device.net.neighbours.all(device)].map((each) => each.key)).toEqual([IP + 1])
    setDeviceUp(device, false)
    expect([...device.net.neighbours.all(device)]).toEqual([])
  })

  test('arp_evict_nocarrier=0 keeps them', () => {
    const { device, cable, sim } = setting(NUD_REACHABLE)
    device.inet.conf = device.inet.conf.with('arpEvictNocarrier', 0, true)
    sim.run(sim.nowNs + 2 * SECOND)
    cable.plug(false)
    expect(neighbourLookup(device, IP)).toBeDefined()
  })

  test('the periodic collection takes stale ones after gc_stale_time, but leaves fewer than gc_thresh1', () => {
    const { device, sim } = setting(NUD_NONE)
    const table = device.net.neighbours
    sim.run(sim.nowNs + 500 * SECOND)
    expect(table.entries).toBe(1 + 0) // Alone it stays for ever.
    for (let i = 1; i < 140; i++) neighbourFor(device, IP + i)!.update(MAC, NUD_STALE, UPDATE_OVERRIDE)
    sim.run(sim.nowNs + 50 * SECOND)
    expect(table.entries).toBe(139) // The first had not been used for minutes.
    sim.run(sim.nowNs + 40 * SECOND)
    expect(table.entries).toBe(0)
  })

  test('permanent ones, learned ones and ones with a timer are not collected', () => {
    const { device, sim } = setting(NUD_STALE)
    const table = device.net.neighbours
    table.gcThresh1 = 0
    const permanent = neighbourFor(device, IP + 1)!
    permanent.update(MAC, NUD_PERMANENT, UPDATE_ADMIN)
    const learned = neighbourFor(device, IP + 2)!
    learned.update(MAC, NUD_STALE, UPDATE_ADMIN | UPDATE_EXT_LEARNED)
    expect(learned.flags).toBe(NTF_EXT_LEARNED)
    expect(table.gcEntries).toBe(1)
    sim.run(sim.nowNs + 300 * SECOND)
    expect([...table.all(device)]).toEqual([permanent, learned])
  })

  test('a full table collects what failed, and says so in the log if nothing can go', () => {
    const { device } = setting(NUD_NONE)
    const table = device.net.neighbours
    Object.assign(table, { gcThresh1: 1, gcThresh2: 2, gcThresh3: 3 })
    const [a, b] = [neighbourFor(device, IP + 1)!, neighbourFor(device, IP + 2)!]
    for (const each of [a, b, neighbourLookup(device, IP)!]) each.update(MAC, NUD_REACHABLE, UPDATE_OVERRIDE)
    expect(neighbourFor(device, IP + 3)).toBeUndefined()
    expect((device.host as unknown as { logged: string[] }).logged).toEqual([
      'neighbour: arp_cache: neighbor table overflow!',
    ])
    expect(table.stats.tableFulls).toBe(1)
    a.update(undefined, NUD_FAILED, UPDATE_ADMIN)
    expect(neighbourFor(device, IP + 3)).toBeDefined()
    expect(a.dead).toBe(true)
    expect(neighbourLookup(device, IP + 1)).toBeUndefined()
  })
})
