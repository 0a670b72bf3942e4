import { expect, test } from 'vitest'
import { Simulator } from '#base/sim'
import { formatIpv4, parseIp } from '#wire/inet'
import { chain, echoRequest, inet, inetSocket } from './ip-testing.ts'

test('an echo request from a raw socket crosses a router, and the reply comes back', () => {
  const sim = new Simulator(1)
  const { hosts } = chain(sim, 1)
  const raw = inetSocket(hosts[0]!, 'SOCK_RAW', 1).socket!
  expect(raw.sendTo(echoRequest(7, 1), inet('10.0.2.2'), {})).toEqual({ ok: true, value: 64 })
  sim.run(1e9)
  const got = raw.receive(1500, {})
  if (!got.ok) throw new Error(got.errno)
  const reply = parseIp(got.value.bytes)
  expect([formatIpv4(reply.src), formatIpv4(reply.dst), reply.ttl, reply.icmpType, reply.icmpRest]).toEqual([
    '10.0.2.2',
    '10.0.1.1',
    63,
    0,
    7 * 65536 + 1,
  ])
  expect(raw.receive(1500, {})).toEqual({ ok: false, errno: 'EAGAIN' })
})
