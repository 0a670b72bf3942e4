/** Cables and switches, with hosts that only listen. Linux 6.1 net/bridge/br_input.c, br_forward.c, br_fdb.c. */
import { describe, expect, test } from 'vitest'
import { MILLISECOND, SECOND, Simulator } from '#base/sim'
import { MAC_BROADCAST, Packet } from '#wire/inet'
import { createCable } from './cable.ts'
import { type Shape, Switch, type SwitchPort } from './switch.ts'

const CABLE_NS = 10_000
const PLAIN: Shape = { delayNs: 0, rateBps: Number.POSITIVE_INFINITY, loss: 0 }
const MAC = { a: 0x020000000100, b: 0x020000000200, c: 0x020000000300, d: 0x020000000400 }
type Name = keyof typeof MAC

function frame(from: number, to: number): Packet {
  const packet = new Packet()
  packet.macSrc = from
  packet.macDst = to
  return packet
}

/** A switch with a listener on each of its ports. */
function lan(shape: Partial<Shape> = {}, names: Name[] = ['a', 'b', 'c'], seed = 1) {
  const sim = new Simulator(seed)
  const network = new Switch(sim, 'lan', { ...PLAIN, ...shape })
  const ports = new Map<string, SwitchPort>()
  const heard: string[] = []
  const carrier: string[] = []
  for (const name of names) {
    const port = network.addPort(name, 'eth0', CABLE_NS)
    port.cable.a.attach({
      receive: () => heard.push(name),
      carrierChanged: (on) => carrier.push(`${name} ${on}`),
    })
    ports.set(name, port)
  }
  /** Sends a frame from a host, lets it arrive, and says who heard it, in order. */
  const send = (from: Name, to: number, source = MAC[from]) => {
    heard.length = 0
    ports.get(from)!.cable.a.transmit(frame(source, to))
    sim.run(sim.nowNs + MILLISECOND)
    return heard.join('')
  }
  return { sim, network, ports, heard, carrier, send }
}

describe('a switch', () => {
  test('floods what it doesn’t know, in the order of its ports, and never back', () => {
    const { send } = lan({}, ['a', 'b', 'c', 'd'])
    expect(send('b', MAC_BROADCAST)).toBe('acd')
    expect(send('d', MAC.a)).toBe('abc')
    expect(send('c', 0x01005e000001)).toBe('abd')
  })

  test('learns where a source is, and where it has moved to', () => {
    const { send } = lan()
    expect(send('a', MAC.b)).toBe('bc')
    expect(send('b', MAC.a)).toBe('a')
    expect(send('a', MAC.b)).toBe('b')
    expect(send('c', MAC_BROADCAST, MAC.a)).toBe('ab') // a's address is at c now.
    expect(send('b', MAC.a)).toBe('c')
  })

  test('keeps to itself what is for the port it came from', () => {
    const { send } = lan()
    send('a', MAC_BROADCAST)
    expect(send('a', MAC.a, MAC.d)).toBe('')
  })

  test('forgets after 300 s without a word; each word counts', () => {
    const { sim, send } = lan()
    send('a', MAC_BROADCAST)
    sim.run(200 * SECOND)
    send('a', MAC_BROADCAST)
    sim.run(sim.nowNs + 299 * SECOND)
    expect(send('b', MAC.a)).toBe('a')
    sim.run(sim.nowNs + 2 * SECOND)
    expect(send('b', MAC.a)).toBe('ac')
  })

  test.each([
    ['a group address', 0x030000000001],
    ['the broadcast address', MAC_BROADCAST],
    ['zero', 0],
  ])('drops a frame from %s, and learns nothing', (_what, source) => {
    const { send } = lan()
    expect(send('a', MAC_BROADCAST, source)).toBe('')
    expect(send('b', MAC.a)).toBe('ac')
  })

  test.each([
    [0x0180c2000000, 'bc'],
    [0x0180c2000001, ''],
    [0x0180c200000f, ''],
    [0x0180c2000010, 'bc'],
    [0x0180c1ffffff, 'bc'],
    [0x0180c3000001, 'bc'],
  ])('a frame to the group %s reaches %s', (target, reached) => {
    expect(lan().send('a', target)).toBe(reached)
  })

  test('learns from a frame that it keeps, too', () => {
    const { send } = lan()
    send('a', 0x0180c2000002)
    expect(send('b', MAC.a)).toBe('a')
  })
})

describe('delay, rate and loss', () => {
  test('apply where a frame leaves the switch', () => {
    const { sim, ports, heard } = lan({ delayNs: 5 * MILLISECOND })
    ports.get('a')!.cable.a.transmit(frame(MAC.a, MAC_BROADCAST))
    sim.run(5 * MILLISECOND + CABLE_NS - 1)
    expect(heard).toEqual([])
    sim.run(5 * MILLISECOND + CABLE_NS)
    expect(heard).toEqual(['b', 'c'])
  })

  test('loss is drawn once per frame and receiver, from a stream of each port', () => {
    const heardBy = (names: Name[], seed = 1) => {
      const { send } = lan({ loss: 0.5 }, names, seed)
      return Array.from({ length: 100 }, () => send('a', MAC_BROADCAST))
    }
    const both = heardBy(['a', 'b', 'c'])
    // Each of the four fates comes about.
    expect(new Set(both)).toEqual(new Set(['', 'b', 'c', 'bc']))
    expect(heardBy(['a', 'b', 'c'])).toEqual(both)
    expect(heardBy(['a', 'b', 'c'], 2)).not.toEqual(both)
    // A further host doesn't change another's luck.
    const withD = heardBy(['a', 'b', 'c', 'd'])
    expect(withD.map((each) => each.replace('d', ''))).toEqual(both)
  })

  test('may change while it runs, for what is sent from then on', () => {
    const { network, send } = lan()
    network.reshape({ loss: 1 })
    expect(send('a', MAC_BROADCAST)).toBe('')
    network.reshape({ loss: 0 })
    expect(send('a', MAC_BROADCAST)).toBe('bc')
    expect(network.shape).toEqual(PLAIN)
  })
})

describe('the carrier', () => {
  test('comes with both ends, goes with the cable and with the power of either', () => {
    const { ports, carrier } = lan({}, ['a', 'b'])
    const { cable } = ports.get('a')!
    // Who is plugged in asks for the carrier itself, and is told of changes.
    expect([cable.a.carrier, ports.get('a')!.up, carrier]).toEqual([true, true, []])
    cable.plug(false)
    cable.plug(false)
    expect(carrier).toEqual(['a false'])
    expect([cable.plugged, ports.get('a')!.up, ports.get('b')!.up]).toEqual([false, false, true])
    cable.a.powered = false
    cable.plug(true)
    expect(carrier).toEqual(['a false'])
    cable.a.powered = true
    expect(carrier).toEqual(['a false', 'a true'])
  })

  test('a pulled cable loses what is in it, and takes nothing', () => {
    const { sim, ports, heard } = lan({ delayNs: MILLISECOND })
    const { cable } = ports.get('b')!
    ports.get('a')!.cable.a.transmit(frame(MAC.a, MAC_BROADCAST))
    sim.run(MILLISECOND / 2) // On its way to b and c.
    cable.plug(false)
    cable.a.transmit(frame(MAC.b, MAC_BROADCAST))
    cable.plug(true)
    sim.run(SECOND)
    expect(heard).toEqual(['c'])
  })

  test('what was learnt at a port is forgotten with its carrier, and nothing else', () => {
    const { ports, send } = lan({}, ['a', 'b', 'c', 'd'])
    for (const name of ['a', 'b', 'c'] as const) send(name, MAC_BROADCAST)
    const { cable } = ports.get('b')!
    cable.plug(false)
    expect(send('a', MAC.b)).toBe('cd') // b's port is down: not flooded to either.
    expect(send('a', MAC.c)).toBe('c')
    cable.plug(true)
    expect(send('a', MAC.b)).toBe('bcd')
  })

  test('a cable between two devices has none until both are there', () => {
    const cable = createCable(new Simulator(1), 'x', PLAIN)
    const told: string[] = []
    const device = (name: string) => ({
      receive() {},
      carrierChanged: (on: boolean) => told.push(`${name} ${on}`),
    })
    cable.a.attach(device('a'))
    expect([cable.a.carrier, told]).toEqual([false, []])
    cable.b.attach(device('b'))
    expect([cable.a.carrier, cable.b.carrier, told]).toEqual([true, true, ['a true']])
  })
})

test('the tap sees each frame as it enters and as it leaves', () => {
  const { sim, network, ports } = lan({ delayNs: 100 })
  const seen: string[] = []
  network.tap = (port, direction) => seen.push(`${port.host}:${port.iface} ${direction} ${sim.nowNs}`)
  ports.get('a')!.cable.a.transmit(frame(MAC.a, MAC_BROADCAST))
  sim.run(SECOND)
  expect(seen).toEqual(['a:eth0 in 10000', 'b:eth0 out 10100', 'c:eth0 out 10100'])
})
