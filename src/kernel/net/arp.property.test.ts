import { expect, test } from 'vitest'
import { type RandomStream, SECOND, Simulator } from '#base/sim'
import { forSeeds } from '#base/testing'
import { emitFrame, parseFrame, parseIpv4 } from '#wire/inet'
import { setIpForward } from './conf-sysctl.ts'
import { setDeviceUp } from './device-events.ts'
import type { ConfName } from './inetdev.ts'
import { NUD_IN_TIMER, NUD_VALID, neighbourFor, stateName } from './neighbour.ts'
import { addAddress, TestCable, testCard, testHost } from './testing.ts'

const HEADER = [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0]
const SETTINGS: ConfName[] = [
  'arpIgnore',
  'arpAccept',
  'arpAnnounce',
  'arpFilter',
  'proxyArp',
  'proxyArpPvlan',
  'mediumId',
]

/** Something like an ARP packet for 10.0.0.1, or any bytes at all. */
function frame(random: RandomStream): Uint8Array {
  const bytes = random.bytes(random.below(70))
  if (random.below(4) === 0) return bytes
  const arp = new Uint8Array(42)
  arp.set(random.bytes(42))
  arp.fill(0xff, 0, 6)
  arp.set(HEADER, 12)
  arp[21] = 1 + random.below(3)
  arp.set([10, 0, 0, 1 + random.below(4)], 28)
  arp.set([10, 0, random.below(2), 1 + random.below(4)], 38)
  return arp
}

test('whatever comes off the wire: no throw, no entry in a state that its timer doesn’t fit, all frames parse', () => {
  forSeeds(60, (random) => {
    const sim = new Simulator(random.uint32())
    const host = testHost(sim, 'a')
    const device = testCard(host, 'eth0', 0x020000000100, '10.0.0.1/24')
    const far = testCard(host, 'eth1', 0x020000000101, '10.0.1.1/24')
    const cable = new TestCable(sim, device, testCard(testHost(sim, 'silent'), 'eth0', 0x020000000200))
    new TestCable(sim, far, testCard(testHost(sim, 'other'), 'eth0', 0x020000000300))
    if (random.below(2) === 0) setIpForward(host, 1)
    for (const name of SETTINGS) {
      if (random.below(3) === 0) device.inet.conf = device.inet.conf.with(name, random.below(9) - 1, true)
    }
    for (let i = 0; i < 200; i++) {
      const what = random.below(20)
      if (what === 0) {
        setDeviceUp(device, false)
        setDeviceUp(device, true)
      } else if (what === 1) cable.plug(random.below(2) === 0)
      else if (what === 2) neighbourFor(device, parseIpv4(`10.0.0.${random.below(9)}`)!)?.mayTransmit(undefined)
      else if (what === 3) addAddress(device, `10.0.${random.below(3)}.${random.below(250) + 1}/24`)
      else device.receive(parseFrame(frame(random)))
      sim.run(sim.nowNs + random.below(SECOND))
    }
    for (const { packet } of cable.seen) expect(emitFrame(parseFrame(emitFrame(packet)))).toEqual(emitFrame(packet))
    for (const neighbour of device.inet.neighbours?.values() ?? []) {
      const running = (neighbour.state & NUD_IN_TIMER) !== 0
      expect([stateName(neighbour.state), neighbour.timerPending]).toEqual([stateName(neighbour.state), running])
      if (neighbour.state & NUD_VALID) expect(neighbour.queue ?? []).toEqual([])
    }
    expect(device.net.neighbours.entries).toBe([...device.net.neighbours.all()].length)
  })
})

test('the same seed makes the same frames at the same times', () => {
  const run = (seed: number) => {
    const sim = new Simulator(seed)
    const host = testHost(sim, 'a')
    const device = testCard(host, 'eth0', 0x020000000100, '10.0.0.1/24')
    const silent = testCard(testHost(sim, 'b'), 'eth0', 0x020000000200, '10.0.0.2/24')
    const cable = new TestCable(sim, device, silent)
    sim.run(SECOND)
    for (let i = 0; i < 20; i++) {
      neighbourFor(device, parseIpv4('10.0.0.2')!)!.mayTransmit(undefined)
      sim.run(sim.nowNs + 7 * SECOND)
    }
    return cable.seen.map((seen) => [seen.atNs, seen.packet.arpOp, seen.packet.macDst])
  }
  expect(run(5)).toEqual(run(5))
})
