/** Daemons: when a master sends, what it tells, and what a backup makes of it. What real ones do is in backend/conformance/ipvs/sync-*. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { HZ, packetHooks } from '#kernel/net'
import { formatIpv4, IPPROTO_TCP, IPPROTO_UDP, type Packet, TCP_ACK, TCP_FIN, TCP_SYN } from '#wire/inet'
import { PcapWriter } from '#wire/pcap'
import { CLIENT, director, server } from './director.cases.ts'
import { stateName } from './proto.ts'
import { processMessage } from './sync-backup.ts'
import { parseSyncMessage, type SyncMessage } from './sync-message.ts'
import {
  IP_VS_CONN_F_INACTIVE,
  IP_VS_CONN_F_SYNC,
  IP_VS_STATE_BACKUP,
  IP_VS_STATE_MASTER,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_TCP_S_CLOSE_WAIT,
  IP_VS_TCP_S_ESTABLISHED,
} from './uapi.ts'

const MASTER = { state: IP_VS_STATE_MASTER, mcastIfn: 'eth1', syncId: 5 }

/** A director with a service, whose messages are kept, with the time at which they left. */
function master(daemon: object = MASTER) {
  const made = director()
  const { host, sim, add, addServer, ask, pass, ipvs } = made
  const told: { atS: number; packet: Packet; message: SyncMessage }[] = []
  packetHooks(host).add('POST_ROUTING', {
    name: 'told',
    priority: -400,
    run({ packet }) {
      if (packet.protocol === IPPROTO_UDP && packet.dst >>> 28 === 0xe) {
        const copy = packet.clone()
        const bytes = copy.buffer.slice(copy.offset, copy.offset + copy.length)
        told.push({ atS: sim.nowNs / 1e9, packet: copy, message: parseSyncMessage(bytes)! })
      }
      return 1
    },
  })
  add(IPPROTO_UDP, 53)
  addServer(IPPROTO_UDP, 53, 3)
  add(IPPROTO_TCP, 80)
  addServer(IPPROTO_TCP, 80, 3)
  const started = ask({ type: 'IPVS_CMD_NEW_DAEMON', daemon: daemon as typeof MASTER })
  return {
    ...made,
    told,
    started,
    udp: (srcPort = 6000) => pass({ protocol: IPPROTO_UDP, srcPort, dstPort: 53 }),
    tcp: (tcpFlags: number, srcPort = 5000) => pass({ protocol: IPPROTO_TCP, srcPort, dstPort: 80, tcpFlags }),
    answer: (tcpFlags: number, dstPort = 5000) =>
      pass({ protocol: IPPROTO_TCP, src: server(3), dst: CLIENT, srcPort: 80, dstPort, tcpFlags }, 'eth1'),
    run: (seconds: number) => sim.run(sim.nowNs + seconds * 1e9),
    settings: ipvs.settings,
  }
}

const conns = (told: { message: SyncMessage }[]) => told.flatMap(({ message }) => message.conns)

describe('when a master sends', () => {
  test('a buffer that isn’t full goes when it is two seconds old, at the next look', () => {
    const { udp, told, run, settings, sim } = master()
    settings.syncThreshold = [0, 1]
    udp()
    const fromS = sim.nowNs / 1e9
    run(1.9)
    expect(told).toEqual([])
    run(2)
    expect(told).toHaveLength(1)
    expect(told[0]!.atS - fromS).toBeGreaterThanOrEqual(2)
    expect(told[0]!.atS - fromS).toBeLessThan(3.1)
    const { packet } = told[0]!
    expect([formatIpv4(packet.dst), packet.dstPort, packet.ttl, packet.fragment]).toEqual(['224.0.0.81', 8848, 1, 0])
    expect(formatIpv4(packet.src)).toBe('10.0.1.254')
  })

  test('a full one goes within a fiftieth of a second; eight go at once', () => {
    const { udp, told, run, settings, sim } = master({ ...MASTER, syncMaxlen: 44 })
    settings.syncThreshold = [0, 1]
    udp(1)
    udp(2)
    const fromS = sim.nowNs / 1e9
    run(0.1)
    expect(told.map(({ atS }) => Math.round((atS - fromS) * HZ))).toEqual([6])
    for (let port = 3; port <= 10; port++) udp(port)
    run(0.001)
    expect(told).toHaveLength(9)
  })

  test('a queue that is full loses', () => {
    const { udp, told, run, settings } = master({ ...MASTER, syncMaxlen: 44 })
    settings.syncThreshold = [0, 1]
    settings.syncQlenMax = 3
    for (let port = 1; port <= 10; port++) udp(port)
    run(4)
    expect(conns(told).map(({ cport }) => cport)).toEqual([1, 2, 3, 10])
  })

  test('a message of one version goes before one of the other is begun', () => {
    const { udp, told, run, settings } = master()
    settings.syncThreshold = [0, 1]
    udp(1)
    settings.syncVersion = 0
    udp(2)
    udp(3)
    settings.syncVersion = 1
    udp(4)
    run(4)
    expect(told.map(({ message }) => [message.version, message.conns.length])).toEqual([
      [1, 1],
      [0, 2],
      [1, 1],
    ])
  })
})

describe('what is told', () => {
  test('TCP: established at the third packet, then each change of state; nothing before', () => {
    const { tcp, answer, told, run } = master()
    tcp(TCP_SYN)
    answer(TCP_SYN | TCP_ACK)
    tcp(TCP_ACK)
    run(4)
    expect(told).toEqual([])
    tcp(TCP_ACK)
    tcp(TCP_FIN | TCP_ACK)
    run(4)
    expect(conns(told).map(({ state, flags, timeout }) => [state, flags, timeout])).toEqual([
      [IP_VS_TCP_S_ESTABLISHED, 0, 900],
      [IP_VS_TCP_S_CLOSE_WAIT, IP_VS_CONN_F_INACTIVE, 60],
    ])
    expect(told[0]!.message.syncId).toBe(5)
  })

  test.each([
    [[3, 50], 60, [3, 53]],
    [[2, 5], 13, [2, 7, 12]],
    [[0, 2], 5, [2, 4]],
    [[4, 0], 20, [4]],
  ] as const)('threshold %j: of %i datagrams these', ([threshold, period], count, expected) => {
    const { udp, told, run, settings } = master()
    settings.syncThreshold = [threshold, period]
    let before = 0
    const at: number[] = []
    for (let i = 1; i <= count; i++) {
      udp()
      run(3.2)
      if (conns(told).length > before) at.push(i)
      before = conns(told).length
    }
    expect(at).toEqual(expected)
  })

  test('a refresh period: again only when the end has moved so far', () => {
    const { udp, told, run, settings } = master()
    settings.syncThreshold = [0, 1]
    settings.syncRefreshPeriod = 10 * HZ
    for (let second = 0; second < 32; second++) {
      udp()
      run(1)
    }
    run(4)
    expect(conns(told)).toHaveLength(4)
  })

  test('a template goes with its connection; in persistent mode alone', () => {
    const { add, addServer, pass, told, run, settings } = master()
    settings.syncThreshold = [0, 1]
    add(IPPROTO_UDP, 99, { flags: IP_VS_SVC_F_PERSISTENT, timeout: 60 })
    addServer(IPPROTO_UDP, 99, 3)
    pass({ protocol: IPPROTO_UDP, srcPort: 1, dstPort: 99 })
    run(4)
    expect(conns(told).map(({ cport, timeout }) => [cport, timeout])).toEqual([
      [1, 300],
      [0, 60],
    ])
    settings.syncPersistMode = 1
    pass({ protocol: IPPROTO_UDP, srcPort: 2, dstPort: 99 })
    run(4)
    expect(
      conns(told)
        .slice(2)
        .map(({ cport }) => cport),
    ).toEqual([0])
  })
})

describe('daemons', () => {
  test('one of each, and only by a device that is there', () => {
    const { ask, started, host } = master()
    expect(started).toEqual([])
    expect(ask({ type: 'IPVS_CMD_NEW_DAEMON', daemon: MASTER })).toBe('EEXIST')
    expect(ask({ type: 'IPVS_CMD_NEW_DAEMON', daemon: { ...MASTER, mcastIfn: 'eth9' } })).toBe('ENODEV')
    expect(ask({ type: 'IPVS_CMD_DEL_DAEMON', state: IP_VS_STATE_BACKUP })).toBe('ESRCH')
    expect(ask({ type: 'IPVS_CMD_NEW_DAEMON', daemon: { ...MASTER, state: 3 } })).toBe('EINVAL')
    expect(
      ask({ type: 'IPVS_CMD_NEW_DAEMON', daemon: { ...MASTER, state: IP_VS_STATE_BACKUP, syncMaxlen: 1 } }),
    ).toEqual([])
    expect(ask({ type: 'IPVS_CMD_GET_DAEMON' })).toMatchObject([
      { state: 1, syncMaxlen: 1472 },
      { state: 2, syncMaxlen: 1024 },
    ])
    expect(ask({ type: 'IPVS_CMD_DEL_DAEMON', state: IP_VS_STATE_MASTER })).toEqual([])
    expect(ask({ type: 'IPVS_CMD_GET_DAEMON' })).toHaveLength(1)
    expect(ask({ type: 'IPVS_CMD_DEL_DAEMON', state: IP_VS_STATE_BACKUP })).toEqual([])
    expect(host.up).toBe(true)
  })
})

const RECORDED = readFileSync(new URL('golden/sync.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(' ') as [string, string])

describe('a backup and what real masters sent', () => {
  const heard = (...names: string[]) => {
    const made = director()
    made.add(IPPROTO_TCP, 80)
    made.addServer(IPPROTO_TCP, 80, 3)
    const messages = RECORDED.filter(([name]) => names.includes(name))
    expect(messages.length).toBeGreaterThan(0)
    for (const [, hex] of messages) processMessage(made.ipvs, 0, Uint8Array.from(Buffer.from(hex, 'hex')))
    const shown = made.ipvs.conns
      .list()
      .map((cp) => `${cp.protocol} ${cp.cport} ${stateName(cp)} ${cp.timeout / HZ}${cp.dest ? '' : ' no server'}`)
    return { ...made, shown: shown.sort() }
  }

  test('connections with their server, and without', () => {
    const { shown, ipvs } = heard('master')
    expect(shown).toEqual(['17 6000 UDP 300 no server', '6 5001 TIME_WAIT 120'])
    const [dest] = ipvs.services.list()[0]!.destinations
    expect([dest!.activeConns, dest!.inactConns]).toEqual([0, 1])
    for (const cp of ipvs.conns.list()) expect(cp.flags & IP_VS_CONN_F_SYNC).toBe(IP_VS_CONN_F_SYNC)
  })

  test('templates, of a mark too', () => {
    expect(heard('persistence').shown).toEqual([
      '0 0 ASSURED 100 no server',
      '6 0 ASSURED 200',
      '6 5001 TIME_WAIT 120',
      '6 5003 TIME_WAIT 120 no server',
    ])
  })

  test('version 0: timeouts by state', () => {
    expect(heard('version-0').shown).toEqual(['17 6000 UDP 300 no server', '6 5001 TIME_WAIT 120'])
  })

  test('IPv6', () => {
    expect(heard('ipv6').shown).toEqual(['6 5001 TIME_WAIT 120 no server', '6 5002 TIME_WAIT 120 no server'])
  })

  test('another syncid is not for it; 0 takes all', () => {
    const { ipvs } = director()
    const bytes = Uint8Array.from(Buffer.from(RECORDED.find(([name]) => name === 'master')![1], 'hex'))
    processMessage(ipvs, 8, bytes)
    expect(ipvs.conns.list()).toEqual([])
    processMessage(ipvs, 7, bytes)
    expect(ipvs.conns.list()).toHaveLength(1)
  })

  test('its server comes later: the connection finds it with the next message', () => {
    const { ipvs, add, addServer } = director()
    const hear = () => {
      for (const [name, hex] of RECORDED) {
        if (name === 'both') processMessage(ipvs, 0, Uint8Array.from(Buffer.from(hex, 'hex')))
      }
    }
    hear()
    add(IPPROTO_TCP, 80)
    addServer(IPPROTO_TCP, 80, 3)
    expect(ipvs.conns.list()[0]!.dest).toBeUndefined()
    hear()
    const [cp] = ipvs.conns.list()
    expect(cp!.dest?.addr).toBe(server(3))
    expect([cp!.dest!.activeConns, cp!.dest!.inactConns]).toEqual([0, 1])
  })
})

test('a Call-ID is told, and kept where there is an engine for it', () => {
  const { add, addServer, pass, told, run, settings } = master()
  settings.syncThreshold = [0, 1]
  add(IPPROTO_UDP, 5060, { flags: IP_VS_SVC_F_PERSISTENT, timeout: 60, peName: 'sip' })
  addServer(IPPROTO_UDP, 5060, 3)
  const buffer = new TextEncoder().encode('OPTIONS sip:a SIP/2.0\r\nCall-ID: one@x\r\n\r\n')
  pass({ protocol: IPPROTO_UDP, srcPort: 1001, dstPort: 5060, buffer, length: buffer.length })
  run(4)
  const data = new TextEncoder().encode('one@x')
  expect(conns(told).map(({ cport, pe }) => [cport, pe])).toEqual([
    [1001, undefined],
    [0, { name: 'sip', data }],
  ])
  const { packet } = told[0]!
  const bytes = packet.buffer.slice(packet.offset, packet.offset + packet.length)

  const without = director()
  processMessage(without.ipvs, 0, bytes)
  expect(without.ipvs.conns.list().map(({ cport }) => cport)).toEqual([1001])

  const backup = director()
  backup.add(IPPROTO_UDP, 5060, { flags: IP_VS_SVC_F_PERSISTENT, timeout: 60, peName: 'sip' })
  processMessage(backup.ipvs, 0, bytes)
  processMessage(backup.ipvs, 0, bytes)
  const templates = backup.ipvs.conns.list().filter((cp) => cp.isTemplate)
  expect(templates.map(({ pe, peData }) => [pe?.name, peData])).toEqual([['sip', data]])
})

const tshark = spawnSync('tshark', ['--version']).status === 0

test.skipIf(!tshark)(
  'tshark reads what is sent without a complaint (skipped: no tshark)',
  () => {
    const { udp, tcp, answer, told, run, settings } = master()
    settings.syncThreshold = [0, 1]
    for (const version of [1, 0]) {
      settings.syncVersion = version
      for (let port = 1; port <= 50; port++) udp(port)
      tcp(TCP_SYN, 7000 + version)
      answer(TCP_SYN | TCP_ACK, 7000 + version)
      tcp(TCP_ACK, 7000 + version)
      tcp(TCP_FIN | TCP_ACK, 7000 + version)
      run(4)
    }
    const writer = new PcapWriter({ startS: 0 })
    for (const { atS, packet } of told) {
      packet.macDst = 0x01005e000051
      writer.write(atS * 1e9, packet)
    }
    const folder = mkdtempSync(join(tmpdir(), 'kaidoku-sync-'))
    try {
      const file = join(folder, 'sync.pcap')
      writeFileSync(file, writer.bytes())
      const read = (...words: string[]) =>
        spawnSync('tshark', ['-r', file, ...words], { encoding: 'utf8' }).stdout.trim()
      expect(read('-Y', '_ws.malformed || _ws.expert')).toBe('')
      expect(
        read(
          '-o',
          'udp.check_checksum:TRUE',
          '-o',
          'ip.check_checksum:TRUE',
          '-Y',
          '!ipvs || udp.checksum.bad || ip.checksum.bad',
        ),
      ).toBe('')
      expect(read('-Y', 'ipvs').split('\n')).toHaveLength(told.length)
      const counted = read('-T', 'fields', '-e', 'ipvs.conncount').split('\n').map(Number)
      expect(counted.reduce((sum, count) => sum + count, 0)).toBe(conns(told).length)
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
  60_000,
)
