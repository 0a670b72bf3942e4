import { describe, expect, test } from 'vitest'
import { SECOND, Simulator } from '#base/sim'
import { createHost, createImage, type KernelHost, type NetlinkAnswer } from '#kernel/core'
import { parseIpv4 } from '#wire/inet'
import { deviceTrace, type NetDevice } from './device.ts'
import { setDeviceUp } from './device-events.ts'
import { createEthernet, deviceByName, devices, netState, renameDevice } from './devices.ts'
import { deviceIoctl } from './ioctl.ts'
import { NUD_PERMANENT, neighbourFor, UPDATE_ADMIN } from './neighbour.ts'
import type { LinkMessage, NetRequest } from './netlink.ts'
import { net } from './room.ts'
import { addAddress, TestCable } from './testing.ts'

const MAC = 0x020000000100

function setting() {
  const sim = new Simulator()
  const image = createImage({ release: '6.1.0-56-amd64', profile: 'linux-6.1' })
  net.install(image)
  const make = (name: string, number: number) => {
    const host = createHost({ sim, image, name, number, startS: 0 })
    const device = createEthernet(host, 'eth0', MAC + number)
    return { host, device }
  }
  const { host, device } = make('a', 1)
  const other = make('b', 2)
  const cable = new TestCable(sim, device, other.device)
  sim.run(2 * SECOND)
  setDeviceUp(deviceByName(host, 'lo')!, true)
  setDeviceUp(device, true)
  setDeviceUp(other.device, true)
  sim.run(4 * SECOND)
  return { sim, host, device, other: other.device, cable }
}

function request(host: KernelHost, message: NetRequest): NetlinkAnswer {
  return host.image.netlinkHandlers.get(message.type)!(host, message)
}

/** A file's content, or the error's name. */
function read(host: KernelHost, path: string): string {
  const file = host.openPath(path, 0)
  if (!file) return 'ENOENT'
  const content = file.read(65536)
  return content.ok ? new TextDecoder().decode(content.value) : content.errno
}

function write(host: KernelHost, path: string, text: string): string {
  const file = host.openPath(path, 1)
  if (!file) return 'ENOENT'
  const written = file.write(new TextEncoder().encode(text))
  file.release?.()
  return written.ok ? 'ok' : written.errno
}

const link = (host: KernelHost, name: string): LinkMessage => {
  const answer = request(host, { type: 'RTM_GETLINK', name })
  return (answer as { messages: LinkMessage[] }).messages[0]!
}

describe('a device', () => {
  test('is numbered from 1, lo first', () => {
    const { host } = setting()
    expect(devices(host).map((device) => [device.ifindex, device.name])).toEqual([
      [1, 'lo'],
      [2, 'eth0'],
    ])
  })

  test('shows what ip link shows: new, up, unplugged, down', () => {
    const sim = new Simulator()
    const image = createImage({ release: '6.1.0-56-amd64', profile: 'linux-6.1' })
    net.install(image)
    const host = createHost({ sim, image, name: 'a', number: 1, startS: 0 })
    const device = createEthernet(host, 'eth0', MAC)
    expect(link(host, 'eth0')).toMatchObject({ flags: 0x1002, qdisc: 'noop', operstate: 'DOWN', mtu: 1500 })
    expect(link(host, 'lo')).toMatchObject({ flags: 0x8, qdisc: 'noop', operstate: 'DOWN', mtu: 65536 })
    setDeviceUp(deviceByName(host, 'lo')!, true)
    expect(link(host, 'lo')).toMatchObject({ flags: 0x10049, qdisc: 'noqueue', operstate: 'UNKNOWN' })
    setDeviceUp(device, true)
    expect(link(host, 'eth0')).toMatchObject({ flags: 0x1003, qdisc: 'fq_codel', operstate: 'DOWN' })
    const peer = createEthernet(createHost({ sim, image, name: 'b', number: 2, startS: 0 }), 'eth0', MAC + 1)
    const cable = new TestCable(sim, device, peer)
    expect(link(host, 'eth0')).toMatchObject({ flags: 0x11043, operstate: 'UP', carrierChanges: 2 })
    sim.run(2 * SECOND)
    cable.plug(false)
    expect(link(host, 'eth0')).toMatchObject({ flags: 0x1003, operstate: 'DOWN', carrierChanges: 3 })
    setDeviceUp(device, false)
    expect(link(host, 'eth0')).toMatchObject({ flags: 0x1002, qdisc: 'fq_codel', operstate: 'DOWN' })
  })

  test('a carrier lost within a second of the last event is acted upon when the second is over; a carrier found at once', () => {
    const { sim, device, cable } = setting()
    cable.plug(false)
    expect(device.operstate).toBe('DOWN')
    cable.plug(true)
    expect(device.operstate).toBe('UP')
    cable.plug(false)
    expect([device.carrier, device.operstate]).toEqual([false, 'UP'])
    sim.run(sim.nowNs + 1.1 * SECOND)
    expect(device.operstate).toBe('DOWN')
  })

  test.each<[string, Partial<Extract<NetRequest, { type: 'RTM_SETLINK' }>>, string]>([
    ['mtu 67', { mtu: 67 }, 'EINVAL mtu less than device minimum'],
    ['mtu 65522', { mtu: 65522 }, 'EINVAL mtu greater than device maximum'],
    ['mtu 65521', { mtu: 65521 }, 'ok'],
    ['a multicast address', { address: 0x010000000001 }, 'EADDRNOTAVAIL'],
    ['an address of zeroes', { address: 0 }, 'EADDRNOTAVAIL'],
    ['an address while up', { address: 0x020000000777 }, 'ok'],
    ['an address of four bytes', { addressBytes: [2, 0, 0, 1] }, 'EINVAL'],
    ['a name while up', { newName: 'lan0' }, 'EBUSY'],
    ['txqueuelen 32768', { txqlen: 32768 }, 'ERANGE'],
  ])('%s', (_, change, expected) => {
    const { host } = setting()
    const answer = request(host, { type: 'RTM_SETLINK', ifindex: 2, ...change })
    expect(answer.ok ? 'ok' : `${answer.errno} ${answer.extack ?? ''}`.trim()).toBe(expected)
  })

  test.each<[string, string]>([
    ['lan0', 'ok'],
    ['lo', 'EEXIST'],
    ['a/b', 'EINVAL'],
    ['sixteen_letters_', 'EINVAL'],
    ['', 'EINVAL'],
  ])('down, it may be called "%s": %s', (newName, expected) => {
    const { host, device } = setting()
    setDeviceUp(device, false)
    const answer = request(host, { type: 'RTM_SETLINK', ifindex: 2, newName })
    expect(answer.ok ? 'ok' : answer.errno).toBe(expected)
  })

  test('a new name is its first label’s too', () => {
    const { device } = setting()
    addAddress(device, '10.0.0.1/24')
    addAddress(device, '10.0.0.2/24')
    renameDevice(device, 'lan0')
    expect(device.inet.addresses.map((own) => own.label)).toEqual(['lan0', 'lan0:2'])
  })

  test('promiscuity is counted; only what was set by hand is a flag', () => {
    const { host, device } = setting()
    device.changePromiscuity(1)
    expect(link(host, 'eth0')).toMatchObject({ promiscuity: 1, flags: 0x11043 })
    request(host, { type: 'RTM_SETLINK', ifindex: 2, flags: 0x100, change: 0x100 })
    expect(link(host, 'eth0')).toMatchObject({ promiscuity: 2, flags: 0x11143 })
    device.changePromiscuity(-1)
    request(host, { type: 'RTM_SETLINK', ifindex: 2, flags: 0, change: 0x100 })
    expect(link(host, 'eth0')).toMatchObject({ promiscuity: 0, flags: 0x11043 })
  })

  test('cards can’t be deleted, and kinds that aren’t modelled say so', () => {
    const { host } = setting()
    expect(request(host, { type: 'RTM_DELLINK', name: 'eth0' })).toMatchObject({ errno: 'EOPNOTSUPP' })
    expect(request(host, { type: 'RTM_DELLINK', name: 'eth7' })).toMatchObject({ errno: 'ENODEV' })
    expect(() => request(host, { type: 'RTM_NEWLINK', name: 'br0', kind: 'bridge', create: true })).toThrow('bridge')
  })

  test('what passes is traced while somebody listens, and counted always', () => {
    const { sim, device, other } = setting()
    addAddress(device, '10.0.0.1/24')
    const seen: string[] = []
    const end = deviceTrace.listen((event) => seen.push(`${event.device.host.name} ${event.direction}`))
    neighbourFor(device, parseIpv4('10.0.0.2')!)!.mayTransmit(undefined)
    sim.run(sim.nowNs + 1000)
    end()
    expect(seen).toEqual(['a out', 'b in'])
    expect([device.stats.txPackets, device.stats.txBytes, other.stats.rxPackets, other.stats.rxBytes]).toEqual([
      1, 42, 1, 42,
    ])
  })

  test('without power nothing is received, and no timer fires', () => {
    const { sim, host, device, other } = setting()
    addAddress(device, '10.0.0.1/24')
    neighbourFor(device, parseIpv4('10.0.0.2')!)!.mayTransmit(undefined)
    host.powerOff()
    const before = other.stats.rxPackets
    sim.run(sim.nowNs + 20 * SECOND)
    expect(other.stats.rxPackets - before).toBeLessThanOrEqual(1) // What was in flight.
    expect(device.up).toBe(false)
  })
})

describe('settings', () => {
  test('/proc/sys/net/ipv4/conf lists all, default and the devices', () => {
    const { host } = setting()
    const node = ['all', 'default', 'eth0', 'lo'].map((name) =>
      read(host, `/proc/sys/net/ipv4/conf/${name}/accept_source_route`),
    )
    expect(node).toEqual(['0\n', '1\n', '1\n', '1\n'])
    expect(read(host, '/proc/sys/net/ipv4/conf/eth9/rp_filter')).toBe('ENOENT')
  })

  test.each([
    ['conf/eth0/arp_ignore', '0\n'],
    ['conf/eth0/arp_evict_nocarrier', '1\n'],
    ['conf/eth0/igmpv2_unsolicited_report_interval', '10000\n'],
    ['conf/lo/disable_policy', '1\n'],
    ['neigh/eth0/base_reachable_time', '30\n'],
    ['neigh/eth0/base_reachable_time_ms', '30000\n'],
    ['neigh/eth0/retrans_time', '100\n'],
    ['neigh/eth0/retrans_time_ms', '1000\n'],
    ['neigh/eth0/proxy_delay', '80\n'],
    ['neigh/eth0/unres_qlen', '101\n'],
    ['neigh/eth0/unres_qlen_bytes', '212992\n'],
    ['neigh/default/gc_thresh1', '128\n'],
    ['neigh/default/gc_interval', '30\n'],
    ['neigh/default/gc_stale_time', '60\n'],
    ['neigh/eth0/gc_thresh1', 'ENOENT'],
  ])('net.ipv4.%s is %s', (path, value) => {
    expect(read(setting().host, `/proc/sys/net/ipv4/${path}`)).toBe(value)
  })

  test('a write to default reaches devices that have no address yet, and on which nobody wrote it', () => {
    const { host, device } = setting()
    const at = (name: string, file: string) => read(host, `/proc/sys/net/ipv4/conf/${name}/${file}`)
    write(host, '/proc/sys/net/ipv4/conf/eth0/arp_announce', '2\n')
    write(host, '/proc/sys/net/ipv4/conf/default/arp_announce', '1\n')
    write(host, '/proc/sys/net/ipv4/conf/default/arp_ignore', '1\n')
    write(host, '/proc/sys/net/ipv4/conf/default/promote_secondaries', '1\n')
    expect(at('eth0', 'arp_announce')).toBe('2\n')
    expect(at('eth0', 'arp_ignore')).toBe('1\n')
    expect(at('eth0', 'promote_secondaries')).toBe('0\n') // Of those that don't.
    expect(at('lo', 'arp_ignore')).toBe('0\n') // It has 127.0.0.1.
    addAddress(device, '10.0.0.1/24')
    request(host, {
      type: 'RTM_NEWADDR',
      family: 'AF_INET',
      ifindex: 2,
      local: parseIpv4('10.0.0.2')!,
      prefix: 24,
      create: true,
    })
    write(host, '/proc/sys/net/ipv4/conf/default/arp_ignore', '2\n')
    expect(at('eth0', 'arp_ignore')).toBe('1\n')
    createEthernet(host, 'eth1', MAC + 9)
    expect([at('eth1', 'arp_ignore'), at('eth1', 'promote_secondaries')]).toEqual(['2\n', '1\n'])
  })

  test('forwarding of all sets default and every device, and redirects are taken or not', () => {
    const { host } = setting()
    const all = () =>
      ['all', 'default', 'eth0', 'lo'].map((name) => read(host, `/proc/sys/net/ipv4/conf/${name}/forwarding`).trim())
    write(host, '/proc/sys/net/ipv4/conf/all/forwarding', '1\n')
    expect(all()).toEqual(['1', '1', '1', '1'])
    expect(read(host, '/proc/sys/net/ipv4/ip_forward')).toBe('1\n')
    expect(read(host, '/proc/sys/net/ipv4/conf/all/accept_redirects')).toBe('0\n')
    write(host, '/proc/sys/net/ipv4/conf/eth0/forwarding', '0\n')
    expect(all()).toEqual(['1', '1', '0', '1'])
    write(host, '/proc/sys/net/ipv4/ip_forward', '0\n')
    expect(all()).toEqual(['0', '0', '0', '0'])
    expect(read(host, '/proc/sys/net/ipv4/conf/all/accept_redirects')).toBe('1\n')
  })

  test.each([
    ['conf/eth0/arp_ignore', 'x', 'EINVAL'],
    ['conf/eth0/mc_forwarding', '1', 'EPERM'],
    ['neigh/eth0/mcast_solicit', '-1', 'EINVAL'],
    ['neigh/eth0/unres_qlen', '-1', 'EINVAL'],
    ['neigh/eth0/interval_probe_time_ms', '0', 'EINVAL'],
    ['neigh/eth0/retrans_time_ms', '250', 'ok'],
  ])('writing net.ipv4.%s = %s: %s', (path, value, expected) => {
    const { host } = setting()
    const answer = write(host, `/proc/sys/net/ipv4/${path}`, `${value}\n`)
    expect(expected === 'EPERM' ? answer !== 'ok' : answer === expected).toBe(true)
  })

  test('base_reachable_time of default isn’t felt before the next drawing, a device’s own at once', () => {
    const { host, device } = setting()
    const neighbour = neighbourFor(device, parseIpv4('10.0.0.2')!)!
    const lasts = () => {
      const { sim } = host
      neighbour.update(0x020000000999, 0x02, 0x81)
      const beganNs = sim.nowNs
      while (neighbour.state === 0x02) sim.run(sim.nowNs + SECOND / 4)
      return (sim.nowNs - beganNs) / SECOND
    }
    write(host, '/proc/sys/net/ipv4/neigh/default/base_reachable_time_ms', '4000\n')
    expect(read(host, '/proc/sys/net/ipv4/neigh/eth0/base_reachable_time')).toBe('4\n')
    expect(lasts()).toBeGreaterThan(14)
    write(host, '/proc/sys/net/ipv4/neigh/eth0/base_reachable_time_ms', '4000\n')
    expect(lasts()).toBeLessThan(7)
  })
})

describe('files', () => {
  test('/proc/net/arp', () => {
    const { host, device } = setting()
    neighbourFor(device, parseIpv4('10.0.0.2')!)!.update(0x020000000200, NUD_PERMANENT, UPDATE_ADMIN)
    neighbourFor(device, parseIpv4('192.168.100.200')!)!.mayTransmit(undefined)
    netState.of(host).neighbours.proxies.create(parseIpv4('10.0.0.3')!, device)
    expect(
      read(host, '/proc/net/arp'),
    ).toBe(`IP address       HW type     Flags       HW address            Mask     Device
10.0.0.2         0x1         0x6         02:00:00:00:02:00     *        eth0
192.168.100.200  0x1         0x0         00:00:00:00:00:00     *        eth0
10.0.0.3         0x1         0xc         00:00:00:00:00:00     *        eth0
`)
  })

  test('/proc/net/dev', () => {
    expect(
      read(setting().host, '/proc/net/dev'),
    ).toBe(`Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  eth0:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`)
  })

  test('/proc/net/stat/arp_cache', () => {
    const { host, device } = setting()
    neighbourFor(device, 1)
    expect(read(host, '/proc/net/stat/arp_cache').split('\n')[1]).toBe(
      '00000001 00000001 00000000 00000000   00000000 00000000 00000000   00000000         00000000         00000000         00000000       00000000            00000000',
    )
  })

  test.each<[string, string]>([
    ['address', '02:00:00:00:01:01\n'],
    ['mtu', '1500\n'],
    ['operstate', 'up\n'],
    ['carrier', '1\n'],
    ['ifindex', '2\n'],
    ['flags', '0x1003\n'],
    ['speed', '1000\n'],
    ['duplex', 'full\n'],
    ['type', '1\n'],
    ['tx_queue_len', '1000\n'],
    ['statistics/rx_bytes', '0\n'],
    ['uevent', 'INTERFACE=eth0\nIFINDEX=2\n'],
    ['name_assign_type', 'EINVAL'],
    ['nothing', 'ENOENT'],
    ['constructor', 'ENOENT'],
  ])('/sys/class/net/eth0/%s', (name, content) => {
    expect(read(setting().host, `/sys/class/net/eth0/${name}`)).toBe(content)
  })

  test('what asks the driver can’t be read while it is down', () => {
    const { host, device } = setting()
    setDeviceUp(device, false)
    expect(read(host, '/sys/class/net/eth0/carrier')).toBe('EINVAL')
    expect(read(host, '/sys/class/net/eth0/operstate')).toBe('down\n')
  })
})

describe('ioctls', () => {
  const MACS = { asked: 0x020000000200 }
  const arp = (device: NetDevice, name: string, more: object) =>
    deviceIoctl(device.host, name, { address: parseIpv4('10.0.0.2')!, flags: 0, device: 'eth0', ...more })

  test('SIOCSARP, SIOCGARP, SIOCDARP', () => {
    const { device } = setting()
    addAddress(device, '10.0.0.1/24')
    expect(arp(device, 'SIOCGARP', {})).toMatchObject({ errno: 'ENXIO' })
    expect(arp(device, 'SIOCSARP', { hardware: MACS.asked, hardwareType: 1, flags: 0x06 })).toMatchObject({ ok: true })
    expect(arp(device, 'SIOCGARP', {})).toMatchObject({ ok: true, value: { hardware: MACS.asked, flags: 0x06 } })
    expect(arp(device, 'SIOCDARP', {})).toMatchObject({ ok: true })
    expect(arp(device, 'SIOCDARP', {})).toMatchObject({ errno: 'ENXIO' })
    expect(arp(device, 'SIOCSARP', { hardware: MACS.asked, hardwareType: 6, flags: 0x02 })).toMatchObject({
      errno: 'EINVAL',
    })
    expect(arp(device, 'SIOCGARP', { device: 'eth7' })).toMatchObject({ errno: 'ENODEV' })
    expect(arp(device, 'SIOCGARP', { device: '' })).toMatchObject({ errno: 'ENODEV' })
  })

  test('published entries', () => {
    const { device } = setting()
    addAddress(device, '10.0.0.1/24')
    expect(arp(device, 'SIOCSARP', { flags: 0x08 | 0x04 })).toMatchObject({ ok: true })
    expect(device.net.neighbours.proxies.lookup(parseIpv4('10.0.0.2')!, device)).toBeDefined()
    expect(arp(device, 'SIOCDARP', { flags: 0x08 })).toMatchObject({ ok: true })
    expect(arp(device, 'SIOCDARP', { flags: 0x08 })).toMatchObject({ errno: 'ENOENT' })
  })

  test('of the device, and of nobody', () => {
    const { host, device } = setting()
    addAddress(device, '10.0.0.1/24')
    expect(deviceIoctl(host, 'SIOCGIFINDEX', { name: 'eth0' })).toEqual({ ok: true, value: 2 })
    expect(deviceIoctl(host, 'SIOCGIFADDR', { name: 'eth0' })).toEqual({ ok: true, value: parseIpv4('10.0.0.1') })
    expect(deviceIoctl(host, 'SIOCGIFADDR', { name: 'lo' })).toEqual({ ok: true, value: parseIpv4('127.0.0.1') })
    expect(deviceIoctl(host, 'SIOCGIFMTU', { name: 'eth9' })).toMatchObject({ errno: 'ENODEV' })
    expect(deviceIoctl(host, 'TCGETS', {})).toMatchObject({ errno: 'ENOTTY' })
    expect(deviceIoctl(host, 'SIOCETHTOOL', { name: 'eth0', command: 'ETHTOOL_GDRVINFO' })).toMatchObject({
      value: { driver: 'tun', version: '1.6', busInfo: 'tap' },
    })
    expect(deviceIoctl(host, 'SIOCETHTOOL', { name: 'eth0', command: 'ETHTOOL_GSTATS' })).toMatchObject({
      errno: 'EOPNOTSUPP',
    })
  })
})
