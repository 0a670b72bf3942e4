/** No frame, and nothing that devices do meanwhile, throws; hashes and LACPDUs hold what they must. */
import { expect, test } from 'vitest'
import { forSeeds } from '#base/testing'
import { randomFrame, TestMachine } from '#kernel/testing'
import { parseFrame } from '#wire/inet'
import { MODES, POLICIES } from './bonding/bond.ts'
import { xmitHash } from './bonding/hash.ts'
import { emitLacpdu, type LacpEnd, parseLacpdu } from './bonding/lacpdu.ts'
import { link } from './index.ts'

test('frames of all kinds into stacked devices', () => {
  forSeeds(40, (random) => {
    const machine = new TestMachine(link)
    const card = machine.card('eth0')
    const lower = { link: card.ifindex }
    const mode = ['bridge', 'private', 'vepa'][random.below(3)]!
    machine.add('v1', 'vlan', { id: 1 }, lower)
    machine.add('v5', 'vlan', { id: 5, protocol: '802.1ad' }, lower)
    machine.add('v51', 'vlan', { id: 1 }, { link: machine.device('v5').ifindex })
    machine.add('m0', 'macvlan', { mode }, { ...lower, address: 0x0200000000aa })
    machine.add('m1', 'macvlan', { mode }, { link: machine.device('v1').ifindex, address: 0x0200000000bb })
    const all = ['eth0', 'v1', 'v5', 'v51', 'm0', 'm1']
    for (let i = 0; i < 60; i++) {
      card.receive(randomFrame(random))
      machine.device(all[random.below(all.length)]!).transmit(randomFrame(random))
      if (random.below(10) === 0) {
        const { ifindex } = machine.device(all[random.below(all.length)]!)
        machine.answer({ type: 'RTM_SETLINK', ifindex, flags: random.below(2), change: 1 })
      }
      if (random.below(20) === 0) card.carrierChanged(random.below(2) === 0)
      if (random.below(5) === 0) machine.run(0.2)
    }
    machine.run(2)
  })
})

test('frames of all kinds into bonds of all modes', () => {
  forSeeds(60, (random) => {
    const machine = new TestMachine(link)
    const able = MODES.filter((mode) => mode !== 'balance-alb' && mode !== 'balance-tlb')
    const mode = able[random.below(able.length)]!
    const arp = mode !== '802.3ad' && random.below(3) === 0
    const monitor = arp ? { arp_interval: 100, arp_ip_target: [0x0a000002] } : { miimon: 50 + random.below(100) }
    const hashes = mode === '802.3ad' || mode === 'balance-xor'
    const policy = hashes ? { xmit_hash_policy: POLICIES[random.below(POLICIES.length)] } : {}
    const bond = machine.add('bond0', 'bond', { mode, ...monitor, ...policy })
    const cards = ['eth0', 'eth1', 'eth2'].map((name) => machine.card(name))
    for (const { name } of cards) {
      machine.up(name, false)
      machine.enslave(name, 'bond0')
    }
    machine.add('v1', 'vlan', { id: 1 }, { link: bond.ifindex })
    for (let i = 0; i < 60; i++) {
      const card = cards[random.below(cards.length)]!
      card.receive(randomFrame(random))
      machine.device(random.below(2) === 0 ? 'v1' : 'bond0').transmit(randomFrame(random))
      if (random.below(8) === 0) card.carrierChanged(random.below(2) === 0)
      if (random.below(20) === 0) machine.up('bond0', random.below(2) === 0)
      if (random.below(30) === 0 && card.master !== undefined) {
        machine.must({ type: 'RTM_SETLINK', ifindex: card.ifindex, master: 0 })
      } else if (random.below(10) === 0 && card.master === undefined) {
        machine.up(card.name, false)
        machine.enslave(card.name, 'bond0')
      }
      if (random.below(4) === 0) machine.run(random.below(10) / 10)
    }
    machine.run(5)
    machine.must({ type: 'RTM_DELLINK', ifindex: bond.ifindex })
    for (const card of cards) expect(card).toMatchObject({ master: undefined, rxHandler: undefined, port: undefined })
  })
})

test('a hash is a whole number that is not negative, the same for the same frame', () => {
  forSeeds(500, (random) => {
    const frame = randomFrame(random)
    for (const policy of POLICIES) {
      const hash = xmitHash(frame, policy)
      expect(Number.isInteger(hash) && hash >= 0).toBe(true)
      expect(xmitHash(frame.clone(), policy)).toBe(hash)
    }
  })
})

test('LACPDUs: what is made is read back, and no bytes throw', () => {
  forSeeds(300, (random) => {
    const end = (): LacpEnd => ({
      systemPriority: random.below(65536),
      system: random.below(65536) * 0x1_0000_0000 + random.uint32(),
      key: random.below(65536),
      portPriority: random.below(65536),
      port: random.below(65536),
      state: random.below(256),
    })
    const pdu = { actor: end(), partner: end() }
    expect(parseLacpdu(emitLacpdu(pdu))).toEqual(pdu)
    parseLacpdu(random.bytes(random.below(140)))
  })
})

test('an empty frame has hashes too', () => {
  for (const policy of POLICIES) expect(xmitHash(parseFrame(new Uint8Array(14)), policy)).toBeGreaterThanOrEqual(0)
})
