import { expect, test } from 'vitest'
import { SECOND, Simulator } from '#base/sim'
import { ETH_P_ARP, ETH_P_IP, Packet, parseIpv4 } from '#wire/inet'
import { neighbourOutput, neighbourLookup, stateName } from './neighbour.ts'
import { testCard, testHost, TestCable } from './testing.ts'

function ip(src: string, dst: string): Packet {
  const packet = new Packet()
  packet.etherType = ETH_P_IP
  packet.protocol = 1
  packet.src = parseIpv4(src)!
  packet.dst = parseIpv4(dst)!
  return packet
}

test('two hosts on a cable find each other', () => {
  const sim = new Simulator()
  const a = testCard(testHost(sim, 'a'), 'eth0', 0x020000000100, '10.0.0.1/24')
  const b = testCard(testHost(sim, 'b'), 'eth0', 0x020000000200, '10.0.0.2/24')
  const cable = new TestCable(sim, a, b)
  neighbourOutput(a, parseIpv4('10.0.0.2')!, ip('10.0.0.1', '10.0.0.2'))
  sim.run(SECOND)
  expect(cable.seen.map(({ packet }) => packet.etherType)).toEqual([ETH_P_ARP, ETH_P_ARP, ETH_P_IP])
  expect(stateName(neighbourLookup(a, parseIpv4('10.0.0.2')!)!.state)).toBe('REACHABLE')
  expect(stateName(neighbourLookup(b, parseIpv4('10.0.0.1')!)!.state)).toBe('STALE')
})
