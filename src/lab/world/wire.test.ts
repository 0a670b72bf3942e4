import { describe, expect, test } from 'vitest'
import { MILLISECOND, SECOND, Simulator } from '#base/sim'
import { ETH_P_IP, Packet, RAW_ETHERNET_PAYLOAD } from '#wire/inet'
import { Wire, type WireSettings } from './wire.ts'

/** A frame of so many bytes, known by its destination. */
function frame(number: number, bytes = 1000): Packet {
  const packet = new Packet()
  packet.macDst = number
  packet.etherType = ETH_P_IP
  packet.raw = RAW_ETHERNET_PAYLOAD
  packet.buffer = new Uint8Array(bytes - 14)
  packet.length = bytes - 14
  return packet
}

function wireWith(settings: Partial<WireSettings> = {}, seed = 1) {
  const sim = new Simulator(seed)
  const wire = new Wire(sim, 'wire', { delayNs: 0, rateBps: Number.POSITIVE_INFINITY, loss: 0, ...settings }, 'loss')
  const seen: string[] = []
  wire.deliver = (packet) => seen.push(`${packet.macDst}@${sim.nowNs}`)
  return { sim, wire, seen }
}

describe('delay', () => {
  test('each packet takes as long, and they stay in order', () => {
    const { sim, wire, seen } = wireWith({ delayNs: 500 })
    wire.send(frame(1))
    wire.send(frame(2))
    sim.run(100)
    wire.send(frame(3))
    sim.run(499)
    expect([seen, wire.inFlight]).toEqual([[], 3])
    sim.run(SECOND)
    expect([seen, wire.inFlight]).toEqual([['1@500', '2@500', '3@600'], 0])
  })

  test('none: it arrives in an event of its own, not within send', () => {
    const { sim, wire, seen } = wireWith()
    wire.send(frame(1))
    expect(seen).toEqual([])
    sim.run(0)
    expect(seen).toEqual(['1@0'])
  })

  test('a longer one doesn’t hold back what is on its way; after a shorter one packets overtake', () => {
    const { sim, wire, seen } = wireWith({ delayNs: 100 })
    wire.send(frame(1))
    wire.delayNs = 1000
    wire.send(frame(2))
    wire.delayNs = 200
    wire.send(frame(3))
    wire.delayNs = 50
    wire.send(frame(4))
    sim.run(SECOND)
    expect(seen).toEqual(['4@50', '1@100', '3@200', '2@1000'])
  })

  test('what is due at one moment comes in the order of sending, also after an overtaking', () => {
    const { sim, wire, seen } = wireWith({ delayNs: 100 })
    for (const number of [1, 2, 3]) wire.send(frame(number))
    sim.run(50)
    wire.delayNs = 50
    for (const number of [4, 5, 6]) wire.send(frame(number)) // The ring has grown by now.
    sim.run(SECOND)
    expect(seen).toEqual([1, 2, 3, 4, 5, 6].map((number) => `${number}@100`))
  })
})

describe('rate', () => {
  test('a packet’s time on the wire comes after its delay; the next waits for it', () => {
    // 1000 bytes at 8 Mbit/s: a millisecond.
    const { sim, wire, seen } = wireWith({ delayNs: 2 * MILLISECOND, rateBps: 8e6 })
    wire.send(frame(1))
    wire.send(frame(2))
    wire.send(frame(3, 500))
    sim.run(SECOND)
    expect(seen).toEqual(['1@3000000', '2@4000000', '3@4500000'])
  })

  test('an idle wire doesn’t save up', () => {
    const { sim, wire, seen } = wireWith({ rateBps: 8e6 })
    wire.send(frame(1))
    sim.run(10 * MILLISECOND)
    wire.send(frame(2))
    sim.run(SECOND)
    expect(seen).toEqual(['1@1000000', '2@11000000'])
  })

  test('`unlimited` ends it, and what was queued isn’t waited for', () => {
    const { sim, wire, seen } = wireWith({ rateBps: 8e6 })
    wire.send(frame(1))
    wire.send(frame(2))
    wire.rateBps = Number.POSITIVE_INFINITY
    wire.send(frame(3))
    sim.run(SECOND)
    expect(seen).toEqual(['3@0', '1@1000000', '2@2000000'])
  })
})

describe('at most 1000 wait', () => {
  test('the 1001st is dropped; room is made as they leave', () => {
    const { sim, wire, seen } = wireWith({ delayNs: 10 })
    for (let i = 1; i <= 1001; i++) wire.send(frame(i))
    expect([wire.inFlight, wire.dropped, wire.lost]).toEqual([1000, 1, 0])
    sim.run(10)
    wire.send(frame(2000))
    sim.run(SECOND)
    expect(seen.length).toBe(1001)
    expect(seen.slice(-2)).toEqual(['1000@10', '2000@20'])
  })

  test('loss is drawn first: a full queue doesn’t save the luck', () => {
    const { wire } = wireWith({ loss: 1, delayNs: 10 })
    for (let i = 0; i < 1500; i++) wire.send(frame(i))
    expect([wire.lost, wire.dropped, wire.inFlight]).toEqual([1500, 0, 0])
  })
})

describe('loss', () => {
  const lostOf = (seed: number, loss = 0.3) => {
    const { sim, wire, seen } = wireWith({ loss }, seed)
    for (let i = 0; i < 200; i++) wire.send(frame(i))
    sim.run(SECOND)
    expect(seen.length + wire.lost).toBe(200)
    return seen.map((each) => Number.parseInt(each, 10)).join()
  }

  test('as often as said, the same ones for the same seed, others for another', () => {
    const { wire } = wireWith({ loss: 0.25, delayNs: 1 })
    for (let i = 0; i < 900; i++) wire.send(frame(i))
    expect(wire.lost).toBeGreaterThan(175)
    expect(wire.lost).toBeLessThan(275)
    expect(lostOf(7)).toBe(lostOf(7))
    expect(lostOf(7)).not.toBe(lostOf(8))
  })

  test('none draws nothing: a network without loss leaves the stream alone', () => {
    const { sim, wire } = wireWith({ loss: 0 })
    for (let i = 0; i < 10; i++) wire.send(frame(i))
    expect(sim.random('loss').fraction()).toBe(new Simulator(1).random('loss').fraction())
  })
})

test('clear loses what is in flight, once; the wire is idle then', () => {
  const { sim, wire, seen } = wireWith({ rateBps: 8e6 })
  for (let i = 0; i < 10; i++) wire.send(frame(i))
  wire.clear()
  expect([wire.inFlight, sim.nextNs()]).toEqual([0, Number.POSITIVE_INFINITY])
  wire.send(frame(99))
  sim.run(SECOND)
  expect(seen).toEqual(['99@1000000'])
})
