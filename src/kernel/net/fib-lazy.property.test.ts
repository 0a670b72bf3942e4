import { expect, test } from 'vitest'
import { RandomStream, Simulator } from '#base/sim'
import type { Host } from '#kernel/core'
import { formatIpv4 } from '#wire/inet'
import { deleteAddress } from './addresses.ts'
import type { NetDevice } from './device.ts'
import { setDeviceUp } from './device-events.ts'
import { createEthernet } from './devices.ts'
import { allTables } from './fib-table.ts'
import { inetState } from './ip-state.ts'
import { inetImage } from './ip-testing.ts'
import { addAddress, TestCable, testHost } from './testing.ts'

function routes(host: Host): string[] {
  const state = inetState.of(host)
  state.infos.length // The first look.
  return allTables(state).flatMap((table) =>
    table.aliases.map(({ key, prefix, type, info }) => {
      const [nextHop] = info.nextHops
      const flags = `${nextHop!.flags}/${info.flags}`
      return `${table.id} ${type} ${formatIpv4(key)}/${prefix} ${nextHop!.device?.name} ${formatIpv4(info.prefSrc)} ${flags}`
    }),
  )
}

/** Does the same things, by chance, to a host that is looked at after each, and to one that is looked at in the end. */
function play(seed: number, looks: boolean): string[] {
  const random = new RandomStream(seed, 'events')
  const sim = new Simulator(seed)
  const image = inetImage()
  const host = testHost(sim, 'h', image)
  const other = testHost(sim, 'o', image)
  const cards: NetDevice[] = []
  const cables: TestCable[] = []
  for (let i = 0; i < 2; i++) {
    const card = createEthernet(host, `eth${i}`, 0x020000000100 + i)
    const peer = createEthernet(other, `eth${i}`, 0x020000000200 + i)
    setDeviceUp(peer, true)
    cards.push(card)
    cables.push(new TestCable(sim, card, peer))
  }
  for (let step = 0; step < 12; step++) {
    const card = cards[random.below(2)]!
    const what = random.below(10)
    if (what < 4) addAddress(card, `10.${random.below(2)}.0.${1 + random.below(3)}/${random.below(3) === 0 ? 32 : 24}`)
    else if (what < 7) setDeviceUp(card, random.below(4) !== 0)
    else if (what < 8) cables[random.below(2)]!.plug(random.below(2) === 0)
    else if (what < 9) sim.run(sim.nowNs + 2e9)
    else if (random.below(3) === 0 && card.inet.addresses[0]) deleteAddress(card.inet.addresses[0])
    if (looks) routes(host)
  }
  return routes(host)
}

test('putting routes off until they are looked at changes nothing', () => {
  for (let seed = 1; seed <= 300; seed++) expect(play(seed, false), `seed ${seed}`).toEqual(play(seed, true))
})
