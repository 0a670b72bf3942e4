/** Labs on the Linux that the tests run on; skipped, with a line that says why, where none can be built. */
import { afterAll, describe, expect, test } from 'vitest'
import { DEFAULT_START, type InterfaceCapture, type LabSession } from '#article/runner'
import type { HostPlan, LabPlan } from '#lab/plan'
import { createNetnsBackend } from './index.ts'

const backend = createNetnsBackend()
const why = await backend.unavailable()
if (why !== undefined) console.log(`skipped: netns: ${why}`)

function host(number: number, name: string, more: Partial<HostPlan> = {}): HostPlan {
  const mac = `02:00:00:00:${number.toString(16).padStart(2, '0')}:00`
  const eth0 = { name: 'eth0', network: 'lan', addresses: [{ address: `10.0.0.${number}`, prefix: 24 }], mac }
  const none = { loopback: [], gateway: undefined, sysctl: [], ipv6: false, kernel: 'linux-6.1', machine: 'pc' }
  return { name, number, interfaces: [eth0], ...none, ...more }
}

function lan(hosts: HostPlan[], shape: Partial<LabPlan['networks'][number]> = {}): LabPlan {
  return { networks: [{ name: 'lan', delayNs: 0, rateBps: Number.POSITIVE_INFINITY, loss: 0, ...shape }], hosts }
}

const trio = lan([host(1, 'a'), host(2, 'b'), host(3, 'c')])

const started: LabSession[] = []
async function open(plan: LabPlan, seed = 1): Promise<LabSession> {
  const session = await backend.open(plan, { seed, start: DEFAULT_START, capture: true })
  started.push(session)
  return session
}

afterAll(async () => {
  await Promise.all(started.map((session) => session.close()))
  await backend.close()
})

const out = async (session: LabSession, name: string, command: string) => (await session.command(name, command)).output

/** `time` apart, what crossed the cable: ether type or ARP operation, and the two ends. */
const framesOf = (captures: InterfaceCapture[], name: string) =>
  captures
    .find((capture) => capture.host === name)!
    .frames.map(({ bytes }) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset)
      const type = view.getUint16(12)
      if (type === 0x0806) return view.getUint16(20) === 1 ? 'arp request' : 'arp reply'
      return type === 0x0800 && bytes[23] === 1 ? `icmp ${bytes[34]}` : `type ${type.toString(16)}`
    })

describe.skipIf(why !== undefined)('a lab of namespaces', { timeout: 60_000, concurrent: true }, () => {
  test('cards look like Ethernet cards, and nothing is on the wire that nobody sent', async () => {
    const session = await open(trio)
    expect(await out(session, 'a', 'ip link show eth0')).toMatch(
      /^2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc \w+ state UP mode DEFAULT group default qlen 1000\n {4}link\/ether 02:00:00:00:01:00 brd ff:ff:ff:ff:ff:ff\n$/,
    )
    expect(await out(session, 'a', 'ip -o -4 addr show eth0')).toContain('inet 10.0.0.1/24 brd 10.0.0.255 scope global')
    await session.command('b', 'sleep 2')
    for (const { frames } of await session.finish()) expect(frames).toEqual([])
  })

  test('ping and arping cross the switch; it floods what it must and no more', async () => {
    const session = await open(trio)
    expect(await out(session, 'a', 'ping -c 1 b')).toMatch(/^64 bytes from b \(10\.0\.0\.2\): icmp_seq=1 ttl=64/m)
    expect(await out(session, 'a', 'arping -c 1 -I eth0 10.0.0.3')).toContain(
      'Unicast reply from 10.0.0.3 [02:00:00:00:03:00]',
    )
    const captures = await session.finish()
    const exchange = ['arp request', 'arp reply', 'icmp 8', 'icmp 0']
    expect(framesOf(captures, 'a')).toEqual([...exchange, 'arp request', 'arp reply'])
    expect(framesOf(captures, 'b')).toEqual([...exchange, 'arp request'])
    expect(framesOf(captures, 'c')).toEqual(['arp request', 'arp request', 'arp reply'])
  })

  test('the shell stays, says what one at a terminal says, and tells nothing about jobs', async () => {
    const session = await open(trio)
    await session.command('a', 'cd /var; x=kept; f() { return 7; }')
    expect(await out(session, 'a', 'pwd; echo $x')).toBe('/var\nkept\n')
    expect(await session.command('a', 'f')).toMatchObject({ status: 7, output: '' })
    expect(await out(session, 'a', 'echo $?')).toBe('7\n')
    expect(await session.command('a', 'nosuch')).toMatchObject({
      status: 127,
      output: 'bash: nosuch: command not found\n',
    })
    expect(await out(session, 'a', 'echo )')).toBe("bash: syntax error near unexpected token `)'\n")
    expect(await out(session, 'a', "sleep 9 & kill $!; sleep 0.1; sh -c 'kill -9 $$'")).toBe('')
    expect(await out(session, 'a', 'cat; test -t 1 && stty size </dev/stdout; echo to stderr >&2')).toBe(
      '24 80\nto stderr\n',
    )
    expect(await session.command('a', 'exit 3')).toMatchObject({ status: 3, output: '' })
    expect(await out(session, 'a', 'pwd; echo "$x"')).toBe('/root\n\n')
  })

  test('the rhythm: 0.3 s from one command to the next', async () => {
    const session = await open(trio)
    const first = await session.command('a', 'sleep 0.5')
    expect(first.at).toBeLessThan(0.1)
    const second = await session.command('b', 'true')
    expect(second.at - first.at - first.took - 0.3).toBeGreaterThanOrEqual(0)
    expect(second.at - first.at - first.took - 0.3).toBeLessThan(0.1)
  })

  test('what a job in the background prints belongs to the command of its host', async () => {
    const session = await open(trio)
    expect(await out(session, 'a', '(sleep 0.1; echo soon; sleep 0.6; echo later) &')).toBe('soon\n')
    expect(await out(session, 'b', 'sleep 1')).toBe('')
    expect(await out(session, 'a', 'echo now')).toBe('later\nnow\n')
  })

  test('a command that meets its limit is stopped, and the shell goes on', async () => {
    const session = await open(trio)
    await session.command('a', 'sleep 50 & job=$!')
    const stopped = await session.command('a', 'ping -i 0.2 10.0.0.2', { limitS: 0.5 })
    expect(stopped.timedOut).toBe(true)
    expect(stopped.took).toBeLessThan(1)
    expect(stopped.output).toMatch(/packet loss/) // As after Ctrl-C.
    expect(await session.command('a', 'sleep 60', { limitS: 0.2 })).toMatchObject({ timedOut: true, status: 130 })
    expect(await out(session, 'a', 'kill -0 $job && echo the job lives')).toBe('the job lives\n')
  })

  test('hosts share no files, and know each other by name', async () => {
    const session = await open(trio)
    await session.writeFile('a', '/usr/local/bin/hello', '#!/bin/sh\necho hello from $(hostname)\n')
    await session.writeFile('a', '/srv/deep/down', 'text\n')
    expect(await out(session, 'a', 'hello; cat /srv/deep/down; echo 1 > /etc/mine; echo 2 > /tmp/mine')).toBe(
      'hello from a\ntext\n',
    )
    expect(await out(session, 'b', 'ls /usr/local/bin/hello /etc/mine /tmp /root 2>&1 | grep -c mine')).toBe('1\n')
    expect(await out(session, 'b', 'getent hosts c; cat /etc/hosts')).toBe(
      '10.0.0.3        c\n127.0.0.1 localhost\n10.0.0.1 a\n10.0.0.2 b\n10.0.0.3 c\n',
    )
  })

  test('unplug and plug: the kernel has seen it when they return', async () => {
    const session = await open(trio)
    await session.command('a', 'ping -c 1 b')
    await session.verb({ verb: 'unplug', host: 'b', interface: 'eth0' })
    expect(await out(session, 'b', 'ip -o link show eth0; ip route')).toMatch(
      /<NO-CARRIER,BROADCAST,MULTICAST,UP> .* state DOWN (.|\n)* linkdown/,
    )
    expect(await out(session, 'a', 'ping -c 1 -W 1 b')).toContain('100% packet loss')
    await session.verb({ verb: 'plug', host: 'b', interface: 'eth0' })
    expect(await out(session, 'b', 'ip -o link show eth0')).toContain('<BROADCAST,MULTICAST,UP,LOWER_UP>')
    expect(await out(session, 'a', 'ping -c 1 b')).toContain(' 0% packet loss')
  })

  test('poweroff and poweron: the disk stays, the rest is new', async () => {
    const session = await open(trio)
    await session.command('b', 'echo kept > /etc/kept; ip addr add 10.0.0.99/24 dev eth0; sleep 100 &')
    await session.verb({ verb: 'poweroff', host: 'b' })
    expect(await session.command('b', 'echo anybody')).toMatchObject({ status: 255, output: '' })
    expect(await out(session, 'a', 'ping -c 1 -W 1 b')).toContain('100% packet loss')
    await session.verb({ verb: 'poweron', host: 'b' })
    expect(await out(session, 'b', 'cat /etc/kept; ip -o -4 addr show eth0 | grep -c 10.0.0.99; pgrep -c sleep')).toBe(
      'kept\n0\n0\n',
    )
    expect(await out(session, 'a', 'ping -c 1 b')).toContain(' 0% packet loss')
  })

  test('a network’s delay, rate and loss are met where a frame leaves the switch', async () => {
    const session = await open(lan(trio.hosts, { delayNs: 50e6 }))
    expect(await out(session, 'a', 'ping -c 2 b | tail -1')).toMatch(/^rtt min\/avg\/max\/mdev = 10\d\./)
    await session.verb({ verb: 'delay', network: 'lan', delayNs: 0 })
    await session.verb({ verb: 'rate', network: 'lan', rateBps: 1e6 })
    const big = await out(session, 'a', 'ping -c 1 -s 1458 b') // 1500 bytes on the wire: 12 ms each way.
    expect(Number(/time=([\d.]+)/.exec(big)![1])).toBeGreaterThan(24)
    await session.verb({ verb: 'rate', network: 'lan', rateBps: Number.POSITIVE_INFINITY })
    await session.verb({ verb: 'loss', network: 'lan', loss: 1 })
    expect(await out(session, 'a', 'ping -c 1 -W 1 b')).toContain('100% packet loss')
  })

  test('sysctl, loopback addresses, gateway, IPv6 where it is asked for', async () => {
    const session = await open(
      lan([
        host(1, 'a', { gateway: '10.0.0.2', ipv6: true }),
        host(2, 'b', { sysctl: [['net.ipv4.ip_forward', '1']], loopback: [{ address: '10.9.9.9', prefix: 32 }] }),
      ]),
    )
    expect(await out(session, 'a', 'ip route; ping -c 1 10.9.9.9 | grep -c ttl=64')).toBe(
      'default via 10.0.0.2 dev eth0 \n10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1 \n1\n',
    )
    expect(await out(session, 'b', 'sysctl net.ipv4.ip_forward')).toBe('net.ipv4.ip_forward = 1\n')
    expect(await out(session, 'b', 'ip -6 addr | wc -l')).toBe('0\n')
    expect(await out(session, 'a', 'ip -6 addr show eth0')).toContain('fe80::ff:fe00:100/64')
  })

  test('what the kernel refuses is said, and leaves nothing behind', async () => {
    const plan = lan([host(1, 'a', { sysctl: [['net.ipv4.nosuch', '1']] })])
    await expect(open(plan)).rejects.toThrow(/^a: sysctl net\.ipv4\.nosuch: No such file/)
  })

  test('output comes as it is printed', async () => {
    const session = await open(trio)
    const pieces: [number, string][] = []
    const startedAt = Date.now()
    await session.command('a', 'echo one; sleep 0.5; echo two', {
      onOutput: (text) => pieces.push([Date.now() - startedAt, text]),
    })
    expect(pieces.map(([, text]) => text).join('')).toBe('one\ntwo\n')
    expect(pieces[0]![0]).toBeLessThan(400)
  })
})
