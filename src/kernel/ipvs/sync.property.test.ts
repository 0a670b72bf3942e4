/** A backup hears anything: it neither falls over nor keeps what makes no sense. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { RandomStream } from '#base/sim'
import { forSeeds } from '#base/testing'
import { IPPROTO_TCP, IPPROTO_UDP } from '#wire/inet'
import { director } from './director.cases.ts'
import { stateName } from './proto.ts'
import { processMessage } from './sync-backup.ts'
import { emitConn, emitHeader, parseSyncMessage } from './sync-message.ts'

const RECORDED = readFileSync(new URL('golden/sync.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => Uint8Array.from(Buffer.from(line.split(' ')[1]!, 'hex')))

/** Bytes by chance, or a real message with some of its bytes changed, cut or doubled; most say their right length. */
function anyBytes(random: RandomStream): Uint8Array {
  let bytes = random.bytes(random.below(200))
  if (random.below(4) > 0) {
    const real = RECORDED[random.below(RECORDED.length)]!
    bytes = new Uint8Array(Math.max(0, real.length + random.below(40) - 20))
    bytes.set(real.subarray(0, bytes.length))
    for (let i = random.below(4); i > 0 && bytes.length > 0; i--) bytes[random.below(bytes.length)] = random.below(256)
  }
  if (bytes.length >= 4 && random.below(8) > 0) new DataView(bytes.buffer).setUint16(2, bytes.length)
  return bytes
}

test('no bytes throw; what was read is written as something that reads the same', () => {
  forSeeds(5000, (random) => {
    const message = parseSyncMessage(anyBytes(random))
    if (!message) return
    const bytes = new Uint8Array(8192)
    emitHeader(bytes, message.version, message.syncId)
    let at = message.version === 0 ? 4 : 8
    const conns = message.conns.slice(0, 200)
    for (const conn of conns) at = emitConn(bytes, at, conn, message.version)
    if (conns.length === 0) return
    // Options of numbers without the flag for them are read, but nobody sends them.
    const again = parseSyncMessage(bytes.subarray(0, at))!
    const without = ({ seqs: _, ...conn }: (typeof conns)[number]) => conn
    expect(again.conns.map(without)).toEqual(conns.map(without))
  })
})

test('a backup stands whatever it hears, and counts right', () => {
  forSeeds(40, (random) => {
    const { add, addServer, ipvs, sim } = director()
    add(IPPROTO_TCP, 80)
    add(IPPROTO_UDP, 53)
    addServer(IPPROTO_TCP, 80, 3)
    addServer(IPPROTO_UDP, 53, 3)
    for (let i = 0; i < 60; i++) {
      processMessage(ipvs, random.below(4) === 0 ? 7 : 0, anyBytes(random))
      if (random.below(5) === 0) sim.run(sim.nowNs + random.below(100) * 1e9)
      for (const svc of ipvs.services.list()) {
        for (const dest of svc.destinations) {
          expect(Math.min(dest.activeConns, dest.inactConns, dest.persistConns)).toBeGreaterThanOrEqual(0)
        }
      }
      for (const cp of ipvs.conns.list()) expect(stateName(cp)).not.toBe('ERR!')
    }
  })
})
