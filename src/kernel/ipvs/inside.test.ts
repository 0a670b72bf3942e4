/** What is seen of virtual services and connections, and that looking at them changes nothing. */
import { expect, test } from 'vitest'
import { type Host, insideViews } from '#kernel/core'
import { IPPROTO_TCP, IPPROTO_UDP, type Packet, TCP_ACK, TCP_SYN } from '#wire/inet'
import { CLIENT, director, server } from './director.cases.ts'
import { IP_VS_CONN_F_DROUTE, ipvsState } from './index.ts'

const view = (host: Host, name: 'ipvs' | 'ipvs connections') => insideViews(host.image).get(name)!.look(host)
const syn = (srcPort: number): Partial<Packet> => ({
  protocol: IPPROTO_TCP,
  srcPort,
  dstPort: 80,
  tcpFlags: TCP_SYN,
})

test('a host that balances nothing has nothing to show, and gets no state by being looked at', () => {
  const { host, ipvs } = director()
  expect(ipvs.services.list()).toEqual([])
  expect(view(host, 'ipvs')).toBeUndefined()
  expect(view(host, 'ipvs connections')).toBeUndefined()
  const other = { ...host, states: [] } as Host
  expect(view(other, 'ipvs')).toBeUndefined()
  expect(view(other, 'ipvs connections')).toBeUndefined()
  expect(ipvsState.peek(other)).toBeUndefined()
})

test('services with their servers under them, and what each has to do', () => {
  const { host, add, addServer, pass } = director()
  add(IPPROTO_TCP, 80)
  addServer(IPPROTO_TCP, 80, 1, { dest: { addr: server(1), port: 8080 } })
  addServer(IPPROTO_TCP, 80, 2, { weight: 3 })
  add(IPPROTO_UDP, 53, { schedName: 'wlc' })
  addServer(IPPROTO_UDP, 53, 1, { fwdMethod: IP_VS_CONN_F_DROUTE })
  for (const port of [1001, 1002, 1003]) pass(syn(port))
  pass({ ...syn(1001), tcpFlags: TCP_ACK })
  const rows = view(host, 'ipvs')!
  const of = (service: string) => rows.filter(({ key, under }) => key === service || under === service)
  expect(of('TCP 10.0.0.100:80').map(({ cells, weight }) => [...cells, weight])).toEqual([
    ['TCP 10.0.0.100:80', 'rr', '', '', '', undefined],
    ['10.0.1.1:8080', 'Masq', '1', '1', '0', 1],
    ['10.0.1.2:80', 'Masq', '3', '2', '0', 2],
  ])
  expect(of('UDP 10.0.0.100:53').map(({ cells, weight }) => [...cells, weight])).toEqual([
    ['UDP 10.0.0.100:53', 'wlc', '', '', '', undefined],
    ['10.0.1.1:53', 'Route', '1', '0', '0', 0],
  ])
  expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length)
})

test('connections with their three ends, until they end', () => {
  const { host, sim, add, addServer, pass } = director()
  add(IPPROTO_TCP, 80)
  addServer(IPPROTO_TCP, 80, 1)
  pass(syn(1001))
  const ends = ['10.0.0.1:1001', '10.0.0.100:80', '10.0.1.1:80']
  expect(view(host, 'ipvs connections')!.map(({ cells }) => cells)).toEqual([['TCP', 'SYN_RECV', ...ends]])
  pass(
    { protocol: IPPROTO_TCP, src: server(1), dst: CLIENT, srcPort: 80, dstPort: 1001, tcpFlags: TCP_SYN | TCP_ACK },
    'eth1',
  )
  pass({ ...syn(1001), tcpFlags: TCP_ACK })
  expect(view(host, 'ipvs connections')!.map(({ cells }) => cells)).toEqual([['TCP', 'ESTABLISHED', ...ends]])
  sim.run(sim.nowNs + 1000e9)
  expect(view(host, 'ipvs connections')).toBeUndefined()
  expect(view(host, 'ipvs')).toHaveLength(2)
})

test('a director that is watched does what one does that is not', () => {
  const run = (watched: boolean) => {
    const { host, sim, ipvs, add, addServer, pass } = director()
    const look = () => {
      if (watched) for (const { look } of insideViews(host.image).values()) look(host)
    }
    add(IPPROTO_TCP, 80, { schedName: 'lc' })
    for (const n of [1, 2, 3]) addServer(IPPROTO_TCP, 80, n)
    const sent: number[] = []
    for (let i = 0; i < 40; i++) {
      look()
      sent.push(...pass(syn(1000 + i)).map(({ dst }) => dst))
      look()
      sim.run(sim.nowNs + 7e9)
    }
    return [sent, sim.events, ipvs.conns.list().map(({ cport }) => cport)]
  }
  expect(run(true)).toEqual(run(false))
})
