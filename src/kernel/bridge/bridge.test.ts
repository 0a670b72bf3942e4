/** What a bridge does with frames, and the tree it belongs to. */
import { describe, expect, test } from 'vitest'
import { BudgetExceeded } from '#base/check'
import type { NetDevice } from '#kernel/net'
import { TestMachine } from '#kernel/testing'
import { Packet } from '#wire/inet'
import { BLOCKING, type BridgePort, FORWARDING, LEARNING, LISTENING, portOf } from './bridge.ts'
import { bridge } from './index.ts'

const A = 0x0200000000aa
const B = 0x0200000000bb
const BROADCAST = 0xffffffffffff

function frame(from: number, to: number, vlanTci = -1): Packet {
  const packet = new Packet()
  packet.macSrc = from
  packet.macDst = to
  packet.etherType = 0x0800
  packet.src = 0x0a000001
  packet.dst = 0x0a000002
  packet.ttl = 64
  packet.protocol = 17
  packet.vlanTci = vlanTci
  return packet
}

function bridged(data: Record<string, unknown> = {}, cards = 3) {
  const machine = new TestMachine(bridge)
  const br0 = machine.add('br0', 'bridge', { mcast_snooping: 0, ...data })
  const devices = Array.from({ length: cards }, (_, i) => {
    const card = machine.card(`eth${i}`)
    machine.enslave(card.name, 'br0')
    return card
  })
  machine.sent.length = 0
  const receive = (card: NetDevice, packet: Packet) => {
    machine.sent.length = 0
    card.receive(packet)
    return machine.sent.map((each) => each.card).sort()
  }
  return { machine, br0, devices, receive }
}

const port = (device: NetDevice): BridgePort => portOf(device)!

function setPort(machine: TestMachine, device: NetDevice, data: Record<string, unknown>): void {
  machine.must({ type: 'RTM_SETLINK', family: 'AF_BRIDGE', ifindex: device.ifindex, port: data })
}

test('it floods what it does not know, and learns', () => {
  const { devices, receive } = bridged()
  const [first, second] = devices as [NetDevice, NetDevice]
  expect(receive(first, frame(A, B))).toEqual(['eth1', 'eth2'])
  expect(receive(second, frame(B, A))).toEqual(['eth0'])
  expect(receive(first, frame(A, B))).toEqual(['eth1'])
  expect(receive(second, frame(A, B))).toEqual([])
  expect(receive(first, frame(B, A))).toEqual(['eth1'])
})

test('a frame to its own address is its own; one to the link alone stays', () => {
  const { br0, devices, receive } = bridged()
  const before = br0.stats.rxPackets
  expect(receive(devices[1]!, frame(A, br0.address))).toEqual([])
  expect(br0.stats.rxPackets).toBe(before + 1)
  for (const group of [1, 2, 3, 0xe]) expect(receive(devices[0]!, frame(A, 0x0180c2000000 + group))).toEqual([])
  expect(receive(devices[0]!, frame(A, 0x0180c2000010))).toEqual(['eth1', 'eth2'])
  expect(receive(devices[0]!, frame(0, B))).toEqual([])
  expect(receive(devices[0]!, frame(BROADCAST, B))).toEqual([])
})

test('an entry is gone when nobody has used it for the ageing time', () => {
  const { machine, devices, receive } = bridged({ ageing_time: 1000 })
  receive(devices[0]!, frame(A, BROADCAST))
  machine.run(9.9)
  expect(receive(devices[1]!, frame(B, A))).toEqual(['eth0'])
  machine.run(6) // It is looked at again when it might be old.
  expect(receive(devices[1]!, frame(B, A))).toEqual(['eth0', 'eth2'])
})

test('VLANs are apart; a tag is put on and taken off', () => {
  const { machine, devices, receive } = bridged({ vlan_filtering: 1 })
  const vlan = (device: NetDevice, id: number, flags: number) =>
    machine.must({ type: 'RTM_SETLINK', family: 'AF_BRIDGE', ifindex: device.ifindex, vlans: [{ vid: id, flags }] })
  vlan(devices[0]!, 10, 6)
  vlan(devices[1]!, 10, 0)
  expect(receive(devices[0]!, frame(A, BROADCAST))).toEqual(['eth1'])
  expect(machine.sent[0]!.packet.vlanTci).toBe(10)
  expect(receive(devices[1]!, frame(B, A, 10))).toEqual(['eth0'])
  expect(machine.sent[0]!.packet.vlanTci).toBe(-1)
  expect(receive(devices[1]!, frame(B, A, 11))).toEqual([])
  expect(receive(devices[2]!, frame(B, A))).toEqual(['eth0', 'eth1']) // VLAN 1.
})

describe('two bridges in a loop', () => {
  function loop(stp: number) {
    const machine = new TestMachine(bridge)
    const made = ['br0', 'br1'].map((name, i) =>
      machine.add(name, 'bridge', { mcast_snooping: 0, stp_state: stp, forward_delay: 400, priority: 4096 * (i + 1) }),
    )
    const ends: [NetDevice, NetDevice][] = []
    for (let i = 0; i < 4; i++) machine.card(`eth${i}`)
    // Two cables: eth0 to eth2, eth1 to eth3.
    for (const [a, b] of [
      ['eth0', 'eth2'],
      ['eth1', 'eth3'],
    ] as const) {
      const pair: [NetDevice, NetDevice] = [machine.device(a), machine.device(b)]
      const { softnet } = pair[0].net
      const cable = (to: NetDevice) => ({
        carrier: true,
        transmit(packet: Packet) {
          to.setPacketType(packet)
          softnet.enqueue(to, packet)
        },
      })
      pair[0].attach(cable(pair[1]))
      pair[1].attach(cable(pair[0]))
      machine.enslave(a, 'br0')
      machine.enslave(b, 'br1')
      ends.push(pair)
    }
    const states = () => ends.flat().map((device) => port(device).state)
    return { machine, made, ends, states }
  }

  test('without a tree a broadcast goes round for ever: the clock goes on, and a budget ends it', () => {
    const { machine, made } = loop(0)
    made[0]!.transmit(frame(A, BROADCAST))
    machine.run(0.5)
    expect(machine.sim.nowNs).toBeGreaterThanOrEqual(0.5e9)
    const forwarded = made[1]!.stats.rxPackets
    expect(forwarded).toBeGreaterThan(1000)
    machine.sim.budgets = { events: machine.sim.events + 1000 }
    expect(() => machine.run(60)).toThrow(BudgetExceeded)
    expect(made[1]!.stats.rxPackets).toBeGreaterThan(forwarded)
  })

  test('with a tree one port of the bridge that is not the root blocks, and a broadcast arrives once', () => {
    const { machine, made, states } = loop(1)
    machine.run(3)
    expect(states().filter((state) => state === LISTENING)).toHaveLength(3)
    machine.run(3)
    expect(states().filter((state) => state === LEARNING)).toHaveLength(3)
    machine.run(4)
    expect(states()).toEqual([FORWARDING, FORWARDING, FORWARDING, BLOCKING])
    const before = made[1]!.stats.rxPackets
    made[0]!.transmit(frame(A, BROADCAST))
    machine.run(1)
    expect(made[1]!.stats.rxPackets).toBe(before + 1)
  })

  test('the link of the tree is lost: the other is used after listening and learning', () => {
    const { machine, ends, states } = loop(1)
    machine.run(10)
    ends[0]![0].carrierChanged(false)
    ends[0]![1].carrierChanged(false)
    machine.run(2)
    expect(states()[3]).toBe(LISTENING)
    machine.run(8)
    expect(states()[3]).toBe(FORWARDING)
  })
})

test('isolated ports do not reach one another', () => {
  const { machine, devices, receive } = bridged()
  setPort(machine, devices[0]!, { isolated: 1 })
  setPort(machine, devices[1]!, { isolated: 1 })
  expect(receive(devices[0]!, frame(A, BROADCAST))).toEqual(['eth2'])
  expect(receive(devices[2]!, frame(B, BROADCAST))).toEqual(['eth0', 'eth1'])
})
