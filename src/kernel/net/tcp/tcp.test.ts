/** TCP between two hosts on a cable: connections, data, ends. */
import { expect, test } from 'vitest'
import { MILLISECOND, SECOND, Simulator } from '#base/sim'
import { chain, inet, inetSocket } from '../ip-testing.ts'
import type { TestCable } from '../testing.ts'

function lines(cable: TestCable): string[] {
  return cable.seen
    .filter((one) => one.packet.protocol === 6 && one.packet.etherType === 0x800)
    .map(({ packet, from }) => {
      const f = packet.tcpFlags
      const flags = `${f & 2 ? 'S' : ''}${f & 1 ? 'F' : ''}${f & 4 ? 'R' : ''}${f & 8 ? 'P' : ''}${f & 16 ? '.' : ''}`
      return `${from.host.name} ${flags} ${packet.length} win ${packet.window}`
    })
}

function pair() {
  const sim = new Simulator(1)
  const { hosts, cables } = chain(sim, 0)
  return { sim, a: hosts[0]!, b: hosts[1]!, cable: cables[0]! }
}

function listening(host: Parameters<typeof inetSocket>[0], port: number) {
  const file = inetSocket(host, 'SOCK_STREAM')
  expect(file.socket!.bind(inet('0.0.0.0', port))).toEqual({ ok: true, value: undefined })
  expect(file.socket!.listen!(5).ok).toBe(true)
  return file
}

test('a connection, some bytes each way, and its end', () => {
  const { sim, a, b, cable } = pair()
  const server = listening(b, 80)
  const client = inetSocket(a, 'SOCK_STREAM')
  expect(client.socket!.connect(inet('10.0.1.2', 80))).toEqual({ ok: false, errno: 'EINPROGRESS' })
  sim.run(100 * MILLISECOND)
  expect(client.poll()).toBe(4)
  const accepted = server.socket!.accept!()
  if (!accepted.ok) throw new Error(accepted.errno)
  expect(client.write(new TextEncoder().encode('hello'))).toEqual({ ok: true, value: 5 })
  sim.run(200 * MILLISECOND)
  const { file } = accepted.value
  expect(file.read(100)).toEqual({ ok: true, value: new TextEncoder().encode('hello') })
  expect(file.read(100)).toEqual({ ok: false, errno: 'EAGAIN' })
  file.write(new Uint8Array(5000))
  sim.run(300 * MILLISECOND)
  const got = client.read(10000)
  expect(got.ok && got.value.length).toBe(5000)
  client.release!()
  sim.run(400 * MILLISECOND)
  expect(file.read(10)).toEqual({ ok: true, value: new Uint8Array(0) })
  file.release!()
  sim.run(2 * SECOND)
  expect(lines(cable)).toMatchInlineSnapshot(`
    [
      "a S 0 win 64240",
      "b S. 0 win 65160",
      "a . 0 win 502",
      "a P. 5 win 502",
      "b . 0 win 510",
      "b . 1448 win 510",
      "b . 1448 win 510",
      "b . 1448 win 510",
      "b P. 656 win 510",
      "a . 0 win 501",
      "a . 0 win 496",
      "a . 0 win 489",
      "a . 0 win 484",
      "a F. 0 win 501",
      "b . 0 win 510",
      "b F. 0 win 510",
      "a . 0 win 501",
    ]
  `)
})

test('nobody listens: refused', () => {
  const { sim, a } = pair()
  const client = inetSocket(a, 'SOCK_STREAM')
  client.socket!.connect(inet('10.0.1.2', 80))
  sim.run(100 * MILLISECOND)
  expect(client.socket!.getOption('SOL_SOCKET', 'SO_ERROR')).toEqual({ ok: true, value: 'ECONNREFUSED' })
})
