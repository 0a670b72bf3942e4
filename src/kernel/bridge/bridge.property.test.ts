/** No frame throws, whatever a bridge is set to; BPDUs hold what they must. */
import { expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { randomFrame, TestMachine } from '#kernel/testing'
import { emitFrame, parseFrame } from '#wire/inet'
import { type Bpdu, parseBpdu, sendConfig } from './bpdu.ts'
import { portOf } from './bridge.ts'
import { bridge } from './index.ts'

const FLAGS = [
  'hairpin',
  'guard',
  'root_block',
  'learning',
  'flood',
  'mcast_flood',
  'bcast_flood',
  'proxy_arp',
  'neigh_suppress',
  'isolated',
  'locked',
]

test('frames of all kinds into bridges of all sorts', () => {
  forSeeds(80, (random) => {
    const machine = new TestMachine(bridge)
    const coin = () => random.below(2)
    const br0 = machine.add('br0', 'bridge', {
      stp_state: coin(),
      vlan_filtering: coin(),
      mcast_snooping: coin(),
      ageing_time: [0, 100, 30000][random.below(3)],
      group_fwd_mask: random.below(4) === 0 ? 0xfff8 : 0,
    })
    const cards = ['eth0', 'eth1', 'eth2', 'eth3'].map((name) => machine.card(name))
    for (const { name } of cards) machine.enslave(name, 'br0')
    for (let i = 0; i < 80; i++) {
      const card = cards[random.below(cards.length)]!
      card.receive(randomFrame(random))
      br0.transmit(randomFrame(random))
      const flag = FLAGS[random.below(FLAGS.length)]!
      const of = { type: 'RTM_SETLINK', ifindex: card.ifindex }
      if (random.below(4) === 0) machine.answer({ ...of, family: 'AF_BRIDGE', port: { [flag]: coin() } })
      const id = random.below(8)
      const vlans = [{ vid: id, flags: random.below(4) * 2 }]
      const vlan = ['RTM_SETLINK', 'RTM_DELLINK'][coin()]!
      if (random.below(4) === 0) machine.answer({ type: vlan, family: 'AF_BRIDGE', ifindex: card.ifindex, vlans })
      if (random.below(10) === 0) card.carrierChanged(coin() === 1)
      if (random.below(20) === 0) machine.answer({ ...of, master: card.master === undefined ? br0.ifindex : 0 })
      const up = { type: 'RTM_SETLINK', ifindex: br0.ifindex, flags: coin(), change: 1 }
      if (random.below(30) === 0) machine.answer(up)
      if (random.below(4) === 0) machine.run(random.below(30) / 10)
    }
    machine.run(40)
    machine.must({ type: 'RTM_DELLINK', ifindex: br0.ifindex })
    for (const card of cards) expect(card).toMatchObject({ master: undefined, rxHandler: undefined, promiscuity: 0 })
  })
})

test('BPDUs: what is sent is read back, to the time’s grain', () => {
  forSeeds(100, (random) => {
    const machine = new TestMachine(bridge)
    machine.add('br0', 'bridge')
    const card = machine.card('eth0')
    machine.enslave('eth0', 'br0')
    const id = () => ({ priority: random.below(65536), mac: random.below(65536) * 0x1_0000_0000 + random.uint32() })
    const time = () => 125 * random.below(80)
    const bpdu: Bpdu = {
      topologyChange: random.below(2) === 1,
      topologyChangeAck: random.below(2) === 1,
      root: id(),
      rootPathCost: random.uint32(),
      bridge: id(),
      port: random.below(65536),
      messageAge: time(),
      maxAge: time(),
      helloTime: time(),
      forwardDelay: time(),
    }
    machine.sent.length = 0
    sendConfig(portOf(card)!, bpdu)
    const { packet } = machine.sent[0]!
    expect(parseBpdu(parseFrame(emitFrame(packet)))).toEqual(bpdu)
    parseBpdu(randomFrame(random))
  })
})
